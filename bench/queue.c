/* SPDX-License-Identifier: MIT */
/*
 * The queue beside the ways to hand messages over that it is to replace: each of them carries the
 * same messages from this process to another one, by turns, in every round.
 *
 *     bench_queue [ROUNDS [SIZE]]
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shmx.h>

#include "measure.h"
#include "peers.h"
#include "peers/queue_peer.h"

#ifdef _WIN32
#define popen _popen
#define pclose _pclose
#endif

#define WAYS_MAX 16
#define ROUNDS_MAX 101
#define LONGEST ((size_t)1 << 20)
#define WORKERS 7 /* and this process: four producers, four consumers */
#define PINGS 20000
#define ASLEEP 200
#define CROWD 200000

/* ---- shmx, as a peer of the others ---- */

struct end {
    shmx *shm;
    shmx_queue *queue;
};

static void *own_open(const char *name, bool consumer, size_t message, size_t capacity)
{
    struct end *end = calloc(1, sizeof *end);
    size_t size = shmx_queue_size_for(message, 1);
    size = size > capacity ? size : capacity;
    int status = shmx_open_or_create(&end->shm, name, size, SHMX_PREFAULT, NULL);
    if (status == SHMX_OK)
        status = shmx_queue_open(&end->queue, end->shm, 0, size);
    (void)consumer;
    if (status == SHMX_OK)
        return end;
    shmx_close(&end->shm);
    free(end);
    return NULL;
}

static void own_close(void *context, bool consumer)
{
    struct end *end = context;
    (void)consumer;
    shmx_queue_close(&end->queue);
    shmx_close(&end->shm);
    free(end);
}

static bool own_send(void *context, const void *message, size_t size)
{
    return shmx_queue_send(((struct end *)context)->queue, message, size, SHMX_FOREVER) == SHMX_OK;
}

static bool own_receive(void *context, void *buffer, size_t size)
{
    return shmx_queue_receive(((struct end *)context)->queue, buffer, size, NULL, SHMX_FOREVER) ==
           SHMX_OK;
}

/* In place: the producer writes the message where it lies, the consumer reads it there. */
static bool own_write(void *context, const void *message, size_t size)
{
    shmx_queue *queue = ((struct end *)context)->queue;
    void *place;
    if (shmx_queue_reserve(queue, size, &place, SHMX_FOREVER) != SHMX_OK)
        return false;
    memcpy(place, message, size);
    return shmx_queue_commit(queue, size) == SHMX_OK;
}

static bool own_read(void *context, void *buffer, size_t size)
{
    shmx_queue *queue = ((struct end *)context)->queue;
    const void *place;
    size_t got;
    if (shmx_queue_peek(queue, &place, &got, SHMX_FOREVER) != SHMX_OK || got != size)
        return false;
    unsigned sum = 0;
    for (size_t i = 0; i < size; i += 64)
        sum += ((const unsigned char *)place)[i];
    *(unsigned char *)buffer = (unsigned char)sum;
    return shmx_queue_release(queue) == SHMX_OK;
}

static const struct queue_peer own_peer = {
    "shmx_queue_send, receive", 0, 1, own_open, own_send, own_receive, own_close, NULL};
static const struct queue_peer place_peer = {
    "shmx_queue_reserve, peek", 0, 1, own_open, own_write, own_read, own_close, NULL};

/* ---- the ways ---- */

static const struct queue_peer *ways[WAYS_MAX];
static int ways_count;

#define OWN_WAY 1

static void ways_collect(void)
{
    ways[ways_count++] = &ring_peer;
    ways[ways_count++] = &own_peer;
    ways[ways_count++] = &place_peer;
    if (boost_peer.name != NULL)
        ways[ways_count++] = &boost_peer;
    if (zeromq_peer.name != NULL)
        ways[ways_count++] = &zeromq_peer;
    for (int i = 0; system_peers[i] != NULL; i++)
        ways[ways_count++] = system_peers[i];
}

/* ---- the other processes ---- */

enum kind { KIND_STOP, KIND_OPEN, KIND_CLOSE, KIND_RUN, KIND_CROWD, KIND_PING, KIND_ASLEEP };

struct stage {
    _Alignas(128) uint32_t command;
    _Alignas(128) uint32_t finished;
    _Alignas(128) uint32_t failed;
    _Alignas(128) uint32_t kind;
    uint32_t way;
    uint32_t times;
    uint32_t spin; /* ping: by a bare word */
    uint64_t message;
    uint64_t capacity;
    char name[64];
    _Alignas(128) _Atomic uint32_t there;
    _Alignas(128) _Atomic uint32_t back;
    _Alignas(128) _Atomic int64_t sent;
    _Atomic int64_t taken;
};

static shmx *shm;
static struct stage *stage;
static unsigned char *buffer;
static void *ends[WAYS_MAX];
static void *ping_ends[2]; /* there, back */

static void tell(uint32_t *word)
{
    atomic_fetch_add((_Atomic uint32_t *)word, 1);
    shmx_wake(shm, word, SHMX_WAKE_ALL);
}

static uint32_t await_change(uint32_t *word, uint32_t seen)
{
    while (atomic_load((_Atomic uint32_t *)word) == seen)
        shmx_wait(shm, word, seen, SHMX_FOREVER);
    return atomic_load((_Atomic uint32_t *)word);
}

static bool send_many(uint32_t way, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++)
        if (!ways[way]->send(ends[way], buffer, (size_t)stage->message))
            return false;
    return true;
}

static bool receive_many(uint32_t way, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++)
        if (!ways[way]->receive(ends[way], buffer, (size_t)stage->message))
            return false;
    return true;
}

static bool word_await(_Atomic uint32_t *word, uint32_t value, bool asleep)
{
    uint32_t seen;
    while ((seen = atomic_load_explicit(word, memory_order_acquire)) != value)
        if (asleep)
            peer_wait((uint32_t *)word, seen);
    return true;
}

/* The bare word comes first in each: it makes the system run the two on two cores. */
static bool pong(void)
{
    for (uint32_t i = 1; i <= PINGS; i++) {
        word_await(&stage->there, i, false);
        atomic_store_explicit(&stage->back, i, memory_order_release);
    }
    bool good = true;
    for (uint32_t i = 0; i < PINGS && good && stage->spin == 0; i++)
        good = own_receive(ping_ends[0], buffer, 64) && own_send(ping_ends[1], buffer, 64);
    return good;
}

static bool sleep_and_take(void)
{
    for (uint32_t i = 1; i <= ASLEEP; i++) {
        bool taken = stage->spin != 0 ? word_await(&stage->there, i, true)
                                      : own_receive(ping_ends[0], buffer, 64);
        atomic_fetch_add(&stage->taken, now_ns() - atomic_load(&stage->sent));
        atomic_store(&stage->back, i);
        if (!taken)
            return false;
    }
    return true;
}

static bool ping_open(bool consumer)
{
    char name[80];
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s-ping%d", stage->name, i);
        ping_ends[i] = own_open(name, consumer, 64, 65536);
    }
    return ping_ends[0] != NULL && ping_ends[1] != NULL;
}

static void ping_close(bool consumer)
{
    for (int i = 0; i < 2; i++)
        if (ping_ends[i] != NULL)
            own_close(ping_ends[i], consumer);
}

/* The part of worker `index` in the job on the stage: 0 is the consumer of one-to-one. */
static bool answer(uint32_t index)
{
    uint32_t way = stage->way;
    switch (stage->kind) {
    case KIND_OPEN:
        ends[way] =
            ways[way]->open(stage->name, true, (size_t)stage->message, (size_t)stage->capacity);
        return ends[way] != NULL && (index != 0 || ping_ends[0] != NULL || ping_open(true));
    case KIND_CLOSE:
        ways[way]->close(ends[way], true);
        return true;
    case KIND_RUN:
        return index != 0 || receive_many(way, stage->times);
    case KIND_CROWD:
        return index < 4 ? receive_many(way, stage->times) : send_many(way, stage->times);
    case KIND_PING:
        return index != 0 || pong();
    case KIND_ASLEEP:
        return index != 0 || sleep_and_take();
    default:
        return true;
    }
}

static int worker(const char *name, uint32_t index)
{
    peer_begin();
    if (shmx_open(&shm, name, 0) != SHMX_OK)
        return 1;
    stage = shmx_data(shm);
    for (uint32_t done = 0;;) {
        done = await_change(&stage->command, done);
        uint32_t kind = stage->kind;
        /* The others have part in the crowd only, which is shmx's. */
        bool mine = index == 0 || stage->way == OWN_WAY;
        if (mine && !answer(index))
            stage->failed = 1;
        tell(&stage->finished);
        if (kind == KIND_STOP)
            break;
    }
    ping_close(true);
    shmx_close(&shm);
    return 0;
}

static intptr_t workers[WORKERS];
static uint32_t workers_count;

static void begin(enum kind kind, uint32_t way, uint32_t times)
{
    stage->kind = kind;
    stage->way = way;
    stage->times = times;
    stage->failed = 0;
    stage->finished = 0;
    atomic_store(&stage->there, 0);
    atomic_store(&stage->back, 0);
    atomic_store(&stage->taken, 0);
    tell(&stage->command);
}

static bool join(void)
{
    for (uint32_t seen = 0; seen < workers_count;)
        seen = await_change(&stage->finished, seen);
    return stage->failed == 0;
}

/* ---- one to one ---- */

struct sample {
    double ns[ROUNDS_MAX];
    int count;
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const struct sample *sample, double part)
{
    double sorted[ROUNDS_MAX];
    memcpy(sorted, sample->ns, sizeof sorted);
    qsort(sorted, (size_t)sample->count, sizeof *sorted, compare);
    return sorted[(int)((sample->count - 1) * part + 0.5)];
}

static bool way_open(uint32_t way, size_t message, size_t capacity)
{
    static unsigned number;
    const struct queue_peer *peer = ways[way];
    ends[way] = NULL;
    if (peer->longest != 0 && message > peer->longest)
        return false;
    snprintf(stage->name, sizeof stage->name, "%s-%u", shmx_name(shm), number++);
    stage->message = message;
    stage->capacity = capacity;
    ends[way] = peer->open(stage->name, false, message, capacity);
    if (ends[way] == NULL || (ping_ends[0] == NULL && !ping_open(false)))
        return false;
    begin(KIND_OPEN, way, 0);
    bool connected = peer->connect == NULL || peer->connect(ends[way]);
    return join() && connected;
}

static void way_close(uint32_t way)
{
    if (ends[way] == NULL)
        return;
    begin(KIND_CLOSE, way, 0);
    join();
    ways[way]->close(ends[way], false);
    ends[way] = NULL;
}

static double way_run(uint32_t way, uint32_t times)
{
    begin(KIND_RUN, way, times);
    int64_t start = now_ns();
    bool sent = send_many(way, times);
    bool received = join();
    return sent && received ? (double)(now_ns() - start) / times : -1;
}

static double python_run(const char *kind, size_t message, uint32_t times)
{
    char command[256];
    double ns = -1;
    const char *script = getenv("SHMX_BENCH_PYTHON");
    if (script == NULL)
        return -1;
    snprintf(command, sizeof command, "python3 %s %s %zu %u", script, kind, message, times);
    FILE *pipe = popen(command, "r");
    if (pipe == NULL || fscanf(pipe, "%lf", &ns) != 1)
        ns = -1;
    if (pipe != NULL)
        pclose(pipe);
    return ns;
}

static void keep(struct sample *sample, double ns)
{
    if (ns > 0)
        sample->ns[sample->count++] = ns;
}

static void row(const char *name, const struct sample *sample, const struct sample *floor)
{
    if (sample->count == 0)
        return;
    double ns = quantile(sample, 0.5);
    printf("  %-36s %10.1f %10.3f  %8.3f to %-8.3f %8.2f\n", name, ns, 1e3 / ns,
           1e3 / quantile(sample, 0.75), 1e3 / quantile(sample, 0.25), quantile(floor, 0.5) / ns);
}

static void table_one_to_one(size_t message, size_t capacity, uint32_t times, int rounds)
{
    static struct sample samples[WAYS_MAX], python[2];
    static const char *const kinds[] = {"pipe", "queue"};
    memset(samples, 0, sizeof samples);
    memset(python, 0, sizeof python);
    for (uint32_t way = 0; way < (uint32_t)ways_count; way++)
        if (way_open(way, message, capacity))
            way_run(way, times / 10 + 1);
        else
            way_close(way);
    for (int round = 0; round < rounds; round++) {
        for (uint32_t way = 0; way < (uint32_t)ways_count; way++)
            if (ends[way] != NULL)
                keep(&samples[way], way_run(way, 1 + (uint32_t)(times / ways[way]->slowness)));
        for (int i = 0; i < 2; i++)
            keep(&python[i], python_run(kinds[i], message, 1 + times / 50));
    }
    printf("\n%zu bytes a message, %zu KiB under way at most (%d rounds)\n"
           "  %-36s %10s %10s  %20s %8s\n",
           message, capacity / 1024, rounds, "", "ns", "million/s", "half of the rounds",
           "of ring");
    for (int way = 0; way < ways_count; way++)
        row(ways[way]->name, &samples[way], &samples[0]);
    row("Python multiprocessing.Pipe", &python[0], &samples[0]);
    row("Python multiprocessing.Queue", &python[1], &samples[0]);
    for (uint32_t way = 0; way < (uint32_t)ways_count; way++)
        way_close(way);
    fflush(stdout);
}

/* ---- latency ---- */

static double ping(uint32_t spin)
{
    stage->spin = spin;
    begin(KIND_PING, 0, 0);
    int64_t start = now_ns();
    for (uint32_t i = 1; i <= PINGS; i++) {
        atomic_store_explicit(&stage->there, i, memory_order_release);
        word_await(&stage->back, i, false);
    }
    if (spin == 0)
        start = now_ns();
    bool good = true;
    for (uint32_t i = 0; i < PINGS && good && spin == 0; i++)
        good = own_send(ping_ends[0], buffer, 64) && own_receive(ping_ends[1], buffer, 64);
    double ns = (double)(now_ns() - start) / (2 * PINGS);
    return join() && good ? ns : -1;
}

static double asleep(uint32_t bare)
{
    stage->spin = bare;
    begin(KIND_ASLEEP, 0, 0);
    for (uint32_t i = 1; i <= ASLEEP; i++) {
        peer_pause(500000); /* enough to fall asleep in */
        atomic_store(&stage->sent, now_ns());
        if (bare != 0) {
            atomic_store(&stage->there, i);
            peer_wake((uint32_t *)&stage->there);
        } else {
            own_send(ping_ends[0], buffer, 64);
        }
        word_await(&stage->back, i, false);
    }
    return join() ? (double)atomic_load(&stage->taken) / ASLEEP : -1;
}

static void table_latency(int rounds)
{
    static struct sample running[2], sleeping[2];
    for (int round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < 2; i++)
            keep(&running[i], ping(i));
        for (uint32_t i = 0; i < 2 && peer_wait != NULL; i++)
            keep(&sleeping[i], asleep(i));
    }
    printf("\n64 bytes, one way, both running (%d rounds)\n", rounds);
    row("spinning on a word", &running[1], &running[1]);
    row("shmx_queue_send, receive", &running[0], &running[1]);
    printf("\n64 bytes, one way, to a sleeper (%d rounds)\n", rounds);
    row("a bare futex, nothing handed over", &sleeping[1], &sleeping[1]);
    row("shmx_queue_send, receive", &sleeping[0], &sleeping[1]);
}

/* ---- four to four ---- */

static double crowd(void)
{
    begin(KIND_CROWD, OWN_WAY, CROWD / 4);
    int64_t start = now_ns();
    bool sent = send_many(OWN_WAY, CROWD / 4);
    return join() && sent ? (double)(now_ns() - start) / CROWD : -1;
}

static void table_crowd(size_t message, int rounds)
{
    static struct sample one, four;
    one.count = four.count = 0;
    if (!way_open(OWN_WAY, message, (size_t)1 << 20))
        return;
    for (int round = 0; round < rounds; round++) {
        keep(&one, way_run(OWN_WAY, CROWD));
        keep(&four, crowd());
    }
    printf("\n%zu bytes, several producers and consumers (%d rounds)\n", message, rounds);
    row("one to one", &one, &one);
    row("four to four", &four, &one);
    way_close(OWN_WAY);
    fflush(stdout);
}

/* ---- all of it ---- */

static bool workers_start(char *program)
{
    char index[16];
    char *arguments[] = {program, (char *)"--worker", (char *)shmx_name(shm), index, NULL};
    for (; workers_count < WORKERS; workers_count++) {
        snprintf(index, sizeof index, "%u", (unsigned)workers_count);
        workers[workers_count] = peer_start(arguments);
        if (workers[workers_count] == -1)
            return false;
    }
    return true;
}

static int workers_end(void)
{
    int failures = 0;
    begin(KIND_STOP, 0, 0);
    for (uint32_t i = 0; i < workers_count; i++)
        failures += peer_end(workers[i]) != 0;
    return failures;
}

static const struct {
    size_t message;
    uint32_t times;
    size_t capacities[3];
} plan[] = {{16, 400000, {16 << 10, 256 << 10, 4 << 20}},
            {256, 200000, {32 << 10, 256 << 10, 4 << 20}},
            {4096, 40000, {64 << 10, 512 << 10, 4 << 20}},
            {65536, 3000, {512 << 10, 2 << 20, 8 << 20}},
            {1 << 20, 200, {4 << 20, 8 << 20, 16 << 20}}};

#define PLAN_COUNT (sizeof plan / sizeof *plan)

/* `only`: messages of that size, and no other; 0: all. */
static void tables(int rounds, size_t only)
{
    for (size_t i = 0; i < PLAN_COUNT; i++)
        for (int k = 0; k < 3 && (only == 0 || only == plan[i].message); k++)
            table_one_to_one(plan[i].message, plan[i].capacities[k], plan[i].times, rounds);
}

/* False: they are wrong, which was said. */
static bool arguments_read(int argc, char **argv, int *rounds, size_t *only)
{
    *rounds = argc > 1 ? atoi(argv[1]) : 9;
    *only = argc > 2 ? (size_t)atol(argv[2]) : 0;
    bool known = argc <= 2;
    for (size_t i = 0; i < PLAN_COUNT; i++)
        known |= plan[i].message == *only;
    if (known && *rounds >= 1 && *rounds <= ROUNDS_MAX)
        return true;
    fprintf(stderr, "usage: bench_queue [ROUNDS [SIZE]]: 1 to %d rounds; messages of", ROUNDS_MAX);
    for (size_t i = 0; i < PLAN_COUNT; i++)
        fprintf(stderr, " %zu", plan[i].message);
    fprintf(stderr, " bytes\n");
    return false;
}

int main(int argc, char **argv)
{
    ways_collect();
    buffer = calloc(1, LONGEST);
    if (buffer == NULL)
        return 1;
    if (argc == 4 && strcmp(argv[1], "--worker") == 0)
        return worker(argv[2], (uint32_t)atoi(argv[3]));
    int rounds;
    size_t only;
    if (!arguments_read(argc, argv, &rounds, &only))
        return 2;
    if (shmx_create(&shm, NULL, sizeof *stage, 0) != SHMX_OK)
        return 1;
    stage = shmx_data(shm);
    bool started = workers_start(argv[0]);
    if (started) {
        tables(rounds, only);
        table_latency(rounds);
        table_crowd(16, rounds);
        table_crowd(4096, rounds);
    }
    int failures = workers_end();
    ping_close(false);
    shmx_close(&shm);
    free(buffer);
    return failures != 0 || !started;
}
