/* SPDX-License-Identifier: MIT */
/* The steps that the usual calls have in common with all others, and the functions that the quick
 * ways (quick.c) call in any unusual case. Such a function is called last and begins again from the
 * arguments, so that a quick way keeps nothing for it. */
#ifndef SHMX_QUEUE_QUICK_H
#define SHMX_QUEUE_QUICK_H

#include "layout.h"

/* The whole of each. */
int shmx_queue_send_slowly(shmx_queue *queue, const void *message, size_t size, int timeout_ms);
int shmx_queue_receive_slowly(shmx_queue *queue, void *buffer, size_t capacity, size_t *size,
                              int timeout_ms);
int shmx_queue_reserve_slowly(shmx_queue *queue, size_t size, void **message, int timeout_ms);
int shmx_queue_commit_slowly(shmx_queue *queue, size_t size);
int shmx_queue_peek_slowly(shmx_queue *queue, const void **message, size_t *size, int timeout_ms);

/* The same, after the side's lock was taken in vain. */
int shmx_queue_send_again(shmx_queue *queue, const void *message, size_t size, int timeout_ms);
int shmx_queue_reserve_again(shmx_queue *queue, size_t size, void **message, int timeout_ms);
int shmx_queue_peek_again(shmx_queue *queue, const void **message, size_t *size, int timeout_ms);

/* The usual case of a message that is copied by a call: that costs a frame, which short ones do
 * without. The consumers' lock is held already. */
int shmx_queue_send_whole(shmx_queue *queue, const void *message, size_t size, int timeout_ms);
int shmx_queue_receive_whole(shmx_queue *queue, void *buffer, size_t capacity, size_t *size,
                             int timeout_ms);

/* ---- sending ---- */

/* The usual case of shmx_queue_room: there is room where the tail is, as far as is known. */
static inline bool queue_room_at_tail(const shmx_queue *queue, const struct queue_side *side,
                                      uint32_t units, uint32_t *place)
{
    /* Relaxed: the lock is held. */
    uint32_t tail = atomic_load_explicit(&side->place, memory_order_relaxed);
    uint32_t head = atomic_load_explicit(&side->edge, memory_order_relaxed);
    *place = tail;
    if (tail >= queue->capacity || head >= queue->capacity)
        return false;
    uint32_t end = head > tail ? head : queue->capacity;
    return units < end - tail &&
           atomic_load_explicit(&queue_at(queue, tail)->state, memory_order_relaxed) == STATE_EMPTY;
}

/* Show a record at the tail; its message, if it is one, has been written. */
static inline void queue_append(const shmx_queue *queue, struct queue_side *side, uint32_t place,
                                uint32_t size, uint32_t state)
{
    struct queue_record *record = queue_at(queue, place);
    uint32_t end = queue_behind(queue, place, queue_units(size));
    /* Relaxed, both: shown by the store of the state. */
    atomic_store_explicit(&queue_at(queue, end)->state, STATE_EMPTY, memory_order_relaxed);
    STEP();
    atomic_store_explicit(&record->size, size, memory_order_relaxed);
    STEP();
    /* Release: who sees the state sees all of it. */
    atomic_store_explicit(&record->state, state, memory_order_release);
    STEP();
    /* Relaxed: the lock is held. */
    atomic_store_explicit(&side->place, end, memory_order_relaxed);
}

/* The usual send: the lock is free, and there is room. */
static inline int queue_send_quickly(shmx_queue *queue, const void *message, size_t size,
                                     int timeout_ms)
{
    struct queue_side *side = &queue->header->producers;
    uint32_t place;
    if (!shmx_word_try(&side->lock, shmx_token_known(queue->party.shm)))
        return shmx_queue_send_slowly(queue, message, size, timeout_ms);
    STEP();
    if (shmx_sides_over(&queue->header->sides) ||
        !queue_room_at_tail(queue, side, queue_units((uint32_t)size), &place))
        return shmx_queue_send_again(queue, message, size, timeout_ms);
    queue->pace[1].begun++;
    queue_copy(queue_message(queue, place), message, size);
    queue_append(queue, side, place, (uint32_t)size, STATE_COMMITTED);
    return queue_unlock_tell(queue, side);
}

/* Give a reserved record its end state, and tell the consumers. Returns as a public function does.
 */
static inline int queue_show_own(shmx_queue *queue, struct queue_own *own, uint32_t state)
{
    int status = queue_own_end(queue, own, state);
    queue_tell(queue, &queue->header->producers);
    return status == SHMX_OK ? SHMX_OK : shmx_refuse(status);
}

/* ---- receiving ---- */

/* The usual case of shmx_queue_find: there is a message at `next`, and none has come back. */
static inline bool queue_message_at_next(const shmx_queue *queue, const struct queue_side *side,
                                         struct queue_own *found)
{
    /* Relaxed: the lock is held; a message that comes back now is found the next time. */
    uint32_t next = atomic_load_explicit(&side->place, memory_order_relaxed);
    if (atomic_load_explicit(&side->returned, memory_order_relaxed) != 0 || next >= queue->capacity)
        return false;
    struct queue_record *record = queue_at(queue, next);
    /* Acquire: the message and its size were written before. */
    if (atomic_load_explicit(&record->state, memory_order_acquire) != STATE_COMMITTED)
        return false;
    found->place = next;
    found->size = atomic_load_explicit(&record->size, memory_order_relaxed);
    return found->size <= QUEUE_MESSAGE_MAX && queue_units(found->size) <= queue->capacity - next;
}

/* Is the message at `next` the oldest record? Relaxed loads: the lock is held. */
static inline bool queue_oldest(const struct queue_side *side, uint32_t place)
{
    return atomic_load_explicit(&side->edge, memory_order_relaxed) == place &&
           atomic_load_explicit(&side->place, memory_order_relaxed) == place;
}

/* Take the oldest record, if nobody holds head, without a change of it. A consumer that dies before
 * it is before `next` has not taken it; afterwards it has given it back. */
static inline void queue_hold(const shmx_queue *queue, struct queue_side *side, uint32_t token,
                              struct queue_own *found)
{
    uint32_t end = queue_behind(queue, found->place, queue_units(found->size));
    found->state = STATE_TAKEN | token;
    found->held = true;
    atomic_store_explicit(&side->holder, token, memory_order_relaxed);
    STEP();
    atomic_store_explicit(&side->place, end, memory_order_release);
    STEP();
}

/* It was copied: make room of it. A consumer that dies before its record is before `next` has not
 * taken it; one that dies before it is free has given it back. */
static inline void queue_take_oldest(const shmx_queue *queue, struct queue_side *side,
                                     const struct queue_own *found)
{
    uint32_t end = queue_behind(queue, found->place, queue_units(found->size));
    atomic_store_explicit(&side->place, end, memory_order_relaxed);
    STEP();
    /* Release: the message was copied before its room is another's. */
    atomic_store_explicit(&side->edge, end, memory_order_release);
}

#endif
