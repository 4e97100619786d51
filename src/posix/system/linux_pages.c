/* SPDX-License-Identifier: MIT */
/*
 * Making pages present on Linux. The fast way: give each 2 MiB one page by writing a byte, then let
 * the kernel collapse the range into one huge page (MADV_COLLAPSE, madvise(2), Linux 6.1), which it
 * clears at once instead of page by page in 512 faults. That needs no privilege and no setting. The
 * mapping must be aligned to 2 MiB, in later attachers too if they are to map huge pages as such.
 * Elsewhere MADV_POPULATE_... (Linux 5.14), and before that touching by hand.
 */
#include "system/linux_pages.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define HUGE ((size_t)2 << 20)

void *shmx_linux_place(size_t length)
{
    if (length < HUGE || length > SIZE_MAX - HUGE)
        return NULL;
    unsigned char *whole =
        mmap(NULL, length + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (whole == MAP_FAILED)
        return NULL;
    size_t page = shmx_os_facts()->page_size;
    size_t kept = (length + page - 1) / page * page;
    size_t head = (HUGE - (uintptr_t)whole % HUGE) % HUGE;
    if (head != 0)
        munmap(whole, head);
    if (length + HUGE > head + kept)
        munmap(whole + head + kept, length + HUGE - head - kept);
    return whole + head;
}

/*
 * Where memory is in small pieces the kernel moves others' pages about to make a large one, and one
 * call can take as long as hundreds. So the last huge page is populated first, by small pages, as a
 * measure: collapsing goes on while it is cheaper, or has lost little so far.
 */
#define MEASURED_FROM ((size_t)8) /* for fewer huge pages the measure costs more than it says */
#define LOSS_OF 4                 /* this part of what populating the whole takes may be lost */

static int64_t populate_time(unsigned char *at)
{
    int64_t before = shmx_os_now();
    return madvise(at, HUGE, MADV_POPULATE_WRITE) == 0 ? shmx_os_now() - before : INT64_MAX;
}

size_t shmx_linux_collapse(const struct shmx_attachment *attachment, int fd)
{
    unsigned char *data = attachment->data;
    size_t count = attachment->length / HUGE, done = 0;
    if ((uintptr_t)data % HUGE != 0)
        return 0;
    bool measured = count >= MEASURED_FROM;
    int64_t each = measured ? populate_time(data + (count - 1) * HUGE) : INT64_MAX;
    int64_t left = each == INT64_MAX ? INT64_MAX : (int64_t)count * each / LOSS_OF;
    for (int64_t now = shmx_os_now(); done < count && left > 0; done++) {
        if (pwrite(fd, "", 1, (off_t)(done * HUGE)) != 1 ||
            madvise(data + done * HUGE, HUGE, MADV_COLLAPSE) != 0)
            break;
        int64_t before = now;
        now = shmx_os_now();
        if (left != INT64_MAX)
            left += each - (now - before);
    }
    return done * HUGE;
}

void shmx_linux_prefault(const struct shmx_attachment *attachment)
{
    int advice = attachment->read_only ? MADV_POPULATE_READ : MADV_POPULATE_WRITE;
    if (madvise(attachment->data, attachment->length, advice) != 0 && errno == EINVAL)
        shmx_posix_prefault(attachment); /* the kernel does not know the advice */
}
