/* SPDX-License-Identifier: MIT */
#include "reserve.h"

#include <errno.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "posix.h"

/* Below this the check costs more than it saves. */
#define CHECK_FROM ((size_t)1 << 20)
#define MEMORY_FROM ((size_t)64 << 20)

int shmx_posix_room_check(int fd, size_t length)
{
    uint64_t most = sizeof(off_t) < sizeof(int64_t) ? INT32_MAX : INT64_MAX;
    if ((uint64_t)length > most)
        return shmx_posix_error(EFBIG);
    /* A limit on the length of files holds for these too, and its signal would end the process. */
    if (length > (length < CHECK_FROM ? shmx_posix_length_known() : shmx_posix_length_limit()))
        return shmx_posix_error(EFBIG);
    if (length < CHECK_FROM)
        return SHMX_OK;
    uint64_t memory;
    if (length >= MEMORY_FROM && shmx_posix_available(&memory) && length > memory)
        return shmx_posix_error(ENOSPC);
    struct statvfs room;
    /* A file system of 0 blocks has no limit. */
    if (fstatvfs(fd, &room) != 0 || room.f_blocks == 0)
        return SHMX_OK;
    uint64_t available = (uint64_t)room.f_bavail * room.f_frsize;
    return length > available ? shmx_posix_error(ENOSPC) : SHMX_OK;
}

int shmx_posix_resize(int fd, size_t length)
{
    while (ftruncate(fd, (off_t)length) != 0)
        if (errno != EINTR)
            return shmx_posix_error(errno);
    return SHMX_OK;
}

int shmx_posix_reserve_by_writing(int fd, size_t length)
{
    size_t page = shmx_os_facts()->page_size;
    int status = shmx_posix_resize(fd, length);
    if (status != SHMX_OK)
        return status;
    for (size_t at = 0; at < length;) {
        ssize_t written = pwrite(fd, "", 1, (off_t)at);
        if (written == 1)
            at += page;
        else if (errno != EINTR)
            return shmx_posix_error(errno);
    }
    return SHMX_OK;
}
