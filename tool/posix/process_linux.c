/* SPDX-License-Identifier: MIT */
/* Linux tells when a process began, so that a number that is used again is not taken for it. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "../system.h"
#include "owner.h"
#include "posix/ofd/ofd.h"

#define STARTTIME 22 /* field of /proc/PID/stat, proc(5); in ticks since the machine started */
#define TOLERANCE_NS 1000000000 /* of two clocks, one of which counts in ticks */

static bool file_read(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    size_t length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    fclose(file);
    return length > 0;
}

/* ns since 1970, 0 if it cannot be told */
static int64_t began(int64_t pid)
{
    char path[64], text[2048];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    char *at = file_read(path, text, sizeof text) ? strrchr(text, ')') : NULL; /* end of field 2 */
    for (int field = 2; at != NULL && field < STARTTIME; field++)
        at = strchr(at + 1, ' ');
    if (at == NULL)
        return 0;
    int64_t ticks = strtoll(at, NULL, 10);
    struct timespec wall, boot;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    int64_t start = ((int64_t)wall.tv_sec - boot.tv_sec) * 1000000000 + wall.tv_nsec - boot.tv_nsec;
    return start + ticks * (1000000000 / sysconf(_SC_CLK_TCK));
}

int system_process_alive(int64_t pid, uint64_t created)
{
    if (pid <= 0 || pid > INT32_MAX)
        return -1;
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH)
        return 0;
    return began(pid) <= (int64_t)created + TOLERANCE_NS;
}

/* ---- owners and users ---- */

static bool object_look(const char *name, struct stat *facts)
{
    char path[SHMX_NAME_MAX + 16];
    snprintf(path, sizeof path, "/dev/shm/%s", name);
    return stat(path, facts) == 0;
}

enum access system_owner(const shmx_info *info, char owner[32])
{
    struct stat facts;
    snprintf(owner, 32, "-");
    return object_look(info->name, &facts) ? owner_text(&facts, owner) : ACCESS_UNKNOWN;
}

static bool process_maps(const char *pid, const struct stat *object)
{
    char path[300], line[1024];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%s/maps", pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        unsigned high, low;
        unsigned long long inode;
        found = sscanf(line, "%*s %*s %*s %x:%x %llu", &high, &low, &inode) == 3 &&
                inode == object->st_ino && makedev(high, low) == object->st_dev;
    }
    if (file != NULL)
        fclose(file);
    return found;
}

bool system_users(const char *name, void (*visit)(int64_t pid, void *context), void *context)
{
    struct stat object;
    DIR *folder = object_look(name, &object) ? opendir("/proc") : NULL;
    if (folder == NULL)
        return false;
    const struct dirent *entry;
    while (visit != NULL && (entry = readdir(folder)) != NULL)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            process_maps(entry->d_name, &object))
            visit(strtoll(entry->d_name, NULL, 10), context);
    closedir(folder);
    return true;
}

/* ---- who is present ---- */

struct presence {
    struct stat object;
    void (*visit)(int64_t pid, uint32_t first, uint32_t last, void *context);
    void *context;
};

/* The lines of a descriptor that say "lock:\t1: OFDLCK ADVISORY  READ -1 00:1b:2117 FIRST LAST":
 * proc_pid_fdinfo(5). Keys that follow each other are one lock. */
static void locks_visit(FILE *file, int64_t pid, const struct presence *presence)
{
    char line[256];
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned high, low;
        unsigned long long inode;
        int64_t first, last;
        if (sscanf(line, "lock: %*d: OFDLCK %*s READ %*d %x:%x:%llu %" SCNd64 " %" SCNd64, &high,
                   &low, &inode, &first, &last) == 5 &&
            inode == presence->object.st_ino && makedev(high, low) == presence->object.st_dev &&
            first >= LOCK_PRESENT && last <= LOCK_PRESENT + (int64_t)UINT32_MAX)
            presence->visit(pid, (uint32_t)(first - LOCK_PRESENT), (uint32_t)(last - LOCK_PRESENT),
                            presence->context);
    }
}

static void process_visit(int64_t pid, void *context)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/fdinfo", pid);
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        snprintf(path, sizeof path, "/proc/%" PRId64 "/fdinfo/%s", pid, entry->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            continue;
        locks_visit(file, pid, context);
        fclose(file);
    }
    if (folder != NULL)
        closedir(folder);
}

bool system_present(const char *name,
                    void (*visit)(int64_t pid, uint32_t first, uint32_t last, void *context),
                    void *context)
{
    struct presence presence = {.visit = visit, .context = context};
    return object_look(name, &presence.object) &&
           system_users(name, visit == NULL ? NULL : process_visit, &presence);
}
