/* SPDX-License-Identifier: MIT */
/* NetBSD's rules as the simulation has them. */
#include "../common/rules.h"

#include <sys/futex.h>

static void names(void **state)
{
    (void)state;
    assert_refused(shm_open("names", O_RDWR | O_CREAT, 0600), EINVAL);
    assert_refused(shm_open("/na/mes", O_RDWR | O_CREAT, 0600), EINVAL);
    assert_refused(shm_unlink("/na/mes"), EINVAL);
    close(rules_object("/names", 1));
    assert_int_equal(access("/var/shm/.shmobj_names", F_OK), 0);
    assert_int_equal(shm_unlink("/names"), 0);
    assert_refused(access("/var/shm/.shmobj_names", F_OK), ENOENT);
}

static void flags(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("/var/shm/.shmobj_flags", 0600), 0);
    int fd = shm_open("/flags", O_RDONLY | O_NONBLOCK, 0); /* taken, and no pipe is looked for */
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(shm_unlink("/flags"), 0);
}

static void links(void **state)
{
    (void)state;
    assert_int_equal(symlink("/etc/passwd", "/var/shm/.shmobj_link"), 0);
    assert_refused(shm_open("/link", O_RDONLY, 0), EFTYPE);
    assert_int_equal(shm_unlink("/link"), 0);
}

static void directory(void **state)
{
    (void)state;
    assert_int_equal(chmod("/var/shm", 0755), 0);
    assert_refused(shm_open("/directory", O_RDWR | O_CREAT, 0600), ENOTSUP);
    assert_refused(shm_unlink("/directory"), ENOTSUP);
    assert_int_equal(chmod("/var/shm", 01777), 0);
}

static void facts(void **state)
{
    (void)state;
    struct stat found;
    int fd = rules_object("/facts", 1000000);
    assert_int_equal(fstat(fd, &found), 0);
    assert_int_equal(found.st_blocks, 245 * 8); /* though nothing is there yet */
    close(fd);
    assert_int_equal(shm_unlink("/facts"), 0);
}

static void restart(void **state)
{
    (void)state;
    close(rules_object("/gone", 1));
    close(open("/var/tmp/stays", O_RDWR | O_CREAT, 0600));
    sim_restart();
    assert_refused(shm_open("/gone", O_RDWR, 0), ENOENT);
    assert_int_equal(access("/var/tmp/stays", F_OK), 0);
    assert_int_equal(unlink("/var/tmp/stays"), 0);
}

/* ---- waiting ---- */

static int wait_once(uint32_t *word, uint32_t expected, int milliseconds)
{
    struct timespec length = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    long result = syscall(SYS___futex, word, FUTEX_WAIT, (int)expected, &length, NULL, 0, 0);
    return result == 0 ? 0 : errno;
}

static int wait_until(uint32_t *word, uint32_t expected, int milliseconds)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += milliseconds / 1000;
    long result = syscall(SYS___futex, word, FUTEX_WAIT_BITSET, (int)expected, &end, NULL, 0,
                          (int)FUTEX_BITSET_MATCH_ANY);
    return result == 0 ? 0 : errno;
}

static void time_given(void **state)
{
    (void)state;
    uint32_t word = 0;
    int passed_over;
    struct timespec wrong = {0, 1000000000};
    assert_int_equal(rules_wait(&word, 0, 20, wait_once, &passed_over), ETIMEDOUT);
    assert_int_equal(rules_wait(&word, 0, 0, wait_until, &passed_over), ETIMEDOUT);
    assert_int_equal(rules_wait(&word, 7, 20, wait_once, &passed_over), EAGAIN);
    assert_refused(syscall(SYS___futex, &word, FUTEX_WAIT, 0, &wrong, NULL, 0, 0), EINVAL);
    assert_refused(syscall(SYS___futex, &word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0, 0), EINVAL);
    assert_refused(syscall(SYS___futex, &word, FUTEX_WAKE, -1, NULL, NULL, 0, 0), EINVAL);
    assert_refused(syscall(SYS___futex, &word, 77, 0, NULL, NULL, 0, 0), ENOSYS);
    assert_refused(syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0, 0), ENOSYS);
}

static void wake_one(uint32_t *word)
{
    syscall(SYS___futex, word, FUTEX_WAKE, 1, NULL, NULL, 0, 0);
}

static void wake(void **state)
{
    (void)state;
    uint32_t word = 0;
    rules_wake(&word, wait_once, wake_one);
    assert_int_equal(syscall(SYS___futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0, 0), 0);
}

static void signals(void **state)
{
    (void)state;
    uint32_t word = 0;
    int all = 0, passed_over;
    for (int i = 0; i < 200; i++, all += passed_over)
        rules_wait(&word, 7, 1, wait_once, &passed_over);
    assert_true(all > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULES_COMMON,
        cmocka_unit_test(names),
        cmocka_unit_test(flags),
        cmocka_unit_test(links),
        cmocka_unit_test(directory),
        cmocka_unit_test(facts),
        cmocka_unit_test(restart),
        cmocka_unit_test(time_given),
        cmocka_unit_test(wake),
        cmocka_unit_test(signals),
    };
    return rules_run(tests, sizeof tests / sizeof *tests);
}
