/* SPDX-License-Identifier: MIT */
/* Telling another process something: one that runs, one that sleeps, eight that sleep, and nobody.
 */
#include <stdatomic.h>
#include <string.h>

#include "crew.h"
#include "peers/lock_peer.h"
#include "children.h"
#include "sample.h"

#define SLEEPERS 8
#define TELLINGS 20000
#define SINGLE 2000 /* of them with the clock read at each */
#define ASLEEP 200
#define PAUSE 300000 /* ns, in which a waiter falls asleep */

struct pair {
    _Alignas(64) unsigned char there[PEER_SPACE];
    unsigned char back[PEER_SPACE];
};

struct stage {
    struct pair pairs[WAYS_MAX];
    _Alignas(64) _Atomic uint32_t answered;
    _Alignas(64) int64_t heard[SLEEPERS];
    _Alignas(64) uint32_t all; /* all sleep on this word */
};

enum kind { KIND_ANSWER = 1, KIND_HEAR, KIND_ALL };

static struct stage *stage;
static const struct tell_peer *ways[WAYS_MAX];
static int count;

/* ---- shmx, as a peer of the others ---- */

struct counts {
    _Alignas(64) uint32_t told;
    _Alignas(64) uint32_t taken;
};

static uint32_t look(const uint32_t *word)
{
    return atomic_load_explicit((const _Atomic uint32_t *)word, memory_order_acquire);
}

static void own_tell(void *place)
{
    struct counts *counts = place;
    atomic_fetch_add_explicit((_Atomic uint32_t *)&counts->told, 1, memory_order_release);
    shmx_wake(crew_shm, &counts->told, 1);
}

static void own_await(void *place)
{
    struct counts *counts = place;
    while (look(&counts->told) == counts->taken)
        shmx_wait(crew_shm, &counts->told, counts->taken, SHMX_FOREVER);
    counts->taken++;
}

static const struct tell_peer own = {"shmx_wake, shmx_wait", NULL, own_tell, own_await};

static bool ways_prepare(void)
{
    bool good = true;
    for (int i = 0; i < count; i++)
        good &= ways[i]->prepare == NULL ||
                (ways[i]->prepare(stage->pairs[i].there) && ways[i]->prepare(stage->pairs[i].back));
    return good;
}

/* ---- one that runs ---- */

static bool running_way(struct place place, int way, int round)
{
    static int64_t each[SINGLE];
    const struct tell_peer *peer = ways[way];
    struct pair *pair = &stage->pairs[way];
    int times = sample_scaled(TELLINGS), single = sample_scaled(SINGLE);
    single = single < SINGLE ? single : SINGLE;
    struct crew_job job = {.kind = KIND_ANSWER,
                           .way = (uint32_t)way,
                           .times = (uint32_t)(times + single),
                           .apart = true};
    crew_begin(&job, 1);
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        peer->tell(pair->there);
        peer->await(pair->back);
    }
    sample_value(place, peer->name, round, (double)(now_ns() - start) / times / 2);
    for (int i = 0; i < single; i++) {
        start = now_ns();
        peer->tell(pair->there);
        peer->await(pair->back);
        each[i] = (now_ns() - start) / 2;
    }
    sample_each(place, peer->name, round, each, single);
    return crew_join();
}

/* ---- one that sleeps ---- */

static bool asleep_way(struct place place, int way, int round)
{
    static int64_t each[ASLEEP];
    struct pair *pair = &stage->pairs[way];
    int times = sample_scaled(ASLEEP);
    times = times < ASLEEP ? times : ASLEEP;
    struct crew_job job = {
        .kind = KIND_HEAR, .way = (uint32_t)way, .times = (uint32_t)times, .apart = true};
    atomic_store(&stage->answered, 0);
    crew_begin(&job, 1);
    for (int i = 0; i < times; i++) {
        process_pause(PAUSE);
        int64_t start = now_ns();
        ways[way]->tell(pair->there);
        while (atomic_load(&stage->answered) != (uint32_t)i + 1)
            ;
        each[i] = stage->heard[0] - start;
    }
    sample_each(place, ways[way]->name, round, each, times);
    return crew_join();
}

/* ---- eight that sleep: until the last of them runs ---- */

static bool sleepers(struct place place, bool bare, int round)
{
    static int64_t each[ASLEEP];
    int times = sample_scaled(ASLEEP / 4);
    struct crew_job job = {.kind = KIND_ALL, .way = bare};
    bool good = true;
    times = times < ASLEEP ? times : ASLEEP;
    for (int i = 0; i < times && good; i++) {
        stage->all = 0;
        crew_begin(&job, SLEEPERS);
        process_pause(4 * PAUSE);
        int64_t start = now_ns();
        atomic_store((_Atomic uint32_t *)&stage->all, 1);
        if (bare)
            bare_wake(&stage->all, SLEEPERS);
        else
            shmx_wake(crew_shm, &stage->all, SHMX_WAKE_ALL);
        good = crew_join();
        each[i] = 0;
        for (int k = 0; k < SLEEPERS; k++)
            each[i] = stage->heard[k] - start > each[i] ? stage->heard[k] - start : each[i];
    }
    sample_each(place, bare ? "bare futex" : own.name, round, each, times);
    return good;
}

/* ---- nobody waits: in a segment of its own, as the crew sleeps in the other ---- */

struct quiet {
    _Alignas(64) uint32_t word;
    _Alignas(64) shmx_cond cond;
    _Alignas(64) shmx_sem sem;
};

static int64_t store_alone(int times, void *context)
{
    shmx *shm = context;
    struct quiet *quiet = shmx_data(shm);
    int64_t start = now_ns();
    for (int i = 0; i < times; i++)
        atomic_store((_Atomic uint32_t *)&quiet->word, (uint32_t)i);
    return now_ns() - start;
}

static int64_t wake_nobody(int times, void *context)
{
    shmx *shm = context;
    struct quiet *quiet = shmx_data(shm);
    int64_t start = now_ns();
    for (int i = 0; i < times; i++)
        shmx_wake(shm, &quiet->word, 1);
    return now_ns() - start;
}

static int64_t signal_nobody(int times, void *context)
{
    shmx *shm = context;
    struct quiet *quiet = shmx_data(shm);
    int64_t start = now_ns();
    for (int i = 0; i < times; i++)
        shmx_cond_signal(shm, &quiet->cond);
    return now_ns() - start;
}

static int64_t post_nobody(int times, void *context)
{
    shmx *shm = context;
    struct quiet *quiet = shmx_data(shm);
    memset(&quiet->sem, 0, sizeof quiet->sem);
    int64_t start = now_ns();
    for (int i = 0; i < times; i++)
        shmx_sem_post(shm, &quiet->sem, 1);
    return now_ns() - start;
}

static int64_t futex_nobody(int times, void *context)
{
    shmx *shm = context;
    struct quiet *quiet = shmx_data(shm);
    int64_t start = now_ns();
    for (int i = 0; i < times / 100 + 1; i++)
        bare_wake(&quiet->word, 1);
    return (now_ns() - start) * times / (times / 100 + 1);
}

static bool nobody(void)
{
    shmx *shm;
    if (shmx_create(&shm, NULL, sizeof(struct quiet), 0) != SHMX_OK)
        return false;
    struct way idle[] = {{"a sequentially consistent store", store_alone, shm},
                         {"shmx_wake", wake_nobody, shm},
                         {"shmx_cond_signal", signal_nobody, shm},
                         {"shmx_sem_post", post_nobody, shm},
                         {"bare futex", futex_nobody, shm}};
    bool good = sample_ways((struct place){"nobody", ""}, idle, bare_wake != NULL ? 5 : 4, 1000000);
    shmx_close(&shm);
    return good;
}

/* ---- the other processes ---- */

static void hear_all(uint32_t index, bool bare)
{
    while (look(&stage->all) == 0)
        if (bare)
            bare_wait(&stage->all, 0);
        else
            shmx_wait(crew_shm, &stage->all, 0, SHMX_FOREVER);
    stage->heard[index] = now_ns();
}

static bool answer(uint32_t index, const struct crew_job *job)
{
    stage = crew_stage;
    const struct tell_peer *peer = ways[job->way];
    struct pair *pair = &stage->pairs[job->way];
    for (uint32_t i = 0; i < job->times; i++) {
        peer->await(pair->there);
        if (job->kind == KIND_ANSWER) {
            peer->tell(pair->back);
        } else {
            stage->heard[0] = now_ns();
            atomic_store(&stage->answered, i + 1);
        }
    }
    if (job->kind == KIND_ALL)
        hear_all(index, job->way != 0);
    return true;
}

static bool tables(void)
{
    bool good = !sample_wants("nobody") || nobody();
    for (int round = 0; round < sample_rounds() && good; round++) {
        for (int way = 0; way < count && sample_wants("tell"); way++)
            good &= running_way((struct place){"tell", "running"}, way, round);
        /* One that spins does not sleep. */
        for (int way = 0; way < count && sample_wants("tell"); way++)
            if (strncmp(ways[way]->name, "spin", 4) != 0)
                good &= asleep_way((struct place){"tell", "asleep"}, way, round);
        for (int bare = bare_wake != NULL; bare >= 0 && sample_wants("sleepers"); bare--)
            good &= sleepers((struct place){"sleepers", ""}, bare, round);
    }
    return good;
}

int main(int argc, char **argv)
{
    int status;
    for (int i = 0; system_tells[i] != NULL; i++)
        ways[count++] = system_tells[i];
    ways[count++] = &own;
    if (crew_member(argc, argv, answer, &status))
        return status;
    if (!sample_begin(argc, argv))
        return 2;
    if (!crew_start(argv[0], sizeof(struct stage), SLEEPERS))
        return 1;
    stage = crew_stage;
    bool good = ways_prepare() && tables();
    return !(crew_end() && good);
}
