/* SPDX-License-Identifier: MIT */
/*
 * A queue as it lies in shared memory, and this process's handle of it.
 *
 *     | header: facts | producers' side | consumers' side | ring of records ...        |
 *
 * A record is 8 bytes of header and the message, padded to 8; its place is counted in units of 8
 * bytes from the start of the ring. The headers are how the two sides talk to each other:
 *
 *     head (consumers' edge)   next (consumers' place)      tail (producers' place)
 *       v                        v                            v
 *       | TAKEN | FREE | TAKEN   | COMMITTED | RESERVED | ... | EMPTY | room ...
 *
 *   EMPTY      the end of what was sent: written before the record in front of it is shown, so a
 *              walk from record to record always finds it
 *   RESERVED   with the token of the producer who fills it
 *   COMMITTED  a message; before `next`: one that was taken and came back
 *   TAKEN      with the token of the consumer who reads it
 *   CANCELLED  not a message any more
 *   SKIP       the rest of the ring, too short for the message that came next
 *   FREE       was read while an older message was not; room again when that one is
 *
 * A consumer that is alone leaves records as they are, because the producers are about to write
 * their cache lines. `holder` is then the token of the consumer that reads the record at head,
 * though the record stays COMMITTED.
 *
 * Producers take turns by the lock of their side, consumers by theirs; nobody ever holds both.
 * `tail` belongs to the producers, `next` and `head` to the consumers, and only the owner of a
 * RESERVED or TAKEN record changes it, unless the system says that the owner is dead. Every step is
 * one store after which the queue is in order, or is put in order by the next one that takes the
 * lock: see docs/queue.md.
 */
#ifndef SHMX_QUEUE_LAYOUT_H
#define SHMX_QUEUE_LAYOUT_H

#include "waiter.h"

#define QUEUE_MAGIC 0x51786d73u /* "smxQ"; in the other byte order it is another number */
#ifndef QUEUE_VERSION           /* a test builds another */
#define QUEUE_VERSION 1u
#endif
#define QUEUE_UNIT 8u

/* One side's words are on cache lines of its own, two of them because processors fetch pairs. */
struct queue_side {
    _Atomic uint32_t lock;
    _Atomic uint32_t place;    /* producers: tail; consumers: next */
    _Atomic uint32_t edge;     /* consumers: head; producers: head as they saw it last */
    _Atomic uint32_t returned; /* consumers: there may be messages before next */
    _Atomic uint32_t event;  /* what the other side sleeps on, until this one has done something */
    _Atomic uint32_t holder; /* consumers: the token that has the record at head, or 0 */
    uint32_t apart[26];
};

struct queue_header {
    _Atomic uint32_t magic;
    _Atomic uint32_t version;
    _Atomic uint32_t capacity; /* of the ring, in units */
    struct shmx_sides sides;
    uint32_t reserved[27];
    struct queue_side producers;
    struct queue_side consumers;
};

struct queue_record {
    _Atomic uint32_t state;
    _Atomic uint32_t size; /* of the message in bytes; SKIP: of the record in units */
};

enum {
    STATE_EMPTY = 0,
    STATE_RESERVED = 0x40000000, /* | token */
};
#define STATE_TAKEN 0x80000000u /* | token */
#define STATE_COMMITTED 0xc0000001u
#define STATE_CANCELLED 0xc0000002u
#define STATE_SKIP 0xc0000003u
#define STATE_FREE 0xc0000004u
#define STATE_KIND 0xc0000000u

#define QUEUE_HEADER_SIZE 384u
#define QUEUE_CAPACITY_MIN 8u /* units: messages of up to 16 bytes */
#define QUEUE_CAPACITY_MAX 0xfffffff0u
#define QUEUE_MESSAGE_MAX 0xfffffff0u

static_assert(sizeof(struct queue_side) == 128, "layout");
static_assert(sizeof(struct queue_header) == QUEUE_HEADER_SIZE, "layout");
static_assert(offsetof(struct queue_header, producers) == 128, "layout");
static_assert(offsetof(struct queue_header, consumers) == 256, "layout");
static_assert(sizeof(struct queue_record) == QUEUE_UNIT, "layout");

/* A record that this handle has reserved or taken. */
struct queue_own {
    uint32_t state; /* as it stands in the record; 0: none */
    uint32_t place;
    uint32_t size;
    bool held; /* taken as the holder of head: the record is COMMITTED */
};

/* How a handle follows the other side: see spin_aside. */
struct queue_pace {
    int32_t close;  /* finds on end that came close behind it; below 0: those that do not count */
    uint32_t begun; /* messages since the last wait */
    bool away;      /* that wait began with staying away */
};

struct shmx_queue {
    struct shmx_party party; /* first */
    struct queue_header *header;
    unsigned char *ring;
    uint32_t capacity; /* a copy nobody else can change */
    size_t quick_end;  /* messages shorter than this are copied under the lock */
    struct queue_own reserved;
    struct queue_own taken;
    struct queue_pace pace[2]; /* as consumer, as producer */
};

/* The message to be sent or received. */
struct queue_job {
    shmx_queue *queue;
    bool producer;
    const void *message; /* send */
    void *buffer;        /* receive */
    size_t size;         /* of either */
    struct queue_own own;
    uint32_t head; /* receive: before anything was done */
    bool more;     /* receive, after a sleep: there was another message behind this one */
    struct shmx_limit limit;
};

/* ---- records ---- */

static inline struct queue_record *queue_at(const shmx_queue *queue, uint32_t place)
{
    return (struct queue_record *)(void *)(queue->ring + (size_t)place * QUEUE_UNIT);
}

static inline unsigned char *queue_message(const shmx_queue *queue, uint32_t place)
{
    return queue->ring + ((size_t)place + 1) * QUEUE_UNIT;
}

static inline uint32_t queue_units(uint32_t size)
{
    return size / QUEUE_UNIT + (size % QUEUE_UNIT != 0) + 1;
}

/* The place behind `units` units at `place`; they fit. */
static inline uint32_t queue_behind(const shmx_queue *queue, uint32_t place, uint32_t units)
{
    return units == queue->capacity - place ? 0 : place + units;
}

/* ---- sides ---- */

/* Give the side's lock back when there is something for the other side. SHMX_OK. */
static inline int queue_unlock_tell(const shmx_queue *queue, struct queue_side *side)
{
    return shmx_side_unlock_tell(&queue->party, &side->lock, &side->event);
}

/* Tell the other side without holding the lock, after a store. */
static inline void queue_tell(const shmx_queue *queue, struct queue_side *side)
{
    shmx_side_tell(&queue->party, &side->event);
}

/* ---- waiting (waiting.c) ---- */

/* Field by field: what need not be written is not, in a call that takes a few nanoseconds. */
static inline void queue_begin(struct queue_job *job, shmx_queue *queue, bool producer, size_t size,
                               int timeout_ms)
{
    queue->pace[producer].begun++;
    job->queue = queue;
    job->producer = producer;
    job->more = false;
    job->size = size;
    job->limit.timeout_ms = timeout_ms;
    job->limit.begun = false;
    job->limit.slept = false;
}

/* Do the job, and wait until that succeeds. Returns as a public function does. */
int shmx_queue_pursue(struct queue_job *job, shmx_attempt *attempt);

static inline void queue_copy(void *to, const void *from, size_t size)
{
    if (shmx_short(size))
        shmx_copy_short(to, from, size);
    else if (size != 0)
        memcpy(to, from, size);
}

/* ---- records that are a handle's own ---- */

/* Acquire: once it is nobody, the record's state is what it left. */
static inline uint32_t queue_holder(const shmx_queue *queue)
{
    return atomic_load_explicit(&queue->header->consumers.holder, memory_order_acquire);
}

/* Is the record still what this handle made of it? */
static inline bool queue_intact(const shmx_queue *queue, const struct queue_own *own)
{
    /* Relaxed: nobody else may change it. */
    return atomic_load_explicit(&queue_at(queue, own->place)->state, memory_order_relaxed) ==
               (own->held ? STATE_COMMITTED : own->state) &&
           (!own->held || queue_holder(queue) == (own->state & SHMX_OWNER_MASK));
}

/* Nobody has the record at head by this word any more. */
static inline void queue_holder_end(const shmx_queue *queue)
{
    /* Release: a process that sees it sees the record's state. */
    atomic_store_explicit(&queue->header->consumers.holder, 0, memory_order_release);
    STEP();
}

/* Give a record its new state, if it is intact, and forget it. SHMX_EPROTO: it was not. */
static inline int queue_own_end(shmx_queue *queue, struct queue_own *own, uint32_t state)
{
    bool intact = queue_intact(queue, own);
    STEP();
    /* Release: what this handle did with the message is done. */
    if (intact)
        atomic_store_explicit(&queue_at(queue, own->place)->state, state, memory_order_release);
    STEP();
    if (intact && own->held)
        queue_holder_end(queue);
    own->state = 0;
    return intact ? SHMX_OK : SHMX_EPROTO;
}

/* ---- order among the records (ring.c); all but the first under the consumers' lock ---- */

/* Find and make room for `units` units, under the producers' lock. */
int shmx_queue_room(shmx_queue *queue, uint32_t units, uint32_t *place);

/* Find the message to deliver next. `ask`: ask the system about owners that are in the way. */
int shmx_queue_find(shmx_queue *queue, bool ask, struct queue_own *found);

/* Take it away from before the others: from now on it is this caller's to free or to give back. */
int shmx_queue_pass(shmx_queue *queue, const struct queue_own *found);

/* Make room of what was read. */
int shmx_queue_advance(shmx_queue *queue);

#endif
