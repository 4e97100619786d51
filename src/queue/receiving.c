/* SPDX-License-Identifier: MIT */
/* Receiving: to find a message, to copy or show it, and to make room of it. */
#include "quick.h"

/* Look without the lock whether there may be a message. */
static bool nothing_there(shmx_queue *queue)
{
    struct queue_side *side = &queue->header->consumers;
    /* Relaxed loads: if they say that there is something, the lock is taken and all read again. */
    uint32_t next = atomic_load_explicit(&side->place, memory_order_relaxed);
    if (next >= queue->capacity)
        return false;
    const _Atomic uint32_t *state = &queue_at(queue, next)->state;
    uint32_t seen = shmx_os_glance(state);
    shmx_watch(&queue->party, state, seen);
    return (seen == STATE_EMPTY || (seen & STATE_KIND) == STATE_RESERVED) &&
           atomic_load_explicit(&side->returned, memory_order_relaxed) == 0;
}

/* Give the lock back after nothing was read; cancelled records may have become room. */
static void find_unlock(shmx_queue *queue, const struct queue_job *job)
{
    struct queue_side *side = &queue->header->consumers;
    if (atomic_load_explicit(&side->edge, memory_order_relaxed) != job->head)
        queue_unlock_tell(queue, side);
    else
        shmx_side_unlock(&queue->party, &side->lock);
}

/* Take the consumers' lock and find a message. */
static inline int find_lock(shmx_queue *queue, struct queue_job *job, bool ask)
{
    struct queue_side *side = &queue->header->consumers;
    if (!ask && nothing_there(queue))
        return SHMX_NOTHING;
    /* A dead owner may have taken a message from before the others and not marked it; or be the
     * holder still. */
    int status = shmx_side_lock(&queue->party, &side->lock, &job->limit, &ask);
    if (status != SHMX_OK)
        return status;
    STEP();
    job->head = atomic_load_explicit(&side->edge, memory_order_relaxed);
    if (!ask && queue_message_at_next(queue, side, &job->own))
        return SHMX_OK;
    status = shmx_queue_find(queue, ask, &job->own);
    if (status != SHMX_OK)
        find_unlock(queue, job);
    return status;
}

/* Under the lock: is another message there for the next consumer? Asked only by one that was woken,
 * as that one must wake the next. */
static void note_more(shmx_queue *queue, struct queue_job *job)
{
    struct queue_side *side = &queue->header->consumers;
    uint32_t next = atomic_load_explicit(&side->place, memory_order_relaxed);
    if (!job->limit.slept || next >= queue->capacity)
        return;
    uint32_t state = atomic_load_explicit(&queue_at(queue, next)->state, memory_order_relaxed);
    job->more = (state != STATE_EMPTY && (state & STATE_KIND) != STATE_RESERVED) ||
                atomic_load_explicit(&side->returned, memory_order_relaxed) != 0;
}

/* Make it this handle's own, so that the lock can be given back. */
static int take(shmx_queue *queue, struct queue_job *job)
{
    int status = shmx_queue_pass(queue, &job->own);
    if (status == SHMX_OK) {
        job->own.state = STATE_TAKEN | shmx_token_known(queue->party.shm);
        job->own.held = false;
        /* Relaxed: shown by the lock. */
        atomic_store_explicit(&queue_at(queue, job->own.place)->state, job->own.state,
                              memory_order_relaxed);
        STEP();
    }
    note_more(queue, job);
    find_unlock(queue, job);
    return status;
}

/* A message was copied, and there are others between head and next. */
static int copied_beside_others(shmx_queue *queue, const struct queue_own *found)
{
    int status = shmx_queue_pass(queue, found);
    if (status != SHMX_OK)
        return status;
    /* Release: as in copy. */
    atomic_store_explicit(&queue_at(queue, found->place)->state, STATE_FREE, memory_order_release);
    STEP();
    return shmx_queue_advance(queue);
}

/* Copy it, and make room of it. */
static inline int copy(shmx_queue *queue, struct queue_job *job)
{
    struct queue_side *side = &queue->header->consumers;
    queue_copy(job->buffer, queue_message(queue, job->own.place), job->own.size);
    STEP();
    int status = SHMX_OK;
    if (queue_oldest(side, job->own.place))
        queue_take_oldest(queue, side, &job->own);
    else
        status = copied_beside_others(queue, &job->own);
    note_more(queue, job);
    queue_unlock_tell(queue, side);
    return status;
}

static int attempt_receive(void *context, bool ask)
{
    struct queue_job *job = context;
    shmx_queue *queue = job->queue;
    int status = find_lock(queue, job, ask);
    if (status != SHMX_OK)
        return status;
    if (job->own.size > job->size) {
        find_unlock(queue, job);
        return SHMX_EMSGSIZE;
    }
    return job->own.size > SHMX_COPY_LOCKED ? take(queue, job) : copy(queue, job);
}

static int attempt_peek(void *context, bool ask)
{
    struct queue_job *job = context;
    shmx_queue *queue = job->queue;
    int status = find_lock(queue, job, ask);
    return status == SHMX_OK ? take(queue, job) : status;
}

/* Under the lock: the record at head was read. */
static int release_held(shmx_queue *queue, struct queue_side *side, struct queue_own *own)
{
    uint32_t end = queue_behind(queue, own->place, queue_units(own->size));
    if (!queue_intact(queue, own))
        return SHMX_EPROTO;
    /* Release: the message was read before its room is another's. */
    atomic_store_explicit(&side->edge, end, memory_order_release);
    STEP();
    queue_holder_end(queue);
    own->state = 0;
    return SHMX_OK;
}

/* The message was read. Nobody is waited for here: if another holds the lock, a producer who needs
 * the room makes it itself. */
static int release(shmx_queue *queue, struct queue_own *own)
{
    struct queue_side *side = &queue->header->consumers;
    int status = own->held ? SHMX_OK : queue_own_end(queue, own, STATE_FREE);
    if (status != SHMX_OK)
        return status;
    if (!shmx_word_try(&side->lock, shmx_token_known(queue->party.shm))) {
        status = own->held ? queue_own_end(queue, own, STATE_FREE) : SHMX_OK;
        queue_tell(queue, side);
        return status;
    }
    STEP();
    if (own->held)
        status = release_held(queue, side, own);
    if (status == SHMX_OK && atomic_load_explicit(&side->edge, memory_order_relaxed) !=
                                 atomic_load_explicit(&side->place, memory_order_relaxed))
        status = shmx_queue_advance(queue);
    queue_unlock_tell(queue, side);
    own->state = 0;
    return status;
}

int shmx_queue_release(shmx_queue *queue)
{
    if (queue == NULL || !shmx_party_owns(&queue->party, queue->taken.state))
        return shmx_refuse(SHMX_EINVAL);
    int status = release(queue, &queue->taken);
    return status == SHMX_OK ? SHMX_OK : shmx_refuse(status);
}

int shmx_queue_receive_slowly(shmx_queue *queue, void *buffer, size_t capacity, size_t *size,
                              int timeout_ms)
{
    if (size != NULL)
        *size = 0;
    if (queue == NULL || (buffer == NULL && capacity != 0) || timeout_ms < SHMX_FOREVER)
        return shmx_refuse(SHMX_EINVAL);
    struct queue_job job;
    queue_begin(&job, queue, false, capacity, timeout_ms);
    job.buffer = buffer;
    int status = shmx_queue_pursue(&job, attempt_receive);
    if (status == SHMX_OK && job.own.size > SHMX_COPY_LOCKED) {
        memcpy(buffer, queue_message(queue, job.own.place), job.own.size);
        status = release(queue, &job.own);
        if (status != SHMX_OK)
            return shmx_refuse(status);
    }
    if (size != NULL && (status == SHMX_OK || status == SHMX_EMSGSIZE))
        *size = job.own.size;
    return status;
}

int shmx_queue_peek_slowly(shmx_queue *queue, const void **message, size_t *size, int timeout_ms)
{
    if (message != NULL)
        *message = NULL;
    if (size != NULL)
        *size = 0;
    if (queue == NULL || message == NULL || shmx_party_owns(&queue->party, queue->taken.state) ||
        timeout_ms < SHMX_FOREVER)
        return shmx_refuse(SHMX_EINVAL);
    struct queue_job job;
    queue_begin(&job, queue, false, 0, timeout_ms);
    int status = shmx_queue_pursue(&job, attempt_peek);
    if (status != SHMX_OK)
        return status;
    queue->taken = job.own;
    *message = queue_message(queue, job.own.place);
    if (size != NULL)
        *size = job.own.size;
    return SHMX_OK;
}

/* ---- the quick ways' other ends ---- */

int shmx_queue_peek_again(shmx_queue *queue, const void **message, size_t *size, int timeout_ms)
{
    shmx_side_unlock(&queue->party, &queue->header->consumers.lock);
    return shmx_queue_peek_slowly(queue, message, size, timeout_ms);
}

int shmx_queue_receive_whole(shmx_queue *queue, void *buffer, size_t capacity, size_t *size,
                             int timeout_ms)
{
    struct queue_side *side = &queue->header->consumers;
    struct queue_own found;
    if (!queue_message_at_next(queue, side, &found) || !queue_oldest(side, found.place) ||
        found.size > capacity || found.size > SHMX_COPY_LOCKED) {
        shmx_side_unlock(&queue->party, &side->lock);
        return shmx_queue_receive_slowly(queue, buffer, capacity, size, timeout_ms);
    }
    queue->pace[0].begun++;
    if (found.size != 0)
        memcpy(buffer, queue_message(queue, found.place), found.size);
    STEP();
    queue_take_oldest(queue, side, &found);
    if (size != NULL)
        *size = found.size;
    return queue_unlock_tell(queue, side);
}
