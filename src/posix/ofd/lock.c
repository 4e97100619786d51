/* SPDX-License-Identifier: MIT */
#include "ofd.h"

#include <errno.h>
#include <fcntl.h>

/* A kernel without such locks does not know the command: gVisor, Linux before 3.15. */
static int number_of(int number)
{
    return number == EINVAL ? ENOSYS : number;
}

bool shmx_ofd_refused(int error)
{
    return error == EAGAIN || error == EACCES;
}

int shmx_ofd_set(int fd, short type, off_t start, off_t count)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = count};
    while (fcntl(fd, F_OFD_SETLK, &lock) != 0)
        if (errno != EINTR)
            return number_of(errno);
    return 0;
}

/* Counted from the tag's place the bytes begin with the file's first. From any other place the
 * first would lie before it (EINVAL), or the last behind what the kernel can count to (EOVERFLOW).
 */
int shmx_ofd_set_all(const struct shmx_attachment *attachment, short type)
{
    struct flock lock = {.l_type = type,
                         .l_whence = SEEK_CUR,
                         .l_start = -shmx_posix_tag_of(attachment),
                         .l_len = (off_t)INT64_MAX};
    while (fcntl(attachment->os.fd, F_OFD_SETLK, &lock) != 0)
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
        if (errno != EINTR) {
            errno = number_of(errno);
            return -1;
        }
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
