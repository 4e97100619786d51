/* SPDX-License-Identifier: MIT */
/* The name file: the lock under which all that concerns a name happens. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lockfile.h"

#define MAGIC "shmx\r\nN\n"

static int record_write(const struct shmx_lockfile_name *file)
{
    return shmx_lockfile_write(file->fd, &file->record, sizeof file->record);
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
    return error == 0 && shmx_posix_in_place(file->fd, file->path) ? SHMX_OK : SHMX_EAGAIN;
}

/* ---- files of several users ---- */

/* A file with the plain path may be another user's, who cannot be asked to remove it: left by a
 * restart, which takes the objects, or made to annoy. It counts if it belongs to the owner of the
 * object. If not, the object's owner has a file whose path says the user; and of two who make the
 * object at once, each by a file of its own, the system lets one. */
static void path_of_user(char path[LOCKFILE_PATH_MAX], const char *name, uid_t user)
{
    shmx_lockfile_path_name(path, name);
    size_t length = strlen(path);
    snprintf(path + length, LOCKFILE_PATH_MAX - length, "@%lu", (unsigned long)user);
}

static bool is_anothers(const char *path, uid_t *owner)
{
    struct stat facts;
    if (lstat(path, &facts) != 0)
        return false;
    *owner = facts.st_uid;
    return facts.st_uid != geteuid();
}

/* The owner of what has the name. SHMX_ENOENT: nothing has. */
static int object_owner(const char *name, uid_t *owner)
{
    struct shmx_lockfile_found found;
    int status = shmx_lockfile_find_unlisted(&found, name, SHMX_READ_ONLY);
    if (status != SHMX_OK)
        return status;
    *owner = found.owner;
    close(found.fd);
    return SHMX_OK;
}

static int make_file(struct shmx_lockfile_name *file, const char *name)
{
    uid_t owner;
    shmx_lockfile_path_name(file->path, name);
    int status = shmx_lockfile_make(file->path, "", &file->fd);
    if (status != SHMX_EEXIST || !is_anothers(file->path, &owner) ||
        object_owner(name, &owner) != SHMX_ENOENT)
        return status;
    path_of_user(file->path, name, geteuid());
    return shmx_lockfile_make(file->path, "", &file->fd);
}

int shmx_lockfile_name_make(struct shmx_lockfile_name *file, const char *name,
                            enum shmx_lockfile_state state, uint64_t id)
{
    int status = make_file(file, name);
    if (status != SHMX_OK)
        return status;
    /* Between the two calls another may have locked it. That process takes it for a leftover, and
     * removes it. */
    status = hold(file);
    if (status != SHMX_OK) {
        if (status != SHMX_EAGAIN && shmx_posix_in_place(file->fd, file->path))
            unlink(file->path); /* it cannot be locked */
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

static int lock_path(struct shmx_lockfile_name *file)
{
    struct stat facts;
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

static int lock_of_user(struct shmx_lockfile_name *file, const char *name, uid_t user)
{
    path_of_user(file->path, name, user);
    return lock_path(file);
}

int shmx_lockfile_name_lock(struct shmx_lockfile_name *file, const char *name)
{
    uid_t owner, of_file;
    shmx_lockfile_path_name(file->path, name);
    int status = lock_path(file);
    if (status == SHMX_ENOENT)
        return lock_of_user(file, name, geteuid());
    if (!is_anothers(file->path, &of_file))
        return status;
    int found = object_owner(name, &owner);
    if (found == SHMX_OK ? owner == of_file : found != SHMX_ENOENT)
        return status;
    struct shmx_lockfile_name theirs = *file;
    int locked = lock_of_user(file, name, found == SHMX_OK ? owner : geteuid());
    if (locked != SHMX_ENOENT || found == SHMX_OK) {
        if (status == SHMX_OK)
            shmx_lockfile_name_unlock(&theirs);
        return locked;
    }
    *file = theirs;
    return status;
}

bool shmx_lockfile_name_there(const char *name)
{
    struct stat facts;
    char path[LOCKFILE_PATH_MAX];
    shmx_lockfile_path_name(path, name);
    return lstat(path, &facts) == 0;
}

/* ---- those who cannot lock it ---- */

/* A process that may write to the file is at work: only the owner may. */
#define MODE_AT_WORK 0600
#define MODE_ADMITS 0400

int shmx_lockfile_name_admit(const struct shmx_lockfile_name *file, bool admit)
{
    return shmx_posix_mode_set(file->fd, admit ? MODE_ADMITS : MODE_AT_WORK);
}

bool shmx_lockfile_name_admits(const char *name, uid_t owner)
{
    struct stat facts;
    char path[LOCKFILE_PATH_MAX];
    shmx_lockfile_path_name(path, name);
    bool there = lstat(path, &facts) == 0 && facts.st_uid == owner;
    if (!there) {
        path_of_user(path, name, owner);
        there = lstat(path, &facts) == 0 && facts.st_uid == owner;
    }
    return !there || (facts.st_mode & 0777) == MODE_ADMITS;
}

/* ---- what it says ---- */

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
