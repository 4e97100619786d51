/* SPDX-License-Identifier: MIT */
/* As NetBSD 10's header of that name, as far as shmx uses it. */
#ifndef SIM_SYS_FUTEX_H
#define SIM_SYS_FUTEX_H

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_PRIVATE_FLAG 128
#define FUTEX_CLOCK_REALTIME 256
#define FUTEX_BITSET_MATCH_ANY 0xffffffff

#endif
