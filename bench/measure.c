/* SPDX-License-Identifier: MIT */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>

#define WAYS_MAX 16
#define ROUNDS_MAX 101

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double middle(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

bool (*measure_stopped)(void);

int measure(const char *title, const struct way *ways, int count, int rounds, int times)
{
    static double each[WAYS_MAX][ROUNDS_MAX], ratio[WAYS_MAX][ROUNDS_MAX];
    int failed[WAYS_MAX] = {0};
    if (count > WAYS_MAX || rounds > ROUNDS_MAX)
        return count;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < count; i++) {
            if (measure_stopped != NULL && measure_stopped())
                return count;
            int64_t taken = ways[i].run(times, ways[i].context);
            failed[i] |= taken < 0;
            each[i][round] = (double)taken / times;
            ratio[i][round] = each[i][round] / each[0][round];
        }
    }
    int failures = 0;
    printf("\n%s (medians of %d rounds)\n  %-48s %12s %8s\n", title, rounds, "", "ns", "x");
    for (int i = 0; i < count; i++) {
        failures += failed[i];
        if (failed[i])
            printf("  %-48s %12s\n", ways[i].name, "failed");
        else
            printf("  %-48s %12.1f %8.2f\n", ways[i].name, middle(each[i], rounds),
                   middle(ratio[i], rounds));
    }
    fflush(stdout);
    return failures;
}
