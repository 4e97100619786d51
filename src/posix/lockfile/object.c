/* SPDX-License-Identifier: MIT */
/*
 * Objects on systems that refuse locks on them. docs/lockfile.md has the protocol; the rules are:
 *
 *   - Everything about a name happens under the lock of its name file, which is made before the
 *     object and taken away after it. A name file whose lock can be had while it does not say
 *     LOCKFILE_LIVE was left by a maker that died.
 *   - An object has a user as long as somebody holds a shared lock on its users file. A user comes
 *     under the lock of the name file, and only if it finds another. One that is open to others has
 *     seats in that file's place, as those others can lock neither: seats.c.
 *   - Before a name is removed its object is looked at: remove.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lockfile.h"

/* ---- descriptors ---- */

static void identify(struct shmx_attachment *attachment)
{
    struct stat facts;
    bool known = fstat(attachment->os.fd, &facts) == 0;
    attachment->os.user = geteuid();
    attachment->os.device = known ? (uint64_t)facts.st_dev : UINT64_MAX;
    attachment->os.inode = known ? (uint64_t)facts.st_ino : UINT64_MAX;
}

bool shmx_lockfile_intact(const struct shmx_attachment *attachment, int fd)
{
    struct stat facts;
    return fstat(fd, &facts) == 0 && (uint64_t)facts.st_dev == attachment->os.device &&
           (uint64_t)facts.st_ino == attachment->os.inode;
}

void shmx_lockfile_user_set(struct shmx_attachment *attachment, int fd, uint32_t seat)
{
    attachment->os.user_fd = fd;
    attachment->os.seat = seat;
    if (fd >= 0)
        shmx_posix_tag(fd, attachment);
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

/* True if an object that had no name file before ours is one of ours without a user. It is closed.
 */
static bool remove_orphan(const struct plan *plan, const struct shmx_lockfile_found *found)
{
    struct shmx_lockfile_judged judged = {.found = *found};
    if (shmx_lockfile_judge_users(&plan->file, &judged) != SHMX_OK)
        return false;
    bool dead = judged.kind == SHMX_OS_DEAD &&
                shmx_lockfile_unlink_object(plan->name, plan->probe) == SHMX_OK;
    if (dead)
        shmx_lockfile_users_remove(found->label.id, found->owner);
    shmx_lockfile_dismiss(&judged);
    return dead;
}

/* Is there something under a name of the system that we want? SHMX_OK: try the same again;
 * SHMX_EAGAIN: try the next. */
static int occupied(struct plan *plan)
{
    struct shmx_lockfile_found found;
    int status = shmx_lockfile_find(&found, plan->name, plan->probe, SHMX_READ_ONLY);
    if (status == SHMX_ENOENT)
        return SHMX_OK;
    if (status == SHMX_EMFILE)
        return status;
    if (status != SHMX_OK)
        return SHMX_EEXIST;
    bool same = shmx_lockfile_called(&found, plan->name);
    if (!same)
        close(found.fd);
    else if (remove_orphan(plan, &found))
        return SHMX_OK;
    return same || shmx_lockfile_probes_of(plan->name) == 1 ? SHMX_EEXIST : SHMX_EAGAIN;
}

/* Make the object under the first name of the system that is free. */
static int place(struct plan *plan, int *fd)
{
    char path[SHMX_POSIX_OBJECT_MAX];
    int probes = shmx_lockfile_probes_of(plan->name);
    while (plan->probe < probes) {
        shmx_lockfile_object_path(path, plan->name, plan->probe);
        int status = shmx_lockfile_name_mark(&plan->file, LOCKFILE_TRYING, plan->probe);
        if (status == SHMX_OK)
            status = shmx_system.make(path, plan->flags, fd);
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

/* Say that it is whole. A raw object needs no name file any more. */
static int announce(struct plan *plan)
{
    if (!plan->named || plan->label == NULL)
        return shmx_lockfile_name_remove(&plan->file);
    int status = shmx_lockfile_name_mark(&plan->file, LOCKFILE_LIVE, plan->probe);
    return status == SHMX_OK ? shmx_lockfile_name_admit(&plan->file, true) : status;
}

/* The lock of the name file is held. */
static int build(struct shmx_attachment *attachment, struct plan *plan)
{
    int fd;
    int status = place(plan, &fd);
    if (status != SHMX_OK)
        return status;
    shmx_posix_start(attachment, fd, plan->label == NULL);
    identify(attachment);
    bool named = true;
    if (!plan->named) {
        status = shmx_lockfile_unlink_object(plan->name, plan->probe);
        named = status != SHMX_OK;
    } else {
        status = shmx_lockfile_name_mark(&plan->file, LOCKFILE_MADE, plan->probe);
    }
    if (status == SHMX_OK)
        status = shmx_posix_fill(attachment, fd, plan->length, plan->flags);
    if (status != SHMX_OK)
        goto close_fd;
    if (plan->label != NULL)
        shmx_lockfile_label_write(attachment, plan->label);
    status = announce(plan);
    if (status == SHMX_OK)
        return SHMX_OK;
    munmap(attachment->data, attachment->length);
close_fd:
    if (named)
        shmx_lockfile_unlink_object(plan->name, plan->probe);
    close(fd);
    return status;
}

/* Be the first user. *fd -1: none is counted. */
static int be_first(const struct plan *plan, int *fd, uint32_t *seat)
{
    uint64_t id = plan->file.record.id;
    *fd = -1;
    *seat = 0;
    if (!counts_users(plan))
        return SHMX_OK;
    if (shmx_lockfile_has_seats(plan->label))
        return shmx_lockfile_seat_take(id, plan->name, fd, seat);
    return shmx_lockfile_users_make(id, plan->name, fd);
}

/* A name file of ours is there, and locked. */
static int build_with_users(struct shmx_attachment *attachment, struct plan *plan)
{
    int user_fd;
    uint32_t seat;
    uint64_t id = plan->file.record.id;
    int status = be_first(plan, &user_fd, &seat);
    if (status == SHMX_OK)
        status = build(attachment, plan);
    if (status == SHMX_OK) {
        shmx_lockfile_user_set(attachment, user_fd, seat);
        shmx_posix_attach(attachment);
        return SHMX_OK;
    }
    if (seat != 0) {
        shmx_lockfile_seat_leave(id, user_fd, seat);
    } else if (user_fd >= 0) {
        shmx_lockfile_users_remove(id, geteuid());
        close(user_fd);
    }
    shmx_lockfile_name_remove(&plan->file);
    return status;
}

/* The segment that a name file leads to makes room, if it may. */
static int make_room_listed(struct shmx_lockfile_name *file, const char *name)
{
    struct shmx_lockfile_judged judged = {0};
    int status = shmx_lockfile_judge(file, name, SHMX_READ_ONLY, &judged);
    if (status == SHMX_EAGAIN || status == SHMX_EMFILE)
        return status;
    if (status == SHMX_ENOENT || (status == SHMX_OK && judged.kind == SHMX_OS_FOREIGN))
        return shmx_lockfile_clean(file, name);
    if (status != SHMX_OK)
        return SHMX_EEXIST;
    status = SHMX_EEXIST;
    if (judged.kind == SHMX_OS_DEAD)
        status = shmx_lockfile_remove_dead(file, name);
    else if (shmx_lockfile_leave_judged(file, name, &judged.user_fd))
        status = SHMX_OK;
    shmx_lockfile_dismiss(&judged);
    return status;
}

/* A name file is there already. SHMX_OK: not any more. */
static int make_room(const char *name)
{
    struct shmx_lockfile_name file;
    int status = shmx_lockfile_name_lock(&file, name);
    if (status == SHMX_ENOENT)
        return SHMX_OK;
    if (status == SHMX_OK) {
        status = make_room_listed(&file, name);
        shmx_lockfile_name_unlock(&file);
    }
    /* A neighbour has put it there. */
    return status == SHMX_EACCES || status == SHMX_EPROTO ? SHMX_EEXIST : status;
}

/* Rounds in which others may make what we have made room for. */
#define ROUNDS_MAX 16

static int create_once(struct shmx_attachment *attachment, struct plan *plan)
{
    uint64_t id = plan->label != NULL ? plan->label->id : 0;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        int status = shmx_lockfile_name_make(&plan->file, plan->name, LOCKFILE_TRYING, id);
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

/* ---- open ---- */

int shmx_lockfile_attach(struct shmx_attachment *attachment, int fd, uint64_t length,
                         const struct shmx_label *label, unsigned flags)
{
    int status = length > SIZE_MAX ? shmx_posix_error(ENOMEM) : SHMX_OK;
    shmx_posix_start(attachment, fd, (flags & SHMX_RAW) != 0);
    identify(attachment);
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
        shmx_system.prefault(attachment);
    shmx_posix_attach(attachment);
    return SHMX_OK;
}

/* Left by a round of looking for the next. */
struct search {
    const char *name;
    unsigned flags;
    uint64_t orphan; /* id of a segment of ours without a name file that was seen last */
};

/* An object without a control block: what another program made, or a raw one. */
static int open_foreign(struct shmx_attachment *attachment, const struct shmx_lockfile_found *found,
                        unsigned flags)
{
    if (found->length == 0) {
        close(found->fd);
        return SHMX_EAGAIN; /* its maker is about to size it */
    }
    return shmx_lockfile_attach(attachment, found->fd, found->length, NULL, flags);
}

/* An object that looks foreign, but that one of us may be making at this moment: look again while
 * no segment of that name can be made. */
static int open_if_foreign(struct shmx_attachment *attachment, const struct search *search,
                           int probe)
{
    struct shmx_lockfile_name file;
    struct shmx_lockfile_found found;
    file.fd = -1;
    int status = shmx_lockfile_name_make(&file, search->name, LOCKFILE_LOOKING, 0);
    if (status == SHMX_EEXIST || status == SHMX_EAGAIN)
        return SHMX_EAGAIN;
    /* Without the right to make a file one can do no better than see that there is none. */
    if (status != SHMX_OK && shmx_lockfile_name_there(search->name))
        return SHMX_EAGAIN;
    bool made = status == SHMX_OK;
    status = shmx_lockfile_find(&found, search->name, probe, search->flags);
    if (status == SHMX_OK && found.kind == SHMX_CONTROL_NONE) {
        status = open_foreign(attachment, &found, search->flags);
    } else if (status == SHMX_OK) {
        close(found.fd);
        status = SHMX_EAGAIN;
    }
    if (made) {
        shmx_lockfile_name_remove(&file);
        shmx_lockfile_name_unlock(&file);
    }
    return status;
}

/* Attach to a LIVE segment. `listed`: under the lock of its name file. */
static int open_live(struct shmx_attachment *attachment, struct shmx_lockfile_judged *judged,
                     unsigned flags, bool listed)
{
    struct shmx_lockfile_found *found = &judged->found;
    uint64_t id = found->label.id;
    uint32_t seat = 0;
    int status = SHMX_OK;
    if (shmx_lockfile_has_seats(&found->label) && (flags & SHMX_RAW) == 0)
        status = listed ? shmx_lockfile_seat_take(id, found->label.name, &judged->user_fd, &seat)
                        : shmx_lockfile_visit(found, &judged->user_fd, &seat);
    if (status != SHMX_OK)
        return status;
    status = shmx_lockfile_attach(attachment, found->fd, found->length, &found->label, flags);
    found->fd = -1;
    if (status == SHMX_OK && !attachment->guest) {
        shmx_lockfile_user_set(attachment, judged->user_fd, seat);
        judged->user_fd = -1;
    } else if (seat != 0) {
        shmx_lockfile_seat_leave(id, judged->user_fd, seat);
        judged->user_fd = -1;
    }
    return status;
}

/* The name file of an object that is looked for by its own name, as far as it can be known. */
enum unlisted {
    NOT_THERE,  /* and so nobody made the object when that was seen */
    NEIGHBOURS, /* only its owner can lock it */
    WATCHED     /* nobody makes an object of that name now */
};

/* One of ours, but there is no name file. Either it came this moment, or is gone: then the next
 * look tells. Or somebody has taken the file away, and the users alone say that they live. Or it is
 * another user's. */
static int open_orphan(struct shmx_attachment *attachment, struct shmx_lockfile_judged *judged,
                       struct search *search, enum unlisted how)
{
    if (how != NEIGHBOURS && search->orphan != judged->found.label.id) {
        search->orphan = judged->found.label.id;
        close(judged->found.fd);
        return SHMX_EAGAIN;
    }
    int status = shmx_lockfile_judge_users(NULL, judged);
    if (status != SHMX_OK)
        return status;
    status = judged->kind == SHMX_OS_LIVE ? open_live(attachment, judged, search->flags, false)
                                          : SHMX_ENOENT;
    shmx_lockfile_dismiss(judged);
    return status;
}

/* There is no name file that could be believed. */
static int open_unlisted(struct shmx_attachment *attachment, struct search *search,
                         enum unlisted how)
{
    struct shmx_lockfile_judged judged = {0};
    struct shmx_lockfile_found *found = &judged.found;
    int status = shmx_lockfile_find_unlisted(found, search->name, search->flags);
    if (status != SHMX_OK)
        return status;
    bool none = found->kind == SHMX_CONTROL_NONE;
    if (shmx_lockfile_called(found, search->name))
        return open_orphan(attachment, &judged, search, how);
    if ((search->flags & SHMX_RAW) != 0 || (none && how == WATCHED) ||
        (none && how == NEIGHBOURS && shmx_lockfile_surely_foreign(found, search->name)))
        return open_foreign(attachment, found, search->flags);
    close(found->fd);
    if (none && how == NOT_THERE)
        return open_if_foreign(attachment, search, found->probe);
    return none ? SHMX_EAGAIN : SHMX_EPROTO;
}

/* `file` is locked. SHMX_EAGAIN: look again. */
static int open_listed(struct shmx_attachment *attachment, struct search *search,
                       struct shmx_lockfile_name *file)
{
    struct shmx_lockfile_judged judged = {0};
    int status = shmx_lockfile_judge(file, search->name, search->flags, &judged);
    if (status == SHMX_ENOENT)
        shmx_lockfile_clean(file, search->name);
    if (status != SHMX_OK)
        return status;
    switch (judged.kind) {
    case SHMX_OS_LIVE:
        status = open_live(attachment, &judged, search->flags, true);
        shmx_lockfile_leave_judged(file, search->name, &judged.user_fd);
        break;
    case SHMX_OS_DEAD:
        shmx_lockfile_remove_dead(file,
                                  search->name); /* who may not sees that it is, all the same */
        status = SHMX_ENOENT;
        break;
    case SHMX_OS_FOREIGN:
        if (shmx_lockfile_name_tells(file) || shmx_lockfile_clean(file, search->name) != SHMX_OK)
            return open_unlisted(attachment, search, WATCHED);
        return SHMX_EAGAIN;
    default:
        status = SHMX_EPROTO;
        if ((search->flags & SHMX_RAW) != 0)
            return open_foreign(attachment, &judged.found, search->flags);
    }
    shmx_lockfile_dismiss(&judged);
    return status;
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
    if (status == SHMX_EACCES || status == SHMX_EPROTO)
        return open_unlisted(attachment, search, NEIGHBOURS);
    return status == SHMX_ENOENT ? open_unlisted(attachment, search, NOT_THERE) : status;
}

int shmx_os_open(struct shmx_attachment *attachment, const char *name, unsigned flags)
{
    struct search search = {.name = name, .flags = flags, .orphan = 0};
    int round = 0;
    int status;
    do {
        shmx_posix_gate_enter();
        status = open_once(attachment, &search);
        shmx_posix_gate_leave();
    } while (status == SHMX_EAGAIN && shmx_lockfile_patience(&round));
    return status;
}
