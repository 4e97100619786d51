/* SPDX-License-Identifier: MIT */
#include <sys/futex.h>

#include "shim.h"

static const char *const places[][2] = {
    {"/var/tmp", "/var/tmp"}, {"/var/shm", "/var/shm"}, {NULL, NULL}};
const struct sim_facts sim_facts = {"netbsd", places, false, EFTYPE};

int sim_shm_open(const char *name, int how, mode_t mode)
{
    char path[SIM_PATH_MAX];
    snprintf(path, sizeof path, "/var/shm/.shmobj_%s", name + 1);
    return sim_open(path, how | O_CLOEXEC | O_NOFOLLOW, mode);
}

int sim_shm_unlink(const char *name)
{
    char path[SIM_PATH_MAX];
    snprintf(path, sizeof path, "/var/shm/.shmobj_%s", name + 1);
    return sim_unlink(path);
}

void sim_restart(void)
{
    sim_clear("/var/shm", NULL);
}

/* __futex(word, operation, value, time, word 2, value 2, value 3) */
long sim_syscall(long number, ...)
{
    va_list more;
    va_start(more, number);
    const void *word = va_arg(more, const void *);
    int operation = va_arg(more, int);
    int value = va_arg(more, int);
    const struct timespec *time = va_arg(more, const struct timespec *);
    va_end(more);
    if (number != SYS___futex)
        return sim_fail(ENOSYS);
    struct timespec end;
    switch (operation) {
    case FUTEX_WAKE:
        return sim_futex_wake(word, value);
    case FUTEX_WAIT_BITSET:
        return sim_futex_wait(word, (uint32_t)value, time);
    case FUTEX_WAIT:
        if (time == NULL)
            return sim_futex_wait(word, (uint32_t)value, NULL);
        clock_gettime(CLOCK_MONOTONIC, &end);
        end.tv_sec += time->tv_sec + (end.tv_nsec + time->tv_nsec) / 1000000000;
        end.tv_nsec = (end.tv_nsec + time->tv_nsec) % 1000000000;
        return sim_futex_wait(word, (uint32_t)value, &end);
    default:
        return sim_fail(EINVAL);
    }
}
