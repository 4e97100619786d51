/* SPDX-License-Identifier: MIT */
/* Any bytes as a queue: region.h. */
#include "region.h"

#include <stdlib.h>
#include <string.h>

#define REGION ((size_t)1024)

const size_t region_size = REGION;

static shmx_queue *queue;

int region_open(shmx *shm)
{
    return shmx_queue_open(&queue, shm, AROUND, REGION);
}

void region_act(shmx *shm, uint8_t what)
{
    (void)shm;
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

void region_close(void)
{
    shmx_queue_close(&queue);
}
