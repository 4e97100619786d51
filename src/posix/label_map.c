/* SPDX-License-Identifier: MIT */
/* Reading a label where objects can only be mapped (macOS). An object's length is set once there,
 * so nobody can cut it short. */
#include <string.h>
#include <sys/mman.h>

#include "lockfile/lockfile.h"

enum shmx_control_kind shmx_lockfile_label(int fd, uint64_t length, struct shmx_label *label)
{
    if (length <= SHMX_CONTROL_SIZE || length % 8 != 0)
        return SHMX_CONTROL_NONE;
    uint64_t at = length - SHMX_CONTROL_SIZE;
    size_t before = (size_t)(at % shmx_os_facts()->page_size);
    size_t mapped = before + SHMX_CONTROL_SIZE;
    unsigned char *page = mmap(NULL, mapped, PROT_READ, MAP_SHARED, fd, (off_t)(at - before));
    if (page == MAP_FAILED)
        return SHMX_CONTROL_DAMAGED; /* cannot tell: not for us to touch */
    memcpy(label->magic, page + before, sizeof label->magic);
    /* Acquire: who finds the magic finds the rest; pairs with shmx_control_write's release. */
    atomic_thread_fence(memory_order_acquire);
    memcpy((unsigned char *)label + sizeof label->magic, page + before + sizeof label->magic,
           sizeof *label - sizeof label->magic);
    munmap(page, mapped);
    return shmx_lockfile_label_check(label, length);
}
