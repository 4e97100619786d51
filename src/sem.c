/* SPDX-License-Identifier: MIT */
/*
 * The semaphore: a count, and an event that says when it has become more.
 *
 * A token stays in the count until somebody takes it: a waiter killed after it was woken takes
 * nothing with it, and another finds the token at the end of its slice.
 */
#include "quick.h"

static int wait_asleep(shmx *shm, struct sem *sem, int64_t deadline)
{
    int status = SHMX_OK;
    for (;;) {
        uint32_t ticket = shmx_event_prepare(&sem->event);
        if (sem_take(sem))
            return SHMX_OK;
        if (status != SHMX_OK)
            return status;
        status = shmx_event_sleep(shm, &sem->event, ticket, deadline, SHMX_SLICE_LONG);
    }
}

int shmx_sem_wait_slowly(shmx *shm, shmx_sem *sem, int timeout_ms)
{
    int64_t deadline;
    int status = shmx_place_check(shm, sem, sizeof *sem);
    if (status == SHMX_OK)
        status = shmx_deadline(timeout_ms, &deadline);
    if (status == SHMX_OK && deadline == SHMX_DEADLINE_PAST)
        status = SHMX_ETIMEDOUT;
    if (status != SHMX_OK)
        return shmx_refuse(status);
    struct sem *shared = (struct sem *)sem;
    if (shmx_spin(&shared->count, 0) && sem_take(shared))
        return SHMX_OK;
    return shmx_report(wait_asleep(shm, shared, deadline));
}

int shmx_sem_post_refused(const shmx *shm, const shmx_sem *sem, unsigned count)
{
    int status = count == 0 ? SHMX_EINVAL : shmx_place_check(shm, sem, sizeof *sem);
    return shmx_refuse(status == SHMX_OK ? SHMX_EOVERFLOW : status);
}

int shmx_sem_wake(shmx *shm, shmx_sem *sem, int count)
{
    int status = shmx_event_notify_zeroed(shm, &((struct sem *)sem)->event, count);
    return status == SHMX_OK ? SHMX_OK : shmx_result(status);
}
