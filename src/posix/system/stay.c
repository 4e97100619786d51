/* SPDX-License-Identifier: MIT */
/* For systems on which something of a library outlives it: fork runs its handlers for ever (macOS,
 * NetBSD); thread-local data is the compiler's own, with a function for threads that end (OpenBSD).
 */
#include <dlfcn.h>

#include "system/system.h"

/* Older OpenBSD has neither; a reference that is never given back does as well. */
#ifndef RTLD_NOLOAD
#define RTLD_NOLOAD 0
#endif
#ifndef RTLD_NODELETE
#define RTLD_NODELETE 0
#endif

void shmx_posix_stay(void)
{
    Dl_info where;
    if (dladdr(&shmx_system, &where) != 0)
        (void)dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}
