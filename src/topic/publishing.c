/* SPDX-License-Identifier: MIT */
/* Publishing: to make room, to write a message there, and to show it. */
#include "quick.h"

/* Show what can be shown, and tell: somebody may have died before it did. */
static int settle_told(shmx_topic *topic, bool ask)
{
    const _Atomic uint64_t *shown = &topic->header->publishers.shown;
    uint64_t before = atomic_load_explicit(shown, memory_order_relaxed);
    int status = shmx_topic_settle(topic, ask);
    if (atomic_load_explicit(shown, memory_order_relaxed) != before)
        shmx_sides_wake(&topic->party);
    /* A reservation that is open may be in nobody's way. */
    return status == SHMX_NOTHING ? SHMX_OK : status;
}

/* Are all records shown? Relaxed: the lock is held. */
static bool topic_settled(const shmx_topic *topic)
{
    const struct topic_header *header = topic->header;
    return atomic_load_explicit(&header->publishers.shown, memory_order_relaxed) ==
           atomic_load_explicit(&header->publishers.tail, memory_order_relaxed);
}

/* Take the lock and make room at the tail. */
static inline int topic_room_lock(shmx_topic *topic, struct topic_job *job, bool ask)
{
    int status = topic_lock(topic, &job->limit);
    if (status != SHMX_OK)
        return status;
    STEP();
    if (topic_over(topic))
        status = SHMX_EHANGUP;
    else if (!topic_settled(topic))
        status = settle_told(topic, ask);
    if (status == SHMX_OK)
        status = shmx_topic_room(topic, topic_units((uint32_t)job->size), ask);
    if (status != SHMX_OK)
        shmx_side_unlock(&topic->party, topic->party.lock);
    return status;
}

/* The lock is held, and there is room. */
static void publish_locked(shmx_topic *topic, const void *message, size_t size)
{
    struct topic_entry entry = {.size = (uint32_t)size, .state = TOPIC_STATE_COMMITTED};
    topic_at_tail(topic, topic->header, &entry);
    topic_copy(entry.record + 1, message, size);
    topic_append(topic->header, &entry);
    shmx_side_unlock_tell(&topic->party, topic->party.lock, topic->party.sent);
}

static int attempt_publish(void *context, bool ask)
{
    struct topic_job *job = context;
    shmx_topic *topic = job->topic;
    int status = topic_room_lock(topic, job, ask);
    if (status == SHMX_OK)
        publish_locked(topic, job->message, job->size);
    return status;
}

static int topic_attempt_reserve(void *context, bool ask)
{
    struct topic_job *job = context;
    shmx_topic *topic = job->topic;
    int status = topic_room_lock(topic, job, ask);
    if (status != SHMX_OK)
        return status;
    struct topic_entry entry = {.size = (uint32_t)job->size,
                                .state = TOPIC_STATE_RESERVED | shmx_token_known(topic->party.shm)};
    topic_at_tail(topic, topic->header, &entry);
    job->own = (struct topic_own){entry.state, entry.size, entry.tail};
    topic_append(topic->header, &entry);
    shmx_side_unlock(&topic->party, topic->party.lock);
    return SHMX_OK;
}

/* ---- records of its own ---- */

static int topic_reserve(shmx_topic *topic, size_t size, struct topic_own *own, int timeout_ms)
{
    struct topic_job job;
    topic_begin(&job, topic, true, size, timeout_ms);
    int status = shmx_topic_pursue(&job, topic_attempt_reserve);
    if (status == SHMX_OK)
        *own = job.own;
    return status;
}

/* The message is shorter than its room: the rest becomes a record of its own first, so that both
 * lengths lead to the same end. */
static void topic_shrink(shmx_topic *topic, const struct topic_own *own, uint32_t size)
{
    uint32_t before = topic_units(own->size), after = topic_units(size);
    if (after < before) {
        struct topic_record *rest = topic_record(topic, own->position + after);
        atomic_store_explicit(&rest->size, (before - after - 1) * TOPIC_UNIT, memory_order_relaxed);
        atomic_store_explicit(&rest->number, TOPIC_UNKNOWN, memory_order_relaxed);
        atomic_store_explicit(&rest->state, TOPIC_STATE_CANCELLED, memory_order_relaxed);
        STEP();
    }
    /* Release: a process that sees the new size sees the record it leads to. */
    atomic_store_explicit(&topic_record(topic, own->position)->size, size, memory_order_release);
    STEP();
}

/* The time in ms for the lock when a record is to be shown. One who holds it longer has been
 * stopped: then the next one shows the record, and until then readers look behind what is shown. */
#define SHOW_PATIENCE 100

/* It cannot fail: that the record is not shown yet is no failure. */
static void show_own(shmx_topic *topic)
{
    struct shmx_limit limit = {.timeout_ms = SHOW_PATIENCE};
    if (topic_lock(topic, &limit) != SHMX_OK) {
        shmx_side_tell(&topic->party, topic->party.sent);
        shmx_side_tell(&topic->party, topic->party.received);
        return;
    }
    STEP();
    shmx_topic_settle(topic, false);
    topic_unlock_tell_all(topic);
}

/* Give the record its end state, and show what can be shown then. While its owner lives nobody else
 * changes its state, so that needs no lock: a reservation ends whoever is stopped. */
static int own_end(shmx_topic *topic, struct topic_own *own, uint32_t state, size_t size)
{
    bool intact = topic_state(topic, own->position) == own->state;
    own->state = 0;
    if (!intact)
        return shmx_refuse(SHMX_EPROTO);
    if (size != own->size)
        topic_shrink(topic, own, (uint32_t)size);
    STEP();
    /* Release: a process that sees the state sees what the owner wrote. */
    atomic_store_explicit(&topic_record(topic, own->position)->state, state, memory_order_release);
    STEP();
    show_own(topic);
    return SHMX_OK;
}

int shmx_topic_commit(shmx_topic *topic, size_t size)
{
    if (topic == NULL || !shmx_party_owns(&topic->party, topic->reserved.state) ||
        size > topic->reserved.size)
        return shmx_refuse(SHMX_EINVAL);
    return own_end(topic, &topic->reserved, TOPIC_STATE_COMMITTED, size);
}

int shmx_topic_cancel(shmx_topic *topic)
{
    if (topic == NULL || !shmx_party_owns(&topic->party, topic->reserved.state))
        return shmx_refuse(SHMX_EINVAL);
    return own_end(topic, &topic->reserved, TOPIC_STATE_CANCELLED, topic->reserved.size);
}

int shmx_topic_reserve(shmx_topic *topic, size_t size, void **message, int timeout_ms)
{
    if (message != NULL)
        *message = NULL;
    bool good =
        topic != NULL && message != NULL && !shmx_party_owns(&topic->party, topic->reserved.state);
    int status = shmx_sides_check_send((struct shmx_party *)topic, good, size, timeout_ms);
    if (status != SHMX_OK)
        return status;
    status = topic_reserve(topic, size, &topic->reserved, timeout_ms);
    if (status == SHMX_OK)
        *message = topic_message(topic, topic->reserved.position);
    return status;
}

/* A long message is copied while others go on. It has a record of its own, beside one that the
 * caller may have reserved. */
static int publish_long(shmx_topic *topic, const void *message, size_t size, int timeout_ms)
{
    struct topic_own own;
    int status = topic_reserve(topic, size, &own, timeout_ms);
    if (status != SHMX_OK)
        return status;
    STEP();
    topic_copy(topic_message(topic, own.position), message, size);
    return own_end(topic, &own, TOPIC_STATE_COMMITTED, size);
}

int shmx_topic_publish_slowly(shmx_topic *topic, const void *message, size_t size, int timeout_ms)
{
    struct topic_job job;
    bool good = message != NULL || size == 0;
    int status = shmx_sides_check_send((struct shmx_party *)topic, good, size, timeout_ms);
    if (status != SHMX_OK)
        return status;
    if (size > SHMX_COPY_LOCKED)
        return publish_long(topic, message, size, timeout_ms);
    topic_begin(&job, topic, true, size, timeout_ms);
    job.message = message;
    return shmx_topic_pursue(&job, attempt_publish);
}

int shmx_topic_publish_held(shmx_topic *topic, const void *message, size_t size, int timeout_ms)
{
    if (!topic_over(topic) && topic_settled(topic) &&
        shmx_topic_room(topic, topic_units((uint32_t)size), false) == SHMX_OK) {
        publish_locked(topic, message, size);
        return SHMX_OK;
    }
    shmx_side_unlock(&topic->party, topic->party.lock);
    return shmx_topic_publish_slowly(topic, message, size, timeout_ms);
}

int shmx_topic_publish_whole(shmx_topic *topic, const void *message, size_t size, int timeout_ms)
{
    return topic_publish_quickly(topic, message, size, timeout_ms, topic_copy);
}
