/* SPDX-License-Identifier: MIT */
#include "shim.h"

static const char *const places[][2] = {{"/var/tmp", "/var/tmp"}, {NULL, NULL}};
const struct sim_facts sim_facts = {"macos", places, true, ELOOP};

static void object_path(const char *name, char path[SIM_PATH_MAX])
{
    int start = snprintf(path, SIM_PATH_MAX, "%s/objects/", sim_root());
    snprintf(path + start, SIM_PATH_MAX - (size_t)start, "%s", name);
    for (char *at = path + start; *at != '\0'; at++)
        if (*at == '/')
            *at = '%';
}

int sim_shm_open(const char *name, int how, mode_t mode)
{
    char path[SIM_PATH_MAX];
    object_path(name, path);
    return (open)(path, how | O_CLOEXEC, mode | SIM_MARK);
}

int sim_shm_unlink(const char *name)
{
    char path[SIM_PATH_MAX];
    object_path(name, path);
    return (unlink)(path);
}

void sim_restart(void)
{
    sim_clear("/objects", NULL);
}

static int wait_with_timeout(void *word, uint64_t value, size_t size, uint32_t flags,
                             uint32_t clock, uint64_t nanoseconds)
{
    struct timespec end;
    (void)size, (void)flags, (void)clock;
    clock_gettime(CLOCK_MONOTONIC, &end);
    uint64_t all = (uint64_t)end.tv_nsec + nanoseconds;
    end.tv_sec += (time_t)(all / 1000000000);
    end.tv_nsec = (long)(all % 1000000000);
    int result = sim_futex_wait(word, (uint32_t)value, &end);
    return result == 0 || errno == EAGAIN ? 0 : -1;
}

static int wake_any(void *word, size_t size, uint32_t flags)
{
    (void)size, (void)flags;
    int woken = sim_futex_wake(word, 1);
    return woken > 0 ? 0 : sim_fail(woken == 0 ? ENOENT : errno);
}

static int wake_all(void *word, size_t size, uint32_t flags)
{
    (void)size, (void)flags;
    int woken = sim_futex_wake(word, INT32_MAX);
    return woken > 0 ? 0 : sim_fail(woken == 0 ? ENOENT : errno);
}

void *sim_dlsym(void *handle, const char *name)
{
    static const struct {
        const char *name;
        void (*function)(void);
    } known[] = {{"os_sync_wait_on_address_with_timeout", (void (*)(void))wait_with_timeout},
                 {"os_sync_wake_by_address_any", (void (*)(void))wake_any},
                 {"os_sync_wake_by_address_all", (void (*)(void))wake_all}};
    void *found;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0) {
            memcpy(&found, &known[i].function, sizeof found);
            return found;
        }
    return (dlsym)(handle, name);
}
