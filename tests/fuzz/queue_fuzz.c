/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a queue: for libFuzzer (-Dfuzz=true) and for replay.c.
 *
 * The first bytes say what to do, the others are the region. A fault shows as a crash, as a
 * write beside the region, or as an input that takes too long.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "segment.h"

#define REGION ((size_t)1024)
#define AROUND 64
#define ACTS ((size_t)8)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void act(shmx_queue *queue, uint8_t what)
{
    static unsigned char buffer[2 * REGION];
    const void *seen;
    void *place;
    size_t size = what >> 2;
    switch (what & 3) {
    case 0:
        shmx_queue_send(queue, buffer, size * 16, 0);
        break;
    case 1:
        if (shmx_queue_receive(queue, buffer, sizeof buffer, &size, 0) == SHMX_OK &&
            size > sizeof buffer)
            abort();
        break;
    case 2:
        if (shmx_queue_reserve(queue, size, &place, 0) == SHMX_OK)
            memset(place, what, size);
        shmx_queue_commit(queue, size / 2);
        break;
    default:
        if (shmx_queue_peek(queue, &seen, &size, 0) == SHMX_OK && size <= sizeof buffer)
            memcpy(buffer, seen, size);
        shmx_queue_release(queue);
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
    shmx_queue *queue;
    if (uses++ % 4096 == 0) {
        shmx_close(&shm);
        shm = make();
    }
    if (size < ACTS)
        return 0;
    unsigned char *bytes = shmx_data(shm), *region = bytes + AROUND;
    memset(bytes, 0x5a, REGION + 2 * AROUND);
    memset(region, 0, REGION);
    if (shmx_queue_open(&queue, shm, AROUND, REGION) != SHMX_OK)
        abort();
    size_t damaged = size - ACTS < REGION ? size - ACTS : REGION;
    memcpy(region, data + ACTS, damaged);
    for (size_t i = 0; i < ACTS; i++)
        act(queue, data[i]);
    shmx_queue_close(&queue);
    for (size_t i = 0; i < AROUND; i++)
        if (bytes[i] != 0x5a || region[REGION + i] != 0x5a)
            abort();
    return 0;
}
