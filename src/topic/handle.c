/* SPDX-License-Identifier: MIT */
/* A handle of a topic: opening and closing it. */
#include "header.h"
#include "ring.h"

#include <stdlib.h>

void *(*const volatile shmx_topic_copy)(void *to, const void *from, size_t size) = memcpy;

#define TOPIC_FLAGS (SHMX_TOPIC_OLDEST | SHMX_TOPIC_LOSSLESS)
#define SIZE_LEAST (TOPIC_HEADER_SIZE + TOPIC_CAPACITY_MIN * TOPIC_UNIT)

size_t shmx_topic_size_for(size_t message, size_t count)
{
    if (message > TOPIC_MESSAGE_MAX || count == 0 || count >= TOPIC_CAPACITY_MAX)
        return 0;
    uint64_t units = topic_units((uint32_t)message);
    /* One more than count, for the one that is being published; and three, which is the limit of a
     * message: see topic_place_handle. */
    uint64_t messages = count < 2 ? 3 : (uint64_t)count + 1;
    if (messages > TOPIC_CAPACITY_MAX / units)
        return 0;
    uint64_t size = TOPIC_HEADER_SIZE + units * messages * TOPIC_UNIT;
    if (size < SIZE_LEAST)
        size = SIZE_LEAST;
    return size > SIZE_MAX ? 0 : (size_t)size;
}

/* ---- opening ---- */

static int topic_region_check(const shmx *shm, size_t offset, size_t size, unsigned flags)
{
    if ((flags & ~TOPIC_FLAGS) != 0)
        return SHMX_EINVAL;
    int status = shmx_region_check(shm, offset, size, SIZE_LEAST);
    return status == SHMX_EACCES && (flags & SHMX_TOPIC_LOSSLESS) == 0 ? SHMX_OK : status;
}

static void topic_place_handle(shmx_topic *topic, shmx *shm, size_t offset, size_t size)
{
    uint64_t units = (size - TOPIC_HEADER_SIZE) / TOPIC_UNIT;
    topic->party.shm = shm;
    topic->header = (struct topic_header *)(void *)(shm->attachment.data + offset);
    topic->party.shared = &topic->header->sides;
    topic->party.lock = &topic->header->publishers.lock;
    topic->party.sent = &topic->header->publishers.event;
    topic->party.received = &topic->header->readers.event;
    topic->ring = shm->attachment.data + offset + TOPIC_HEADER_SIZE;
    topic->capacity = (uint32_t)(units < TOPIC_CAPACITY_MAX ? units : TOPIC_CAPACITY_MAX);
    /* A third of the ring: beside the newest message, and the rest of the ring that is too short,
     * there is room for another one. So the newest is there while the next one is written. */
    uint64_t longest = ((uint64_t)topic->capacity / 3 - 1) * TOPIC_UNIT;
    topic->party.longest = (uint32_t)(longest < TOPIC_MESSAGE_MAX ? longest : TOPIC_MESSAGE_MAX);
    longest = longest < SHMX_COPY_LOCKED ? longest : SHMX_COPY_LOCKED;
    topic->quick_end = topic->party.shm->attachment.read_only ? 0 : (size_t)longest + 1;
}

/* The time in ms for the lock. It is held for a few instructions: one who has not gone on after so
 * long is stopped, or never really had it. */
#define START_PATIENCE 1000

/* Start as a lossless reader. */
static int start_lossless(shmx_topic *topic, bool oldest)
{
    struct shmx_limit limit = {.timeout_ms = START_PATIENCE};
    struct topic_place *place;
    int status = topic_lock(topic, &limit);
    if (status != SHMX_OK)
        return status;
    STEP();
    status = shmx_topic_settle(topic, false);
    if (status >= SHMX_OK)
        status = shmx_topic_place_find(topic, &place);
    if (status == SHMX_OK) {
        shmx_topic_start(topic, oldest);
        topic->place = place;
        topic->place_token = shmx_token_known(topic->party.shm);
        /* Relaxed, all: whoever looks holds the lock. */
        atomic_store_explicit(&topic->header->publishers.floor, 0, memory_order_relaxed);
        STEP();
        atomic_store_explicit(&place->position, topic->position, memory_order_relaxed);
        STEP();
        atomic_store_explicit(&place->token, topic->place_token, memory_order_relaxed);
    }
    topic_unlock_tell_all(topic);
    return status;
}

static int open_handle(shmx_topic *topic, unsigned flags)
{
    bool oldest = (flags & SHMX_TOPIC_OLDEST) != 0;
    int status = shmx_topic_confirm(topic);
    if (status == SHMX_NOTHING)
        return SHMX_OK; /* it will begin with the first one */
    if (status == SHMX_OK && (flags & SHMX_TOPIC_LOSSLESS) != 0)
        return start_lossless(topic, oldest);
    if (status == SHMX_OK)
        shmx_topic_start(topic, oldest);
    return status;
}

int shmx_topic_open(shmx_topic **topic, shmx *shm, size_t offset, size_t size, unsigned flags)
{
    if (topic == NULL)
        return shmx_refuse(SHMX_EINVAL);
    *topic = NULL;
    int status = topic_region_check(shm, offset, size, flags);
    if (status != SHMX_OK)
        return shmx_refuse(status);
    shmx_topic *made = calloc(1, sizeof *made);
    if (made == NULL)
        return shmx_refuse(SHMX_ENOMEM);
    topic_place_handle(made, shm, offset, size);
    status = open_handle(made, flags);
    if (status == SHMX_OK)
        *topic = made;
    else
        free(made);
    return shmx_result(status);
}

size_t shmx_topic_max_message(const shmx_topic *topic)
{
    return topic != NULL ? topic->party.longest : 0;
}

/* ---- sides ---- */

int shmx_topic_join(shmx_topic *topic, unsigned sides)
{
    return shmx_sides_join((struct shmx_party *)topic, sides);
}

int shmx_topic_shutdown(shmx_topic *topic)
{
    return shmx_sides_shutdown((struct shmx_party *)topic);
}

/* ---- closing ---- */

void shmx_topic_close(shmx_topic **topic)
{
    if (topic == NULL || *topic == NULL)
        return;
    shmx_topic *closed = *topic;
    if (shmx_party_owns(&closed->party, closed->reserved.state))
        shmx_topic_cancel(closed);
    /* In this order: a publisher that waits for the place of the last receiver is told so. */
    shmx_sides_leave(&closed->party);
    shmx_topic_place_leave(closed);
    free(closed);
    *topic = NULL;
}
