/* SPDX-License-Identifier: MIT */
/* Systems that do not say which processes use a segment, nor which are present. */
#include "system.h"

bool system_users(const char *name, void (*visit)(int64_t pid, void *context), void *context)
{
    (void)name;
    (void)visit;
    (void)context;
    return false;
}

bool system_present(const char *name,
                    void (*visit)(int64_t pid, uint32_t first, uint32_t last, void *context),
                    void *context)
{
    (void)name;
    (void)visit;
    (void)context;
    return false;
}
