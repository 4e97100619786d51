/* SPDX-License-Identifier: MIT */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>

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

bool measure_round(const struct way *ways, int count, int times, double *ns)
{
    for (int i = 0; i < count; i++) {
        if (measure_stopped != NULL && measure_stopped())
            return false;
        int64_t taken = ways[i].run(times, ways[i].context);
        ns[i] = taken < 0 ? -1 : (double)taken / times;
    }
    return true;
}

int measure(const char *title, const struct way *ways, int count, int rounds, int times)
{
    static double each[WAYS_MAX][ROUNDS_MAX], ratio[WAYS_MAX][ROUNDS_MAX];
    double ns[WAYS_MAX];
    bool failed[WAYS_MAX] = {false};
    if (count > WAYS_MAX || rounds > ROUNDS_MAX)
        return count;
    for (int round = 0; round < rounds; round++) {
        if (!measure_round(ways, count, times, ns))
            return count;
        for (int i = 0; i < count; i++) {
            failed[i] |= ns[i] < 0;
            each[i][round] = ns[i];
            ratio[i][round] = ns[i] / ns[0];
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

bool measure_is_slow_build(void)
{
#if defined MEASURE_SLOW_BUILD || (defined __GNUC__ && !defined __OPTIMIZE__)
    return true;
#else
    return false;
#endif
}
