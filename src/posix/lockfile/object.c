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

/* ---- attaching ---- */

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
    if (!plan->named || plan->label == NULL || (plan->flags & SHMX_PERSISTENT) != 0)
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
