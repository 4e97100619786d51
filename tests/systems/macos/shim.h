/* SPDX-License-Identifier: MIT */
/* macOS on Linux. shim.c has the rules. */
#ifndef SIM_MACOS_H
#define SIM_MACOS_H

#include "../common/sim.h"

void *sim_dlsym(void *handle, const char *name);
#define dlsym(handle, name) sim_dlsym(handle, name)

#endif
