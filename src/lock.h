/* SPDX-License-Identifier: MIT */
/*
 * What the locks have in common: time limits, spinning, sleeping in slices, and the robust lock
 * of one word that the mutex is and that once and the queue use.
 *
 * A lock is two words, zero when nobody holds it:
 *     word    bits 0 to 29  token of the owner's attachment (shmx_os_owner_claim), 0: free
 *             bit 30        CLAIMING: the owner takes it over from a dead one, `thread` is not its
 *             bit 31        WAITERS: somebody may sleep on the word
 *     thread  tells the owner's thread from all others; 0 while the lock changes hands
 */
#ifndef SHMX_LOCK_H
#define SHMX_LOCK_H

#include "segment.h"

/* The longest sleep before a waiter looks for itself: whether the owner lives, whether a wake was
 * given to somebody who died with it. An owner's death is noticed within twice this time. */
#define SHMX_SLICE ((int64_t)50 * 1000 * 1000)

/* A deadline that has always passed: try once. */
#define SHMX_DEADLINE_PAST ((int64_t)0)

/* The public structs as the library sees them. */
struct shmx_lock {
    _Atomic uint32_t word;
    _Atomic uint32_t thread;
};

static_assert(offsetof(shmx_mutex, word) == offsetof(struct shmx_lock, word), "layout");
static_assert(offsetof(shmx_mutex, thread) == offsetof(struct shmx_lock, thread), "layout");
static_assert(offsetof(shmx_once, word) == offsetof(struct shmx_lock, word), "layout");
static_assert(offsetof(shmx_once, thread) == offsetof(struct shmx_lock, thread), "layout");

/* What a public function returns when nothing but the lock's own state may be behind the status. */
static inline int shmx_report(int status)
{
    bool own = status == SHMX_ETIMEDOUT || status == SHMX_EDEADLK || status == SHMX_EOWNERDEAD;
    return own ? shmx_refuse(status) : shmx_result(status);
}

/* Write when timeout_ms ends, on the clock of shmx_os_now; SHMX_EINVAL if it is no time limit. */
int shmx_deadline(int timeout_ms, int64_t *deadline);

/* What every public function on an object checks: shmx_segment_check, and whether this system can
 * let processes wait in a segment of that kind (SHMX_ENOTSUP). */
static inline int shmx_lock_check(const shmx *shm, const void *place, size_t bytes)
{
    int status = shmx_segment_check(shm, place, bytes);
    if (status != SHMX_OK)
        return status;
    return shm->attachment.control != NULL || shmx_os_facts()->futex ? SHMX_OK : SHMX_ENOTSUP;
}

/* Spin while *word == unwanted, for a short time that adapts to how often that helped this
 * thread. True if the word changed. */
bool shmx_spin(const _Atomic uint32_t *word, uint32_t unwanted);

/* Spin while *word & mask is not 0, looking ever less often. True if it became 0. */
bool shmx_spin_apart(const _Atomic uint32_t *word, uint32_t mask);

/* Sleep while *word == expected, for at most a slice. SHMX_OK when woken, early, or after a slice:
 * look again; SHMX_ETIMEDOUT when the deadline has passed. */
int shmx_sleep(struct shmx_attachment *attachment, _Atomic uint32_t *word, uint32_t expected,
               int64_t deadline);

/* The same for who need not look as often the longer it waits: *round counts from 0, and each of
 * the first four rounds is twice as long as the one before. */
int shmx_sleep_round(struct shmx_attachment *attachment, _Atomic uint32_t *word, uint32_t expected,
                     int64_t deadline, int *round);

/* Take the lock: SHMX_OK, SHMX_EOWNERDEAD (taken too), SHMX_EDEADLK, SHMX_ETIMEDOUT, or what the
 * system reports. The place has been checked. */
int shmx_lock_acquire(shmx *shm, struct shmx_lock *lock, int64_t deadline);

/* Give it back; SHMX_EPERM if this thread does not hold it through this attachment. */
int shmx_lock_release(shmx *shm, struct shmx_lock *lock);

/* Does this thread hold it through this attachment? */
bool shmx_lock_held(const shmx *shm, const struct shmx_lock *lock);

#endif
