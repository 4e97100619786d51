/* SPDX-License-Identifier: MIT */
/* Ways to hand messages to another process, as bench/queue.c uses them. */
#ifndef BENCH_QUEUE_PEER_H
#define BENCH_QUEUE_PEER_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct queue_peer {
    const char *name;
    size_t longest;  /* message; 0: any */
    double slowness; /* how many times fewer messages are enough */
    /* The producer opens first, then, in the other process, the consumer. `name` is this run's and
     * usable in a file's name; `message` the length of all messages, `capacity` how many bytes may
     * be under way. NULL: not here. */
    void *(*open)(const char *name, bool consumer, size_t message, size_t capacity);
    bool (*send)(void *end, const void *message, size_t size);
    bool (*receive)(void *end, void *buffer, size_t size);
    void (*close)(void *end, bool consumer);
    bool (*connect)(void *end); /* the producer's, after the consumer has opened; or NULL */
};

extern const struct queue_peer word_queue; /* for latency only: hands nothing over */
extern const struct queue_peer ring_queue; /* one producer, one consumer, by hand: the floor */

/* The peers that are here; ends with NULL. */
extern const struct queue_peer *const queue_peers[];
extern const struct queue_peer boost_queue, zeromq_queue, pipe_queue, socket_queue, mq_queue;

#ifdef __cplusplus
}
#endif

#endif
