/* SPDX-License-Identifier: MIT */
/* Making pages present where the system has no call for it. */
#include <sys/stat.h>

#include "posix.h"

void *shmx_posix_place(size_t length)
{
    (void)length;
    return NULL;
}

static void touch(const struct shmx_attachment *attachment)
{
    size_t page = shmx_os_facts()->page_size;
    for (size_t at = 0; at < attachment->length; at += page)
        (void)*(const volatile unsigned char *)(attachment->data + at);
}

/* Ours are reserved. One of another program may lack pages, and where there is no room for them
 * touching would be a fault. */
void shmx_posix_prefault(const struct shmx_attachment *attachment)
{
    struct stat facts;
    if (attachment->control != NULL || (fstat(attachment->os.fd, &facts) == 0 &&
                                        (uint64_t)facts.st_blocks * 512 >= attachment->length))
        touch(attachment);
}

int shmx_posix_reserve_present(int fd, const struct shmx_attachment *attachment)
{
    int status = shmx_posix_reserve(fd, attachment->length);
    if (status == SHMX_OK)
        touch(attachment);
    return status;
}
