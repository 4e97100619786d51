/* SPDX-License-Identifier: MIT */
/* The quick ways: the lock is free, it is done already, nobody sleeps. */
#include "quick.h"

int shmx_mutex_lock(shmx *shm, shmx_mutex *mutex, int timeout_ms)
{
    if (timeout_ms >= SHMX_FOREVER && shmx_place_good(shm, mutex, sizeof *mutex) &&
        shmx_lock_quickly(shm, (struct shmx_lock *)mutex))
        return SHMX_OK;
    return shmx_mutex_lock_slowly(shm, mutex, timeout_ms);
}

int shmx_mutex_unlock(shmx *shm, shmx_mutex *mutex)
{
    if (shmx_place_good(shm, mutex, sizeof *mutex) &&
        shmx_lock_back_quickly(shm, (struct shmx_lock *)mutex))
        return SHMX_OK;
    return shmx_mutex_unlock_slowly(shm, mutex);
}

/* Nobody sleeps by a ticket from before this look, and so no newcomer is woken in place of one. */
static inline bool nobody_waits(const shmx *shm, const shmx_cond *cond)
{
    return shmx_place_good(shm, cond, sizeof *cond) &&
           shmx_event_quiet(&((const struct cond *)cond)->event);
}

int shmx_cond_signal(shmx *shm, shmx_cond *cond)
{
    return nobody_waits(shm, cond) ? SHMX_OK : shmx_cond_wake(shm, cond, 1);
}

int shmx_cond_broadcast(shmx *shm, shmx_cond *cond)
{
    return nobody_waits(shm, cond) ? SHMX_OK : shmx_cond_wake(shm, cond, SHMX_WAKE_ALL);
}

int shmx_sem_wait(shmx *shm, shmx_sem *sem, int timeout_ms)
{
    if (timeout_ms >= SHMX_FOREVER && shmx_place_good(shm, sem, sizeof *sem) &&
        sem_take((struct sem *)sem))
        return SHMX_OK;
    return shmx_sem_wait_slowly(shm, sem, timeout_ms);
}

/* Return false, and add nothing, if that would be too many. */
static inline bool count_add(struct sem *sem, unsigned count)
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
    struct sem *shared = (struct sem *)sem;
    if (count == 0 || !shmx_place_good(shm, sem, sizeof *sem) || !count_add(shared, count))
        return shmx_sem_post_refused(shm, sem, count);
    shmx_fence_behind();
    return shmx_event_quiet(&shared->event) ? SHMX_OK : shmx_sem_wake(shm, sem, (int)count);
}

int shmx_once_run(shmx *shm, shmx_once *once, int (*init)(void *context), void *context)
{
    if (init != NULL && shmx_place_good(shm, once, sizeof *once) &&
        once_is_done((struct once *)once))
        return SHMX_OK;
    return shmx_once_run_slowly(shm, once, init, context);
}

int shmx_wake(shmx *shm, uint32_t *word, int count)
{
    if (count >= 1 && shmx_place_good(shm, word, sizeof *word)) {
        /* The caller's change of the word before, the look at the count after. */
        atomic_thread_fence(memory_order_seq_cst);
        if (!shmx_sleepers_counted(shm, (_Atomic uint32_t *)word))
            return SHMX_OK;
    }
    return shmx_wake_slowly(shm, word, count);
}
