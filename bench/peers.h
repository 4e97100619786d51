/* SPDX-License-Identifier: MIT */
/* What the locks are measured beside: the system's own, in shared memory. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#define PEER_SPACE 256 /* bytes, zeroed and aligned to 64, that a peer's object may take */

struct lock_peer {
    const char *name;
    bool (*prepare)(void *place); /* NULL: zeroed is ready */
    void (*lock)(void *place);
    void (*unlock)(void *place);
};

/* Ends with a NULL name. The first is the floor. */
extern const struct lock_peer lock_peers[];

/* Sleep while *word == expected, and wake one sleeper, by the bare system; NULL where it cannot. */
extern void (*const peer_wait)(uint32_t *word, uint32_t expected);
extern void (*const peer_wake)(uint32_t *word);

/* Start this program again with these arguments, and wait for its end: 0 if it went well. The one
 * that is started begins with peer_begin: it ends with the one that started it. */
intptr_t peer_start(char **arguments);
void peer_begin(void);
int peer_end(intptr_t process);
void peer_pause(int64_t nanoseconds);

#endif
