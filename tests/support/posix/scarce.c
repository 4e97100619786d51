/* SPDX-License-Identifier: MIT */
#include "scarce.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

static bool make_private(const char *place)
{
    return mount(NULL, place, NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* The root of a chroot(2) is no mount, but its /dev/shm may be one. */
bool scarce_mount(const char *options)
{
    return unshare(CLONE_NEWNS) == 0 && (make_private("/") || make_private("/dev/shm")) &&
           mount("tmpfs", "/dev/shm", "tmpfs", 0, options) == 0;
}

static void tries_to_mount(void *context)
{
    _exit(scarce_mount(context) ? 0 : 1);
}

bool scarce_can_mount(void)
{
    return child_wait(child_fork(tries_to_mount, "size=1m")) == 0;
}

static bool write_to(const char *group, const char *file, const char *text)
{
    char path[SCARCE_GROUP_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", group, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return good;
}

/* The files of the first and of the second version. */
static const struct {
    const char *root, *limit;
} versions[] = {{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
                {"/sys/fs/cgroup", "memory.max"}};

bool scarce_group_make(char group[SCARCE_GROUP_MAX], const char *bytes)
{
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        snprintf(group, SCARCE_GROUP_MAX, "%s/shmx-%s", versions[i].root, test_name());
        if (mkdir(group, 0755) != 0)
            continue;
        if (write_to(group, versions[i].limit, bytes))
            return true;
        rmdir(group);
    }
    return false;
}

bool scarce_group_enter(const char *group)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    return write_to(group, "cgroup.procs", pid);
}

void scarce_group_remove(const char *group)
{
    test_until(rmdir(group) == 0);
}
