/* SPDX-License-Identifier: MIT */
#include <sys/futex.h>

#include "shim.h"

static const char *const places[][2] = {{"/var/tmp", "/tmp"}, {NULL, NULL}};
const struct sim_facts sim_facts = {"openbsd", places, false, ELOOP};

static void object_path(const char *name, char path[SIM_PATH_MAX])
{
    int start = snprintf(path, SIM_PATH_MAX, "%s/tmp/", sim_root());
    snprintf(path + start, SIM_PATH_MAX - (size_t)start, "%s.shm", name);
    for (char *at = path + start; *at != '\0'; at++)
        if (*at == '/')
            *at = '%';
}

int sim_shm_open(const char *name, int how, mode_t mode)
{
    char path[SIM_PATH_MAX];
    object_path(name, path);
    return (open)(path, how | O_CLOEXEC | O_NOFOLLOW, (mode & 0600) | SIM_MARK);
}

int sim_shm_unlink(const char *name)
{
    char path[SIM_PATH_MAX];
    object_path(name, path);
    return (unlink)(path);
}

void sim_restart(void)
{
    sim_clear("/tmp", NULL);
}

int futex(volatile uint32_t *word, int operation, int value, const struct timespec *length,
          volatile uint32_t *other)
{
    struct timespec end;
    (void)other;
    if (operation == FUTEX_WAKE)
        return sim_futex_wake((const void *)word, value);
    if (operation != FUTEX_WAIT)
        return sim_fail(EINVAL);
    if (length != NULL) {
        clock_gettime(CLOCK_MONOTONIC, &end);
        end.tv_sec += length->tv_sec + (end.tv_nsec + length->tv_nsec) / 1000000000;
        end.tv_nsec = (end.tv_nsec + length->tv_nsec) % 1000000000;
    }
    return sim_futex_wait((const void *)word, (uint32_t)value, length != NULL ? &end : NULL);
}
