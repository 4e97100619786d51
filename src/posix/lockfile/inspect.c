/* SPDX-License-Identifier: MIT */
/* Looking around where lock files tell what there is. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lockfile.h"
#include "base/name.h"
#include "base/listing.h"
#include "posix.h"

#define NAME_START LOCKFILE_PREFIX "n-"

/* Call visit with what follows `start` in the names of lock files. */
static int visit_files(const char *start, int (*visit)(const char *rest, void *context),
                       void *context)
{
    DIR *directory = opendir(LOCKFILE_DIRECTORY);
    if (directory == NULL)
        return errno == ENOENT ? SHMX_OK : shmx_posix_error(errno);
    int status = SHMX_OK;
    size_t length = strlen(start);
    for (const struct dirent *entry; status == SHMX_OK && (entry = readdir(directory)) != NULL;)
        if (strncmp(entry->d_name, start, length) == 0)
            status = visit(entry->d_name + length, context);
    closedir(directory);
    return status;
}

struct listing {
    int (*visit)(const char *name, void *context);
    void *context;
};

static int list_named(const char *name, void *context)
{
    const struct listing *listing = context;
    return shmx_name_check(name) == SHMX_OK ? listing->visit(name, listing->context) : SHMX_OK;
}

/* One that the system tells of: if it has a name file it was visited before. */
static int list_other(const char *name, void *context)
{
    char path[LOCKFILE_PATH_MAX];
    shmx_lockfile_path_name(path, name);
    return access(path, F_OK) == 0 ? SHMX_OK : list_named(name, context);
}

static int read_names(shmx_listing_visit *visit, void *context)
{
    struct listing listing = {visit, context};
    int status = visit_files(NAME_START, list_named, &listing);
    return status == SHMX_OK ? shmx_lockfile_names(list_other, &listing) : status;
}

int shmx_os_list(int (*visit)(const char *name, void *context), void *context)
{
    return shmx_listing_each(read_names, visit, context);
}

int shmx_os_usage(struct shmx_attachment *attachment, uint64_t *footprint, int *users)
{
    struct stat facts;
    if (fstat(attachment->os.fd, &facts) != 0)
        return shmx_posix_error(errno);
    /* Not every system says how much memory an object uses. */
    *footprint = facts.st_blocks > 0 ? (uint64_t)facts.st_blocks * 512 : attachment->length;
    *users = -1; /* a lock has holders, or not; the system does not count them */
    return SHMX_OK;
}

/* ---- leftovers of killed processes ---- */

static int reap_owner(const char *rest, void *context)
{
    (void)context;
    char path[LOCKFILE_PATH_MAX];
    uint64_t id;
    uint32_t token;
    if (sscanf(rest, "%16" SCNx64 "-%8" SCNx32, &id, &token) == 2) {
        shmx_lockfile_path_owner(path, id, token);
        shmx_lockfile_sweep(path);
    }
    return SHMX_OK;
}

/* The name of the segment that a users file belongs to; false if none can be made out. */
static bool users_name(int fd, char name[SHMX_NAME_MAX + 1])
{
    ssize_t got = pread(fd, name, SHMX_NAME_MAX, 0);
    name[got > 0 ? got : 0] = '\0';
    return shmx_name_check(name) == SHMX_OK;
}

/* True if no name file leads to the segment: then nothing does. */
static bool nameless(const char *name, uint64_t id)
{
    struct shmx_lockfile_name file;
    int status = shmx_lockfile_name_lock(&file, name);
    if (status != SHMX_OK)
        return status == SHMX_ENOENT;
    bool leads = file.known && file.record.id == id;
    shmx_lockfile_name_unlock(&file);
    return !leads;
}

static void reap_patiently(const char *name)
{
    bool removed, more;
    int round = 0;
    while (shmx_lockfile_remove_dead(name, &removed) == SHMX_EAGAIN) {
        shmx_posix_gate_leave();
        more = shmx_lockfile_patience(&round);
        shmx_posix_gate_enter();
        if (!more)
            return;
    }
}

/* A users file without users belongs to a dead segment, which is removed by its name and takes the
 * file along, unless no name file leads to it. */
static int reap_users(const char *rest, void *context)
{
    (void)context;
    char path[LOCKFILE_PATH_MAX], name[SHMX_NAME_MAX + 1];
    struct stat facts;
    uint64_t id;
    int fd;
    if (sscanf(rest, "%16" SCNx64, &id) != 1)
        return SHMX_OK;
    shmx_lockfile_path_users(path, id);
    if (shmx_lockfile_open(path, &fd, &facts) != SHMX_OK)
        return SHMX_OK;
    bool held = shmx_lockfile_set(fd, LOCK_EX) == 0 && shmx_lockfile_in_place(fd, path);
    bool named = held && users_name(fd, name) && !nameless(name, id);
    if (held && !named)
        unlink(path);
    close(fd);
    /* Who left while we held the lock has seen it, and has left the rest to us. */
    if (named)
        reap_patiently(name);
    return SHMX_OK;
}

static int reap_rest(void)
{
    int status = visit_files(LOCKFILE_PREFIX "o-", reap_owner, NULL);
    return status == SHMX_OK ? visit_files(LOCKFILE_PREFIX "u-", reap_users, NULL) : status;
}

int shmx_os_remove_dead(const char *name, bool *removed)
{
    *removed = false;
    shmx_posix_gate_enter();
    int status = name != NULL ? shmx_lockfile_remove_dead(name, removed) : reap_rest();
    shmx_posix_gate_leave();
    return status;
}
