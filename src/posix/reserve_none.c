/* SPDX-License-Identifier: MIT */
/* Reserving memory where the system can neither reserve it nor write to an object (macOS). Shared
 * memory there is memory like any other, backed by swap files that grow; there is no file system
 * for it that could be full, and shmx_posix_room_check refuses what the machine cannot hold. */
#include <errno.h>
#include <sys/stat.h>

#include "posix.h"
#include "reserve.h"

int shmx_posix_reserve(int fd, size_t length)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return shmx_posix_error(errno);
    /* An object's length can be set only once. */
    if (facts.st_size != 0)
        return SHMX_OK;
    return shmx_posix_resize(fd, length);
}
