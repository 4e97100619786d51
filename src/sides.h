/* SPDX-License-Identifier: MIT */
/*
 * The two sides of a queue or topic: which of its handles have joined one, and whether anybody who
 * has is left. The system keeps a mark for each side that a handle has joined; in shared memory is
 * only what number these marks have, and that there ever was one.
 */
#ifndef SHMX_SIDES_H
#define SHMX_SIDES_H

#include "lock.h"

/* Tests kill the process at each of these. */
#ifdef SHMX_STEPS
void shmx_step(void);
#define STEP() shmx_step()
#else
#define STEP() ((void)0)
#endif

#define SIDES_BOTH (SHMX_SENDER | SHMX_RECEIVER)
#define SIDES_SHUTDOWN 0x80000000u

struct shmx_sides {
    _Atomic uint32_t key;   /* of its marks, but for the last bit; 0: nobody has begun to join */
    _Atomic uint32_t flags; /* sides that somebody has joined, SIDES_SHUTDOWN */
};

/* What a handle of a queue and one of a topic have in common. */
struct shmx_party {
    shmx *shm;
    struct shmx_sides *shared;
    _Atomic uint32_t *lock;            /* the senders' */
    _Atomic uint32_t *sent, *received; /* the events of either side, which wake the other */
    bool shares;                       /* each message is for one receiver */
    uint32_t longest;                  /* message */
    /* The sides that it has joined. */
    uint32_t sides;
    uint32_t key;     /* a copy nobody else can change */
    uint32_t token;   /* of the attachment then; in the child of a fork it is another */
    int64_t asked_at; /* when the system was last asked whether there are receivers */
    /* Found by the last attempt: it must change before the next one is worth while. */
    const _Atomic uint32_t *watch;
    uint32_t watch_value;
    int64_t ask_at; /* when to ask next whether the owner of a reservation in the way lives */
    /* Found since they were set to false: what may still come when all is over. */
    bool lent;    /* messages that another handle has taken and may give back */
    bool held_up; /* by a record that another handle, which lives, has reserved */
};

/* Is a record in this state the handle's own? In the child of a fork the parent's are not. */
static inline bool shmx_party_owns(const struct shmx_party *party, uint32_t state)
{
    return state != 0 && (state & SHMX_OWNER_MASK) == shmx_token_known(party->shm);
}

static inline void shmx_watch(struct shmx_party *party, const _Atomic uint32_t *word,
                              uint32_t value)
{
    party->watch = word;
    party->watch_value = value;
}

/* The public function: join these sides; those that were joined already stay so. Nothing is changed
 * after failure. `party` may be NULL. */
int shmx_sides_join(struct shmx_party *party, unsigned sides);

/* Leave all that were joined. */
void shmx_sides_leave(struct shmx_party *party);

/* The public function: end it for ever, as long as the region is not zeroed. `party` may be NULL.
 */
int shmx_sides_shutdown(struct shmx_party *party);

/* Wake all that wait, on either side. */
void shmx_sides_wake(const struct shmx_party *party);

/* SHMX_EHANGUP: it was shut down, or somebody had joined this side and nobody of them is left. */
int shmx_sides_check(const struct shmx_party *party, uint32_t side);

/* The same of the receivers' side, for those who send. Without `ask` the system is asked only if
 * the clock has ticked since the last time: in between it is SHMX_OK. */
int shmx_sides_check_receivers(struct shmx_party *party, bool ask);

/* Is there anything to check? */
static inline bool shmx_sides_used(const struct shmx_sides *shared)
{
    /* Relaxed: a change that comes at this moment may as well have come later. */
    return atomic_load_explicit(&shared->flags, memory_order_relaxed) != 0;
}

/* Has somebody joined, or begun to? Who begins to wakes all sleepers after that is seen here. */
static inline bool shmx_sides_begun(const struct shmx_sides *shared)
{
    /* Relaxed: the fence of shmx_event_prepare does the ordering. */
    return atomic_load_explicit(&shared->key, memory_order_relaxed) != 0;
}

/* Was it shut down? A sender asks while it holds the senders' lock. So nothing new is begun once
 * another has held that lock after it saw the end. */
static inline bool shmx_sides_over(const struct shmx_sides *shared)
{
    /* Relaxed: the lock does the ordering. */
    return (atomic_load_explicit(&shared->flags, memory_order_relaxed) & SIDES_SHUTDOWN) != 0;
}

/* The beginning of a public function that sends or reserves: are its arguments good (`good`: those
 * that only it has), may it write, does the message fit, and is there anybody to send to? `party`
 * may be NULL. */
int shmx_sides_check_send(struct shmx_party *party, bool good, size_t size, int timeout_ms);

#endif
