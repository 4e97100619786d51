/* SPDX-License-Identifier: MIT */
/* The quick ways: the lock is free and there is room; there is a message. */
#include "quick.h"

static inline bool quick_read(const shmx_topic *topic, const void *buffer, int timeout_ms)
{
    return topic != NULL && buffer != NULL && timeout_ms >= SHMX_FOREVER && topic->confirmed;
}

static inline bool quick_next(shmx_topic *topic, size_t capacity, struct topic_found *found)
{
    return topic_newest(topic) > topic->position &&
           topic_find(topic, topic->position, capacity, found);
}

static inline bool quick_latest(shmx_topic *topic, size_t capacity, uint64_t *position,
                                struct topic_found *found)
{
    if (topic_pending(topic)) /* asked first: see there */
        return false;
    *position = topic_newest(topic) - 1;
    return *position != UINT64_MAX && topic_find(topic, *position, capacity, found);
}

static inline void topic_tell(const struct topic_found *found, size_t *size, uint64_t *told,
                              uint64_t count)
{
    if (size != NULL)
        *size = found->size;
    if (told != NULL)
        *told = count;
}

/* A message that is not short: what is told is told before it is copied, so that less has to be
 * kept. If that was in vain, the slow way tells anew. */
int shmx_topic_next(shmx_topic *topic, void *buffer, size_t capacity, size_t *size, uint64_t *lost,
                    int timeout_ms)
{
    struct topic_found found;
    if (!quick_read(topic, buffer, timeout_ms) || !quick_next(topic, capacity, &found))
        return shmx_topic_next_slowly(topic, buffer, capacity, size, lost, timeout_ms);
    if (!topic_short(found.size)) {
        uint64_t number = topic_number(&found);
        struct topic_kept kept = {topic->position, buffer,    capacity, size, lost,
                                  topic->number,   timeout_ms};
        topic_tell(&found, size, lost, number - topic->number);
        topic_step_over(topic, found.size, number);
        topic_copy(buffer, found.record + 1, found.size);
        if (!topic_whole(topic, kept.position))
            return shmx_topic_next_again(topic, &kept);
        return topic_passed(topic);
    }
    shmx_copy_short(buffer, found.record + 1, found.size);
    uint64_t number = topic_number(&found);
    if (!topic_whole(topic, topic->position))
        return shmx_topic_next_slowly(topic, buffer, capacity, size, lost, timeout_ms);
    topic_tell(&found, size, lost, number - topic->number);
    topic_step_over(topic, found.size, number);
    return topic_passed(topic);
}

int shmx_topic_latest(shmx_topic *topic, void *buffer, size_t capacity, size_t *size,
                      uint64_t *number, int timeout_ms)
{
    struct topic_found found;
    uint64_t position;
    if (!quick_read(topic, buffer, timeout_ms) || !quick_latest(topic, capacity, &position, &found))
        return shmx_topic_latest_slowly(topic, buffer, capacity, size, number, timeout_ms);
    if (!topic_short(found.size)) {
        struct topic_kept kept = {position, buffer, capacity, size, number, 0, timeout_ms};
        topic_tell(&found, size, number, topic_number(&found) + 1);
        topic_copy(buffer, found.record + 1, found.size);
        return topic_whole(topic, position) ? SHMX_OK : shmx_topic_latest_again(topic, &kept);
    }
    shmx_copy_short(buffer, found.record + 1, found.size);
    uint64_t before = topic_number(&found);
    if (!topic_whole(topic, position))
        return shmx_topic_latest_slowly(topic, buffer, capacity, size, number, timeout_ms);
    topic_tell(&found, size, number, before + 1);
    return SHMX_OK;
}

int shmx_topic_publish(shmx_topic *topic, const void *message, size_t size, int timeout_ms)
{
    if (topic == NULL || message == NULL || timeout_ms < SHMX_FOREVER || size >= topic->quick_end ||
        shmx_sides_used(&topic->header->sides))
        return shmx_topic_publish_slowly(topic, message, size, timeout_ms);
    if (!topic_short(size))
        return shmx_topic_publish_whole(topic, message, size, timeout_ms);
    return topic_publish_quickly(topic, message, size, timeout_ms, shmx_copy_short);
}
