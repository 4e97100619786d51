/* SPDX-License-Identifier: MIT */
/*
 * A reader may copy while a publisher overwrites, and finds that out afterwards. So that this is no
 * race by the rules of C, both copy by relaxed loads and stores of whole words; the ring's side is
 * aligned to 8 and padded to 16. (A message that is written in place is written as its user does
 * it; what a reader saw of that is thrown away like the rest.)
 *
 * More than a few words are copied by memcpy, in a third of the time. C has no word for that: it is
 * called by a pointer that the compiler must load, so that it can conclude nothing from it, and
 * whatever order it copies in is none of ours. Thread sanitizer would watch it, and gets the words.
 */
#ifndef SHMX_TOPIC_COPY_H
#define SHMX_TOPIC_COPY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef size_t topic_word;
#define TOPIC_COPY_WORDS 32 /* bytes; from here on it pays */

extern void *(*const volatile shmx_topic_copy)(void *to, const void *from, size_t size);

#if defined(__SANITIZE_THREAD__)
#define TOPIC_WATCHED 1
#elif defined(__has_feature)
#define TOPIC_WATCHED __has_feature(thread_sanitizer)
#else
#define TOPIC_WATCHED 0
#endif

static inline bool topic_copy_whole(void *to, const void *from, size_t size)
{
    if (TOPIC_WATCHED || size < TOPIC_COPY_WORDS)
        return false;
    shmx_topic_copy(to, from, size);
    return true;
}

/* Fewer bytes than a word, to or from one. */
static inline void topic_copy_rest(unsigned char *to, const unsigned char *from, size_t size)
{
    size_t four = size & 4, two = size & 2;
    if (four != 0)
        memcpy(to, from, 4);
    if (two != 0)
        memcpy(to + four, from + four, 2);
    if ((size & 1) != 0)
        to[four + two] = from[four + two];
}

static inline void topic_word_in(unsigned char *target, const void *source)
{
    topic_word word;
    memcpy(&word, source, sizeof word);
    atomic_store_explicit((_Atomic topic_word *)(void *)target, word, memory_order_relaxed);
}

static inline void topic_word_out(unsigned char *target, const unsigned char *source)
{
    topic_word word = atomic_load_explicit((const _Atomic topic_word *)(const void *)source,
                                           memory_order_relaxed);
    memcpy(target, &word, sizeof word);
}

static inline void topic_copy_in(unsigned char *target, const void *from, size_t size)
{
    const unsigned char *source = from;
    size_t step = sizeof(topic_word);
    if (topic_copy_whole(target, from, size))
        return;
    for (; size >= 2 * step; size -= 2 * step, source += 2 * step, target += 2 * step) {
        topic_word_in(target, source);
        topic_word_in(target + step, source + step);
    }
    if (size >= step) {
        topic_word_in(target, source);
        size -= step;
        source += step;
        target += step;
    }
    if (size == 0)
        return;
    topic_word word = 0;
    topic_copy_rest((unsigned char *)&word, source, size);
    topic_word_in(target, &word);
}

static inline void topic_copy_out(void *to, const unsigned char *source, size_t size)
{
    unsigned char *target = to;
    size_t step = sizeof(topic_word);
    if (topic_copy_whole(to, source, size))
        return;
    for (; size >= 2 * step; size -= 2 * step, source += 2 * step, target += 2 * step) {
        topic_word_out(target, source);
        topic_word_out(target + step, source + step);
    }
    if (size >= step) {
        topic_word_out(target, source);
        size -= step;
        source += step;
        target += step;
    }
    if (size == 0)
        return;
    topic_word word;
    topic_word_out((unsigned char *)&word, source);
    topic_copy_rest(target, (const unsigned char *)&word, size);
}

#endif
