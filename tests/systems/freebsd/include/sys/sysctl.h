/* SPDX-License-Identifier: MIT */
/* As FreeBSD's header of that name, as far as shmx uses it. */
#ifndef SIM_SYS_SYSCTL_H
#define SIM_SYS_SYSCTL_H

#include <stddef.h>

int sysctlbyname(const char *name, void *old, size_t *old_length, const void *now,
                 size_t now_length);

#endif
