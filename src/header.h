/* SPDX-License-Identifier: MIT */
/* The beginning of a queue and of a topic in shared memory: what it is, of which version, and how
 * long its ring is. */
#ifndef SHMX_HEADER_H
#define SHMX_HEADER_H

#include "waiter.h"

enum { HEADER_MAGIC, HEADER_VERSION, HEADER_CAPACITY, HEADER_FACTS };

/* Write these facts to the beginning of the header, where there is none yet, and see that it has
 * them. SHMX_EPROTO: something else lies here; SHMX_ERANGE: it has another capacity; SHMX_NOTHING:
 * there is none, nor may this attachment write one. One that may write has a token afterwards. */
int shmx_header_settle(shmx *shm, _Atomic uint32_t *header, size_t bytes,
                       const uint32_t facts[HEADER_FACTS]);

#endif
