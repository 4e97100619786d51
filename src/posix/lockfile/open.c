/* SPDX-License-Identifier: MIT */
/* Opening what has a name: by its name file, or without one that could be believed. */
#include <unistd.h>

#include "lockfile.h"

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
        /* A process that may not remove it sees that it is dead all the same. */
        shmx_lockfile_remove_dead(file, search->name);
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

int shmx_os_open(struct shmx_attachment *attachment, const char *name, unsigned flags, bool hurry)
{
    struct search search = {.name = name, .flags = flags, .orphan = 0};
    int round = 0;
    int status;
    do {
        shmx_posix_gate_enter();
        status = open_once(attachment, &search);
        shmx_posix_gate_leave();
        if (hurry && !shmx_lockfile_is_short(round))
            break;
    } while (status == SHMX_EAGAIN && shmx_lockfile_patience(&round));
    return status;
}
