/* SPDX-License-Identifier: MIT */
/*
 * The robust lock.
 *
 * The owner stands in the word, so there is no instant in which the lock is held by nobody one
 * could ask about. A waiter that finds the owner's attachment gone, by the system's word, changes
 * the dead token for its own by compare-and-exchange: exactly one succeeds, and is told
 * SHMX_EOWNERDEAD. A thread that ends writes LOCK_ENDED in place of its token.
 *
 * models/lock.pml is the model of this.
 */
#include "lock.h"

#include <stdlib.h>
#include <string.h>

/* How often a newcomer goes on spinning because the lock went to another. */
#define SPINS_MOST 20

enum { AGAIN = 1 };

/* ---- threads ---- */

/* What a thread holds; made when it locks for the first time. */
struct thread {
    uint32_t number; /* counted, never given again: one thread of the process */
    uint32_t count, room;
    struct shmx_lock **held; /* in the order in which they were taken */
};

#define HELD_FIRST 8

static _Atomic uint32_t thread_last;
static _Thread_local struct thread *thread_self;

static int thread_grow(struct thread *thread)
{
    uint32_t room = thread->room != 0 ? 2 * thread->room : HELD_FIRST;
    struct shmx_lock **held = calloc(room, sizeof *held);
    if (held == NULL)
        return SHMX_ENOMEM;
    if (thread->count != 0)
        memcpy(held, thread->held, thread->count * sizeof *held);
    free(thread->held);
    thread->held = held;
    thread->room = room;
    return SHMX_OK;
}

static int thread_make(void)
{
    struct thread *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SHMX_ENOMEM;
    while (made->number == 0) /* Relaxed: only that no two get the same. */
        made->number = atomic_fetch_add_explicit(&thread_last, 1, memory_order_relaxed) + 1;
    int status = shmx_os_thread_watch(made);
    if (status == SHMX_OK)
        thread_self = made;
    else
        free(made);
    return status;
}

/* Make ready to hold one more lock. */
static int thread_ready(void)
{
    int status = thread_self != NULL ? SHMX_OK : thread_make();
    if (status == SHMX_OK && thread_self->count == thread_self->room)
        status = thread_grow(thread_self);
    return status;
}

static void held_remove(struct thread *thread, const struct shmx_lock *lock)
{
    uint32_t at = thread->count;
    while (at > 0 && thread->held[at - 1] != lock)
        at--;
    if (at == 0)
        return;
    for (; at < thread->count; at++)
        thread->held[at - 1] = thread->held[at];
    thread->count--;
}

/* What `thread` of a lock says while this thread holds it by that token. A thread looks first at
 * the token and then at this, and the lock may have gone to another process in between: so the
 * number alone, which threads of all processes have, would not do. Multiplying spreads tokens so
 * far (golden ratio, Knuth 6.4) that no two of 2^15 tokens given in a row and 2^15 threads agree.
 */
static uint32_t thread_mark(const struct thread *thread, uint32_t token)
{
    uint32_t mark = token * 0x9E3779B1u + thread->number;
    return mark != 0 ? mark : UINT32_C(1) << 31;
}

/* Relaxed: a thread that finds its own mark reads what it wrote itself, for it writes 0 before it
 * lets go; any other value means "not me". */
static bool thread_is_self(const struct shmx_lock *lock, uint32_t token)
{
    return atomic_load_explicit(&lock->thread, memory_order_relaxed) ==
           thread_mark(thread_self, token);
}

/* ---- the end of a thread ---- */

static bool contains(const struct shmx_attachment *attachment, const struct shmx_lock *lock)
{
    uintptr_t offset = (uintptr_t)lock - (uintptr_t)attachment->data;
    return offset < attachment->length && attachment->length - offset >= sizeof *lock;
}

/* A thread that has ended, and one of the locks that it may hold still. */
struct ending {
    const struct thread *thread;
    struct shmx_lock *lock;
};

/* Is this the attachment through which it holds the lock? Then give the lock to the next one. */
static bool abandon(struct shmx_attachment *attachment, void *context)
{
    const struct ending *ending = context;
    struct shmx_lock *lock = ending->lock;
    uint32_t token = atomic_load(&attachment->owner);
    if (token == 0 || attachment->read_only || !contains(attachment, lock))
        return false;
    uint32_t word = atomic_load(&lock->word);
    if ((word & SHMX_OWNER_MASK) != token ||
        atomic_load(&lock->thread) != thread_mark(ending->thread, token))
        return false;
    /* The bits stay; only waiters can change the word meanwhile, and only WAITERS in it. */
    while (!atomic_compare_exchange_weak(&lock->word, &word, word | LOCK_ENDED))
        ;
    if ((word & LOCK_WAITERS) != 0)
        shmx_os_wake(attachment, &lock->word, 1);
    return true;
}

void shmx_thread_ended(void *state)
{
    struct thread *thread = state;
    while (thread->count > 0) {
        struct ending ending = {thread, thread->held[--thread->count]};
        shmx_os_find(abandon, &ending);
    }
    thread_self = NULL;
    free(thread->held);
    free(thread);
}

/* ---- the word ---- */

/* Change the word from `seen` to `next`. Acquire: what the last owner did is seen by the next one.
 * Relaxed on failure: nothing is concluded from the value, the caller looks again. */
static bool word_take(_Atomic uint32_t *word, uint32_t seen, uint32_t next)
{
    return atomic_compare_exchange_strong_explicit(word, &seen, next, memory_order_acquire,
                                                   memory_order_relaxed);
}

/* Somebody's attempt to take a lock. */
struct attempt {
    shmx *shm;
    _Atomic uint32_t *word;
    struct shmx_lock *lock; /* NULL: the owner is the attachment */
    uint32_t token;
    uint32_t waiters; /* LOCK_WAITERS once it has slept: others may sleep still */
    int64_t deadline;
    int64_t ask_at; /* when to ask next whether the owner lives */
    int64_t slice;
};

static void mark(struct attempt *attempt)
{
    if (attempt->lock == NULL)
        return;
    uint32_t own = thread_mark(thread_self, attempt->token);
    atomic_store_explicit(&attempt->lock->thread, own, memory_order_relaxed);
    thread_self->held[thread_self->count++] = attempt->lock;
}

static bool take_free(struct attempt *attempt, uint32_t seen)
{
    if (!word_take(attempt->word, seen, (seen & LOCK_WAITERS) | attempt->waiters | attempt->token))
        return false;
    mark(attempt);
    return true;
}

/* Take it from a dead owner. Until CLAIMING is gone `thread` is the dead one's. */
static bool take_dead(struct attempt *attempt, uint32_t seen)
{
    /* WAITERS: others may sleep whose announcement the dead owner had swallowed. */
    uint32_t claiming = attempt->lock != NULL ? LOCK_CLAIMING : 0;
    if (!word_take(attempt->word, seen, attempt->token | claiming | LOCK_WAITERS))
        return false;
    mark(attempt);
    /* Release: with CLAIMING gone the new thread is seen. */
    if (claiming != 0)
        atomic_fetch_and_explicit(attempt->word, ~LOCK_CLAIMING, memory_order_release);
    return true;
}

/* An owner, in this process or another. */
struct owner {
    uint64_t id; /* of the segment */
    uint32_t token;
};

static bool is_owner(struct shmx_attachment *attachment, void *context)
{
    const struct owner *owner = context;
    return atomic_load(&attachment->owner) == owner->token && attachment->label.id == owner->id;
}

/* Does the calling thread hold the lock, through whichever attachment of this process? */
static bool held_by_self(const struct attempt *attempt, uint32_t word)
{
    struct owner owner = {attempt->shm->attachment.label.id, word & SHMX_OWNER_MASK};
    if (attempt->lock == NULL || (word & LOCK_CLAIMING) != 0 || owner.token == LOCK_ENDED ||
        !thread_is_self(attempt->lock, owner.token))
        return false;
    return owner.token == attempt->token || shmx_os_find(is_owner, &owner);
}

int shmx_owner_dead(shmx *shm, uint32_t state, bool *dead)
{
    uint32_t owner = state & SHMX_OWNER_MASK;
    bool alive = owner != LOCK_ENDED;
    int status = SHMX_OK;
    if (alive && owner != shmx_token_known(shm))
        status = shmx_os_owner_alive(&shm->attachment, owner, &alive);
    *dead = !alive;
    return status;
}

/* Sleep until the word may have changed, or until it is time to ask again. */
static int sleep_on(struct attempt *attempt, uint32_t word)
{
    if ((word & LOCK_WAITERS) == 0 && !word_take(attempt->word, word, word | LOCK_WAITERS))
        return AGAIN;
    attempt->waiters = LOCK_WAITERS;
    int64_t end = attempt->ask_at < attempt->deadline ? attempt->ask_at : attempt->deadline;
    int status = shmx_os_wait(&attempt->shm->attachment, attempt->word, word | LOCK_WAITERS, end);
    return status == SHMX_OK || status == SHMX_ETIMEDOUT ? AGAIN : status;
}

/* Time has run out. A wake that this one was given and does not use must not be lost: the next
 * unlock gives it to another. */
static int give_up(struct attempt *attempt, uint32_t word)
{
    uint32_t next = word | attempt->waiters;
    return next == word || word_take(attempt->word, word, next) ? SHMX_ETIMEDOUT : AGAIN;
}

/* The system failed. Nor must the wake be lost then. */
static void leave(const struct attempt *attempt)
{
    uint32_t word = atomic_load_explicit(attempt->word, memory_order_relaxed);
    while (attempt->waiters != 0 && (word & LOCK_WAITERS) == 0) {
        if ((word & SHMX_OWNER_MASK) == 0) {
            shmx_os_wake(&attempt->shm->attachment, attempt->word, 1);
            return;
        }
        if (word_take(attempt->word, word, word | LOCK_WAITERS))
            return;
        word = atomic_load_explicit(attempt->word, memory_order_relaxed);
    }
}

/* The lock is held: by this thread, by a dead owner, or by one to wait for. */
static int handle_held(struct attempt *attempt, uint32_t word)
{
    if (held_by_self(attempt, word))
        return SHMX_EDEADLK;
    int64_t now = shmx_os_now();
    if (now >= attempt->ask_at || (word & SHMX_OWNER_MASK) == LOCK_ENDED) {
        bool dead;
        int status = shmx_owner_dead(attempt->shm, word, &dead);
        if (status != SHMX_OK)
            return status;
        if (dead)
            return take_dead(attempt, word) ? SHMX_EOWNERDEAD : AGAIN;
        attempt->ask_at = now + attempt->slice;
        attempt->slice = 2 * SHMX_SLICE;
    }
    return now >= attempt->deadline ? give_up(attempt, word) : sleep_on(attempt, word);
}

static int acquire_slowly(struct attempt *attempt)
{
    attempt->slice = SHMX_SLICE;
    int spins = attempt->deadline != SHMX_DEADLINE_PAST || attempt->lock == NULL ? SPINS_MOST : 0;
    int status = AGAIN;
    while (status == AGAIN) {
        /* Acquire: with CLAIMING gone, the thread is the owner's; see take_dead. */
        uint32_t word = atomic_load_explicit(attempt->word, memory_order_acquire);
        if ((word & SHMX_OWNER_MASK) == 0)
            status = take_free(attempt, word) ? SHMX_OK : AGAIN;
        else if (spins > 0 && (word & SHMX_OWNER_MASK) != LOCK_ENDED &&
                 !held_by_self(attempt, word))
            spins = shmx_spin_apart(attempt->word, SHMX_OWNER_MASK) ? spins - 1 : 0;
        else
            status = handle_held(attempt, word);
    }
    if (status != SHMX_OK && status != SHMX_EOWNERDEAD && status != SHMX_ETIMEDOUT)
        leave(attempt);
    return status;
}

int shmx_word_acquire(shmx *shm, _Atomic uint32_t *word, int64_t deadline)
{
    struct attempt attempt = {.shm = shm, .word = word, .deadline = deadline};
    int status = shmx_os_owner_claim(&shm->attachment, &attempt.token);
    return status == SHMX_OK ? acquire_slowly(&attempt) : status;
}

/* ---- owned by a thread ---- */

bool shmx_lock_quickly(shmx *shm, struct shmx_lock *lock)
{
    struct thread *thread = thread_self;
    uint32_t token = shmx_token_known(shm);
    if (thread == NULL || thread->count == thread->room || token == 0 ||
        !word_take(&lock->word, 0, token))
        return false;
    /* Relaxed: see thread_is_self. */
    atomic_store_explicit(&lock->thread, thread_mark(thread, token), memory_order_relaxed);
    thread->held[thread->count++] = lock;
    return true;
}

int shmx_lock_acquire(shmx *shm, struct shmx_lock *lock, int64_t deadline)
{
    int status = thread_ready();
    if (status != SHMX_OK)
        return status;
    if (shmx_lock_quickly(shm, lock))
        return SHMX_OK;
    struct attempt attempt = {.shm = shm, .word = &lock->word, .lock = lock, .deadline = deadline};
    status = shmx_os_owner_claim(&shm->attachment, &attempt.token);
    return status == SHMX_OK ? acquire_slowly(&attempt) : status;
}

bool shmx_lock_held(const shmx *shm, const struct shmx_lock *lock)
{
    uint32_t token = shmx_token_known(shm);
    uint32_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);
    return token != 0 && (word & ~LOCK_WAITERS) == token && thread_self != NULL &&
           thread_is_self(lock, token);
}

int shmx_lock_release(shmx *shm, struct shmx_lock *lock)
{
    if (!shmx_lock_held(shm, lock))
        return SHMX_EPERM;
    struct thread *thread = thread_self;
    if (thread->count > 0 && thread->held[thread->count - 1] == lock)
        thread->count--;
    else
        held_remove(thread, lock);
    atomic_store_explicit(&lock->thread, 0, memory_order_relaxed);
    shmx_word_release(shm, &lock->word);
    return SHMX_OK;
}
