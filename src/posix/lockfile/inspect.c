/* SPDX-License-Identifier: MIT */
/* The list of what there is, by lock files. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/listing.h"
#include "lockfile.h"

/* ---- one object ---- */

static void view_fill(const struct shmx_lockfile_found *found, enum shmx_os_kind kind,
                      struct shmx_os_view *view)
{
    view->kind = kind;
    view->label = found->label;
    view->length = found->length;
    view->footprint = found->footprint;
    view->users = -1; /* a lock has holders, or not; the system does not count them */
}

static int inspect_listed(struct shmx_lockfile_name *file, const char *name,
                          struct shmx_lockfile_judged *judged, struct shmx_os_view *view)
{
    view_fill(&judged->found, judged->kind, view);
    if (judged->kind == SHMX_OS_LIVE)
        shmx_lockfile_leave_judged(file, name, &judged->user_fd);
    shmx_lockfile_dismiss(judged);
    return SHMX_OK;
}

/* Can a segment of that name be in the making? `file`: of the name, locked; NULL: it cannot be. */
static bool is_half_made(const struct shmx_lockfile_found *found, const char *name,
                         const struct shmx_lockfile_name *file, bool neighbours)
{
    if (neighbours)
        return found->kind == SHMX_CONTROL_NONE && !shmx_lockfile_surely_foreign(found, name);
    return file == NULL && shmx_lockfile_name_there(name);
}

/* No name file leads to it: there is none, or `file`, or a neighbour's. `orphan`: id of a segment
 * that was seen last; such a one came or went at that moment, or its file is lost. */
static int inspect_unlisted(const char *name, const struct shmx_lockfile_name *file,
                            bool neighbours, uint64_t *orphan, struct shmx_os_view *view)
{
    struct shmx_lockfile_judged judged = {0};
    struct shmx_lockfile_found *found = &judged.found;
    int status = shmx_lockfile_find_unlisted(found, name, SHMX_READ_ONLY);
    if (status != SHMX_OK)
        return status;
    judged.user_fd = -1;
    judged.kind = found->kind == SHMX_CONTROL_NONE ? SHMX_OS_FOREIGN : SHMX_OS_DAMAGED;
    if (shmx_lockfile_called(found, name)) {
        bool again = neighbours || *orphan == found->label.id;
        status = again ? shmx_lockfile_judge_users(NULL, &judged) : SHMX_EAGAIN;
        if (again && status != SHMX_OK)
            return status;
        *orphan = found->label.id;
    } else if (is_half_made(found, name, file, neighbours)) {
        status = SHMX_EAGAIN;
    }
    if (status == SHMX_OK)
        view_fill(found, judged.kind, view);
    shmx_lockfile_dismiss(&judged);
    return status;
}

static int inspect_once(const char *name, uint64_t *orphan, struct shmx_os_view *view)
{
    struct shmx_lockfile_name file;
    struct shmx_lockfile_judged judged = {0};
    int status = shmx_lockfile_name_lock(&file, name);
    bool neighbours = status == SHMX_EACCES || status == SHMX_EPROTO;
    if (status == SHMX_ENOENT || neighbours)
        return inspect_unlisted(name, NULL, neighbours, orphan, view);
    if (status != SHMX_OK)
        return status;
    status = shmx_lockfile_judge(&file, name, SHMX_READ_ONLY, &judged);
    if (status == SHMX_OK)
        status = judged.kind == SHMX_OS_FOREIGN ? inspect_unlisted(name, &file, false, orphan, view)
                                                : inspect_listed(&file, name, &judged, view);
    shmx_lockfile_name_unlock(&file);
    return status;
}

/* Others that look are waited for, but no maker. */
int shmx_os_inspect(const char *name, struct shmx_os_view *view)
{
    uint64_t orphan = 0;
    int round = 0;
    int status;
    do {
        shmx_posix_gate_enter();
        status = inspect_once(name, &orphan, view);
        shmx_posix_gate_leave();
    } while (status == SHMX_EAGAIN && shmx_lockfile_is_short(round) &&
             shmx_lockfile_patience(&round));
    return status;
}

/* ---- all of them ---- */

static bool unfold(char name[SHMX_NAME_MAX + 1], const char *folded)
{
    char plain[SHMX_NAME_FOLDED_MAX + 1];
    size_t length = strcspn(folded, "@"); /* a user's may follow */
    if (length > SHMX_NAME_FOLDED_MAX)
        return false;
    memcpy(plain, folded, length);
    plain[length] = '\0';
    return shmx_name_unfold(name, plain);
}

static int list_folded(const char *folded, void *listing)
{
    char name[SHMX_NAME_MAX + 1];
    return unfold(name, folded) ? shmx_listing_note(name, listing) : SHMX_OK;
}

static int read_names(void *listing)
{
    shmx_posix_gate_enter();
    int status = shmx_lockfile_list("n-", list_folded, listing);
    if (status == SHMX_OK && shmx_system.list != NULL)
        status = shmx_system.list(shmx_listing_note, listing);
    shmx_posix_gate_leave();
    return status;
}

int shmx_os_list(int (*visit)(const char *name, void *context), void *context)
{
    return shmx_listing_each(read_names, visit, context);
}

/* ---- the dead ---- */

static int remove_listed(struct shmx_lockfile_name *file, const char *name, bool *removed)
{
    struct shmx_lockfile_judged judged = {0};
    int status = shmx_lockfile_judge(file, name, SHMX_READ_ONLY, &judged);
    if (status == SHMX_EAGAIN)
        return SHMX_OK; /* the holder of all locks on the users file removes the segment */
    if (status == SHMX_ENOENT) {
        /* Of one that was whole nothing is left to be freed: the machine has been restarted. */
        bool half = file->record.state != LOCKFILE_LIVE;
        status = shmx_lockfile_clean(file, name);
        *removed = half && status == SHMX_OK;
        return status;
    }
    if (status != SHMX_OK)
        return status;
    if (judged.kind == SHMX_OS_FOREIGN)
        return shmx_lockfile_clean(file, name);
    if (judged.kind == SHMX_OS_DEAD) {
        status = shmx_lockfile_remove_dead(file, name);
        *removed = status == SHMX_OK;
    } else {
        *removed = shmx_lockfile_leave_judged(file, name, &judged.user_fd);
    }
    shmx_lockfile_dismiss(&judged);
    return status;
}

/* SHMX_EAGAIN: another holds the name file. */
static int remove_dead(const char *name, bool *removed)
{
    struct shmx_lockfile_name file;
    *removed = false;
    int status = shmx_lockfile_name_lock(&file, name);
    if (status == SHMX_OK) {
        status = remove_listed(&file, name, removed);
        shmx_lockfile_name_unlock(&file);
    }
    return status == SHMX_ENOENT ? SHMX_OK : status;
}

int shmx_os_remove_dead(const char *name, bool *removed)
{
    shmx_posix_gate_enter();
    int status = remove_dead(name, removed);
    shmx_posix_gate_leave();
    return status;
}

/* ---- leftovers of killed processes ---- */

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

/* A users file without users belongs to a dead segment, which is removed by its name and takes the
 * file along, unless no name file leads to it. */
static int leftover_users(const char *rest, void *context)
{
    (void)context;
    char path[LOCKFILE_PATH_MAX], name[SHMX_NAME_MAX + 1];
    struct stat facts;
    uint64_t id;
    int fd, round = 0;
    bool removed;
    if (sscanf(rest, "%16" SCNx64, &id) != 1)
        return SHMX_OK;
    shmx_lockfile_path_users(path, id);
    if (shmx_lockfile_open(path, &fd, &facts) != SHMX_OK)
        return SHMX_OK;
    bool held = shmx_lockfile_set(fd, LOCK_EX) == 0 && shmx_posix_in_place(fd, path);
    bool named = held && users_name(fd, name) && !nameless(name, id);
    if (held && !named)
        unlink(path);
    close(fd);
    /* A user that left while we held the lock has seen it, and has left the rest to us. */
    while (named && remove_dead(name, &removed) == SHMX_EAGAIN)
        named = shmx_lockfile_patience_outside(&round);
    return SHMX_OK;
}

/* A name file without a users file: its maker was killed, or a process that was removing the
 * segment; or the segment is persistent. One with a users file goes with that. */
static void leftover_name(const char *folded)
{
    struct shmx_lockfile_name file;
    char name[SHMX_NAME_MAX + 1], path[LOCKFILE_PATH_MAX];
    bool removed;
    if (!unfold(name, folded) || shmx_lockfile_name_lock(&file, name) != SHMX_OK)
        return;
    shmx_lockfile_path_users(path, file.record.id);
    if (!file.known || file.record.state != LOCKFILE_LIVE || access(path, F_OK) != 0)
        remove_listed(&file, name, &removed);
    shmx_lockfile_name_unlock(&file);
}

/* ---- the sweep ---- */

/* Files looked at. */
#define SWEEP_FILES 16

struct sweep {
    uint32_t pass, left; /* files to pass over, and to look at then */
};

static int sweep_one(const char *rest, void *context)
{
    struct sweep *sweep = context;
    char path[LOCKFILE_PATH_MAX];
    bool held;
    if (sweep->pass > 0) {
        sweep->pass--;
        return SHMX_OK;
    }
    if (strncmp(rest, "n-", 2) == 0)
        leftover_name(rest + 2);
    else if (strncmp(rest, "u-", 2) == 0)
        leftover_users(rest + 2, NULL);
    else if (strncmp(rest, "s-", 2) == 0 || strncmp(rest, "o-", 2) == 0 ||
             strncmp(rest, "m-", 2) == 0) {
        shmx_lockfile_path(path, "%s", rest);
        shmx_lockfile_sweep(path, &held);
    }
    return --sweep->left == 0 ? 1 : SHMX_OK;
}

/* Begin somewhere, and nearer to the first as often as farther. */
static uint32_t sweep_begin(void)
{
    uint32_t chance;
    if (shmx_os_random(&chance, sizeof chance) != SHMX_OK)
        return 0;
    return (chance >> 16) >> chance % 16;
}

/* The files have their turn one after the other, so that a process that goes on creating has looked
 * at all of them after as many creates as there are segments. */
void shmx_os_sweep(void)
{
    static _Atomic uint32_t turn = UINT32_MAX;
    uint32_t place = atomic_load(&turn);
    if (place == UINT32_MAX)
        place = sweep_begin();
    struct sweep sweep = {place, SWEEP_FILES};
    shmx_posix_gate_enter();
    shmx_lockfile_list("", sweep_one, &sweep);
    if (sweep.left > 0 && place > 0) { /* that was the end */
        place = 0;
        sweep.pass = 0;
        shmx_lockfile_list("", sweep_one, &sweep);
    }
    shmx_posix_gate_leave();
    atomic_store(&turn, place + SWEEP_FILES);
}

int shmx_os_remove_leftovers(void)
{
    shmx_posix_gate_enter();
    int status = shmx_lockfile_sweep_all("s-", NULL);
    if (status == SHMX_OK)
        status = shmx_lockfile_sweep_all("o-", NULL);
    if (status == SHMX_OK)
        status = shmx_lockfile_sweep_all("m-", NULL);
    if (status == SHMX_OK)
        status = shmx_lockfile_list("u-", leftover_users, NULL);
    shmx_posix_gate_leave();
    return status;
}
