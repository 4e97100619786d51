/* SPDX-License-Identifier: MIT */
/* FreeBSD's rules as the simulation has them. */
#include "../common/rules.h"

#include <sys/sysctl.h>
#include <sys/umtx.h>
#include <sys/user.h>

static void flags(void **state)
{
    (void)state;
    static const int refused[] = {O_WRONLY, O_NONBLOCK, O_NOFOLLOW, O_APPEND, O_SYNC};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_refused(
            shm_open("/flags", O_CREAT | refused[i] | (refused[i] == O_WRONLY ? 0 : O_RDWR), 0600),
            EINVAL);
    int fd = shm_open("/flags", O_RDWR | O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_refused(shm_open("/flags", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    assert_int_equal(shm_unlink("/flags"), 0);
    assert_refused(shm_open("/flags", O_RDWR, 0600), ENOENT);
    assert_refused(shm_unlink("/flags"), ENOENT);
}

static void names(void **state)
{
    (void)state;
    assert_refused(shm_open("names", O_RDWR | O_CREAT, 0600), EINVAL);
    assert_refused(shm_unlink("names"), EINVAL);
    int fd = rules_object("/names/and/more", 0);
    close(fd);
    assert_int_equal(shm_unlink("/names/and/more"), 0);
}

static void mode(void **state)
{
    (void)state;
    struct stat facts;
    mode_t before = umask(027);
    int fd = shm_open("/mode", O_RDWR | O_CREAT, 07777);
    umask(before);
    assert_int_equal(fstat(fd, &facts), 0);
    assert_int_equal(facts.st_mode, S_IFREG | 0750);
    assert_int_equal(fchmod(fd, 06666), 0);
    assert_int_equal(fstat(fd, &facts), 0);
    assert_int_equal(facts.st_mode, S_IFREG | 0666);
    close(fd);
    assert_int_equal(shm_unlink("/mode"), 0);
}

static bool other_unlinks(void)
{
    return shm_unlink("/kept") == -1 && errno == EACCES && shm_unlink("/open") == 0;
}

static void unlink_needs_both_rights(void **state)
{
    (void)state;
    int kept = rules_object("/kept", 0);
    int opened = rules_object("/open", 0);
    assert_int_equal(fchmod(kept, 0644), 0);
    assert_int_equal(fchmod(opened, 0666), 0);
    assert_true(rules_as_other(other_unlinks));
    close(kept);
    close(opened);
    assert_int_equal(shm_unlink("/kept"), 0);
    shm_unlink("/open");
}

/* Sparse, and all is counted; by pages. */
static void facts(void **state)
{
    (void)state;
    struct stat one, two;
    int fd = rules_object("/one", 1000000);
    int other = rules_object("/two", 1);
    assert_int_equal(fstat(fd, &one), 0);
    assert_int_equal(fstat(other, &two), 0);
    assert_int_equal(one.st_size, 1000000);
    assert_int_equal(one.st_blocks, 245);
    assert_int_equal(two.st_blocks, 1);
    assert_true(one.st_ino != two.st_ino);
    assert_int_equal(shm_unlink("/one"), 0);
    assert_int_equal(shm_unlink("/two"), 0);
    assert_int_equal(fstat(fd, &one), 0);
    assert_true(one.st_nlink != 0);
    close(fd);
    close(other);
}

static void writing_does_not_lengthen(void **state)
{
    (void)state;
    char bytes[16] = {0};
    struct stat found;
    int fd = rules_object("/write", 100);
    assert_int_equal(pwrite(fd, bytes, 16, 92), 8);
    assert_int_equal(pwrite(fd, bytes, 16, 100), 0);
    assert_int_equal(fstat(fd, &found), 0);
    assert_int_equal(found.st_size, 100);
    close(fd);
    assert_int_equal(shm_unlink("/write"), 0);
}

/* Count entries of the list whose path is that. */
static int listed(const char *path)
{
    static _Alignas(8) char buffer[65536];
    size_t length = sizeof buffer;
    int count = 0;
    assert_int_equal(sysctlbyname("kern.ipc.posix_shm_list", buffer, &length, NULL, 0), 0);
    for (size_t at = 0; at < length;) {
        const struct kinfo_file *entry = (const void *)(buffer + at);
        count += strcmp(entry->kf_path, path) == 0;
        at += (size_t)entry->kf_structsize;
    }
    return count;
}

static void listing(void **state)
{
    (void)state;
    size_t length = 0;
    char little[8];
    close(rules_object("/listed", 5000));
    assert_int_equal(listed("/listed"), 1);
    assert_int_equal(sysctlbyname("kern.ipc.posix_shm_list", NULL, &length, NULL, 0), 0);
    assert_true(length > sizeof little && length < sizeof(struct kinfo_file));
    length = sizeof little;
    assert_refused(sysctlbyname("kern.ipc.posix_shm_list", little, &length, NULL, 0), ENOMEM);
    assert_int_equal(shm_unlink("/listed"), 0);
    assert_int_equal(listed("/listed"), 0);
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
    struct _umtx_time time = {{0, milliseconds * 1000000L}, 0, CLOCK_MONOTONIC};
    return _umtx_op(word, UMTX_OP_WAIT_UINT, expected, (void *)sizeof time, &time) == 0 ? 0 : errno;
}

static int wait_until(uint32_t *word, uint32_t expected, int milliseconds)
{
    struct _umtx_time time = {._flags = UMTX_ABSTIME, ._clockid = CLOCK_MONOTONIC};
    clock_gettime(CLOCK_MONOTONIC, &time._timeout);
    time._timeout.tv_sec += milliseconds / 1000;
    return _umtx_op(word, UMTX_OP_WAIT_UINT, expected, (void *)sizeof time, &time) == 0 ? 0 : errno;
}

/* The size of a plain timespec: the flags behind it are not read, so a point is taken for a
 * length. */
static int wait_too_long(uint32_t *word, uint32_t expected, int milliseconds)
{
    struct _umtx_time time = {{0, milliseconds * 1000000L}, UMTX_ABSTIME, CLOCK_MONOTONIC};
    return _umtx_op(word, UMTX_OP_WAIT_UINT, expected, (void *)sizeof time._timeout, &time) == 0
               ? 0
               : errno;
}

static int64_t took(int (*once)(uint32_t *, uint32_t, int), uint32_t *word, int milliseconds,
                    int expected)
{
    struct timespec before, after;
    int passed_over;
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_int_equal(rules_wait(word, 0, milliseconds, once, &passed_over), expected);
    clock_gettime(CLOCK_MONOTONIC, &after);
    return (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
}

static void time_is_what_its_size_says(void **state)
{
    (void)state;
    uint32_t word = 0;
    assert_true(took(wait_once, &word, 30, ETIMEDOUT) >= 29);
    assert_true(took(wait_too_long, &word, 30, ETIMEDOUT) >= 29);
    assert_true(took(wait_until, &word, 0, ETIMEDOUT) < 1000);
    struct _umtx_time wrong = {{0, 1000000000}, 0, CLOCK_MONOTONIC};
    assert_refused(_umtx_op(&word, UMTX_OP_WAIT_UINT, 0, (void *)sizeof wrong, &wrong), EINVAL);
}

static void wake_one(uint32_t *word)
{
    _umtx_op(word, UMTX_OP_WAKE, 1, NULL, NULL);
}

static void wake(void **state)
{
    (void)state;
    uint32_t word = 0;
    int passed_over;
    rules_wake(&word, wait_once, wake_one);
    assert_int_equal(rules_wait(&word, 7, 900, wait_once, &passed_over), 0); /* not EAGAIN */
    assert_int_equal(_umtx_op(&word, UMTX_OP_WAKE, INT_MAX, NULL, NULL), 0); /* not a count */
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

static void waits_only_where_one_may_write(void **state)
{
    (void)state;
    int fd = rules_object("/read", 4096);
    uint32_t *word = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(word, MAP_FAILED);
    assert_refused(_umtx_op(word, UMTX_OP_WAIT_UINT, 7, NULL, NULL), EFAULT);
    assert_refused(_umtx_op(word, UMTX_OP_WAKE, 1, NULL, NULL), EFAULT);
    munmap(word, 4096);
    close(fd);
    assert_int_equal(shm_unlink("/read"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULES_COMMON,
        cmocka_unit_test(flags),
        cmocka_unit_test(names),
        cmocka_unit_test(mode),
        cmocka_unit_test(unlink_needs_both_rights),
        cmocka_unit_test(facts),
        cmocka_unit_test(writing_does_not_lengthen),
        cmocka_unit_test(listing),
        cmocka_unit_test(restart),
        cmocka_unit_test(time_is_what_its_size_says),
        cmocka_unit_test(wake),
        cmocka_unit_test(signals),
        cmocka_unit_test(waits_only_where_one_may_write),
    };
    return rules_run(tests, sizeof tests / sizeof *tests);
}
