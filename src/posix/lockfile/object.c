/* SPDX-License-Identifier: MIT */
/*
 * Objects on systems that refuse locks on shared memory. docs/lockfile.md has the protocol; the
 * rules are:
 *
 *   - Everything about a name happens under the lock of its name file, which is made before the
 *     object and taken away after it. A name file whose lock can be had while it does not say
 *     LOCKFILE_LIVE was left by a maker that died.
 *   - An object has a user as long as somebody holds a shared lock on its users file. A user comes
 *     under the lock of the name file, and only if it finds another.
 *   - Before a name is removed its object is looked at: it must be the one that the name file
 *     tells of. So a successor, of another program too, is never removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lockfile.h"
#include "base/name.h"
#include "posix.h"
#include "reserve.h"

/* ---- objects of the system ---- */

static void object_path(char path[SHMX_NAME_MAX + 2], const char *name, int probe)
{
    path[0] = '/';
    shmx_name_condense(path + 1, name, SHMX_NAME_LIMIT, probe);
}

/* Names that an object called so may have in the system. */
static int probes_of(const char *name)
{
    return SHMX_NAME_LIMIT != 0 && strlen(name) > SHMX_NAME_LIMIT ? SHMX_NAME_PROBES : 1;
}

/* An open object, and what it is. */
struct found {
    int fd;
    uint64_t length;
    uid_t owner;
    enum shmx_control_kind kind;
    struct shmx_label label; /* if GOOD; its name may be any */
};

static int look(struct found *found, unsigned flags)
{
    struct stat facts;
    if (fstat(found->fd, &facts) != 0)
        return shmx_posix_error(errno);
    /* Some systems tell no type: nothing else can be there. */
    if ((facts.st_mode & S_IFMT) != 0 && !S_ISREG(facts.st_mode))
        return shmx_posix_error(ENXIO);
    found->length = (uint64_t)facts.st_size;
    found->owner = facts.st_uid;
    found->kind = SHMX_CONTROL_NONE;
    if ((flags & SHMX_RAW) == 0)
        found->kind = shmx_lockfile_label(found->fd, found->length, &found->label);
    return SHMX_OK;
}

static int find(struct found *found, const char *name, int probe, unsigned flags)
{
    char path[SHMX_NAME_MAX + 2];
    object_path(path, name, probe);
    int access = (flags & SHMX_READ_ONLY) != 0 ? O_RDONLY : O_RDWR;
    found->fd = shmx_posix_clear_of_streams(shm_open(path, access | SHMX_OBJECT_FLAGS, 0));
    if (found->fd < 0)
        return shmx_posix_error(errno);
    int status = look(found, flags);
    if (status != SHMX_OK)
        close(found->fd);
    return status;
}

static bool called(const struct found *found, const char *name)
{
    return found->kind == SHMX_CONTROL_GOOD && strcmp(found->label.name, name) == 0;
}

static int unlink_object(const char *name, int probe)
{
    char path[SHMX_NAME_MAX + 2];
    object_path(path, name, probe);
    return shm_unlink(path) == 0 ? SHMX_OK : shmx_posix_error(errno);
}

/* ---- taking away, under the lock of the name file ---- */

/* Take away a segment that is LIVE with all its files; its object has been looked at. */
static int remove_segment(struct shmx_lockfile_name *file, const char *name)
{
    if (!shmx_lockfile_name_ours(file))
        return shmx_posix_error(EACCES);
    /* The name file goes last: who dies here leaves it, and it leads to the rest. */
    int status = unlink_object(name, (int)file->record.probe);
    if (status != SHMX_OK && status != SHMX_ENOENT)
        return status;
    shmx_lockfile_users_remove(file->record.id, file->owner);
    return shmx_lockfile_name_remove(file);
}

/* True if what has the name was left half-made by the maker of the name file. */
static bool half_made(const struct shmx_lockfile_name *file, const struct found *found)
{
    if (found->owner != file->owner)
        return false;
    if (file->record.state == LOCKFILE_TRYING)
        return found->length == 0;
    bool whole = found->kind == SHMX_CONTROL_GOOD && found->label.id == file->record.id;
    return file->record.state == LOCKFILE_MADE && (found->kind == SHMX_CONTROL_NONE || whole);
}

/* Take away a name file that leads to no segment, and what a dead maker left half-made. */
static int clean(struct shmx_lockfile_name *file, const char *name)
{
    struct found found;
    if (!shmx_lockfile_name_ours(file))
        return shmx_posix_error(EACCES);
    int probe = (int)file->record.probe;
    if (file->known && file->record.state != LOCKFILE_LIVE) {
        int status = find(&found, name, probe, SHMX_READ_ONLY);
        if (status == SHMX_OK) {
            status = half_made(file, &found) ? unlink_object(name, probe) : SHMX_OK;
            close(found.fd);
        }
        if (status != SHMX_OK && status != SHMX_ENOENT && status != SHMX_EPROTO)
            return status;
    }
    if (file->known)
        shmx_lockfile_users_remove(file->record.id, file->owner);
    return shmx_lockfile_name_remove(file);
}

enum verdict {
    VERDICT_STALE,   /* the name file tells of nothing */
    VERDICT_NONE,    /* the name file tells of an object that is gone, or half-made */
    VERDICT_ALIEN,   /* the name file and the object have nothing to do with each other */
    VERDICT_LIVE,    /* ours; user_fd is a user's, or -1: has none, or nobody can say */
    VERDICT_DEAD,    /* ours, and all users were killed; user_fd holds the exclusive lock */
    VERDICT_LEAVING, /* ours, and the last user is about to remove it */
    VERDICT_FAILED   /* the status tells */
};

struct judgement {
    struct found found; /* open if LIVE, DEAD or LEAVING */
    int user_fd;
    int status;
};

static enum verdict fail(struct judgement *out, int status)
{
    out->status = status;
    return VERDICT_FAILED;
}

/* Is anybody there? */
static enum verdict judge_users(const struct shmx_lockfile_name *file, struct judgement *out)
{
    if ((out->found.label.flags & SHMX_PERSISTENT) != 0)
        return VERDICT_LIVE;
    int status = shmx_lockfile_users_join(file->record.id, file->owner, &out->user_fd);
    switch (status) {
    case SHMX_OK:
        return VERDICT_LIVE;
    case SHMX_ENOENT:
        return VERDICT_DEAD;
    case SHMX_EAGAIN:
        return VERDICT_LEAVING;
    default:
        close(out->found.fd);
        return fail(out, status);
    }
}

/* Find out what a name file that we have locked leads to; with flags' access to the object. */
static enum verdict judge(const struct shmx_lockfile_name *file, const char *name, unsigned flags,
                          struct judgement *out)
{
    struct found *found = &out->found;
    out->user_fd = -1;
    if (!file->known || file->record.state == LOCKFILE_LOOKING)
        return VERDICT_STALE;
    int status = find(found, name, (int)file->record.probe, flags & SHMX_READ_ONLY);
    if (status == SHMX_ENOENT)
        return VERDICT_NONE;
    if (status != SHMX_OK)
        return fail(out, status);
    enum verdict verdict = VERDICT_LIVE;
    bool live = file->record.state == LOCKFILE_LIVE;
    /* A neighbour's object; or another program has unlinked ours and made its own. */
    if (found->owner != file->owner || (live && found->kind == SHMX_CONTROL_NONE))
        verdict = VERDICT_ALIEN;
    else if (!live)
        verdict = half_made(file, found) ? VERDICT_NONE : VERDICT_ALIEN;
    else if (!called(found, name) || found->label.id != file->record.id)
        verdict = fail(out, SHMX_EPROTO);
    if (verdict == VERDICT_LIVE)
        return judge_users(file, out);
    close(found->fd);
    return verdict;
}

static void dismiss(const struct judgement *out)
{
    if (out->user_fd >= 0)
        close(out->user_fd);
    close(out->found.fd);
}

static int remove_dead(struct shmx_lockfile_name *file, const char *name)
{
    int status = remove_segment(file, name);
    if (status == SHMX_OK)
        shmx_lockfile_owners_sweep(file->record.id, UINT32_MAX);
    return status;
}

/* Stop being the user that judge_users made of us. The last of the others may have left meanwhile
 * and have seen us: then it is for us to do what it left undone. True if so. */
static bool leave_judged(struct shmx_lockfile_name *file, const char *name, int *user_fd)
{
    bool last = *user_fd >= 0 && shmx_lockfile_users_leave(file->record.id, false, user_fd) &&
                remove_dead(file, name) == SHMX_OK;
    if (*user_fd >= 0)
        close(*user_fd);
    *user_fd = -1;
    return last;
}

/* ---- attaching ---- */

void shmx_lockfile_start(struct shmx_attachment *attachment, int fd)
{
    memset(&attachment->os, 0, sizeof attachment->os);
    attachment->os.fd = fd;
    attachment->os.user_fd = attachment->os.owner_fd = attachment->os.passed = -1;
    attachment->os.heir = attachment->os.user_heir = -1;
    attachment->control = NULL;
    memset(&attachment->label, 0, sizeof attachment->label);
}

int shmx_lockfile_attach(struct shmx_attachment *attachment, int fd, uint64_t length,
                         const struct shmx_label *label, unsigned flags)
{
    int status = length > SIZE_MAX ? shmx_posix_error(ENOMEM) : SHMX_OK;
    shmx_lockfile_start(attachment, fd);
    if (status == SHMX_OK)
        status = shmx_posix_map(attachment, fd, (size_t)length, flags);
    if (status != SHMX_OK) {
        close(fd);
        return status;
    }
    if (label != NULL) {
        attachment->control = shmx_control_at(attachment->data, attachment->length);
        attachment->label = *label;
    }
    if ((flags & SHMX_PREFAULT) != 0)
        shmx_posix_prefault(attachment);
    shmx_posix_attach(attachment);
    return SHMX_OK;
}

/* ---- open ---- */

/* What a round of looking leaves for the next. */
struct search {
    const char *name;
    unsigned flags;
    uint64_t orphan; /* id of a segment of ours without a name file that was seen last */
};

/* An object without a control block: what another program made, or a raw one. */
static int open_foreign(struct shmx_attachment *attachment, const struct found *found,
                        unsigned flags)
{
    if (found->length == 0) {
        close(found->fd);
        return SHMX_EAGAIN; /* its maker is about to size it */
    }
    return shmx_lockfile_attach(attachment, found->fd, found->length, NULL, flags);
}

static int look_again(const struct found *found)
{
    close(found->fd);
    return SHMX_EAGAIN;
}

static bool is_listed(const char *name)
{
    struct stat facts;
    char path[LOCKFILE_PATH_MAX];
    shmx_lockfile_path_name(path, name);
    return lstat(path, &facts) == 0;
}

/* An object that looks foreign, but that one of us may be making at this moment: look again while
 * no segment of that name can be made. */
static int open_if_foreign(struct shmx_attachment *attachment, const struct search *search,
                           int probe)
{
    struct shmx_lockfile_name file;
    struct found found;
    int status = SHMX_ENOTSUP;
    file.fd = -1;
    if ((search->flags & SHMX_OS_NOWAIT) == 0)
        status = shmx_lockfile_name_make(&file, search->name, 0, LOCKFILE_LOOKING, 0);
    if (status == SHMX_EEXIST || status == SHMX_EAGAIN)
        return SHMX_EAGAIN;
    /* Who may not make a file can do no better than see that there is none. */
    if (status != SHMX_OK && is_listed(search->name))
        return SHMX_EAGAIN;
    status = find(&found, search->name, probe, search->flags);
    if (status == SHMX_OK && found.kind == SHMX_CONTROL_NONE)
        status = open_foreign(attachment, &found, search->flags);
    else if (status == SHMX_OK)
        status = look_again(&found);
    if (file.fd >= 0) {
        shmx_lockfile_name_remove(&file);
        shmx_lockfile_name_unlock(&file);
    }
    return status;
}

/* One of ours, but there is no name file. Either it came this moment, or is gone: then the next
 * look tells. Or somebody has taken the file away, and the users file alone tells of users. */
static int open_orphan(struct shmx_attachment *attachment, const struct found *found,
                       struct search *search)
{
    if (search->orphan != found->label.id) {
        search->orphan = found->label.id;
        return look_again(found);
    }
    int user_fd = -1;
    int status = SHMX_OK;
    if ((found->label.flags & SHMX_PERSISTENT) == 0)
        status = shmx_lockfile_users_join(found->label.id, found->owner, &user_fd);
    if (status == SHMX_OK)
        status = shmx_lockfile_attach(attachment, found->fd, found->length, &found->label,
                                      search->flags);
    else
        close(found->fd);
    if (status == SHMX_OK)
        attachment->os.user_fd = user_fd;
    else if (user_fd >= 0)
        close(user_fd);
    return status;
}

/* There is no name file that could be believed. `sure`: nobody is making a segment of that name. */
static int open_unlisted(struct shmx_attachment *attachment, struct search *search, bool sure)
{
    struct found found;
    int probes = probes_of(search->name);
    for (int probe = 0; probe < probes; probe++) {
        int status = find(&found, search->name, probe, search->flags);
        if (status == SHMX_ENOENT)
            continue;
        if (status != SHMX_OK)
            return status;
        if (found.kind == SHMX_CONTROL_NONE && sure)
            return open_foreign(attachment, &found, search->flags);
        if (found.kind == SHMX_CONTROL_NONE) {
            close(found.fd);
            return open_if_foreign(attachment, search, probe);
        }
        if (called(&found, search->name))
            return open_orphan(attachment, &found, search);
        close(found.fd);
        if (probes == 1 || found.kind == SHMX_CONTROL_DAMAGED)
            return SHMX_EPROTO;
    }
    return SHMX_ENOENT;
}

/* Attach to a segment that a name file leads to. */
static int open_judged(struct shmx_attachment *attachment, struct shmx_lockfile_name *file,
                       struct judgement *judged, unsigned flags)
{
    const struct shmx_label *label = &judged->found.label;
    bool raw = (flags & SHMX_RAW) != 0; /* a guest: its lifetime is the system's own */
    int status = shmx_lockfile_attach(attachment, judged->found.fd, judged->found.length,
                                      raw ? NULL : label, flags);
    if (status == SHMX_OK && !raw)
        attachment->os.user_fd = judged->user_fd;
    else
        leave_judged(file, label->name, &judged->user_fd);
    return status;
}

/* `file` is locked. SHMX_EAGAIN: look again. */
static int open_listed(struct shmx_attachment *attachment, struct search *search,
                       struct shmx_lockfile_name *file)
{
    struct judgement judged;
    bool only_look = (search->flags & SHMX_OS_NOWAIT) != 0;
    switch (judge(file, search->name, search->flags, &judged)) {
    case VERDICT_LIVE:
        return open_judged(attachment, file, &judged, search->flags);
    case VERDICT_DEAD:
        if (!only_look)
            remove_dead(file,
                        search->name); /* who may not remove it sees that it is dead all the same */
        dismiss(&judged);
        return SHMX_ENOENT;
    case VERDICT_LEAVING:
        dismiss(&judged);
        return SHMX_EAGAIN;
    case VERDICT_NONE:
        if (!only_look)
            clean(file, search->name);
        return SHMX_ENOENT;
    case VERDICT_STALE:
        if (!only_look && clean(file, search->name) == SHMX_OK)
            return SHMX_EAGAIN;
        return open_unlisted(attachment, search, true);
    case VERDICT_ALIEN:
        return open_unlisted(attachment, search, true);
    default:
        return judged.status;
    }
}

static int open_once(struct shmx_attachment *attachment, struct search *search)
{
    struct shmx_lockfile_name file;
    int status = shmx_lockfile_name_lock(&file, search->name);
    if (status == SHMX_OK) {
        status = open_listed(attachment, search, &file);
        shmx_lockfile_name_unlock(&file);
        return status;
    }
    if (status == SHMX_ENOENT)
        return open_unlisted(attachment, search, false);
    if (status != SHMX_EACCES && status != SHMX_EPROTO)
        return status;
    /* A neighbour's file. If there is something that we may attach to, then it is not the
     * neighbour's. */
    return open_unlisted(attachment, search, true);
}

int shmx_os_open(struct shmx_attachment *attachment, const char *name, unsigned flags)
{
    struct search search = {.name = name, .flags = flags, .orphan = 0};
    int round = 0;
    int status;
    bool more;
    do {
        shmx_posix_gate_enter();
        status = open_once(attachment, &search);
        shmx_posix_gate_leave();
        /* Who only looks waits for others that look, but for no maker. */
        more = (flags & SHMX_OS_NOWAIT) == 0 || shmx_lockfile_is_short(round);
    } while (status == SHMX_EAGAIN && more && shmx_lockfile_patience(&round));
    return status;
}

/* ---- create ---- */

/* A segment that is to be made. */
struct plan {
    const char *name;
    size_t length;
    unsigned flags;
    const struct shmx_label *label; /* NULL: raw */
    bool named;                     /* false: it loses its name at once */
    int probe;
    struct shmx_lockfile_name file;
};

static bool counts_users(const struct plan *plan)
{
    return plan->named && plan->label != NULL && (plan->flags & SHMX_PERSISTENT) == 0;
}

/* True if an object that had no name file before ours is one of ours without a user. */
static bool remove_orphan(const struct plan *plan, const struct found *found)
{
    int user_fd = -1;
    bool dead = (found->label.flags & SHMX_PERSISTENT) == 0 &&
                shmx_lockfile_users_join(found->label.id, found->owner, &user_fd) == SHMX_ENOENT &&
                unlink_object(plan->name, plan->probe) == SHMX_OK;
    if (dead)
        shmx_lockfile_users_remove(found->label.id, found->owner);
    if (user_fd >= 0)
        close(user_fd);
    return dead;
}

/* What is under a name of the system that we want? SHMX_OK: try the same again; SHMX_EAGAIN: try
 * the next. */
static int occupied(struct plan *plan)
{
    struct found found;
    int status = find(&found, plan->name, plan->probe, SHMX_READ_ONLY);
    if (status == SHMX_ENOENT)
        return SHMX_OK;
    if (status == SHMX_EMFILE)
        return status;
    if (status != SHMX_OK)
        return SHMX_EEXIST;
    bool same = called(&found, plan->name);
    bool gone = same && remove_orphan(plan, &found);
    close(found.fd);
    if (gone)
        return SHMX_OK;
    return same || probes_of(plan->name) == 1 ? SHMX_EEXIST : SHMX_EAGAIN;
}

/* Make the object under the first name of the system that is free. */
static int place(struct plan *plan, int *fd)
{
    char path[SHMX_NAME_MAX + 2];
    int probes = probes_of(plan->name);
    while (plan->probe < probes) {
        object_path(path, plan->name, plan->probe);
        int status = shmx_lockfile_name_mark(&plan->file, LOCKFILE_TRYING, plan->probe);
        if (status == SHMX_OK)
            status = shmx_lockfile_object_make(path, plan->flags, fd);
        if (status != SHMX_EEXIST)
            return status;
        status = occupied(plan);
        if (status == SHMX_EAGAIN)
            plan->probe++;
        else if (status != SHMX_OK)
            return status;
    }
    return SHMX_EEXIST;
}

/* Give the new object its length, its memory and its control block. */
static int fill(struct shmx_attachment *attachment, const struct plan *plan)
{
    int fd = attachment->os.fd;
    bool present = (plan->flags & SHMX_PREFAULT) != 0;
    int status = shmx_posix_room_check(fd, plan->length);
    if (status == SHMX_OK)
        status =
            present ? shmx_posix_resize(fd, plan->length) : shmx_posix_reserve(fd, plan->length);
    if (status == SHMX_OK)
        status = shmx_posix_map(attachment, fd, plan->length, plan->flags & ~SHMX_READ_ONLY);
    if (status != SHMX_OK)
        return status;
    if (present)
        status = shmx_posix_reserve_present(fd, attachment);
    if (status != SHMX_OK) {
        munmap(attachment->data, attachment->length);
        return status;
    }
    if (plan->label != NULL)
        shmx_lockfile_label_write(attachment, plan->label);
    return SHMX_OK;
}

/* Say that it is whole. A raw object needs no name file any more. */
static int announce(struct plan *plan)
{
    if (plan->named && plan->label != NULL)
        return shmx_lockfile_name_mark(&plan->file, LOCKFILE_LIVE, plan->probe);
    return shmx_lockfile_name_remove(&plan->file);
}

/* The lock of the name file is held. */
static int build(struct shmx_attachment *attachment, struct plan *plan)
{
    int fd;
    int status = place(plan, &fd);
    if (status != SHMX_OK)
        return status;
    shmx_lockfile_start(attachment, fd);
    bool named = true;
    if (!plan->named) {
        status = unlink_object(plan->name, plan->probe);
        named = status != SHMX_OK;
    } else {
        status = shmx_lockfile_name_mark(&plan->file, LOCKFILE_MADE, plan->probe);
    }
    if (status == SHMX_OK)
        status = fill(attachment, plan);
    if (status != SHMX_OK)
        goto close_fd;
    status = announce(plan);
    if (status == SHMX_OK)
        return SHMX_OK;
    munmap(attachment->data, attachment->length);
close_fd:
    if (named)
        unlink_object(plan->name, plan->probe);
    close(fd);
    return status;
}

/* A name file of ours is there, and locked. */
static int build_with_users(struct shmx_attachment *attachment, struct plan *plan)
{
    int user_fd = -1;
    int status = SHMX_OK;
    uint64_t id = plan->file.record.id;
    if (counts_users(plan))
        status = shmx_lockfile_users_make(id, plan->name, plan->flags, &user_fd);
    if (status == SHMX_OK)
        status = build(attachment, plan);
    if (status == SHMX_OK) {
        attachment->os.user_fd = user_fd;
        shmx_posix_attach(attachment);
        return SHMX_OK;
    }
    if (user_fd >= 0) {
        shmx_lockfile_users_remove(id, geteuid());
        close(user_fd);
    }
    shmx_lockfile_name_remove(&plan->file);
    return status;
}

/* A name file is there already. SHMX_OK: not any more. */
static int make_room(const char *name)
{
    struct judgement judged;
    struct shmx_lockfile_name file;
    int status = shmx_lockfile_name_lock(&file, name);
    if (status == SHMX_ENOENT)
        return SHMX_OK;
    if (status == SHMX_EACCES || status == SHMX_EPROTO)
        return SHMX_EEXIST; /* a neighbour has put it there */
    if (status != SHMX_OK)
        return status;
    switch (judge(&file, name, SHMX_READ_ONLY, &judged)) {
    case VERDICT_DEAD:
        status = remove_dead(&file, name);
        dismiss(&judged);
        break;
    case VERDICT_LEAVING:
        status = SHMX_EAGAIN;
        dismiss(&judged);
        break;
    case VERDICT_LIVE:
        status = SHMX_EEXIST;
        dismiss(&judged);
        break;
    case VERDICT_FAILED:
        status = judged.status == SHMX_EMFILE ? SHMX_EMFILE : SHMX_EEXIST;
        break;
    default:
        status = clean(&file, name);
    }
    shmx_lockfile_name_unlock(&file);
    return status == SHMX_EACCES ? SHMX_EEXIST : status;
}

/* Rounds in which others may make what we have made room for. */
#define ROUNDS_MAX 16

static int create_once(struct shmx_attachment *attachment, struct plan *plan)
{
    uint64_t id = plan->label != NULL ? plan->label->id : 0;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        int status =
            shmx_lockfile_name_make(&plan->file, plan->name, plan->flags, LOCKFILE_TRYING, id);
        if (status == SHMX_OK) {
            status = build_with_users(attachment, plan);
            shmx_lockfile_name_unlock(&plan->file);
            return status;
        }
        if (status != SHMX_EEXIST)
            return status;
        status = make_room(plan->name);
        if (status != SHMX_OK)
            return status;
    }
    return SHMX_EAGAIN;
}

int shmx_os_create(struct shmx_attachment *attachment, const char *name, size_t length,
                   unsigned flags, const struct shmx_label *label)
{
    char hidden[SHMX_NAME_MAX + 1];
    struct plan plan = {.name = name, .length = length, .flags = flags, .label = label};
    int round = 0;
    int status = SHMX_OK;
    plan.named = name != NULL;
    if (!plan.named) {
        status = shmx_name_random(hidden);
        plan.name = hidden;
    }
    if (status != SHMX_OK)
        return status;
    do {
        plan.probe = 0;
        shmx_posix_gate_enter();
        status = create_once(attachment, &plan);
        shmx_posix_gate_leave();
    } while (status == SHMX_EAGAIN && shmx_lockfile_patience(&round));
    return status;
}

/* ---- close ---- */

/* True if the object has the name that the name file tells. */
static bool still_named(const struct shmx_attachment *attachment,
                        const struct shmx_lockfile_name *file)
{
    struct found found;
    const char *name = attachment->label.name;
    if (find(&found, name, (int)file->record.probe, SHMX_READ_ONLY) != SHMX_OK)
        return false;
    close(found.fd);
    return called(&found, name) && found.label.id == attachment->label.id &&
           found.owner == file->owner;
}

/* Somebody has taken the name file away, though the segment was not unlinked: make it again, to
 * remove the segment by it. */
static int replace_name_file(const struct shmx_attachment *attachment,
                             struct shmx_lockfile_name *file)
{
    char path[LOCKFILE_PATH_MAX];
    const struct shmx_label *label = &attachment->label;
    shmx_lockfile_path_users(path, label->id);
    if (!shmx_lockfile_in_place(attachment->os.user_fd, path))
        return SHMX_ENOENT; /* it was unlinked */
    int status =
        shmx_lockfile_name_make(file, label->name, label->flags, LOCKFILE_LOOKING, label->id);
    if (status != SHMX_OK)
        return status == SHMX_EEXIST ? SHMX_EAGAIN : status;
    int probe = 0;
    while (probe < probes_of(label->name)) {
        file->record.probe = (uint32_t)probe;
        if (still_named(attachment, file))
            break;
        probe++;
    }
    /* The rest of the way is this process's alone, so the file need not say LIVE for others. */
    file->record.state = probe < probes_of(label->name) ? LOCKFILE_LIVE : LOCKFILE_LOOKING;
    return SHMX_OK;
}

/* The last user's way out, with the exclusive lock on the users file held. SHMX_EAGAIN: the name
 * file is locked. */
static int remove_as_last(struct shmx_attachment *attachment)
{
    struct shmx_lockfile_name file;
    const char *name = attachment->label.name;
    int status = shmx_lockfile_name_lock(&file, name);
    if (status == SHMX_ENOENT)
        status = replace_name_file(attachment, &file);
    if (status != SHMX_OK)
        return status;
    if (file.known && file.record.id == attachment->label.id) {
        if (file.record.state == LOCKFILE_LIVE && still_named(attachment, &file))
            remove_segment(&file, name);
        else
            clean(&file, name); /* another program took the name away */
    }
    shmx_lockfile_name_unlock(&file);
    return SHMX_OK;
}

static void leave(struct shmx_attachment *attachment)
{
    struct shmx_os_private *os = &attachment->os;
    if (!shmx_lockfile_users_leave(attachment->label.id, os->shared, &os->user_fd))
        return;
    int round = 0;
    while (remove_as_last(attachment) == SHMX_EAGAIN) {
        /* Whoever holds the name file finds that the last user is leaving, and lets go. */
        shmx_posix_gate_leave();
        bool more = shmx_lockfile_patience(&round);
        shmx_posix_gate_enter();
        if (!more)
            return;
    }
    shmx_lockfile_owners_sweep(attachment->label.id, atomic_load(&attachment->control->next_owner));
}

void shmx_os_close(struct shmx_attachment *attachment)
{
    int before = shmx_os_last_error();
    shmx_posix_gate_enter();
    shmx_lockfile_owner_drop(attachment);
    if (attachment->os.user_fd >= 0)
        leave(attachment);
    shmx_posix_detach(attachment);
    munmap(attachment->data, attachment->length);
    if (attachment->os.user_fd >= 0)
        close(attachment->os.user_fd);
    if (attachment->os.passed >= 0)
        close(attachment->os.passed);
    close(attachment->os.fd);
    shmx_posix_gate_leave();
    shmx_os_set_error(before);
}

/* ---- unlink, reap ---- */

/* There is no name file that could be believed. */
static int unlink_unlisted(const char *name)
{
    struct found found;
    int probes = probes_of(name);
    for (int probe = 0; probe < probes; probe++) {
        int status = find(&found, name, probe, SHMX_READ_ONLY);
        if (status == SHMX_ENOENT)
            continue;
        if (status == SHMX_OK)
            close(found.fd);
        /* What cannot be looked at can be removed all the same, if it is ours. */
        if (probes == 1 ||
            (status == SHMX_OK && (called(&found, name) || found.kind == SHMX_CONTROL_NONE)))
            return unlink_object(name, probe);
        if (status != SHMX_OK)
            return status;
    }
    return SHMX_ENOENT;
}

static int unlink_listed(struct shmx_lockfile_name *file, const char *name)
{
    struct judgement judged;
    int status;
    switch (judge(file, name, SHMX_READ_ONLY, &judged)) {
    case VERDICT_LIVE:
        status = remove_segment(file, name);
        dismiss(&judged);
        return status;
    case VERDICT_DEAD:
        remove_dead(file, name);
        dismiss(&judged);
        return SHMX_ENOENT;
    case VERDICT_LEAVING:
        dismiss(&judged);
        return SHMX_EAGAIN;
    case VERDICT_NONE:
        clean(file, name);
        return SHMX_ENOENT;
    case VERDICT_STALE:
        status = unlink_unlisted(name);
        clean(file, name);
        return status;
    default: /* another program's object, or one that we cannot make out */
        status = unlink_unlisted(name);
        if (status == SHMX_OK)
            clean(file, name);
        return status;
    }
}

static int unlink_once(const char *name)
{
    struct shmx_lockfile_name file;
    int status = shmx_lockfile_name_lock(&file, name);
    /* So that nobody makes what we look at. */
    if (status == SHMX_ENOENT)
        status = shmx_lockfile_name_make(&file, name, 0, LOCKFILE_LOOKING, 0);
    if (status == SHMX_EPROTO || status == SHMX_EACCES)
        return unlink_unlisted(name); /* a neighbour's file */
    if (status != SHMX_OK)
        return status == SHMX_EEXIST ? SHMX_EAGAIN : status;
    status = unlink_listed(&file, name);
    shmx_lockfile_name_unlock(&file);
    return status;
}

int shmx_os_unlink(const char *name)
{
    int round = 0;
    int status;
    do {
        shmx_posix_gate_enter();
        status = unlink_once(name);
        shmx_posix_gate_leave();
    } while (status == SHMX_EAGAIN && shmx_lockfile_patience(&round));
    return status;
}

static int reap_listed(struct shmx_lockfile_name *file, const char *name, bool *removed)
{
    struct judgement judged;
    int status = SHMX_OK;
    switch (judge(file, name, SHMX_READ_ONLY, &judged)) {
    case VERDICT_DEAD:
        status = remove_dead(file, name);
        *removed = status == SHMX_OK;
        dismiss(&judged);
        return status;
    case VERDICT_NONE:
        status = clean(file, name);
        *removed = status == SHMX_OK;
        return status;
    case VERDICT_STALE:
    case VERDICT_ALIEN:
        return clean(file, name);
    case VERDICT_LIVE:
        *removed = leave_judged(file, name, &judged.user_fd);
        dismiss(&judged);
        return SHMX_OK;
    case VERDICT_FAILED:
        return judged.status;
    default: /* whoever holds all locks on the users file removes the segment */
        dismiss(&judged);
        return SHMX_OK;
    }
}

int shmx_lockfile_remove_dead(const char *name, bool *removed)
{
    struct shmx_lockfile_name file;
    int status = shmx_lockfile_name_lock(&file, name);
    if (status == SHMX_OK) {
        status = reap_listed(&file, name, removed);
        shmx_lockfile_name_unlock(&file);
    }
    return status == SHMX_ENOENT ? SHMX_OK : status;
}
