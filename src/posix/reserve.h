/* SPDX-License-Identifier: MIT */
/* Parts of shmx_posix_reserve. */
#ifndef SHMX_RESERVE_H
#define SHMX_RESERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Refuse at once what cannot fit, instead of filling the memory first to find out. */
int shmx_posix_room_check(int fd, size_t length);

/* Set the length, then write a byte to each page, which makes the system find room for it. */
int shmx_posix_reserve_by_writing(int fd, size_t length);

/* Bytes that the system could still give to all; false if it cannot say. */
bool shmx_posix_available(uint64_t *bytes);

#endif
