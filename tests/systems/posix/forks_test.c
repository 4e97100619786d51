/* SPDX-License-Identifier: MIT */
/* Forks in bad places: handlers of fork that were registered before the library's own use it, and
 * signal handlers that interrupt it and several threads at once fork. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#define SIZE 8192

/* ---- handlers ---- */

/* The handlers use it; NULL: they do nothing. */
static shmx *inherited;
static const char *made_name;
static shmx *made_before, *made_after;
static int failures;

#define expect(condition) expect_at(condition, #condition, __LINE__)

static void expect_at(bool good, const char *condition, int line)
{
    failures += !good;
    if (!good)
        fprintf(stderr, "forks_test.c:%d: not true: %s (os error %d)\n", line, condition,
                shmx_os_error());
}

static void use(shmx *shm)
{
    char byte = 0;
    shmx_info info;
    expect(shmx_write(shm, 100, "x", 1) == SHMX_OK);
    expect(shmx_read(shm, 100, &byte, 1) == SHMX_OK && byte == 'x');
    expect(shmx_mutex_lock(shm, shmx_data(shm), 1000) == SHMX_OK);
    expect(shmx_mutex_unlock(shm, shmx_data(shm)) == SHMX_OK);
    expect(shmx_stat(shmx_name(shm), &info) == SHMX_OK);
    expect(shmx_prune(NULL) == SHMX_OK);
}

static void make_and_close(void)
{
    shmx *shm;
    expect(shmx_create(&shm, NULL, SIZE, 0) == SHMX_OK);
    use(shm);
    shmx_close(&shm);
    expect(shmx_open(&shm, shmx_name(inherited), 0) == SHMX_OK);
    shmx_close(&shm);
}

static void in_prepare(void)
{
    if (inherited == NULL)
        return;
    use(inherited);
    make_and_close();
    expect(shmx_create(&made_before, made_name, SIZE, 0) == SHMX_OK);
}

/* The child's handler has run. Until the library's own has, which comes later, the child passes for
 * its parent, and neither could wait for a lock that the other holds. */
static int child_is_done[2];

static void in_parent(void)
{
    char byte;
    if (inherited == NULL)
        return;
    close(child_is_done[1]);
    expect(read(child_is_done[0], &byte, 1) == 0);
    close(child_is_done[0]);
    use(inherited);
    make_and_close();
    expect(shmx_create(&made_after, NULL, SIZE, 0) == SHMX_OK);
}

static void in_child(void)
{
    if (inherited == NULL)
        return;
    use(inherited);
    make_and_close();
    expect(shmx_create(&made_after, NULL, SIZE, 0) == SHMX_OK);
    close(child_is_done[0]);
    close(child_is_done[1]);
}

/* Before all constructors of lower rank, and those of the same that come later in the program. */
__attribute__((constructor(101))) static void be_first(void)
{
    pthread_atfork(in_prepare, in_parent, in_child);
}

static void play_child(void)
{
    must(failures == 0);
    use(made_after);
    shmx_close(&made_after);
    shmx_close(&made_before);
    use(inherited);
    shmx_close(&inherited);
    must(failures == 0);
    _exit(0);
}

static void handlers_of_others_work(void **state)
{
    (void)state;
    if (getenv("SHMX_TEST_WRAPPER") != NULL)
        test_skip("the emulator does not wipe what a child is to find empty (MADV_WIPEONFORK)");
    shmx *shm, *other;
    const char *name = test_name();
    made_name = test_name();
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    assert_ok(shmx_mutex_lock(shm, shmx_data(shm), 0)); /* it has a token */
    assert_ok(shmx_mutex_unlock(shm, shmx_data(shm)));
    inherited = shm;
    assert_int_equal(pipe(child_is_done), 0);
    alarm(10); /* rather than to hang */
    pid_t pid = fork();
    if (pid == 0)
        play_child();
    alarm(0);
    inherited = NULL;
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(failures, 0);
    /* The child has closed all; what is the parent's is there. */
    assert_ok(shmx_open(&other, name, 0));
    shmx_close(&other);
    assert_ok(shmx_open(&other, made_name, 0));
    shmx_close(&other);
    assert_ok(shmx_mutex_lock(made_before, shmx_data(made_before), 0));
    shmx_close(&made_before);
    shmx_close(&made_after);
    shmx_close(&shm);
    assert_false(test_there(name));
    assert_false(test_there(made_name));
}

/* ---- signals ---- */

static volatile sig_atomic_t forks, bad;

static void on_alarm(int number)
{
    int status;
    (void)number;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    forks++;
    if (pid > 0 && (waitpid(pid, &status, 0) != pid || status != 0))
        bad++;
}

static void beat(int microseconds)
{
    struct itimerval every = {{0, microseconds}, {0, microseconds}};
    must(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

#define FORKS 300

static void signal_handlers_fork(void *context)
{
    shmx *kept;
    must(shmx_create(&kept, context, SIZE, 0) == SHMX_OK);
    must(shmx_mutex_lock(kept, shmx_data(kept), 0) == SHMX_OK);
    must(signal(SIGALRM, on_alarm) != SIG_ERR);
    beat(700);
    while (forks < FORKS) {
        shmx *shm, *again;
        must(shmx_create(&shm, NULL, SIZE, 0) == SHMX_OK);
        must(shmx_open(&again, shmx_name(shm), 0) == SHMX_OK);
        must(shmx_mutex_lock(again, shmx_data(again), 0) == SHMX_OK);
        shmx_close(&again);
        must(shmx_presence_enter(shm, 1) == SHMX_OK);
        shmx_close(&shm);
    }
    beat(0);
    must(bad == 0);
    must(shmx_mutex_unlock(kept, shmx_data(kept)) == SHMX_OK);
    must(test_there(context));
    shmx_close(&kept);
    must(!test_there(context));
}

static void a_fork_in_a_signal_handler_ends(void **state)
{
    (void)state;
    if (getenv("SHMX_TEST_WRAPPER") != NULL)
        test_skip("the emulator cannot be interrupted by a fork");
    if (getenv("SHMX_TEST_SANITIZER") != NULL)
        test_skip("the sanitizer's malloc cannot be interrupted by a fork");
    struct test_child *child = child_fork(signal_handlers_fork, (void *)test_name());
    assert_int_equal(child_wait(child), 0);
}

/* ---- several threads ---- */

#define FORKERS 3
#define FORKS_EACH 100

static atomic_int forkers_left;

static void forks_often(void *context)
{
    (void)context;
    for (int i = 0; i < FORKS_EACH; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        must(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    }
    forkers_left--;
}

static void makes_meanwhile(void *context)
{
    (void)context;
    while (forkers_left > 0) {
        shmx *shm;
        must(shmx_create(&shm, NULL, SIZE, 0) == SHMX_OK);
        shmx_close(&shm);
    }
}

/* Two forks that wait for the same call to end: both go on. Not in a forked child, whose locks were
 * made anew: the thread sanitizer takes those for still locked. */
static void threads_fork_at_the_same_time(void **state)
{
    struct test_thread *forking[FORKERS], *making[FORKERS];
    (void)state;
    forkers_left = FORKERS;
    for (int i = 0; i < FORKERS; i++) {
        making[i] = thread_start(makes_meanwhile, NULL);
        forking[i] = thread_start(forks_often, NULL);
    }
    for (int i = 0; i < FORKERS; i++) {
        thread_join(forking[i]);
        thread_join(making[i]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(handlers_of_others_work),
    cmocka_unit_test(a_fork_in_a_signal_handler_ends),
    cmocka_unit_test(threads_fork_at_the_same_time),
};

TEST_MAIN(tests, no_parts)
