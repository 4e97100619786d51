/* SPDX-License-Identifier: MIT */
/* The queue: within a process, beside bare copies, and to another process. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "command.h"
#include "measure.h"
#include "system.h"

#define SIZE (1 << 20)
#define LONG_MESSAGE 4096
#define SHORT_MESSAGE 64

struct queue {
    shmx_queue *queue;
    unsigned char *bytes; /* of the segment: room for the bare copies */
    size_t message;
};

static unsigned char from[LONG_MESSAGE], to[LONG_MESSAGE];

/* ---- within a process ---- */

static int64_t copy_bare(int times, void *context)
{
    struct queue *queue = context;
    int64_t start = system_now();
    for (int i = 0; i < times; i++) {
        memcpy(queue->bytes, from, queue->message);
        memcpy(to, queue->bytes, queue->message);
        from[0] = (unsigned char)(to[0] + 1); /* so that no copy can be left out */
    }
    return system_now() - start;
}

static int64_t copy_shmx(int times, void *context)
{
    struct queue *queue = context;
    int64_t start = system_now();
    for (int i = 0; i < times; i++)
        if (shmx_queue_send(queue->queue, from, queue->message, SHMX_FOREVER) != SHMX_OK ||
            shmx_queue_receive(queue->queue, to, sizeof to, NULL, SHMX_FOREVER) != SHMX_OK)
            return -1;
    return system_now() - start;
}

static int bench_within(shmx *shm, shmx_queue *handle, int rounds)
{
    struct queue queue = {handle, (unsigned char *)shmx_data(shm) + SIZE, SHORT_MESSAGE};
    const struct way ways[] = {{"bare copies in and out, no queue", copy_bare, &queue},
                               {"shmx_queue: send and receive", copy_shmx, &queue}};
    measuring_show("the queue");
    return measure("Messages of 64 bytes, within a process", ways, 2, rounds, 50000);
}

/* ---- to another process ---- */

/* As long as somebody receives, and nobody asks to stop. */
static int send_patiently(shmx_queue *queue, const void *message, size_t size)
{
    int ms = 0, status;
    do {
        status = shmx_queue_send(queue, message, size, BENCH_SLICE_MS);
        ms += BENCH_SLICE_MS;
    } while (status == SHMX_ETIMEDOUT && ms < BENCH_PATIENCE_MS && !system_stopped());
    return status;
}

static int64_t send_all(int times, void *context)
{
    const struct queue *queue = context;
    int64_t start = system_now();
    for (int i = 0; i < times; i++)
        if (send_patiently(queue->queue, from, queue->message) != SHMX_OK)
            return -1;
    return system_now() - start;
}

static int bench_across(const char *name, shmx_queue *handle, int rounds)
{
    const char *const words[] = {"bench", "--drain", name, NULL};
    struct queue small = {handle, NULL, SHORT_MESSAGE}, large = {handle, NULL, LONG_MESSAGE};
    const struct way ways[] = {{"shmx_queue: 64 bytes", send_all, &small},
                               {"shmx_queue: 4 KiB", send_all, &large}};
    measuring_show("the queue between two processes");
    struct system_child *child = system_start(words);
    if (child == NULL)
        return 1;
    int failed =
        measure("Messages to another process, one after the other", ways, 2, rounds, 20000);
    failed += send_patiently(handle, NULL, 0) != SHMX_OK;
    return failed + (system_finish(child) != 0);
}

int bench_queue_drain(const char *name)
{
    int status;
    shmx_queue *queue = NULL;
    shmx *shm = segment_open(name, 0, &status);
    if (shm == NULL)
        return status;
    size_t size = 1;
    int result = shmx_queue_open(&queue, shm, 0, SIZE);
    while (result == SHMX_OK && size > 0)
        result = shmx_queue_receive(queue, to, sizeof to, &size, BENCH_PATIENCE_MS);
    shmx_queue_close(&queue);
    shmx_close(&shm);
    return result == SHMX_OK ? STATUS_YES : STATUS_NO;
}

int bench_queue(const char *name, int rounds)
{
    shmx *shm;
    shmx_queue *queue = NULL;
    if (shmx_create(&shm, name, SIZE + LONG_MESSAGE, 0) != SHMX_OK)
        return 1;
    int failed = shmx_queue_open(&queue, shm, 0, SIZE) != SHMX_OK;
    if (!failed)
        failed = bench_within(shm, queue, rounds) + bench_across(name, queue, rounds);
    shmx_queue_close(&queue);
    shmx_close(&shm);
    return failed;
}
