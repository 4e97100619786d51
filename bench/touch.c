/* SPDX-License-Identifier: MIT */
/* The cost and the gain of SHMX_PREFAULT beside touching the pages by hand, for a process that
 * creates a segment and for one that attaches to it later. One process; the times are for a whole
 * segment. */
#include <stdio.h>
#include <stdlib.h>

#include <shmx.h>

#include "sample.h"
#include "raw.h"

#define PAGE 4096

struct job {
    const char *name;
    size_t size;
    unsigned flags;
};

/* As a user's first write, or read, of every page. */
static void touch(unsigned char *data, size_t size)
{
    for (size_t at = 0; at < size; at += PAGE)
        *(volatile unsigned char *)(data + at) = 1;
}

static int64_t raw_first(int times, void *context)
{
    const struct job *job = context;
    int64_t taken = 0;
    for (int i = 0; i < times; i++) {
        struct raw raw;
        int64_t start = now_ns();
        if (raw_create(&raw, job->name, job->size) != 0)
            return -1;
        touch(raw.data, job->size);
        taken += now_ns() - start;
        raw_close(&raw);
        raw_unlink(job->name);
    }
    return taken;
}

static int64_t shmx_first(int times, void *context)
{
    const struct job *job = context;
    int64_t taken = 0;
    for (int i = 0; i < times; i++) {
        shmx *shm;
        int64_t start = now_ns();
        if (shmx_create(&shm, job->name, job->size, job->flags) != SHMX_OK)
            return -1;
        touch(shmx_data(shm), job->size);
        taken += now_ns() - start;
        shmx_close(&shm);
    }
    return taken;
}

static int64_t raw_second(int times, void *context)
{
    const struct job *job = context;
    int64_t taken = 0;
    for (int i = 0; i < times; i++) {
        struct raw raw;
        int64_t start = now_ns();
        if (raw_open(&raw, job->name, job->size) != 0)
            return -1;
        touch(raw.data, job->size);
        taken += now_ns() - start;
        raw_close(&raw);
    }
    return taken;
}

static int64_t shmx_second(int times, void *context)
{
    const struct job *job = context;
    int64_t taken = 0;
    for (int i = 0; i < times; i++) {
        shmx *shm;
        int64_t start = now_ns();
        if (shmx_open(&shm, job->name, job->flags) != SHMX_OK)
            return -1;
        touch(shmx_data(shm), job->size);
        taken += now_ns() - start;
        shmx_close(&shm);
    }
    return taken;
}

static bool first(struct place place, const char *name, size_t size)
{
    struct job bare = {name, size, 0}, prefault = {name, size, SHMX_PREFAULT};
    struct way ways[] = {{"bare calls", raw_first, &bare},
                         {"shmx", shmx_first, &bare},
                         {"shmx, SHMX_PREFAULT", shmx_first, &prefault}};
    return sample_ways(place, ways, 3, 1);
}

static bool second(struct place place, const char *name, size_t size)
{
    char other[80];
    struct raw raw;
    shmx *shm;
    snprintf(other, sizeof other, "%s-raw", name);
    if (raw_create(&raw, other, size) != 0 || shmx_create(&shm, name, size, SHMX_PREFAULT) != 0)
        return false;
    touch(raw.data, size);
    struct job bare = {other, size, 0}, hand = {name, size, 0},
               prefault = {name, size, SHMX_PREFAULT};
    struct way ways[] = {{"bare calls", raw_second, &bare},
                         {"shmx, made with SHMX_PREFAULT", shmx_second, &hand},
                         {"shmx, opened with SHMX_PREFAULT", shmx_second, &prefault}};
    bool good = sample_ways(place, ways, 3, 1);
    raw_close(&raw);
    raw_unlink(other);
    shmx_close(&shm);
    return good;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        size_t mib;
    } sizes[] = {{"2 MiB", 2}, {"256 MiB", 256}, {"1 GiB", 1024}};
    char name[64];
    bool good = true;
    if (!sample_begin(argc, argv))
        return 2;
    int most = sample_scaled(1024); /* MiB: with little work, only what is small */
    snprintf(name, sizeof name, "shmx-bench-%lld", (long long)now_ns());
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (sizes[i].mib > 2 && (size_t)most < sizes[i].mib / 16)
            break;
        size_t size = sizes[i].mib << 20;
        good &= !sample_wants("touch") || first((struct place){"touch", sizes[i].name}, name, size);
        good &=
            !sample_wants("attach") || second((struct place){"attach", sizes[i].name}, name, size);
    }
    return !good;
}
