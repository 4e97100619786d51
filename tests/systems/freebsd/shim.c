/* SPDX-License-Identifier: MIT */
#include <sys/sysctl.h>
#include <sys/umtx.h>
#include <sys/user.h>

#include "shim.h"

static const char *const places[][2] = {{"/var/tmp", "/var/tmp"}, {NULL, NULL}};
const struct sim_facts sim_facts = {"freebsd", places, false, EMLINK};

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

int _umtx_op(void *object, int operation, unsigned long value, void *address, void *address2)
{
    const struct _umtx_time *limit = address2;
    if (operation == UMTX_OP_WAKE)
        return sim_futex_wake(object, value > INT_MAX ? INT_MAX : (int)value) >= 0 ? 0 : -1;
    if (operation != UMTX_OP_WAIT_UINT)
        return sim_fail(EINVAL);
    (void)address;
    int result = sim_futex_wait(object, (uint32_t)value, limit != NULL ? &limit->_timeout : NULL);
    return result == 0 || errno == EAGAIN ? 0 : -1;
}

int sysctlbyname(const char *name, void *old, size_t *old_length, const void *now,
                 size_t now_length)
{
    (void)name, (void)old, (void)old_length, (void)now, (void)now_length;
    return sim_fail(ENOENT);
}
