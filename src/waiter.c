/* SPDX-License-Identifier: MIT */
#include "waiter.h"

int64_t shmx_limit_end(struct shmx_limit *limit)
{
    if (!limit->begun)
        shmx_deadline(limit->timeout_ms, &limit->deadline);
    limit->begun = true;
    return limit->deadline;
}

/* Nothing was found. Is there nobody left to wait for? A message that the last sender sent before
 * it left is found by trying once more. */
static int hang_up(struct shmx_waiter *waiter)
{
    if (!shmx_sides_used(waiter->sides))
        return SHMX_NOTHING;
    int status = shmx_sides_check(waiter->shm, waiter->sides, waiter->other);
    if (status == SHMX_OK)
        return SHMX_NOTHING;
    bool reader = waiter->other == SHMX_SENDER;
    return status == SHMX_EHANGUP && reader ? waiter->attempt_last(waiter) : status;
}

/* Try, find out who is dead, and who has gone. */
static int attempt_asking(struct shmx_waiter *waiter)
{
    int status = waiter->attempt(waiter, true);
    return status == SHMX_NOTHING ? hang_up(waiter) : status;
}

static int nap(const struct shmx_waiter *waiter)
{
    int64_t pause = SHMX_UNANNOUNCED;
    bool more = shmx_nap(waiter->limit->deadline, &pause, SHMX_UNANNOUNCED);
    return more ? SHMX_OK : SHMX_ETIMEDOUT;
}

/* Sleep for a slice, a short one if there is a death to be told. A handle that joins meanwhile
 * wakes the sleeper. One that reserves or peeks does not: its death is noticed at the end of a long
 * slice.
 */
static int sleep_slice(const struct shmx_waiter *waiter, uint32_t ticket)
{
    bool asks = shmx_sides_used(waiter->sides) || waiter->hindered(waiter);
    return shmx_event_sleep(waiter->shm, waiter->event, ticket, waiter->limit->deadline,
                            asks ? shmx_slice() : SHMX_SLICE_LONG);
}

/* Sleep until the other side has done something, and try once more. Between taking the ticket and
 * sleeping the whole attempt is made again, and not only a look at what may have changed. The
 * ticket is good for the next slice too. */
static int sleep_once(struct shmx_waiter *waiter)
{
    bool announced = !waiter->shm->attachment.read_only;
    uint32_t ticket = announced ? shmx_event_prepare(waiter->event) : 0;
    int slept, status;
    do {
        status = attempt_asking(waiter);
        if (status != SHMX_NOTHING)
            return status;
        waiter->limit->slept = true;
        slept = announced ? sleep_slice(waiter, ticket) : nap(waiter);
    } while (slept == SHMX_OK && (!announced || atomic_load(waiter->event) == ticket));
    if (slept != SHMX_OK && slept != SHMX_ETIMEDOUT)
        return slept;
    status = waiter->attempt(waiter, false);
    return status == SHMX_NOTHING && slept != SHMX_OK ? slept : status;
}

/* There is no time to wait. */
static int try_last(struct shmx_waiter *waiter)
{
    int status = attempt_asking(waiter);
    return status == SHMX_NOTHING ? SHMX_ETIMEDOUT : status;
}

int shmx_waiter_persist(struct shmx_waiter *waiter, int status)
{
    uint32_t again = 0;
    while (status == SHMX_NOTHING || status == SHMX_AGAIN) {
        int64_t end = shmx_limit_end(waiter->limit);
        if (status == SHMX_AGAIN && ++again > SHMX_AGAIN_MOST + waiter->capacity / SHMX_PASS_MOST &&
            shmx_os_now() >= end)
            return SHMX_ETIMEDOUT;
        if (end == SHMX_DEADLINE_PAST)
            status = try_last(waiter);
        else if (status == SHMX_AGAIN || waiter->spin(waiter))
            status = waiter->attempt(waiter, false);
        else
            status = sleep_once(waiter);
    }
    return status;
}

int shmx_waiter_report(int status)
{
    bool own = status == SHMX_EPROTO || status == SHMX_EMSGSIZE || status == SHMX_ERANGE;
    return own ? shmx_refuse(status) : shmx_report(status);
}
