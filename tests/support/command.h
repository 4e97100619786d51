/* SPDX-License-Identifier: MIT */
/* Run other programs of this project: posix/command.c and win32/command.c. */
#ifndef SHMX_TESTS_COMMAND_H
#define SHMX_TESTS_COMMAND_H

#include <stdbool.h>

#define COMMAND_STOPPED 1000 /* ended from outside, not by itself */

struct command;

/* Start a program (words[0]; neither spaces nor quotes; ends with NULL) with files as its standard
 * input, output and error. */
struct command *command_start(const char *const *words, const char *in, const char *out,
                              const char *err);

/* Wait for its end and return its status or COMMAND_STOPPED; frees command. */
int command_wait(struct command *command);

/* Ask it to end as Ctrl-C does, where that can be done from outside: false if not. */
bool command_interrupt(struct command *command);
void command_kill(struct command *command);

#endif
