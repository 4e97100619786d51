/* SPDX-License-Identifier: MIT */
#include "rules.h"

#include <grp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define NOBODY 65534
#define WAIT_MS 900 /* less than a second, as some tests put it in nanoseconds */
#define WAITS_MOST 60

int rules_run(const struct CMUnitTest *tests, size_t count)
{
    char machine[] = "/dev/shm/.sim-rules-XXXXXX";
    if (mkdtemp(machine) == NULL || (chmod)(machine, 01777) != 0 ||
        setenv("SHMX_SIM_ROOT", machine, 1) != 0)
        return 99;
    int failed = _cmocka_run_group_tests(sim_facts.name, tests, count, NULL, NULL);
    static const char *const parts[] = {"/objects", "/tmp", "/var/tmp", "/var/shm", "/var", ""};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char path[SIM_PATH_MAX];
        sim_clear(parts[i], NULL);
        snprintf(path, sizeof path, "%s%s", machine, parts[i]);
        (rmdir)(path);
    }
    return failed;
}

int rules_object(const char *name, off_t length)
{
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    if (length != 0)
        assert_int_equal(ftruncate(fd, length), 0);
    return fd;
}

bool rules_as_other(bool (*run)(void))
{
    int status;
    if (geteuid() != 0)
        return true;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0 && run() ? 0
                                                                                             : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int rules_wait(uint32_t *word, uint32_t expected, int milliseconds,
               int (*once)(uint32_t *word, uint32_t expected, int milliseconds), int *passed_over)
{
    int error;
    *passed_over = 0;
    while ((error = once(word, expected, milliseconds)) == EINTR || error == EFAULT ||
           error == ECANCELED) {
        (void)*(volatile uint32_t *)word;
        ++*passed_over;
    }
    return error;
}

struct waker {
    void (*wake)(uint32_t *word);
    uint32_t *word;
    atomic_bool over;
};

/* The word does not change, so a wake before the sleep is lost: again and again. */
static void *wake_until_over(void *argument)
{
    struct waker *waker = argument;
    while (!atomic_load(&waker->over)) {
        waker->wake(waker->word);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    return NULL;
}

void rules_wake(uint32_t *word, int (*once)(uint32_t *word, uint32_t expected, int milliseconds),
                void (*wake)(uint32_t *word))
{
    pthread_t thread;
    struct waker waker = {.wake = wake, .word = word};
    int passed_over, error = ETIMEDOUT;
    assert_int_equal(pthread_create(&thread, NULL, wake_until_over, &waker), 0);
    for (int i = 0; error == ETIMEDOUT && i < WAITS_MOST; i++)
        error = rules_wait(word, *word, WAIT_MS, once, &passed_over);
    assert_int_equal(error, 0);
    atomic_store(&waker.over, true);
    pthread_join(thread, NULL);
}

void rules_links(void **state)
{
    (void)state;
    assert_int_equal(symlink("/etc/passwd", "/var/tmp/link"), 0);
    assert_refused(open("/var/tmp/link", O_RDONLY | O_NOFOLLOW), sim_facts.link_error);
    int fd = open("/var/tmp/link", O_RDONLY);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(unlink("/var/tmp/link"), 0);
}

void rules_locks(void **state)
{
    (void)state;
    struct flock lock = {.l_type = F_WRLCK};
    int fd = rules_object("/locked", 4096);
    if (sim_facts.flock_error != 0)
        assert_refused(flock(fd, LOCK_EX | LOCK_NB), sim_facts.flock_error);
    else
        assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    if (sim_facts.fcntl_error != 0)
        assert_refused(fcntl(fd, F_SETLK, &lock), sim_facts.fcntl_error);
    else
        assert_int_equal(fcntl(fd, F_SETLK, &lock), 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    assert_int_equal(shm_unlink("/locked"), 0);
    fd = open("/var/tmp/locked", O_RDWR | O_CREAT, 0600);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(fcntl(fd, F_SETLK, &lock), 0);
    close(fd);
    assert_int_equal(unlink("/var/tmp/locked"), 0);
}

void rules_room(void **state)
{
    (void)state;
    struct statvfs room;
    int fd = rules_object("/room", 4096);
    if (sim_facts.statvfs_error != 0)
        assert_refused(fstatvfs(fd, &room), sim_facts.statvfs_error);
    else
        assert_int_equal(fstatvfs(fd, &room), 0);
    close(fd);
    assert_int_equal(shm_unlink("/room"), 0);
}

/* Things that Linux has and the system has not. */
void rules_hidden(void **state)
{
    (void)state;
    char target[16];
    assert_refused(open("/proc/self/maps", O_RDONLY), ENOENT);
    assert_refused(open("/proc/meminfo", O_RDONLY), ENOENT);
    assert_refused(readlink("/proc/self/fd/0", target, sizeof target), ENOENT);
}
