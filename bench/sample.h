/* SPDX-License-Identifier: MIT */
/*
 * The output of the programs of this folder: one line of JSON for each sample. run.py starts them,
 * collects the lines, and makes tables and charts of them.
 *
 *     bench_NAME ROUNDS PERCENT [TABLE]...
 *
 * PERCENT is how much of the work of a round is done; TABLE which tables, all if none is named.
 */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "measure.h"

/* Where a sample belongs: the table, and the point of its axis ("1 KiB"). */
struct place {
    const char *table;
    const char *at;
};

/* False, and the usage on standard error: the words are wrong. */
bool sample_begin(int argc, char **argv);
int sample_rounds(void);
int sample_scaled(int times); /* so many percent of it, at least 1 */
bool sample_wants(const char *table);

/* Negative values say that it failed. The unit is the table's; most have ns. */
void sample_value(struct place place, const char *way, int round, double value);

/* Single values of one round, as for p99; their median is the round's value if it has no other. */
void sample_each(struct place place, const char *way, int round, const int64_t *values, int count);

/* All rounds of some ways; false: one failed. */
bool sample_ways(struct place place, const struct way *ways, int count, int times);

#endif
