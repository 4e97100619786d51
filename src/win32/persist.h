/* SPDX-License-Identifier: MIT */
/* Files that hold segments which outlive their users. persist.c says where and how. */
#ifndef SHMX_PERSIST_H
#define SHMX_PERSIST_H

#include "section.h"

/* True if a file may hold a segment of that name. */
bool shmx_win32_persist_maybe(const char *name);

/* Make a file of that length for a new segment. It has no segment's name yet, and must be
 * published, or discarded when no section of it is open any more. */
int shmx_win32_persist_make(uint64_t length, HANDLE *file);

/* Give it the segment's name. SHMX_EEXIST: another has it. */
int shmx_win32_persist_publish(HANDLE file, const char *name);

/* Take it back, whatever name it has, and close it; `id` is the segment's. */
void shmx_win32_persist_discard(HANDLE file, uint64_t id);

/* Open the file of the live segment that has this name, for reading and writing. SHMX_ENOENT,
 * SHMX_EPROTO. A segment that was unlinked but for the file's name is cleared away. */
int shmx_win32_persist_open(const char *name, HANDLE *file);

/* Describe it, and change nothing. SHMX_ENOENT. */
int shmx_win32_persist_look(const char *name, struct shmx_os_view *view);

/* Is there one? Of a segment that has just been unlinked, this takes the file's name away: users
 * keep it. */
int shmx_win32_persist_check(const char *name);

/* Remove the file of a segment that has been unlinked, if this was the last user of it. */
void shmx_win32_persist_remove(uint64_t id);

/* Note the names of all, for base/listing.h. */
int shmx_win32_persist_list(void *listing);

/* Remove what killed processes left: all, or a little. */
int shmx_win32_persist_clear(void);
void shmx_win32_persist_sweep(void);

#endif
