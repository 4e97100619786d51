/* SPDX-License-Identifier: MIT */
/*
 * The semaphore: a count, and an event that says when it has become more.
 *
 * A token stays in the count until somebody takes it: a waiter killed after it was woken takes
 * nothing with it, and another finds the token at the end of its slice.
 */
#include "lock.h"

#define SLICE_MOST (16 * SHMX_SLICE)

struct sem {
    _Atomic uint32_t count;
    _Atomic uint32_t event;
};

static_assert(offsetof(shmx_sem, count) == offsetof(struct sem, count), "layout");
static_assert(offsetof(shmx_sem, event) == offsetof(struct sem, event), "layout");

static bool count_take(struct sem *sem)
{
    uint32_t count = atomic_load(&sem->count);
    while (count != 0) {
        /* Acquire: what was done before the post is seen. Relaxed on failure: only a number. */
        if (atomic_compare_exchange_weak_explicit(&sem->count, &count, count - 1,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    }
    return false;
}

static int wait_asleep(shmx *shm, struct sem *sem, int64_t deadline)
{
    int status = SHMX_OK;
    int64_t slice = SHMX_SLICE;
    for (;;) {
        uint32_t ticket = shmx_event_prepare(&sem->event);
        if (count_take(sem))
            return SHMX_OK;
        if (status != SHMX_OK)
            return status;
        status = shmx_event_sleep(shm, &sem->event, ticket, deadline, slice);
        slice = slice < SLICE_MOST ? 2 * slice : slice;
    }
}

int shmx_sem_wait(shmx *shm, shmx_sem *sem, int timeout_ms)
{
    int64_t deadline;
    int status = shmx_place_check(shm, sem, sizeof *sem);
    if (status == SHMX_OK)
        status = shmx_deadline(timeout_ms, &deadline);
    if (status != SHMX_OK)
        return shmx_refuse(status);
    struct sem *shared = (struct sem *)sem;
    if (count_take(shared))
        return SHMX_OK;
    if (deadline == SHMX_DEADLINE_PAST)
        return shmx_refuse(SHMX_ETIMEDOUT);
    if (shmx_spin(&shared->count, 0) && count_take(shared))
        return SHMX_OK;
    return shmx_report(wait_asleep(shm, shared, deadline));
}

/* Return false, and add nothing, if that would be too many. */
static bool count_add(struct sem *sem, unsigned count)
{
    uint32_t seen = atomic_load_explicit(&sem->count, memory_order_relaxed); /* checked by CAS */
    do {
        if (seen > (uint32_t)INT32_MAX || count > (uint32_t)INT32_MAX - seen)
            return false;
    } while (!atomic_compare_exchange_weak(&sem->count, &seen, seen + count));
    return true;
}

int shmx_sem_post(shmx *shm, shmx_sem *sem, unsigned count)
{
    int status = shmx_place_check(shm, sem, sizeof *sem);
    if (status == SHMX_OK && count == 0)
        status = SHMX_EINVAL;
    if (status != SHMX_OK)
        return shmx_refuse(status);
    struct sem *shared = (struct sem *)sem;
    if (!count_add(shared, count))
        return shmx_refuse(SHMX_EOVERFLOW);
    shmx_fence_behind();
    status = shmx_event_notify_zeroed(shm, &shared->event, (int)count);
    return status == SHMX_OK ? SHMX_OK : shmx_result(status);
}
