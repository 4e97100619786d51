/* SPDX-License-Identifier: MIT */
/* Owner tokens on Linux: an attachment holds the write lock on the byte that its token names, and
 * the kernel drops it when the process ends or executes another program. */
#include <errno.h>
#include <fcntl.h>

#include "ofd.h"

static int claim(struct shmx_attachment *attachment, uint32_t *token)
{
    for (;;) {
        int status = shmx_posix_token_next(attachment, token);
        if (status != SHMX_OK)
            return status;
        int error = shmx_ofd_set(attachment->os.fd, F_WRLCK, LOCK_OWNERS + (off_t)*token, 1);
        if (error == 0)
            return SHMX_OK;
        if (error != EAGAIN && error != EACCES)
            return shmx_posix_error(error);
    }
}

int shmx_os_owner_claim(struct shmx_attachment *attachment, uint32_t *token)
{
    *token = atomic_load_explicit(&attachment->owner, memory_order_relaxed); /* changes once */
    return *token != 0 ? SHMX_OK : shmx_posix_claim_once(attachment, token, claim);
}

int shmx_os_owner_alive(struct shmx_attachment *attachment, uint32_t token, bool *alive)
{
    *alive = true;
    /* The kernel reports other descriptions' locks only. */
    if (token == atomic_load_explicit(&attachment->owner, memory_order_relaxed))
        return SHMX_OK;
    int held = shmx_ofd_held(attachment->os.fd, LOCK_OWNERS + (off_t)token);
    if (held < 0)
        return shmx_posix_error(errno);
    *alive = held != F_UNLCK;
    return SHMX_OK;
}
