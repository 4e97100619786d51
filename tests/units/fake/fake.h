/* SPDX-License-Identifier: MIT */
/*
 * A backend without an operating system: objects are memory of this process, there is nobody else,
 * and the n-th call that can fail fails on demand. For the portable code's paths of failure, which
 * are thereby reached on every system.
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stddef.h>

#define FAKE_ERROR 4711 /* the system's number behind every failure made here */

/* From now on the n-th call that can fail fails with the status; n counts from 1, 0: none. */
void fake_fail(int n, int status);

/* True if it came to that. */
bool fake_failed(void);

/* True if what failed was the heap, whose status is SHMX_ENOMEM. */
bool fake_heap_failed(void);

/* The things that are there now: attachments, names, pieces of heap of the portable code. */
int fake_attachments(void);
int fake_names(void);
int fake_heap(void);
int fake_marks(void);

/* How often the memory of the dead was looked for. */
int fake_sweeps(void);

/* Let the clock go on by so many ns. */
void fake_clock_pass(long long ns);

/* The thread that locks ends, as far as the portable code can see. */
void fake_thread_end(void);

/* The next owner that is asked about does this before the answer, and is dead by then. */
void fake_owner_dies(void (*last)(void));

/* Forget all names. */
void fake_clear(void);

/* The heap as the portable code sees it; it is compiled with these names instead of the standard
 * ones. */
void *fake_calloc(size_t count, size_t size);
void *fake_malloc(size_t size);
void fake_free(void *piece);

#endif
