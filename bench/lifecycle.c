/* SPDX-License-Identifier: MIT */
/* The life of a 1 KiB segment beside the system's bare calls. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shmx.h>

#include "boost.h"
#include "measure.h"
#include "raw.h"

#define SIZE 1024
#define CREATE_TIMES 300
#define ROUNDS 51

static char name[64];
static volatile unsigned char sink;

static int64_t raw_life(int times, void *context)
{
    (void)context;
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        struct raw raw;
        if (raw_create(&raw, name, SIZE) != 0)
            return -1;
        memset(raw.data, 1, SIZE);
        raw_close(&raw);
        raw_unlink(name);
    }
    return now_ns() - start;
}

static int64_t shmx_life(int times, void *context)
{
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        shmx *shm;
        if (shmx_create(&shm, name, SIZE, 0) != SHMX_OK)
            return -1;
        memset(shmx_data(shm), 1, SIZE);
        if (context != NULL && shmx_unlink(name) != SHMX_OK)
            return -1;
        shmx_close(&shm);
    }
    return now_ns() - start;
}

static int64_t raw_visit(int times, void *context)
{
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        struct raw raw;
        if (raw_open(&raw, context, SIZE) != 0)
            return -1;
        sink = *(unsigned char *)raw.data;
        raw_close(&raw);
    }
    return now_ns() - start;
}

static int64_t shmx_visit(int times, void *context)
{
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        shmx *shm;
        if (shmx_open(&shm, context, 0) != SHMX_OK)
            return -1;
        sink = *(unsigned char *)shmx_data(shm);
        shmx_close(&shm);
    }
    return now_ns() - start;
}

/* Open and close beside many that stay: users of one segment, or other segments. */
static void crowd(int count, int users)
{
    shmx *owner, **all = calloc((size_t)count, sizeof *all);
    if (all == NULL || shmx_create(&owner, NULL, SIZE, 0) != SHMX_OK)
        exit(1);
    char title[80], mine[SHMX_NAME_MAX + 1];
    snprintf(mine, sizeof mine, "%s", shmx_name(owner));
    int got = 0;
    while (got < count && (users ? shmx_open(&all[got], mine, 0)
                                 : shmx_create(&all[got], NULL, SIZE, 0)) == SHMX_OK)
        got++;
    snprintf(title, sizeof title, "open, read, close; beside %d other %s", got,
             users ? "users" : "segments");
    struct way ways[] = {{"bare calls", raw_visit, mine}, {"shmx", shmx_visit, mine}};
    measure(title, ways, 2, 21, 300);
    while (got > 0)
        shmx_close(&all[--got]);
    shmx_close(&owner);
    free(all);
}

int main(void)
{
    snprintf(name, sizeof name, "shmx-bench-%lld", (long long)now_ns());
    struct way life[] = {{"bare calls", raw_life, NULL},
                         {"shmx, close removes", shmx_life, NULL},
                         {"shmx, unlink and close", shmx_life, name},
                         {"Boost.Interprocess", boost_life(), name}};
    int failures = measure("create, write, close, unlink of 1 KiB", life,
                           boost_life() != NULL ? 4 : 3, ROUNDS, CREATE_TIMES);
    shmx *shm;
    if (shmx_create(&shm, name, SIZE, 0) != SHMX_OK)
        return 1;
    struct way visit[] = {{"bare calls, size known", raw_visit, name},
                          {"shmx", shmx_visit, name},
                          {"Boost.Interprocess", boost_visit(), name}};
    failures +=
        measure("open, read, close of 1 KiB", visit, boost_visit() != NULL ? 3 : 2, ROUNDS, 1000);
    shmx_close(&shm);
    crowd(64, 1);
    crowd(900, 1);
    crowd(900, 0);
    return failures != 0;
}
