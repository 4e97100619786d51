/* SPDX-License-Identifier: MIT */
/* FreeBSD 14 on Linux. shim.c has the rules. */
#ifndef SIM_FREEBSD_H
#define SIM_FREEBSD_H

#include "../common/sim.h"

#undef F_OFD_SETLK
#undef F_OFD_SETLKW
#undef F_OFD_GETLK

#endif
