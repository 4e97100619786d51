/* SPDX-License-Identifier: MIT */
/* One minute of measuring this machine, beside the bare calls. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "command.h"
#include "measure.h"
#include "os.h"
#include "raw.h"
#include "system.h"

#define SIZE 1024
#define SPIN_TURNS 65536 /* of spinning, between two looks at the clock */

static char name[SHMX_NAME_MAX + 1], raw_name[SHMX_NAME_MAX + 1];

/* ---- the life of a segment ---- */

static int64_t life_raw(int times, void *context)
{
    (void)context;
    int64_t start = system_now();
    for (int i = 0; i < times; i++) {
        struct raw raw;
        if (raw_create(&raw, raw_name, SIZE) != 0)
            return -1;
        *(volatile char *)raw.data = 1;
        raw_close(&raw);
        raw_unlink(raw_name);
    }
    return system_now() - start;
}

static int64_t life_shmx(int times, void *context)
{
    (void)context;
    int64_t start = system_now();
    for (int i = 0; i < times; i++) {
        shmx *shm;
        if (shmx_create(&shm, name, SIZE, 0) != SHMX_OK)
            return -1;
        *(volatile char *)shmx_data(shm) = 1;
        shmx_close(&shm);
    }
    return system_now() - start;
}

static int64_t open_raw(int times, void *context)
{
    (void)context;
    int64_t start = system_now();
    for (int i = 0; i < times; i++) {
        struct raw raw;
        if (raw_open(&raw, raw_name, SIZE) != 0)
            return -1;
        (void)*(volatile char *)raw.data;
        raw_close(&raw);
    }
    return system_now() - start;
}

static int64_t open_shmx(int times, void *context)
{
    (void)context;
    int64_t start = system_now();
    for (int i = 0; i < times; i++) {
        shmx *shm;
        if (shmx_open(&shm, name, 0) != SHMX_OK)
            return -1;
        (void)*(volatile char *)shmx_data(shm);
        shmx_close(&shm);
    }
    return system_now() - start;
}

static int bench_life(int rounds)
{
    static const struct way life[] = {{"bare calls: create, write, close, unlink", life_raw, NULL},
                                      {"shmx: create, write, close", life_shmx, NULL}};
    measuring_show("the life of a segment");
    return measure("A segment of 1 KiB", life, 2, rounds, 500);
}

static int bench_open(int rounds)
{
    static const struct way open[] = {{"bare calls: open, read, close", open_raw, NULL},
                                      {"shmx: open, read, close", open_shmx, NULL}};
    struct raw raw;
    shmx *shm;
    measuring_show("opening");
    if (raw_create(&raw, raw_name, SIZE) != 0)
        return 1;
    int failed = shmx_create(&shm, name, SIZE, 0) != SHMX_OK;
    if (!failed)
        failed = measure("Attaching to one that is there", open, 2, rounds, 1000);
    shmx_close(&shm);
    raw_close(&raw);
    raw_unlink(raw_name);
    return failed;
}

/* ---- locks and wakes ---- */

struct objects {
    _Atomic uint32_t bare;
    uint32_t word;
    uint32_t ping, pong; /* numbers of rounds asked for, and answered */
    uint32_t spin;       /* the partner shall not sleep */
    shmx_mutex mutex;
    shmx_sem sem;
};

static int64_t lock_bare(int times, void *context)
{
    struct objects *objects = shmx_data(context);
    int64_t start = system_now();
    for (int i = 0; i < times; i++) {
        uint32_t free_word = 0;
        if (!atomic_compare_exchange_strong(&objects->bare, &free_word, 1))
            return -1;
        atomic_exchange(&objects->bare, 0);
    }
    return system_now() - start;
}

static int64_t lock_shmx(int times, void *context)
{
    struct objects *objects = shmx_data(context);
    int64_t start = system_now();
    for (int i = 0; i < times; i++)
        if (shmx_mutex_lock(context, &objects->mutex, SHMX_FOREVER) != SHMX_OK ||
            shmx_mutex_unlock(context, &objects->mutex) != SHMX_OK)
            return -1;
    return system_now() - start;
}

static int64_t sem_shmx(int times, void *context)
{
    struct objects *objects = shmx_data(context);
    int64_t start = system_now();
    for (int i = 0; i < times; i++)
        if (shmx_sem_post(context, &objects->sem, 1) != SHMX_OK ||
            shmx_sem_wait(context, &objects->sem, SHMX_FOREVER) != SHMX_OK)
            return -1;
    return system_now() - start;
}

static int64_t wake_shmx(int times, void *context)
{
    struct objects *objects = shmx_data(context);
    int64_t start = system_now();
    for (int i = 0; i < times; i++)
        if (shmx_wake(context, &objects->word, 1) != SHMX_OK)
            return -1;
    return system_now() - start;
}

static int bench_locks(shmx *shm, int rounds)
{
    const struct way ways[] = {{"bare atomic lock and unlock, not robust", lock_bare, shm},
                               {"shmx_mutex: lock and unlock", lock_shmx, shm},
                               {"shmx_sem: post and wait", sem_shmx, shm},
                               {"shmx_wake: nobody waits", wake_shmx, shm}};
    measuring_show("locks");
    return measure("Locks, nobody else wanting them", ways, 4, rounds, 200000);
}

/* ---- between two processes ---- */

static uint32_t load(uint32_t *word)
{
    return atomic_load((_Atomic uint32_t *)word);
}

/* Is the other side not heard any more, or is this one to stop? A waiter asks now and then; *end: 0
 * at first. */
static bool in_vain(int64_t *end)
{
    int64_t now = system_now();
    if (*end == 0)
        *end = now + BENCH_PATIENCE_MS * (int64_t)1000000;
    return system_stopped() || now > *end;
}

/* Wait until the word is no longer `seen`. */
static int await(shmx *shm, uint32_t *word, uint32_t seen)
{
    struct objects *objects = shmx_data(shm);
    int64_t end = 0;
    for (uint32_t turn = 1; load(word) == seen; turn++) {
        bool ask = turn % SPIN_TURNS == 0;
        if (load(&objects->spin)) {
            shmx_os_relax();
        } else {
            int status = shmx_wait(shm, word, seen, BENCH_SLICE_MS);
            if (status != SHMX_OK && status != SHMX_ETIMEDOUT)
                return status;
            ask = status != SHMX_OK;
        }
        if (ask && in_vain(&end))
            return SHMX_ETIMEDOUT;
    }
    return SHMX_OK;
}

static int tell(shmx *shm, uint32_t *word)
{
    struct objects *objects = shmx_data(shm);
    atomic_fetch_add((_Atomic uint32_t *)word, 1);
    return load(&objects->spin) ? SHMX_OK : shmx_wake(shm, word, 1);
}

static int64_t round_trip(int times, shmx *shm, uint32_t spin)
{
    struct objects *objects = shmx_data(shm);
    atomic_store((_Atomic uint32_t *)&objects->spin, spin);
    shmx_wake(shm, &objects->ping, 1); /* it may sleep; then it looks again */
    int64_t start = system_now();
    for (int i = 0; i < times; i++) {
        uint32_t seen = load(&objects->pong);
        if (tell(shm, &objects->ping) != SHMX_OK || await(shm, &objects->pong, seen) != SHMX_OK)
            return -1;
    }
    return (system_now() - start) / 2; /* one way */
}

static int64_t round_spin(int times, void *context)
{
    return round_trip(times, context, 1);
}

static int64_t round_shmx(int times, void *context)
{
    return round_trip(times, context, 0);
}

/* The other side: answers until `word` is set. */
static int echo(const char *segment)
{
    int status;
    shmx *shm = segment_open(segment, 0, &status);
    if (shm == NULL)
        return status;
    struct objects *objects = shmx_data(shm);
    uint32_t seen = 0;
    while (await(shm, &objects->ping, seen) == SHMX_OK && load(&objects->word) == 0) {
        seen++;
        if (tell(shm, &objects->pong) != SHMX_OK)
            break;
    }
    shmx_close(&shm);
    return STATUS_YES;
}

static int bench_wake(shmx *shm, int rounds)
{
    const char *const words[] = {"bench", "--echo", name, NULL};
    const struct way ways[] = {{"spinning on a word", round_spin, shm},
                               {"shmx_wake, shmx_wait", round_shmx, shm}};
    /* Two that spin on one processor would only wait for each other's time slice to end. */
    int first = shmx_os_facts()->processors > 1 ? 0 : 1;
    struct objects *objects = shmx_data(shm);
    measuring_show("two processes");
    struct system_child *child = system_start(words);
    if (child == NULL)
        return 1;
    int failed = measure("Tell another process, one way", ways + first, 2 - first, rounds, 2000);
    atomic_store((_Atomic uint32_t *)&objects->word, 1);
    atomic_fetch_add((_Atomic uint32_t *)&objects->ping, 1);
    shmx_wake(shm, &objects->ping, 1);
    return failed + (system_finish(child) != 0);
}

/* ---- all ---- */

static int bench_all(bool quick)
{
    int rounds = quick ? 3 : 41;
    int failed = bench_life(rounds) + bench_open(rounds);
    shmx *shm;
    if (shmx_create(&shm, name, sizeof(struct objects), 0) != SHMX_OK)
        return failed + 1;
    failed += bench_locks(shm, rounds) + bench_wake(shm, rounds);
    shmx_close(&shm);
    return failed + bench_queue(name, rounds);
}

static void names_make(void)
{
    uint64_t stamp = (uint64_t)system_now();
    snprintf(name, sizeof name, "shmx-bench-%" PRIx64, stamp);
    snprintf(raw_name, sizeof raw_name, "shmx-bare-%" PRIx64, stamp);
}

static void print_start(void)
{
    bool slow = measure_is_slow_build();
    if (measure_json)
        printf("{\n  \"version\": \"%s\", \"optimised\": %s, \"unit\": \"ns\",\n  \"tables\": [\n",
               shmx_version(), slow ? "false" : "true");
    else if (slow)
        printf("This shmx was built without optimisation: its own times are too long.\n");
}

static int run(const struct command *command, int argc, char **argv)
{
    bool quick = false;
    const char *partner = NULL, *drain = NULL; /* for the program itself, as the other side */
    const struct option options[] = {{"--quick", &quick, NULL},
                                     {"--json", &measure_json, NULL},
                                     {"--echo", NULL, &partner},
                                     {"--drain", NULL, &drain},
                                     {0}};
    if (arguments_read(command, options, argc, argv, 0, 0) < 0)
        return STATUS_WRONG_USE;
    if (partner != NULL)
        return echo(partner);
    if (drain != NULL)
        return bench_queue_drain(drain);
    names_make();
    system_catch_stop();
    measure_stopped = system_stopped;
    print_start();
    int failed = bench_all(quick);
    if (measure_json)
        puts("\n  ]\n}");
    if (system_stopped()) {
        fprintf(stderr, "shmx: stopped\n");
        return STATUS_NO;
    }
    if (failed == 0)
        return STATUS_YES;
    fprintf(stderr, "shmx: %d measurements failed; shmx doctor may say why\n", failed);
    return STATUS_NO;
}

const struct command command_bench = {
    "bench", "[--quick] [--json]", "Measure this machine for up to a minute, beside the bare calls",
    "Each table gives medians in nanoseconds for one operation, and the ratio to its\n"
    "first line. To tell another process is one way, half of there and back.\n\n"
    "  --quick  a few rounds only, for a first impression\n"
    "  --json   an object: version, optimised, unit, tables, each with title, rounds\n"
    "           and rows of name, ns and ratio (null: failed)\n",
    run};
