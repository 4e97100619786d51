/* SPDX-License-Identifier: MIT */
/* The usual publish, and the functions that the quick ways (quick.c) call in any unusual case. Such
 * a function is called last and begins again from the arguments, so that a quick way keeps nothing
 * for it. */
#ifndef SHMX_TOPIC_QUICK_H
#define SHMX_TOPIC_QUICK_H

#include "ring.h"

/* The whole of publishing. */
int shmx_topic_publish_slowly(shmx_topic *topic, const void *message, size_t size, int timeout_ms);

/* The same; the lock is held already. */
int shmx_topic_publish_held(shmx_topic *topic, const void *message, size_t size, int timeout_ms);

/* The usual publish of a message that is not short, and is copied by a call: that costs a frame,
 * which short ones do without. */
int shmx_topic_publish_whole(shmx_topic *topic, const void *message, size_t size, int timeout_ms);

/* The usual case of shmx_topic_room: all is shown, there is room, or the oldest message lies here
 * and is as long as this one, and no reader is waited for. */
static inline bool topic_room_quickly(struct topic_header *header, uint32_t capacity,
                                      const struct topic_entry *entry)
{
    uint32_t units = topic_units(entry->size);
    /* Relaxed, all: the lock is held. */
    uint64_t head = atomic_load_explicit(&header->front.head, memory_order_relaxed);
    uint64_t left = head + capacity - entry->tail;
    if (!entry->last || units > capacity - entry->place)
        return false;
    if (left != 0)
        return units <= left && left <= capacity;
    head += units;
    if (atomic_load_explicit(&entry->record->size, memory_order_relaxed) != entry->size ||
        head > atomic_load_explicit(&header->publishers.floor, memory_order_relaxed))
        return false;
    topic_head_move(header, head);
    return true;
}

/* The usual case, without a job to write down: the lock is free. */
static inline int topic_publish_quickly(shmx_topic *topic, const void *message, size_t size,
                                        int timeout_ms,
                                        void (*fill)(void *to, const void *from, size_t size))
{
    struct topic_header *header = topic->header;
    struct topic_entry entry = {.size = (uint32_t)size, .state = TOPIC_STATE_COMMITTED};
    if (!shmx_word_try(&header->publishers.lock, shmx_token_known(topic->party.shm)))
        return shmx_topic_publish_slowly(topic, message, size, timeout_ms);
    STEP();
    topic_at_tail(topic, header, &entry);
    if (topic_over(topic) || !topic_room_quickly(header, topic->capacity, &entry))
        return shmx_topic_publish_held(topic, message, size, timeout_ms);
    fill(entry.record + 1, message, size);
    topic_append(header, &entry);
    return shmx_side_unlock_tell(&topic->party, &header->publishers.lock,
                                 &header->publishers.event);
}

#endif
