/* SPDX-License-Identifier: MIT */
/* FreeBSD 14 on Linux. shim.c has the rules. */
#ifndef SIM_FREEBSD_H
#define SIM_FREEBSD_H

#include "../common/sim.h"

#define fstat(fd, facts) sim_fstat(fd, facts)
#define fchmod(fd, mode) sim_fchmod(fd, mode)
#define pwrite(fd, bytes, count, at) sim_pwrite(fd, bytes, count, at)

#undef F_OFD_SETLK
#undef F_OFD_SETLKW
#undef F_OFD_GETLK

#endif
