/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "posix.h"

int shmx_posix_unexpected(int number)
{
    shmx_os_set_error(number);
    return SHMX_EIO;
}

int shmx_posix_error(int number)
{
    shmx_os_set_error(number);
    /* ENOTSUP is the same number as EOPNOTSUPP on some systems, and so no case of its own. */
    switch (number == ENOTSUP ? EOPNOTSUPP : number) {
    case EACCES:
    case EPERM:
    case EROFS:
        return SHMX_EACCES;
    case ENOENT:
        return SHMX_ENOENT;
    case EEXIST:
        return SHMX_EEXIST;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EOVERFLOW:
        return SHMX_ENOSPC;
    case ENOMEM:
    case EAGAIN:
        return SHMX_ENOMEM;
    case EMFILE:
    case ENFILE:
    case ENOLCK: /* the system's locks have an end, or OpenBSD's of one user */
        return SHMX_EMFILE;
    case ELOOP:
    case EMLINK: /* FreeBSD's word for a link under O_NOFOLLOW */
#ifdef EFTYPE
    case EFTYPE: /* NetBSD's */
#endif
    case EISDIR:
    case ENOTDIR:
    case ENXIO:
        return SHMX_EPROTO; /* something under that name, but no segment */
    case ENOSYS:
    case EOPNOTSUPP:
        return SHMX_ENOTSUP;
    default:
        return SHMX_EIO;
    }
}
