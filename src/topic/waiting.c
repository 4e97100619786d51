/* SPDX-License-Identifier: MIT */
/* Waiting: for the lock, which is held for a few instructions inside one call; for something to
 * read; and for lossless readers and reservations that are in the way. */
#include "ring.h"

int shmx_topic_lock_slowly(shmx_topic *topic, struct shmx_limit *limit)
{
    int status =
        shmx_word_acquire(topic->shm, &topic->header->publishers.lock, shmx_limit_end(limit));
    return status == SHMX_EOWNERDEAD ? SHMX_OK : status;
}

int shmx_topic_wake(shmx_topic *topic, uint32_t value)
{
    struct topic_header *header = topic->header;
    shmx_word_released(topic->shm, &header->publishers.lock, value);
    topic_notify(topic, &header->publishers.event);
    return SHMX_OK;
}

/* One of a topic. */
struct topic_pursuit {
    struct shmx_waiter waiter;
    shmx_topic *topic;
    struct topic_job *job;
    const struct topic_direction *direction;
};

static int topic_pursue(struct shmx_waiter *waiter, bool ask)
{
    struct topic_pursuit *own = (struct topic_pursuit *)waiter;
    TOPIC_STEP();
    return own->direction->attempt(own->topic, own->job, ask);
}

/* Publishers that did not see the end are not inside a call any more: SHMX_OK; SHMX_NOTHING: one
 * may be. See topic_over. */
static int pass_publishers(shmx_topic *topic, struct shmx_limit *limit)
{
    bool dead;
    int status;
    if (topic->read_only) {
        uint32_t word = atomic_load(&topic->header->publishers.lock);
        if ((word & SHMX_OWNER_MASK) == 0)
            return SHMX_OK;
        status = shmx_owner_dead(topic->shm, word, &dead);
        return status == SHMX_OK && !dead ? SHMX_NOTHING : status;
    }
    status = topic_lock(topic, limit);
    if (status == SHMX_OK)
        topic_unlock(topic);
    return status;
}

static int topic_attempt_last(struct shmx_waiter *waiter)
{
    shmx_topic *topic = ((struct topic_pursuit *)waiter)->topic;
    bool over = shmx_sides_over(waiter->sides);
    int status = over ? pass_publishers(topic, waiter->limit) : SHMX_OK;
    if (status != SHMX_OK)
        return status;
    topic->held_up = false;
    status = topic_pursue(waiter, true);
    if (status != SHMX_NOTHING)
        return status;
    return over && topic->held_up ? SHMX_NOTHING : SHMX_EHANGUP;
}

static bool topic_spin(struct shmx_waiter *waiter)
{
    const shmx_topic *topic = ((struct topic_pursuit *)waiter)->topic;
    return shmx_spin_glancing(topic->watch, topic->watch_value);
}

/* A publisher waits for lossless readers, and for reservations as a reader does. */
static bool topic_hindered(const struct shmx_waiter *waiter)
{
    const struct topic_pursuit *own = (const struct topic_pursuit *)waiter;
    return own->direction->publisher || topic_pending(own->topic);
}

int shmx_topic_persist(shmx_topic *topic, struct topic_job *job,
                       const struct topic_direction *direction, int status)
{
    struct topic_header *header = topic->header;
    bool publisher = direction->publisher;
    struct topic_pursuit pursuit = {
        .waiter = {.shm = topic->shm,
                   .sides = &header->sides,
                   .other = publisher ? SHMX_RECEIVER : SHMX_SENDER,
                   .event = publisher ? &header->readers.event : &header->publishers.event,
                   .capacity = topic->capacity,
                   .limit = &job->limit,
                   .attempt = topic_pursue,
                   .hindered = topic_hindered,
                   .attempt_last = topic_attempt_last,
                   .spin = topic_spin},
        .topic = topic,
        .job = job,
        .direction = direction};
    status = shmx_waiter_persist(&pursuit.waiter, status);
    return status == SHMX_OK ? SHMX_OK : shmx_waiter_report(status);
}
