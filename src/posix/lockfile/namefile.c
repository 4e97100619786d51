/* SPDX-License-Identifier: MIT */
/* The name file: the lock under which all that concerns a name happens. */
#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lockfile.h"

#define MAGIC "shmx\r\nN\n"

static int record_write(const struct shmx_lockfile_name *file)
{
    ssize_t written;
    do
        written = pwrite(file->fd, &file->record, sizeof file->record, 0);
    while (written < 0 && errno == EINTR);
    if (written == (ssize_t)sizeof file->record)
        return SHMX_OK;
    return shmx_posix_error(written < 0 ? errno : ENOSPC);
}

/* A maker that died before it wrote leaves an empty file: no record. */
static void record_read(struct shmx_lockfile_name *file)
{
    struct shmx_lockfile_record *record = &file->record;
    ssize_t got = pread(file->fd, record, sizeof *record, 0);
    file->known = got == (ssize_t)sizeof *record &&
                  memcmp(record->magic, MAGIC, sizeof record->magic) == 0 &&
                  record->state >= LOCKFILE_TRYING && record->state <= LOCKFILE_LOOKING &&
                  record->probe < SHMX_NAME_PROBES;
}

/* Lock an open file. SHMX_EAGAIN: another holds it, or has taken it away. */
static int hold(const struct shmx_lockfile_name *file)
{
    int error = shmx_lockfile_set(file->fd, LOCK_EX);
    if (error != 0 && error != EWOULDBLOCK)
        return shmx_posix_error(error);
    return error == 0 && shmx_lockfile_in_place(file->fd, file->path) ? SHMX_OK : SHMX_EAGAIN;
}

int shmx_lockfile_name_make(struct shmx_lockfile_name *file, const char *name, unsigned flags,
                            enum shmx_lockfile_state state, uint64_t id)
{
    shmx_lockfile_path_name(file->path, name);
    int status = shmx_lockfile_make(file->path, flags, "", &file->fd);
    if (status != SHMX_OK)
        return status;
    /* Between the two calls another may have locked it. To him it is a leftover, and he takes it
     * away. */
    status = hold(file);
    if (status != SHMX_OK) {
        close(file->fd);
        return status;
    }
    file->owner = geteuid();
    file->known = true;
    memset(&file->record, 0, sizeof file->record);
    memcpy(file->record.magic, MAGIC, sizeof file->record.magic);
    file->record.id = id;
    file->record.state = (uint32_t)state;
    status = record_write(file);
    if (status != SHMX_OK) {
        shmx_lockfile_name_remove(file);
        shmx_lockfile_name_unlock(file);
    }
    return status;
}

int shmx_lockfile_name_lock(struct shmx_lockfile_name *file, const char *name)
{
    struct stat facts;
    shmx_lockfile_path_name(file->path, name);
    int status = shmx_lockfile_open(file->path, &file->fd, &facts);
    if (status != SHMX_OK)
        return status;
    file->owner = facts.st_uid;
    status = hold(file);
    if (status == SHMX_OK)
        record_read(file);
    else
        close(file->fd);
    return status;
}

bool shmx_lockfile_name_there(const char *name)
{
    struct stat facts;
    char path[LOCKFILE_PATH_MAX];
    shmx_lockfile_path_name(path, name);
    return lstat(path, &facts) == 0;
}

bool shmx_lockfile_name_tells(const struct shmx_lockfile_name *file)
{
    return file->known && file->record.state != LOCKFILE_LOOKING;
}

int shmx_lockfile_name_mark(struct shmx_lockfile_name *file, enum shmx_lockfile_state state,
                            int probe)
{
    file->record.state = (uint32_t)state;
    file->record.probe = (uint32_t)probe;
    return record_write(file);
}

bool shmx_lockfile_name_ours(const struct shmx_lockfile_name *file)
{
    uid_t user = geteuid();
    return user == 0 || user == file->owner;
}

int shmx_lockfile_name_remove(struct shmx_lockfile_name *file)
{
    return unlink(file->path) == 0 ? SHMX_OK : shmx_posix_error(errno);
}

void shmx_lockfile_name_unlock(struct shmx_lockfile_name *file)
{
    close(file->fd);
    file->fd = -1;
}
