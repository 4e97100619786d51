/* SPDX-License-Identifier: MIT */
/* Waiting: for the lock, which is held for a few instructions inside one call; for something to
 * read; and for lossless readers and reservations that are in the way. */
#include "ring.h"

int shmx_topic_lock_slowly(shmx_topic *topic, struct shmx_limit *limit)
{
    int status =
        shmx_word_acquire(topic->party.shm, &topic->header->publishers.lock, shmx_limit_end(limit));
    return status == SHMX_EOWNERDEAD ? SHMX_OK : status;
}

int shmx_topic_wake(shmx_topic *topic, uint32_t value)
{
    struct topic_header *header = topic->header;
    shmx_word_released(topic->party.shm, &header->publishers.lock, value);
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

static bool topic_spin(struct shmx_waiter *waiter)
{
    const shmx_topic *topic = ((struct topic_pursuit *)waiter)->topic;
    return shmx_spin_glancing(topic->party.watch, topic->party.watch_value);
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
    struct shmx_waiter waiter = {
        .party = &topic->party,
        .other = direction->publisher ? SHMX_RECEIVER : SHMX_SENDER,
        .capacity = topic->capacity,
        .limit = &job->limit,
        .attempt = topic_pursue,
        .hindered = topic_hindered,
        .spin = topic_spin,
    };
    struct topic_pursuit pursuit = {waiter, topic, job, direction};
    return shmx_waiter_persist(&pursuit.waiter, status);
}
