/* SPDX-License-Identifier: MIT */
/* For systems whose fork runs handlers for ever, of libraries too that were unloaded. */
#include <dlfcn.h>

#include "system/system.h"

void shmx_posix_stay(void)
{
    Dl_info where;
    if (dladdr(&shmx_system, &where) != 0)
        (void)dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}
