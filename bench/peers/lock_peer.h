/* SPDX-License-Identifier: MIT */
/* The peers of the locks and of the waking of a process, in shared memory. */
#ifndef BENCH_LOCK_PEER_H
#define BENCH_LOCK_PEER_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PEER_SPACE 256 /* bytes, zeroed and aligned to 64, that a peer's object may take */

struct lock_peer {
    const char *name;
    bool (*prepare)(void *place); /* by one process; NULL: zeroed is ready */
    void (*lock)(void *place);
    void (*unlock)(void *place);
    void (*remove)(void *place); /* NULL: nothing lies elsewhere */
    bool robust;                 /* lock returns when the owner has died */
    bool slow;                   /* a hundredth of the turns is enough */
};

/* Each ends with NULL. The first of the system is the floor. */
extern const struct lock_peer *const lock_peers[]; /* of others */
extern const struct lock_peer *const system_locks[];
extern const struct lock_peer boost_lock, qt_lock;

/* Tell one waiter once; wait to be told once. */
struct tell_peer {
    const char *name;
    bool (*prepare)(void *place);
    void (*tell)(void *place);
    void (*await)(void *place);
};

extern const struct tell_peer *const system_tells[];

#ifdef __cplusplus
}
#endif

#endif
