/* SPDX-License-Identifier: MIT */
/*
 * A topic as it lies in shared memory, and this process's handle of it.
 *
 *     | header: facts | publishers | front | readers | places of lossless readers | ring ...  |
 *
 * The ring is one endless row of records, of which the last `capacity` units are there. Positions
 * count from the beginning of time in units of 16 bytes, in 64 bits, and only grow:
 *
 *     head                             newest      shown                  tail
 *       v                                v           v                      v
 *       | COMMITTED | CANCELLED | SKIP | COMMITTED | RESERVED | COMMITTED | room ...
 *
 *   RESERVED   with the token of the publisher who fills it
 *   COMMITTED  a message
 *   CANCELLED  no message any more
 *   SKIP       the rest of the ring, too short for the message that came next
 *
 * Publishers take turns by the lock, and all that is written here is written under it, but for the
 * bytes of a reserved message and the words of a lossless reader. Before `shown` each record has
 * its end state and the number of messages before it. The store of `newest` is what publishes:
 * readers know `newest` and `head`, and only look. A reader's loss is a difference of two
 * numbers.
 *
 * A reader copies a message and then looks whether head has passed it meanwhile; a publisher moves
 * head and then overwrites. See topic_whole, and topic_head_move in ring.h.
 *
 * After every step the topic is in order, or is put in order by the next one that takes the lock:
 * shmx_topic_settle. models/topic.pml is the model of this.
 */
#ifndef SHMX_TOPIC_LAYOUT_H
#define SHMX_TOPIC_LAYOUT_H

#include "topic/copy.h"
#include "waiter.h"

#define TOPIC_MAGIC 0x54786d73u /* "smxT"; in the other byte order it is another number */
#ifndef TOPIC_VERSION           /* a test builds another */
#define TOPIC_VERSION 1u
#endif
#define TOPIC_UNIT 16u
#define TOPIC_PLACES 64

/* A lossless reader. */
struct topic_place {
    _Atomic uint32_t token;    /* 0: nobody's */
    _Atomic uint32_t turn;     /* changes with position */
    _Atomic uint64_t position; /* what lies before it has been read */
};

/* Each group is on a cache line of its own. */
struct topic_header {
    _Atomic uint32_t magic;
    _Atomic uint32_t version;
    _Atomic uint32_t capacity; /* of the ring, in units */
    uint32_t reserved[11];
    struct shmx_sides sides;
    struct { /* the publishers' own */
        _Atomic uint32_t lock;
        _Atomic uint32_t event; /* readers sleep on it */
        _Atomic uint64_t tail;
        _Atomic uint64_t shown;
        _Atomic uint64_t number; /* of messages before shown */
        _Atomic uint64_t floor;  /* no lossless reader needs what lies before; 0: look */
        uint32_t apart[6];
    } publishers;
    struct { /* what readers look at */
        _Atomic uint64_t head;
        _Atomic uint64_t newest;  /* 1 + its position; 0: none */
        _Atomic uint32_t turn;    /* changes with newest */
        _Atomic uint32_t pending; /* there may be records behind shown */
        uint32_t apart[10];
    } front;
    struct {                    /* what readers write */
        _Atomic uint32_t event; /* publishers sleep on it */
        uint32_t apart[15];
    } readers;
    struct topic_place places[TOPIC_PLACES];
};

struct topic_record {
    _Atomic uint32_t state;
    _Atomic uint32_t size;   /* in bytes, of the message or of what would be one */
    _Atomic uint64_t number; /* of messages before it; TOPIC_UNKNOWN before that is known */
};

#define TOPIC_STATE_RESERVED 0x40000000u /* | token */
#define TOPIC_STATE_COMMITTED 0xc0000001u
#define TOPIC_STATE_CANCELLED 0xc0000002u
#define TOPIC_STATE_SKIP 0xc0000003u
#define TOPIC_STATE_KIND 0xc0000000u

#define TOPIC_UNKNOWN UINT64_MAX
#define TOPIC_HEADER_SIZE 1280u
#define TOPIC_CAPACITY_MIN 6u /* units: messages of up to 16 bytes */
#define TOPIC_CAPACITY_MAX 0xfffffff0u
#define TOPIC_MESSAGE_MAX 0xffffffe0u

static_assert(sizeof(struct topic_header) == TOPIC_HEADER_SIZE, "layout");
static_assert(offsetof(struct topic_header, publishers) == 64, "layout");
static_assert(offsetof(struct topic_header, front) == 128, "layout");
static_assert(offsetof(struct topic_header, readers) == 192, "layout");
static_assert(offsetof(struct topic_header, places) == 256, "layout");
static_assert(sizeof(struct topic_record) == TOPIC_UNIT, "layout");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "positions are shared with other processes");

/* How often a reader that is overrun begins again in one attempt. */
#define TOPIC_OVERRUN_MOST 64

/* A record that this handle has reserved. */
struct topic_own {
    uint32_t state; /* as it stands in the record; 0: none */
    uint32_t size;
    uint64_t position;
};

struct shmx_topic {
    struct shmx_party party; /* first */
    struct topic_header *header;
    unsigned char *ring;
    uint32_t capacity; /* a copy nobody else can change */
    size_t quick_end;  /* messages shorter than this are published in the quick way */
    bool confirmed;    /* the header has been seen to be that of this topic */
    uint64_t base;     /* a multiple of capacity, near the position last looked at */
    /* As a reader: what comes next, and its number if nothing is lost. */
    uint64_t position;
    uint64_t number;
    struct topic_place *place; /* lossless; or NULL */
    uint32_t place_token;
    struct topic_own reserved;
    uint64_t passed; /* reservations before it are those of dead publishers */
};

/* The message to be published or read. */
struct topic_job {
    shmx_topic *topic;
    bool publisher;
    bool latest;         /* read: the latest message, not the next */
    const void *message; /* publish */
    void *buffer;        /* read */
    size_t size;         /* of either; then of what was read */
    uint64_t number;     /* read: messages before it */
    uint64_t lost;       /* next: messages that were missed */
    struct topic_own own;
    struct shmx_limit limit;
};

/* ---- records ---- */

/* The place in the ring of a position. Whatever the position, it is inside. A publisher needs that
 * of head and that of tail, which are rarely in the same lap: neither is worth a division. */
static inline uint32_t topic_place_of(shmx_topic *topic, uint64_t position)
{
    uint64_t place = position - topic->base;
    if (place >= topic->capacity)
        place += topic->capacity; /* the lap before */
    if (place >= topic->capacity) {
        place = position % topic->capacity;
        topic->base = position - place;
    }
    return (uint32_t)place;
}

static inline struct topic_record *topic_at(const shmx_topic *topic, uint32_t place)
{
    return (struct topic_record *)(void *)(topic->ring + (size_t)place * TOPIC_UNIT);
}

static inline struct topic_record *topic_record(shmx_topic *topic, uint64_t position)
{
    return topic_at(topic, topic_place_of(topic, position));
}

static inline unsigned char *topic_message(shmx_topic *topic, uint64_t position)
{
    return (unsigned char *)(topic_record(topic, position) + 1);
}

static inline uint32_t topic_units(uint32_t size)
{
    return (uint32_t)(((uint64_t)size + TOPIC_UNIT - 1) / TOPIC_UNIT + 1);
}

/* Acquire: what the writer of the state wrote before is seen, the size and the message. */
static inline uint32_t topic_state(shmx_topic *topic, uint64_t position)
{
    return atomic_load_explicit(&topic_record(topic, position)->state, memory_order_acquire);
}

/* Write the position behind the record, whatever it is. False: damaged, or overwritten. */
static inline bool topic_end(shmx_topic *topic, uint64_t position, uint64_t *end)
{
    uint32_t place = topic_place_of(topic, position);
    /* Relaxed: the lock is held, or the state was loaded with acquire before. */
    uint32_t size = atomic_load_explicit(&topic_at(topic, place)->size, memory_order_relaxed);
    *end = position + topic_units(size);
    return topic_units(size) <= topic->capacity - place;
}

/* ---- reading without the lock ---- */

static inline uint64_t topic_head(const shmx_topic *topic)
{
    return atomic_load_explicit(&topic->header->front.head, memory_order_relaxed);
}

static inline uint64_t topic_newest(const shmx_topic *topic)
{
    /* Acquire: the message and all before it are seen. */
    return atomic_load_explicit(&topic->header->front.newest, memory_order_acquire);
}

/* Are there records that nobody has shown? */
static inline bool topic_pending(const shmx_topic *topic)
{
    /* Acquire: when all is shown, what is shown is seen. So `latest` asks before it looks at
     * newest; else it would give an older message than one that it found unshown before. */
    return atomic_load_explicit(&topic->header->front.pending, memory_order_acquire) != 0;
}

/* The bytes read of the record at the position are those written there. The fence pairs with that
 * of make_room: a reader that loaded anything that was written over it finds head behind it
 * here. */
static inline bool topic_whole(const shmx_topic *topic, uint64_t position)
{
    atomic_thread_fence(memory_order_acquire);
    return topic_head(topic) <= position;
}

struct topic_found {
    const struct topic_record *record;
    size_t size; /* read once and checked */
};

/* Find the message at the position, if there is one and it fits. It may be others' bytes by now. */
static inline bool topic_find(shmx_topic *topic, uint64_t position, size_t capacity,
                              struct topic_found *found)
{
    uint32_t place = topic_place_of(topic, position);
    const struct topic_record *record = topic_at(topic, place);
    /* Relaxed: what leads here was loaded with acquire. */
    uint32_t state = atomic_load_explicit(&record->state, memory_order_relaxed);
    size_t size = atomic_load_explicit(&record->size, memory_order_relaxed);
    *found = (struct topic_found){record, size};
    return state == TOPIC_STATE_COMMITTED && size <= capacity &&
           topic_units((uint32_t)size) <= topic->capacity - place;
}

/* Its number: of no worth before topic_whole has been asked, as its bytes. */
static inline uint64_t topic_number(const struct topic_found *found)
{
    return atomic_load_explicit(&found->record->number, memory_order_relaxed);
}

/* The header of a topic that was not there when a read-only attachment opened it: SHMX_OK,
 * SHMX_NOTHING as long as it is not, SHMX_EPROTO or SHMX_ERANGE. */
int shmx_topic_confirm(shmx_topic *topic);

/* Place the reader before the oldest message, or behind the newest. */
void shmx_topic_start(shmx_topic *topic, bool oldest);

/* The whole of reading, which begins again from the arguments. */
int shmx_topic_next_slowly(shmx_topic *topic, void *buffer, size_t capacity, size_t *size,
                           uint64_t *lost, int timeout_ms);
int shmx_topic_latest_slowly(shmx_topic *topic, void *buffer, size_t capacity, size_t *size,
                             uint64_t *number, int timeout_ms);

/* A read whose message is copied by a call, meanwhile in memory: what is in registers over a call
 * has to be saved first. */
struct topic_kept {
    uint64_t position; /* of the message */
    void *buffer;
    size_t capacity;
    size_t *size;
    uint64_t *told;
    uint64_t number; /* next: as it was. Not beside position: loads of the two may not become one */
    int timeout_ms;
};

/* The same after the message was overwritten while it was copied. */
int shmx_topic_next_again(shmx_topic *topic, const struct topic_kept *kept);
int shmx_topic_latest_again(shmx_topic *topic, const struct topic_kept *kept);

/* ---- lossless readers (lossless.c) ---- */

/* Under the lock: find a free place, or that of a dead reader. SHMX_EMFILE: all are taken. */
int shmx_topic_place_find(shmx_topic *topic, struct topic_place **found);
void shmx_topic_place_leave(shmx_topic *topic);

/* Publishers need not keep what lies before the reader's position. */
void shmx_topic_place_move(shmx_topic *topic);

/* Under the lock: may head move there? SHMX_OK, SHMX_NOTHING, or a failure. */
int shmx_topic_floor(shmx_topic *topic, uint64_t head, bool ask);

/* The reader has a message of `size` bytes: where it goes on. */
static inline void topic_step_over(shmx_topic *topic, size_t size, uint64_t number)
{
    topic->position += topic_units((uint32_t)size);
    topic->number = number + 1;
}

/* It has copied it, too. SHMX_OK. */
static inline int topic_passed(shmx_topic *topic)
{
    if (topic->place != NULL)
        shmx_topic_place_move(topic);
    return SHMX_OK;
}

/* ---- waiting (waiting.c) ---- */

/* Field by field: what need not be written is not, in a call that takes a few nanoseconds. */
static inline void topic_begin(struct topic_job *job, shmx_topic *topic, bool publisher,
                               size_t size, int timeout_ms)
{
    job->topic = topic;
    job->publisher = publisher;
    job->size = size;
    job->limit.timeout_ms = timeout_ms;
    job->limit.begun = false;
    job->limit.slept = false;
}

/* Do the job, and wait until that succeeds. Returns as a public function does. */
int shmx_topic_pursue(struct topic_job *job, shmx_attempt *attempt);

#endif
