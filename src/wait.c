/* SPDX-License-Identifier: MIT */
/* Waiting on a word: time limits, spinning, and who sleeps where. */
#include "lock.h"

/* Spinning is counted in pauses of the processor: 40 to 140 cycles each on most. */
#define SPIN_LEAST 8
#define SPIN_MOST 1000
#define SPIN_START 100

/* After so many sleeps without one success of a spin, a long spin is tried again. */
#define SPIN_PROBE 64

/* What spinning did for this thread lately. */
struct spin_record {
    int usual;  /* pauses that a successful spin took, on average */
    int asleep; /* spins since the last success */
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

int shmx_lock_check(const shmx *shm, const void *place, size_t bytes)
{
    int status = shmx_segment_check(shm, place, bytes);
    if (status != SHMX_OK)
        return status;
    return shm->object.control != NULL || shmx_os_facts()->futex ? SHMX_OK : SHMX_ENOTSUP;
}

static int spin_limit(const struct spin_record *record)
{
    if (shmx_os_facts()->processors < 2)
        return 0;
    if (record->asleep % SPIN_PROBE == SPIN_PROBE - 1)
        return SPIN_MOST;
    int limit = 2 * record->usual + SPIN_LEAST;
    return limit < SPIN_MOST ? limit : SPIN_MOST;
}

static void spin_learn(struct spin_record *record, int count, bool success)
{
    if (success) {
        record->usual += (count - record->usual) / 8;
        record->asleep = 0;
    } else {
        record->usual -= (record->usual + 3) / 4;
        record->asleep++;
    }
}

bool shmx_spin(const _Atomic uint32_t *word, uint32_t unwanted)
{
    struct spin_record *record = &spin_record;
    int limit = spin_limit(record);
    int count = 0;
    bool success = false;
    while (!success && count < limit) {
        shmx_os_relax();
        count++;
        /* Acquire: the caller may go on to what the writer of the new value published. */
        success = atomic_load_explicit(word, memory_order_acquire) != unwanted;
    }
    spin_learn(record, count, success);
    return success;
}

int shmx_sleep(struct shmx_os_object *object, _Atomic uint32_t *word, uint32_t expected,
               int64_t deadline)
{
    int64_t now = shmx_os_now();
    if (now >= deadline)
        return SHMX_ETIMEDOUT;
    if (deadline - now <= SHMX_SLICE)
        return shmx_os_wait(object, word, expected, deadline);
    int status = shmx_os_wait(object, word, expected, now + SHMX_SLICE);
    return status == SHMX_ETIMEDOUT ? SHMX_OK : status;
}

static _Atomic uint32_t *bucket_of(const shmx *shm, const uint32_t *word)
{
    size_t offset = (size_t)((const unsigned char *)word - shm->object.data);
    return &shm->object.control->sleepers[offset / 4 % SHMX_BUCKETS];
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
    int status = shmx_os_wait(&shm->object, (_Atomic uint32_t *)word, expected, deadline);
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
    status = shm->object.control != NULL ? wait_counted(shm, word, expected, deadline)
                                         : shmx_os_wait(&shm->object, shared, expected, deadline);
    return shmx_report(status);
}

static int wake_checked(shmx *shm, uint32_t *word, int count)
{
    return shmx_os_wake(&shm->object, (_Atomic uint32_t *)word, count);
}

int shmx_wake(shmx *shm, uint32_t *word, int count)
{
    int status = shmx_lock_check(shm, word, sizeof *word);
    if (status == SHMX_OK && count < 1)
        status = SHMX_EINVAL;
    if (status != SHMX_OK)
        return shmx_refuse(status);
    if (shm->object.control == NULL)
        return shmx_result(wake_checked(shm, word, count));
    /* The caller's change of the word before, the look at the count after: see above. */
    atomic_thread_fence(memory_order_seq_cst);
    /* Relaxed: the fence does the ordering. */
    if (atomic_load_explicit(bucket_of(shm, word), memory_order_relaxed) == 0)
        return SHMX_OK;
    return shmx_result(wake_checked(shm, word, count));
}
