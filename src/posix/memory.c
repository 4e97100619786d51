/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/control.h"
#include "system/system.h"

/* Up to here, but for a single one, the pages come with the mapping, where the system can do that:
 * one call instead of the faults that would follow. */
#define POPULATE_MAX 65536

int shmx_posix_map(struct shmx_attachment *attachment, int fd, size_t length, unsigned flags)
{
    bool read_only = (flags & SHMX_READ_ONLY) != 0;
    void *place = shmx_system.place != NULL ? shmx_system.place(length) : NULL;
    bool few = length > shmx_os_facts()->page_size && length <= POPULATE_MAX;
    int how = MAP_SHARED | (few ? shmx_system.map_present : 0);
    int protection = read_only ? PROT_READ : PROT_READ | PROT_WRITE;
    if (place != NULL)
        how |= MAP_FIXED; /* over the address space that is held for us */
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

/* ---- the memory of a new object ---- */

/* Below this the check costs more than it saves. */
#define CHECK_FROM ((size_t)1 << 20)

/* Refuse at once what cannot fit, instead of filling the memory first to find out. */
static int room_check(int fd, size_t length)
{
    uint64_t most = sizeof(off_t) < sizeof(int64_t) ? INT32_MAX : INT64_MAX;
    if ((uint64_t)length > most)
        return shmx_posix_error(EFBIG);
    /* A limit on the length of files holds for these too, and its signal would end the process. */
    if (length > shmx_system.length_limit())
        return shmx_posix_error(EFBIG);
    if (length < CHECK_FROM)
        return SHMX_OK;
    if (!shmx_system.has_room(length))
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

uint64_t shmx_posix_footprint(const struct stat *facts)
{
    return (uint64_t)facts->st_blocks * 512;
}

bool shmx_posix_has_room(size_t length)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    return pages <= 0 || length <= (uint64_t)pages * shmx_os_facts()->page_size;
}

/* ---- pages present ---- */

static void touch(const struct shmx_attachment *attachment)
{
    size_t page = shmx_os_facts()->page_size;
    for (size_t at = 0; at < attachment->length; at += page)
        (void)*(const volatile unsigned char *)(attachment->data + at);
}

void shmx_posix_prefault(const struct shmx_attachment *attachment)
{
    struct stat facts;
    if (attachment->control != NULL || (fstat(attachment->os.fd, &facts) == 0 &&
                                        shmx_system.footprint(&facts) >= attachment->length))
        touch(attachment);
}

int shmx_posix_fill(struct shmx_attachment *attachment, int fd, size_t length, unsigned flags)
{
    bool prefault = (flags & SHMX_PREFAULT) != 0;
    bool at_once = prefault && shmx_system.reserve_present != NULL;
    int status = room_check(fd, length);
    if (status == SHMX_OK)
        status = at_once ? shmx_posix_resize(fd, length) : shmx_system.reserve(fd, length);
    if (status == SHMX_OK)
        status = shmx_posix_map(attachment, fd, length, 0);
    if (status != SHMX_OK)
        return status;
    if (at_once)
        status = shmx_system.reserve_present(attachment, fd);
    else if (prefault)
        touch(attachment);
    if (status != SHMX_OK)
        munmap(attachment->data, attachment->length);
    return status;
}

/* ---- labels ---- */

int shmx_posix_label_read(int fd, uint64_t length, struct shmx_label *label)
{
    ssize_t got;
    do
        got = pread(fd, label, sizeof *label, (off_t)(length - SHMX_CONTROL_SIZE));
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return shmx_posix_error(errno);
    return got == (ssize_t)sizeof *label ? SHMX_OK : SHMX_ENOENT;
}

int shmx_posix_label_map(int fd, uint64_t length, struct shmx_label *label)
{
    uint64_t at = length - SHMX_CONTROL_SIZE;
    size_t before = (size_t)(at % shmx_os_facts()->page_size);
    size_t mapped = before + SHMX_CONTROL_SIZE;
    unsigned char *page = mmap(NULL, mapped, PROT_READ, MAP_SHARED, fd, (off_t)(at - before));
    if (page == MAP_FAILED)
        return shmx_posix_error(errno);
    shmx_label_copy(label, (const struct shmx_label *)(const void *)(page + before));
    munmap(page, mapped);
    return SHMX_OK;
}
