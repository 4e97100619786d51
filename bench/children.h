/* SPDX-License-Identifier: MIT */
/* The benchmarks' needs of the operating system beside memory: posix/ and win32/. */
#ifndef BENCH_CHILDREN_H
#define BENCH_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>

/* Sleep while *word == expected, and wake sleepers, by the bare system; NULL where it cannot. */
extern void (*const bare_wait)(uint32_t *word, uint32_t expected);
extern void (*const bare_wake)(uint32_t *word, int count);

/* Start this program again with these arguments, and wait for its end: 0 if it went well. The one
 * that is started begins with process_begin: it ends with the one that started it. */
intptr_t process_start(char **arguments);
void process_begin(void);
void process_kill(intptr_t process);
int process_end(intptr_t process);

/* The calling thread stays on the n-th of two processors, so that two processes are measured and
 * not how the scheduler puts them; -1: anywhere again. Nothing happens where there is only one. */
void process_place(int n);

void process_pause(int64_t nanoseconds);
int64_t process_time(void); /* ns of a processor that this process has used */

/* Let this process have as many descriptors as the system allows it. */
void process_many_files(void);

#endif
