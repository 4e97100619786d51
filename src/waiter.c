/* SPDX-License-Identifier: MIT */
#include "waiter.h"

static int64_t limit_end(struct shmx_limit *limit)
{
    if (!limit->begun)
        shmx_deadline(limit->timeout_ms, &limit->deadline);
    limit->begun = true;
    return limit->deadline;
}

int shmx_side_lock_slowly(struct shmx_party *party, _Atomic uint32_t *lock,
                          struct shmx_limit *limit, bool *dead)
{
    int status = shmx_word_acquire(party->shm, lock, limit_end(limit));
    if (status == SHMX_EOWNERDEAD && dead != NULL)
        *dead = true;
    return status == SHMX_EOWNERDEAD ? SHMX_OK : status;
}

void shmx_side_notify(const struct shmx_party *party, _Atomic uint32_t *event)
{
    bool one = party->shares && event == party->sent;
    shmx_event_notify(party->shm, event, one ? 1 : SHMX_WAKE_ALL);
}

int shmx_side_wake(const struct shmx_party *party, _Atomic uint32_t *lock, uint32_t value,
                   _Atomic uint32_t *event)
{
    shmx_word_released(party->shm, lock, value);
    shmx_side_notify(party, event);
    return SHMX_OK;
}

int shmx_waiter_owner_ended(struct shmx_party *party, uint32_t state, bool ask)
{
    int64_t now = shmx_os_now();
    if (!ask && now < party->ask_at)
        return SHMX_NOTHING;
    int status = shmx_owner_ended(party->shm, state);
    if (status == SHMX_NOTHING)
        party->ask_at = now + shmx_slice();
    return status;
}

/* Senders that did not see the end are not inside a call any more: SHMX_OK; SHMX_NOTHING: one may
 * be. See topic_over for those that cannot take the lock. */
static int pass_senders(const struct shmx_waiter *waiter)
{
    _Atomic uint32_t *lock = waiter->party->lock;
    if (waiter->party->shm->attachment.read_only) {
        uint32_t word = atomic_load(lock);
        return (word & SHMX_OWNER_MASK) == 0 ? SHMX_OK : shmx_owner_ended(waiter->party->shm, word);
    }
    int status = shmx_side_lock(waiter->party, lock, waiter->limit, NULL);
    if (status == SHMX_OK)
        shmx_word_release(waiter->party->shm, lock);
    return status;
}

/* The last attempt of a reader, after all writers have gone or all was shut down. A message that
 * was begun before may still come, and others may lie behind it. */
static int attempt_last(struct shmx_waiter *waiter)
{
    struct shmx_party *party = waiter->party;
    bool over = shmx_sides_over(party->shared);
    int status = over ? pass_senders(waiter) : SHMX_OK;
    if (status != SHMX_OK)
        return status;
    party->lent = party->held_up = false;
    status = waiter->attempt(waiter->job, true);
    if (status != SHMX_NOTHING)
        return status;
    return party->lent || party->held_up ? SHMX_NOTHING : SHMX_EHANGUP;
}

/* A reader found nothing. Is there nobody left to wait for? A message that the last sender sent
 * before it left is found by trying once more. */
static int hang_up(struct shmx_waiter *waiter)
{
    if (!shmx_sides_used(waiter->party->shared))
        return SHMX_NOTHING;
    int status = shmx_sides_check(waiter->party, SHMX_SENDER);
    if (status == SHMX_OK)
        return SHMX_NOTHING;
    return status == SHMX_EHANGUP ? attempt_last(waiter) : status;
}

/* A sender looks first whether there is anybody to send to: the last receiver leaves room behind.
 */
static int attempt_once(struct shmx_waiter *waiter, bool ask)
{
    int status = SHMX_OK;
    if (waiter->other == SHMX_RECEIVER)
        status = shmx_sides_check_receivers(waiter->party, ask);
    return status == SHMX_OK ? waiter->attempt(waiter->job, ask) : status;
}

/* Try, find out who is dead, and who has gone. */
static int attempt_asking(struct shmx_waiter *waiter)
{
    int status = attempt_once(waiter, true);
    return status == SHMX_NOTHING && waiter->other == SHMX_SENDER ? hang_up(waiter) : status;
}

static int nap(const struct shmx_waiter *waiter)
{
    int64_t pause = SHMX_UNANNOUNCED;
    bool more = shmx_nap(waiter->limit->deadline, &pause, SHMX_UNANNOUNCED);
    return more ? SHMX_OK : SHMX_ETIMEDOUT;
}

/* Sleep for a slice, a short one if there may be a death to be told before its end. A handle that
 * is about to join meanwhile wakes the sleeper. One that reserves or peeks does not: its death is
 * noticed at the end of a long slice. */
static int sleep_slice(const struct shmx_waiter *waiter, uint32_t ticket)
{
    bool asks = shmx_sides_begun(waiter->party->shared) || waiter->hindered(waiter->job);
    return shmx_event_sleep(waiter->party->shm, waiter->event, ticket, waiter->limit->deadline,
                            asks ? shmx_slice() : SHMX_SLICE_LONG);
}

/* Sleep until the other side has done something, and try once more. Between taking the ticket and
 * sleeping the whole attempt is made again, and not only a look at what may have changed. The
 * ticket is good for the next slice too. */
static int sleep_once(struct shmx_waiter *waiter)
{
    bool announced = !waiter->party->shm->attachment.read_only;
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
    status = attempt_once(waiter, false);
    return status == SHMX_NOTHING && slept != SHMX_OK ? slept : status;
}

/* There is no time to wait. */
static int try_last(struct shmx_waiter *waiter)
{
    int status = attempt_asking(waiter);
    return status == SHMX_NOTHING ? SHMX_ETIMEDOUT : status;
}

static int persist(struct shmx_waiter *waiter, int status)
{
    uint32_t again = 0;
    while (status == SHMX_NOTHING || status == SHMX_AGAIN) {
        int64_t end = limit_end(waiter->limit);
        if (status == SHMX_AGAIN && ++again > SHMX_AGAIN_MOST + waiter->capacity / SHMX_PASS_MOST &&
            shmx_os_now() >= end)
            return SHMX_ETIMEDOUT;
        if (end == SHMX_DEADLINE_PAST)
            status = try_last(waiter);
        else if (status == SHMX_AGAIN || waiter->spin(waiter->job))
            status = waiter->attempt(waiter->job, false);
        else
            status = sleep_once(waiter);
    }
    return status;
}

int shmx_waiter_persist(struct shmx_waiter *waiter, int status)
{
    const struct shmx_party *party = waiter->party;
    waiter->event = waiter->other == SHMX_SENDER ? party->sent : party->received;
    status = persist(waiter, status);
    if (status == SHMX_OK)
        return SHMX_OK;
    bool own = status == SHMX_EPROTO || status == SHMX_EMSGSIZE || status == SHMX_ERANGE;
    return own ? shmx_refuse(status) : shmx_report(status);
}
