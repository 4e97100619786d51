/* SPDX-License-Identifier: MIT */
/*
 * NetBSD 10. Objects are files of a tmpfs. Each rule stands with the file and function of NetBSD's
 * sources that it is from; NAMES in brackets are rules_test.c's.
 */
#include "shim.h"

#include <sys/futex.h>

#define DIRECTORY "/var/shm"

static const char *const places[][2] = {{"/var/tmp", "/var/tmp"},
                                        {DIRECTORY, DIRECTORY},
                                        {"/dev/shm", "/none"}, /* there is none */
                                        {"/proc", "/none"},    /* not everybody mounts it */
                                        {NULL, NULL}};

const struct sim_facts sim_facts = {
    .name = "netbsd",
    .places = places,
    .link_error = EFTYPE, /* sys/kern/vfs_vnops.c, vn_open [links] */
};

/* A tmpfs does not outlive the machine; /var/tmp does (etc/rc.d/cleartmp is for /tmp) [restart]. */
void sim_restart(void)
{
    sim_clear(DIRECTORY, NULL);
}

/* ---- objects: lib/librt/shm.c ---- */

/* _shm_check_fs: the directory is there, and open to all; else nothing goes [directory]. */
static bool directory_good(void)
{
    struct stat facts;
    return sim_stat(DIRECTORY, &facts) == 0 && S_ISDIR(facts.st_mode) &&
           (facts.st_mode & 01777) == 01777;
}

/* _shm_get_path: one slash, at the start [names]. */
static int object_path(const char *name, char path[SIM_PATH_MAX])
{
    if (!directory_good())
        return sim_fail(ENOTSUP);
    if (name[0] != '/' || strchr(name + 1, '/') != NULL)
        return sim_fail(EINVAL);
    snprintf(path, SIM_PATH_MAX, DIRECTORY "/.shmobj_%s", name + 1);
    return 0;
}

/* Any flags: it is open(2) [flags]. */
int sim_shm_open(const char *name, int how, mode_t mode)
{
    char path[SIM_PATH_MAX];
    return object_path(name, path) == 0 ? sim_open(path, how | O_CLOEXEC | O_NOFOLLOW, mode) : -1;
}

int sim_shm_unlink(const char *name)
{
    char path[SIM_PATH_MAX];
    return object_path(name, path) == 0 ? sim_unlink(path) : -1;
}

/* sys/fs/tmpfs/tmpfs_vnops.c, tmpfs_getattr: st_blocks is what the length needs, whether its pages
 * are there or not [facts]. */
int sim_fstat(int fd, struct stat *facts)
{
    int result = (fstat)(fd, facts);
    if (result == 0 && S_ISREG(facts->st_mode))
        facts->st_blocks = (facts->st_size + 4095) / 4096 * 8;
    return result;
}

static unsigned interrupted;

/* ---- waiting: sys/kern/sys_futex.c ---- */

/* futex_func_wait: FUTEX_WAIT's time is a length, FUTEX_WAIT_BITSET's a point, both on
 * CLOCK_MONOTONIC [time]. A signal is EINTR, whether its handler restarts calls or not. */
static long wait_for(const void *word, uint32_t value, const struct timespec *time, bool point)
{
    struct timespec end;
    if (time != NULL && !sim_time_good(time))
        return sim_fail(EINVAL);
    if (sim_sometimes(&interrupted, 61))
        return sim_fail(EINTR);
    if (time != NULL)
        end = point ? *time : sim_time_after(time);
    return sim_futex_wait(word, value, time != NULL ? &end : NULL);
}

/* __futex(word, operation, value, time, word 2, value 2, value 3). Other calls have other numbers
 * than on Linux. */
long sim_syscall(long number, ...)
{
    va_list more;
    va_start(more, number);
    const void *word = va_arg(more, const void *);
    int operation = va_arg(more, int);
    int value = va_arg(more, int);
    const struct timespec *time = va_arg(more, const struct timespec *);
    (void)va_arg(more, const void *);
    (void)va_arg(more, int);
    int value3 = va_arg(more, int);
    va_end(more);
    if (number != SYS___futex)
        return sim_fail(ENOSYS);
    switch (operation) {
    case FUTEX_WAIT:
        return wait_for(word, (uint32_t)value, time, false);
    case FUTEX_WAIT_BITSET:
        /* No bit would ever be woken. */
        return value3 == 0 ? sim_fail(EINVAL) : wait_for(word, (uint32_t)value, time, true);
    case FUTEX_WAKE:
        return value < 0 ? sim_fail(EINVAL) : sim_futex_wake(word, value);
    default:
        return sim_fail(ENOSYS);
    }
}
