/* SPDX-License-Identifier: MIT */
/*
 * The semaphore: a count, and how many may be asleep.
 *
 * A poster adds to the count and then looks for waiters; a waiter announces itself and then looks
 * at the count. Both steps are sequentially consistent on both sides, so one sees the other. The
 * token stays in the count until somebody takes it: a waiter killed after it was woken takes
 * nothing with it, and another finds the token within a second. A waiter killed asleep leaves
 * `waiters` too high, which costs posters a call of the system and nothing else.
 */
#include "lock.h"

struct sem {
    _Atomic uint32_t count;
    _Atomic uint32_t waiters;
};

static_assert(offsetof(shmx_sem, count) == offsetof(struct sem, count), "layout");
static_assert(offsetof(shmx_sem, waiters) == offsetof(struct sem, waiters), "layout");

static bool take(struct sem *sem)
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

static int wait_announced(shmx *shm, struct sem *sem, int64_t deadline)
{
    int status = SHMX_OK;
    int round = 0;
    atomic_fetch_add(&sem->waiters, 1);
    bool taken = take(sem);
    while (!taken && status == SHMX_OK) {
        status = shmx_sleep_round(&shm->attachment, &sem->count, 0, deadline, &round);
        taken = take(sem);
    }
    atomic_fetch_sub(&sem->waiters, 1);
    return taken ? SHMX_OK : status;
}

int shmx_sem_wait(shmx *shm, shmx_sem *sem, int timeout_ms)
{
    int64_t deadline;
    int status = shmx_lock_check(shm, sem, sizeof *sem);
    if (status == SHMX_OK)
        status = shmx_deadline(timeout_ms, &deadline);
    if (status != SHMX_OK)
        return shmx_refuse(status);
    struct sem *shared = (struct sem *)sem;
    if (take(shared))
        return SHMX_OK;
    if (deadline == SHMX_DEADLINE_PAST)
        return shmx_refuse(SHMX_ETIMEDOUT);
    if (shmx_spin(&shared->count, 0) && take(shared))
        return SHMX_OK;
    return shmx_report(wait_announced(shm, shared, deadline));
}

/* Return false, and add nothing, if that would be too many. */
static bool add(struct sem *sem, unsigned count)
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
    int status = shmx_lock_check(shm, sem, sizeof *sem);
    if (status == SHMX_OK && count == 0)
        status = SHMX_EINVAL;
    if (status != SHMX_OK)
        return shmx_refuse(status);
    struct sem *shared = (struct sem *)sem;
    if (!add(shared, count))
        return shmx_refuse(SHMX_EOVERFLOW);
    if (atomic_load(&shared->waiters) == 0)
        return SHMX_OK;
    return shmx_result(shmx_os_wake(&shm->attachment, &shared->count, (int)count));
}
