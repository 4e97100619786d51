/* SPDX-License-Identifier: MIT */
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rounds, percent, wanted_count;
static char **wanted;

bool sample_begin(int argc, char **argv)
{
    if (argc >= 3) {
        rounds = atoi(argv[1]);
        percent = atoi(argv[2]);
        wanted = argv + 3;
        wanted_count = argc - 3;
    }
    if (rounds >= 1 && rounds <= ROUNDS_MAX && percent >= 1)
        return true;
    fprintf(stderr, "usage: %s ROUNDS PERCENT [TABLE]...\n", argv[0]);
    return false;
}

int sample_rounds(void)
{
    return rounds;
}

int sample_scaled(int times)
{
    int64_t scaled = (int64_t)times * percent / 100;
    return scaled > 1 ? (int)scaled : 1;
}

bool sample_wants(const char *table)
{
    bool found = wanted_count == 0;
    for (int i = 0; i < wanted_count; i++)
        found |= strcmp(wanted[i], table) == 0;
    return found;
}

static void line_begin(struct place place, const char *way, int round)
{
    printf("{\"table\": \"%s\", \"at\": \"%s\", \"way\": \"%s\", \"round\": %d, ", place.table,
           place.at, way, round);
}

void sample_value(struct place place, const char *way, int round, double value)
{
    line_begin(place, way, round);
    printf("\"value\": %.3f}\n", value);
    fflush(stdout);
}

void sample_each(struct place place, const char *way, int round, const int64_t *values, int count)
{
    line_begin(place, way, round);
    printf("\"each\": [");
    for (int i = 0; i < count; i++)
        printf(i == 0 ? "%lld" : ", %lld", (long long)values[i]);
    printf("]}\n");
    fflush(stdout);
}

bool sample_ways(struct place place, const struct way *ways, int count, int times)
{
    double ns[WAYS_MAX];
    bool good = count <= WAYS_MAX && measure_round(ways, count, 1, ns); /* what is done once */
    for (int round = 0; round < rounds; round++) { /* one that fails does not end the others' */
        measure_round(ways, count, sample_scaled(times), ns);
        for (int i = 0; i < count; i++) {
            sample_value(place, ways[i].name, round, ns[i]);
            good &= ns[i] >= 0;
        }
    }
    return good;
}
