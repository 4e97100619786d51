/* SPDX-License-Identifier: MIT */
/*
 * Order among the records, under the lock. Whatever is read from shared memory is read once,
 * checked, and used from the copy: a damaged topic is SHMX_EPROTO or an ordinary answer, never an
 * access outside the ring, and no walk goes round it more than once.
 */
#include "ring.h"

/* Relaxed loads: these words are changed under the lock only. */
static inline uint64_t word_load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* The record at `shown` is reserved: wait for it, unless its owner is dead. A publisher that only
 * passes by asks as often as one that waits. */
static int topic_handle_reserved(shmx_topic *topic, uint64_t position, uint32_t *state, bool ask)
{
    struct topic_record *record = topic_record(topic, position);
    shmx_watch(&topic->party, &record->state, *state);
    int status = shmx_waiter_owner_ended(&topic->party, *state, ask);
    if (status != SHMX_OK)
        return status;
    /* By exchange: it may have committed before it died. Acquire: its message and size. */
    if (atomic_compare_exchange_strong_explicit(&record->state, state, TOPIC_STATE_CANCELLED,
                                                memory_order_acquire, memory_order_acquire))
        *state = TOPIC_STATE_CANCELLED;
    STEP();
    return SHMX_OK;
}

/* Find out the number of a record at `shown`, once. */
static uint64_t message_number(shmx_topic *topic, uint64_t position)
{
    struct topic_record *record = topic_record(topic, position);
    uint64_t number = word_load(&record->number);
    if (number != TOPIC_UNKNOWN)
        return number; /* perhaps of one who died before it was shown */
    number = word_load(&topic->header->publishers.number);
    /* Relaxed: shown by the store of newest. */
    atomic_store_explicit(&record->number, number, memory_order_relaxed);
    return number;
}

int shmx_topic_settle(shmx_topic *topic, bool ask)
{
    struct topic_header *header = topic->header;
    uint64_t tail = word_load(&header->publishers.tail);
    uint64_t shown = word_load(&header->publishers.shown), end;
    if (tail - shown > topic->capacity)
        return SHMX_EPROTO;
    while (shown != tail) {
        uint32_t state = topic_state(topic, shown);
        int status = SHMX_OK;
        if ((state & TOPIC_STATE_KIND) == TOPIC_STATE_RESERVED)
            status = topic_handle_reserved(topic, shown, &state, ask);
        if (status == SHMX_OK && (state < TOPIC_STATE_COMMITTED || state > TOPIC_STATE_SKIP))
            status = SHMX_EPROTO;
        if (status == SHMX_OK && (!topic_end(topic, shown, &end) || end - shown > tail - shown))
            status = SHMX_EPROTO;
        if (status != SHMX_OK)
            return status;
        topic_show(header, shown, state, message_number(topic, shown), end);
        shown = end;
    }
    /* Release: a process that sees it finds the newest message. */
    atomic_store_explicit(&header->front.pending, 0, memory_order_release);
    return SHMX_OK;
}

/* Go from record to record, from head to `least` or a little farther. The newest message stays,
 * unless records that were cancelled behind it leave no other room. */
static int pass_oldest(shmx_topic *topic, uint64_t *head, uint64_t least)
{
    struct topic_header *header = topic->header;
    uint64_t limit = word_load(&header->publishers.shown);
    bool open = limit != word_load(&header->publishers.tail);
    if (open) {
        uint64_t newest = atomic_load_explicit(&header->front.newest, memory_order_relaxed) - 1;
        limit = newest - *head < limit - *head ? newest : limit;
    }
    while (*head < least) {
        if (*head >= limit)
            return open ? SHMX_NOTHING : SHMX_EPROTO;
        if (!topic_end(topic, *head, head))
            return SHMX_EPROTO;
    }
    return SHMX_OK;
}

/* Overwrite the oldest: from now on they are not there. */
static int topic_make_room(shmx_topic *topic, uint64_t head, uint64_t least, bool ask)
{
    struct topic_header *header = topic->header;
    int status = pass_oldest(topic, &head, least);
    if (status == SHMX_OK && head > word_load(&header->publishers.floor))
        status = shmx_topic_floor(topic, head, ask);
    if (status == SHMX_OK)
        topic_head_move(header, head);
    return status;
}

/* Leave the rest of the ring out. */
static void topic_skip(shmx_topic *topic, uint32_t rest)
{
    struct topic_entry entry = {.size = (rest - 1) * TOPIC_UNIT, .state = TOPIC_STATE_SKIP};
    topic_at_tail(topic, topic->header, &entry);
    topic_append(topic->header, &entry);
}

int shmx_topic_room(shmx_topic *topic, uint32_t units, bool ask)
{
    struct topic_header *header = topic->header;
    uint64_t tail = word_load(&header->publishers.tail);
    uint64_t head = atomic_load_explicit(&header->front.head, memory_order_relaxed);
    uint32_t rest = topic->capacity - topic_place_of(topic, tail);
    uint64_t end = tail + units + (units > rest ? rest : 0);
    if (tail - head > topic->capacity)
        return SHMX_EPROTO;
    int status = SHMX_OK;
    if (end - head > topic->capacity)
        status = topic_make_room(topic, head, end - topic->capacity, ask);
    if (status == SHMX_OK && units > rest)
        topic_skip(topic, rest);
    return status;
}
