/* SPDX-License-Identifier: MIT */
/* Boost.Interprocess, where it is installed (boost.cpp), or not (absent.c). */
#ifndef BENCH_BOOST_H
#define BENCH_BOOST_H

#include "peers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* NULL: not there. */
const struct lock_peer *boost_lock(void);

/* Create, write, close and unlink; open, read and close. `context`: the name. NULL: not there. */
typedef int64_t boost_way(int times, void *context);
boost_way *boost_life(void);
boost_way *boost_visit(void);

#ifdef __cplusplus
}
#endif

#endif
