/* SPDX-License-Identifier: MIT */
/* Found before the system's own: a file that includes it calls the simulation. */
#ifndef SIM_WINDOWS_HEADER
#define SIM_WINDOWS_HEADER

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include_next <windows.h>

#include "../shim.h"

#endif
