/* SPDX-License-Identifier: MIT */
#include "ofd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int shmx_ofd_set(int fd, short type, off_t start, off_t count)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = count};
    while (fcntl(fd, F_OFD_SETLK, &lock) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

/* No two descriptions of a process have the same number at the same time. The clock is for
 * processes that have the same number in two namespaces. */
int shmx_ofd_use(int fd)
{
    uint64_t before = (uint64_t)shmx_os_pid() << 38 | ((uint64_t)fd & 0x3ffff) << 20 |
                      ((uint64_t)shmx_os_now() & 0xfffff);
    return shmx_ofd_set(fd, F_RDLCK, LOCK_USER - (off_t)before, (off_t)before + 1);
}

int shmx_ofd_held(int fd, off_t byte)
{
    return shmx_ofd_against(fd, F_WRLCK, byte, 1);
}

static int conflicting(int fd, struct flock *lock)
{
    while (fcntl(fd, F_OFD_GETLK, lock) != 0)
        if (errno != EINTR)
            return -1;
    return lock->l_type;
}

int shmx_ofd_against(int fd, short type, off_t start, off_t count)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = count};
    return conflicting(fd, &lock);
}

/* The kernel says some lock that is in the way: then it may have one before that. */
int shmx_ofd_first(int fd, off_t start, off_t count, off_t *first)
{
    int type = F_UNLCK;
    *first = start + count;
    while (*first > start) {
        struct flock lock = {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = *first - start};
        int seen = conflicting(fd, &lock);
        if (seen < 0 || seen == F_UNLCK)
            return seen < 0 ? seen : type;
        type = seen;
        *first = lock.l_start > start ? lock.l_start : start;
    }
    return type;
}

int shmx_ofd_reopen(int fd, unsigned flags, int *out)
{
    char self[32];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    int access = (flags & SHMX_READ_ONLY) != 0 ? O_RDONLY : O_RDWR;
    *out = shmx_posix_open(self, access, 0);
    if (*out >= 0)
        return SHMX_OK;
    return errno == ENOENT ? shmx_posix_error(ENOSYS) : shmx_posix_error(errno);
}
