/* SPDX-License-Identifier: MIT */
/* The gate that keeps forks out while descriptors are opened or closed, and the lock of the list of
 * attachments, which is taken inside. */
#include <pthread.h>
#include <string.h>

#include "system/system.h"

/*
 * Threads inside open and close descriptors; a fork waits until there are none. A read-write lock
 * would do the same, but Darwin's cannot be made anew in a child.
 *
 * All threads change one word, and so in one order. One that enters counts itself and sees in the
 * same step whether a fork has begun; if so it goes back, and comes in after the fork, whose lock
 * it has meanwhile. A fork that has begun finds in the word all that were counted before it, and
 * each of them sees it when it leaves; the last one wakes it under a lock that the fork only gives
 * up asleep.
 */
struct gate {
    _Atomic uint32_t state;    /* threads inside, and FORK */
    pthread_mutex_t fork_lock; /* from FORK's coming until it has gone */
    pthread_mutex_t list_lock; /* guards the list of attachments and their tokens; taken inside */
    pthread_cond_t empty;
};

#define FORK 0x80000000u

static const struct gate gate_new = {0, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                     PTHREAD_COND_INITIALIZER};
static struct gate gate = {0, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                           PTHREAD_COND_INITIALIZER};

/* ---- what this thread is at ---- */

/* How deep it is inside the gate: a signal handler that forks there can neither wait for itself nor
 * touch what is half-done. */
static _Thread_local volatile unsigned busy;

/* It forks: between our handlers it has the gate and the list for itself, and handlers of others
 * may use the library. */
static _Thread_local bool forking;

/* ---- cancellation ---- */

static _Thread_local int cancelable; /* while it is disabled: what it was */

static void cancel_disable(void)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelable);
}

static void cancel_restore(void)
{
    int disabled;
    pthread_setcancelstate(cancelable, &disabled);
}

/* ---- the gate ---- */

static void uncount(void)
{
    if (atomic_fetch_sub(&gate.state, 1) != FORK + 1)
        return;
    pthread_mutex_lock(&gate.list_lock);
    pthread_cond_signal(&gate.empty);
    pthread_mutex_unlock(&gate.list_lock);
}

void shmx_posix_gate_enter(void)
{
    if (forking)
        return;
    busy++;
    cancel_disable();
    if (atomic_fetch_add(&gate.state, 1) < FORK)
        return;
    uncount();
    pthread_mutex_lock(&gate.fork_lock);
    atomic_fetch_add(&gate.state, 1);
    pthread_mutex_unlock(&gate.fork_lock);
}

void shmx_posix_gate_leave(void)
{
    if (forking)
        return;
    uncount();
    cancel_restore();
    busy--;
}

/* ---- for a fork ---- */

bool shmx_posix_gate_shut(void)
{
    if (busy != 0)
        return false;
    cancel_disable();
    pthread_mutex_lock(&gate.fork_lock);
    atomic_fetch_add(&gate.state, FORK); /* new ones wait, or some would always be inside */
    pthread_mutex_lock(&gate.list_lock);
    while (atomic_load(&gate.state) != FORK)
        pthread_cond_wait(&gate.empty, &gate.list_lock);
    pthread_mutex_unlock(&gate.list_lock);
    forking = true;
    return true;
}

void shmx_posix_gate_open(void)
{
    forking = false;
    atomic_fetch_sub(&gate.state, FORK);
    pthread_mutex_unlock(&gate.fork_lock);
    cancel_restore();
}

/* Made anew instead of unlocked: in the child the thread that locked it has another id, which some
 * systems notice. No other thread is there. */
void shmx_posix_gate_renew(void)
{
    memcpy(&gate, &gate_new, sizeof gate);
    forking = false;
    cancel_restore();
}

bool shmx_posix_is_forking(void)
{
    return forking;
}

/* ---- the lock of the list ---- */

void shmx_posix_list_lock(void)
{
    if (!forking)
        pthread_mutex_lock(&gate.list_lock);
}

void shmx_posix_list_unlock(void)
{
    if (!forking)
        pthread_mutex_unlock(&gate.list_lock);
}

void shmx_posix_list_enter(void)
{
    shmx_posix_gate_enter();
    shmx_posix_list_lock();
}

void shmx_posix_list_leave(void)
{
    shmx_posix_list_unlock();
    shmx_posix_gate_leave();
}

/* A lock that another thread holds for longer is not waited for. */
#define TRIES_AT_EXIT 100

bool shmx_posix_list_enter_at_exit(void)
{
    int tries = 0;
    if (forking) /* exit(3) in another's handler of fork */
        return false;
    shmx_posix_gate_enter();
    while (pthread_mutex_trylock(&gate.list_lock) != 0) {
        if (tries++ == TRIES_AT_EXIT) {
            shmx_posix_gate_leave();
            return false;
        }
        shmx_os_sleep(1000000);
    }
    return true;
}
