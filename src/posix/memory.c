/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "posix.h"

#ifndef MAP_POPULATE
#define MAP_POPULATE 0
#endif

/* Up to here, but for a single one, the pages come with the mapping: one call instead of the faults
 * that would follow. */
#define POPULATE_MAX 65536

mode_t shmx_posix_mode(unsigned flags)
{
    mode_t mode = S_IRUSR | S_IWUSR;
    if ((flags & (SHMX_OTHERS_READ | SHMX_OTHERS_WRITE)) != 0)
        mode |= S_IRGRP | S_IROTH;
    if ((flags & SHMX_OTHERS_WRITE) != 0)
        mode |= S_IWGRP | S_IWOTH;
    return mode;
}

int shmx_posix_map(struct shmx_attachment *attachment, int fd, size_t length, unsigned flags)
{
    bool read_only = (flags & SHMX_READ_ONLY) != 0;
    void *place = shmx_posix_place(length);
    bool few = length > shmx_os_facts()->page_size && length <= POPULATE_MAX;
    int how = MAP_SHARED | (few ? MAP_POPULATE : 0);
    int protection = read_only ? PROT_READ : PROT_READ | PROT_WRITE;
    if (place != NULL)
        how |= MAP_FIXED; /* over the address space that shmx_posix_place holds for us */
    void *data = mmap(place, length, protection, how, fd, 0);
    if (data == MAP_FAILED) {
        int status = shmx_posix_error(errno);
        if (place != NULL)
            munmap(place, length);
        return status;
    }
    attachment->data = data;
    attachment->length = length;
    attachment->read_only = read_only;
    return SHMX_OK;
}
