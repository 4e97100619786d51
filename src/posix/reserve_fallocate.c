/* SPDX-License-Identifier: MIT */
/* Reserving memory where the system has fallocate. */
#include <errno.h>
#include <fcntl.h>

#include "posix.h"
#include "reserve.h"

/* A signal makes fallocate undo its work. In pieces of this size it comes to an end under any
 * storm of signals. */
#define PIECE ((off_t)16 << 20)

int shmx_posix_reserve(int fd, size_t length)
{
    int status = SHMX_OK;
    off_t end = (off_t)length;
    for (off_t at = 0; status == SHMX_OK && at < end;) {
        off_t piece = end - at < PIECE ? end - at : PIECE;
        if (fallocate(fd, 0, at, piece) == 0)
            at += piece;
        else if (errno == EOPNOTSUPP || errno == ENOSYS)
            return shmx_posix_reserve_by_writing(fd, length);
        else if (errno != EINTR)
            status = shmx_posix_error(errno);
    }
    return status;
}
