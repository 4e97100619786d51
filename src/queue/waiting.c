/* SPDX-License-Identifier: MIT */
/*
 * Waiting: for the lock of a side, which is held for a few instructions inside one call; and for
 * the other side to do something.
 */
#include "layout.h"

/* Looks that make a find a close one, how many of these make a stream, and how long to stay away
 * then: about half a microsecond. */
#define LOOKS_CLOSE 10
#define CLOSE_ENOUGH 3
#define AWAY 20

/* Messages that make it worth while, and close finds that do not count after it was not. */
#define AWAY_GAIN 4
#define CLOSE_PASSED 1000

void shmx_queue_wait_begin(struct queue_wait *wait)
{
    if (wait->begun)
        return;
    wait->begun = true;
    shmx_deadline(wait->timeout_ms, &wait->deadline);
}

int shmx_queue_lock_slowly(shmx_queue *queue, struct queue_side *side, struct queue_wait *wait)
{
    shmx_queue_wait_begin(wait);
    return shmx_word_acquire(queue->shm, &side->lock, wait->deadline);
}

void shmx_queue_wake(shmx_queue *queue, struct queue_side *side, uint32_t value)
{
    shmx_word_released(queue->shm, &side->lock, value);
    queue_notify(queue, side);
}

/*
 * Spin until there may be something. In a stream the two sides run close behind each other, and
 * each look takes from the other the cache line that it is writing. So who found something at one
 * of the first looks for several times on end stays away for a moment the next time, and then finds
 * many messages, or much room, at once. Whoever does not was waiting for an answer, which had been
 * there for long: it stays where it is for a good while.
 */
static bool spin_aside(shmx_queue *queue, const struct queue_direction *direction)
{
    struct queue_pace *pace = &queue->pace[direction->producer];
    if (pace->away && pace->begun > 0 && pace->begun < AWAY_GAIN)
        pace->close = -CLOSE_PASSED;
    pace->begun = 0;
    pace->away = pace->close >= CLOSE_ENOUGH;
    for (int i = 0; pace->away && i < AWAY; i++)
        shmx_os_relax();
    for (int i = 0; i < LOOKS_CLOSE; i++) {
        if (shmx_os_glance(queue->watch) != queue->watch_value) {
            pace->close += pace->close < CLOSE_ENOUGH;
            return true;
        }
    }
    if (pace->close > 0)
        pace->close = 0;
    return shmx_spin_glancing(queue->watch, queue->watch_value);
}

/* Nothing was found. Is there nobody left to wait for? A message that the last sender sent before
 * it left is found by trying once more. */
static int hang_up(shmx_queue *queue, struct queue_job *job,
                   const struct queue_direction *direction)
{
    const struct shmx_sides *sides = &queue->header->sides;
    if (!shmx_sides_used(sides))
        return QUEUE_NOTHING;
    uint32_t other = direction->producer ? SHMX_RECEIVER : SHMX_SENDER;
    int status = shmx_sides_check(queue->shm, sides, other);
    if (status == SHMX_OK)
        return QUEUE_NOTHING;
    if (status != SHMX_EHANGUP || direction->producer)
        return status;
    status = direction->attempt(queue, job, true);
    return status == QUEUE_NOTHING ? SHMX_EHANGUP : status;
}

/* Sleep until the other side has done something, or for a slice, and try once more. Between taking
 * the ticket and sleeping the whole attempt is made again, and not only a look at what may have
 * changed. */
static int sleep_once(shmx_queue *queue, struct queue_job *job,
                      const struct queue_direction *direction)
{
    struct queue_header *header = queue->header;
    struct queue_side *other = direction->producer ? &header->consumers : &header->producers;
    uint32_t ticket = shmx_event_prepare(&other->event);
    STEP();
    int status = direction->attempt(queue, job, true);
    if (status == QUEUE_NOTHING)
        status = hang_up(queue, job, direction);
    if (status != QUEUE_NOTHING)
        return status;
    int64_t slice = job->wait.slept ? SHMX_SLICE_LATER : SHMX_SLICE;
    job->wait.slept = true;
    job->more = false;
    int slept = shmx_event_sleep(queue->shm, &other->event, ticket, job->wait.deadline, slice);
    if (slept != SHMX_OK && slept != SHMX_ETIMEDOUT)
        return slept;
    status = direction->attempt(queue, job, false);
    return status == QUEUE_NOTHING ? slept == SHMX_OK ? QUEUE_NOTHING : slept : status;
}

/* There is nothing to wait for, or no time to wait. */
static int try_last(shmx_queue *queue, struct queue_job *job,
                    const struct queue_direction *direction)
{
    int status = direction->attempt(queue, job, true);
    if (status == QUEUE_NOTHING)
        status = hang_up(queue, job, direction);
    return status == QUEUE_NOTHING ? SHMX_ETIMEDOUT : status;
}

/* The first attempt found nothing: spin, ask, sleep. */
static int wait_for(shmx_queue *queue, struct queue_job *job,
                    const struct queue_direction *direction, int status)
{
    struct queue_wait *wait = &job->wait;
    uint64_t passed = 0;
    shmx_queue_wait_begin(wait);
    while (status == QUEUE_NOTHING || status == QUEUE_AGAIN) {
        if (status == QUEUE_AGAIN && (passed += QUEUE_PASS_MOST) > queue->capacity &&
            shmx_os_now() >= wait->deadline)
            return SHMX_ETIMEDOUT;
        if (wait->timeout_ms == 0)
            status = try_last(queue, job, direction);
        else if (status == QUEUE_AGAIN || spin_aside(queue, direction))
            status = direction->attempt(queue, job, false);
        else
            status = sleep_once(queue, job, direction);
    }
    return status;
}

int shmx_queue_persist(shmx_queue *queue, struct queue_job *job,
                       const struct queue_direction *direction, int status)
{
    if (status == QUEUE_NOTHING || status == QUEUE_AGAIN)
        status = wait_for(queue, job, direction, status);
    /* One consumer is woken at a time. If it leaves a message behind, it wakes the next. */
    if (job->wait.slept && !direction->producer && (status != SHMX_OK || job->more))
        queue_tell(queue, &queue->header->producers);
    if (status == SHMX_EPROTO || status == SHMX_EMSGSIZE)
        return shmx_refuse(status);
    return status == SHMX_OK ? SHMX_OK : shmx_report(status);
}
