/* SPDX-License-Identifier: MIT */
/* Waiting for something to read, and for lossless readers and reservations that are in the way. */
#include "ring.h"

static bool topic_spin(void *context)
{
    const struct shmx_party *party = &((struct topic_job *)context)->topic->party;
    return shmx_spin_glancing(party->watch, party->watch_value);
}

/* A publisher waits for lossless readers, and for reservations as a reader does. */
static bool topic_hindered(const void *context)
{
    const struct topic_job *job = context;
    return job->publisher || topic_pending(job->topic);
}

int shmx_topic_pursue(struct topic_job *job, shmx_attempt *attempt)
{
    int status = attempt(job, false);
    if (status == SHMX_OK)
        return SHMX_OK;
    struct shmx_waiter waiter = {
        .party = &job->topic->party,
        .other = job->publisher ? SHMX_RECEIVER : SHMX_SENDER,
        .capacity = job->topic->capacity,
        .limit = &job->limit,
        .job = job,
        .attempt = attempt,
        .hindered = topic_hindered,
        .spin = topic_spin,
    };
    return shmx_waiter_persist(&waiter, status);
}
