/* SPDX-License-Identifier: MIT */
/* The peers that are here; Meson says which. */
#include <stddef.h>

#include "life_peer.h"
#include "lock_peer.h"
#include "queue_peer.h"

const struct life_peer *const life_peers[] = {&raw_life,
#ifdef BENCH_HAS_SYSTEM
                                              &reserved_life,
#endif
#ifdef BENCH_HAS_BOOST
                                              &boost_life,
#endif
#ifdef BENCH_HAS_APR
                                              &apr_life,
#endif
#ifdef BENCH_HAS_SYSTEM
                                              &system_v_life,
#endif
#ifdef BENCH_HAS_QT
                                              &qt_life,
#endif
                                              NULL};

const struct lock_peer *const lock_peers[] = {
#ifdef BENCH_HAS_BOOST
    &boost_lock,
#endif
#ifdef BENCH_HAS_QT
    &qt_lock,
#endif
    NULL};

const struct queue_peer *const queue_peers[] = {
#ifdef BENCH_HAS_BOOST
    &boost_queue,
#endif
#ifdef BENCH_HAS_ZEROMQ
    &zeromq_queue,
#endif
#ifdef BENCH_HAS_SYSTEM
    &pipe_queue,   &socket_queue, &mq_queue,
#endif
    NULL};
