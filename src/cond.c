/* SPDX-License-Identifier: MIT */
/*
 * The condition: an event, and a count of all that ever came to wait.
 *
 * A waiter takes its ticket while it holds the mutex, so a signal that follows a change made under
 * the mutex finds the event armed, and changes the number of that ticket: the waiter does not fall
 * asleep, or is woken. The order of the two looks, which events need a fence for, comes from the
 * mutex here.
 */
#include "quick.h"

static int sleep_until_signal(shmx *shm, struct cond *cond, uint32_t ticket, int64_t deadline)
{
    int status = SHMX_OK;
    if (deadline != SHMX_DEADLINE_PAST && shmx_spin(&cond->event, ticket))
        return SHMX_OK;
    do
        status = shmx_event_sleep(shm, &cond->event, ticket, deadline, SHMX_SLICE_LONG);
    while (status == SHMX_OK && atomic_load(&cond->event) == ticket);
    return status == SHMX_ETIMEDOUT && atomic_load(&cond->event) != ticket ? SHMX_OK : status;
}

/* The lock is held. */
static int wait_checked(shmx *shm, struct cond *cond, struct shmx_lock *lock, int64_t deadline)
{
    uint32_t ticket = shmx_event_prepare(&cond->event);
    atomic_fetch_add(&cond->arrivals, 1);
    shmx_lock_release(shm, lock);
    int status = sleep_until_signal(shm, cond, ticket, deadline);
    int locked = shmx_lock_acquire(shm, lock, SHMX_OS_NEVER);
    return locked != SHMX_OK ? locked : status;
}

int shmx_cond_wait(shmx *shm, shmx_cond *cond, shmx_mutex *mutex, int timeout_ms)
{
    int64_t deadline;
    struct shmx_lock *lock = (struct shmx_lock *)mutex;
    int status = shmx_place_check(shm, cond, sizeof *cond);
    if (status == SHMX_OK)
        status = shmx_place_check(shm, mutex, sizeof *mutex);
    if (status == SHMX_OK)
        status = shmx_deadline(timeout_ms, &deadline);
    if (status == SHMX_OK && !shmx_lock_held(shm, lock))
        status = SHMX_EPERM;
    if (status != SHMX_OK)
        return shmx_refuse(status);
    return shmx_report(wait_checked(shm, (struct cond *)cond, lock, deadline));
}

/* A signal without the mutex may wake one that came after it, while those that it was for sleep on.
 * If somebody came meanwhile all are woken; the newcomers, whose number is still that of the event,
 * sleep again. */
static int signal_one(shmx *shm, struct cond *cond)
{
    uint32_t arrivals = atomic_load(&cond->arrivals);
    int status = shmx_event_notify_zeroed(shm, &cond->event, 1);
    if (status != SHMX_OK || atomic_load(&cond->arrivals) == arrivals)
        return status;
    int woken = shmx_os_wake(&shm->attachment, &cond->event, SHMX_WAKE_ALL);
    return woken < 0 ? woken : SHMX_OK;
}

int shmx_cond_wake(shmx *shm, shmx_cond *cond, int count)
{
    int status = shmx_place_check(shm, cond, sizeof *cond);
    if (status != SHMX_OK)
        return shmx_refuse(status);
    struct cond *shared = (struct cond *)cond;
    status =
        count == 1 ? signal_one(shm, shared) : shmx_event_notify_zeroed(shm, &shared->event, count);
    return status == SHMX_OK ? SHMX_OK : shmx_result(status);
}
