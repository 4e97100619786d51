/* SPDX-License-Identifier: MIT */
/* Taking names away: under the lock on byte NAME of an object its name is looked at, and must lead
 * to it. So a successor, of another program too, is never removed. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ofd.h"

/* ---- keeping the others out ---- */

int shmx_ofd_removal_begin(struct shmx_ofd_removal *removal, int fd, bool last)
{
    *removal = (struct shmx_ofd_removal){fd, last, -1, 0};
    int error = shmx_ofd_set(fd, F_WRLCK, last ? LOCK_USER : LOCK_NAME, last ? 2 : 1);
    if (!shmx_ofd_refused(error))
        return error;
    if (last && shmx_ofd_set(fd, F_WRLCK, LOCK_USER, 1) != 0)
        return error; /* there is a user */
    error = shmx_ofd_annex_name(fd, &removal->annex, &removal->annex_id);
    if (error != 0)
        shmx_ofd_removal_end(removal, false);
    return error;
}

void shmx_ofd_removal_end(struct shmx_ofd_removal *removal, bool done)
{
    bool last = removal->last;
    if (!done)
        shmx_ofd_set(removal->fd, F_UNLCK, last ? LOCK_USER : LOCK_NAME, last ? 2 : 1);
    if (removal->annex >= 0)
        shmx_ofd_annex_close(removal->annex, removal->annex_id);
    removal->annex = -1;
}

/* ---- and the name away ---- */

int shmx_ofd_remove_name_of(int fd, const char *name)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return shmx_posix_error(errno);
    return shmx_system.remove_name(name, facts.st_dev, facts.st_ino);
}

/* fd may be read-only, which cannot take a write lock: then another descriptor of the same object
 * is used. */
int shmx_ofd_remove_dead(int fd, const char *name)
{
    int status = SHMX_OK;
    int own = fd;
    if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
        status = shmx_ofd_reopen(fd, 0, &own);
    if (status != SHMX_OK)
        return status;
    struct shmx_ofd_removal removal;
    if (shmx_ofd_removal_begin(&removal, own, true) == 0) {
        status = shmx_ofd_remove_name_of(own, name);
        shmx_ofd_removal_end(&removal, false);
    } else {
        status = SHMX_EAGAIN;
    }
    if (own != fd)
        close(own);
    return status;
}

int shmx_ofd_remove_if_dead(const char *name, bool *removed)
{
    int fd;
    enum shmx_os_kind kind;
    *removed = false;
    int status = shmx_system.open_name(name, SHMX_READ_ONLY, &fd);
    if (status != SHMX_OK)
        return status;
    status = shmx_ofd_judge(fd, name, &kind);
    if (status == SHMX_OK && kind == SHMX_OS_DEAD) {
        status = shmx_ofd_remove_dead(fd, name);
        *removed = status == SHMX_OK;
    }
    close(fd);
    return status;
}
