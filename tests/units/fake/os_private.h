/* SPDX-License-Identifier: MIT */
/* The things that the fake backend keeps with an attachment. */
#ifndef SHMX_OS_PRIVATE_H
#define SHMX_OS_PRIVATE_H

#include <stdatomic.h>
#include <stdint.h>

struct fake_memory;
struct shmx_attachment;

struct shmx_os_private {
    struct fake_memory *memory;
    struct shmx_attachment *next;
};

static inline uint32_t shmx_os_glance(const _Atomic uint32_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

#endif
