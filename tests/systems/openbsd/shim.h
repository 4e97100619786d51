/* SPDX-License-Identifier: MIT */
/* OpenBSD 7 on Linux. shim.c has the rules. */
#ifndef SIM_OPENBSD_H
#define SIM_OPENBSD_H

#include "../common/sim.h"

#define fstat(fd, facts) sim_fstat(fd, facts)
#define ftruncate(fd, length) sim_ftruncate(fd, length)
#define fchmod(fd, mode) sim_fchmod(fd, mode)
#define pread(fd, bytes, count, at) sim_pread(fd, bytes, count, at)
#define pwrite(fd, bytes, count, at) sim_pwrite(fd, bytes, count, at)
#define mmap(place, length, protection, how, fd, at)                                               \
    sim_mmap(place, length, protection, how, fd, at)

#undef F_OFD_SETLK
#undef F_OFD_SETLKW
#undef F_OFD_GETLK

#undef ENOTSUP /* another error than EOPNOTSUPP there */
#define ENOTSUP 1091

/* The path of the file that is the object. */
void sim_shm_path(const char *name, char path[SIM_PATH_MAX]);

/* The cleaning of /tmp by daily(8). */
void sim_daily(void);

/* SHA-256 of a text in hexadecimal digits. */
void sim_sha256(const char *text, char digits[65]);

#endif
