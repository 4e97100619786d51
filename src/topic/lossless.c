/* SPDX-License-Identifier: MIT */
/*
 * Lossless readers: each has a place in the header that says up to where it has read, and head
 * never passes that while it lives.
 *
 * A place is taken under the lock, so a publisher that is about to move head sees it or comes
 * first. From then on the reader alone moves its position, forwards: a publisher that looked a
 * while ago was on the safe side. That is why the lowest position, once found, is kept as `floor`,
 * and a topic without lossless readers costs its publishers one comparison.
 */
#include "ring.h"

static bool place_owned(const shmx_topic *topic)
{
    return topic->place_token == shmx_token_known(topic->party.shm) &&
           atomic_load_explicit(&topic->place->token, memory_order_relaxed) == topic->place_token;
}

/* Write that the place is nobody's, if its owner is dead: SHMX_OK, SHMX_NOTHING or a failure. */
static int free_dead(shmx_topic *topic, struct topic_place *place, uint32_t token)
{
    int status = shmx_owner_ended(topic->party.shm, token);
    if (status == SHMX_OK)
        atomic_store_explicit(&place->token, 0, memory_order_relaxed);
    STEP();
    return status;
}

int shmx_topic_place_find(shmx_topic *topic, struct topic_place **found)
{
    struct topic_place *places = topic->header->places;
    *found = NULL;
    for (int i = 0; i < TOPIC_PLACES && *found == NULL; i++)
        if (atomic_load_explicit(&places[i].token, memory_order_relaxed) == 0)
            *found = &places[i];
    for (int i = 0; i < TOPIC_PLACES && *found == NULL; i++) {
        uint32_t token = atomic_load_explicit(&places[i].token, memory_order_relaxed);
        int status = free_dead(topic, &places[i], token);
        if (status < SHMX_OK)
            return status;
        if (status == SHMX_OK)
            *found = &places[i];
    }
    return *found != NULL ? SHMX_OK : SHMX_EMFILE;
}

void shmx_topic_place_leave(shmx_topic *topic)
{
    if (topic->place == NULL || !place_owned(topic))
        return;
    /* Release: what was read was read before. */
    atomic_store_explicit(&topic->place->token, 0, memory_order_release);
    shmx_side_tell(&topic->party, topic->party.received);
}

void shmx_topic_place_move(shmx_topic *topic)
{
    struct topic_place *place = topic->place;
    if (!place_owned(topic) ||
        atomic_load_explicit(&place->position, memory_order_relaxed) == topic->position)
        return;
    /* Release: what lies before was read before. */
    atomic_store_explicit(&place->position, topic->position, memory_order_release);
    atomic_store_explicit(&place->turn, (uint32_t)topic->position, memory_order_release);
    shmx_side_tell(&topic->party, topic->party.received);
}

int shmx_topic_floor(shmx_topic *topic, uint64_t head, bool ask)
{
    struct topic_header *header = topic->header;
    uint64_t newest = atomic_load_explicit(&header->front.newest, memory_order_relaxed);
    uint64_t shown = atomic_load_explicit(&header->publishers.shown, memory_order_relaxed);
    uint64_t floor = UINT64_MAX;
    for (int i = 0; i < TOPIC_PLACES; i++) {
        struct topic_place *place = &header->places[i];
        /* Acquire, all: what the reader copied was copied before. */
        uint32_t token = atomic_load_explicit(&place->token, memory_order_acquire);
        uint32_t turn = atomic_load_explicit(&place->turn, memory_order_acquire);
        uint64_t position = atomic_load_explicit(&place->position, memory_order_acquire);
        if (token == 0)
            continue;
        if (position >= newest)
            position = shown; /* it has read all; what was cancelled behind it is none of its */
        if (position < head) {
            shmx_watch(&topic->party, &place->turn, turn);
            /* A reader is in the way of head: wait for it, unless it is dead. */
            int status = ask ? free_dead(topic, place, token) : SHMX_NOTHING;
            if (status != SHMX_OK)
                return status;
            continue;
        }
        floor = position < floor ? position : floor;
    }
    atomic_store_explicit(&header->publishers.floor, floor, memory_order_relaxed);
    return SHMX_OK;
}
