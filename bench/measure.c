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
bool measure_json;

/* Medians of a way. */
struct result {
    bool failed;
    double ns, ratio;
};

static void print_table(const char *title, const struct way *ways, const struct result *results,
                        int count, int rounds)
{
    printf("\n%s (medians of %d rounds)\n  %-48s %12s %8s\n", title, rounds, "", "ns", "x");
    for (int i = 0; i < count; i++)
        if (results[i].failed)
            printf("  %-48s %12s\n", ways[i].name, "failed");
        else
            printf("  %-48s %12.1f %8.2f\n", ways[i].name, results[i].ns, results[i].ratio);
}

/* Titles and names are ours, and have nothing that JSON would want escaped. */
static void print_json(const char *title, const struct way *ways, const struct result *results,
                       int count, int rounds)
{
    static bool another;
    printf("%s    {\"title\": \"%s\", \"rounds\": %d, \"rows\": [", another ? ",\n" : "", title,
           rounds);
    another = true;
    for (int i = 0; i < count; i++) {
        printf("%s\n      {\"name\": \"%s\", ", i > 0 ? "," : "", ways[i].name);
        if (results[i].failed)
            printf("\"ns\": null, \"ratio\": null}");
        else
            printf("\"ns\": %.1f, \"ratio\": %.3f}", results[i].ns, results[i].ratio);
    }
    printf("]}");
}

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
    struct result results[WAYS_MAX];
    int failures = 0;
    for (int i = 0; i < count; i++) {
        failures += failed[i];
        results[i].failed = failed[i];
        results[i].ns = middle(each[i], rounds);
        results[i].ratio = middle(ratio[i], rounds);
    }
    (measure_json ? print_json : print_table)(title, ways, results, count, rounds);
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
