/* SPDX-License-Identifier: MIT */
/* Waiting on a word: time limits, spinning, and who sleeps where. */
#include "lock.h"

/* Spinning is counted in looks at the word. The first follow each other at once, so that an answer
 * that is on its way is not missed by a pause of the processor; the others are 10 to 50 ns apart.
 */
#define SPIN_EAGER 50

/* Between looks at a lock, doubling: who holds it works faster the less it is looked at. */
#define SPIN_GAP_FIRST 4
#define SPIN_GAP_MOST 64

/* How many looks to begin with, at least and at most. */
#define SPIN_START 1000
#define SPIN_LEAST 60
#define SPIN_MOST 2000 /* as long as it takes to go to sleep and be woken */

/* After so many spins without success a longer one is tried again. */
#define SPIN_PROBE 16

/* What spinning did for this thread lately. */
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

bool shmx_spin(const _Atomic uint32_t *word, uint32_t unwanted)
{
    struct spin_record *record = &spin_record;
    int limit = spin_limit(record);
    bool success = false;
    for (int count = 0; !success && count < limit; count++) {
        if (count >= SPIN_EAGER)
            shmx_os_relax();
        /* Acquire: the caller may go on to what the writer of the new value published. */
        success = atomic_load_explicit(word, memory_order_acquire) != unwanted;
    }
    spin_learn(record, success);
    return success;
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
        /* Relaxed: who finds it free takes it by an operation that acquires. */
        success = (atomic_load_explicit(word, memory_order_relaxed) & mask) == 0;
    }
    spin_learn(record, success);
    return success;
}

int shmx_sleep_round(struct shmx_attachment *attachment, _Atomic uint32_t *word, uint32_t expected,
                     int64_t deadline, int *round)
{
    int64_t now = shmx_os_now();
    int64_t slice = SHMX_SLICE << *round;
    *round += *round < 4;
    if (now >= deadline)
        return SHMX_ETIMEDOUT;
    if (deadline - now <= slice)
        return shmx_os_wait(attachment, word, expected, deadline);
    int status = shmx_os_wait(attachment, word, expected, now + slice);
    return status == SHMX_ETIMEDOUT ? SHMX_OK : status;
}

int shmx_sleep(struct shmx_attachment *attachment, _Atomic uint32_t *word, uint32_t expected,
               int64_t deadline)
{
    int round = 0;
    return shmx_sleep_round(attachment, word, expected, deadline, &round);
}

static _Atomic uint32_t *bucket_of(const shmx *shm, const uint32_t *word)
{
    size_t offset = (size_t)((const unsigned char *)word - shm->attachment.data);
    return &shm->attachment.control->sleepers[offset / 4 % SHMX_BUCKETS];
}

/*
 * The sleeper counts itself and then looks at the word; the waker changes the word and then looks
 * at the count. With a full fence between the two steps on both sides, one of them sees the other.
 * A sleeper that is killed leaves the count too high for ever, which costs wakers of that bucket a
 * call of the system and nothing else.
 */
static int wait_counted(shmx *shm, uint32_t *word, uint32_t expected, int64_t deadline)
{
    _Atomic uint32_t *sleepers = bucket_of(shm, word);
    atomic_fetch_add(sleepers, 1);
    atomic_thread_fence(memory_order_seq_cst);
    int status = shmx_os_wait(&shm->attachment, (_Atomic uint32_t *)word, expected, deadline);
    atomic_fetch_sub(sleepers, 1);
    return status;
}

int shmx_wait(shmx *shm, uint32_t *word, uint32_t expected, int timeout_ms)
{
    int64_t deadline;
    int status = shmx_lock_check(shm, word, sizeof *word);
    if (status == SHMX_OK)
        status = shmx_deadline(timeout_ms, &deadline);
    if (status != SHMX_OK)
        return shmx_refuse(status);
    _Atomic uint32_t *shared = (_Atomic uint32_t *)word;
    if (atomic_load(shared) != expected)
        return SHMX_OK;
    if (deadline == SHMX_DEADLINE_PAST)
        return shmx_refuse(SHMX_ETIMEDOUT);
    if (shmx_spin(shared, expected))
        return SHMX_OK;
    status = shm->attachment.control != NULL
                 ? wait_counted(shm, word, expected, deadline)
                 : shmx_os_wait(&shm->attachment, shared, expected, deadline);
    return shmx_report(status);
}

static int wake_checked(shmx *shm, uint32_t *word, int count)
{
    return shmx_os_wake(&shm->attachment, (_Atomic uint32_t *)word, count);
}

int shmx_wake(shmx *shm, uint32_t *word, int count)
{
    int status = shmx_lock_check(shm, word, sizeof *word);
    if (status == SHMX_OK && count < 1)
        status = SHMX_EINVAL;
    if (status != SHMX_OK)
        return shmx_refuse(status);
    if (shm->attachment.control == NULL)
        return shmx_result(wake_checked(shm, word, count));
    /* The caller's change of the word before, the look at the count after: see above. */
    atomic_thread_fence(memory_order_seq_cst);
    /* Relaxed: the fence does the ordering. */
    if (atomic_load_explicit(bucket_of(shm, word), memory_order_relaxed) == 0)
        return SHMX_OK;
    return shmx_result(wake_checked(shm, word, count));
}
