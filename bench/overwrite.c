/* SPDX-License-Identifier: MIT */
/* A topic beside what one would write by hand for one publisher that never dies: a ring of slots of
 * one size, each with a number that says what is in it. Both by turns in one process, so that
 * nothing is measured but the work. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shmx.h>

#include "sample.h"

#ifdef SHMX_TOPIC_OLDEST
#define ROOM ((size_t)1 << 16) /* of either */
#define MESSAGE_MOST 256
#define CROWD 64 /* readers that fall behind */
#define BATCH 32 /* messages that are read one after the other; both keep so many */

struct slot {
    _Atomic uint64_t number; /* of the message, from 1; 0: it is being written */
    uint64_t size;
    unsigned char bytes[];
};

struct ring {
    _Alignas(64) _Atomic uint64_t newest;
    _Alignas(64) _Atomic uint32_t sleepers;
    _Alignas(64) unsigned char slots[];
};

struct stage {
    shmx *shm;
    size_t size; /* of a message */
    shmx_topic *publisher, *reader;
    struct ring *ring;
    size_t stride;
    uint64_t mask, published, read;
};

static unsigned char message[MESSAGE_MOST], buffer[MESSAGE_MOST];

/* ---- by hand ---- */

static struct slot *slot_of(const struct stage *stage, uint64_t number)
{
    return (struct slot *)(void *)(stage->ring->slots + (number & stage->mask) * stage->stride);
}

static void ring_publish(struct stage *stage)
{
    struct slot *slot = slot_of(stage, ++stage->published);
    atomic_store_explicit(&slot->number, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    slot->size = stage->size;
    memcpy(slot->bytes, message, stage->size);
    atomic_store_explicit(&slot->number, stage->published, memory_order_release);
    atomic_store(&stage->ring->newest, stage->published); /* then look whether somebody sleeps */
    if (atomic_load_explicit(&stage->ring->sleepers, memory_order_relaxed) != 0)
        shmx_wake(stage->shm, (uint32_t *)&stage->ring->sleepers, SHMX_WAKE_ALL);
}

static bool ring_take(const struct stage *stage, uint64_t number)
{
    struct slot *slot = slot_of(stage, number);
    uint64_t seen = atomic_load_explicit(&slot->number, memory_order_acquire);
    size_t size = (size_t)slot->size;
    if (seen != number || size > sizeof buffer)
        return false;
    memcpy(buffer, slot->bytes, size);
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&slot->number, memory_order_relaxed) == number;
}

static bool ring_next(struct stage *stage)
{
    uint64_t newest = atomic_load_explicit(&stage->ring->newest, memory_order_acquire);
    return newest > stage->read && ring_take(stage, ++stage->read);
}

/* ---- the ways ---- */

static int64_t hand_publish(int times, void *context)
{
    int64_t start = now_ns();
    for (int i = 0; i < times; i++)
        ring_publish(context);
    return now_ns() - start;
}

static int64_t topic_publish(int times, void *context)
{
    const struct stage *stage = context;
    int64_t start = now_ns();
    for (int i = 0; i < times; i++)
        if (shmx_topic_publish(stage->publisher, message, stage->size, SHMX_FOREVER) != SHMX_OK)
            return -1;
    return now_ns() - start;
}

static int64_t topic_publish_crowd(int times, void *context)
{
    const struct stage *stage = context;
    shmx_topic *readers[CROWD] = {NULL};
    bool good = true;
    for (int i = 0; i < CROWD && good; i++)
        good = shmx_topic_open(&readers[i], stage->shm, 0, ROOM, 0) == SHMX_OK &&
               shmx_topic_publish(stage->publisher, message, stage->size, 0) == SHMX_OK &&
               shmx_topic_next(readers[i], buffer, sizeof buffer, NULL, NULL, 0) == SHMX_OK;
    int64_t taken = good ? topic_publish(times, context) : -1;
    for (int i = 0; i < CROWD; i++)
        shmx_topic_close(&readers[i]);
    return taken;
}

static int64_t hand_next(int times, void *context)
{
    struct stage *stage = context;
    int64_t taken = 0;
    stage->read = stage->published;
    for (int done = 0; done < times; done += BATCH) {
        for (int i = 0; i < BATCH; i++)
            ring_publish(stage);
        int64_t start = now_ns();
        for (int i = 0; i < BATCH; i++)
            if (!ring_next(stage))
                return -1;
        taken += now_ns() - start;
    }
    return taken * times / ((times + BATCH - 1) / BATCH * BATCH);
}

static int64_t topic_next(int times, void *context)
{
    const struct stage *stage = context;
    int64_t taken = 0;
    uint64_t lost;
    while (shmx_topic_next(stage->reader, buffer, sizeof buffer, NULL, NULL, 0) == SHMX_OK)
        ;
    for (int done = 0; done < times; done += BATCH) {
        if (topic_publish(BATCH, context) < 0)
            return -1;
        int64_t start = now_ns();
        for (int i = 0; i < BATCH; i++)
            if (shmx_topic_next(stage->reader, buffer, sizeof buffer, NULL, &lost, 0) != SHMX_OK ||
                lost != 0)
                return -1;
        taken += now_ns() - start;
    }
    return taken * times / ((times + BATCH - 1) / BATCH * BATCH);
}

static int64_t plain_copy(int times, void *context)
{
    const struct stage *stage = context;
    /* Not known to the compiler, as they would not be elsewhere. */
    void *volatile to = buffer;
    const void *volatile from = slot_of(stage, 1)->bytes;
    int64_t start = now_ns();
    for (int i = 0; i < times; i++)
        memcpy(to, from, stage->size);
    return now_ns() - start;
}

static int64_t hand_latest(int times, void *context)
{
    const struct stage *stage = context;
    int64_t start = now_ns();
    for (int i = 0; i < times; i++)
        if (!ring_take(stage, atomic_load_explicit(&stage->ring->newest, memory_order_acquire)))
            return -1;
    return now_ns() - start;
}

static int64_t topic_latest(int times, void *context)
{
    const struct stage *stage = context;
    int64_t start = now_ns();
    for (int i = 0; i < times; i++)
        if (shmx_topic_latest(stage->reader, buffer, sizeof buffer, NULL, NULL, 0) != SHMX_OK)
            return -1;
    return now_ns() - start;
}

/* ---- the stage ---- */

static bool stage_open(struct stage *stage, size_t size)
{
    *stage = (struct stage){.size = size, .stride = sizeof(struct slot) + (size + 7) / 8 * 8};
    if (shmx_create(&stage->shm, NULL, 2 * ROOM, SHMX_PREFAULT) != SHMX_OK)
        return false;
    stage->ring = (struct ring *)(void *)((unsigned char *)shmx_data(stage->shm) + ROOM);
    uint64_t slots = 1;
    while (2 * slots * stage->stride + sizeof(struct ring) <= ROOM)
        slots *= 2;
    stage->mask = slots - 1;
    return shmx_topic_open(&stage->publisher, stage->shm, 0, ROOM, 0) == SHMX_OK &&
           shmx_topic_open(&stage->reader, stage->shm, 0, ROOM, 0) == SHMX_OK;
}

static void stage_close(struct stage *stage)
{
    shmx_topic_close(&stage->publisher);
    shmx_topic_close(&stage->reader);
    shmx_close(&stage->shm);
}

static bool tables(size_t size, const char *at)
{
    struct stage stage;
    const struct way publishing[] = {
        {"ring by hand", hand_publish, &stage},
        {"shmx_topic_publish", topic_publish, &stage},
        {"shmx_topic_publish, 64 readers", topic_publish_crowd, &stage}};
    const struct way reading[] = {{"ring by hand", hand_next, &stage},
                                  {"shmx_topic_next", topic_next, &stage}};
    const struct way looking[] = {{"memcpy", plain_copy, &stage},
                                  {"ring by hand", hand_latest, &stage},
                                  {"shmx_topic_latest", topic_latest, &stage}};
    bool good = stage_open(&stage, size);
    good = good && sample_ways((struct place){"publish", at}, publishing, 3, 200000) &&
           sample_ways((struct place){"next", at}, reading, 2, 200000) &&
           sample_ways((struct place){"latest", at}, looking, 3, 200000);
    stage_close(&stage);
    return good;
}

int main(int argc, char **argv)
{
    if (!sample_begin(argc, argv))
        return 2;
    return !(tables(16, "16 B") && tables(64, "64 B") && tables(256, "256 B"));
}
#else
int main(void)
{
    return 0;
}
#endif
