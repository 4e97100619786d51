/* SPDX-License-Identifier: MIT */
/* How an attachment ends, and a name: object.c has the rules. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ofd.h"

/* ---- close ---- */

/* Does the segment's name go with its last user, and does this attachment count as one? */
static bool counts(const struct shmx_attachment *attachment)
{
    bool transient = attachment->control != NULL && !attachment->guest &&
                     attachment->label.name_length != 0 &&
                     (attachment->label.flags & SHMX_PERSISTENT) == 0;
    return transient && !attachment->os.unlinked && !attachment->os.left;
}

/* Leave, and remove the name if nobody else is left. Of several that leave at once the last to
 * drop its lock finds no other. False: the descriptor is not the attachment's any more. */
static bool leave(struct shmx_attachment *attachment)
{
    int fd = attachment->os.fd;
    struct shmx_ofd_removal removal = {.annex = -1};
    /* The maker is likely to be the last, anybody else is not: one call is saved either way. All
     * bytes at once, as for less than that the kernel splits the lock that is there. */
    if (!attachment->os.creator || shmx_ofd_set_all(attachment, F_WRLCK) != 0) {
        if (shmx_ofd_set_all(attachment, F_UNLCK) != 0 && !shmx_ofd_intact(attachment))
            return false;
        if (shmx_ofd_held(fd, LOCK_USER) != F_UNLCK)
            return true;
        if (attachment->read_only)
            shmx_ofd_remove_dead(fd, attachment->label.name);
        if (attachment->read_only || shmx_ofd_removal_begin(&removal, fd, true) != 0)
            return true;
    }
    shmx_system.remove_name(attachment->label.name, attachment->os.device, attachment->os.inode);
    shmx_ofd_removal_end(&removal, true);
    return true;
}

/* Is leaving this process's business? Not if another process has the description, and so its locks:
 * these go with the last of them. Nor in a child made without the handlers of fork. */
static bool alone(const struct shmx_attachment *attachment)
{
    return !attachment->os.shared && shmx_posix_is_own();
}

void shmx_posix_leave_at_exit(struct shmx_attachment *attachment)
{
    shmx_ofd_annex_leave(attachment);
    if (!counts(attachment) || !alone(attachment))
        return;
    shmx_ofd_passed_close(attachment); /* first, as it is a user as well */
    attachment->os.left = leave(attachment);
}

static void give_up(struct shmx_attachment *attachment)
{
    bool removed, leaves = counts(attachment) && alone(attachment);
    bool intact = leaves ? leave(attachment) : shmx_ofd_intact(attachment);
    munmap(attachment->data, attachment->length);
    if (intact)
        close(attachment->os.fd);
    /* Locks that this process may not touch, or cannot: the name says whether they were the last.
     */
    if (counts(attachment) && !(leaves && intact))
        shmx_ofd_remove_if_dead(attachment->label.name, &removed);
}

void shmx_os_close(struct shmx_attachment *attachment)
{
    int before = shmx_os_last_error();
    shmx_posix_gate_enter();
    if (shmx_posix_is_own()) {
        shmx_posix_marks_end(attachment);
        shmx_ofd_annex_leave(attachment);
    } else {
        shmx_posix_marks_forget(attachment);
        shmx_ofd_annex_forget(attachment);
    }
    shmx_posix_detach(attachment);
    shmx_ofd_passed_close(attachment); /* first, as it is a user as well */
    give_up(attachment);
    shmx_posix_gate_leave();
    shmx_os_set_error(before);
}

/* ---- unlink ---- */

/* Unlink what fd leads to. SHMX_EAGAIN: look again by name. */
static int unlink_once(int fd, const char *name)
{
    enum shmx_os_kind kind;
    int status = shmx_ofd_judge(fd, name, &kind);
    if (status != SHMX_OK)
        return status;
    if (kind == SHMX_OS_DEAD)
        return shmx_ofd_remove_dead(fd, name) == SHMX_EAGAIN ? SHMX_EAGAIN : SHMX_ENOENT;
    struct shmx_ofd_removal removal;
    int error = shmx_ofd_removal_begin(&removal, fd, false);
    if (shmx_ofd_refused(error))
        return SHMX_EAGAIN;            /* another is about to remove it */
    if (error != 0 && error != ENOSYS) /* without locks it was not ours */
        return shmx_posix_error(error);
    status = shmx_ofd_remove_name_of(fd, name);
    shmx_ofd_removal_end(&removal, true);
    return status == SHMX_ENOENT ? SHMX_EAGAIN : status;
}

/* Unlink through an attachment that is there already. An object of ours gets one name only, so one
 * that has a name still has this one. */
static bool unlink_attached(struct shmx_attachment *attachment, int *status)
{
    struct shmx_ofd_removal removal;
    if (attachment->read_only || attachment->guest || attachment->os.unlinked ||
        !shmx_ofd_intact(attachment) ||
        shmx_ofd_removal_begin(&removal, attachment->os.fd, false) != 0)
        return false;
    *status = shmx_system.remove_name(attachment->label.name, attachment->os.device,
                                      attachment->os.inode);
    attachment->os.unlinked = *status == SHMX_OK || *status == SHMX_ENOENT;
    shmx_ofd_removal_end(&removal, attachment->os.unlinked);
    return *status == SHMX_OK;
}

int shmx_os_unlink(const char *name)
{
    int round = 0;
    int status = SHMX_OK;
    shmx_posix_gate_enter();
    bool done = shmx_posix_find(name, unlink_attached, &status);
    shmx_posix_gate_leave();
    if (done)
        return status;
    do {
        int fd;
        shmx_posix_gate_enter();
        status = shmx_system.open_name(name, 0, &fd);
        if (status == SHMX_OK) {
            status = unlink_once(fd, name);
            close(fd);
        }
        shmx_posix_gate_leave();
    } while (status == SHMX_EAGAIN && shmx_posix_patience(&round));
    return status;
}
