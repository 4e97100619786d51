/* SPDX-License-Identifier: MIT */
/* Stands for what is not here; Meson says what is. */
#include <stddef.h>

#include "boost.h"
#include "peers/queue_peer.h"

#ifndef BENCH_HAS_BOOST
const struct lock_peer *boost_lock(void)
{
    return NULL;
}

boost_way *boost_life(void)
{
    return NULL;
}

boost_way *boost_visit(void)
{
    return NULL;
}

const struct queue_peer boost_peer = {0};
#endif

#ifndef BENCH_HAS_ZEROMQ
const struct queue_peer zeromq_peer = {0};
#endif

#ifndef BENCH_HAS_SYSTEM_QUEUE
const struct queue_peer *const system_peers[] = {NULL};
#endif
