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

int shmx_queue_lock_slowly(shmx_queue *queue, struct queue_side *side, struct shmx_limit *limit)
{
    return shmx_word_acquire(queue->shm, &side->lock, shmx_limit_end(limit));
}

int shmx_queue_wake(shmx_queue *queue, struct queue_side *side, uint32_t value)
{
    shmx_word_released(queue->shm, &side->lock, value);
    queue_notify(queue, side);
    return SHMX_OK;
}

/* Spin until there may be something. In a stream the two sides run close behind each other, and
 * each look takes from the other side the cache line that it is writing. So a process that several
 * times in a row found something at one of the first looks stays away for a moment the next time.
 * Then it finds many messages, or much room, at once. If it does not, it was waiting for an answer
 * that had been there for long: then it does not stay away again for a good while. */
static bool spin_aside(shmx_queue *queue, bool producer)
{
    struct queue_pace *pace = &queue->pace[producer];
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

/* One of a queue. */
struct queue_pursuit {
    struct shmx_waiter waiter;
    shmx_queue *queue;
    struct queue_job *job;
    const struct queue_direction *direction;
};

static int queue_attempt(struct shmx_waiter *waiter, bool ask)
{
    struct queue_pursuit *own = (struct queue_pursuit *)waiter;
    own->job->more = false;
    STEP();
    return own->direction->attempt(own->queue, own->job, ask);
}

/* Producers that did not see the end are not inside a call any more. */
static int pass_producers(shmx_queue *queue, struct shmx_limit *limit)
{
    struct queue_side *side = &queue->header->producers;
    int status = queue_lock(queue, side, limit);
    if (status != SHMX_OK && status != SHMX_EOWNERDEAD)
        return status;
    queue_unlock(queue, side);
    return SHMX_OK;
}

/* Was a reservation in the way of the last attempt, of one that lives and is not this handle? */
static bool reserved_by_another(const shmx_queue *queue)
{
    const struct queue_own *own = &queue->reserved;
    if ((queue->watch_value & STATE_KIND) != STATE_RESERVED)
        return false;
    return !queue_owned(queue, own) || queue->watch != &queue_at(queue, own->place)->state;
}

static int queue_attempt_last(struct shmx_waiter *waiter)
{
    shmx_queue *queue = ((struct queue_pursuit *)waiter)->queue;
    bool over = shmx_sides_over(waiter->sides);
    int status = over ? pass_producers(queue, waiter->limit) : SHMX_OK;
    queue->lent = false;
    if (status == SHMX_OK)
        status = queue_attempt(waiter, true);
    if (status != SHMX_NOTHING)
        return status;
    /* Two that each wait for what the other has peeked would wait for ever. */
    bool comes_back = queue->lent && !queue_owned(queue, &queue->taken);
    return comes_back || (over && reserved_by_another(queue)) ? SHMX_NOTHING : SHMX_EHANGUP;
}

static bool queue_spin(struct shmx_waiter *waiter)
{
    struct queue_pursuit *own = (struct queue_pursuit *)waiter;
    return spin_aside(own->queue, own->direction->producer);
}

/* A look without the lock: a message that is taken or reserved meanwhile is not seen. A message
 * taken and not released lies between head and next; a reservation, at next. */
static bool queue_hindered(const struct shmx_waiter *waiter)
{
    const shmx_queue *queue = ((const struct queue_pursuit *)waiter)->queue;
    const struct queue_side *side = &queue->header->consumers;
    uint32_t next = atomic_load_explicit(&side->place, memory_order_relaxed);
    if (next >= queue->capacity || next != atomic_load_explicit(&side->edge, memory_order_relaxed))
        return true;
    uint32_t state = shmx_os_glance(&queue_at(queue, next)->state);
    return (state & STATE_KIND) == STATE_RESERVED;
}

int shmx_queue_persist(shmx_queue *queue, struct queue_job *job,
                       const struct queue_direction *direction, int status)
{
    struct queue_header *header = queue->header;
    bool producer = direction->producer;
    struct queue_pursuit pursuit = {
        .waiter = {.shm = queue->shm,
                   .sides = &header->sides,
                   .other = producer ? SHMX_RECEIVER : SHMX_SENDER,
                   .event = producer ? &header->consumers.event : &header->producers.event,
                   .capacity = queue->capacity,
                   .limit = &job->limit,
                   .attempt = queue_attempt,
                   .hindered = queue_hindered,
                   .attempt_last = queue_attempt_last,
                   .spin = queue_spin},
        .queue = queue,
        .job = job,
        .direction = direction};
    status = shmx_waiter_persist(&pursuit.waiter, status);
    /* One consumer is woken at a time. If it leaves a message behind, it wakes the next. */
    if (job->limit.slept && !producer && (status != SHMX_OK || job->more))
        queue_tell(queue, &header->producers);
    return status == SHMX_OK ? SHMX_OK : shmx_waiter_report(status);
}
