/* SPDX-License-Identifier: MIT */
/* How an attachment ends, and a name: object.c has the rules. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lockfile.h"

/* ---- close ---- */

/* Does the object have the name that the name file tells? SHMX_ENOENT: it does not. SHMX_EMFILE,
 * SHMX_ENOMEM: it cannot be told. */
static int still_named(const struct shmx_attachment *attachment,
                       const struct shmx_lockfile_name *file)
{
    struct shmx_lockfile_found found;
    const char *name = attachment->label.name;
    int status = shmx_lockfile_find(&found, name, (int)file->record.probe, SHMX_READ_ONLY);
    if (status != SHMX_OK)
        return status == SHMX_EMFILE || status == SHMX_ENOMEM ? status : SHMX_ENOENT;
    close(found.fd);
    bool same = shmx_lockfile_called(&found, name) && found.label.id == attachment->label.id &&
                found.owner == file->owner;
    return same ? SHMX_OK : SHMX_ENOENT;
}

/* The same without a name file. SHMX_ENOENT: it has no name any more. */
static int find_named(const struct shmx_attachment *attachment, struct shmx_lockfile_found *found)
{
    const char *name = attachment->label.name;
    int probes = shmx_lockfile_probes_of(name);
    for (int probe = 0; probe < probes; probe++) {
        if (shmx_lockfile_find(found, name, probe, SHMX_READ_ONLY) != SHMX_OK)
            continue;
        close(found->fd);
        if (shmx_lockfile_called(found, name) && found->label.id == attachment->label.id)
            return SHMX_OK;
    }
    return SHMX_ENOENT;
}

/* Somebody has taken the name file away, though the segment was not unlinked: make it again, to
 * remove the segment by it. */
static int replace_name_file(const struct shmx_attachment *attachment,
                             struct shmx_lockfile_name *file)
{
    const struct shmx_label *label = &attachment->label;
    struct shmx_lockfile_found found;
    int status = find_named(attachment, &found);
    if (status != SHMX_OK)
        return status; /* it was unlinked */
    status = shmx_lockfile_name_make(file, label->name, LOCKFILE_LOOKING, label->id);
    if (status != SHMX_OK)
        return status == SHMX_EEXIST ? SHMX_EAGAIN : status;
    /* The rest of the way is this process's alone, so the file need not say LIVE for others. */
    file->record.probe = (uint32_t)found.probe;
    file->record.state = LOCKFILE_LIVE;
    return SHMX_OK;
}

/* Remove it, or what is left of it. Another may sit down while we wait for the name file. Where
 * descriptors or memory are short all becomes as if this user had been killed. */
static void remove_named(const struct shmx_attachment *attachment, struct shmx_lockfile_name *file,
                         bool replaced)
{
    const char *name = attachment->label.name;
    int status = file->record.state == LOCKFILE_LIVE ? still_named(attachment, file) : SHMX_ENOENT;
    bool named = status == SHMX_OK, taken = false;
    if (status != SHMX_OK && status != SHMX_ENOENT) {
        if (replaced)
            shmx_lockfile_name_remove(file);
        return;
    }
    if (named && attachment->os.seat != 0 &&
        shmx_lockfile_seats_judge(file, file->record.id, &taken) != SHMX_OK)
        taken = true;
    if (named && !taken)
        shmx_lockfile_remove_segment(file, name);
    else if (!taken || replaced)
        shmx_lockfile_clean(file, name); /* another program took the name away */
}

/* The last user's way out, with the exclusive lock on the users file held. SHMX_EAGAIN: the name
 * file is locked. */
static int remove_as_last(struct shmx_attachment *attachment)
{
    struct shmx_lockfile_name file;
    const char *name = attachment->label.name;
    int status = shmx_lockfile_name_lock(&file, name);
    bool lost = status == SHMX_ENOENT;
    if (lost)
        status = replace_name_file(attachment, &file);
    if (status != SHMX_OK)
        return status;
    if (file.known && file.record.id == attachment->label.id)
        remove_named(attachment, &file, lost);
    shmx_lockfile_name_unlock(&file);
    return SHMX_OK;
}

/* Be a user no more; true if nobody else seems to be one. */
static bool leave_others(struct shmx_attachment *attachment)
{
    struct shmx_os_private *os = &attachment->os;
    uint64_t id = attachment->label.id;
    bool taken;
    if (!shmx_posix_tagged(os->user_fd, attachment))
        os->user_fd = -1;
    if (os->seat == 0)
        return shmx_lockfile_users_leave(id, os->shared, &os->user_fd);
    shmx_lockfile_seat_leave(id, os->user_fd, os->seat);
    os->user_fd = -1;
    return shmx_lockfile_seats_taken(id, &taken) == SHMX_OK && !taken;
}

static void leave(struct shmx_attachment *attachment, bool (*patience)(int *round))
{
    if (!leave_others(attachment))
        return;
    /* The holder of the name file finds that the last user is leaving, and lets go. */
    int round = 0;
    while (remove_as_last(attachment) == SHMX_EAGAIN)
        if (!patience(&round))
            return;
    /* A process that may write may have cut the object short; then reading this faults. */
    bool whole = (attachment->label.flags & SHMX_OTHERS_WRITE) == 0;
    shmx_lockfile_owners_sweep(attachment->label.id,
                               whole ? atomic_load(&attachment->control->next_owner) : UINT32_MAX);
}

void shmx_posix_leave_at_exit(struct shmx_attachment *attachment)
{
    if (attachment->os.user_fd < 0 || attachment->os.left)
        return;
    shmx_lockfile_owner_drop(attachment);
    shmx_lockfile_passed_close(attachment);    /* first, as it is a user as well */
    leave(attachment, shmx_lockfile_patience); /* the list is locked: forks wait for its end */
    attachment->os.left = true;
}

/* A child that is made without the handlers of fork has the parent's descriptions, and must not
 * touch their locks. */
static void close_borrowed(struct shmx_attachment *attachment)
{
    struct shmx_os_private *os = &attachment->os;
    shmx_posix_marks_forget(attachment);
    shmx_posix_close_tagged(&os->owner_fd, attachment);
    if (!shmx_posix_tagged(os->user_fd, attachment))
        os->user_fd = -1;
    shmx_lockfile_passed_close(attachment);
}

static void close_own(struct shmx_attachment *attachment)
{
    shmx_posix_marks_end(attachment);
    shmx_lockfile_owner_drop(attachment);
    shmx_lockfile_passed_close(attachment); /* first, as it is a user as well */
    shmx_posix_heir_drop(attachment);       /* ... like this one, in another's handler of fork */
    if (attachment->os.user_fd >= 0 && !attachment->os.left)
        leave(attachment, shmx_lockfile_patience_outside);
}

void shmx_os_close(struct shmx_attachment *attachment)
{
    int before = shmx_os_last_error();
    shmx_posix_gate_enter();
    if (shmx_posix_is_own())
        close_own(attachment);
    else
        close_borrowed(attachment);
    shmx_posix_detach(attachment);
    munmap(attachment->data, attachment->length);
    if (attachment->os.user_fd >= 0)
        close(attachment->os.user_fd);
    if (shmx_lockfile_intact(attachment, attachment->os.fd))
        close(attachment->os.fd);
    shmx_posix_gate_leave();
    shmx_os_set_error(before);
}

/* ---- unlink ---- */

/* There is no name file that could be believed. */
static int unlink_unlisted(const char *name)
{
    struct shmx_lockfile_found found;
    int status = shmx_lockfile_find_unlisted(&found, name, SHMX_READ_ONLY);
    if (status == SHMX_OK)
        close(found.fd);
    /* A segment that cannot be looked at can be removed all the same, if it is ours. */
    bool only = shmx_lockfile_probes_of(name) == 1 && status != SHMX_ENOENT;
    return status == SHMX_OK || only ? shmx_lockfile_unlink_object(name, found.probe) : status;
}

/* There is one of a neighbour. A segment is its owner's to unlink, though on some systems every
 * process that may write to the object could do it. */
static int unlink_neighbours(const char *name)
{
    struct shmx_lockfile_judged judged = {0};
    int status = shmx_lockfile_find_unlisted(&judged.found, name, SHMX_READ_ONLY);
    bool theirs = status == SHMX_OK && shmx_lockfile_called(&judged.found, name) &&
                  judged.found.owner != geteuid() && geteuid() != 0;
    if (!theirs) {
        if (status == SHMX_OK)
            close(judged.found.fd);
        return unlink_unlisted(name);
    }
    status = shmx_lockfile_judge_users(NULL, &judged);
    if (status != SHMX_OK)
        return status;
    shmx_lockfile_dismiss(&judged);
    return judged.kind == SHMX_OS_DEAD ? SHMX_ENOENT : shmx_posix_error(EACCES);
}

static int unlink_listed(struct shmx_lockfile_name *file, const char *name)
{
    struct shmx_lockfile_judged judged = {0};
    int status = shmx_lockfile_judge(file, name, SHMX_READ_ONLY, &judged);
    if (status == SHMX_ENOENT)
        shmx_lockfile_clean(file, name);
    if (status == SHMX_ENOENT || status == SHMX_EAGAIN)
        return status;
    if (status == SHMX_OK && judged.kind == SHMX_OS_LIVE) {
        status = shmx_lockfile_remove_segment(file, name);
        shmx_lockfile_dismiss(&judged);
        return status;
    }
    if (status == SHMX_OK && judged.kind == SHMX_OS_DEAD) {
        shmx_lockfile_remove_dead(file, name);
        shmx_lockfile_dismiss(&judged);
        return SHMX_ENOENT;
    }
    /* Another program's object, or one that we cannot make out. */
    shmx_lockfile_dismiss(&judged);
    status = unlink_unlisted(name);
    if (status == SHMX_OK || !shmx_lockfile_name_tells(file))
        shmx_lockfile_clean(file, name);
    return status;
}

static int unlink_once(const char *name)
{
    struct shmx_lockfile_name file;
    int status = shmx_lockfile_name_lock(&file, name);
    /* So that nobody makes what we look at. */
    if (status == SHMX_ENOENT)
        status = shmx_lockfile_name_make(&file, name, LOCKFILE_LOOKING, 0);
    /* Without one, for want of room, it can be looked at all the same. */
    if (status == SHMX_EPROTO || status == SHMX_EACCES || status == SHMX_ENOSPC)
        return unlink_neighbours(name);
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
