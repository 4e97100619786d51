/* SPDX-License-Identifier: MIT */
/*
 * Locks and waking beside what the system offers: uncontended, between two processes, and how long
 * it takes to tell the other process something. The second process is this program again.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shmx.h>

#include "boost.h"
#include "measure.h"

#define ROUNDS 15
#define PEERS_MAX 8
#define CONTENDED 300000
#define TELLINGS 20000
#define ASLEEP 300

/* What the two processes share. */
struct stage {
    _Alignas(64) unsigned char peers[PEERS_MAX][PEER_SPACE];
    _Alignas(64) shmx_mutex mutex;
    _Alignas(64) shmx_sem sem;
    _Alignas(64) shmx_cond cond;
    _Alignas(64) uint32_t idle;
    _Alignas(64) _Atomic uint32_t command; /* number of the round's job, ever new */
    _Alignas(64) _Atomic uint32_t kind;
    _Alignas(64) _Atomic uint32_t way;
    _Alignas(64) _Atomic uint32_t finished;
    _Alignas(64) volatile uint64_t counter;
    _Alignas(64) uint32_t there;
    _Alignas(64) uint32_t back;
    _Alignas(64) _Atomic int64_t sent;
    _Atomic int64_t taken;
};

enum kind { KIND_STOP, KIND_LOCK, KIND_TELL, KIND_ASLEEP };
enum tell { TELL_SPIN, TELL_SHMX, TELL_BARE };

static shmx *shm;
static struct stage *stage;

/* All that there are: the system's, and Boost's. */
static const struct lock_peer *peers[PEERS_MAX];
static int peer_numbers[PEERS_MAX];
static int peer_count;

static void peers_find(void)
{
    for (const struct lock_peer *peer = lock_peers; peer->name != NULL; peer++)
        peers[peer_count++] = peer;
    if (boost_lock() != NULL)
        peers[peer_count++] = boost_lock();
    for (int i = 0; i < peer_count; i++)
        peer_numbers[i] = i;
}

/* ---- one process ---- */

static int64_t uncontended_peer(int times, void *context)
{
    int index = *(int *)context;
    const struct lock_peer *peer = peers[index];
    void *place = stage->peers[index];
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        peer->lock(place);
        peer->unlock(place);
    }
    return now_ns() - start;
}

static int64_t uncontended_shmx(int times, void *context)
{
    (void)context;
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        if (shmx_mutex_lock(shm, &stage->mutex, SHMX_FOREVER) != SHMX_OK)
            return -1;
        shmx_mutex_unlock(shm, &stage->mutex);
    }
    return now_ns() - start;
}

static int64_t store_alone(int times, void *context)
{
    (void)context;
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        atomic_store((_Atomic uint32_t *)&stage->idle, (uint32_t)i);
    }
    return now_ns() - start;
}

static int64_t wake_nobody(int times, void *context)
{
    (void)context;
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        shmx_wake(shm, &stage->idle, 1);
    }
    return now_ns() - start;
}

static int64_t signal_nobody(int times, void *context)
{
    (void)context;
    int64_t start = now_ns();
    for (int i = 0; i < times; i++)
        shmx_cond_signal(shm, &stage->cond);
    return now_ns() - start;
}

static int64_t post_nobody(int times, void *context)
{
    (void)context;
    memset(&stage->sem, 0, sizeof stage->sem);
    int64_t start = now_ns();
    for (int i = 0; i < times; i++)
        shmx_sem_post(shm, &stage->sem, 1);
    return now_ns() - start;
}

/* ---- two processes ---- */

static void await_word(uint32_t *word, uint32_t wanted, uint32_t way)
{
    _Atomic uint32_t *shared = (_Atomic uint32_t *)word;
    for (;;) {
        uint32_t seen = atomic_load_explicit(shared, memory_order_acquire);
        if (seen == wanted)
            return;
        if (way == TELL_SHMX)
            shmx_wait(shm, word, seen, SHMX_FOREVER);
        else if (way == TELL_BARE)
            peer_wait(word, seen);
    }
}

static void tell_word(uint32_t *word, uint32_t value, uint32_t way)
{
    atomic_store_explicit((_Atomic uint32_t *)word, value, memory_order_release);
    if (way == TELL_SHMX)
        shmx_wake(shm, word, 1);
    else if (way == TELL_BARE)
        peer_wake(word);
}

static void contend(uint32_t way)
{
    for (int i = 0; i < CONTENDED; i++) {
        if (way == 0) {
            shmx_mutex_lock(shm, &stage->mutex, SHMX_FOREVER);
            stage->counter++;
            shmx_mutex_unlock(shm, &stage->mutex);
        } else {
            peers[way - 1]->lock(stage->peers[way - 1]);
            stage->counter++;
            peers[way - 1]->unlock(stage->peers[way - 1]);
        }
    }
}

/* The part of the second process in a job. */
static void answer(enum kind kind, uint32_t way)
{
    switch (kind) {
    case KIND_LOCK:
        contend(way);
        break;
    case KIND_TELL:
        for (uint32_t i = 1; i <= TELLINGS; i++) {
            await_word(&stage->there, i, way);
            tell_word(&stage->back, i, way);
        }
        break;
    case KIND_ASLEEP:
        for (uint32_t i = 1; i <= ASLEEP; i++) {
            await_word(&stage->there, i, way);
            atomic_fetch_add(&stage->taken, now_ns() - atomic_load(&stage->sent));
            tell_word(&stage->back, i, TELL_SPIN);
        }
        break;
    default:
        break;
    }
}

static int second_process(const char *name)
{
    peer_begin();
    if (shmx_open(&shm, name, 0) != SHMX_OK)
        return 1;
    stage = shmx_data(shm);
    for (uint32_t done = 0;; done++) {
        while (atomic_load(&stage->command) == done)
            ;
        enum kind kind = atomic_load(&stage->kind);
        if (kind == KIND_STOP)
            break;
        answer(kind, atomic_load(&stage->way));
        atomic_store(&stage->finished, done + 1);
    }
    shmx_close(&shm);
    return 0;
}

static void begin(enum kind kind, uint32_t way)
{
    stage->there = stage->back = 0;
    stage->counter = 0;
    atomic_store(&stage->taken, 0);
    atomic_store(&stage->kind, kind);
    atomic_store(&stage->way, way);
    atomic_fetch_add(&stage->command, 1);
}

static void join(void)
{
    while (atomic_load(&stage->finished) != atomic_load(&stage->command))
        ;
}

static int64_t contended(int times, void *context)
{
    uint32_t way = *(uint32_t *)context;
    (void)times;
    int64_t start = now_ns();
    begin(KIND_LOCK, way);
    contend(way);
    join();
    return stage->counter == 2 * CONTENDED ? (now_ns() - start) * times / (2 * CONTENDED) : -1;
}

static int64_t telling(int times, void *context)
{
    uint32_t way = *(uint32_t *)context;
    begin(KIND_TELL, way);
    int64_t start = now_ns();
    for (uint32_t i = 1; i <= TELLINGS; i++) {
        tell_word(&stage->there, i, way);
        await_word(&stage->back, i, way);
    }
    int64_t taken = now_ns() - start;
    join();
    return taken * times / (2 * TELLINGS);
}

static int64_t waking(int times, void *context)
{
    uint32_t way = *(uint32_t *)context;
    begin(KIND_ASLEEP, way);
    for (uint32_t i = 1; i <= ASLEEP; i++) {
        peer_pause(300000); /* enough to fall asleep in */
        atomic_store(&stage->sent, now_ns());
        tell_word(&stage->there, i, way);
        await_word(&stage->back, i, TELL_SPIN);
    }
    join();
    return atomic_load(&stage->taken) * times / ASLEEP;
}

/* ---- the tables ---- */

static int measure_alone(void)
{
    struct way ways[PEERS_MAX + 1];
    int count = 0;
    for (; count < peer_count; count++) {
        if (peers[count]->prepare != NULL && !peers[count]->prepare(stage->peers[count]))
            return 1;
        ways[count] = (struct way){peers[count]->name, uncontended_peer, &peer_numbers[count]};
    }
    ways[count++] = (struct way){"shmx_mutex (robust)", uncontended_shmx, NULL};
    int failures = measure("lock and unlock, nobody else there", ways, count, ROUNDS, 1000000);
    struct way idle[] = {{"a sequentially consistent store", store_alone, NULL},
                         {"shmx_wake", wake_nobody, NULL},
                         {"shmx_cond_signal", signal_nobody, NULL},
                         {"shmx_sem_post", post_nobody, NULL}};
    return failures + measure("nobody waits", idle, 4, ROUNDS, 1000000);
}

static int measure_together(void)
{
    struct way ways[PEERS_MAX + 1];
    uint32_t numbers[PEERS_MAX + 1];
    int count = 0;
    for (; count < peer_count; count++) {
        numbers[count] = (uint32_t)count + 1;
        ways[count] = (struct way){peers[count]->name, contended, &numbers[count]};
    }
    numbers[count] = 0;
    ways[count] = (struct way){"shmx_mutex (robust)", contended, &numbers[count]};
    int failures = measure("one section, two processes", ways, count + 1, ROUNDS, 1000);
    uint32_t spin = TELL_SPIN, own = TELL_SHMX, bare = TELL_BARE;
    struct way running[] = {{"spinning on a word", telling, &spin},
                            {"shmx_wait, shmx_wake", telling, &own},
                            {"the system's bare calls", telling, &bare}};
    int known = peer_wait != NULL ? 3 : 2;
    failures += measure("tell a running process, one way", running, known, ROUNDS, 1000);
    struct way asleep[] = {{"the system's bare calls", waking, &bare},
                           {"shmx_wait, shmx_wake", waking, &own}};
    int skip = peer_wait != NULL ? 0 : 1;
    return failures + measure("tell a sleeping process", asleep + skip, 2 - skip, ROUNDS, 1000);
}

int main(int argc, char **argv)
{
    peers_find();
    if (argc == 3 && strcmp(argv[1], "--second") == 0)
        return second_process(argv[2]);
    if (shmx_create(&shm, NULL, sizeof *stage, 0) != SHMX_OK)
        return 1;
    stage = shmx_data(shm);
    int failures = measure_alone();
    char *arguments[] = {argv[0], (char *)"--second", (char *)shmx_name(shm), NULL};
    intptr_t second = peer_start(arguments);
    if (second != -1) {
        failures += measure_together();
        begin(KIND_STOP, 0);
        failures += peer_end(second) != 0;
    }
    shmx_close(&shm);
    return failures != 0 || second == -1;
}
