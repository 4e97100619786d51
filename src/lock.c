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

/* Questions of a waiter in its first second; later it asks half as often. */
#define ASKED_MUCH 10

/* ---- threads ---- */

/* Where a thread's stack of locks is. Entries above its top are not believed, nor need they be. */
struct shmx_holding {
    uint32_t number; /* of the thread */
    uint32_t room;
    struct shmx_lock *locks[];
};

#define HOLDING_FIRST 8

/* The stack of a thread that has not locked yet: full. */
static struct shmx_lock *nothing_held[1];
#define THREAD_NEW nothing_held + 1, nothing_held + 1, NULL, 0

_Thread_local struct shmx_thread shmx_thread_self = {THREAD_NEW};

static uint32_t number_next(void)
{
    static _Atomic uint32_t last;
    uint32_t number;
    do /* Relaxed: only that no two get the same. */
        number = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    while (number == 0);
    return number;
}

/* Make a larger stack, or the first one, and have the system say when the thread ends. */
static int thread_grow(struct shmx_thread *self)
{
    struct shmx_holding *old = self->holding;
    uint32_t room = old != NULL ? 2 * old->room : HOLDING_FIRST;
    struct shmx_holding *made = calloc(1, sizeof *made + room * sizeof(struct shmx_lock *));
    if (made == NULL)
        return SHMX_ENOMEM;
    made->number = old != NULL ? old->number : number_next();
    made->room = room;
    if (old != NULL)
        memcpy(made->locks, old->locks, old->room * sizeof(struct shmx_lock *));
    int status = shmx_os_thread_watch(made);
    if (status != SHMX_OK) {
        free(made);
        return status;
    }
    self->top = made->locks + (old != NULL ? old->room : 0);
    self->end = made->locks + room;
    self->number = made->number;
    self->holding = made;
    free(old);
    return SHMX_OK;
}

/* Make ready to hold one more lock. */
static int thread_ready(void)
{
    struct shmx_thread *self = &shmx_thread_self;
    return self->top != self->end ? SHMX_OK : thread_grow(self);
}

/* Bring the lock to the top of the stack. False: it is not there, whatever its words say. */
static bool thread_raise(struct shmx_lock *lock)
{
    struct shmx_thread *self = &shmx_thread_self;
    struct shmx_lock **at = self->top;
    struct shmx_lock **least = self->holding != NULL ? self->holding->locks : self->top;
    while (at > least && at[-1] != lock)
        at--;
    if (at == least)
        return false;
    for (; at < self->top; at++)
        at[-1] = *at;
    self->top[-1] = lock;
    return true;
}

/* ---- the end of a thread ---- */

static bool contains(const struct shmx_attachment *attachment, const struct shmx_lock *lock)
{
    uintptr_t offset = (uintptr_t)lock - (uintptr_t)attachment->data;
    return offset < attachment->length && attachment->length - offset >= sizeof *lock;
}

/* A thread that has ended, and one of the locks that it may hold still. */
struct ending {
    uint32_t number;
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
        atomic_load(&lock->thread) != shmx_thread_mark(ending->number, token))
        return false;
    /* The bits stay; only waiters can change the word meanwhile, and only WAITERS in it. */
    while (!atomic_compare_exchange_weak(&lock->word, &word, word | LOCK_ENDED))
        ;
    if ((word & LOCK_WAITERS) != 0)
        shmx_os_wake(attachment, &lock->word, 1);
    return true;
}

/* Of the thread's own memory nothing is used, as the system may have taken it away already. */
void shmx_thread_ended(void *state)
{
    struct shmx_holding *holding = state;
    for (uint32_t i = 0; i < holding->room; i++) {
        struct ending ending = {holding->number, holding->locks[i]};
        if (ending.lock != NULL)
            shmx_os_find(abandon, &ending);
    }
    if (shmx_thread_self.holding == holding)
        shmx_thread_self = (struct shmx_thread){THREAD_NEW};
    free(holding);
}

/* Locks that the thread still holds may yet be unlocked by it, in functions called at exit. */
void shmx_thread_unwatched(void)
{
    struct shmx_thread *self = &shmx_thread_self;
    if (self->holding == NULL || self->top != self->holding->locks)
        return;
    free(self->holding);
    *self = (struct shmx_thread){NULL, NULL, NULL, 0};
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
    int asked;
};

static void mark(struct attempt *attempt)
{
    if (attempt->lock == NULL)
        return;
    struct shmx_thread *self = &shmx_thread_self;
    atomic_store_explicit(&attempt->lock->thread, shmx_thread_mark(self->number, attempt->token),
                          memory_order_relaxed);
    *self->top++ = attempt->lock;
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
    /* WAITERS: others may sleep, and the dead owner may have taken their mark with it. */
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
        !shmx_lock_marked(attempt->lock, owner.token))
        return false;
    return owner.token == attempt->token || shmx_os_find(is_owner, &owner);
}

int shmx_owner_ended(shmx *shm, uint32_t state)
{
    uint32_t owner = state & SHMX_OWNER_MASK;
    bool alive = owner != LOCK_ENDED;
    int status = SHMX_OK;
    if (alive && owner != shmx_token_known(shm))
        status = shmx_os_owner_alive(&shm->attachment, owner, &alive);
    return status == SHMX_OK && alive ? SHMX_NOTHING : status;
}

/* Sleep until the word may have changed, or until it is time to ask again. */
static int sleep_on(struct attempt *attempt, uint32_t word)
{
    if ((word & LOCK_WAITERS) == 0 && !word_take(attempt->word, word, word | LOCK_WAITERS))
        return SHMX_AGAIN;
    attempt->waiters = LOCK_WAITERS;
    int64_t end = attempt->ask_at < attempt->deadline ? attempt->ask_at : attempt->deadline;
    int status = shmx_os_wait(&attempt->shm->attachment, attempt->word, word | LOCK_WAITERS, end);
    return status == SHMX_OK || status == SHMX_ETIMEDOUT ? SHMX_AGAIN : status;
}

/* Time has run out. A wake that this one was given and does not use must not be lost: the next
 * unlock gives it to another. */
static int attempt_give_up(struct attempt *attempt, uint32_t word)
{
    uint32_t next = word | attempt->waiters;
    return next == word || word_take(attempt->word, word, next) ? SHMX_ETIMEDOUT : SHMX_AGAIN;
}

/* The system failed. Nor must the wake be lost then. */
static void attempt_leave(const struct attempt *attempt)
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

/* A user's lock may be held for as long as the user likes. Where it is held for more than a second
 * its owner's death is told within 200 ms and not within 100, which halves what the waiter costs.
 */
static int64_t until_next_question(struct attempt *attempt)
{
    if (attempt->waiters == 0)
        return shmx_slice() / 2;
    bool patient = attempt->lock != NULL && attempt->asked++ >= ASKED_MUCH;
    return patient ? 2 * shmx_slice() : shmx_slice();
}

/* The lock is held: by this thread, by a dead owner, or by one to wait for. */
static int handle_held(struct attempt *attempt, uint32_t word)
{
    if (held_by_self(attempt, word))
        return SHMX_EDEADLK;
    int64_t now = shmx_os_now();
    if (now >= attempt->ask_at || (word & SHMX_OWNER_MASK) == LOCK_ENDED) {
        int status = shmx_owner_ended(attempt->shm, word);
        if (status == SHMX_OK)
            return take_dead(attempt, word) ? SHMX_EOWNERDEAD : SHMX_AGAIN;
        if (status != SHMX_NOTHING)
            return status;
        attempt->ask_at = now + until_next_question(attempt);
    }
    return now >= attempt->deadline ? attempt_give_up(attempt, word) : sleep_on(attempt, word);
}

static int acquire_slowly(struct attempt *attempt)
{
    int spins = attempt->deadline != SHMX_DEADLINE_PAST || attempt->lock == NULL ? SPINS_MOST : 0;
    int status = SHMX_AGAIN;
    while (status == SHMX_AGAIN) {
        /* Acquire: with CLAIMING gone, the thread is the owner's; see take_dead. */
        uint32_t word = atomic_load_explicit(attempt->word, memory_order_acquire);
        if ((word & SHMX_OWNER_MASK) == 0)
            status = take_free(attempt, word) ? SHMX_OK : SHMX_AGAIN;
        else if (spins > 0 && (word & SHMX_OWNER_MASK) != LOCK_ENDED &&
                 !held_by_self(attempt, word))
            spins = shmx_spin_apart(attempt->word, SHMX_OWNER_MASK) ? spins - 1 : 0;
        else
            status = handle_held(attempt, word);
    }
    if (status != SHMX_OK && status != SHMX_EOWNERDEAD && status != SHMX_ETIMEDOUT)
        attempt_leave(attempt);
    return status;
}

int shmx_word_acquire(shmx *shm, _Atomic uint32_t *word, int64_t deadline)
{
    struct attempt attempt = {.shm = shm, .word = word, .deadline = deadline};
    int status = shmx_os_owner_claim(&shm->attachment, &attempt.token);
    return status == SHMX_OK ? acquire_slowly(&attempt) : status;
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

int shmx_lock_release(shmx *shm, struct shmx_lock *lock)
{
    if (!shmx_lock_held(shm, lock) || (shmx_thread_self.top[-1] != lock && !thread_raise(lock)))
        return SHMX_EPERM;
    shmx_lock_back_quickly(shm, lock);
    return SHMX_OK;
}
