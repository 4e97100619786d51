/* SPDX-License-Identifier: MIT */
/* Making pages present where the system has no call for it. */
#include <sys/stat.h>

#include "posix.h"

void *shmx_posix_place(size_t length)
{
    (void)length;
    return NULL;
}

static void touch(const struct shmx_os_object *object)
{
    size_t page = shmx_os_facts()->page_size;
    for (size_t at = 0; at < object->length; at += page)
        (void)*(const volatile unsigned char *)(object->data + at);
}

/* Ours are reserved. One of another program may lack pages, and where there is no room for them
 * touching would be a fault. */
void shmx_posix_prefault(const struct shmx_os_object *object)
{
    struct stat facts;
    if (object->control != NULL ||
        (fstat(object->os.fd, &facts) == 0 && (uint64_t)facts.st_blocks * 512 >= object->length))
        touch(object);
}

int shmx_posix_reserve_present(int fd, const struct shmx_os_object *object)
{
    int status = shmx_posix_reserve(fd, object->length);
    if (status == SHMX_OK)
        touch(object);
    return status;
}
