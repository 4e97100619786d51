/* SPDX-License-Identifier: MIT */
/* The part of linux.c that is about pages, which are many things there. */
#ifndef SHMX_LINUX_PAGES_H
#define SHMX_LINUX_PAGES_H

#include "system/system.h"

void *shmx_linux_place(size_t length);
void shmx_linux_prefault(const struct shmx_attachment *attachment);

/* Have huge pages in a new object, as far as goes from its start; return how far. */
size_t shmx_linux_collapse(const struct shmx_attachment *attachment, int fd);

/* ---- how much memory there is (linux_memory.c) ---- */

bool shmx_linux_has_room(size_t length);

#define SHMX_LINUX_DIRECTORY "/dev/shm"

#endif
