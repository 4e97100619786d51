/* SPDX-License-Identifier: MIT */
#include "../raw.h"
#include "life_peer.h"

_Static_assert(sizeof(struct raw) <= HELD_ROOM, "room for the peer");

static bool raw_made(struct held *held, int status)
{
    held->data = ((struct raw *)&held->room)->data;
    return status == 0;
}

static bool create(struct held *held, const char *name, size_t size)
{
    return raw_made(held, raw_create((struct raw *)&held->room, name, size));
}

static bool attach(struct held *held, const char *name, size_t size)
{
    return raw_made(held, raw_open((struct raw *)&held->room, name, size));
}

static void leave(struct held *held)
{
    raw_close((struct raw *)&held->room);
}

const struct life_peer raw_life = {"bare calls", create, attach, leave, raw_unlink};
