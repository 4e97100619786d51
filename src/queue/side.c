/* SPDX-License-Identifier: MIT */
/*
 * The two sides of a queue: taking turns on one, and sleeping until the other has done something.
 *
 * The lock of a side is held for a few instructions inside one call, so its owner is an attachment
 * and not a thread. Its word also says whether to wake anybody; see queue_unlock_tell.
 */
#include "layout.h"

/* How often a newcomer goes on spinning because the lock went to another. */
#define SPINS_MOST 20

void shmx_queue_wait_begin(struct queue_wait *wait)
{
    if (wait->begun)
        return;
    wait->begun = true;
    shmx_deadline(wait->timeout_ms, &wait->deadline);
}

/* Until when to wait for a lock: who tries once may wait as long as a live owner needs, who holds
 * it for an instant unless the system lets others run. */
static int64_t lock_deadline(struct queue_wait *wait)
{
    shmx_queue_wait_begin(wait);
    return wait->deadline == SHMX_DEADLINE_PAST ? shmx_os_now() + SHMX_SLICE : wait->deadline;
}

int shmx_queue_owner_dead(shmx_queue *queue, uint32_t state, bool *dead)
{
    uint32_t owner = state & SHMX_OWNER_MASK;
    bool alive = true;
    int status = SHMX_OK;
    if (owner != queue_token(queue))
        status = shmx_os_owner_alive(&queue->shm->attachment, owner, &alive);
    *dead = !alive;
    return status;
}

struct attempt {
    struct queue_side *side;
    uint32_t token;
    uint32_t waiters; /* QUEUE_WAITERS once it has slept: others may sleep still */
    int64_t deadline;
    int64_t ask_at;
};

enum { AGAIN = 1 };

static bool word_take(struct queue_side *side, uint32_t seen, uint32_t next)
{
    /* Acquire, relaxed on failure: as in queue_lock. */
    return atomic_compare_exchange_strong_explicit(&side->lock, &seen, next, memory_order_acquire,
                                                   memory_order_relaxed);
}

static int sleep_on(shmx_queue *queue, struct attempt *attempt, uint32_t word)
{
    struct queue_side *side = attempt->side;
    if ((word & QUEUE_WAITERS) == 0 && !word_take(side, word, word | QUEUE_WAITERS))
        return AGAIN;
    attempt->waiters = QUEUE_WAITERS;
    int64_t end = attempt->ask_at < attempt->deadline ? attempt->ask_at : attempt->deadline;
    int status = shmx_os_wait(&queue->shm->attachment, &side->lock, word | QUEUE_WAITERS, end);
    return status == SHMX_OK || status == SHMX_ETIMEDOUT ? AGAIN : status;
}

static int handle_held(shmx_queue *queue, struct attempt *attempt, uint32_t word)
{
    int64_t now = shmx_os_now();
    if (now >= attempt->ask_at) {
        bool dead;
        int status = shmx_queue_owner_dead(queue, word, &dead);
        if (status != SHMX_OK)
            return status;
        /* WAITERS: others may sleep whose bit the dead owner had swallowed. */
        uint32_t next = (word & QUEUE_SLEEPERS) | QUEUE_WAITERS | attempt->token;
        if (dead)
            return word_take(attempt->side, word, next) ? SHMX_EOWNERDEAD : AGAIN;
        attempt->ask_at = now + SHMX_SLICE;
    }
    return now >= attempt->deadline ? SHMX_ETIMEDOUT : sleep_on(queue, attempt, word);
}

int shmx_queue_lock_slowly(shmx_queue *queue, struct queue_side *side, struct queue_wait *wait)
{
    struct attempt attempt = {.side = side, .deadline = lock_deadline(wait)};
    int status = shmx_os_owner_claim(&queue->shm->attachment, &attempt.token);
    if (status != SHMX_OK)
        return status;
    int spins = SPINS_MOST;
    status = AGAIN;
    while (status == AGAIN) {
        uint32_t word = atomic_load_explicit(&side->lock, memory_order_relaxed);
        uint32_t flags = (word & ~SHMX_OWNER_MASK) | attempt.waiters;
        if ((word & SHMX_OWNER_MASK) == 0)
            status = word_take(side, word, flags | attempt.token) ? SHMX_OK : AGAIN;
        else if (spins > 0)
            spins = shmx_spin_apart(&side->lock, SHMX_OWNER_MASK) ? spins - 1 : 0;
        else
            status = handle_held(queue, &attempt, word);
    }
    return status;
}

/* A message is for one consumer; room may be for one producer and too little for another. */
static int sleepers_to_wake(const shmx_queue *queue, const struct queue_side *side)
{
    return side == &queue->header->producers ? 1 : SHMX_WAKE_ALL;
}

/* A failing wake delays the sleeper by a slice; what it sleeps for is done in any case. */
void shmx_queue_wake(shmx_queue *queue, struct queue_side *side, uint32_t flags)
{
    struct shmx_attachment *attachment = &queue->shm->attachment;
    if ((flags & QUEUE_WAITERS) != 0)
        shmx_os_wake(attachment, &side->lock, 1);
    if ((flags & QUEUE_SLEEPERS) == 0)
        return;
    /* Release: who sees the new number sees what it announces. */
    atomic_fetch_add_explicit(&side->event, 1, memory_order_release);
    STEP();
    shmx_os_wake(attachment, &side->event, sleepers_to_wake(queue, side));
}

void shmx_queue_unlock(shmx_queue *queue, struct queue_side *side)
{
    STEP();
    /* Release: the next owner sees what this one did. The sleepers' bit stays. */
    uint32_t flags = atomic_fetch_and_explicit(&side->lock, QUEUE_SLEEPERS, memory_order_release);
    STEP();
    if ((flags & QUEUE_WAITERS) != 0)
        shmx_queue_wake(queue, side, QUEUE_WAITERS);
}

void shmx_queue_tell(shmx_queue *queue, struct queue_side *side)
{
    STEP();
    /* The change before, the look at the bit after; the sleeper does it the other way round. */
    atomic_thread_fence(memory_order_seq_cst);
    /* Relaxed: the fence does the ordering. */
    if ((atomic_load_explicit(&side->lock, memory_order_relaxed) & QUEUE_SLEEPERS) == 0)
        return;
    uint32_t flags = atomic_fetch_and_explicit(&side->lock, ~QUEUE_SLEEPERS, memory_order_relaxed);
    STEP();
    shmx_queue_wake(queue, side, flags & QUEUE_SLEEPERS);
}

/* The sleeper's number is read before its bit is set, so a teller who clears the bit changes the
 * number afterwards. A sleeper that is killed leaves the count too high for ever, which costs one
 * needless wake after each sleep and nothing else. */
int shmx_queue_sleep(shmx_queue *queue, struct queue_side *other, struct queue_wait *wait,
                     bool (*changed)(const shmx_queue *queue))
{
    shmx_queue_wait_begin(wait);
    int status = SHMX_OK;
    wait->slept = true;
    atomic_fetch_add(&other->sleepers, 1);
    uint32_t event = atomic_load_explicit(&other->event, memory_order_acquire);
    atomic_fetch_or(&other->lock, QUEUE_SLEEPERS);
    atomic_thread_fence(memory_order_seq_cst);
    if (!changed(queue))
        status = shmx_sleep(&queue->shm->attachment, &other->event, event, wait->deadline);
    atomic_fetch_sub(&other->sleepers, 1);
    return status;
}
