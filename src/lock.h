/* SPDX-License-Identifier: MIT */
/*
 * The robust lock. It is one word, zero when nobody holds it:
 *     bits 0 to 29  token of the owner's attachment (shmx_os_owner_claim); 0: free;
 *                   LOCK_ENDED: the owner was a thread that has ended, in a process that lives
 *     bit 30        LOCK_CLAIMING: the owner takes it over from a dead one, `thread` is not its
 *     bit 31        LOCK_WAITERS: somebody may sleep on the word
 * A second word tells the owner's thread from all others, where a thread is the owner: the mutex
 * and the once. The sides of a queue are held inside one call of the library only, and their owner
 * is the attachment.
 */
#ifndef SHMX_LOCK_H
#define SHMX_LOCK_H

#include "sleep.h"

#define LOCK_WAITERS 0x80000000u
#define LOCK_CLAIMING 0x40000000u
#define LOCK_ENDED SHMX_OWNER_MASK

/* Statuses of an attempt beside the public ones: not now; try again, for what was in the way is
 * gone. */
enum { SHMX_NOTHING = 1, SHMX_AGAIN = 2 };

/* The beginning of a mutex and of a once. */
struct shmx_lock {
    _Atomic uint32_t word;
    _Atomic uint32_t thread; /* 0 while the lock changes hands */
};

/* This attachment's token if it has one already, else 0, as in the child of a fork. */
static inline uint32_t shmx_token_known(const shmx *shm)
{
    /* Relaxed: the token is a number; nothing else is published with it. */
    return atomic_load_explicit(&shm->attachment.owner, memory_order_relaxed);
}

/* ---- owned by an attachment ---- */

/* Take the word if it is free. False also if its owner is dead. */
static inline bool shmx_word_try(_Atomic uint32_t *word, uint32_t token)
{
    /* Relaxed: checked by the exchange. */
    uint32_t seen = atomic_load_explicit(word, memory_order_relaxed);
    /* Acquire: what the last owner did is seen. Relaxed on failure: nothing is concluded. */
    return (seen & SHMX_OWNER_MASK) == 0 && token != 0 &&
           atomic_compare_exchange_strong_explicit(word, &seen, seen | token, memory_order_acquire,
                                                   memory_order_relaxed);
}

/* Take it: SHMX_OK, SHMX_EOWNERDEAD (taken too), SHMX_ETIMEDOUT, or what the system reports. */
int shmx_word_acquire(shmx *shm, _Atomic uint32_t *word, int64_t deadline);

/* The word was given back with this value: wake one that waits for it. A failing wake delays the
 * sleeper by a slice; the lock is free in any case. */
static inline void shmx_word_released(shmx *shm, _Atomic uint32_t *word, uint32_t value)
{
    if ((value & LOCK_WAITERS) != 0)
        shmx_os_wake(&shm->attachment, word, 1);
}

/* Give it back. A read-modify-write: shmx_fence_behind may follow. */
static inline void shmx_word_release(shmx *shm, _Atomic uint32_t *word)
{
    /* Release: the next owner sees what this one did. */
    shmx_word_released(shm, word, atomic_exchange_explicit(word, 0, memory_order_release));
}

/* Has the attachment ended that the token in `state` names? SHMX_OK, SHMX_NOTHING or a failure. */
int shmx_owner_ended(shmx *shm, uint32_t state);

/* ---- owned by a thread ---- */

/* Take the lock: SHMX_OK, SHMX_EOWNERDEAD (taken too), SHMX_EDEADLK, SHMX_ETIMEDOUT, SHMX_ENOMEM or
 * what the system reports. The place has been checked. */
int shmx_lock_acquire(shmx *shm, struct shmx_lock *lock, int64_t deadline);

/* The locks that the calling thread holds. */
struct shmx_thread {
    struct shmx_lock **top, **end; /* a stack, in the order in which they were taken */
    struct shmx_holding *holding;  /* where that stack is */
    uint32_t number; /* counted, never given again: one thread of the process; 0: not yet */
};

extern _Thread_local struct shmx_thread shmx_thread_self;

/* The value of `thread` while a thread holds the lock by that token. A thread looks first at the
 * token and then at this, and the lock may have gone to another process in between: so the number
 * alone, which threads of all processes have, would not do. Multiplying spreads tokens so far
 * (golden ratio, Knuth 6.4) that no two of 2^15 tokens given in a row and 2^15 threads agree. */
static inline uint32_t shmx_thread_mark(uint32_t number, uint32_t token)
{
    uint32_t mark = token * 0x9E3779B1u + number;
    return mark != 0 ? mark : UINT32_C(1) << 31;
}

/* Relaxed: a thread that finds its own mark reads what it wrote itself, for it writes 0 before it
 * lets go; any other value means "not me". */
static inline bool shmx_lock_marked(const struct shmx_lock *lock, uint32_t token)
{
    return atomic_load_explicit(&lock->thread, memory_order_relaxed) ==
           shmx_thread_mark(shmx_thread_self.number, token);
}

/* Take it if that is simple: free, and this thread has locked before. */
static inline bool shmx_lock_quickly(const shmx *shm, struct shmx_lock *lock)
{
    struct shmx_thread *self = &shmx_thread_self;
    uint32_t token = shmx_token_known(shm);
    uint32_t seen = 0;
    /* Acquire: what the last owner did is seen. Relaxed on failure: nothing is concluded. */
    if (self->top == self->end || token == 0 ||
        !atomic_compare_exchange_strong_explicit(&lock->word, &seen, token, memory_order_acquire,
                                                 memory_order_relaxed))
        return false;
    /* Relaxed: see shmx_lock_marked. */
    atomic_store_explicit(&lock->thread, shmx_thread_mark(self->number, token),
                          memory_order_relaxed);
    *self->top++ = lock;
    return true;
}

/* Does this thread hold it through this attachment? */
static inline bool shmx_lock_held(const shmx *shm, const struct shmx_lock *lock)
{
    uint32_t token = shmx_token_known(shm);
    uint32_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);
    return token != 0 && (word & ~LOCK_WAITERS) == token && shmx_lock_marked(lock, token);
}

/* Give it back if that is simple: held, and the last one that this thread took. */
static inline bool shmx_lock_back_quickly(shmx *shm, struct shmx_lock *lock)
{
    if (!shmx_lock_held(shm, lock) || shmx_thread_self.top[-1] != lock)
        return false;
    shmx_thread_self.top--;
    /* Relaxed: see shmx_lock_marked. */
    atomic_store_explicit(&lock->thread, 0, memory_order_relaxed);
    shmx_word_release(shm, &lock->word);
    return true;
}

/* Give it back; SHMX_EPERM if this thread does not hold it through this attachment. */
int shmx_lock_release(shmx *shm, struct shmx_lock *lock);

#endif
