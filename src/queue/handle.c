/* SPDX-License-Identifier: MIT */
/* A handle of a queue: opening and closing it, and the records that it owns. */
#include "header.h"
#include "layout.h"

#include <stdlib.h>

/* ---- opening ---- */

size_t shmx_queue_size_for(size_t message, size_t count)
{
    if (message > QUEUE_MESSAGE_MAX || count == 0)
        return 0;
    /* One more than count: the rest of the ring may be too short for the message that comes next.
     * That also makes the ring more than twice as long as a message, which its limit is. */
    uint64_t units = queue_units((uint32_t)message);
    if (count >= QUEUE_CAPACITY_MAX / units)
        return 0;
    units = units * (count + 1) + 1;
    if (units < QUEUE_CAPACITY_MIN)
        units = QUEUE_CAPACITY_MIN;
    uint64_t size = QUEUE_HEADER_SIZE + units * QUEUE_UNIT;
    return units > QUEUE_CAPACITY_MAX || size > SIZE_MAX ? 0 : (size_t)size;
}

static void place_handle(shmx_queue *queue, shmx *shm, size_t offset, size_t size)
{
    uint64_t units = (size - QUEUE_HEADER_SIZE) / QUEUE_UNIT;
    queue->party.shm = shm;
    queue->header = (struct queue_header *)(void *)(shm->attachment.data + offset);
    queue->party.shared = &queue->header->sides;
    queue->party.lock = &queue->header->producers.lock;
    queue->party.sent = &queue->header->producers.event;
    queue->party.received = &queue->header->consumers.event;
    queue->party.shares = true;
    queue->ring = shm->attachment.data + offset + QUEUE_HEADER_SIZE;
    queue->capacity = (uint32_t)(units < QUEUE_CAPACITY_MAX ? units : QUEUE_CAPACITY_MAX);
    /* A record of less than half the ring fits into an empty one wherever its tail is. */
    uint64_t longest = ((uint64_t)(queue->capacity + 1) / 2 - 2) * QUEUE_UNIT;
    queue->party.longest = (uint32_t)(longest < QUEUE_MESSAGE_MAX ? longest : QUEUE_MESSAGE_MAX);
    queue->quick_end = (size_t)(longest < SHMX_COPY_LOCKED ? longest : SHMX_COPY_LOCKED) + 1;
}

int shmx_queue_open(shmx_queue **queue, shmx *shm, size_t offset, size_t size)
{
    if (queue == NULL)
        return shmx_refuse(SHMX_EINVAL);
    *queue = NULL;
    int status =
        shmx_region_check(shm, offset, size, QUEUE_HEADER_SIZE + QUEUE_CAPACITY_MIN * QUEUE_UNIT);
    if (status != SHMX_OK)
        return shmx_refuse(status);
    shmx_queue *made = calloc(1, sizeof *made);
    if (made == NULL)
        return shmx_refuse(SHMX_ENOMEM);
    place_handle(made, shm, offset, size);
    const uint32_t facts[] = {QUEUE_MAGIC, QUEUE_VERSION, made->capacity};
    status = shmx_header_settle(shm, &made->header->magic, sizeof *made->header, facts);
    if (status == SHMX_OK)
        *queue = made;
    else
        free(made);
    return shmx_result(status);
}

size_t shmx_queue_max_message(const shmx_queue *queue)
{
    return queue != NULL ? queue->party.longest : 0;
}

/* ---- a record that goes back ---- */

static void put_back(shmx_queue *queue)
{
    if (queue_own_end(queue, &queue->taken, STATE_COMMITTED) != SHMX_OK)
        return;
    /* Release: a process that sees it finds the record's state. */
    atomic_store_explicit(&queue->header->consumers.returned, 1, memory_order_release);
    queue_tell(queue, &queue->header->producers);
}

/* ---- sides ---- */

int shmx_queue_join(shmx_queue *queue, unsigned sides)
{
    return shmx_sides_join((struct shmx_party *)queue, sides);
}

int shmx_queue_shutdown(shmx_queue *queue)
{
    return shmx_sides_shutdown((struct shmx_party *)queue);
}

/* ---- closing ---- */

void shmx_queue_close(shmx_queue **queue)
{
    if (queue == NULL || *queue == NULL)
        return;
    shmx_queue *closed = *queue;
    if (shmx_party_owns(&closed->party, closed->reserved.state))
        shmx_queue_cancel(closed);
    if (shmx_party_owns(&closed->party, closed->taken.state))
        put_back(closed);
    shmx_sides_leave(&closed->party);
    free(closed);
    *queue = NULL;
}
