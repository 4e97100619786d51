/* SPDX-License-Identifier: MIT */
/* Sending: to find room, to write a message there, and to show it. */
#include "quick.h"

/* Make room of what no consumer has looked at: cancelled records, dead producers' ones; and give
 * back what dead consumers hold. */
static int collect(shmx_queue *queue, struct shmx_limit *limit)
{
    struct queue_side *side = &queue->header->consumers;
    struct queue_own found;
    int status = shmx_side_lock(&queue->party, &side->lock, limit, NULL);
    if (status != SHMX_OK)
        return status;
    uint32_t head = atomic_load_explicit(&side->edge, memory_order_relaxed);
    status = shmx_queue_find(queue, true, &found);
    if (status >= SHMX_OK && shmx_queue_advance(queue) != SHMX_OK)
        status = SHMX_EPROTO;
    bool back = atomic_load_explicit(&side->returned, memory_order_relaxed) != 0;
    /* Others that wait for room are told if there is more, and this one tries in any case. */
    bool room = atomic_load_explicit(&side->edge, memory_order_relaxed) != head;
    shmx_side_unlock(&queue->party, &side->lock);
    if (room)
        queue_tell(queue, side);
    if (back)
        queue_tell(queue, &queue->header->producers);
    return status == SHMX_NOTHING || status == SHMX_AGAIN ? SHMX_OK : status;
}

/* Take the producers' lock and find room. */
static inline int room_lock(shmx_queue *queue, struct queue_job *job, bool ask, uint32_t *place)
{
    struct queue_side *side = &queue->header->producers;
    int status = ask ? collect(queue, &job->limit) : SHMX_OK;
    if (status == SHMX_OK)
        status = shmx_side_lock(&queue->party, &side->lock, &job->limit, NULL);
    /* The leavings of a dead owner are put in order at each look for room. */
    if (status != SHMX_OK)
        return status;
    STEP();
    uint32_t units = queue_units((uint32_t)job->size);
    bool over = shmx_sides_over(&queue->header->sides);
    if (!over && queue_room_at_tail(queue, side, units, place))
        return SHMX_OK;
    status = over ? SHMX_EHANGUP : shmx_queue_room(queue, units, place);
    if (status != SHMX_OK)
        shmx_side_unlock(&queue->party, &side->lock);
    return status;
}

static int attempt_send(void *context, bool ask)
{
    struct queue_job *job = context;
    shmx_queue *queue = job->queue;
    struct queue_side *side = &queue->header->producers;
    uint32_t place;
    int status = room_lock(queue, job, ask, &place);
    if (status != SHMX_OK)
        return status;
    queue_copy(queue_message(queue, place), job->message, job->size);
    queue_append(queue, side, place, (uint32_t)job->size, STATE_COMMITTED);
    queue_unlock_tell(queue, &queue->header->producers);
    return SHMX_OK;
}

static int attempt_reserve(void *context, bool ask)
{
    struct queue_job *job = context;
    shmx_queue *queue = job->queue;
    struct queue_side *side = &queue->header->producers;
    uint32_t place;
    int status = room_lock(queue, job, ask, &place);
    if (status != SHMX_OK)
        return status;
    uint32_t size = (uint32_t)job->size;
    job->own =
        (struct queue_own){STATE_RESERVED | shmx_token_known(queue->party.shm), place, size, false};
    queue_append(queue, side, place, size, job->own.state);
    shmx_side_unlock(&queue->party, &queue->header->producers.lock);
    return SHMX_OK;
}

/* The message is shorter than its room: the rest becomes a record of its own first, so that both
 * lengths lead to the same end. */
static void shrink(shmx_queue *queue, const struct queue_own *own, uint32_t size)
{
    uint32_t before = queue_units(own->size), after = queue_units(size);
    if (after < before) {
        struct queue_record *rest = queue_at(queue, own->place + after);
        atomic_store_explicit(&rest->size, (before - after - 1) * QUEUE_UNIT, memory_order_relaxed);
        atomic_store_explicit(&rest->state, STATE_CANCELLED, memory_order_relaxed);
        STEP();
    }
    /* Release: a process that sees the new size sees the record it leads to. */
    atomic_store_explicit(&queue_at(queue, own->place)->size, size, memory_order_release);
    STEP();
}

int shmx_queue_commit_slowly(shmx_queue *queue, size_t size)
{
    if (queue == NULL || !shmx_party_owns(&queue->party, queue->reserved.state) ||
        size > queue->reserved.size)
        return shmx_refuse(SHMX_EINVAL);
    if (queue_intact(queue, &queue->reserved))
        shrink(queue, &queue->reserved, (uint32_t)size);
    return queue_show_own(queue, &queue->reserved, STATE_COMMITTED);
}

int shmx_queue_cancel(shmx_queue *queue)
{
    if (queue == NULL || !shmx_party_owns(&queue->party, queue->reserved.state))
        return shmx_refuse(SHMX_EINVAL);
    int status = queue_show_own(queue, &queue->reserved, STATE_CANCELLED);
    /* It is room again, for a producer that collects it. */
    queue_tell(queue, &queue->header->consumers);
    return status;
}

static int reserve(shmx_queue *queue, size_t size, struct queue_own *own, int timeout_ms)
{
    struct queue_job job;
    queue_begin(&job, queue, true, size, timeout_ms);
    int status = shmx_queue_pursue(&job, attempt_reserve);
    if (status == SHMX_OK)
        *own = job.own;
    return status;
}

/* A long message is copied while others go on. It has a record of its own, beside one that the
 * caller may have reserved. */
static int send_long(shmx_queue *queue, const void *message, size_t size, int timeout_ms)
{
    struct queue_own own;
    int status = reserve(queue, size, &own, timeout_ms);
    if (status != SHMX_OK)
        return status;
    STEP();
    memcpy(queue_message(queue, own.place), message, size);
    return queue_show_own(queue, &own, STATE_COMMITTED);
}

int shmx_queue_send_slowly(shmx_queue *queue, const void *message, size_t size, int timeout_ms)
{
    bool good = message != NULL || size == 0;
    int status = shmx_sides_check_send((struct shmx_party *)queue, good, size, timeout_ms);
    if (status != SHMX_OK)
        return status;
    if (size > SHMX_COPY_LOCKED)
        return send_long(queue, message, size, timeout_ms);
    struct queue_job job;
    queue_begin(&job, queue, true, size, timeout_ms);
    job.message = message;
    return shmx_queue_pursue(&job, attempt_send);
}

int shmx_queue_reserve_slowly(shmx_queue *queue, size_t size, void **message, int timeout_ms)
{
    if (message != NULL)
        *message = NULL;
    bool good =
        queue != NULL && message != NULL && !shmx_party_owns(&queue->party, queue->reserved.state);
    int status = shmx_sides_check_send((struct shmx_party *)queue, good, size, timeout_ms);
    if (status != SHMX_OK)
        return status;
    status = reserve(queue, size, &queue->reserved, timeout_ms);
    if (status == SHMX_OK)
        *message = queue_message(queue, queue->reserved.place);
    return status;
}

/* ---- the quick ways' other ends ---- */

int shmx_queue_send_again(shmx_queue *queue, const void *message, size_t size, int timeout_ms)
{
    shmx_side_unlock(&queue->party, &queue->header->producers.lock);
    return shmx_queue_send_slowly(queue, message, size, timeout_ms);
}

int shmx_queue_reserve_again(shmx_queue *queue, size_t size, void **message, int timeout_ms)
{
    shmx_side_unlock(&queue->party, &queue->header->producers.lock);
    return shmx_queue_reserve_slowly(queue, size, message, timeout_ms);
}

int shmx_queue_send_whole(shmx_queue *queue, const void *message, size_t size, int timeout_ms)
{
    return queue_send_quickly(queue, message, size, timeout_ms);
}
