/* SPDX-License-Identifier: MIT */
/* Reserving memory where the system has no fallocate but lets us write to the object. */
#include "posix.h"
#include "reserve.h"

int shmx_posix_reserve(int fd, size_t length)
{
    return shmx_posix_reserve_by_writing(fd, length);
}
