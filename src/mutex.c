/* SPDX-License-Identifier: MIT */
/* The mutex: a robust lock that a thread owns. */
#include "lock.h"

static int lock_checked(shmx *shm, shmx_mutex *mutex, int timeout_ms)
{
    int64_t deadline;
    int status = shmx_place_check(shm, mutex, sizeof *mutex);
    if (status == SHMX_OK)
        status = shmx_deadline(timeout_ms, &deadline);
    if (status != SHMX_OK)
        return shmx_refuse(status);
    return shmx_report(shmx_lock_acquire(shm, (struct shmx_lock *)mutex, deadline));
}

/* The fast path's check: the token stands for the rest, as a read-only attachment, or one in which
 * this system cannot wait, never gets one. */
static inline bool in_segment(const shmx *shm, const shmx_mutex *mutex)
{
    uintptr_t offset = (uintptr_t)mutex - (uintptr_t)shm->attachment.data;
    return offset % 4 == 0 && offset < shm->size && shm->size - offset >= sizeof *mutex;
}

int shmx_mutex_lock(shmx *shm, shmx_mutex *mutex, int timeout_ms)
{
    if (shm != NULL && timeout_ms >= SHMX_FOREVER && in_segment(shm, mutex) &&
        shmx_lock_quickly(shm, (struct shmx_lock *)mutex))
        return SHMX_OK;
    return lock_checked(shm, mutex, timeout_ms);
}

int shmx_mutex_unlock(shmx *shm, shmx_mutex *mutex)
{
    if (shm != NULL && in_segment(shm, mutex) &&
        shmx_lock_release(shm, (struct shmx_lock *)mutex) == SHMX_OK)
        return SHMX_OK;
    int status = shmx_place_check(shm, mutex, sizeof *mutex);
    return shmx_refuse(status == SHMX_OK ? SHMX_EPERM : status);
}
