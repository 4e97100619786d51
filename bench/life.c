/* SPDX-License-Identifier: MIT */
/* The life of a segment beside the system's bare calls and other libraries, alone and in a crowd;
 * access to its bytes; the memory that it takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shmx.h>

#include "peers/life_peer.h"
#include "peers/python.h"
#include "process.h"
#include "sample.h"

#define KIB ((size_t)1 << 10)
#define WRITTEN KIB /* of each segment */
#define CROWD_MOST 10000

/* ---- shmx, as a peer of the others ---- */

static bool own_create(struct held *held, const char *name, size_t size)
{
    bool good = shmx_create((shmx **)&held->room.pointer, name, size, 0) == SHMX_OK;
    held->data = shmx_data(held->room.pointer);
    return good;
}

static bool own_open(struct held *held, const char *name, size_t size)
{
    (void)size;
    bool good = shmx_open((shmx **)&held->room.pointer, name, 0) == SHMX_OK;
    held->data = shmx_data(held->room.pointer);
    return good;
}

static void own_close(struct held *held)
{
    shmx_close((shmx **)&held->room.pointer);
}

static void own_remove(const char *name)
{
    shmx_unlink(name);
}

static const struct life_peer own = {"shmx", own_create, own_open, own_close, NULL};
static const struct life_peer unlinked = {"shmx, unlink", own_create, own_open, own_close,
                                          own_remove};

/* ---- ways ---- */

struct job {
    const struct life_peer *peer;
    char name[64];
    size_t size;
    struct held kept;
};

static volatile unsigned char sink;

static int64_t life(int times, void *context)
{
    const struct job *job = context;
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        struct held held;
        if (!job->peer->create(&held, job->name, job->size))
            return -1;
        memset(held.data, 1, WRITTEN);
        if (job->peer->remove != NULL)
            job->peer->remove(job->name);
        job->peer->close(&held);
    }
    return now_ns() - start;
}

static int64_t visit(int times, void *context)
{
    const struct job *job = context;
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        struct held held;
        if (!job->peer->open(&held, job->name, job->size))
            return -1;
        sink = *(unsigned char *)held.data;
        job->peer->close(&held);
    }
    return now_ns() - start;
}

static int64_t python_life(int times, void *context)
{
    const struct job *job = context;
    return python_ns("life.py life", job->size, times / 4 + 1, times);
}

static int64_t python_visit(int times, void *context)
{
    const struct job *job = context;
    return python_ns("life.py open", job->size, times / 4 + 1, times);
}

/* A name that no other run has. */
static void name_make(char *name, const char *what)
{
    snprintf(name, 48, "shmx-bench-%s-%llx", what, (unsigned long long)now_ns());
}

/* shmx and all that is here: how many. Names differ, so that all can be there at once. */
static int jobs_make(struct job *jobs, size_t size)
{
    const struct life_peer *all[WAYS_MAX] = {life_peers[0], &own, &unlinked};
    int count = 3;
    for (int i = 1; life_peers[i] != NULL; i++)
        all[count++] = life_peers[i];
    for (int i = 0; i < count; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        jobs[i] = (struct job){.peer = all[i], .size = size};
        name_make(jobs[i].name, number);
    }
    return count;
}

static bool life_table(const char *at, size_t size, int times)
{
    struct job jobs[WAYS_MAX];
    struct way ways[WAYS_MAX];
    int count = jobs_make(jobs, size);
    for (int i = 0; i < count; i++)
        ways[i] = (struct way){jobs[i].peer->name, life, &jobs[i]};
    if (python_is_here() && size == KIB)
        ways[count++] = (struct way){"Python SharedMemory", python_life, &jobs[0]};
    return !sample_wants("life") || sample_ways((struct place){"life", at}, ways, count, times);
}

static void drop(struct job *job)
{
    if (job->peer->remove != NULL)
        job->peer->remove(job->name);
    job->peer->close(&job->kept);
}

static bool open_table(const char *at, size_t size)
{
    struct job jobs[WAYS_MAX];
    struct way ways[WAYS_MAX];
    bool good = true;
    int made = 0, count = 0;
    for (int all = jobs_make(jobs, size); made < all; made++) {
        good &= jobs[made].peer->create(&jobs[made].kept, jobs[made].name, size);
        if (jobs[made].peer != &unlinked && jobs[made].peer != &reserved_life)
            ways[count++] = (struct way){jobs[made].peer->name, visit, &jobs[made]};
    }
    if (python_is_here())
        ways[count++] = (struct way){"Python SharedMemory", python_visit, &jobs[0]};
    good = good && sample_ways((struct place){"open", at}, ways, count, 1000);
    while (made > 0)
        drop(&jobs[--made]);
    return good;
}

/* ---- in a crowd ---- */

/* Open and close, or create and close, while many others are there: users of the one segment, or
 * segments. */
static bool crowd(const char *table, int count, bool users)
{
    static shmx *all[CROWD_MOST];
    struct job raw = {.peer = life_peers[0], .size = KIB}, mine = {.peer = &own, .size = KIB};
    name_make(raw.name, "raw");
    name_make(mine.name, "own");
    struct way visits[] = {{"bare calls", visit, &raw}, {"shmx", visit, &mine}};
    struct job raw_new = raw, mine_new = mine;
    struct way lives[] = {{"bare calls, create", life, &raw_new},
                          {"shmx, create", life, &mine_new}};
    char at[16];
    strcat(raw_new.name, "-new");
    strcat(mine_new.name, "-new");
    if (!own.create(&mine.kept, mine.name, KIB))
        return false;
    bool good = raw.peer->create(&raw.kept, raw.name, KIB);
    int got = 0;
    while (got < count && (users ? shmx_open(&all[got], mine.name, 0)
                                 : shmx_create(&all[got], NULL, KIB, 0)) == SHMX_OK)
        got++;
    snprintf(at, sizeof at, "%d", got);
    good = good && sample_ways((struct place){table, at}, visits, 2, 300);
    if (!users)
        good = good && sample_ways((struct place){table, at}, lives, 2, 300);
    while (got > 0)
        shmx_close(&all[--got]);
    drop(&raw);
    own.close(&mine.kept);
    return good;
}

static bool crowds(void)
{
    bool good = true;
    for (int count = 1; count <= 1000 && sample_wants("users"); count *= 10)
        good &= crowd("users", count, true);
    for (int count = 1; count <= CROWD_MOST && sample_wants("segments"); count *= 10)
        good &= crowd("segments", count, false);
    return good;
}

/* ---- access ---- */

#define BLOCK (64 * KIB)

static int64_t copy_bytes(int times, void *context)
{
    static unsigned char here[BLOCK];
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        here[0] = (unsigned char)i;
        memcpy(context, here, BLOCK);
        memcpy(here, context, BLOCK);
        sink = here[1];
    }
    return now_ns() - start;
}

static int64_t copy_checked(int times, void *context)
{
    static unsigned char here[BLOCK];
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        here[0] = (unsigned char)i;
        if (shmx_write(context, 0, here, BLOCK) != 0 || shmx_read(context, 0, here, BLOCK) != 0)
            return -1;
        sink = here[1];
    }
    return now_ns() - start;
}

static bool access_table(void)
{
    struct job raw = {.peer = life_peers[0]};
    shmx *shm;
    name_make(raw.name, "raw");
    void *heap = malloc(BLOCK);
    if (!sample_wants("access"))
        return free(heap), true;
    if (heap == NULL || shmx_create(&shm, NULL, BLOCK, 0) != SHMX_OK)
        return false;
    bool good = raw.peer->create(&raw.kept, raw.name, BLOCK);
    struct way ways[] = {{"bare mapping", copy_bytes, raw.kept.data},
                         {"shmx_data", copy_bytes, shmx_data(shm)},
                         {"shmx_write, shmx_read", copy_checked, shm},
                         {"memory of malloc", copy_bytes, heap}};
    good = good && sample_ways((struct place){"access", "64 KiB"}, ways, 4, 2000);
    drop(&raw);
    shmx_close(&shm);
    free(heap);
    return good;
}

/* ---- memory ---- */

static void memory_table(void)
{
    static const size_t sizes[] = {1, 4096, 65536};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && sample_wants("memory"); i++) {
        shmx *shm;
        shmx_info info;
        char way[64];
        snprintf(way, sizeof way, "segment of %zu bytes", sizes[i]);
        if (shmx_create(&shm, NULL, sizes[i], 0) == SHMX_OK &&
            shmx_stat(shmx_name(shm), &info) == SHMX_OK)
            sample_value((struct place){"memory", ""}, way, 0, (double)info.footprint);
        shmx_close(&shm);
    }
    if (!sample_wants("memory"))
        return;
    sample_value((struct place){"memory", ""}, "queue for 1 message of 64 bytes", 0,
                 (double)shmx_queue_size_for(64, 1));
    sample_value((struct place){"memory", ""}, "queue for 1,000 messages of 64 bytes", 0,
                 (double)shmx_queue_size_for(64, 1000));
}

int main(int argc, char **argv)
{
    if (!sample_begin(argc, argv))
        return 2;
    process_many_files();
    bool good = life_table("1 KiB", KIB, 300);
    good &= life_table("1 MiB", KIB * KIB, 20);
    good &= life_table("1 GiB", KIB * KIB * KIB, 1);
    good &= !sample_wants("open") || open_table("1 KiB", KIB);
    good &= access_table();
    memory_table();
    good &= crowds();
    return !good;
}
