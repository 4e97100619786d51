/* SPDX-License-Identifier: MIT */
/* Waiting for something to read, and for lossless readers and reservations that are in the way. */
#include "ring.h"

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
    STEP();
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
