/* SPDX-License-Identifier: MIT */
/* What a neighbour does to the locks of a segment, with calls of its own: attack_ofd.c and
 * attack_lockfile.c, of which one is built. */
#ifndef SHMX_TESTS_ATTACK_H
#define SHMX_TESTS_ATTACK_H

#include <stdbool.h>

/* Hold every lock on what belongs to the segment that this user is given, until the process ends;
 * `users`: those too by which a segment has users. */
void attack_locks(const char *name, bool users);

/* Can those who may only read keep others from creating, opening and unlinking? docs/security.md
 * says where. */
bool attack_keeps_names(void);

/* Cut the segment's object short; false: the system does not let anybody. */
bool attack_cut(const char *name);

#endif
