/* SPDX-License-Identifier: MIT */
/* The needs of support.c of the system: posix/support.c and win32/support.c. */
#ifndef SHMX_TESTS_SYSTEM_H
#define SHMX_TESTS_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

/* Set up the process; `part`: it plays one, and a fault must end it quickly and without a word. */
void system_begin(bool part);
void system_setenv(const char *name, const char *value);
uint32_t system_seed(void);
int64_t system_pid(void);

/* Call visit with each name in the system that starts with the prefix and that shmx_list may not
 * show. */
void system_leftovers(const char *prefix, void (*visit)(const char *name, void *context),
                      void *context);

/* The command that starts this program; set by test_begin. */
extern const char *system_program;

/* Kill and free children that a failed test left. */
void system_end_children(void);

#endif
