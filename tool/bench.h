/* SPDX-License-Identifier: MIT */
/* The parts of `shmx bench`: bench.c and bench_queue.c. */
#ifndef TOOL_BENCH_H
#define TOOL_BENCH_H

#define BENCH_PATIENCE_MS 10000 /* with the other process */
#define BENCH_SLICE_MS 100      /* between two looks whether to stop */

/* Measure a queue in a segment of that name; the number of failures. */
int bench_queue(const char *name, int rounds);

/* The other side of it: receive until an empty message comes; the program's status. */
int bench_queue_drain(const char *name);

#endif
