/* SPDX-License-Identifier: MIT */
/* The mutex: a robust lock that a thread owns. */
#include "quick.h"

int shmx_mutex_lock_slowly(shmx *shm, shmx_mutex *mutex, int timeout_ms)
{
    int64_t deadline;
    int status = shmx_place_check(shm, mutex, sizeof *mutex);
    if (status == SHMX_OK)
        status = shmx_deadline(timeout_ms, &deadline);
    if (status != SHMX_OK)
        return shmx_refuse(status);
    return shmx_report(shmx_lock_acquire(shm, (struct shmx_lock *)mutex, deadline));
}

int shmx_mutex_unlock_slowly(shmx *shm, shmx_mutex *mutex)
{
    int status = shmx_place_check(shm, mutex, sizeof *mutex);
    if (status == SHMX_OK)
        status = shmx_lock_release(shm, (struct shmx_lock *)mutex);
    return status == SHMX_OK ? SHMX_OK : shmx_refuse(status);
}
