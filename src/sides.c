/* SPDX-License-Identifier: MIT */
#include "sides.h"

#include "base/control.h"

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

static void marks_drop(shmx *shm, uint32_t key, uint32_t sides)
{
    for (uint32_t side = SHMX_SENDER; side <= SHMX_RECEIVER; side *= 2)
        if ((sides & side) != 0)
            shmx_os_mark_drop(&shm->attachment, SHMX_OS_JOINED, mark_of(key, side));
}

static int marks_set(struct shmx_party *party, uint32_t sides)
{
    shmx *shm = party->shm;
    if (party->token != shmx_token_known(shm))
        party->sides = 0; /* they were the parent's */
    uint32_t fresh = sides & ~party->sides;
    uint32_t done = 0;
    int status = key_settle(shm, party->shared, &party->key);
    for (uint32_t side = SHMX_SENDER; status == SHMX_OK && side <= SHMX_RECEIVER; side *= 2) {
        if ((fresh & side) == 0)
            continue;
        status = shmx_os_mark_set(&shm->attachment, SHMX_OS_JOINED, mark_of(party->key, side));
        if (status == SHMX_OK)
            done |= side;
    }
    party->token = shmx_token_known(shm);
    if (status != SHMX_OK) {
        marks_drop(shm, party->key, done);
        return status;
    }
    party->sides |= done;
    return SHMX_OK;
}

/* Those that wait look again. */
void shmx_sides_wake(const struct shmx_party *party)
{
    atomic_thread_fence(memory_order_seq_cst);
    shmx_event_notify(party->shm, party->sent, SHMX_WAKE_ALL);
    STEP();
    shmx_event_notify(party->shm, party->received, SHMX_WAKE_ALL);
}

int shmx_sides_join(struct shmx_party *party, unsigned sides)
{
    if (party == NULL || sides == 0 || (sides & ~SIDES_BOTH) != 0)
        return shmx_refuse(SHMX_EINVAL);
    if (party->shm->attachment.read_only)
        return shmx_refuse(SHMX_EACCES);
    int status = marks_set(party, sides);
    if (status != SHMX_OK)
        return shmx_result(status);
    STEP();
    /* Before the flag: all sleepers find the key, and sleep for short slices from then on. So a
     * death of this process is told in time, though it comes right after the flag. */
    shmx_sides_wake(party);
    STEP();
    /* After the marks: a process that sees the flag finds the mark. */
    atomic_fetch_or(&party->shared->flags, sides);
    STEP();
    return SHMX_OK;
}

void shmx_sides_leave(struct shmx_party *party)
{
    if (party->sides == 0)
        return;
    marks_drop(party->shm, party->key, party->sides);
    party->sides = 0;
    shmx_sides_wake(party);
}

int shmx_sides_shutdown(struct shmx_party *party)
{
    if (party == NULL)
        return shmx_refuse(SHMX_EINVAL);
    if (party->shm->attachment.read_only)
        return shmx_refuse(SHMX_EACCES);
    atomic_fetch_or(&party->shared->flags, SIDES_SHUTDOWN);
    shmx_sides_wake(party);
    return SHMX_OK;
}

int shmx_sides_check(const struct shmx_party *party, uint32_t side)
{
    bool held;
    uint32_t flags = atomic_load(&party->shared->flags);
    if ((flags & SIDES_SHUTDOWN) != 0)
        return SHMX_EHANGUP;
    if ((flags & side) == 0)
        return SHMX_OK;
    uint32_t key = atomic_load(&party->shared->key) & (uint32_t)INT32_MAX & ~1u;
    int status =
        shmx_os_mark_held(&party->shm->attachment, SHMX_OS_JOINED, mark_of(key, side), &held);
    return status == SHMX_OK && !held ? SHMX_EHANGUP : status;
}

int shmx_sides_check_receivers(struct shmx_party *party, bool ask)
{
    /* Relaxed: as in shmx_sides_used. */
    uint32_t flags = atomic_load_explicit(&party->shared->flags, memory_order_relaxed);
    if ((flags & (SHMX_RECEIVER | SIDES_SHUTDOWN)) == 0)
        return SHMX_OK;
    int64_t tick = shmx_os_tick();
    if (!ask && tick == party->asked_at && (flags & SIDES_SHUTDOWN) == 0)
        return SHMX_OK;
    int status = shmx_sides_check(party, SHMX_RECEIVER);
    party->asked_at = status == SHMX_OK ? tick : 0;
    return status;
}

int shmx_sides_check_send(struct shmx_party *party, bool good, size_t size, int timeout_ms)
{
    if (party == NULL || !good || timeout_ms < SHMX_FOREVER)
        return shmx_refuse(SHMX_EINVAL);
    if (party->shm->attachment.read_only)
        return shmx_refuse(SHMX_EACCES);
    if (size > party->longest)
        return shmx_refuse(SHMX_EMSGSIZE);
    int status = shmx_sides_check_receivers(party, false);
    return status == SHMX_OK ? SHMX_OK : shmx_report(status);
}
