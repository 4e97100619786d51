/* SPDX-License-Identifier: MIT */
/* Judging what has a name, and who uses it. */
#include <unistd.h>

#include "lockfile.h"

/* ---- under the lock of the name file ---- */

bool shmx_lockfile_half_made(const struct shmx_lockfile_name *file,
                             const struct shmx_lockfile_found *found)
{
    if (found->owner != file->owner)
        return false;
    if (file->record.state == LOCKFILE_TRYING)
        return found->length == 0;
    bool whole = found->kind == SHMX_CONTROL_GOOD && found->label.id == file->record.id;
    return file->record.state == LOCKFILE_MADE && (found->kind == SHMX_CONTROL_NONE || whole);
}

/* SHMX_ENOENT: it has none. */
static int ask_for_users(const struct shmx_lockfile_name *file, struct shmx_lockfile_judged *judged)
{
    const struct shmx_lockfile_found *found = &judged->found;
    bool taken;
    if ((found->label.flags & SHMX_PERSISTENT) != 0)
        return SHMX_OK;
    if (!shmx_lockfile_has_seats(&found->label))
        return shmx_lockfile_users_join(found->label.id, found->owner, &judged->user_fd);
    int status = file != NULL ? shmx_lockfile_seats_judge(file, found->label.id, &taken)
                              : shmx_lockfile_seats_taken(found->label.id, &taken);
    return status == SHMX_OK && !taken ? SHMX_ENOENT : status;
}

int shmx_lockfile_judge_users(const struct shmx_lockfile_name *file,
                              struct shmx_lockfile_judged *judged)
{
    struct shmx_lockfile_found *found = &judged->found;
    judged->user_fd = -1;
    judged->kind = SHMX_OS_LIVE;
    int status = ask_for_users(file, judged);
    if (status == SHMX_ENOENT) {
        judged->kind = SHMX_OS_DEAD;
        status = SHMX_OK;
    }
    if (status != SHMX_OK)
        shmx_lockfile_close(&found->fd);
    return status;
}

int shmx_lockfile_judge(const struct shmx_lockfile_name *file, const char *name, unsigned flags,
                        struct shmx_lockfile_judged *judged)
{
    struct shmx_lockfile_found *found = &judged->found;
    judged->kind = SHMX_OS_FOREIGN;
    judged->user_fd = found->fd = -1;
    if (!shmx_lockfile_name_tells(file))
        return SHMX_OK;
    int status = shmx_lockfile_find(found, name, (int)file->record.probe, flags & SHMX_READ_ONLY);
    if (status != SHMX_OK)
        return status;
    /* Else it is a neighbour's; or another program has unlinked ours and made its own. */
    bool ours = found->owner == file->owner && found->kind != SHMX_CONTROL_NONE;
    if (ours && file->record.state == LOCKFILE_LIVE) {
        if (shmx_lockfile_called(found, name) && found->label.id == file->record.id)
            return shmx_lockfile_judge_users(file, judged);
        judged->kind = SHMX_OS_DAMAGED;
        return SHMX_OK;
    }
    status = shmx_lockfile_half_made(file, found) ? SHMX_ENOENT : SHMX_OK;
    shmx_lockfile_close(&found->fd);
    return status;
}

/* ---- without the lock of the name file ---- */

static bool still_there(const struct shmx_lockfile_found *found, const char *name)
{
    struct shmx_lockfile_found again;
    if (shmx_lockfile_find(&again, name, found->probe, SHMX_READ_ONLY) != SHMX_OK)
        return false;
    close(again.fd);
    return again.kind == found->kind && again.owner == found->owner &&
           (found->kind == SHMX_CONTROL_NONE ||
            (shmx_lockfile_called(&again, name) && again.label.id == found->label.id));
}

bool shmx_lockfile_surely_foreign(const struct shmx_lockfile_found *found, const char *name)
{
    return shmx_lockfile_name_admits(name, found->owner) && still_there(found, name);
}

/* The seat is taken first, and the mode of the name file looked at afterwards. A process that wants
 * to remove the segment changes the mode first, and looks for seats afterwards. The object is
 * looked at last, because the name file may be of another one by now. */
int shmx_lockfile_visit(const struct shmx_lockfile_found *found, int *fd, uint32_t *seat)
{
    const char *name = found->label.name;
    int round = 0;
    int status = shmx_lockfile_seat_take(found->label.id, name, fd, seat);
    if (status != SHMX_OK)
        return status;
    bool admitted = shmx_lockfile_name_admits(name, found->owner);
    while (still_there(found, name)) {
        if (admitted)
            return SHMX_OK;
        /* The process that changed the mode may see the seat, and admit others again. */
        if (!shmx_lockfile_is_short(round) || !shmx_lockfile_patience(&round))
            break;
        admitted = shmx_lockfile_name_admits(name, found->owner);
    }
    shmx_lockfile_seat_leave(found->label.id, *fd, *seat);
    *fd = -1;
    return SHMX_EAGAIN;
}

void shmx_lockfile_dismiss(struct shmx_lockfile_judged *judged)
{
    shmx_lockfile_close(&judged->user_fd);
    shmx_lockfile_close(&judged->found.fd);
}
