/* SPDX-License-Identifier: MIT */
/* What the fake backend keeps with an object. */
#ifndef SHMX_OS_PRIVATE_H
#define SHMX_OS_PRIVATE_H

struct fake_memory;

struct shmx_os_private {
    struct fake_memory *memory;
};

#endif
