/* SPDX-License-Identifier: MIT */
/* Any bytes as a topic: region.h. */
#include "region.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define REGION ((size_t)2048)

const size_t region_size = REGION;

static shmx_topic *topic;

int region_open(shmx *shm)
{
    return shmx_topic_open(&topic, shm, AROUND, REGION, SHMX_TOPIC_LOSSLESS);
}

static void read_any(bool latest)
{
    static unsigned char buffer[2 * REGION];
    uint64_t number;
    size_t size;
    int status = latest ? shmx_topic_latest(topic, buffer, sizeof buffer, &size, &number, 0)
                        : shmx_topic_next(topic, buffer, sizeof buffer, &size, &number, 0);
    if (status == SHMX_OK && size > sizeof buffer)
        abort();
}

void region_act(shmx *shm, uint8_t what)
{
    static unsigned char message[2 * REGION];
    void *place;
    size_t size = what >> 3;
    switch (what & 7) {
    case 0:
    case 1:
        shmx_topic_publish(topic, message, size * 16, 0);
        break;
    case 2:
    case 3:
        read_any(false);
        break;
    case 4:
        read_any(true);
        break;
    case 5:
        if (shmx_topic_reserve(topic, size, &place, 0) == SHMX_OK)
            memset(place, what, size);
        break;
    case 6:
        shmx_topic_commit(topic, size / 2);
        break;
    default:
        shmx_topic_close(&topic);
        shmx_topic_open(&topic, shm, AROUND, REGION, size & 3);
        break;
    }
}

void region_close(void)
{
    shmx_topic_close(&topic);
}
