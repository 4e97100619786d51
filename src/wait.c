/* SPDX-License-Identifier: MIT */
/* Waiting on a word of the user's. */
#include "sleep.h"

int shmx_wait(shmx *shm, uint32_t *word, uint32_t expected, int timeout_ms)
{
    int64_t deadline;
    int status = shmx_place_check(shm, word, sizeof *word);
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
    return shmx_report(shmx_sleep_counted(shm, shared, expected, deadline));
}

int shmx_wake(shmx *shm, uint32_t *word, int count)
{
    int status = shmx_place_check(shm, word, sizeof *word);
    if (status == SHMX_OK && count < 1)
        status = SHMX_EINVAL;
    if (status != SHMX_OK)
        return shmx_refuse(status);
    _Atomic uint32_t *shared = (_Atomic uint32_t *)word;
    /* The caller's change of the word before, the look at the count after. */
    atomic_thread_fence(memory_order_seq_cst);
    if (!shmx_sleepers_counted(shm, shared))
        return SHMX_OK;
    int woken = shmx_os_wake(&shm->attachment, shared, count);
    return shmx_result(woken < 0 ? woken : SHMX_OK);
}
