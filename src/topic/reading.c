/* SPDX-License-Identifier: MIT */
/* Reading: the usual case, in which there is a message, and all others behind a call. */
#include "layout.h"

static inline bool read_check(const shmx_topic *topic, const void *buffer, size_t capacity,
                              int timeout_ms)
{
    return topic != NULL && (buffer != NULL || capacity == 0) && timeout_ms >= SHMX_FOREVER;
}

int shmx_topic_next(shmx_topic *topic, void *buffer, size_t capacity, size_t *size, uint64_t *lost,
                    int timeout_ms)
{
    size_t got = capacity;
    uint64_t number;
    if (!read_check(topic, buffer, capacity, timeout_ms))
        return shmx_topic_read_refused(size, lost);
    if (!topic->confirmed || topic_newest(topic) <= topic->position ||
        !topic_take(topic, topic->position, buffer, &got, &number))
        return shmx_topic_next_slowly(topic, buffer, capacity, size, lost, timeout_ms);
    if (size != NULL)
        *size = got;
    if (lost != NULL)
        *lost = number - topic->number;
    topic_step_over(topic, got, number);
    return SHMX_OK;
}

int shmx_topic_latest(shmx_topic *topic, void *buffer, size_t capacity, size_t *size,
                      uint64_t *number, int timeout_ms)
{
    size_t got = capacity;
    uint64_t before;
    if (!read_check(topic, buffer, capacity, timeout_ms))
        return shmx_topic_read_refused(size, number);
    uint64_t newest = topic_newest(topic);
    if (!topic->confirmed || topic_pending(topic) || newest == 0 ||
        !topic_take(topic, newest - 1, buffer, &got, &before))
        return shmx_topic_latest_slowly(topic, buffer, capacity, size, number, timeout_ms);
    if (size != NULL)
        *size = got;
    if (number != NULL)
        *number = before + 1;
    return SHMX_OK;
}
