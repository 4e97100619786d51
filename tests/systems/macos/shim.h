/* SPDX-License-Identifier: MIT */
/* macOS 15 on Apple silicon, on Linux. shim.c has the rules. */
#ifndef SIM_MACOS_H
#define SIM_MACOS_H

#include "../common/sim.h"

#define fstat(fd, facts) sim_fstat(fd, facts)
#define ftruncate(fd, length) sim_ftruncate(fd, length)
#define fchmod(fd, mode) sim_fchmod(fd, mode)
#define pread(fd, bytes, count, at) sim_pread(fd, bytes, count, at)
#define pwrite(fd, bytes, count, at) sim_pwrite(fd, bytes, count, at)
#define mmap(place, length, protection, how, fd, at)                                               \
    sim_mmap(place, length, protection, how, fd, at)
#define munmap(data, length) sim_munmap(data, length)
#define sysconf(what) sim_sysconf(what)
#define getpagesize() ((int)sim_sysconf(_SC_PAGESIZE))

#undef ENOTSUP /* another error than EOPNOTSUPP there */
#define ENOTSUP 1045

int sim_rwlock_init(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attributes);
#define pthread_rwlock_init(lock, attributes) sim_rwlock_init(lock, attributes)

void *sim_dlsym(void *handle, const char *name);
#define dlsym(handle, name) sim_dlsym(handle, name)

/* Before macOS 14.4 there are no os_sync_... calls: set this in the environment. */
#define SIM_OLD "SHMX_SIM_OLD"

/* Fork runs handlers for ever: libpthread src/pthread_atfork.c, which has no way to remove one. */
#define pthread_atfork(before, parent, child) sim_atfork_for_ever(before, parent, child)

#endif
