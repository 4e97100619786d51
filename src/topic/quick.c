/* SPDX-License-Identifier: MIT */
/* The quick ways: the lock is free and there is room; there is a message. */
#include "quick.h"

static inline bool quick_read(const shmx_topic *topic, const void *buffer, int timeout_ms)
{
    return topic != NULL && buffer != NULL && timeout_ms >= SHMX_FOREVER && topic->confirmed;
}

int shmx_topic_next(shmx_topic *topic, void *buffer, size_t capacity, size_t *size, uint64_t *lost,
                    int timeout_ms)
{
    size_t got = capacity;
    uint64_t number;
    if (!quick_read(topic, buffer, timeout_ms) || topic_newest(topic) <= topic->position ||
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
    uint64_t newest, before;
    if (!quick_read(topic, buffer, timeout_ms) || topic_pending(topic) ||
        (newest = topic_newest(topic)) == 0 ||
        !topic_take(topic, newest - 1, buffer, &got, &before))
        return shmx_topic_latest_slowly(topic, buffer, capacity, size, number, timeout_ms);
    if (size != NULL)
        *size = got;
    if (number != NULL)
        *number = before + 1;
    return SHMX_OK;
}

int shmx_topic_publish(shmx_topic *topic, const void *message, size_t size, int timeout_ms)
{
    if (topic == NULL || message == NULL || timeout_ms < SHMX_FOREVER || size >= topic->quick_end ||
        shmx_sides_used(&topic->header->sides))
        return shmx_topic_publish_slowly(topic, message, size, timeout_ms);
    if (size >= TOPIC_COPY_WORDS)
        return shmx_topic_publish_whole(topic, message, size, timeout_ms);
    return topic_publish_quickly(topic, message, size, timeout_ms);
}
