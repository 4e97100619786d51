/* SPDX-License-Identifier: MIT */
/* Shared by the tests that stop a child at each call of the system: the child, and those who live
 * beside it. */
#ifndef SHMX_TESTS_POSIX_TRACED_H
#define SHMX_TESTS_POSIX_TRACED_H

#include <sys/types.h>

#include "support.h"

/* ---- the child ---- */

/* Whether this system lets us trace a child. */
bool traced_works(void);

/* A fork that stops, then does `run` and ends. */
pid_t traced_start(void (*run)(const void *context, const char *name), const void *context,
                   const char *name);

/* Wait for its stop at the start, and for the next: at a call's entry or end, with a signal, or
 * because it has ended. Each returns the wait status. */
int traced_begin(pid_t child);
int traced_next(pid_t child, int signal);

/* ---- those beside it ---- */

#define HELD_SIZE 5000

extern shmx *held; /* the test's */

/* Make `held`, with sevens in its first 100 bytes. */
void hold(const char *name);
void hold_persistent(const char *name);
void hold_for_others(const char *name);
void hold_zeros(const char *name);
void let_go(const char *name);

/* A child makes it or attaches, does `act`, and is killed. */
void leave(const char *name, void (*act)(shmx *shm));
void leave_dead(const char *name); /* what it made is filled */

/* `held` has its sevens, and its name before and after a prune. */
void still_there(const char *name);

/* `held` has its sevens; its name is there or not, but nothing between. */
void there_or_unlinked(const char *name);

#endif
