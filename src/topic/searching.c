/* SPDX-License-Identifier: MIT */
/* Reading where that is not simple: what was overwritten, what is no message, what comes later. */
#include "header.h"
#include "ring.h"

/* Statuses of a look at one record, beside SHMX_NOTHING and SHMX_AGAIN: it is not there any more;
 * it is no message. */
enum { READ_OVERRUN = 10, READ_PASS = 11 };

/* The record could not be copied: why not? */
static int read_otherwise(shmx_topic *topic, uint64_t position, struct topic_job *job)
{
    const struct topic_record *record = topic_record(topic, position);
    uint32_t state = atomic_load_explicit(&record->state, memory_order_relaxed);
    uint32_t size = atomic_load_explicit(&record->size, memory_order_relaxed);
    uint64_t end;
    if (!topic_whole(topic, position))
        return READ_OVERRUN;
    if (state == TOPIC_STATE_CANCELLED || state == TOPIC_STATE_SKIP)
        return READ_PASS;
    if (state != TOPIC_STATE_COMMITTED || !topic_end(topic, position, &end) || size <= job->size)
        return SHMX_EPROTO;
    job->size = size;
    return SHMX_EMSGSIZE;
}

static int message_read(shmx_topic *topic, uint64_t position, struct topic_job *job)
{
    struct topic_found found;
    if (!topic_find(topic, position, job->size, &found))
        return read_otherwise(topic, position, job);
    topic_copy(job->buffer, found.record + 1, found.size);
    job->number = topic_number(&found);
    if (!topic_whole(topic, position))
        return READ_OVERRUN;
    job->size = found.size;
    return SHMX_OK;
}

/* ---- where to begin ---- */

int shmx_topic_confirm(shmx_topic *topic)
{
    struct topic_header *header = topic->header;
    const uint32_t facts[] = {TOPIC_MAGIC, TOPIC_VERSION, topic->capacity};
    int status = shmx_header_settle(topic->party.shm, &header->magic, sizeof *header, facts);
    topic->confirmed = status == SHMX_OK;
    shmx_watch(&topic->party, &header->magic, 0);
    return status;
}

/* Find the position behind the newest message, and the number of messages before. */
static void behind_newest(shmx_topic *topic, uint64_t *position, uint64_t *number)
{
    uint64_t newest = 0;
    for (int i = 0; i < TOPIC_OVERRUN_MOST; i++) {
        newest = topic_newest(topic);
        if (newest != 0 && topic_end(topic, newest - 1, position)) {
            *number = 1 + atomic_load_explicit(&topic_record(topic, newest - 1)->number,
                                               memory_order_relaxed);
            if (topic_whole(topic, newest - 1))
                return;
        }
        /* None yet; or it was overwritten, and the next one is not there yet. */
        *number = atomic_load_explicit(&topic->header->publishers.number, memory_order_acquire);
        *position = atomic_load_explicit(&topic->header->front.head, memory_order_acquire);
        if (topic_newest(topic) == newest)
            return;
    }
}

void shmx_topic_start(shmx_topic *topic, bool oldest)
{
    for (int i = 0; oldest && i < TOPIC_OVERRUN_MOST; i++) {
        uint64_t newest = topic_newest(topic);
        topic->position = topic_head(topic);
        if (topic->position >= newest)
            break;
        topic->number = atomic_load_explicit(&topic_record(topic, topic->position)->number,
                                             memory_order_relaxed);
        if (topic_whole(topic, topic->position))
            return;
    }
    behind_newest(topic, &topic->position, &topic->number);
}

/* ---- behind a dead publisher ---- */

/* A message that nobody has shown yet. */
struct unshown {
    uint64_t position;
    uint64_t number;
};

/* Is the record reserved by a dead publisher? Then it is no message, and another says so later. A
 * death is remembered: a reader that has seen a message behind it would else see an older one. */
static int look_at_owner(shmx_topic *topic, uint64_t position, uint32_t *state, bool ask)
{
    int status = SHMX_OK;
    if (position >= topic->passed)
        status = shmx_waiter_owner_ended(&topic->party, *state, ask);
    if (status != SHMX_OK)
        return status;
    /* It may have committed before it died. */
    *state = topic_state(topic, position);
    if ((*state & TOPIC_STATE_KIND) == TOPIC_STATE_RESERVED)
        *state = TOPIC_STATE_CANCELLED;
    return SHMX_OK;
}

static bool topic_is_own(const shmx_topic *topic, uint64_t position)
{
    return shmx_party_owns(&topic->party, topic->reserved.state) &&
           topic->reserved.position == position;
}

/* Go from *at, which is behind the newest message, to the first message from the reader's position
 * on, or to the last of all. *at is left at what stopped the walk. */
static int walk_behind(shmx_topic *topic, struct unshown *at, bool last, bool ask,
                       struct unshown *found)
{
    int status = SHMX_NOTHING;
    STEP();
    /* Acquire: the records before it are seen. */
    uint64_t tail = atomic_load_explicit(&topic->header->publishers.tail, memory_order_acquire);
    /* All has been shown meanwhile: the last record may be one that is about to be, and would not
     * be found again before it is. */
    if (!topic_pending(topic))
        return SHMX_AGAIN;
    while (at->position != tail && tail - at->position <= topic->capacity) {
        uint64_t end;
        STEP();
        uint32_t state = topic_state(topic, at->position);
        if ((state & TOPIC_STATE_KIND) == TOPIC_STATE_RESERVED) {
            int owner = look_at_owner(topic, at->position, &state, ask);
            topic->party.held_up = owner == SHMX_NOTHING && !topic_is_own(topic, at->position);
            if (owner != SHMX_OK)
                return owner < 0 ? owner : status;
        }
        if (state == TOPIC_STATE_COMMITTED && (last || at->position >= topic->position)) {
            *found = *at;
            status = SHMX_OK;
        }
        STEP();
        if ((status == SHMX_OK && !last) || !topic_end(topic, at->position, &end))
            break;
        at->number += state == TOPIC_STATE_COMMITTED;
        at->position = end;
    }
    return status;
}

/* Readers, of which some may not write, do not settle what publishers left behind: they look past
 * it. */
static int look_behind(shmx_topic *topic, bool last, bool ask, struct unshown *found)
{
    struct unshown at;
    behind_newest(topic, &at.position, &at.number);
    if (!last && topic_newest(topic) > topic->position)
        return SHMX_AGAIN; /* there is one before these */
    uint64_t first = at.position;
    int status = walk_behind(topic, &at, last, ask, found);
    STEP();
    /* Through what was overwritten meanwhile the walk led anywhere. */
    if (!topic_whole(topic, first))
        return SHMX_AGAIN;
    if (at.position > topic->passed)
        topic->passed = at.position;
    return status;
}

/* Read the message after the reader's position that nobody has shown yet, or the latest of them;
 * SHMX_NOTHING: there is none. */
static int read_unshown(shmx_topic *topic, struct topic_job *job, bool ask)
{
    struct unshown found;
    int status = look_behind(topic, job->latest, ask, &found);
    if (status != SHMX_OK)
        return status;
    if (!job->latest)
        topic->position = found.position;
    status = message_read(topic, found.position, job);
    job->number = found.number;
    return status == READ_OVERRUN || status == READ_PASS ? SHMX_AGAIN : status;
}

/* There is nothing to read until another message is published. */
static void topic_watch_turn(shmx_topic *topic)
{
    const _Atomic uint32_t *turn = &topic->header->front.turn;
    shmx_watch(&topic->party, turn, atomic_load_explicit(turn, memory_order_acquire));
}

/* ---- next ---- */

static int step_over(shmx_topic *topic, struct topic_job *job)
{
    job->lost = job->number - topic->number;
    topic_step_over(topic, job->size, job->number);
    return topic_passed(topic);
}

/* The thing at the position is no message, or is not there any more: go on behind it. */
static int step_aside(shmx_topic *topic, int status)
{
    uint64_t end;
    if (status == READ_OVERRUN) {
        topic->position = topic_head(topic);
        return SHMX_OK;
    }
    topic_state(topic, topic->position); /* acquire */
    if (!topic_end(topic, topic->position, &end))
        return topic_whole(topic, topic->position) ? SHMX_EPROTO : SHMX_OK;
    if (topic_whole(topic, topic->position))
        topic->position = end;
    return SHMX_OK;
}

/* Nothing was found at the reader's position. */
static int nothing_next(shmx_topic *topic, struct topic_job *job, bool ask)
{
    topic_watch_turn(topic);
    if (topic_newest(topic) > topic->position)
        return SHMX_AGAIN;
    if (topic->place != NULL)
        shmx_topic_place_move(topic);
    int status = topic_pending(topic) ? read_unshown(topic, job, ask) : SHMX_NOTHING;
    return status == SHMX_OK ? step_over(topic, job) : status;
}

static int read_next(shmx_topic *topic, struct topic_job *job, bool ask)
{
    int overruns = 0;
    for (int i = 0; i < SHMX_PASS_MOST && overruns < TOPIC_OVERRUN_MOST; i++) {
        if (topic_newest(topic) <= topic->position)
            return nothing_next(topic, job, ask);
        int status = message_read(topic, topic->position, job);
        if (status == SHMX_OK)
            return step_over(topic, job);
        if (status != READ_OVERRUN && status != READ_PASS)
            return status;
        overruns += status == READ_OVERRUN;
        status = step_aside(topic, status);
        if (status != SHMX_OK)
            return status;
    }
    return SHMX_AGAIN;
}

/* ---- latest ---- */

/* There is none yet, or cancelled records have used up the newest one. */
static int nothing_latest(shmx_topic *topic, uint64_t newest)
{
    topic_watch_turn(topic);
    return topic_newest(topic) != newest ? SHMX_AGAIN : SHMX_NOTHING;
}

static int read_latest(shmx_topic *topic, struct topic_job *job, bool ask)
{
    int status = topic_pending(topic) ? read_unshown(topic, job, ask) : SHMX_NOTHING;
    if (status != SHMX_NOTHING)
        return status;
    for (int i = 0; i < TOPIC_OVERRUN_MOST; i++) {
        uint64_t newest = topic_newest(topic);
        status = newest != 0 ? message_read(topic, newest - 1, job) : READ_OVERRUN;
        if (status == SHMX_OK || status < 0)
            return status;
        status = nothing_latest(topic, newest);
        if (status == SHMX_NOTHING)
            return status;
    }
    return SHMX_AGAIN;
}

/* ---- the whole of either ---- */

static int attempt_read(void *context, bool ask)
{
    struct topic_job *job = context;
    shmx_topic *topic = job->topic;
    STEP();
    int status = topic->confirmed ? SHMX_OK : shmx_topic_confirm(topic);
    if (status != SHMX_OK)
        return status;
    return job->latest ? read_latest(topic, job, ask) : read_next(topic, job, ask);
}

/* What is not told is 0. */
static int read_slowly(shmx_topic *topic, void *buffer, size_t capacity, size_t *size,
                       uint64_t *told, int timeout_ms, bool latest)
{
    struct topic_job job;
    topic_begin(&job, topic, false, capacity, timeout_ms);
    job.latest = latest;
    job.buffer = buffer;
    bool good = topic != NULL && (buffer != NULL || capacity == 0) && timeout_ms >= SHMX_FOREVER;
    int status = good ? shmx_topic_pursue(&job, attempt_read) : shmx_refuse(SHMX_EINVAL);
    if (size != NULL)
        *size = status == SHMX_OK || status == SHMX_EMSGSIZE ? job.size : 0;
    if (told != NULL)
        *told = status != SHMX_OK ? 0 : latest ? job.number + 1 : job.lost;
    return status;
}

int shmx_topic_next_slowly(shmx_topic *topic, void *buffer, size_t capacity, size_t *size,
                           uint64_t *lost, int timeout_ms)
{
    return read_slowly(topic, buffer, capacity, size, lost, timeout_ms, false);
}

int shmx_topic_latest_slowly(shmx_topic *topic, void *buffer, size_t capacity, size_t *size,
                             uint64_t *number, int timeout_ms)
{
    return read_slowly(topic, buffer, capacity, size, number, timeout_ms, true);
}

int shmx_topic_next_again(shmx_topic *topic, const struct topic_kept *kept)
{
    topic->position = kept->position;
    topic->number = kept->number;
    return shmx_topic_next_slowly(topic, kept->buffer, kept->capacity, kept->size, kept->told,
                                  kept->timeout_ms);
}

int shmx_topic_latest_again(shmx_topic *topic, const struct topic_kept *kept)
{
    return shmx_topic_latest_slowly(topic, kept->buffer, kept->capacity, kept->size, kept->told,
                                    kept->timeout_ms);
}
