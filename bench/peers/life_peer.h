/* SPDX-License-Identifier: MIT */
/* Ways to make, open and leave a named segment, as bench/life.c uses them. */
#ifndef BENCH_LIFE_PEER_H
#define BENCH_LIFE_PEER_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HELD_ROOM 192

struct held {
    void *data;
    size_t size;
    union {
        unsigned char bytes[HELD_ROOM]; /* what the peer needs of its own */
        void *pointer;
        long long number;
        double alignment;
    } room;
};

struct life_peer {
    const char *name;
    bool (*create)(struct held *held, const char *name, size_t size);
    bool (*open)(struct held *held, const char *name, size_t size);
    void (*close)(struct held *held);
    void (*remove)(const char *name); /* before the creator closes; NULL: closing does it */
};

/* Ends with NULL. The first is the floor. */
extern const struct life_peer *const life_peers[];

extern const struct life_peer raw_life, reserved_life, system_v_life; /* the system's */
extern const struct life_peer boost_life, qt_life, apr_life;

#ifdef __cplusplus
}
#endif

#endif
