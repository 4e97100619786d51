/* SPDX-License-Identifier: MIT */
/* Waiting on a word of the user's. */
#include "quick.h"

static int watch(const _Atomic uint32_t *word, uint32_t expected, int64_t deadline)
{
    int64_t pause = SHMX_UNANNOUNCED;
    while (atomic_load(word) == expected)
        if (!shmx_nap(deadline, &pause, SHMX_UNANNOUNCED))
            return SHMX_ETIMEDOUT;
    return SHMX_OK;
}

/* As shmx_place_check, but the place need not be writable. */
static int wait_check(const shmx *shm, const void *word)
{
    int status = shmx_place_check(shm, word, sizeof(uint32_t));
    return status == SHMX_EACCES ? SHMX_OK : status;
}

int shmx_wait(shmx *shm, uint32_t *word, uint32_t expected, int timeout_ms)
{
    int64_t deadline;
    int status = wait_check(shm, word);
    if (status == SHMX_OK)
        status = shmx_deadline(timeout_ms, &deadline);
    if (status != SHMX_OK)
        return shmx_refuse(status);
    _Atomic uint32_t *shared = (_Atomic uint32_t *)word;
    if (atomic_load(shared) != expected)
        return SHMX_OK;
    if (deadline == SHMX_DEADLINE_PAST)
        return shmx_refuse(SHMX_ETIMEDOUT);
    if (shmx_spin(shared, expected))
        return SHMX_OK;
    if (shm->attachment.read_only)
        return shmx_report(watch(shared, expected, deadline));
    return shmx_report(shmx_sleep_counted(shm, shared, expected, deadline));
}

int shmx_wake_slowly(shmx *shm, uint32_t *word, int count)
{
    int status = shmx_place_check(shm, word, sizeof *word);
    if (status == SHMX_OK && count < 1)
        status = SHMX_EINVAL;
    if (status != SHMX_OK)
        return shmx_refuse(status);
    int woken = shmx_os_wake(&shm->attachment, (_Atomic uint32_t *)word, count);
    return shmx_result(woken < 0 ? woken : SHMX_OK);
}
