/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "lockfile/lockfile.h"

/* ---- the machine ---- */

static char machine[64];

static bool machine_make(void)
{
    if (getenv("SHMX_SIM_ROOT") != NULL)
        return true; /* a part, on the test's machine */
    snprintf(machine, sizeof machine, "/dev/shm/.sim-test-XXXXXX");
    return mkdtemp(machine) != NULL && (chmod)(machine, 01777) == 0 &&
           setenv("SHMX_SIM_ROOT", machine, 1) == 0;
}

static int machine_remove(void)
{
    static const char *const parts[] = {"/objects", "/tmp", "/var/tmp", "/var/shm", "/var", ""};
    if (machine[0] == '\0')
        return 0; /* another's */
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char path[SIM_PATH_MAX];
        sim_clear(parts[i], NULL);
        snprintf(path, sizeof path, "%s%s", machine, parts[i]);
        (rmdir)(path);
    }
    return (access)(machine, F_OK) != 0 ? 0 : 1;
}

int machine_main(int argc, char **argv, const struct CMUnitTest *tests, size_t count)
{
    int status;
    if (!machine_make())
        return 99;
    if (test_begin(argc, argv, machine_parts, &status))
        return status;
    status = test_end(_cmocka_run_group_tests(sim_facts.name, tests, count, NULL, NULL));
    return machine_remove() + status;
}

/* ---- another process ---- */

#define SIZE 5000

PART(creator) /* NAME FLAGS OTHER */
{
    shmx *shm;
    const char *why;
    must(argc == 4);
    if (strcmp(argv[3], "1") == 0 && !test_become_other_user(&why)) {
        say("cannot");
        return 0;
    }
    must(shmx_create(&shm, argv[1], SIZE, (unsigned)atoi(argv[2])) == SHMX_OK);
    memset((char *)shmx_data(shm) + 100, 'c', SIZE - 100);
    must(shmx_mutex_lock(shm, shmx_data(shm), 0) == SHMX_OK); /* it is an owner, too */
    say("ready");
    while (hear() != NULL)
        ;
    shmx_close(&shm);
    return 0;
}

PART(user) /* NAME OTHER: makes, uses and closes */
{
    shmx *shm;
    const char *why;
    must(argc == 3);
    if (strcmp(argv[2], "1") == 0 && !test_become_other_user(&why))
        return 0;
    int status = shmx_create(&shm, argv[1], SIZE, 0);
    if (status != SHMX_OK) {
        fprintf(stderr, "create: %s (%d)\n", shmx_status_name(status), shmx_os_error());
        return 1;
    }
    shmx *again;
    must(shmx_open(&again, argv[1], 0) == SHMX_OK);
    shmx_close(&again);
    shmx_close(&shm);
    return shmx_open(&shm, argv[1], 0) == SHMX_ENOENT ? 0 : 2;
}

PART(owner) /* NAME */
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_mutex_lock(shm, shmx_data(shm), 0) == SHMX_OK);
    say("locked");
    must(hear() != NULL);
    must(shmx_mutex_unlock(shm, shmx_data(shm)) == SHMX_OK);
    say("unlocked");
    shmx_close(&shm);
    return 0;
}

PART(waiter) /* NAME: until the first word is not 0 */
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_wait(shm, shmx_data(shm), 0, 30) == SHMX_ETIMEDOUT);
    say("waits");
    volatile uint32_t *word = shmx_data(shm);
    while (*word == 0)
        must(shmx_wait(shm, (uint32_t *)shmx_data(shm), 0, SHMX_FOREVER) == SHMX_OK);
    shmx_close(&shm);
    return 0;
}

PART(follower) /* NAME COUNT: says in the second word what the first was changed to */
{
    shmx *shm;
    must(argc == 3 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    volatile uint32_t *words = shmx_data(shm);
    for (uint32_t value = 0; value < (uint32_t)atoi(argv[2]); value++) {
        while (words[0] == value)
            must(shmx_wait(shm, shmx_data(shm), value, SHMX_FOREVER) == SHMX_OK);
        words[1] = value + 1;
    }
    shmx_close(&shm);
    return 0;
}

const struct test_part machine_parts[] = {{"creator", part_creator},   {"user", part_user},
                                          {"owner", part_owner},       {"waiter", part_waiter},
                                          {"follower", part_follower}, {NULL, NULL}};

struct test_child *machine_creator(const char *name, unsigned flags, bool other)
{
    char text[16];
    snprintf(text, sizeof text, "%u", flags);
    struct test_child *child = child_start("creator", name, text, other ? "1" : "0");
    child_expect(child, "ready");
    return child;
}

void machine_kill(struct test_child *child)
{
    child_end_by_kill(child);
}

struct count {
    const char *name;
    int count;
};

static int count_name(const shmx_info *info, void *context)
{
    struct count *count = context;
    count->count += strcmp(info->name, count->name) == 0;
    return 0;
}

int machine_listed(const char *name)
{
    struct count count = {name, 0};
    assert_ok(shmx_list(count_name, &count));
    return count.count;
}

/* ---- restart ---- */

static const unsigned kinds[] = {0, SHMX_PERSISTENT};

/* Segments of either user, with and without users, and then a name that either wants. */
void nothing_blocks_after_a_restart(void **state)
{
    (void)state;
    bool root = geteuid() == 0;
    for (int round = 0; round < 8; round++) {
        const char *name = test_name();
        bool maker = root && (round & 1) != 0;
        bool user = root && (round & 2) != 0;
        machine_kill(machine_creator(name, kinds[round >> 2], maker));
        sim_restart();
        struct test_child *child = child_start("user", name, user ? "1" : "0");
        if (child_wait(child) != 0)
            fail_msg("round %d: made by %s, wanted by %s", round, maker ? "another" : "us",
                     user ? "another" : "us");
    }
}

void nothing_lies_after_a_restart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        shmx *shm;
        shmx_info info;
        int removed = 7;
        const char *name = test_name();
        machine_kill(machine_creator(name, kinds[i], false));
        sim_restart();
        assert_int_equal(machine_listed(name), 0);
        assert_status(shmx_stat(name, &info), SHMX_ENOENT);
        assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
        assert_status(shmx_unlink(name), SHMX_ENOENT);
        assert_ok(shmx_prune(&removed));
        assert_int_equal(removed, 0);
    }
}

/* ---- links ---- */

void machine_lets_be(const char *name)
{
    shmx *shm;
    shmx_info info;
    int status = shmx_open(&shm, name, 0);
    assert_true(status != SHMX_OK && status != SHMX_EIO);
    status = shmx_stat(name, &info);
    assert_true(status != SHMX_OK && status != SHMX_EIO);
    status = shmx_create(&shm, name, SIZE, 0);
    assert_true(status == SHMX_EEXIST || status == SHMX_EACCES || status == SHMX_EPROTO);
    assert_ok(shmx_prune(NULL));
    assert_int_equal(machine_listed(name), 0);
}

void links_in_a_lock_files_place_are_no_io_errors(void **state)
{
    (void)state;
    char path[LOCKFILE_PATH_MAX];
    const char *name = test_name();
    shmx_lockfile_path_name(path, name);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    shmx *shm;
    shmx_info info;
    assert_status(shmx_create(&shm, name, SIZE, 0), SHMX_EEXIST);
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    assert_status(shmx_stat(name, &info), SHMX_ENOENT);
    assert_status(shmx_unlink(name), SHMX_ENOENT);
    assert_int_equal(unlink(path), 0);
}

/* ---- no room ---- */

static int is_run(void *context)
{
    (void)context;
    return 0;
}

/* Calls that make an attachment the owner of something, for the first time. */
static void nothing_can_be_owned(shmx *shm)
{
    shmx_queue *queue;
    shmx_topic *topic;
    unsigned char *bytes = shmx_data(shm);
    assert_status(shmx_mutex_lock(shm, (shmx_mutex *)(void *)bytes, 0), SHMX_ENOSPC);
    assert_status(shmx_once_run(shm, (shmx_once *)(void *)(bytes + 16), is_run, NULL), SHMX_ENOSPC);
    assert_status(shmx_queue_open(&queue, shm, 64, 1024), SHMX_ENOSPC);
    assert_status(shmx_topic_open(&topic, shm, 2048, 2048, 0), SHMX_ENOSPC);
    assert_status(shmx_presence_enter(shm, 1), SHMX_ENOSPC);
    assert_int_equal(shmx_os_error(), ENOSPC);
    assert_status(shmx_presence_wait(shm, 1, 1, 0), SHMX_ETIMEDOUT);
}

/* What was there before can be used, and goes. */
static void no_more_is_needed(shmx *shm, shmx_queue *queue, shmx_topic *topic)
{
    char message[8];
    assert_status(shmx_queue_join(queue, SHMX_SENDER), SHMX_ENOSPC);
    assert_status(shmx_topic_join(topic, SHMX_RECEIVER), SHMX_ENOSPC);
    assert_ok(shmx_queue_send(queue, "m", 1, 0));
    assert_ok(shmx_queue_receive(queue, message, 8, NULL, 0));
    assert_ok(shmx_topic_publish(topic, "m", 1, 0));
    assert_ok(shmx_mutex_lock(shm, shmx_data(shm), 0));
    assert_ok(shmx_mutex_unlock(shm, shmx_data(shm)));
    assert_ok(shmx_once_run(shm, (shmx_once *)(void *)((char *)shmx_data(shm) + 16), is_run, NULL));
}

void no_room_for_a_lock_file_is_enospc(void **state)
{
    (void)state;
    const char *name = test_name(), *raw_name = test_name(), *shared_name = test_name();
    const char *none = test_name();
    shmx *shm, *raw, *shared, *more;
    shmx_queue *queue;
    shmx_topic *topic;
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    assert_ok(shmx_create(&raw, raw_name, SIZE, SHMX_RAW));
    int status = shmx_create(&shared, shared_name, SIZE, SHMX_OTHERS_READ);
    assert_true(status == SHMX_OK || status == SHMX_ENOTSUP);
    setenv(SIM_FULL, "1", 1);
    assert_status(shmx_create(&more, none, SIZE, 0), SHMX_ENOSPC);
    nothing_can_be_owned(shm);
    unsetenv(SIM_FULL);
    assert_ok(shmx_queue_open(&queue, shm, 64, 1024));
    assert_ok(shmx_topic_open(&topic, shm, 2048, 2048, 0));
    setenv(SIM_FULL, "1", 1);
    no_more_is_needed(shm, queue, topic);
    assert_ok(shmx_open(&more, name, 0));
    shmx_close(&more);
    assert_ok(shmx_open(&more, raw_name, 0));
    shmx_close(&more);
    if (shared != NULL) { /* each user of it has a file of its own */
        assert_status(shmx_open(&more, shared_name, 0), SHMX_ENOSPC);
        shmx_close(&shared);
    }
    assert_status(shmx_unlink(none), SHMX_ENOENT);
    assert_ok(shmx_unlink(raw_name));
    assert_ok(shmx_unlink(name));
    shmx_topic_close(&topic);
    shmx_queue_close(&queue);
    shmx_close(&raw);
    shmx_close(&shm);
}

void one_lock_too_many_is_emfile(void **state)
{
    (void)state;
    const char *name = test_name(), *none = test_name();
    shmx *shm, *more;
    shmx_queue *queue;
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    setenv(SIM_LOCKED_OUT, "1", 1);
    assert_status(shmx_create(&more, none, SIZE, 0), SHMX_EMFILE);
    assert_status(shmx_open(&more, name, 0), SHMX_EMFILE);
    assert_status(shmx_mutex_lock(shm, shmx_data(shm), 0), SHMX_EMFILE);
    assert_status(shmx_queue_open(&queue, shm, 64, 1024), SHMX_EMFILE);
    assert_status(shmx_presence_enter(shm, 1), SHMX_EMFILE);
    unsetenv(SIM_LOCKED_OUT);
    assert_false(test_there(none));
    assert_ok(shmx_presence_enter(shm, 1));
    shmx_close(&shm);
}

int machine_has_room(void **state)
{
    (void)state;
    return unsetenv(SIM_FULL) | unsetenv(SIM_LOCKED_OUT);
}

/* ---- fork ---- */

static atomic_bool stop;

static void *make_and_close(void *context)
{
    shmx *shm;
    while (!atomic_load(&stop))
        if (shmx_create(&shm, NULL, SIZE, 0) == SHMX_OK)
            shmx_close(&shm);
    return context;
}

static void ignore(int number)
{
    (void)number;
}

static int in_child(const char *name)
{
    shmx *shm;
    alarm(20);
    if (shmx_open(&shm, name, 0) != SHMX_OK)
        return 1;
    shmx_close(&shm);
    if (shmx_create(&shm, NULL, SIZE, 0) != SHMX_OK)
        return 2;
    shmx_close(&shm);
    return 0;
}

static void *fork_often(void *context)
{
    for (intptr_t bad = 0; bad == 0 && !atomic_load(&stop);) {
        int status;
        pid_t child = fork();
        if (child == 0)
            _exit(in_child(context));
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        if (status != 0)
            return (void *)(intptr_t)status;
    }
    return NULL;
}

/* A storm of signals goes over all threads. */
static void storm(const char *name)
{
    pthread_t makers[2], forker;
    void *result;
    atomic_store(&stop, false);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&makers[i], NULL, make_and_close, NULL), 0);
    assert_int_equal(pthread_create(&forker, NULL, fork_often, (void *)(uintptr_t)name), 0);
    for (int64_t end = test_now_ms() + 700; test_now_ms() < end;) {
        for (size_t i = 0; i < 2; i++)
            pthread_kill(makers[i], SIGUSR1);
        pthread_kill(forker, SIGUSR1);
        nanosleep(&(struct timespec){0, 200000}, NULL);
    }
    atomic_store(&stop, true);
    pthread_join(forker, &result);
    assert_ptr_equal(result, NULL);
    for (size_t i = 0; i < 2; i++)
        pthread_join(makers[i], NULL);
}

void forks_from_any_thread_under_signals(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    struct sigaction quiet = {.sa_handler = ignore, .sa_flags = SA_RESTART}, before;
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    sigaction(SIGUSR1, &quiet, &before);
    storm(name);
    sigaction(SIGUSR1, &before, NULL);
    shmx_close(&shm);
}

/* ---- memory ---- */

void footprint_is_the_memory(void **state)
{
    (void)state;
    static const unsigned ways[] = {0, SHMX_PREFAULT};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        shmx *shm;
        shmx_info info;
        const char *name = test_name();
        assert_ok(shmx_create(&shm, name, (size_t)1 << 20, ways[i]));
        assert_ok(shmx_stat(name, &info));
        assert_in_range(info.footprint, (uint64_t)1 << 20, ((uint64_t)1 << 20) + 65536);
        shmx_close(&shm);
    }
}

/* ---- waiting ---- */

#define WAIT_MS 400

static int64_t processor_ms(void)
{
    struct timespec used;
    must(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) == 0);
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* A call that returns at once, time after time, keeps the limit as well as one that sleeps. */
void waiting_takes_no_processor(void **state)
{
    (void)state;
    static const unsigned ways[] = {0, SHMX_READ_ONLY};
    const char *name = test_name();
    shmx *made = test_segment(name, SIZE);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        shmx *shm;
        assert_ok(shmx_open(&shm, name, ways[i]));
        int64_t before = processor_ms();
        assert_status(shmx_wait(shm, (uint32_t *)shmx_data(shm), 0, WAIT_MS), SHMX_ETIMEDOUT);
        assert_in_range(processor_ms() - before, 0, WAIT_MS / 10);
        shmx_close(&shm);
    }
    shmx_close(&made);
}
