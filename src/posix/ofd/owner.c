/* SPDX-License-Identifier: MIT */
/* Owner tokens and marks on Linux: an attachment holds the lock on the byte that its token or mark
 * names, and the kernel drops it when the process ends or executes another program. */
#include <errno.h>
#include <fcntl.h>

#include "ofd.h"

/* So many places are tried: where there is no annex, others can hold locks on all of them. */
#define TRIES_MOST 256

/* Are locks set, or found to be nobody's, in the attachment's own name? Not through the parent's
 * description: the kernel would keep them for the parent, and reports other descriptions' locks
 * only. Nor through a descriptor that is another file's by now. */
static int description_check(const struct shmx_attachment *attachment)
{
    if (attachment->os.borrowed)
        return shmx_posix_error(EMFILE);
    return shmx_ofd_intact(attachment) ? SHMX_OK : shmx_posix_error(EBADF);
}

int shmx_posix_claim(struct shmx_attachment *attachment, uint32_t *token)
{
    int status = description_check(attachment);
    if (status != SHMX_OK)
        return status;
    for (int tries = 0; tries < TRIES_MOST; tries++) {
        status = shmx_control_token(attachment->control, token);
        if (status != SHMX_OK)
            return status;
        int error = shmx_ofd_firm_set(attachment, LOCK_OWNERS + (off_t)*token);
        if (error == 0)
            return SHMX_OK;
        if (!shmx_ofd_refused(error))
            return shmx_posix_error(error);
    }
    return shmx_posix_error(EACCES);
}

int shmx_os_owner_alive(struct shmx_attachment *attachment, uint32_t token, bool *alive)
{
    *alive = true;
    /* The kernel reports other descriptions' locks only. */
    if (token == atomic_load_explicit(&attachment->owner, memory_order_relaxed))
        return SHMX_OK;
    shmx_posix_gate_enter();
    int held = shmx_ofd_firm_held(attachment, LOCK_OWNERS + (off_t)token, 1);
    int error = errno;
    shmx_posix_gate_leave();
    if (held < 0)
        return shmx_posix_error(error);
    int status = held == F_UNLCK ? description_check(attachment) : SHMX_OK;
    *alive = held != F_UNLCK || status != SHMX_OK;
    return status;
}

/* Everybody who may open the object may hold a read lock, and only those who may write it a write
 * lock; so a mark of the second kind cannot be pretended. */
static off_t place_of(enum shmx_os_space space, uint32_t key, uint32_t number)
{
    if (space == SHMX_OS_PRESENT)
        return LOCK_PRESENT + (off_t)key;
    return LOCK_JOINED + (off_t)(key % JOINED_KEYS) * JOINED_EACH + (off_t)number;
}

int shmx_posix_mark_make(struct shmx_attachment *attachment, struct shmx_posix_mark *mark)
{
    off_t place = place_of(mark->space, mark->key, mark->number);
    int status = description_check(attachment);
    if (status != SHMX_OK)
        return status;
    int error = mark->space == SHMX_OS_PRESENT ? shmx_ofd_set(attachment->os.fd, F_RDLCK, place, 1)
                                               : shmx_ofd_firm_set(attachment, place);
    if (error == EAGAIN)
        error = EACCES;
    return error == 0 ? SHMX_OK : shmx_posix_error(error);
}

void shmx_posix_mark_end(struct shmx_attachment *attachment, struct shmx_posix_mark *mark)
{
    shmx_ofd_firm_drop(attachment, place_of(mark->space, mark->key, mark->number));
}

int shmx_posix_mark_held(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key,
                         uint32_t number, bool *held)
{
    (void)number; /* the kernel reports other descriptions' locks only */
    off_t place = place_of(space, key, 0);
    int found = space == SHMX_OS_PRESENT ? shmx_ofd_held(attachment->os.fd, place)
                                         : shmx_ofd_firm_held(attachment, place, JOINED_EACH);
    if (found < 0)
        return shmx_posix_error(errno);
    *held = found != F_UNLCK;
    return *held ? SHMX_OK : description_check(attachment);
}

int shmx_posix_mark_find(struct shmx_attachment *attachment, uint32_t from, uint32_t *key)
{
    off_t place = place_of(SHMX_OS_PRESENT, from, 0), first;
    off_t end = place_of(SHMX_OS_PRESENT, UINT32_MAX, 0) + 1;
    int found = shmx_ofd_first(attachment->os.fd, place, end - place, &first);
    if (found < 0)
        return shmx_posix_error(errno);
    int status = found == F_UNLCK ? description_check(attachment) : SHMX_OK;
    if (found == F_UNLCK)
        return status == SHMX_OK ? SHMX_ENOENT : status;
    *key = from + (uint32_t)(first - place);
    return SHMX_OK;
}
