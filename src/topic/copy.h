/* SPDX-License-Identifier: MIT */
/*
 * A reader may copy while a publisher overwrites, and finds that out afterwards. C calls that a
 * race and has no word for such a copy, so that the compiler must be able to conclude nothing from
 * it: the bytes are moved and not looked at, between fences that no compiler moves memory accesses
 * over. Whatever order they are moved in is none of ours. Thread sanitizer would watch it, and gets
 * bytes that are loaded and stored relaxed. (A message that is written in place is written as its
 * user does it; what a reader saw of that is thrown away like the rest.)
 *
 * Messages that are not short are copied by memcpy, which uses the processor's widest registers,
 * and which is called by a pointer that the compiler must load.
 */
#ifndef SHMX_TOPIC_COPY_H
#define SHMX_TOPIC_COPY_H

#include "waiter.h"

extern void *(*const volatile shmx_topic_copy)(void *to, const void *from, size_t size);

#if defined(__SANITIZE_THREAD__)
#define TOPIC_WATCHED 1
#elif defined(__has_feature)
#define TOPIC_WATCHED __has_feature(thread_sanitizer)
#else
#define TOPIC_WATCHED 0
#endif

static inline bool topic_short(size_t size)
{
    return shmx_short(size) && !TOPIC_WATCHED;
}

static inline void topic_copy(void *to, const void *from, size_t size)
{
    _Atomic unsigned char *target = to;
    const _Atomic unsigned char *source = from;
    if (!TOPIC_WATCHED) {
        shmx_topic_copy(to, from, size);
        return;
    }
    for (size_t i = 0; i < size; i++)
        atomic_store_explicit(&target[i], atomic_load_explicit(&source[i], memory_order_relaxed),
                              memory_order_relaxed);
}

#endif
