/* SPDX-License-Identifier: MIT */
/*
 * How much memory the system could still give. A tmpfs may promise more than there is, and a
 * process that takes it is killed instead of refused: by the machine's limit, /proc/meminfo
 * (proc(5)), or by that of a control group, its own or one above it (cgroups(7), both versions).
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "linux_pages.h"

#define TEXT_MAX 4096
#define GROUPS "/sys/fs/cgroup"

static bool read_text(const char *path, char text[TEXT_MAX])
{
    int fd = shmx_posix_open(path, O_RDONLY, 0);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, text, TEXT_MAX - 1);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

/* Add the number behind the key, at the start of a line, times `unit`. */
static bool add_line(const char *text, const char *key, uint64_t unit, uint64_t *sum)
{
    size_t length = strlen(key);
    uint64_t number;
    while (strncmp(text, key, length) != 0) {
        text = strchr(text, '\n');
        if (text == NULL)
            return false;
        text++;
    }
    if (sscanf(text + length, "%" SCNu64, &number) != 1)
        return false;
    *sum += number * unit;
    return true;
}

static bool machine(uint64_t *bytes)
{
    char text[TEXT_MAX];
    *bytes = 0;
    return read_text("/proc/meminfo", text) && add_line(text, "MemAvailable:", 1024, bytes) &&
           add_line(text, "SwapFree:", 1024, bytes);
}

/* ---- control groups ---- */

/* A version of them: where, and what the files are called. */
struct version {
    const char *line; /* what the group's path follows in /proc/self/cgroup */
    const char *root, *limit, *usage;
    const char *cache, *shared; /* lines of memory.stat */
};

static const struct version versions[] = {
    {"0::", GROUPS, "memory.max", "memory.current", "file ", "shmem "},
    {"memory:", GROUPS "/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache ",
     "total_shmem "},
};

static bool read_number(const struct version *version, const char *group, const char *file,
                        uint64_t *number)
{
    char path[TEXT_MAX], text[TEXT_MAX];
    int length = snprintf(path, sizeof path, "%s%s/%s", version->root, group, file);
    return length < (int)sizeof path && read_text(path, text) &&
           sscanf(text, "%" SCNu64, number) == 1; /* "max": none */
}

/* Dropped by the kernel when the group is full: cached files, but for shared memory. */
static uint64_t droppable(const struct version *version, const char *group)
{
    char path[TEXT_MAX], text[TEXT_MAX];
    uint64_t cache = 0, shared = 0;
    int length = snprintf(path, sizeof path, "%s%s/memory.stat", version->root, group);
    if (length >= (int)sizeof path || !read_text(path, text) ||
        !add_line(text, version->cache, 1, &cache) || !add_line(text, version->shared, 1, &shared))
        return 0;
    return cache > shared ? cache - shared : 0;
}

static void lower_to_group(const struct version *version, const char *group, uint64_t *bytes)
{
    uint64_t limit, usage;
    if (!read_number(version, group, version->limit, &limit) ||
        !read_number(version, group, version->usage, &usage))
        return;
    uint64_t used = usage - droppable(version, group);
    uint64_t left = usage > limit || used > limit ? 0 : limit - used;
    if (left < *bytes)
        *bytes = left;
}

/* The group that a line names, and those above it. In a container its path may be one of outside:
 * the root, which is the container's own, is looked at in any case. */
static void lower_to_groups(const struct version *version, const char *line, uint64_t *bytes)
{
    char group[TEXT_MAX];
    size_t length = strcspn(line, "\n");
    memcpy(group, line, length);
    group[length] = '\0';
    for (;;) {
        if (strcmp(group, "/") == 0)
            group[0] = '\0';
        lower_to_group(version, group, bytes);
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            return;
        *slash = '\0';
    }
}

/* ---- all of them ---- */

static uint64_t available(void)
{
    char text[TEXT_MAX];
    uint64_t bytes;
    if (!machine(&bytes))
        bytes = UINT64_MAX;
    if (!read_text("/proc/self/cgroup", text))
        return bytes;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        const char *line = strstr(text, versions[i].line);
        if (line != NULL)
            lower_to_groups(&versions[i], line + strlen(versions[i].line), &bytes);
    }
    return bytes;
}

/* A look takes as long as filling half a MiB. One that finds plenty is good for a little more, for
 * a time in which so much is hardly filled. */
#define PLENTY ((uint64_t)1 << 30)
#define LITTLE ((size_t)1 << 24)
#define GOOD_FOR ((int64_t)20 * 1000 * 1000)

bool shmx_linux_has_room(size_t length)
{
    static _Atomic int64_t until;
    int64_t now = shmx_os_tick();
    /* Relaxed: no harm is done if two threads look at once. */
    if (length <= LITTLE && now < atomic_load_explicit(&until, memory_order_relaxed))
        return true;
    uint64_t bytes = available();
    if (bytes >= PLENTY)
        atomic_store_explicit(&until, now + GOOD_FOR, memory_order_relaxed);
    return length <= bytes;
}
