/* SPDX-License-Identifier: MIT */
/* How much memory the system could give at most where it does not say how much is free. */
#include <unistd.h>

#include "posix.h"
#include "reserve.h"

bool shmx_posix_available(uint64_t *bytes)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    *bytes = pages > 0 ? (uint64_t)pages * shmx_os_facts()->page_size : 0;
    return pages > 0;
}
