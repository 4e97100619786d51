/* SPDX-License-Identifier: MIT */
/* OpenBSD 7 on Linux. shim.c has the rules. */
#ifndef SIM_OPENBSD_H
#define SIM_OPENBSD_H

#include "../common/sim.h"

#undef F_OFD_SETLK
#undef F_OFD_SETLKW
#undef F_OFD_GETLK

#endif
