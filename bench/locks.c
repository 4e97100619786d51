/* SPDX-License-Identifier: MIT */
/* Locks beside what the system and other libraries offer: alone, between processes, and when their
 * owner dies. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "crew.h"
#include "peers/lock_peer.h"
#include "children.h"
#include "sample.h"

#define MEMBERS 7 /* and this process */
#define SECTIONS 300000
#define DEATHS 20
#define PAUSE 3000000 /* ns, in which a waiter falls asleep */

struct stage {
    _Alignas(64) unsigned char places[WAYS_MAX][PEER_SPACE];
    _Alignas(64) volatile uint64_t counter;
    _Alignas(64) _Atomic uint32_t held; /* takeover: the owner has it */
    _Atomic int64_t taken;              /* takeover: when the waiter got it */
};

enum kind { KIND_MEET = 1, KIND_SECTIONS, KIND_HOLD, KIND_TAKE };

static struct stage *stage;
static const struct lock_peer *locks[WAYS_MAX];
static int count, numbers[WAYS_MAX];

/* ---- shmx, as a peer of the others ---- */

static void own_lock(void *place)
{
    shmx_mutex_lock(crew_shm, place, SHMX_FOREVER);
}

static void own_unlock(void *place)
{
    shmx_mutex_unlock(crew_shm, place);
}

static const struct lock_peer own = {
    .name = "shmx_mutex", .lock = own_lock, .unlock = own_unlock, .robust = true};

static void locks_collect(void)
{
    for (int i = 0; system_locks[i] != NULL; i++)
        locks[count++] = system_locks[i];
    locks[count++] = &own;
    for (int i = 0; lock_peers[i] != NULL; i++)
        locks[count++] = lock_peers[i];
    for (int i = 0; i < count; i++)
        numbers[i] = i;
}

static bool locks_prepare(void)
{
    bool good = true;
    for (int i = 0; i < count; i++)
        good &= locks[i]->prepare == NULL || locks[i]->prepare(stage->places[i]);
    return good;
}

static void locks_remove(void)
{
    for (int i = 0; i < count; i++)
        if (locks[i]->remove != NULL)
            locks[i]->remove(stage->places[i]);
}

/* ---- ways ---- */

/* Written out for shmx, as its users call it: by its name and not through a table. */
static void sections_own(void *place, int times, bool counting)
{
    for (int i = 0; i < times; i++) {
        shmx_mutex_lock(crew_shm, place, SHMX_FOREVER);
        if (counting)
            stage->counter++;
        shmx_mutex_unlock(crew_shm, place);
    }
}

static void sections(int way, int times, bool counting)
{
    const struct lock_peer *lock = locks[way];
    void *place = stage->places[way];
    if (lock == &own) {
        sections_own(place, times, counting);
        return;
    }
    for (int i = 0; i < times; i++) {
        lock->lock(place);
        if (counting)
            stage->counter++;
        lock->unlock(place);
    }
}

static int work_of(int way, int times)
{
    return locks[way]->slow ? times / 100 + 1 : times;
}

static int64_t alone(int times, void *context)
{
    int way = *(int *)context;
    int work = work_of(way, times);
    int64_t start = now_ns();
    sections(way, work, false);
    return (now_ns() - start) * times / work;
}

/* Each process uses the lock once, one after the other: Qt's lock lets two in if their first uses
 * coincide. */
static bool meet(int way)
{
    struct crew_job job = {.kind = KIND_MEET, .way = (uint32_t)way};
    bool good = true;
    sections(way, 1, false);
    for (job.more = 0; job.more < MEMBERS && good; job.more++) {
        crew_begin(&job, MEMBERS);
        good = crew_join();
    }
    return good;
}

static uint32_t others; /* that want the same lock */

static int64_t together(int times, void *context)
{
    int way = *(int *)context;
    int work = work_of(way, sample_scaled(SECTIONS)) / (int)(others + 1) + 1;
    struct crew_job job = {
        .kind = KIND_SECTIONS, .way = (uint32_t)way, .times = (uint32_t)work, .apart = others == 1};
    stage->counter = 0;
    int64_t start = now_ns();
    crew_begin(&job, others);
    sections(way, work, true);
    bool good = crew_join();
    uint64_t all = (uint64_t)work * (others + 1);
    return good && stage->counter == all ? (now_ns() - start) * times / (int64_t)all : -1;
}

/* ---- an owner that dies ---- */

/* The owner is killed while it holds the lock and another sleeps at it: when does that one have it?
 */
static int64_t death(char *program, int way)
{
    struct crew_job hold = {.kind = KIND_HOLD, .way = (uint32_t)way};
    struct crew_job take = {.kind = KIND_TAKE, .way = (uint32_t)way};
    atomic_store(&stage->held, 0);
    intptr_t owner = crew_extra(program, &hold);
    while (owner != -1 && atomic_load(&stage->held) == 0)
        process_pause(100000);
    crew_begin(&take, 1);
    process_pause(PAUSE);
    int64_t start = now_ns();
    process_kill(owner);
    bool good = crew_join();
    process_end(owner);
    return good ? atomic_load(&stage->taken) - start : -1;
}

static bool takeover(char *program)
{
    int64_t ns[DEATHS];
    bool good = true;
    int deaths = sample_scaled(DEATHS);
    for (int round = 0; round < sample_rounds(); round++)
        for (int way = 0; way < count; way++) {
            for (int i = 0; locks[way]->robust && i < deaths && i < DEATHS; i++) {
                ns[i] = death(program, way);
                good &= ns[i] >= 0;
            }
            if (locks[way]->robust)
                sample_each((struct place){"takeover", ""}, locks[way]->name, round, ns,
                            deaths < DEATHS ? deaths : DEATHS);
        }
    return good;
}

static bool answer(uint32_t index, const struct crew_job *job)
{
    const struct lock_peer *lock = locks[job->way];
    void *place = ((struct stage *)crew_stage)->places[job->way];
    stage = crew_stage;
    switch ((enum kind)job->kind) {
    case KIND_MEET:
        if (index == job->more)
            sections((int)job->way, 1, false);
        return true;
    case KIND_SECTIONS:
        sections((int)job->way, (int)job->times, true);
        return true;
    case KIND_HOLD:
        lock->lock(place);
        atomic_store(&stage->held, 1);
        for (;;)
            process_pause(1000000000);
    case KIND_TAKE:
        lock->lock(place);
        atomic_store(&stage->taken, now_ns());
        lock->unlock(place);
        return true;
    }
    return false;
}

/* ---- the tables ---- */

static bool tables(char *program)
{
    struct way ways[WAYS_MAX];
    bool good = true;
    for (int i = 0; i < count; i++)
        ways[i] = (struct way){locks[i]->name, alone, &numbers[i]};
    if (sample_wants("lock"))
        good &= sample_ways((struct place){"lock", "1"}, ways, count, 1000000);
    for (int i = 0; i < count; i++) {
        ways[i].run = together;
        good &= meet(i);
    }
    others = 1;
    if (sample_wants("lock"))
        good &= sample_ways((struct place){"lock", "2"}, ways, count, 1000);
    others = MEMBERS;
    if (sample_wants("lock"))
        good &= sample_ways((struct place){"lock", "8"}, ways, count, 1000);
    if (sample_wants("takeover"))
        good &= takeover(program);
    return good;
}

int main(int argc, char **argv)
{
    int status;
    locks_collect();
    if (crew_member(argc, argv, answer, &status))
        return status;
    if (!sample_begin(argc, argv))
        return 2;
    if (!crew_start(argv[0], sizeof(struct stage), MEMBERS))
        return 1;
    stage = crew_stage;
    bool good = locks_prepare() && tables(argv[0]);
    locks_remove();
    return !(crew_end() && good);
}
