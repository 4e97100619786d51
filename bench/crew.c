/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "children.h"

#define EXTRA CREW_MOST /* the index of the one that is no member */

struct shared {
    struct {
        _Alignas(64) uint32_t command; /* number of the job, ever new */
    } member[CREW_MOST];
    _Alignas(64) uint32_t finished;
    _Alignas(64) uint32_t failed;
    _Alignas(64) struct crew_job job;
    _Alignas(64) struct crew_job extra;
};

shmx *crew_shm;
void *crew_stage;

static struct shared *shared;
static intptr_t processes[CREW_MOST];
static uint32_t count, busy;

static void share(void)
{
    shared = shmx_data(crew_shm);
    crew_stage = shared + 1;
}

static void tell(uint32_t *word)
{
    atomic_fetch_add((_Atomic uint32_t *)word, 1);
    shmx_wake(crew_shm, word, SHMX_WAKE_ALL);
}

static uint32_t await_change(uint32_t *word, uint32_t seen)
{
    while (atomic_load((_Atomic uint32_t *)word) == seen)
        shmx_wait(crew_shm, word, seen, SHMX_FOREVER);
    return atomic_load((_Atomic uint32_t *)word);
}

static void work(uint32_t index, crew_answer *answer)
{
    for (uint32_t done = 0;;) {
        done = await_change(&shared->member[index].command, done);
        struct crew_job job = shared->job;
        process_place(job.apart && index == 0 ? 1 : -1);
        if (job.kind != 0 && !answer(index, &job))
            shared->failed = 1;
        tell(&shared->finished);
        if (job.kind == 0)
            return;
    }
}

bool crew_member(int argc, char **argv, crew_answer *answer, int *status)
{
    if (argc != 4 || strcmp(argv[1], "--member") != 0)
        return false;
    process_begin();
    *status = 1;
    if (shmx_open(&crew_shm, argv[2], 0) != SHMX_OK)
        return true;
    share();
    uint32_t index = (uint32_t)atoi(argv[3]);
    *status = 0;
    if (index < CREW_MOST)
        work(index, answer);
    else
        *status = !answer(EXTRA, &shared->extra);
    shmx_close(&crew_shm);
    return true;
}

static intptr_t start(char *program, uint32_t index)
{
    char number[16];
    char *arguments[] = {program, (char *)"--member", (char *)shmx_name(crew_shm), number, NULL};
    snprintf(number, sizeof number, "%u", (unsigned)index);
    return process_start(arguments);
}

bool crew_start(char *program, size_t stage, uint32_t members)
{
    if (shmx_create(&crew_shm, NULL, sizeof *shared + stage, 0) != SHMX_OK)
        return false;
    share();
    for (count = 0; count < members; count++) {
        processes[count] = start(program, count);
        if (processes[count] == -1)
            return false;
    }
    return true;
}

void crew_begin(const struct crew_job *job, uint32_t members)
{
    shared->job = *job;
    shared->failed = 0;
    shared->finished = 0;
    busy = members;
    process_place(job->apart ? 0 : -1);
    for (uint32_t i = 0; i < members; i++)
        tell(&shared->member[i].command);
}

bool crew_join(void)
{
    for (uint32_t seen = 0; seen < busy;)
        seen = await_change(&shared->finished, seen);
    process_place(-1);
    return shared->failed == 0;
}

bool crew_end(void)
{
    struct crew_job stop = {0};
    bool good = true;
    crew_begin(&stop, count);
    for (uint32_t i = 0; i < count; i++)
        good &= process_end(processes[i]) == 0;
    shmx_close(&crew_shm);
    return good;
}

intptr_t crew_extra(char *program, const struct crew_job *job)
{
    shared->extra = *job;
    return start(program, EXTRA);
}
