/* SPDX-License-Identifier: MIT */
/* The queue beside the ways to hand messages over that it is to replace: each of them carries the
 * same messages from this process to another one, by turns, in every round. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "peers/python.h"
#include "peers/queue_peer.h"
#include "children.h"
#include "sample.h"

#define LONGEST ((size_t)1 << 20)
#define MEMBERS 7 /* and this process: four producers, four consumers */
#define PINGS 20000
#define SINGLE 2000
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

static const struct queue_peer own_queue = {
    "shmx_queue_send, receive", 0, 1, own_open, own_send, own_receive, own_close, NULL};
static const struct queue_peer place_queue = {
    "shmx_queue_reserve, peek", 0, 1, own_open, own_write, own_read, own_close, NULL};

/* ---- the ways ---- */

static const struct queue_peer *ways[WAYS_MAX];
static uint32_t count;
static unsigned char *buffer;
static void *ends[WAYS_MAX], *backs[WAYS_MAX];

#define OWN_WAY 1

static void ways_collect(void)
{
    ways[count++] = &ring_queue;
    ways[count++] = &own_queue;
    ways[count++] = &place_queue;
    for (int i = 0; queue_peers[i] != NULL; i++)
        ways[count++] = queue_peers[i];
    ways[count] = &word_queue; /* behind the others: it takes part in the latency only */
}

enum kind { KIND_OPEN = 1, KIND_CLOSE, KIND_RUN, KIND_CROWD, KIND_PING, KIND_ASLEEP };

/* Shared by the processes. */
struct stage {
    _Alignas(128) _Atomic uint32_t heard;
    _Atomic int64_t when;
};

static struct stage *stage;
static struct crew_job job; /* the last one: of this process and of a member */

static bool send_many(uint32_t way, uint32_t times)
{
    bool good = true;
    for (uint32_t i = 0; i < times && good; i++)
        good = ways[way]->send(ends[way], buffer, (size_t)job.message);
    return good;
}

static bool receive_many(uint32_t way, uint32_t times)
{
    bool good = true;
    for (uint32_t i = 0; i < times && good; i++)
        good = ways[way]->receive(ends[way], buffer, (size_t)job.message);
    return good;
}

/* ---- opening: `backs` carry the answers, where there are any ---- */

static void back_name(char *name, size_t room)
{
    snprintf(name, room, "%s-b", job.name);
}

/* The member's end of both: it receives from the one and sends to the other. */
static bool member_open(const struct queue_peer *peer)
{
    char name[80];
    back_name(name, sizeof name);
    if (job.more == 0) {
        ends[job.way] = peer->open(job.name, true, (size_t)job.message, (size_t)job.capacity);
        return ends[job.way] != NULL;
    }
    backs[job.way] = peer->open(name, false, (size_t)job.message, (size_t)job.capacity);
    return backs[job.way] != NULL;
}

static bool open_there(uint32_t way)
{
    const struct queue_peer *peer = ways[way];
    job.more = 0;
    ends[way] = peer->open(job.name, false, (size_t)job.message, (size_t)job.capacity);
    if (ends[way] == NULL)
        return false;
    crew_begin(&job, peer == &own_queue ? MEMBERS : 1);
    bool connected = peer->connect == NULL || peer->connect(ends[way]);
    return crew_join() && connected;
}

/* Here the member is the producer, which opens first; a peer that has to be connected cannot. */
static bool open_back(uint32_t way)
{
    const struct queue_peer *peer = ways[way];
    char name[80];
    job.more = 1;
    back_name(name, sizeof name);
    crew_begin(&job, 1);
    if (!crew_join())
        return false;
    backs[way] = peer->open(name, true, (size_t)job.message, (size_t)job.capacity);
    return backs[way] != NULL;
}

static bool way_open(uint32_t way, size_t message, size_t capacity, bool back)
{
    static unsigned number;
    const struct queue_peer *peer = ways[way];
    if ((peer->longest != 0 && message > peer->longest) || (back && peer->connect != NULL))
        return false;
    job =
        (struct crew_job){.kind = KIND_OPEN, .way = way, .message = message, .capacity = capacity};
    snprintf(job.name, sizeof job.name, "%s-%u", shmx_name(crew_shm), number++);
    return open_there(way) && (!back || open_back(way));
}

static void both_close(uint32_t way, bool member)
{
    if (ends[way] != NULL)
        ways[way]->close(ends[way], member);
    if (backs[way] != NULL)
        ways[way]->close(backs[way], !member);
    ends[way] = backs[way] = NULL;
}

static void way_close(uint32_t way)
{
    job.kind = KIND_CLOSE;
    job.way = way;
    job.apart = false;
    crew_begin(&job, MEMBERS);
    crew_join();
    both_close(way, false);
}

/* ---- the other processes: the first is the consumer of one to one ---- */

static bool answer_pings(void)
{
    bool good = true;
    for (uint32_t i = 0; i < job.times && good; i++)
        good = ways[job.way]->receive(ends[job.way], buffer, (size_t)job.message) &&
               ways[job.way]->send(backs[job.way], buffer, (size_t)job.message);
    return good;
}

static bool hear(void)
{
    bool good = true;
    for (uint32_t i = 1; i <= job.times && good; i++) {
        good = ways[job.way]->receive(ends[job.way], buffer, (size_t)job.message);
        atomic_store(&stage->when, now_ns());
        atomic_store(&stage->heard, i);
    }
    return good;
}

static bool answer(uint32_t index, const struct crew_job *given)
{
    stage = crew_stage;
    job = *given;
    switch ((enum kind)job.kind) {
    case KIND_OPEN:
        return member_open(ways[job.way]);
    case KIND_CLOSE:
        both_close(job.way, true);
        return true;
    case KIND_RUN:
        return receive_many(job.way, job.times);
    case KIND_CROWD:
        return index < 4 ? receive_many(job.way, job.times) : send_many(job.way, job.times);
    case KIND_PING:
        return answer_pings();
    case KIND_ASLEEP:
        return hear();
    }
    return false;
}

static void begin(enum kind kind, uint32_t way, uint32_t times, uint32_t members)
{
    job.kind = kind;
    job.way = way;
    job.times = times;
    job.apart = members == 1;
    crew_begin(&job, members);
}

/* ---- one to one ---- */

static double way_run(uint32_t way, uint32_t times)
{
    int64_t start = now_ns();
    begin(KIND_RUN, way, times, 1);
    bool sent = send_many(way, times);
    bool received = crew_join();
    return sent && received ? (double)(now_ns() - start) / times : -1;
}

static void python_run(struct place place, int round, size_t message, uint32_t times)
{
    static const char *const kinds[][2] = {{"messages.py pipe", "Python Pipe"},
                                           {"messages.py queue", "Python Queue"}};
    for (int i = 0; i < 2 && python_is_here(); i++)
        sample_value(place, kinds[i][1], round,
                     (double)python_ns(kinds[i][0], message, (int)times / 50 + 1, 1));
}

static void size_text(char (*text)[16], size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB"};
    int unit = 0;
    for (; size >= 1024 && unit < 2; unit++)
        size /= 1024;
    snprintf(*text, sizeof *text, "%u %s", (unsigned)size, units[unit]);
}

/* At: "16 B/256 KiB" under way at most. */
static void one_to_one(size_t message, size_t capacity, int work)
{
    char at[48], text[2][16];
    struct place place = {"queue", at};
    uint32_t times = (uint32_t)sample_scaled(work);
    bool here[WAYS_MAX];
    size_text(text, message);
    size_text(text + 1, capacity);
    snprintf(at, sizeof at, "%s/%s", text[0], text[1]);
    for (uint32_t way = 0; way < count; way++) {
        here[way] = way_open(way, message, capacity, false);
        if (here[way])
            way_run(way, times / 10 + 1);
    }
    for (int round = 0; round < sample_rounds(); round++) {
        for (uint32_t way = 0; way < count; way++)
            if (here[way])
                sample_value(place, ways[way]->name, round,
                             way_run(way, 1 + (uint32_t)(times / ways[way]->slowness)));
        python_run(place, round, message, times);
    }
    for (uint32_t way = 0; way < count; way++)
        way_close(way);
}

/* ---- latency: there and back ---- */

static bool ping(uint32_t way)
{
    return ways[way]->send(ends[way], buffer, (size_t)job.message) &&
           ways[way]->receive(backs[way], buffer, (size_t)job.message);
}

static bool running(struct place place, uint32_t way, int round)
{
    static int64_t each[SINGLE];
    int single = sample_scaled(SINGLE);
    single = single < SINGLE ? single : SINGLE;
    int times = 1 + (int)(sample_scaled(PINGS) / (ways[way]->slowness > 1 ? 10 : 1));
    begin(KIND_PING, way, (uint32_t)(times + single), 1);
    int64_t start = now_ns();
    bool good = true;
    for (int i = 0; i < times && good; i++)
        good = ping(way);
    sample_value(place, ways[way]->name, round, good ? (double)(now_ns() - start) / times / 2 : -1);
    for (int i = 0; i < single && good; i++) {
        start = now_ns();
        good = ping(way);
        each[i] = (now_ns() - start) / 2;
    }
    sample_each(place, ways[way]->name, round, each, single);
    return crew_join() && good;
}

static bool asleep(struct place place, uint32_t way, int round)
{
    static int64_t each[ASLEEP];
    int times = sample_scaled(ASLEEP);
    times = times < ASLEEP ? times : ASLEEP;
    atomic_store(&stage->heard, 0);
    begin(KIND_ASLEEP, way, (uint32_t)times, 1);
    for (int i = 0; i < times; i++) {
        process_pause(500000); /* enough to fall asleep in */
        int64_t start = now_ns();
        if (!ways[way]->send(ends[way], buffer, (size_t)job.message))
            return false;
        while (atomic_load(&stage->heard) != (uint32_t)i + 1)
            ;
        each[i] = atomic_load(&stage->when) - start;
    }
    sample_each(place, ways[way]->name, round, each, times);
    return crew_join();
}

static bool latency(void)
{
    bool good = true, here[WAYS_MAX];
    for (uint32_t way = 0; way <= count; way++)
        here[way] = way_open(way, 64, 65536, true);
    job.message = 64;
    for (int round = 0; round < sample_rounds(); round++)
        for (uint32_t way = 0; way <= count; way++) {
            good &= !here[way] || running((struct place){"latency", "running"}, way, round);
            if (way < count)
                good &= !here[way] || asleep((struct place){"latency", "asleep"}, way, round);
        }
    for (uint32_t way = 0; way <= count; way++)
        way_close(way);
    return good;
}

/* ---- four to four ---- */

static double crowd(uint32_t times)
{
    int64_t start = now_ns();
    begin(KIND_CROWD, OWN_WAY, times / 4, MEMBERS);
    bool sent = send_many(OWN_WAY, times / 4);
    return crew_join() && sent ? (double)(now_ns() - start) / times : -1;
}

static void crowds(const char *at, size_t message)
{
    struct place place = {"crowd", at};
    uint32_t times = (uint32_t)sample_scaled(CROWD) / 4 * 4 + 4;
    for (int round = 0; round < sample_rounds(); round++) {
        if (round == 0 && !way_open(OWN_WAY, message, (size_t)1 << 20, false))
            return;
        sample_value(place, "one to one", round, way_run(OWN_WAY, times));
        sample_value(place, "four to four", round, crowd(times));
    }
    way_close(OWN_WAY);
}

/* ---- all of it ---- */

static const struct {
    size_t message;
    int times;
    size_t capacities[2];
} plan[] = {{16, 400000, {256 << 10, 4 << 20}},
            {256, 200000, {256 << 10, 4 << 20}},
            {4096, 40000, {512 << 10, 4 << 20}},
            {65536, 3000, {2 << 20, 8 << 20}},
            {1 << 20, 200, {8 << 20, 16 << 20}}};

static bool tables(void)
{
    for (size_t i = 0; i < sizeof plan / sizeof *plan; i++)
        for (int k = 0; k < 2 && sample_wants("queue"); k++)
            one_to_one(plan[i].message, plan[i].capacities[k], plan[i].times);
    if (sample_wants("crowd")) {
        crowds("16 B", 16);
        crowds("4 KiB", 4096);
    }
    return !sample_wants("latency") || latency();
}

int main(int argc, char **argv)
{
    int status;
    ways_collect();
    buffer = calloc(1, LONGEST);
    if (buffer == NULL || crew_member(argc, argv, answer, &status))
        return buffer == NULL || status;
    if (!sample_begin(argc, argv))
        return 2;
    if (!crew_start(argv[0], sizeof(struct stage), MEMBERS))
        return 1;
    stage = crew_stage;
    bool good = tables();
    good &= crew_end();
    free(buffer);
    return !good;
}
