/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a queue or a topic: for libFuzzer (-Dfuzz=true) and for replay.c.
 *
 * The first bytes say what to do, the others are the region. A fault shows as a crash, as a
 * write beside the region, or as an input that takes too long.
 */
#ifndef SHMX_REGION_H
#define SHMX_REGION_H

#include <stddef.h>
#include <stdint.h>

#include "shmx.h"

#define AROUND 64 /* the region's place, and so many bytes behind it */

extern const size_t region_size;

/* Open what is in the region; do something with it; close it. */
int region_open(shmx *shm);
void region_act(shmx *shm, uint8_t what);
void region_close(void);

#endif
