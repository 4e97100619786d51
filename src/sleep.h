/* SPDX-License-Identifier: MIT */
/*
 * Time limits, spinning, and the one way to sleep until something has changed: the event.
 *
 * An event is one word in shared memory, zero at first: bit 0, EVENT_ARMED, says that somebody may
 * sleep; the rest is a number that each notification changes.
 *
 *     waiting                                   changing
 *         ticket = shmx_event_prepare               change the condition
 *         look at the condition again               a full fence
 *         shmx_event_sleep(ticket)                  shmx_event_notify
 *
 * Either the waiter's second look finds the change, or the notifier finds the event armed. It then
 * changes the number, so that nobody falls asleep by an old ticket, and wakes. The bit stays: the
 * sleeper that was woken leaves it to others. A notifier that wakes nobody takes it away, and then
 * wakes everybody once more, for one may have fallen asleep in between.
 *
 * A newcomer may be woken in place of an older sleeper. Where the condition is looked at again that
 * does not matter, as the newcomer finds what the older one would have found; cond.c sees to it.
 *
 * A sleeper that is killed after it was woken, and a notifier that is killed half-way, delay others
 * until they look for themselves, which each does at the end of a slice.
 *
 * models/event.pml is the model of this.
 */
#ifndef SHMX_SLEEP_H
#define SHMX_SLEEP_H

#include "segment.h"

/* How long a waiter sleeps before it asks whether another one lives, where that one's death may end
 * the waiting: a death is noticed within 100 ms. */
static inline int64_t shmx_slice(void)
{
    return (int64_t)95 * 1000 * 1000 - shmx_os_facts()->sleep_excess;
}

/* The same where nobody's death does. Only a wake that a killed process took with it is made up for
 * as late as at its end. */
#define SHMX_SLICE_LONG ((int64_t)360 * 1000 * 1000)

/* A deadline that has always passed: try once. */
#define SHMX_DEADLINE_PAST ((int64_t)0)

/* A sleeper that may not write cannot be announced, so nobody wakes it: it looks so often. */
#define SHMX_UNANNOUNCED ((int64_t)8 * 1000 * 1000)

/* The status that a public function returns when nothing but the lock's own state may be behind it.
 */
static inline int shmx_report(int status)
{
    bool own = status == SHMX_ETIMEDOUT || status == SHMX_EDEADLK || status == SHMX_EOWNERDEAD ||
               status == SHMX_EHANGUP;
    return own ? shmx_refuse(status) : shmx_result(status);
}

/* Write when timeout_ms ends, on the clock of shmx_os_now; SHMX_EINVAL if it is no time limit. */
int shmx_deadline(int timeout_ms, int64_t *deadline);

/* Sleep for a pause, and double the next one up to `most`. False: the deadline has passed. */
bool shmx_nap(int64_t deadline, int64_t *pause, int64_t most);

/* Orders a read-modify-write, and all before it, before the loads after it. On x86 locked
 * instructions do that by themselves; elsewhere (ARMv8.0) later loads may pass even a sequentially
 * consistent one. */
static inline void shmx_fence_behind(void)
{
#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64) || defined(_M_IX86)
    atomic_signal_fence(memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* ---- spinning ---- */

/* Spin while *word == unwanted, for a short time that adapts to how often that helped this
 * thread. True if the word changed. */
bool shmx_spin(const _Atomic uint32_t *word, uint32_t unwanted);

/* The same with a word that may have become another's plain memory meanwhile. */
bool shmx_spin_glancing(const _Atomic uint32_t *word, uint32_t unwanted);

/* Spin while *word & mask is not 0, looking ever less often. True if it became 0. */
bool shmx_spin_apart(const _Atomic uint32_t *word, uint32_t mask);

/* ---- sleepers, counted ---- */

/* Like shmx_os_wait, and meanwhile shmx_sleepers_counted is true of the word. */
int shmx_sleep_counted(shmx *shm, _Atomic uint32_t *word, uint32_t expected, int64_t deadline);

/* The control block counts sleepers by the place of their word. */
static inline _Atomic uint32_t *shmx_sleepers_of(const shmx *shm, const _Atomic uint32_t *word)
{
    size_t offset = (size_t)((const unsigned char *)word - shm->attachment.data);
    return &shm->attachment.control->sleepers[offset / 4 % SHMX_BUCKETS];
}

/* Might somebody sleep on the word? Always true where there is no control block to count in. */
static inline bool shmx_sleepers_counted(const shmx *shm, const _Atomic uint32_t *word)
{
    /* Relaxed: the caller's fence does the ordering. */
    return shm->attachment.control == NULL ||
           atomic_load_explicit(shmx_sleepers_of(shm, word), memory_order_relaxed) != 0;
}

/* ---- events ---- */

#define EVENT_ARMED 1u

/* Say that this thread may be about to sleep. The caller looks at its condition once more. */
uint32_t shmx_event_prepare(_Atomic uint32_t *event);

/* Sleep until notified, for at most a slice. SHMX_OK: look again; SHMX_ETIMEDOUT: the deadline has
 * passed, and there was no notification. */
int shmx_event_sleep(shmx *shm, _Atomic uint32_t *event, uint32_t ticket, int64_t deadline,
                     int64_t slice);

int shmx_event_notify_armed(shmx *shm, _Atomic uint32_t *event, int count);

/* Wake up to `count` sleepers. The condition was changed before, with a full fence behind it. */
static inline int shmx_event_notify(shmx *shm, _Atomic uint32_t *event, int count)
{
    /* Relaxed: the fence does the ordering. */
    uint32_t seen = atomic_load_explicit(event, memory_order_relaxed);
    return (seen & EVENT_ARMED) == 0 ? SHMX_OK : shmx_event_notify_armed(shm, event, count);
}

/* Has it been used, and does nobody sleep? */
static inline bool shmx_event_quiet(const _Atomic uint32_t *event)
{
    /* Relaxed: as in shmx_event_notify. */
    uint32_t seen = atomic_load_explicit(event, memory_order_relaxed);
    return seen != 0 && (seen & EVENT_ARMED) == 0;
}

/* shmx_event_notify for an event that the user may have zeroed while somebody slept on it: then it
 * looks fresh, and is looked at more closely, once. */
int shmx_event_notify_zeroed(shmx *shm, _Atomic uint32_t *event, int count);

#endif
