/* SPDX-License-Identifier: MIT */
/* Being there under a key, asking who is, and how soon a death is told. */
#include <stdatomic.h>

#include "children.h"
#include "crew.h"
#include "sample.h"

#define KEY 1
#define DEATHS 20

enum kind { KIND_STAY = 1 };

struct stage {
    _Atomic uint32_t entered;
};

static int64_t enter_leave(int times, void *context)
{
    int64_t start = now_ns();
    for (int i = 0; i < times; i++)
        if (shmx_presence_enter(context, KEY) != SHMX_OK ||
            shmx_presence_leave(context, KEY) != SHMX_OK)
            return -1;
    return now_ns() - start;
}

static int64_t ask(int times, void *context)
{
    int64_t start = now_ns();
    for (int i = 0; i < times; i++)
        if (shmx_presence_wait(context, KEY, 0, 0) != SHMX_OK)
            return -1;
    return now_ns() - start;
}

static bool answer(uint32_t index, const struct crew_job *job)
{
    struct stage *stage = crew_stage;
    (void)index;
    (void)job;
    if (shmx_presence_enter(crew_shm, KEY) != SHMX_OK)
        return false;
    atomic_store(&stage->entered, 1);
    for (;;)
        process_pause(1000000000);
}

/* From the kill until one who waits is told. */
static int64_t death(char *program)
{
    struct crew_job stay = {.kind = KIND_STAY};
    struct stage *stage = crew_stage;
    atomic_store(&stage->entered, 0);
    intptr_t other = crew_extra(program, &stay);
    while (other != -1 && atomic_load(&stage->entered) == 0)
        process_pause(100000);
    int64_t start = now_ns();
    process_kill(other);
    bool good = shmx_presence_wait(crew_shm, KEY, 0, SHMX_FOREVER) == SHMX_OK;
    int64_t taken = now_ns() - start;
    process_end(other);
    return good ? taken : -1;
}

static bool deaths(char *program)
{
    int64_t ns[DEATHS];
    int count = sample_scaled(DEATHS);
    bool good = true;
    count = count < DEATHS ? count : DEATHS;
    for (int round = 0; round < sample_rounds(); round++) {
        for (int i = 0; i < count; i++) {
            ns[i] = death(program);
            good &= ns[i] >= 0;
        }
        sample_each((struct place){"presence", "death"}, "shmx_presence_wait, killed", round, ns,
                    count);
    }
    return good;
}

int main(int argc, char **argv)
{
    int status;
    if (crew_member(argc, argv, answer, &status))
        return status;
    if (!sample_begin(argc, argv))
        return 2;
    if (!crew_start(argv[0], sizeof(struct stage), 0))
        return 1;
    struct way ways[] = {{"shmx_presence_enter, leave", enter_leave, crew_shm},
                         {"shmx_presence_wait, asked", ask, crew_shm}};
    bool good = sample_ways((struct place){"presence", "alone"}, ways, 2, 10000);
    good &= deaths(argv[0]);
    return !(crew_end() && good);
}
