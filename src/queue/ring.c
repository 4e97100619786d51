/* SPDX-License-Identifier: MIT */
/*
 * Order among the records. Whatever is read from shared memory is read once, checked, and used from
 * the copy: a damaged queue is SHMX_EPROTO or an ordinary answer, never an access outside the ring,
 * and no walk goes round it more than once.
 */
#include "layout.h"

/* Relaxed loads of places: each belongs to the side whose lock the caller holds. */
static inline bool place_load(const shmx_queue *queue, const _Atomic uint32_t *word,
                              uint32_t *place)
{
    *place = atomic_load_explicit(word, memory_order_relaxed);
    return *place < queue->capacity;
}

/* Acquire: what the writer of the state wrote before is seen, the size and the message. */
static inline uint32_t state_load(const shmx_queue *queue, uint32_t place)
{
    return atomic_load_explicit(&queue_at(queue, place)->state, memory_order_acquire);
}

static inline void state_store(const shmx_queue *queue, uint32_t place, uint32_t state)
{
    STEP();
    atomic_store_explicit(&queue_at(queue, place)->state, state, memory_order_release);
    STEP();
}

static inline void place_store(_Atomic uint32_t *word, uint32_t place)
{
    /* Release: for head, which producers read without the lock; what was read from the records
     * behind it was read before. */
    atomic_store_explicit(word, place, memory_order_release);
    STEP();
}

/* Write the place behind the record at `place` whose state is this. False: damaged. */
static bool record_end(const shmx_queue *queue, uint32_t place, uint32_t state, uint32_t *end)
{
    /* Relaxed: the state was loaded with acquire before. */
    uint32_t size = atomic_load_explicit(&queue_at(queue, place)->size, memory_order_relaxed);
    uint32_t units = state == STATE_SKIP ? size : queue_units(size);
    if (units == 0 || units > queue->capacity - place)
        return false;
    if (state == STATE_SKIP && (place == 0 || units != queue->capacity - place))
        return false;
    *end = queue_behind(queue, place, units);
    return true;
}

/* A walk from record to record; `left` keeps it from going round. */
struct walk {
    uint32_t place;
    uint32_t left;
};

static bool walk_on(const shmx_queue *queue, struct walk *walk, uint32_t state)
{
    uint32_t end;
    if (!record_end(queue, walk->place, state, &end))
        return false;
    uint32_t units = (end != 0 ? end : queue->capacity) - walk->place;
    if (units > walk->left)
        return false;
    walk->left -= units;
    walk->place = end;
    return true;
}

/* ---- producers ---- */

/* A producer that died between showing its record and moving the tail left it behind. */
static int tail_repair(shmx_queue *queue, uint32_t *tail)
{
    struct walk walk = {*tail, queue->capacity};
    uint32_t state;
    while ((state = state_load(queue, walk.place)) != STATE_EMPTY)
        if (!walk_on(queue, &walk, state))
            return SHMX_EPROTO;
    *tail = walk.place;
    place_store(&queue->header->producers.place, *tail);
    return SHMX_OK;
}

enum fit { FIT_NOT, FIT_HERE, FIT_START };

/* Between tail and head there is room, but for one unit: the EMPTY record at the tail. */
static enum fit fit(const shmx_queue *queue, uint32_t tail, uint32_t head, uint32_t units)
{
    if (head > tail)
        return units < head - tail ? FIT_HERE : FIT_NOT;
    uint32_t rest = queue->capacity - tail;
    if (units < rest || (units == rest && head > 0))
        return FIT_HERE;
    return units < head ? FIT_START : FIT_NOT;
}

/* Leave the rest of the ring out: its start becomes the tail. */
static void skip_rest(shmx_queue *queue, uint32_t tail)
{
    /* Relaxed: shown by the store of the state. */
    atomic_store_explicit(&queue_at(queue, 0)->state, STATE_EMPTY, memory_order_relaxed);
    STEP();
    atomic_store_explicit(&queue_at(queue, tail)->size, queue->capacity - tail,
                          memory_order_relaxed);
    state_store(queue, tail, STATE_SKIP);
    place_store(&queue->header->producers.place, 0);
}

/* Look where the consumers are: it costs the transfer of a cache line, so not for each message. */
static int look_at_head(shmx_queue *queue, uint32_t *head)
{
    /* Acquire: what the consumers did with the records behind it is done. */
    *head = atomic_load_explicit(&queue->header->consumers.edge, memory_order_acquire);
    shmx_watch(&queue->party, &queue->header->consumers.edge, *head);
    if (*head >= queue->capacity)
        return SHMX_EPROTO;
    atomic_store_explicit(&queue->header->producers.edge, *head, memory_order_relaxed);
    return SHMX_OK;
}

int shmx_queue_room(shmx_queue *queue, uint32_t units, uint32_t *place)
{
    struct queue_side *side = &queue->header->producers;
    uint32_t tail, head;
    if (!place_load(queue, &side->place, &tail) || !place_load(queue, &side->edge, &head))
        return SHMX_EPROTO;
    if (state_load(queue, tail) != STATE_EMPTY && tail_repair(queue, &tail) != SHMX_OK)
        return SHMX_EPROTO;
    enum fit where = fit(queue, tail, head, units);
    if (where == FIT_NOT) {
        if (look_at_head(queue, &head) != SHMX_OK)
            return SHMX_EPROTO;
        where = fit(queue, tail, head, units);
    }
    if (where == FIT_NOT)
        return SHMX_NOTHING;
    if (where == FIT_START)
        skip_rest(queue, tail);
    *place = where == FIT_START ? 0 : tail;
    return SHMX_OK;
}

/* ---- consumers ---- */

int shmx_queue_advance(shmx_queue *queue)
{
    struct queue_side *side = &queue->header->consumers;
    uint32_t head, next;
    if (!place_load(queue, &side->edge, &head) || !place_load(queue, &side->place, &next))
        return SHMX_EPROTO;
    if (queue_holder(queue) != 0)
        return SHMX_OK;
    struct walk walk = {head, queue->capacity};
    while (walk.place != next) {
        uint32_t state = state_load(queue, walk.place);
        if (state != STATE_FREE && state != STATE_CANCELLED && state != STATE_SKIP)
            break;
        if (!walk_on(queue, &walk, state))
            return SHMX_EPROTO;
    }
    if (walk.place != head)
        place_store(&side->edge, walk.place);
    return SHMX_OK;
}

/* A record at `next` that is no message: go on behind it. */
static int pass_over(shmx_queue *queue, uint32_t place, uint32_t state)
{
    struct queue_side *side = &queue->header->consumers;
    uint32_t head, end;
    if (!record_end(queue, place, state, &end) || !place_load(queue, &side->edge, &head))
        return SHMX_EPROTO;
    place_store(&side->place, end);
    if (head == place)
        place_store(&side->edge, end);
    return SHMX_OK;
}

/* A record at `next` that is reserved: wait for it, unless its owner is dead. */
static int handle_reserved(shmx_queue *queue, bool ask, uint32_t place, uint32_t state)
{
    const struct queue_own *own = &queue->reserved;
    int status = ask ? shmx_owner_ended(queue->party.shm, state) : SHMX_NOTHING;
    if (status == SHMX_NOTHING)
        queue->party.held_up = !shmx_party_owns(&queue->party, own->state) || own->place != place;
    if (status != SHMX_OK)
        return status;
    /* By exchange: it may have committed before it died. Acquire: its size. */
    atomic_compare_exchange_strong_explicit(&queue_at(queue, place)->state, &state, STATE_CANCELLED,
                                            memory_order_acquire, memory_order_relaxed);
    STEP();
    return SHMX_OK;
}

static int found_at(const shmx_queue *queue, uint32_t place, struct queue_own *found)
{
    uint32_t end;
    found->state = STATE_COMMITTED;
    found->place = place;
    found->size = atomic_load_explicit(&queue_at(queue, place)->size, memory_order_relaxed);
    /* The size is read again there; it is checked here once more, from the copy. */
    if (!record_end(queue, place, STATE_COMMITTED, &end))
        return SHMX_EPROTO;
    return queue_units(found->size) <= queue->capacity - place ? SHMX_OK : SHMX_EPROTO;
}

static int find_next(shmx_queue *queue, bool ask, struct queue_own *found)
{
    uint32_t place;
    for (int count = 0; count < SHMX_PASS_MOST; count++) {
        if (!place_load(queue, &queue->header->consumers.place, &place))
            return SHMX_EPROTO;
        uint32_t state = state_load(queue, place);
        shmx_watch(&queue->party, &queue_at(queue, place)->state, state);
        if (state == STATE_COMMITTED)
            return found_at(queue, place, found);
        if (state == STATE_EMPTY)
            return SHMX_NOTHING;
        int status = SHMX_EPROTO;
        if ((state & STATE_KIND) == STATE_RESERVED)
            status = handle_reserved(queue, ask, place, state);
        else if (state == STATE_CANCELLED || state == STATE_SKIP)
            status = pass_over(queue, place, state);
        if (status != SHMX_OK)
            return status;
    }
    return SHMX_AGAIN;
}

/* Does a living consumer hold the record at head? A dead one gives it back, if it had taken it. */
static int find_holder(shmx_queue *queue, bool ask, bool *held)
{
    uint32_t holder = queue_holder(queue);
    int status = ask && holder != 0 ? shmx_owner_ended(queue->party.shm, holder) : SHMX_NOTHING;
    *held = holder != 0 && status == SHMX_NOTHING;
    if (status == SHMX_OK)
        queue_holder_end(queue);
    return status < SHMX_OK ? status : SHMX_OK;
}

/* Its consumer is dead. By exchange: it may have released it, or put it back, before it died. */
static uint32_t give_back(const shmx_queue *queue, uint32_t place, uint32_t taken)
{
    uint32_t state = taken;
    STEP();
    /* Acquire on failure: what that consumer made of it is done. */
    if (atomic_compare_exchange_strong_explicit(&queue_at(queue, place)->state, &state,
                                                STATE_COMMITTED, memory_order_acq_rel,
                                                memory_order_acquire))
        state = STATE_COMMITTED;
    STEP();
    return state;
}

/* Go through the records before `next`: give back those of dead consumers if `ask`, and stop at the
 * first message that has come back. */
static int find_returned(shmx_queue *queue, bool ask, struct queue_own *found)
{
    struct queue_side *side = &queue->header->consumers;
    uint32_t head, next;
    if (!place_load(queue, &side->edge, &head) || !place_load(queue, &side->place, &next))
        return SHMX_EPROTO;
    struct walk walk = {head, queue->capacity};
    bool held;
    /* Two that each wait for what the other has taken would wait for ever. */
    bool waits = !shmx_party_owns(&queue->party, queue->taken.state);
    int status = find_holder(queue, ask, &held);
    if (status != SHMX_OK)
        return status;
    for (; walk.place != next; held = false) {
        uint32_t state = state_load(queue, walk.place);
        bool taken = (state & STATE_KIND) == STATE_TAKEN;
        status = ask && taken ? shmx_owner_ended(queue->party.shm, state) : SHMX_NOTHING;
        if (status < SHMX_OK)
            return status;
        if (status == SHMX_OK)
            state = give_back(queue, walk.place, state);
        queue->party.lent |= waits && (held || (state & STATE_KIND) == STATE_TAKEN);
        if (state == STATE_COMMITTED && !held)
            return found_at(queue, walk.place, found);
        if (!walk_on(queue, &walk, state))
            return SHMX_EPROTO;
    }
    return SHMX_NOTHING;
}

int shmx_queue_find(shmx_queue *queue, bool ask, struct queue_own *found)
{
    struct queue_side *side = &queue->header->consumers;
    /* Acquire: the returned record's state was stored before. */
    if (ask || atomic_load_explicit(&side->returned, memory_order_acquire) != 0) {
        /* Cleared before looking, so that what comes back meanwhile sets it again. */
        atomic_exchange(&side->returned, 0);
        int status = find_returned(queue, ask, found);
        if (status == SHMX_OK) /* there may be more */
            atomic_store_explicit(&side->returned, 1, memory_order_relaxed);
        STEP();
        if (status != SHMX_NOTHING)
            return status;
    }
    return find_next(queue, ask, found);
}

int shmx_queue_pass(shmx_queue *queue, const struct queue_own *found)
{
    struct queue_side *side = &queue->header->consumers;
    uint32_t next;
    if (!place_load(queue, &side->place, &next))
        return SHMX_EPROTO;
    if (found->place == next) {
        STEP();
        place_store(&side->place, queue_behind(queue, found->place, queue_units(found->size)));
    }
    return SHMX_OK;
}
