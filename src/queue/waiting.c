/* SPDX-License-Identifier: MIT */
/* Waiting for the other side to do something. */
#include "layout.h"

/* Looks that make a find a close one, how many of these make a stream, and how long to stay away
 * then: about half a microsecond. */
#define LOOKS_CLOSE 10
#define CLOSE_ENOUGH 3
#define AWAY 20

/* Messages that make it worth while, and close finds that do not count after it was not. */
#define AWAY_GAIN 4
#define CLOSE_PASSED 1000

/* Spin until there may be something. In a stream the two sides run close behind each other, and
 * each look takes from the other side the cache line that it is writing. So a process that several
 * times in a row found something at one of the first looks stays away for a moment the next time.
 * Then it finds many messages, or much room, at once. If it does not, it was waiting for an answer
 * that had been there for long: then it does not stay away again for a good while. */
static bool queue_spin(void *context)
{
    const struct queue_job *job = context;
    const struct shmx_party *party = &job->queue->party;
    struct queue_pace *pace = &job->queue->pace[job->producer];
    if (pace->away && pace->begun > 0 && pace->begun < AWAY_GAIN)
        pace->close = -CLOSE_PASSED;
    pace->begun = 0;
    pace->away = pace->close >= CLOSE_ENOUGH;
    for (int i = 0; pace->away && i < AWAY; i++)
        shmx_os_relax();
    for (int i = 0; i < LOOKS_CLOSE; i++) {
        if (shmx_os_glance(party->watch) != party->watch_value) {
            pace->close += pace->close < CLOSE_ENOUGH;
            return true;
        }
    }
    if (pace->close > 0)
        pace->close = 0;
    return shmx_spin_glancing(party->watch, party->watch_value);
}

/* A look without the lock: a message that is taken or reserved meanwhile is not seen. A message
 * taken and not released lies between head and next; a reservation, at next. */
static bool queue_hindered(const void *context)
{
    const shmx_queue *queue = ((const struct queue_job *)context)->queue;
    const struct queue_side *side = &queue->header->consumers;
    uint32_t next = atomic_load_explicit(&side->place, memory_order_relaxed);
    if (next >= queue->capacity || next != atomic_load_explicit(&side->edge, memory_order_relaxed))
        return true;
    uint32_t state = shmx_os_glance(&queue_at(queue, next)->state);
    return (state & STATE_KIND) == STATE_RESERVED;
}

int shmx_queue_pursue(struct queue_job *job, shmx_attempt *attempt)
{
    shmx_queue *queue = job->queue;
    int status = attempt(job, false);
    if (status == SHMX_OK)
        return SHMX_OK;
    struct shmx_waiter waiter = {
        .party = &queue->party,
        .other = job->producer ? SHMX_RECEIVER : SHMX_SENDER,
        .capacity = queue->capacity,
        .limit = &job->limit,
        .job = job,
        .attempt = attempt,
        .hindered = queue_hindered,
        .spin = queue_spin,
    };
    status = shmx_waiter_persist(&waiter, status);
    /* One consumer is woken at a time. If it leaves a message behind, it wakes the next. */
    if (job->limit.slept && !job->producer && (status != SHMX_OK || job->more))
        queue_tell(queue, &queue->header->producers);
    return status;
}
