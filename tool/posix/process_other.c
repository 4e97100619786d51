/* SPDX-License-Identifier: MIT */
/* POSIX does not tell when a process began: one that has the number is taken for it. */
#include <errno.h>
#include <signal.h>

#include "../system.h"

int system_process_alive(int64_t pid, uint64_t created)
{
    (void)created;
    if (pid <= 0 || pid > INT32_MAX)
        return -1;
    return kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}
