/* SPDX-License-Identifier: MIT */
#include "posix.h"
#include "reserve.h"

bool shmx_posix_available(uint64_t *bytes)
{
    *bytes = 0;
    return false;
}
