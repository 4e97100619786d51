/* SPDX-License-Identifier: MIT */
/* The ring under the publishers' lock: taking and giving it back, adding a record, making room. */
#ifndef SHMX_TOPIC_RING_H
#define SHMX_TOPIC_RING_H

#include "layout.h"

/* Take the lock: SHMX_OK or a failure. The leavings of a dead owner are put in order by settling.
 */
static inline int topic_lock(shmx_topic *topic, struct shmx_limit *limit)
{
    return shmx_side_lock(&topic->party, topic->party.lock, limit, NULL);
}

/* Was it shut down? Under the lock. The fence is for read-only readers, which cannot take the lock.
 * If such a reader sees the end and then a free lock, every later holder of the lock sees the end.
 */
static inline bool topic_over(const shmx_topic *topic)
{
    shmx_fence_behind();
    return shmx_sides_over(&topic->header->sides);
}

/* Give the lock back when there is something for readers, and for publishers too: a reservation is
 * in nobody's way any more. */
static inline void topic_unlock_tell_all(const shmx_topic *topic)
{
    shmx_side_unlock_tell(&topic->party, topic->party.lock, topic->party.sent);
    shmx_side_notify(&topic->party, topic->party.received);
}

/* Show the record at `shown`, which is the message's or no message's: its number is known. Done
 * again by another, after a death half-way, it writes the same once more. */
static inline void topic_show(struct topic_header *header, uint64_t position, uint32_t state,
                              uint64_t number, uint64_t end)
{
    bool message = state == TOPIC_STATE_COMMITTED;
    STEP();
    /* Release: a reader that sees it finds the record, and all before it. */
    if (message)
        atomic_store_explicit(&header->front.newest, position + 1, memory_order_release);
    STEP();
    /* Release: a reader that begins and sees the number sees the newest message too. */
    atomic_store_explicit(&header->publishers.number, number + message, memory_order_release);
    STEP();
    /* Relaxed: the lock is held. */
    atomic_store_explicit(&header->publishers.shown, end, memory_order_relaxed);
    /* Release: a process that sees the turn finds the message. */
    if (message)
        atomic_store_explicit(&header->front.turn, (uint32_t)end, memory_order_release);
}

/* A record to be added at the tail. */
struct topic_entry {
    uint64_t tail;
    struct topic_record *record; /* at the tail */
    uint32_t place;              /* of it */
    uint32_t size;               /* as in it */
    uint32_t state;
    bool last; /* all before it is shown */
};

/* Write where the tail is. Relaxed: the lock is held. */
static inline void topic_at_tail(shmx_topic *topic, const struct topic_header *header,
                                 struct topic_entry *entry)
{
    uint64_t shown = atomic_load_explicit(&header->publishers.shown, memory_order_relaxed);
    entry->tail = atomic_load_explicit(&header->publishers.tail, memory_order_relaxed);
    entry->place = topic_place_of(topic, entry->tail);
    entry->record = topic_at(topic, entry->place);
    entry->last = shown == entry->tail;
}

/* Add it; its message, if it is one, has been written. */
static inline void topic_append(struct topic_header *header, const struct topic_entry *entry)
{
    /* Relaxed, all of these: the lock is held, or the record is shown by the store of the tail. */
    uint64_t number = atomic_load_explicit(&header->publishers.number, memory_order_relaxed);
    uint64_t end = entry->tail + topic_units(entry->size);
    struct topic_record *record = entry->record;
    atomic_store_explicit(&record->size, entry->size, memory_order_relaxed);
    atomic_store_explicit(&record->state, entry->state, memory_order_relaxed);
    atomic_store_explicit(&record->number, entry->last ? number : TOPIC_UNKNOWN,
                          memory_order_relaxed);
    bool shows = entry->last && (entry->state & TOPIC_STATE_KIND) != TOPIC_STATE_RESERVED;
    if (!shows)
        atomic_store_explicit(&header->front.pending, 1, memory_order_relaxed);
    STEP();
    /* Release: as told. */
    atomic_store_explicit(&header->publishers.tail, end, memory_order_release);
    if (shows)
        topic_show(header, entry->tail, entry->state, number, end);
}

/* Overwrite what lies before: from now on it is not there. */
static inline void topic_head_move(struct topic_header *header, uint64_t head)
{
    STEP();
    /* The fence pairs with that of a reader: one that copied any of what is written behind it finds
     * the new head. */
    atomic_store_explicit(&header->front.head, head, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    STEP();
}

/* Give each record from shown on its number, up to the first that is still reserved. `ask`: ask the
 * system whether its owner is dead. SHMX_OK, SHMX_NOTHING if one is reserved, or a failure. */
int shmx_topic_settle(shmx_topic *topic, bool ask);

/* Make room for `units` units at the tail. SHMX_OK, SHMX_NOTHING, or a failure. */
int shmx_topic_room(shmx_topic *topic, uint32_t units, bool ask);

#endif
