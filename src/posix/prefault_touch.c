/* SPDX-License-Identifier: MIT */
/* Making pages present where the system has no call for it. */
#include "posix.h"

void *shmx_posix_place(size_t length)
{
    (void)length;
    return NULL;
}

void shmx_posix_prefault(const struct shmx_os_object *object)
{
    size_t page = shmx_os_facts()->page_size;
    for (size_t at = 0; at < object->length; at += page)
        (void)*(const volatile unsigned char *)(object->data + at);
}

int shmx_posix_reserve_present(int fd, const struct shmx_os_object *object)
{
    int status = shmx_posix_reserve(fd, object->length);
    if (status == SHMX_OK)
        shmx_posix_prefault(object);
    return status;
}
