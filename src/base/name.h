/* SPDX-License-Identifier: MIT */
/* Names: the one grammar, random names, and names condensed for systems with a short limit. */
#ifndef SHMX_NAME_H
#define SHMX_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "shmx.h"

/* SHMX_OK, SHMX_EINVAL or SHMX_ENAMETOOLONG. */
int shmx_name_check(const char *name);

/* Write a random name "shmx_..." of 30 bytes and a final zero. */
int shmx_name_random(char name[SHMX_NAME_MAX + 1]);

/* Write the system's name for `name`: itself if it has at most `limit` bytes (0: no limit; at
 * least 16 otherwise), else a prefix, '~', the digit `probe` (0 to SHMX_NAME_PROBES - 1) and
 * eight characters of a hash. '~' is not in the grammar, so no name is another's condensed one;
 * names with the same hash are told apart by probing on and reading the control block. */
#define SHMX_NAME_PROBES 4
void shmx_name_condense(char out[SHMX_NAME_MAX + 1], const char *name, size_t limit, int probe);

/* Write `name` for file systems that fold case: "mymemory+5" for MyMemory, where bit n of the
 * number is set if byte n is upper case. A name without upper case is itself. */
#define SHMX_NAME_FOLDED_MAX (SHMX_NAME_MAX + 1 + SHMX_NAME_MAX / 4)
void shmx_name_fold(char out[SHMX_NAME_FOLDED_MAX + 1], const char *name);

/* Write the name whose folded form this is; false if it is no folded form. */
bool shmx_name_unfold(char name[SHMX_NAME_MAX + 1], const char *folded);

#endif
