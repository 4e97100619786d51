/* SPDX-License-Identifier: MIT */
/*
 * The condition: a sequence number that each signal changes, and how many may be asleep on it.
 *
 * A waiter reads the number while it holds the mutex, so a signal that follows a change made under
 * the mutex comes with a later number, and the waiter does not sleep or is woken. A waiter that
 * was woken and killed took the signal with it only until the others, within a second, see
 * for themselves that the number is another: they return, as early returns are allowed. The same
 * holds for a signaller killed between the number and the wake. A waiter killed asleep leaves
 * `waiters` too high, which costs signallers a call of the system and nothing else.
 */
#include "lock.h"

struct cond {
    _Atomic uint32_t sequence;
    _Atomic uint32_t waiters;
};

static_assert(offsetof(shmx_cond, sequence) == offsetof(struct cond, sequence), "layout");
static_assert(offsetof(shmx_cond, waiters) == offsetof(struct cond, waiters), "layout");

static uint32_t sequence_of(const struct cond *cond)
{
    /* Relaxed: the mutex orders it against the change that is signalled. */
    return atomic_load_explicit(&cond->sequence, memory_order_relaxed);
}

static int sleep_until_signal(shmx *shm, struct cond *cond, uint32_t sequence, int64_t deadline)
{
    int status = SHMX_OK;
    int round = 0;
    if (deadline != SHMX_DEADLINE_PAST && shmx_spin(&cond->sequence, sequence))
        return SHMX_OK;
    while (status == SHMX_OK && sequence_of(cond) == sequence)
        status = shmx_sleep_round(&shm->attachment, &cond->sequence, sequence, deadline, &round);
    return status == SHMX_ETIMEDOUT && sequence_of(cond) != sequence ? SHMX_OK : status;
}

/* The lock is held. */
static int wait_checked(shmx *shm, struct cond *cond, struct shmx_lock *lock, int64_t deadline)
{
    uint32_t sequence = sequence_of(cond);
    /* Relaxed: the unlock publishes it, to who signals after a change made under the mutex. */
    atomic_fetch_add_explicit(&cond->waiters, 1, memory_order_relaxed);
    shmx_lock_release(shm, lock);
    int status = sleep_until_signal(shm, cond, sequence, deadline);
    atomic_fetch_sub_explicit(&cond->waiters, 1, memory_order_relaxed);
    int locked = shmx_lock_acquire(shm, lock, SHMX_OS_NEVER);
    return locked != SHMX_OK ? locked : status;
}

int shmx_cond_wait(shmx *shm, shmx_cond *cond, shmx_mutex *mutex, int timeout_ms)
{
    int64_t deadline;
    struct shmx_lock *lock = (struct shmx_lock *)mutex;
    int status = shmx_lock_check(shm, cond, sizeof *cond);
    if (status == SHMX_OK)
        status = shmx_lock_check(shm, mutex, sizeof *mutex);
    if (status == SHMX_OK)
        status = shmx_deadline(timeout_ms, &deadline);
    if (status == SHMX_OK && !shmx_lock_held(shm, lock))
        status = SHMX_EPERM;
    if (status != SHMX_OK)
        return shmx_refuse(status);
    return shmx_report(wait_checked(shm, (struct cond *)cond, lock, deadline));
}

static int wake(shmx *shm, shmx_cond *cond, int count)
{
    int status = shmx_lock_check(shm, cond, sizeof *cond);
    if (status != SHMX_OK)
        return shmx_refuse(status);
    struct cond *shared = (struct cond *)cond;
    /* Relaxed: see wait_checked. */
    if (atomic_load_explicit(&shared->waiters, memory_order_relaxed) == 0)
        return SHMX_OK;
    atomic_fetch_add(&shared->sequence, 1);
    return shmx_result(shmx_os_wake(&shm->attachment, &shared->sequence, count));
}

int shmx_cond_signal(shmx *shm, shmx_cond *cond)
{
    return wake(shm, cond, 1);
}

int shmx_cond_broadcast(shmx *shm, shmx_cond *cond)
{
    return wake(shm, cond, SHMX_WAKE_ALL);
}
