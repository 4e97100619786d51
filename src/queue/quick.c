/* SPDX-License-Identifier: MIT */
/* The quick ways: the side's lock is free, there is room where the tail is, or a message where the
 * consumers are, and nobody sleeps. */
#include "quick.h"

int shmx_queue_send(shmx_queue *queue, const void *message, size_t size, int timeout_ms)
{
    if (queue == NULL || message == NULL || timeout_ms < SHMX_FOREVER || size >= queue->quick_end ||
        shmx_sides_used(&queue->header->sides))
        return shmx_queue_send_slowly(queue, message, size, timeout_ms);
    if (!shmx_short(size))
        return shmx_queue_send_whole(queue, message, size, timeout_ms);
    return queue_send_quickly(queue, message, size, timeout_ms);
}

int shmx_queue_reserve(shmx_queue *queue, size_t size, void **message, int timeout_ms)
{
    uint32_t place;
    if (queue == NULL || message == NULL || timeout_ms < SHMX_FOREVER ||
        size > queue->party.longest || queue->reserved.state != 0 ||
        shmx_sides_used(&queue->header->sides))
        return shmx_queue_reserve_slowly(queue, size, message, timeout_ms);
    struct queue_side *side = &queue->header->producers;
    uint32_t token = shmx_token_known(queue->party.shm);
    if (!shmx_word_try(&side->lock, token))
        return shmx_queue_reserve_slowly(queue, size, message, timeout_ms);
    STEP();
    if (shmx_sides_over(&queue->header->sides) ||
        !queue_room_at_tail(queue, side, queue_units((uint32_t)size), &place))
        return shmx_queue_reserve_again(queue, size, message, timeout_ms);
    queue->pace[1].begun++;
    queue->reserved = (struct queue_own){STATE_RESERVED | token, place, (uint32_t)size, false};
    queue_append(queue, side, place, (uint32_t)size, STATE_RESERVED | token);
    *message = queue_message(queue, place);
    shmx_side_unlock(&queue->party, &side->lock);
    return SHMX_OK;
}

int shmx_queue_commit(shmx_queue *queue, size_t size)
{
    if (queue == NULL || size != queue->reserved.size ||
        !shmx_party_owns(&queue->party, queue->reserved.state))
        return shmx_queue_commit_slowly(queue, size);
    return queue_show_own(queue, &queue->reserved, STATE_COMMITTED);
}

/* Without the lock: is there a message to take it for? */
static inline bool something_there(const shmx_queue *queue)
{
    uint32_t next = atomic_load_explicit(&queue->header->consumers.place, memory_order_relaxed);
    return next < queue->capacity &&
           shmx_os_glance(&queue_at(queue, next)->state) == STATE_COMMITTED;
}

int shmx_queue_receive(shmx_queue *queue, void *buffer, size_t capacity, size_t *size,
                       int timeout_ms)
{
    struct queue_own found;
    if (queue == NULL || buffer == NULL || timeout_ms < SHMX_FOREVER || !something_there(queue))
        return shmx_queue_receive_slowly(queue, buffer, capacity, size, timeout_ms);
    struct queue_side *side = &queue->header->consumers;
    if (!shmx_word_try(&side->lock, shmx_token_known(queue->party.shm)))
        return shmx_queue_receive_slowly(queue, buffer, capacity, size, timeout_ms);
    STEP();
    if (!queue_message_at_next(queue, side, &found) || !queue_oldest(side, found.place) ||
        !shmx_short(found.size) || found.size > capacity)
        return shmx_queue_receive_whole(queue, buffer, capacity, size, timeout_ms);
    queue->pace[0].begun++;
    queue_copy(buffer, queue_message(queue, found.place), found.size);
    STEP();
    queue_take_oldest(queue, side, &found);
    if (size != NULL)
        *size = found.size;
    return queue_unlock_tell(queue, side);
}

int shmx_queue_peek(shmx_queue *queue, const void **message, size_t *size, int timeout_ms)
{
    struct queue_own found;
    if (queue == NULL || message == NULL || timeout_ms < SHMX_FOREVER || queue->taken.state != 0 ||
        !something_there(queue))
        return shmx_queue_peek_slowly(queue, message, size, timeout_ms);
    struct queue_side *side = &queue->header->consumers;
    uint32_t token = shmx_token_known(queue->party.shm);
    if (!shmx_word_try(&side->lock, token))
        return shmx_queue_peek_slowly(queue, message, size, timeout_ms);
    STEP();
    if (!queue_message_at_next(queue, side, &found) || !queue_oldest(side, found.place) ||
        queue_holder(queue) != 0)
        return shmx_queue_peek_again(queue, message, size, timeout_ms);
    queue->pace[0].begun++;
    queue_hold(queue, side, token, &found);
    queue->taken = found;
    *message = queue_message(queue, found.place);
    if (size != NULL)
        *size = found.size;
    shmx_side_unlock(&queue->party, &side->lock);
    return SHMX_OK;
}
