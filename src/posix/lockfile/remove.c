/* SPDX-License-Identifier: MIT */
/* Taking away: before a name is removed its object is looked at, and it must be the one that the
 * name file, whose lock is held, leads to. So a successor, of another program too, is never
 * removed. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lockfile.h"

int shmx_lockfile_unlink_object(const char *name, int probe)
{
    char path[SHMX_POSIX_OBJECT_MAX];
    shmx_lockfile_object_path(path, name, probe);
    return shm_unlink(path) == 0 ? SHMX_OK : shmx_posix_error(errno);
}

int shmx_lockfile_remove_segment(struct shmx_lockfile_name *file, const char *name)
{
    if (!shmx_lockfile_name_ours(file))
        return shmx_posix_error(EACCES);
    /* The name file goes last: a process that dies here leaves it, and it leads to the rest. */
    int status = shmx_lockfile_unlink_object(name, (int)file->record.probe);
    if (status != SHMX_OK && status != SHMX_ENOENT)
        return status;
    shmx_lockfile_users_remove(file->record.id, file->owner);
    return shmx_lockfile_name_remove(file);
}

int shmx_lockfile_remove_dead(struct shmx_lockfile_name *file, const char *name)
{
    int status = shmx_lockfile_remove_segment(file, name);
    if (status == SHMX_OK)
        shmx_lockfile_owners_sweep(file->record.id, UINT32_MAX);
    return status;
}

int shmx_lockfile_clean(struct shmx_lockfile_name *file, const char *name)
{
    struct shmx_lockfile_found found;
    if (!shmx_lockfile_name_ours(file))
        return shmx_posix_error(EACCES);
    int probe = (int)file->record.probe;
    bool made = file->record.state == LOCKFILE_TRYING || file->record.state == LOCKFILE_MADE;
    if (file->known && made) {
        int status = shmx_lockfile_find(&found, name, probe, SHMX_READ_ONLY);
        if (status == SHMX_OK) {
            bool half = shmx_lockfile_half_made(file, &found);
            status = half ? shmx_lockfile_unlink_object(name, probe) : SHMX_OK;
            close(found.fd);
        }
        /* SHMX_EACCES: it is another user's. */
        if (status != SHMX_OK && status != SHMX_ENOENT && status != SHMX_EPROTO &&
            status != SHMX_EACCES)
            return status;
    }
    if (file->known)
        shmx_lockfile_users_remove(file->record.id, file->owner);
    return shmx_lockfile_name_remove(file);
}

bool shmx_lockfile_leave_judged(struct shmx_lockfile_name *file, const char *name, int *user_fd)
{
    bool last = *user_fd >= 0 && shmx_lockfile_users_leave(file->record.id, false, user_fd) &&
                shmx_lockfile_remove_dead(file, name) == SHMX_OK;
    shmx_lockfile_close(user_fd);
    return last;
}
