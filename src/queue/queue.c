/* SPDX-License-Identifier: MIT */
/* The queue's public functions: one attempt each, and the loop that waits between attempts. */
#include "layout.h"

#include <stdlib.h>
#include <string.h>

/* Up to here a message is copied while the lock of its side is held, which is cheaper than to mark
 * the record as one's own, copy, and mark it again. */
#define COPY_LOCKED 1024

/* Looks that make a find a close one, how many of these make a stream, and how long to stay away
 * then: about half a microsecond. */
#define LOOKS_CLOSE 10
#define CLOSE_ENOUGH 3
#define AWAY 20

/* Messages that make it worth while, and close finds that do not count after it was not. */
#define AWAY_GAIN 4
#define CLOSE_PASSED 1000

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

/* Write a word of the header if nobody has; true if it is what it shall be. */
static bool settle(_Atomic uint32_t *word, uint32_t value)
{
    uint32_t seen = 0;
    return atomic_compare_exchange_strong(word, &seen, value) || seen == value;
}

static int region_check(const shmx *shm, size_t offset, size_t size)
{
    if (shm == NULL || offset % QUEUE_UNIT != 0)
        return SHMX_EINVAL;
    if (size < QUEUE_HEADER_SIZE + QUEUE_CAPACITY_MIN * QUEUE_UNIT)
        return SHMX_EINVAL;
    if (offset > shm->size || size > shm->size - offset)
        return SHMX_ERANGE;
    return shmx_lock_check(shm, shm->attachment.data + offset, size);
}

static void place_handle(shmx_queue *queue, shmx *shm, size_t offset, size_t size)
{
    uint64_t units = (size - QUEUE_HEADER_SIZE) / QUEUE_UNIT;
    queue->shm = shm;
    queue->header = (struct queue_header *)(void *)(shm->attachment.data + offset);
    queue->ring = shm->attachment.data + offset + QUEUE_HEADER_SIZE;
    queue->capacity = (uint32_t)(units < QUEUE_CAPACITY_MAX ? units : QUEUE_CAPACITY_MAX);
    /* A record of less than half the ring fits into an empty one wherever its tail is. */
    uint64_t longest = ((uint64_t)(queue->capacity + 1) / 2 - 2) * QUEUE_UNIT;
    queue->longest = (uint32_t)(longest < QUEUE_MESSAGE_MAX ? longest : QUEUE_MESSAGE_MAX);
}

static int header_settle(struct queue_header *header, uint32_t capacity)
{
    bool ours = settle(&header->magic, QUEUE_MAGIC) && settle(&header->version, QUEUE_VERSION) &&
                settle(&header->capacity, capacity);
    return ours ? SHMX_OK : SHMX_EPROTO;
}

int shmx_queue_open(shmx_queue **queue, shmx *shm, size_t offset, size_t size)
{
    if (queue == NULL)
        return shmx_refuse(SHMX_EINVAL);
    *queue = NULL;
    int status = region_check(shm, offset, size);
    if (status != SHMX_OK)
        return shmx_refuse(status);
    shmx_queue *made = calloc(1, sizeof *made);
    if (made == NULL)
        return shmx_refuse(SHMX_ENOMEM);
    place_handle(made, shm, offset, size);
    uint32_t token;
    status = shmx_os_owner_claim(&shm->attachment, &token);
    if (status == SHMX_OK)
        status = header_settle(made->header, made->capacity);
    if (status == SHMX_OK)
        *queue = made;
    else
        free(made);
    return shmx_result(status);
}

size_t shmx_queue_max_message(const shmx_queue *queue)
{
    return queue != NULL ? queue->longest : 0;
}

/* ---- waiting ---- */

/* What is to be sent or received; an attempt returns SHMX_OK, QUEUE_NOTHING, QUEUE_AGAIN or a
 * failure. `ask`: find out whether those who are in the way are dead. */
struct job {
    const void *message; /* send */
    void *buffer;        /* receive */
    size_t size;         /* of either */
    struct queue_own own;
    uint32_t head; /* receive: before anything was done */
    struct queue_wait wait;
};

/* Field by field: what need not be written is not, in a call that takes a few nanoseconds. */
static inline void job_begin(struct job *job, shmx_queue *queue, bool producer, size_t size,
                             int timeout_ms)
{
    queue->pace[producer].begun++;
    job->size = size;
    job->wait.timeout_ms = timeout_ms;
    job->wait.begun = false;
    job->wait.slept = false;
}

/* Messages are short more often than not, and a call costs more than to copy one. */
static inline void copy_bytes(void *to, const void *from, size_t size)
{
    unsigned char *target = to;
    const unsigned char *source = from;
    if (size < 8 || size > 64) {
        if (size != 0)
            memcpy(target, source, size);
        return;
    }
    /* Eight at a time, and the last eight again. */
    for (size_t done = 0; done + 8 < size; done += 8)
        memcpy(target + done, source + done, 8);
    memcpy(target + size - 8, source + size - 8, 8);
}

struct direction {
    int (*attempt)(shmx_queue *queue, struct job *job, bool ask);
    bool (*changed)(const shmx_queue *queue);
    bool producer;
};

static struct queue_side *other_side(const shmx_queue *queue, const struct direction *direction)
{
    return direction->producer ? &queue->header->consumers : &queue->header->producers;
}

/* Look without the lock whether there may be a message. */
static bool nothing_there(shmx_queue *queue)
{
    struct queue_side *side = &queue->header->consumers;
    /* Relaxed loads: if they say that there is something, the lock is taken and all read again. */
    uint32_t next = atomic_load_explicit(&side->place, memory_order_relaxed);
    if (next >= queue->capacity)
        return false;
    queue->watch = &queue_at(queue, next)->state;
    queue->watch_value = atomic_load_explicit(queue->watch, memory_order_relaxed);
    bool reserved = (queue->watch_value & STATE_KIND) == STATE_RESERVED;
    return (queue->watch_value == STATE_EMPTY || reserved) &&
           atomic_load_explicit(&side->returned, memory_order_relaxed) == 0;
}

/* One consumer is woken at a time. Who was and goes on its way makes sure that the others learn of
 * what comes, and of what is there already. */
static void pass_the_word(shmx_queue *queue)
{
    struct queue_side *other = &queue->header->producers;
    if (atomic_load(&other->sleepers) == 0)
        return;
    atomic_fetch_or(&other->lock, QUEUE_SLEEPERS);
    STEP();
    if (!nothing_there(queue))
        shmx_queue_tell(queue, other);
}

/*
 * Spin until there may be something. In a stream the two sides run close behind each other, and
 * each look takes from the other the cache line that it is writing. So who found something at one
 * of the first looks for several times on end stays away for a moment the next time, and then finds
 * many messages, or much room, at once. Whoever does not was waiting for an answer, which had been
 * there for long: it stays where it is for a good while.
 */
static bool spin_aside(shmx_queue *queue, const struct direction *direction)
{
    struct queue_pace *pace = &queue->pace[direction->producer];
    if (pace->away && pace->begun > 0 && pace->begun < AWAY_GAIN)
        pace->close = -CLOSE_PASSED;
    pace->begun = 0;
    pace->away = pace->close >= CLOSE_ENOUGH;
    for (int i = 0; pace->away && i < AWAY; i++)
        shmx_os_relax();
    for (int i = 0; i < LOOKS_CLOSE; i++) {
        /* Relaxed: all is read again under the lock. */
        if (atomic_load_explicit(queue->watch, memory_order_relaxed) != queue->watch_value) {
            pace->close += pace->close < CLOSE_ENOUGH;
            return true;
        }
    }
    if (pace->close > 0)
        pace->close = 0;
    return shmx_spin(queue->watch, queue->watch_value);
}

/* The first attempt found nothing: spin, ask, sleep. */
static int wait_for(shmx_queue *queue, struct job *job, const struct direction *direction,
                    int status)
{
    struct queue_wait *wait = &job->wait;
    uint64_t passed = 0;
    bool last = wait->timeout_ms == 0;
    shmx_queue_wait_begin(wait);
    while (status == QUEUE_NOTHING || status == QUEUE_AGAIN) {
        if (status == QUEUE_NOTHING && !last && spin_aside(queue, direction)) {
            status = direction->attempt(queue, job, false);
            continue;
        }
        status = direction->attempt(queue, job, true);
        if (status == QUEUE_AGAIN && (passed += QUEUE_PASS_MOST) > queue->capacity &&
            shmx_os_now() >= wait->deadline)
            return SHMX_ETIMEDOUT;
        if (status != QUEUE_NOTHING)
            continue;
        if (last)
            return SHMX_ETIMEDOUT;
        status = shmx_queue_sleep(queue, other_side(queue, direction), wait, direction->changed);
        last = status == SHMX_ETIMEDOUT;
        if (last || status == SHMX_OK)
            status = direction->attempt(queue, job, false);
    }
    return status;
}

/* Go on after a first attempt that did not succeed. */
static int persist(shmx_queue *queue, struct job *job, const struct direction *direction,
                   int status)
{
    if (status == QUEUE_NOTHING || status == QUEUE_AGAIN)
        status = wait_for(queue, job, direction, status);
    if (job->wait.slept && !direction->producer)
        pass_the_word(queue);
    if (status == SHMX_EPROTO || status == SHMX_EMSGSIZE)
        return shmx_refuse(status);
    return status == SHMX_OK ? SHMX_OK : shmx_report(status);
}

/* ---- producers ---- */

/* Has the room changed that was found too small? Either head has moved, or the record there was
 * read and nobody has moved it. */
static bool room_changed(const shmx_queue *queue)
{
    uint32_t head = atomic_load(&queue->header->consumers.edge);
    if (head != queue->watch_value || head >= queue->capacity)
        return true;
    return atomic_load(&queue_at(queue, head)->state) == STATE_FREE;
}

/* Make room of what no consumer has looked at: cancelled records, dead producers' ones; and give
 * back what dead consumers hold. */
static int collect(shmx_queue *queue, struct queue_wait *wait)
{
    struct queue_side *side = &queue->header->consumers;
    struct queue_own found;
    int status = queue_lock(queue, side, wait);
    if (status != SHMX_OK && status != SHMX_EOWNERDEAD)
        return status;
    status = shmx_queue_advance(queue);
    if (status == SHMX_OK)
        status = shmx_queue_find(queue, true, &found);
    bool back = atomic_load_explicit(&side->returned, memory_order_relaxed) != 0;
    queue_unlock_tell(queue, side);
    if (back)
        shmx_queue_tell(queue, &queue->header->producers);
    return status == QUEUE_NOTHING || status == QUEUE_AGAIN ? SHMX_OK : status;
}

/* The usual case of shmx_queue_room: there is room where the tail is, as far as is known. */
static inline bool room_at_tail(const shmx_queue *queue, uint32_t units, uint32_t *place)
{
    const struct queue_side *side = &queue->header->producers;
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

/* Take the producers' lock and find room. */
static inline int room_lock(shmx_queue *queue, struct job *job, bool ask, uint32_t *place)
{
    struct queue_side *side = &queue->header->producers;
    int status = ask ? collect(queue, &job->wait) : SHMX_OK;
    if (status == SHMX_OK)
        status = queue_lock(queue, side, &job->wait);
    /* What a dead owner left behind is put in order at each look for room. */
    if (status != SHMX_OK && status != SHMX_EOWNERDEAD)
        return status;
    STEP();
    uint32_t units = queue_units((uint32_t)job->size);
    if (room_at_tail(queue, units, place))
        return SHMX_OK;
    status = shmx_queue_room(queue, units, place);
    if (status != SHMX_OK)
        shmx_queue_unlock(queue, side);
    return status;
}

/* Show a record at the tail; its message, if it is one, has been written. */
static inline void append(shmx_queue *queue, uint32_t place, uint32_t size, uint32_t state)
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
    atomic_store_explicit(&queue->header->producers.place, end, memory_order_relaxed);
}

static inline int attempt_send(shmx_queue *queue, struct job *job, bool ask)
{
    uint32_t place;
    int status = room_lock(queue, job, ask, &place);
    if (status != SHMX_OK)
        return status;
    copy_bytes(queue_message(queue, place), job->message, job->size);
    append(queue, place, (uint32_t)job->size, STATE_COMMITTED);
    queue_unlock_tell(queue, &queue->header->producers);
    return SHMX_OK;
}

static int attempt_reserve(shmx_queue *queue, struct job *job, bool ask)
{
    uint32_t place;
    int status = room_lock(queue, job, ask, &place);
    if (status != SHMX_OK)
        return status;
    uint32_t size = (uint32_t)job->size;
    job->own = (struct queue_own){STATE_RESERVED | queue_token(queue), place, size};
    append(queue, place, size, job->own.state);
    shmx_queue_unlock(queue, &queue->header->producers);
    return SHMX_OK;
}

static const struct direction sending = {attempt_send, room_changed, true};
static const struct direction reserving = {attempt_reserve, room_changed, true};

static bool state_is(const shmx_queue *queue, const struct queue_own *own)
{
    /* Relaxed: nobody else may change it. */
    return atomic_load_explicit(&queue_at(queue, own->place)->state, memory_order_relaxed) ==
           own->state;
}

/* In the child of a fork the parent's records are not the handle's any more. */
static bool owned(const shmx_queue *queue, const struct queue_own *own)
{
    return own->state != 0 && (own->state & SHMX_OWNER_MASK) == queue_token(queue);
}

/* Give a record its new state, if it is still what this handle made of it, and forget it. */
static int own_end(shmx_queue *queue, struct queue_own *own, uint32_t state)
{
    bool intact = state_is(queue, own);
    STEP();
    /* Release: what this handle did with the message is done. */
    if (intact)
        atomic_store_explicit(&queue_at(queue, own->place)->state, state, memory_order_release);
    STEP();
    own->state = 0;
    return intact ? SHMX_OK : SHMX_EPROTO;
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
    /* Release: who sees the new size sees the record it leads to. */
    atomic_store_explicit(&queue_at(queue, own->place)->size, size, memory_order_release);
    STEP();
}

static int commit(shmx_queue *queue, size_t size)
{
    if (size != queue->reserved.size && state_is(queue, &queue->reserved))
        shrink(queue, &queue->reserved, (uint32_t)size);
    int status = own_end(queue, &queue->reserved, STATE_COMMITTED);
    shmx_queue_tell(queue, &queue->header->producers);
    return status == SHMX_OK ? SHMX_OK : shmx_refuse(status);
}

int shmx_queue_commit(shmx_queue *queue, size_t size)
{
    if (queue == NULL || !owned(queue, &queue->reserved) || size > queue->reserved.size)
        return shmx_refuse(SHMX_EINVAL);
    return commit(queue, size);
}

int shmx_queue_cancel(shmx_queue *queue)
{
    if (queue == NULL || !owned(queue, &queue->reserved))
        return shmx_refuse(SHMX_EINVAL);
    int status = own_end(queue, &queue->reserved, STATE_CANCELLED);
    shmx_queue_tell(queue, &queue->header->producers);
    return status == SHMX_OK ? SHMX_OK : shmx_refuse(status);
}

static int send_check(const shmx_queue *queue, size_t size, int timeout_ms)
{
    if (queue == NULL || timeout_ms < SHMX_FOREVER)
        return SHMX_EINVAL;
    return size > queue->longest ? SHMX_EMSGSIZE : SHMX_OK;
}

static int reserve(shmx_queue *queue, size_t size, struct queue_own *own, int timeout_ms)
{
    struct job job;
    job_begin(&job, queue, true, size, timeout_ms);
    int status = attempt_reserve(queue, &job, false);
    if (status != SHMX_OK)
        status = persist(queue, &job, &reserving, status);
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
    status = own_end(queue, &own, STATE_COMMITTED);
    shmx_queue_tell(queue, &queue->header->producers);
    return status == SHMX_OK ? SHMX_OK : shmx_refuse(status);
}

int shmx_queue_send(shmx_queue *queue, const void *message, size_t size, int timeout_ms)
{
    int status = send_check(queue, size, timeout_ms);
    if (status == SHMX_OK && message == NULL && size != 0)
        status = SHMX_EINVAL;
    if (status != SHMX_OK)
        return shmx_refuse(status);
    if (size > COPY_LOCKED)
        return send_long(queue, message, size, timeout_ms);
    struct job job;
    job_begin(&job, queue, true, size, timeout_ms);
    job.message = message;
    status = attempt_send(queue, &job, false);
    return status == SHMX_OK ? SHMX_OK : persist(queue, &job, &sending, status);
}

int shmx_queue_reserve(shmx_queue *queue, size_t size, void **message, int timeout_ms)
{
    if (message != NULL)
        *message = NULL;
    int status = send_check(queue, size, timeout_ms);
    if (queue == NULL || message == NULL || owned(queue, &queue->reserved))
        status = SHMX_EINVAL;
    if (status != SHMX_OK)
        return shmx_refuse(status);
    status = reserve(queue, size, &queue->reserved, timeout_ms);
    if (status == SHMX_OK)
        *message = queue_message(queue, queue->reserved.place);
    return status;
}

/* ---- consumers ---- */

/* Is there reason to look again? */
static bool message_changed(const shmx_queue *queue)
{
    uint32_t next = atomic_load(&queue->header->consumers.place);
    if (next >= queue->capacity || &queue_at(queue, next)->state != queue->watch)
        return true;
    return atomic_load(queue->watch) != queue->watch_value ||
           atomic_load(&queue->header->consumers.returned) != 0;
}

/* Give the lock back after nothing was read; cancelled records may have become room. */
static void find_unlock(shmx_queue *queue, const struct job *job)
{
    struct queue_side *side = &queue->header->consumers;
    if (atomic_load_explicit(&side->edge, memory_order_relaxed) != job->head)
        queue_unlock_tell(queue, side);
    else
        shmx_queue_unlock(queue, side);
}

/* The usual case of shmx_queue_find: there is a message at `next`, and none has come back. */
static inline bool message_at_next(const shmx_queue *queue, struct queue_own *found)
{
    const struct queue_side *side = &queue->header->consumers;
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

/* Take the consumers' lock and find a message. */
static inline int find_lock(shmx_queue *queue, struct job *job, bool ask)
{
    struct queue_side *side = &queue->header->consumers;
    if (!ask && nothing_there(queue))
        return QUEUE_NOTHING;
    int status = queue_lock(queue, side, &job->wait);
    if (status != SHMX_OK && status != SHMX_EOWNERDEAD)
        return status;
    STEP();
    /* A dead owner may have taken a message from before the others and not marked it. */
    if (status == SHMX_EOWNERDEAD)
        atomic_store_explicit(&side->returned, 1, memory_order_relaxed);
    job->head = atomic_load_explicit(&side->edge, memory_order_relaxed);
    if (!ask && message_at_next(queue, &job->own))
        return SHMX_OK;
    status = shmx_queue_find(queue, ask, &job->own);
    if (status != SHMX_OK)
        find_unlock(queue, job);
    return status;
}

/* Make it this handle's own, so that the lock can be given back. */
static int take(shmx_queue *queue, struct job *job)
{
    int status = shmx_queue_pass(queue, &job->own);
    if (status == SHMX_OK) {
        job->own.state = STATE_TAKEN | queue_token(queue);
        /* Relaxed: shown by the lock. */
        atomic_store_explicit(&queue_at(queue, job->own.place)->state, job->own.state,
                              memory_order_relaxed);
        STEP();
    }
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

/* Copy it, and make room of it. A consumer that dies before its record is before `next` has not
 * taken it; one that dies before it is free has given it back. */
static inline int copy(shmx_queue *queue, struct job *job)
{
    struct queue_side *side = &queue->header->consumers;
    uint32_t place = job->own.place;
    copy_bytes(job->buffer, queue_message(queue, place), job->own.size);
    STEP();
    /* Relaxed loads: the lock is held. */
    bool oldest = atomic_load_explicit(&side->edge, memory_order_relaxed) == place;
    int status = SHMX_OK;
    if (oldest && atomic_load_explicit(&side->place, memory_order_relaxed) == place) {
        uint32_t end = queue_behind(queue, place, queue_units(job->own.size));
        atomic_store_explicit(&side->place, end, memory_order_relaxed);
        STEP();
        /* Release: the message was copied before its room is another's. */
        atomic_store_explicit(&side->edge, end, memory_order_release);
    } else {
        status = copied_beside_others(queue, &job->own);
    }
    queue_unlock_tell(queue, side);
    return status;
}

static inline int attempt_receive(shmx_queue *queue, struct job *job, bool ask)
{
    int status = find_lock(queue, job, ask);
    if (status != SHMX_OK)
        return status;
    if (job->own.size > job->size) {
        find_unlock(queue, job);
        return SHMX_EMSGSIZE;
    }
    return job->own.size > COPY_LOCKED ? take(queue, job) : copy(queue, job);
}

static int attempt_peek(shmx_queue *queue, struct job *job, bool ask)
{
    int status = find_lock(queue, job, ask);
    return status == SHMX_OK ? take(queue, job) : status;
}

static const struct direction receiving = {attempt_receive, message_changed, false};
static const struct direction peeking = {attempt_peek, message_changed, false};

/* The message was read. Nobody is waited for here: if another holds the lock, a producer who needs
 * the room makes it itself. */
static int release(shmx_queue *queue, struct queue_own *own)
{
    struct queue_side *side = &queue->header->consumers;
    int status = own_end(queue, own, STATE_FREE);
    if (status != SHMX_OK)
        return status;
    if (!queue_trylock(queue, side)) {
        shmx_queue_tell(queue, side);
        return SHMX_OK;
    }
    STEP();
    status = shmx_queue_advance(queue);
    queue_unlock_tell(queue, side);
    return status;
}

int shmx_queue_release(shmx_queue *queue)
{
    if (queue == NULL || !owned(queue, &queue->taken))
        return shmx_refuse(SHMX_EINVAL);
    int status = release(queue, &queue->taken);
    return status == SHMX_OK ? SHMX_OK : shmx_refuse(status);
}

int shmx_queue_receive(shmx_queue *queue, void *buffer, size_t capacity, size_t *size,
                       int timeout_ms)
{
    if (queue == NULL || (buffer == NULL && capacity != 0) || timeout_ms < SHMX_FOREVER)
        return shmx_refuse(SHMX_EINVAL);
    struct job job;
    job_begin(&job, queue, false, capacity, timeout_ms);
    job.buffer = buffer;
    int status = attempt_receive(queue, &job, false);
    if (status != SHMX_OK)
        status = persist(queue, &job, &receiving, status);
    if (size != NULL)
        *size = status == SHMX_OK || status == SHMX_EMSGSIZE ? job.own.size : 0;
    if (status != SHMX_OK || job.own.size <= COPY_LOCKED)
        return status;
    memcpy(buffer, queue_message(queue, job.own.place), job.own.size);
    status = release(queue, &job.own);
    return status == SHMX_OK ? SHMX_OK : shmx_refuse(status);
}

int shmx_queue_peek(shmx_queue *queue, const void **message, size_t *size, int timeout_ms)
{
    if (message != NULL)
        *message = NULL;
    if (queue == NULL || message == NULL || owned(queue, &queue->taken) ||
        timeout_ms < SHMX_FOREVER)
        return shmx_refuse(SHMX_EINVAL);
    struct job job;
    job_begin(&job, queue, false, 0, timeout_ms);
    int status = attempt_peek(queue, &job, false);
    if (status != SHMX_OK)
        status = persist(queue, &job, &peeking, status);
    if (status != SHMX_OK)
        return status;
    queue->taken = job.own;
    *message = queue_message(queue, job.own.place);
    if (size != NULL)
        *size = job.own.size;
    return SHMX_OK;
}

/* ---- closing ---- */

static void put_back(shmx_queue *queue)
{
    if (own_end(queue, &queue->taken, STATE_COMMITTED) != SHMX_OK)
        return;
    /* Release: who sees it finds the record's state. */
    atomic_store_explicit(&queue->header->consumers.returned, 1, memory_order_release);
    shmx_queue_tell(queue, &queue->header->producers);
}

void shmx_queue_close(shmx_queue **queue)
{
    if (queue == NULL || *queue == NULL)
        return;
    if (owned(*queue, &(*queue)->reserved))
        shmx_queue_cancel(*queue);
    if (owned(*queue, &(*queue)->taken))
        put_back(*queue);
    free(*queue);
    *queue = NULL;
}
