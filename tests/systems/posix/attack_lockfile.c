/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lockfile/lockfile.h"
#include "support.h"

struct attack {
    const char *directory;
    bool users;
};

/* The exclusive lock of each file, or a shared one. */
static int take(const char *rest, void *context)
{
    const struct attack *attack = context;
    char path[LOCKFILE_PATH_MAX];
    snprintf(path, sizeof path, "%s/" LOCKFILE_PREFIX "%s", attack->directory, rest);
    if (rest[0] == 'u' && !attack->users)
        return SHMX_OK;
    int fd = open(path, O_RDONLY);
    must(fd >= 0 || errno == EACCES || errno == ENOENT);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0)
        flock(fd, LOCK_SH | LOCK_NB);
    return SHMX_OK;
}

void attack_locks(const char *name, bool users)
{
    (void)name;
    char directory[SHMX_SYSTEM_DIRECTORY_MAX];
    shmx_system.lock_directory(directory);
    struct attack attack = {directory, users};
    must(shmx_lockfile_list(LOCKFILE_PREFIX, take, &attack) == SHMX_OK);
}

bool attack_keeps_names(void)
{
    return true;
}

bool attack_cut(const char *name)
{
    char path[SHMX_POSIX_OBJECT_MAX];
    shmx_lockfile_object_path(path, name, 0);
    int fd = shm_open(path, O_RDWR, 0);
    must(fd >= 0);
    return ftruncate(fd, 0) == 0;
}
