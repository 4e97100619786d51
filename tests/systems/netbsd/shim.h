/* SPDX-License-Identifier: MIT */
/* NetBSD 10 on Linux. shim.c has the rules. */
#ifndef SIM_NETBSD_H
#define SIM_NETBSD_H

#include "../common/sim.h"

#define fstat(fd, facts) sim_fstat(fd, facts)

#undef F_OFD_SETLK
#undef F_OFD_SETLKW
#undef F_OFD_GETLK

#undef ENOTSUP /* another error than EOPNOTSUPP there */
#define ENOTSUP 1086
#define EFTYPE 1079 /* 79 there, which is another error here */

#define SYS___futex 166
#define syscall(...) sim_syscall(__VA_ARGS__)
long sim_syscall(long number, ...);

/* Fork runs handlers for ever: lib/libc/gen/pthread_atfork.c, "nothing is ever freed". */
#define pthread_atfork(before, parent, child) sim_atfork_for_ever(before, parent, child)

#endif
