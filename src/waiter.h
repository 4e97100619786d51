/* SPDX-License-Identifier: MIT */
/* Waiting for the other side of a queue or topic: to spin, to find out who is dead and who has
 * gone, to sleep. */
#ifndef SHMX_WAITER_H
#define SHMX_WAITER_H

#include "sides.h"

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

int64_t shmx_limit_end(struct shmx_limit *limit);

struct shmx_waiter {
    struct shmx_party *party;
    uint32_t other;          /* the side that is waited for */
    _Atomic uint32_t *event; /* by which it tells: set by shmx_waiter_persist */
    uint32_t capacity;       /* of the ring: when records passed have been all */
    struct shmx_limit *limit;

    /* SHMX_OK, SHMX_NOTHING, SHMX_AGAIN or a failure; `ask`: find out whether those who are in the
     * way are dead. */
    int (*attempt)(struct shmx_waiter *waiter, bool ask);

    /* Is there somebody in the way whose death would make a difference? */
    bool (*hindered)(const struct shmx_waiter *waiter);

    /* Spin until there may be something. */
    bool (*spin)(struct shmx_waiter *waiter);
};

/* Has the owner ended of the reservation in the way? Without `ask` that is asked once a slice: in
 * between it is SHMX_NOTHING. */
int shmx_waiter_owner_ended(struct shmx_party *party, uint32_t state, bool ask);

/* Go on after a first attempt that did not succeed; what it returned is `status`. Returns as a
 * public function does. */
int shmx_waiter_persist(struct shmx_waiter *waiter, int status);

#endif
