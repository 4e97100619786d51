/* SPDX-License-Identifier: MIT */
/* An attachment, as the locks and the queue need to see it. */
#ifndef SHMX_SEGMENT_H
#define SHMX_SEGMENT_H

#include "os.h"
#include "report.h"

struct shmx {
    struct shmx_attachment attachment;
    size_t size;   /* the user's bytes */
    size_t usable; /* ... where locks may lie: all or none */
    char name[SHMX_NAME_MAX + 1];
};

/* SHMX_OK if `bytes` bytes at `place` lie in the segment, aligned to 4, and may be written, and
 * this system can let processes wait there; SHMX_EINVAL, SHMX_EACCES or SHMX_ENOTSUP otherwise.
 * `shm` and `place` may be NULL. */
int shmx_place_check(const shmx *shm, const void *place, size_t bytes);

/* The same for a region of at least `least` bytes, aligned to 8; SHMX_ERANGE: it ends outside. */
int shmx_region_check(const shmx *shm, size_t offset, size_t size, size_t least);

/* Is the place good? For quick ways, which leave everything else to a call that begins again. */
static inline bool shmx_place_good(const shmx *shm, const void *place, size_t bytes)
{
    if (shm == NULL)
        return false;
    uintptr_t offset = (uintptr_t)place - (uintptr_t)shm->attachment.data;
    return offset % 4 == 0 && bytes <= shm->usable && offset <= shm->usable - bytes;
}

#endif
