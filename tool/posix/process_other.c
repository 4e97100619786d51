/* SPDX-License-Identifier: MIT */
/* POSIX does not tell when a process began: one that has the number is taken for it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../system.h"
#include "owner.h"

int system_process_alive(int64_t pid, uint64_t created)
{
    (void)created;
    if (pid <= 0 || pid > INT32_MAX)
        return -1;
    return kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

enum access system_owner(const shmx_info *info, char owner[32])
{
    char path[SHMX_NAME_MAX + 2];
    struct stat facts;
    snprintf(owner, 32, "-");
    snprintf(path, sizeof path, "/%s", info->name);
    int fd = shm_open(path, O_RDONLY, 0); /* a name that was condensed is not found */
    if (fd < 0)
        return ACCESS_UNKNOWN;
    bool known = fstat(fd, &facts) == 0;
    close(fd);
    return known ? owner_text(&facts, owner) : ACCESS_UNKNOWN;
}
