/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a topic: for libFuzzer (-Dfuzz=true) and for replay.c.
 *
 * The first bytes say what to do, the others are the region. A fault shows as a crash, as a
 * write beside the region, or as an input that takes too long.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "segment.h"

#define REGION ((size_t)2048)
#define AROUND 64
#define ACTS ((size_t)8)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_any(shmx_topic *topic, bool latest)
{
    static unsigned char buffer[2 * REGION];
    uint64_t number;
    size_t size;
    int status = latest ? shmx_topic_latest(topic, buffer, sizeof buffer, &size, &number, 0)
                        : shmx_topic_next(topic, buffer, sizeof buffer, &size, &number, 0);
    if (status == SHMX_OK && size > sizeof buffer)
        abort();
}

static void act(shmx *shm, shmx_topic **topic, uint8_t what)
{
    static unsigned char message[2 * REGION];
    void *place;
    size_t size = what >> 3;
    switch (what & 7) {
    case 0:
    case 1:
        shmx_topic_publish(*topic, message, size * 16, 0);
        break;
    case 2:
    case 3:
        read_any(*topic, false);
        break;
    case 4:
        read_any(*topic, true);
        break;
    case 5:
        if (shmx_topic_reserve(*topic, size, &place, 0) == SHMX_OK)
            memset(place, what, size);
        break;
    case 6:
        shmx_topic_commit(*topic, size / 2);
        break;
    default:
        shmx_topic_close(topic);
        shmx_topic_open(topic, shm, AROUND, REGION, size & 3);
        break;
    }
}

static shmx *make(void)
{
    shmx *shm;
    if (shmx_create(&shm, "", REGION + 2 * AROUND, 0) != SHMX_OK)
        abort();
    /* A lock that seems to be this process's own is waited for a little. With random numbers, and
     * others before long, bytes hardly ever seem to be that. */
    atomic_store(&shm->attachment.control->next_owner, (uint32_t)shm->attachment.label.id);
    return shm;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static shmx *shm;
    static unsigned uses;
    shmx_topic *topic;
    if (uses++ % 4096 == 0) {
        shmx_close(&shm);
        shm = make();
    }
    if (size < ACTS)
        return 0;
    unsigned char *bytes = shmx_data(shm), *region = bytes + AROUND;
    memset(bytes, 0x5a, REGION + 2 * AROUND);
    memset(region, 0, REGION);
    if (shmx_topic_open(&topic, shm, AROUND, REGION, SHMX_TOPIC_LOSSLESS) != SHMX_OK)
        abort();
    size_t damaged = size - ACTS < REGION ? size - ACTS : REGION;
    memcpy(region, data + ACTS, damaged);
    for (size_t i = 0; i < ACTS; i++)
        act(shm, &topic, data[i]);
    shmx_topic_close(&topic);
    for (size_t i = 0; i < AROUND; i++)
        if (bytes[i] != 0x5a || region[REGION + i] != 0x5a)
            abort();
    return 0;
}
