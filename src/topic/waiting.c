/* SPDX-License-Identifier: MIT */
/* Waiting: for the lock, which is held for a few instructions inside one call; for something to
 * read; and for lossless readers and reservations that are in the way. */
#include "layout.h"

/* A read-only reader cannot say that it sleeps, so nobody wakes it: it looks for itself. */
#define NAP ((int64_t)8 * 1000 * 1000)

void shmx_topic_wait_begin(struct topic_wait *wait)
{
    if (wait->begun)
        return;
    wait->begun = true;
    wait->slept = false;
    shmx_deadline(wait->timeout_ms, &wait->deadline);
}

int shmx_topic_lock_slowly(shmx_topic *topic, struct topic_wait *wait)
{
    shmx_topic_wait_begin(wait);
    int status = shmx_word_acquire(topic->shm, &topic->header->publishers.lock, wait->deadline);
    return status == SHMX_EOWNERDEAD ? SHMX_OK : status;
}

void shmx_topic_wake(shmx_topic *topic, uint32_t value)
{
    struct topic_header *header = topic->header;
    shmx_word_released(topic->shm, &header->publishers.lock, value);
    topic_notify(topic, &header->publishers.event);
}

/* Nothing was found. Is there nobody left to wait for? A message that the last publisher published
 * before it left is found by trying once more. */
static int hang_up(shmx_topic *topic, struct topic_job *job,
                   const struct topic_direction *direction)
{
    const struct shmx_sides *sides = &topic->header->sides;
    if (!shmx_sides_used(sides))
        return TOPIC_NOTHING;
    uint32_t other = direction->publisher ? SHMX_RECEIVER : SHMX_SENDER;
    int status = shmx_sides_check(topic->shm, sides, other);
    if (status == SHMX_OK)
        return TOPIC_NOTHING;
    if (status != SHMX_EHANGUP || direction->publisher)
        return status;
    status = direction->attempt(topic, job, true);
    return status == TOPIC_NOTHING ? SHMX_EHANGUP : status;
}

/* Try, find out who is dead, and who has gone. */
static int attempt_asking(shmx_topic *topic, struct topic_job *job,
                          const struct topic_direction *direction)
{
    int status = direction->attempt(topic, job, true);
    return status == TOPIC_NOTHING ? hang_up(topic, job, direction) : status;
}

/* Sleep, and look again. Nobody wakes this one. */
static int nap(shmx_topic *topic, struct topic_job *job, const struct topic_direction *direction)
{
    int status = attempt_asking(topic, job, direction);
    if (status != TOPIC_NOTHING)
        return status;
    int64_t left = job->wait.deadline - shmx_os_now();
    if (left <= 0)
        return SHMX_ETIMEDOUT;
    shmx_os_sleep(left < NAP ? left : NAP);
    return TOPIC_NOTHING;
}

/* Sleep until the other side has done something, or for a slice, and try once more. Between taking
 * the ticket and sleeping the whole attempt is made again, and not only a look at what may have
 * changed. */
static int sleep_once(shmx_topic *topic, struct topic_job *job,
                      const struct topic_direction *direction)
{
    struct topic_header *header = topic->header;
    _Atomic uint32_t *event =
        direction->publisher ? &header->readers.event : &header->publishers.event;
    uint32_t ticket = shmx_event_prepare(event);
    STEP();
    int status = attempt_asking(topic, job, direction);
    if (status != TOPIC_NOTHING)
        return status;
    int64_t slice = job->wait.slept ? SHMX_SLICE_LATER : SHMX_SLICE;
    job->wait.slept = true;
    int slept = shmx_event_sleep(topic->shm, event, ticket, job->wait.deadline, slice);
    if (slept != SHMX_OK && slept != SHMX_ETIMEDOUT)
        return slept;
    status = direction->attempt(topic, job, false);
    return status == TOPIC_NOTHING && slept != SHMX_OK ? slept : status;
}

/* There is no time to wait. */
static int try_last(shmx_topic *topic, struct topic_job *job,
                    const struct topic_direction *direction)
{
    int status = attempt_asking(topic, job, direction);
    return status == TOPIC_NOTHING ? SHMX_ETIMEDOUT : status;
}

/* The first attempt found nothing: spin, ask, sleep. */
static int wait_for(shmx_topic *topic, struct topic_job *job,
                    const struct topic_direction *direction, int status)
{
    struct topic_wait *wait = &job->wait;
    uint64_t passed = 0;
    shmx_topic_wait_begin(wait);
    while (status == TOPIC_NOTHING || status == TOPIC_AGAIN) {
        if (status == TOPIC_AGAIN && (passed += TOPIC_PASS_MOST) > topic->capacity &&
            shmx_os_now() >= wait->deadline)
            return SHMX_ETIMEDOUT;
        if (wait->timeout_ms == 0)
            status = try_last(topic, job, direction);
        else if (status == TOPIC_AGAIN || shmx_spin_glancing(topic->watch, topic->watch_value))
            status = direction->attempt(topic, job, false);
        else
            status =
                topic->read_only ? nap(topic, job, direction) : sleep_once(topic, job, direction);
    }
    return status;
}

int shmx_topic_persist(shmx_topic *topic, struct topic_job *job,
                       const struct topic_direction *direction, int status)
{
    if (status == TOPIC_NOTHING || status == TOPIC_AGAIN)
        status = wait_for(topic, job, direction, status);
    if (status == SHMX_EPROTO || status == SHMX_EMSGSIZE || status == SHMX_ERANGE)
        return shmx_refuse(status);
    return status == SHMX_OK ? SHMX_OK : shmx_report(status);
}
