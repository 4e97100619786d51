/* SPDX-License-Identifier: MIT */
#include "sides.h"

#include "base/control.h"
#include "lock.h"

/* A key of its own for a queue or topic of the segment; an even number. */
static int key_new(shmx *shm, uint32_t *key)
{
    struct shmx_control *control = shm->attachment.control;
    int status;
    do {
        status = shmx_control_count(control != NULL ? &control->next_key : NULL, key);
        *key = (*key * 2) & INT32_MAX;
    } while (status == SHMX_OK && *key == 0);
    return status;
}

static int key_settle(shmx *shm, struct shmx_sides *shared, uint32_t *key)
{
    uint32_t made = 0, seen = atomic_load(&shared->key);
    if (seen == 0) {
        int status = key_new(shm, &made);
        if (status != SHMX_OK)
            return status;
        if (atomic_compare_exchange_strong(&shared->key, &seen, made))
            seen = made;
    }
    *key = seen & (uint32_t)INT32_MAX & ~1u;
    return SHMX_OK;
}

static uint32_t mark_of(uint32_t key, uint32_t side)
{
    return key + (side == SHMX_RECEIVER);
}

int shmx_sides_join(shmx *shm, struct shmx_sides *shared, struct shmx_joined *joined,
                    unsigned sides)
{
    if (joined->token != shmx_token_known(shm))
        joined->sides = 0; /* they were the parent's */
    uint32_t fresh = sides & ~joined->sides;
    uint32_t done = 0;
    int status = key_settle(shm, shared, &joined->key);
    for (uint32_t side = SHMX_SENDER; status == SHMX_OK && side <= SHMX_RECEIVER; side *= 2) {
        if ((fresh & side) == 0)
            continue;
        status = shmx_os_mark_set(&shm->attachment, SHMX_OS_JOINED, mark_of(joined->key, side));
        if (status == SHMX_OK)
            done |= side;
    }
    joined->sides |= done;
    joined->token = shmx_token_known(shm);
    if (status == SHMX_OK) {
        /* After the marks: a process that sees the flag finds the mark. */
        atomic_fetch_or(&shared->flags, sides);
        return SHMX_OK;
    }
    struct shmx_joined undo = {done, joined->key, joined->token, 0};
    shmx_sides_leave(shm, &undo);
    joined->sides &= ~done;
    return status;
}

void shmx_sides_leave(shmx *shm, struct shmx_joined *joined)
{
    for (uint32_t side = SHMX_SENDER; side <= SHMX_RECEIVER; side *= 2)
        if ((joined->sides & side) != 0)
            shmx_os_mark_drop(&shm->attachment, SHMX_OS_JOINED, mark_of(joined->key, side));
    joined->sides = 0;
}

void shmx_sides_shutdown(struct shmx_sides *shared)
{
    atomic_fetch_or(&shared->flags, SIDES_SHUTDOWN);
}

int shmx_sides_check(shmx *shm, const struct shmx_sides *shared, uint32_t side)
{
    bool held;
    uint32_t flags = atomic_load(&shared->flags);
    if ((flags & SIDES_SHUTDOWN) != 0)
        return SHMX_EHANGUP;
    if ((flags & side) == 0)
        return SHMX_OK;
    uint32_t key = atomic_load(&shared->key) & (uint32_t)INT32_MAX & ~1u;
    int status = shmx_os_mark_held(&shm->attachment, SHMX_OS_JOINED, mark_of(key, side), &held);
    return status == SHMX_OK && !held ? SHMX_EHANGUP : status;
}

int shmx_sides_ask_receivers(shmx *shm, const struct shmx_sides *shared, struct shmx_joined *joined)
{
    uint32_t flags = atomic_load(&shared->flags);
    if ((flags & SIDES_SHUTDOWN) != 0)
        return SHMX_EHANGUP;
    if ((flags & SHMX_RECEIVER) == 0)
        return SHMX_OK;
    int64_t tick = shmx_os_tick();
    if (tick == joined->asked_at)
        return SHMX_OK;
    int status = shmx_sides_check(shm, shared, SHMX_RECEIVER);
    joined->asked_at = status == SHMX_OK ? tick : 0;
    return status;
}
