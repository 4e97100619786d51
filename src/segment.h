/* SPDX-License-Identifier: MIT */
/* An attachment, as the locks and the queue need to see it. */
#ifndef SHMX_SEGMENT_H
#define SHMX_SEGMENT_H

#include "os.h"
#include "report.h"

struct shmx {
    struct shmx_attachment attachment;
    size_t size; /* the user's bytes */
    char name[SHMX_NAME_MAX + 1];
};

/* SHMX_OK if `bytes` bytes at `place` lie in the segment, aligned to 4, and may be written;
 * SHMX_EINVAL or SHMX_EACCES otherwise. `shm` and `place` may be NULL. */
static inline int shmx_segment_check(const shmx *shm, const void *place, size_t bytes)
{
    if (shm == NULL || place == NULL)
        return SHMX_EINVAL;
    uintptr_t offset = (uintptr_t)place - (uintptr_t)shm->attachment.data;
    if (offset % 4 != 0 || bytes > shm->size || offset > shm->size - bytes)
        return SHMX_EINVAL;
    return shm->attachment.read_only ? SHMX_EACCES : SHMX_OK;
}

#endif
