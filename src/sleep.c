/* SPDX-License-Identifier: MIT */
/* Time limits, spinning and events. */
#include "sleep.h"

/* Spinning is counted in looks at the word. The first follow each other at once, so that an answer
 * that is on its way is not missed by a pause of the processor; the others are 10 to 50 ns apart.
 */
#define SPIN_EAGER 50

/* Between looks at a lock, doubling: its owner works faster the less it is looked at. */
#define SPIN_GAP_FIRST 4
#define SPIN_GAP_MOST 64

/* How many looks to begin with, at least and at most. */
#define SPIN_START 1000
#define SPIN_LEAST 60
#define SPIN_MOST 2000 /* as long as it takes to go to sleep and be woken */

/* After so many spins without success a longer one is tried again. */
#define SPIN_PROBE 16

/* The success of spinning in this thread lately. */
struct spin_record {
    int limit;  /* looks worth taking */
    int failed; /* spins since the last success */
};

static _Thread_local struct spin_record spin_record = {SPIN_START, 0};

int shmx_deadline(int timeout_ms, int64_t *deadline)
{
    if (timeout_ms < SHMX_FOREVER)
        return SHMX_EINVAL;
    if (timeout_ms == SHMX_FOREVER)
        *deadline = SHMX_OS_NEVER;
    else if (timeout_ms == 0)
        *deadline = SHMX_DEADLINE_PAST;
    else
        *deadline = shmx_os_now() + (int64_t)timeout_ms * 1000000;
    return SHMX_OK;
}

bool shmx_nap(int64_t deadline, int64_t *pause, int64_t most)
{
    int64_t left = deadline - shmx_os_now();
    if (left <= 0)
        return false;
    shmx_os_sleep(left < *pause ? left : *pause);
    *pause = 2 * *pause < most ? 2 * *pause : most;
    return true;
}

static int spin_limit(const struct spin_record *record)
{
    if (shmx_os_facts()->processors < 2)
        return 0;
    return record->failed % SPIN_PROBE == SPIN_PROBE - 1 ? SPIN_START : record->limit;
}

/* Up by a half, down by a half: where less than about two of three spins succeed they get short. */
static void spin_learn(struct spin_record *record, bool success)
{
    int limit = success ? record->limit + record->limit / 2 : record->limit / 2;
    record->limit = limit < SPIN_LEAST ? SPIN_LEAST : limit > SPIN_MOST ? SPIN_MOST : limit;
    record->failed = success ? 0 : record->failed + 1;
}

bool shmx_spin_glancing(const _Atomic uint32_t *word, uint32_t unwanted)
{
    struct spin_record *record = &spin_record;
    int limit = spin_limit(record);
    bool success = false;
    for (int count = 0; !success && count < limit; count++) {
        if (count >= SPIN_EAGER)
            shmx_os_relax();
        success = shmx_os_glance(word) != unwanted;
    }
    spin_learn(record, success);
    return success;
}

bool shmx_spin(const _Atomic uint32_t *word, uint32_t unwanted)
{
    /* Acquire: the caller may go on to what the writer of the new value published. */
    return shmx_spin_glancing(word, unwanted) &&
           (atomic_load_explicit(word, memory_order_acquire), true);
}

bool shmx_spin_apart(const _Atomic uint32_t *word, uint32_t mask)
{
    struct spin_record *record = &spin_record;
    int limit = spin_limit(record);
    bool success = false;
    int gap = SPIN_GAP_FIRST;
    for (int count = 0; !success && count < limit; count += gap) {
        for (int i = 0; i < gap; i++)
            shmx_os_relax();
        gap = gap < SPIN_GAP_MOST ? 2 * gap : gap;
        /* Relaxed: it is taken by an operation that acquires. */
        success = (atomic_load_explicit(word, memory_order_relaxed) & mask) == 0;
    }
    spin_learn(record, success);
    return success;
}

/* ---- sleepers, counted ---- */

/*
 * The sleeper counts itself and then looks at the word; the waker changes the word and then looks
 * at the count. With a full fence between the two steps on both sides, one of them sees the other.
 * A sleeper that is killed leaves the count too high for ever, which costs wakers of that bucket a
 * call of the system and nothing else.
 */
int shmx_sleep_counted(shmx *shm, _Atomic uint32_t *word, uint32_t expected, int64_t deadline)
{
    if (shm->attachment.control == NULL)
        return shmx_os_wait(&shm->attachment, word, expected, deadline);
    _Atomic uint32_t *sleepers = shmx_sleepers_of(shm, word);
    atomic_fetch_add(sleepers, 1);
    atomic_thread_fence(memory_order_seq_cst);
    int status = shmx_os_wait(&shm->attachment, word, expected, deadline);
    atomic_fetch_sub(sleepers, 1);
    return status;
}

/* ---- events ---- */

/* One notification: the number is above the bit. */
#define EVENT_STEP 2u

/* A fresh event begins anywhere, so that a ticket from before it was zeroed is none of its own. */
static uint32_t first_number(void)
{
    return ((uint32_t)shmx_os_now() | 1u) * EVENT_STEP | EVENT_ARMED;
}

uint32_t shmx_event_prepare(_Atomic uint32_t *event)
{
    uint32_t seen = atomic_load(event);
    uint32_t ticket = seen;
    while ((seen & EVENT_ARMED) == 0) {
        ticket = seen == 0 ? first_number() : seen | EVENT_ARMED;
        if (atomic_compare_exchange_strong(event, &seen, ticket))
            break;
        ticket = seen;
    }
    /* The bit before, the second look at the condition after; the notifier does it the other way
     * round. */
    atomic_thread_fence(memory_order_seq_cst);
    return ticket;
}

int shmx_event_sleep(shmx *shm, _Atomic uint32_t *event, uint32_t ticket, int64_t deadline,
                     int64_t slice)
{
    int64_t now = shmx_os_now();
    bool last = deadline - now <= slice;
    if (now >= deadline)
        return SHMX_ETIMEDOUT;
    int status = shmx_sleep_counted(shm, event, ticket, last ? deadline : now + slice);
    if (status == SHMX_ETIMEDOUT)
        return last && atomic_load(event) == ticket ? SHMX_ETIMEDOUT : SHMX_OK;
    return status;
}

int shmx_event_notify_armed(shmx *shm, _Atomic uint32_t *event, int count)
{
    uint32_t before = atomic_fetch_add(event, EVENT_STEP);
    uint32_t now = before + EVENT_STEP;
    /* Not armed: it was zeroed, and nothing says how many sleep by former tickets. */
    bool armed = (before & EVENT_ARMED) != 0;
    int woken = shmx_os_wake(&shm->attachment, event, armed ? count : SHMX_WAKE_ALL);
    if (woken < 0 || !armed || (woken != 0 && shmx_sleepers_counted(shm, event)))
        return woken < 0 ? woken : SHMX_OK;
    /* Nobody sleeps by an older ticket. By this one somebody may have begun to, and others may be
     * about to: the number changes with the bit. */
    if (atomic_compare_exchange_strong(event, &now, now - EVENT_ARMED + EVENT_STEP))
        woken = shmx_os_wake(&shm->attachment, event, SHMX_WAKE_ALL);
    return woken < 0 ? woken : SHMX_OK;
}

/* It looks fresh. */
static int notify_fresh(shmx *shm, _Atomic uint32_t *event, int count)
{
    uint32_t seen = 0;
    if (shmx_sleepers_counted(shm, event))
        return shmx_event_notify_armed(shm, event, count);
    /* From now on it is not fresh. If somebody has armed it meanwhile, that one is to be woken. */
    if (atomic_compare_exchange_strong(event, &seen, first_number() & ~EVENT_ARMED) ||
        (seen & EVENT_ARMED) == 0)
        return SHMX_OK;
    return shmx_event_notify_armed(shm, event, count);
}

int shmx_event_notify_zeroed(shmx *shm, _Atomic uint32_t *event, int count)
{
    /* Relaxed: as in shmx_event_notify. */
    uint32_t seen = atomic_load_explicit(event, memory_order_relaxed);
    return seen == 0 ? notify_fresh(shm, event, count) : shmx_event_notify(shm, event, count);
}
