/* SPDX-License-Identifier: MIT */
/* The floor: what one would write by hand for one producer and one consumer that never die. Slots
 * of one size, an index for each side on a cache line of its own, each side remembering the
 * other's; a side that finds nothing to do spins for a while and then sleeps. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shmx.h>

#include "children.h"
#include "peers/queue_peer.h"

#define LOOKS 2000 /* before sleeping; as long as it takes to fall asleep and be woken */

struct ring {
    _Alignas(128) _Atomic uint32_t tail;
    _Alignas(128) _Atomic uint32_t head;
    _Alignas(128) _Atomic uint32_t consumer_sleeps;
    _Alignas(128) _Atomic uint32_t producer_sleeps;
    _Alignas(128) unsigned char slots[];
};

struct end {
    shmx *shm;
    struct ring *ring;
    uint32_t mask;
    uint32_t mine;
    uint32_t theirs;
    size_t stride;
};

static void *ring_open(const char *name, bool consumer, size_t message, size_t capacity)
{
    char own[64];
    struct end *end = calloc(1, sizeof *end);
    end->stride = (message + 8 + 7) / 8 * 8;
    uint32_t slots = 1;
    while ((slots + 1) * end->stride <= capacity)
        slots *= 2;
    end->mask = slots - 1;
    snprintf(own, sizeof own, "%s-ring", name);
    size_t size = sizeof(struct ring) + slots * end->stride;
    int status =
        consumer ? shmx_open(&end->shm, own, 0) : shmx_create(&end->shm, own, size, SHMX_PREFAULT);
    if (status != SHMX_OK) {
        free(end);
        return NULL;
    }
    end->ring = shmx_data(end->shm);
    return end;
}

/* Wait until the word has another value. */
static void await(_Atomic uint32_t *word, uint32_t seen, _Atomic uint32_t *sleeps)
{
    for (int i = 0; i < LOOKS; i++)
        if (atomic_load_explicit(word, memory_order_acquire) != seen)
            return;
    atomic_store(sleeps, 1);
    while (atomic_load(word) == seen)
        if (bare_wait != NULL) /* or it spins on */
            bare_wait((uint32_t *)word, seen);
    atomic_store_explicit(sleeps, 0, memory_order_relaxed);
}

static void publish(_Atomic uint32_t *word, uint32_t value, _Atomic uint32_t *sleeps)
{
    atomic_store(word, value);
    if (atomic_load(sleeps) != 0 && bare_wake != NULL)
        bare_wake((uint32_t *)word, 1);
}

static bool ring_send(void *context, const void *message, size_t size)
{
    struct end *end = context;
    struct ring *ring = end->ring;
    while (end->mine - end->theirs > end->mask) {
        end->theirs = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (end->mine - end->theirs > end->mask)
            await(&ring->head, end->theirs, &ring->producer_sleeps);
    }
    unsigned char *slot = ring->slots + (end->mine & end->mask) * end->stride;
    uint64_t length = size;
    memcpy(slot, &length, sizeof length);
    memcpy(slot + 8, message, size);
    publish(&ring->tail, ++end->mine, &ring->consumer_sleeps);
    return true;
}

static bool ring_receive(void *context, void *buffer, size_t size)
{
    struct end *end = context;
    struct ring *ring = end->ring;
    while (end->mine == end->theirs) {
        end->theirs = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (end->mine == end->theirs)
            await(&ring->tail, end->theirs, &ring->consumer_sleeps);
    }
    const unsigned char *slot = ring->slots + (end->mine & end->mask) * end->stride;
    uint64_t length;
    memcpy(&length, slot, sizeof length);
    if (length > size)
        return false;
    memcpy(buffer, slot + 8, (size_t)length);
    publish(&ring->head, ++end->mine, &ring->producer_sleeps);
    return true;
}

static void ring_close(void *context, bool consumer)
{
    struct end *end = context;
    (void)consumer;
    shmx_close(&end->shm);
    free(end);
}

const struct queue_peer ring_queue = {"ring by hand", 0,          1,   ring_open, ring_send,
                                      ring_receive,   ring_close, NULL};

/* ---- the least that a message can cost: a word that the other one spins on ---- */

static void *word_open(const char *name, bool consumer, size_t message, size_t capacity)
{
    char own[80];
    struct end *end = calloc(1, sizeof *end);
    (void)consumer;
    (void)message;
    (void)capacity;
    snprintf(own, sizeof own, "%s-word", name);
    if (shmx_open_or_create(&end->shm, own, sizeof(struct ring), 0, NULL) != SHMX_OK) {
        free(end);
        return NULL;
    }
    end->ring = shmx_data(end->shm);
    return end;
}

static bool word_send(void *context, const void *message, size_t size)
{
    struct end *end = context;
    (void)message;
    (void)size;
    atomic_store_explicit(&end->ring->tail, ++end->mine, memory_order_release);
    return true;
}

static bool word_receive(void *context, void *buffer, size_t size)
{
    struct end *end = context;
    (void)buffer;
    (void)size;
    while (atomic_load_explicit(&end->ring->tail, memory_order_acquire) == end->mine)
        ;
    end->mine++;
    return true;
}

const struct queue_peer word_queue = {"spinning on a word", 0,          1,   word_open, word_send,
                                      word_receive,         ring_close, NULL};
