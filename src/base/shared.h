/* SPDX-License-Identifier: MIT */
/*
 * Every byte of ours that lies in shared memory.
 *
 *     offset 0                          size            end of the mapping
 *     | the user's bytes ...            | (padding) ... | control block |
 *
 * Rules: fixed-width fields at natural alignment, the same for 32- and 64-bit processes; never a
 * pointer or an object of the system; nothing is believed before shmx_control_check has looked
 * at a private copy of it. A change of layout changes SHMX_LAYOUT_VERSION. In every
 * version the control block is the last SHMX_CONTROL_SIZE bytes, and begins with magic, version and
 * byte order, so that an older library knows a newer segment and leaves it alone.
 */
#ifndef SHMX_SHARED_H
#define SHMX_SHARED_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shmx.h"

/* A test builds another version. */
#ifndef SHMX_LAYOUT_VERSION
#define SHMX_LAYOUT_VERSION 1u
#endif
#define SHMX_BYTE_ORDER 0x01020304u
#define SHMX_MAGIC "shmx\r\n\x1a\n"

/* Written once, at creation, and only read ever after. */
struct shmx_label {
    uint8_t magic[8];
    uint32_t version;
    uint32_t byte_order;
    uint64_t size;    /* the user's bytes */
    uint64_t id;      /* random: this segment and no other, whatever its name */
    uint64_t created; /* ns since 1970 */
    uint64_t creator; /* process id */
    uint32_t flags;   /* SHMX_..., as given at create */
    uint32_t name_length;
    char name[132]; /* full name, zero-padded; "" for none */
    uint32_t check; /* of all the above but the magic; see shmx_label_sum */
};

enum { SHMX_STATE_LIVE = 1, SHMX_STATE_UNLINKED = 2 };

/* A sleeper on systems without a cross-process futex; see src/win32/wait.c. */
struct shmx_slot {
    _Atomic uint64_t state; /* whether and for whom it is in use */
    _Atomic uint64_t offset;
};

#define SHMX_SLOTS 64
#define SHMX_BUCKETS 64

struct shmx_control {
    struct shmx_label label;
    _Atomic uint32_t state;      /* SHMX_STATE_... */
    _Atomic uint32_t next_owner; /* the last owner token given out */
    _Atomic uint32_t next_key;   /* the last key given to the sides of a queue or topic */
    _Atomic uint32_t last_turn;  /* the last turn given out to a sleeper in a slot */
    _Atomic uint64_t annex;      /* the number of its annex, 0: none; see src/posix/ofd/annex.c */
    _Atomic uint32_t presence;   /* the event of those who enter and leave */
    uint32_t reserved[7];
    _Atomic uint32_t sleepers[SHMX_BUCKETS]; /* at least the sleepers on words of this bucket */
    struct shmx_slot slots[SHMX_SLOTS];
    uint8_t spare[520];
};

#define SHMX_CONTROL_SIZE 2048u

static_assert(sizeof(struct shmx_label) == 192, "layout");
static_assert(offsetof(struct shmx_label, name) == 56, "layout");
static_assert(offsetof(struct shmx_label, check) == 188, "layout");
static_assert(offsetof(struct shmx_control, state) == 192, "layout");
static_assert(offsetof(struct shmx_control, annex) == 208, "layout");
static_assert(offsetof(struct shmx_control, sleepers) == 248, "layout");
static_assert(offsetof(struct shmx_control, slots) == 504, "layout");
static_assert(sizeof(struct shmx_slot) == 16, "layout");
static_assert(sizeof(struct shmx_control) == SHMX_CONTROL_SIZE, "layout");
static_assert(sizeof(shmx_mutex) == 16 && sizeof(shmx_cond) == 16, "layout");
static_assert(sizeof(shmx_sem) == 16 && sizeof(shmx_once) == 16, "layout");
static_assert(sizeof(_Atomic uint32_t) == 4 && sizeof(_Atomic uint64_t) == 8, "layout");

#endif
