/* SPDX-License-Identifier: MIT */
#ifndef COPY_H
#define COPY_H

#include <shmx.h>

#if defined(__ELF__) || defined(__MACH__)
#define COPY_API __attribute__((visibility("default")))
#else
#define COPY_API
#endif

COPY_API const void *copy_place(void); /* where this copy's code lies */
COPY_API shmx *copy_attach(const char *name, int create);
COPY_API int copy_lock(shmx *shm);
COPY_API int copy_unlock(shmx *shm);
COPY_API void copy_leave(shmx *shm);

#endif
