/* SPDX-License-Identifier: MIT */
/* Several ways to do one thing, measured by turns in one run, so that a noisy machine disturbs all
 * alike: medians, and ratios to the first. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#define WAYS_MAX 24
#define ROUNDS_MAX 101

struct way {
    const char *name;
    /* Do it `times` times; return the nanoseconds that count, or -1. */
    int64_t (*run)(int times, void *context);
    void *context;
};

int64_t now_ns(void);

/* Asked between the runs: true ends a measurement, and no table is printed. NULL: never. */
extern bool (*measure_stopped)(void);

/* Print objects with commas between them, for an array, instead of tables. */
extern bool measure_json;

/* One round: what each way takes for one time, in ns; negative if it failed. False: stopped. */
bool measure_round(const struct way *ways, int count, int times, double *ns);

/* Print a table of `count` ways: each is run `rounds` times, `times` times in a row. Returns the
 * number of ways that failed. */
int measure(const char *title, const struct way *ways, int count, int rounds, int times);

/* This program was compiled without optimisation, and the library with it. */
bool measure_is_slow_build(void);

#endif
