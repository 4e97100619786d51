/* SPDX-License-Identifier: MIT */
/* How much memory the system could still give: MemAvailable and SwapFree of /proc/meminfo, proc(5).
 * A tmpfs may promise more than there is, and who takes it is killed instead of refused. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "posix.h"
#include "reserve.h"

static bool read_line(const char *text, const char *key, uint64_t *bytes)
{
    const char *line = strstr(text, key);
    uint64_t kilobytes;
    if (line == NULL || sscanf(line + strlen(key), "%" SCNu64, &kilobytes) != 1)
        return false;
    *bytes += kilobytes * 1024;
    return true;
}

bool shmx_posix_available(uint64_t *bytes)
{
    char text[2048];
    int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0)
        return false;
    text[length] = '\0';
    *bytes = 0;
    return read_line(text, "MemAvailable:", bytes) && read_line(text, "SwapFree:", bytes);
}
