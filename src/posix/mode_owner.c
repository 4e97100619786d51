/* SPDX-License-Identifier: MIT */
/* Access to new objects where the system lets the owner attach only (OpenBSD). */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lockfile/lockfile.h"
#include "posix.h"

int shmx_lockfile_object_make(const char *path, unsigned flags, int *fd)
{
    mode_t mode = shmx_posix_mode(flags);
    if ((mode & (S_IRWXG | S_IRWXO)) != 0)
        return shmx_posix_error(EOPNOTSUPP);
    *fd = shmx_posix_clear_of_streams(shm_open(path, O_RDWR | O_CREAT | O_EXCL, mode));
    if (*fd < 0)
        return shmx_posix_error(errno);
    if (fchmod(*fd, mode) == 0)
        return SHMX_OK;
    int status = shmx_posix_error(errno);
    shm_unlink(path);
    close(*fd);
    return status;
}
