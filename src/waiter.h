/* SPDX-License-Identifier: MIT */
/* Waiting for the other side of a queue or topic: to spin, to find out who is dead and who has
 * gone, to sleep. */
#ifndef SHMX_WAITER_H
#define SHMX_WAITER_H

#include "sides.h"

#include <string.h>

/* Up to here a message is copied while the lock of its side is held, which is cheaper than to mark
 * the record as one's own, copy, and mark it again. */
#define SHMX_COPY_LOCKED 1024

/* Short messages are copied without a call, by parts that may overlap: a call costs more than they
 * do. */
static inline bool shmx_short(size_t size)
{
    return size - 8 <= 64 - 8;
}

/* The first and the last bytes of one that is short. */
static inline void shmx_copy_short(void *to, const void *from, size_t size)
{
    unsigned char *target = to;
    const unsigned char *source = from;
    if (size < 16) {
        memcpy(target, source, 8);
        memcpy(target + size - 8, source + size - 8, 8);
        return;
    }
    memcpy(target, source, 16);
    memcpy(target + size - 16, source + size - 16, 16);
    if (size > 32) {
        memcpy(target + 16, source + 16, 16);
        memcpy(target + size - 32, source + size - 32, 16);
    }
}

/* Records passed in one attempt, so that time limits are kept whatever the ring holds. */
#define SHMX_PASS_MOST 4096

/* Others came in between so often, beside those records: a message that is there is found without
 * any time too. */
#define SHMX_AGAIN_MOST 16

/* Somebody's time limit; the end is computed when there is something to wait for. All zero but for
 * the first at the beginning. */
struct shmx_limit {
    int timeout_ms;
    bool begun;
    bool slept;
    int64_t deadline;
};

/* ---- a side's lock, and the event that the other side sleeps on ---- */

/* The whole of taking the lock. */
int shmx_side_lock_slowly(struct shmx_party *party, _Atomic uint32_t *lock,
                          struct shmx_limit *limit, bool *dead);

/* Take the lock: SHMX_OK or a failure. `dead`, if it is not NULL, becomes true if the last owner
 * died holding it. */
static inline int shmx_side_lock(struct shmx_party *party, _Atomic uint32_t *lock,
                                 struct shmx_limit *limit, bool *dead)
{
    if (shmx_word_try(lock, shmx_token_known(party->shm)))
        return SHMX_OK;
    return shmx_side_lock_slowly(party, lock, limit, dead);
}

/* Give it back; there is nothing new for the other side. */
static inline void shmx_side_unlock(const struct shmx_party *party, _Atomic uint32_t *lock)
{
    STEP();
    shmx_word_release(party->shm, lock);
    STEP();
}

/* Wake those that sleep on the event, after a full fence. Where a message is for one receiver, one
 * is enough; room may be for one sender and too little for another. */
void shmx_side_notify(const struct shmx_party *party, _Atomic uint32_t *event);

/* The lock was given back with this value, and somebody may be to be woken. SHMX_OK: a failing wake
 * delays the sleeper by a slice; what it sleeps for is done in any case. */
int shmx_side_wake(const struct shmx_party *party, _Atomic uint32_t *lock, uint32_t value,
                   _Atomic uint32_t *event);

/* Give it back when there is something for the other side, and wake those that sleep. SHMX_OK. */
static inline int shmx_side_unlock_tell(const struct shmx_party *party, _Atomic uint32_t *lock,
                                        _Atomic uint32_t *event)
{
    STEP();
    /* Release: the next owner sees what this one did. */
    uint32_t value = atomic_exchange_explicit(lock, 0, memory_order_release);
    shmx_fence_behind();
    STEP();
    /* Relaxed: the fence does the ordering. One branch for both. */
    uint32_t seen = atomic_load_explicit(event, memory_order_relaxed);
    bool quiet = ((value / LOCK_WAITERS) | (seen & EVENT_ARMED)) == 0;
    return quiet ? SHMX_OK : shmx_side_wake(party, lock, value, event);
}

/* Wake without holding the lock, after a store. */
static inline void shmx_side_tell(const struct shmx_party *party, _Atomic uint32_t *event)
{
    STEP();
    atomic_thread_fence(memory_order_seq_cst);
    /* Relaxed: the fence does the ordering. */
    if ((atomic_load_explicit(event, memory_order_relaxed) & EVENT_ARMED) != 0)
        shmx_side_notify(party, event);
}

/* ---- waiting ---- */

/* Try to do a job: SHMX_OK, SHMX_NOTHING, SHMX_AGAIN or a failure. `ask`: find out whether those
 * who are in the way are dead. */
typedef int shmx_attempt(void *job, bool ask);

struct shmx_waiter {
    struct shmx_party *party;
    uint32_t other;          /* the side that is waited for */
    _Atomic uint32_t *event; /* by which it tells: set by shmx_waiter_persist */
    uint32_t capacity;       /* of the ring: when records passed have been all */
    struct shmx_limit *limit;
    void *job;
    shmx_attempt *attempt;

    /* Is there somebody in the way whose death would make a difference? */
    bool (*hindered)(const void *job);

    /* Spin until there may be something. */
    bool (*spin)(void *job);
};

/* Has the owner ended of the reservation in the way? Without `ask` that is asked once a slice: in
 * between it is SHMX_NOTHING. */
int shmx_waiter_owner_ended(struct shmx_party *party, uint32_t state, bool ask);

/* Go on after a first attempt that did not succeed; what it returned is `status`. Returns as a
 * public function does. */
int shmx_waiter_persist(struct shmx_waiter *waiter, int status);

#endif
