/* SPDX-License-Identifier: MIT */
/*
 * Other processes to measure with: this program again, waiting for jobs.
 *
 *     crew_start(argv[0], sizeof(struct stage), 7);
 *     crew_begin(&job, 2);        the first two do answer(index, job)
 *     ...                         this process's own part
 *     if (crew_join()) ...
 *     crew_end();
 */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shmx.h>

#define CREW_MOST 64

struct crew_job {
    uint32_t kind; /* the program's own, not 0 */
    uint32_t way;
    uint32_t times;
    uint32_t more; /* the program's own */
    bool apart;    /* the first member and this process, each on a processor of its own */
    uint64_t message;
    uint64_t capacity;
    char name[64];
};

/* The segment that all share, and the program's own part of it, aligned to 64. */
extern shmx *crew_shm;
extern void *crew_stage;

/* A member's life, if the words say that this is one: returns whether they do. */
typedef bool crew_answer(uint32_t index, const struct crew_job *job);
bool crew_member(int argc, char **argv, crew_answer *answer, int *status);

bool crew_start(char *program, size_t stage, uint32_t count);
void crew_begin(const struct crew_job *job, uint32_t members);
bool crew_join(void); /* all of them finished, and none failed */
bool crew_end(void);

/* Start one more, which does one job and ends; its process. */
intptr_t crew_extra(char *program, const struct crew_job *job);

#endif
