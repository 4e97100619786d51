/* SPDX-License-Identifier: MIT */
/*
 * The robust lock of one word, and the mutex, which is one.
 *
 * The owner stands in the word, so there is no instant in which the lock is held by nobody one
 * could ask about. Who finds the owner's attachment gone, by the system's word, changes the dead
 * token for its own by compare-and-exchange: exactly one succeeds, and is told SHMX_EOWNERDEAD.
 */
#include "lock.h"

#define WAITERS 0x80000000u
#define CLAIMING 0x40000000u

/* Threads are counted, never numbered again, so a number stands for one thread of the process. */
static _Atomic uint32_t thread_last;
static _Thread_local uint32_t thread_self;

static void thread_enter(void)
{
    /* Relaxed: only that no two get the same. */
    while (thread_self == 0)
        thread_self = atomic_fetch_add_explicit(&thread_last, 1, memory_order_relaxed) + 1;
}

/* What `thread` says while this thread holds the lock by that token. A thread looks first at the
 * token and then at this, and the lock may have gone to another process in between: so the number
 * alone, which threads of all processes have, would not do. Multiplying spreads tokens so far
 * (golden ratio, Knuth 6.4) that no two of 2^15 tokens given in a row and 2^15 threads agree. */
static uint32_t thread_mark(uint32_t token)
{
    uint32_t mark = token * 0x9E3779B1u + thread_self;
    return mark != 0 ? mark : UINT32_C(1) << 31;
}

/* This attachment's token if it has one already, else 0. */
static uint32_t token_known(const shmx *shm)
{
    /* Relaxed: the token is a number; nothing else is published with it. */
    return atomic_load_explicit(&shm->attachment.owner, memory_order_relaxed);
}

/* Relaxed loads of `thread`, here and below: a thread that finds its own mark reads what it wrote
 * itself, for it writes 0 before it lets go; any other value means "not me". */
static bool thread_is_self(const struct shmx_lock *lock, uint32_t token)
{
    return atomic_load_explicit(&lock->thread, memory_order_relaxed) == thread_mark(token);
}

/* Change the word from `seen` to `next`. Acquire: what the last owner did is seen by the next one.
 * Relaxed on failure: nothing is concluded from the value, the caller looks again. */
static bool word_take(struct shmx_lock *lock, uint32_t seen, uint32_t next)
{
    return atomic_compare_exchange_strong_explicit(&lock->word, &seen, next, memory_order_acquire,
                                                   memory_order_relaxed);
}

/* One compare-and-exchange, one store: the whole of taking a free lock. */
static inline bool take_free(struct shmx_lock *lock, uint32_t seen, uint32_t next)
{
    if (!word_take(lock, seen, next))
        return false;
    atomic_store_explicit(&lock->thread, thread_mark(next & SHMX_OWNER_MASK), memory_order_relaxed);
    return true;
}

/* Take it from a dead owner. Until CLAIMING is gone `thread` is the dead one's. */
static bool take_dead(struct shmx_lock *lock, uint32_t seen, uint32_t token)
{
    /* WAITERS: others may sleep whose announcement the dead owner had swallowed. */
    if (!word_take(lock, seen, token | CLAIMING | WAITERS))
        return false;
    atomic_store_explicit(&lock->thread, thread_mark(token), memory_order_relaxed);
    /* Release: who sees CLAIMING gone sees the new thread. */
    atomic_fetch_and_explicit(&lock->word, ~CLAIMING, memory_order_release);
    return true;
}

/* Somebody's attempt to take a lock. */
struct attempt {
    shmx *shm;
    struct shmx_lock *lock;
    uint32_t token;
    uint32_t waiters; /* WAITERS once it has slept: others may sleep still */
    int64_t deadline;
    int64_t ask_at; /* when to ask next whether the owner lives */
};

/* Does the calling thread hold the lock, through whichever attachment of this process? */
static bool held_by_self(const struct attempt *attempt, uint32_t word)
{
    uint32_t owner = word & SHMX_OWNER_MASK;
    if ((word & CLAIMING) != 0 || !thread_is_self(attempt->lock, owner))
        return false;
    return owner == attempt->token || shmx_os_owner_here(&attempt->shm->attachment, owner);
}

static int owner_alive(struct attempt *attempt, uint32_t word, bool *alive)
{
    uint32_t owner = word & SHMX_OWNER_MASK;
    *alive = true;
    return owner == attempt->token ? SHMX_OK
                                   : shmx_os_owner_alive(&attempt->shm->attachment, owner, alive);
}

enum { AGAIN = 1 };

/* How often a newcomer goes on spinning because the lock went to another. */
#define SPINS_MOST 20

/* Sleep until the word may have changed, or until it is time to ask again. */
static int sleep_on(struct attempt *attempt, uint32_t word)
{
    struct shmx_lock *lock = attempt->lock;
    if ((word & WAITERS) == 0 && !word_take(lock, word, word | WAITERS))
        return AGAIN;
    attempt->waiters = WAITERS;
    int64_t end = attempt->ask_at < attempt->deadline ? attempt->ask_at : attempt->deadline;
    int status = shmx_os_wait(&attempt->shm->attachment, &lock->word, word | WAITERS, end);
    return status == SHMX_OK || status == SHMX_ETIMEDOUT ? AGAIN : status;
}

/* The lock is held: by this thread, by a dead owner, or by one to wait for. */
static int handle_held(struct attempt *attempt, uint32_t word)
{
    if (held_by_self(attempt, word))
        return SHMX_EDEADLK;
    int64_t now = shmx_os_now();
    if (now >= attempt->ask_at) {
        bool alive;
        int status = owner_alive(attempt, word, &alive);
        if (status != SHMX_OK)
            return status;
        if (!alive)
            return take_dead(attempt->lock, word, attempt->token) ? SHMX_EOWNERDEAD : AGAIN;
        attempt->ask_at = now + SHMX_SLICE;
    }
    return now >= attempt->deadline ? SHMX_ETIMEDOUT : sleep_on(attempt, word);
}

static int acquire_slowly(struct attempt *attempt)
{
    struct shmx_lock *lock = attempt->lock;
    int spins = attempt->deadline != SHMX_DEADLINE_PAST ? SPINS_MOST : 0;
    int status = AGAIN;
    while (status == AGAIN) {
        /* Acquire: with CLAIMING gone, the thread is the owner's; see take_dead. */
        uint32_t word = atomic_load_explicit(&lock->word, memory_order_acquire);
        uint32_t flags = (word & WAITERS) | attempt->waiters;
        if ((word & SHMX_OWNER_MASK) == 0)
            status = take_free(lock, word, attempt->token | flags) ? SHMX_OK : AGAIN;
        else if (spins > 0 && !held_by_self(attempt, word))
            spins = shmx_spin_apart(&lock->word, SHMX_OWNER_MASK) ? spins - 1 : 0;
        else
            status = handle_held(attempt, word);
    }
    return status;
}

int shmx_lock_acquire(shmx *shm, struct shmx_lock *lock, int64_t deadline)
{
    thread_enter();
    uint32_t known = token_known(shm);
    if (known != 0 && take_free(lock, 0, known))
        return SHMX_OK;
    struct attempt attempt = {.shm = shm, .lock = lock, .deadline = deadline};
    int status = shmx_os_owner_claim(&shm->attachment, &attempt.token);
    return status == SHMX_OK ? acquire_slowly(&attempt) : status;
}

bool shmx_lock_held(const shmx *shm, const struct shmx_lock *lock)
{
    uint32_t token = token_known(shm);
    uint32_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);
    return token != 0 && (word & ~WAITERS) == token && thread_self != 0 &&
           thread_is_self(lock, token);
}

int shmx_lock_release(shmx *shm, struct shmx_lock *lock)
{
    if (!shmx_lock_held(shm, lock))
        return SHMX_EPERM;
    atomic_store_explicit(&lock->thread, 0, memory_order_relaxed);
    /* Release: the next owner sees what this one did, the cleared thread included. */
    uint32_t word = atomic_exchange_explicit(&lock->word, 0, memory_order_release);
    /* A failing wake delays the sleeper by a slice; the lock is free in any case. */
    if ((word & WAITERS) != 0)
        shmx_os_wake(&shm->attachment, &lock->word, 1);
    return SHMX_OK;
}

static int lock_checked(shmx *shm, shmx_mutex *mutex, int timeout_ms)
{
    int64_t deadline;
    int status = shmx_lock_check(shm, mutex, sizeof *mutex);
    if (status == SHMX_OK)
        status = shmx_deadline(timeout_ms, &deadline);
    if (status != SHMX_OK)
        return shmx_refuse(status);
    return shmx_report(shmx_lock_acquire(shm, (struct shmx_lock *)mutex, deadline));
}

/* The fast path's check: the token stands for the rest, as a read-only attachment, or one in which
 * this system cannot wait, never gets one. */
static inline bool in_segment(const shmx *shm, const shmx_mutex *mutex)
{
    uintptr_t offset = (uintptr_t)mutex - (uintptr_t)shm->attachment.data;
    return offset % 4 == 0 && offset < shm->size && shm->size - offset >= sizeof *mutex;
}

int shmx_mutex_lock(shmx *shm, shmx_mutex *mutex, int timeout_ms)
{
    if (shm != NULL && thread_self != 0 && timeout_ms >= SHMX_FOREVER && in_segment(shm, mutex)) {
        uint32_t token = token_known(shm);
        if (token != 0 && take_free((struct shmx_lock *)mutex, 0, token))
            return SHMX_OK;
    }
    return lock_checked(shm, mutex, timeout_ms);
}

int shmx_mutex_unlock(shmx *shm, shmx_mutex *mutex)
{
    if (shm != NULL && in_segment(shm, mutex)) {
        int status = shmx_lock_release(shm, (struct shmx_lock *)mutex);
        if (status == SHMX_OK)
            return SHMX_OK;
    }
    int status = shmx_lock_check(shm, mutex, sizeof *mutex);
    return shmx_refuse(status == SHMX_OK ? SHMX_EPERM : status);
}
