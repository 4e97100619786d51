/* SPDX-License-Identifier: MIT */
/* The users file: a shared lock on it for every user. */
#include <errno.h>
#include <sys/file.h>
#include <unistd.h>

#include "lockfile.h"

int shmx_lockfile_users_make(uint64_t id, const char *name, int *fd)
{
    char path[LOCKFILE_PATH_MAX];
    shmx_lockfile_path_users(path, id);
    return shmx_lockfile_make_locked(path, LOCK_SH, 0, name, fd);
}

/* SHMX_ENOENT: there is no user. SHMX_OK: there is one, or a sweep just looked; this is one too. */
static int join_once(int fd)
{
    int error = shmx_lockfile_set(fd, LOCK_EX);
    if (error == 0)
        return SHMX_ENOENT;
    if (error == EWOULDBLOCK)
        error = shmx_lockfile_set(fd, LOCK_SH);
    if (error == 0)
        return SHMX_OK;
    return error == EWOULDBLOCK ? SHMX_EAGAIN : shmx_posix_error(error);
}

/* A sweep has the exclusive lock for an instant, and does not come back so soon. */
#define LOOKS 3

/* As shmx_lockfile_users_join, with the file open. Between two looks the lock is given up: a system
 * may keep it when it refuses the other one. */
static int join(int fd)
{
    int status = join_once(fd);
    for (int looks = 1; looks < LOOKS && status == SHMX_OK; looks++) {
        shmx_lockfile_set(fd, LOCK_UN);
        status = join_once(fd);
    }
    return status;
}

int shmx_lockfile_users_join(uint64_t id, uid_t owner, int *fd)
{
    struct stat facts;
    char path[LOCKFILE_PATH_MAX];
    shmx_lockfile_path_users(path, id);
    int status = shmx_lockfile_open(path, fd, &facts);
    if (status == SHMX_OK && facts.st_uid != owner) {
        shmx_lockfile_close(fd);
        status = SHMX_EPROTO;
    }
    /* Taken away by somebody who had no business there: the segment's users cannot be asked, so it
     * must not be taken for dead. */
    if (status != SHMX_OK)
        return status == SHMX_ENOENT || status == SHMX_EPROTO ? SHMX_OK : status;
    status = join(*fd);
    if (status != SHMX_OK && status != SHMX_ENOENT)
        shmx_lockfile_close(fd);
    return status;
}

void shmx_lockfile_users_remove(uint64_t id, uid_t owner)
{
    struct stat facts;
    char path[LOCKFILE_PATH_MAX];
    shmx_lockfile_path_users(path, id);
    if (id != 0 && lstat(path, &facts) == 0 && facts.st_uid == owner)
        unlink(path);
}

int shmx_lockfile_users_again(uint64_t id, int own, int *fd)
{
    struct stat facts;
    char path[LOCKFILE_PATH_MAX];
    shmx_lockfile_path_users(path, id);
    int status = shmx_lockfile_open(path, fd, &facts);
    if (status == SHMX_OK && !shmx_posix_in_place(own, path)) {
        shmx_lockfile_close(fd);
        status = SHMX_ENOENT;
    }
    /* The name is gone, and with it what the file is for. */
    if (status != SHMX_OK)
        return status == SHMX_ENOENT || status == SHMX_EPROTO ? SHMX_OK : status;
    int error = shmx_lockfile_set(*fd, LOCK_SH);
    if (error == 0)
        return SHMX_OK;
    shmx_lockfile_close(fd);
    return shmx_posix_error(error);
}

bool shmx_lockfile_users_leave(uint64_t id, bool shared, int *fd)
{
    if (*fd >= 0 && !shared) {
        /* First give up, then ask for all: of two processes that leave at once, the one that asks
         * last finds that the other has given up. One call that turns one lock into the other has
         * no such order on systems that keep the old lock when they refuse the new one. */
        shmx_lockfile_set(*fd, LOCK_UN);
        return shmx_lockfile_set(*fd, LOCK_EX) == 0;
    }
    struct stat facts;
    char path[LOCKFILE_PATH_MAX];
    shmx_lockfile_path_users(path, id);
    shmx_lockfile_close(fd);
    return shmx_lockfile_open(path, fd, &facts) == SHMX_OK && shmx_lockfile_set(*fd, LOCK_EX) == 0;
}
