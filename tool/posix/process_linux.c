/* SPDX-License-Identifier: MIT */
/* Linux tells when a process began, so that a number that is used again is not taken for it. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../system.h"

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
