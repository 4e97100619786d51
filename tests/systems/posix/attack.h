/* SPDX-License-Identifier: MIT */
/* The things that a neighbour does to the locks of a segment, with calls of its own: attack_ofd.c
 * and attack_lockfile.c, of which one is built. */
#ifndef SHMX_TESTS_ATTACK_H
#define SHMX_TESTS_ATTACK_H

#include <stdbool.h>

/* Hold every lock on what belongs to the segment that this user is given, until the process ends;
 * `users`: those too by which a segment has users. */
void attack_locks(const char *name, bool users);

/* The segment's users have died: wait until it holds those that were theirs. */
void attack_wait(void);

/* Can everybody see by the system that a segment has that name? */
bool attack_sees(const char *name);

/* The places in which a neighbour can put something where the library looks for that name: the
 * i-th, or NULL. */
const char *attack_place(const char *name, int i);

/* Cut the segment's object short; false: the system does not let anybody. */
bool attack_cut(const char *name);

#endif
