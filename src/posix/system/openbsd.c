/* SPDX-License-Identifier: MIT */
/* OpenBSD: objects are files of /tmp with names that tell nothing, for their owner alone. What is
 * stored through a mapping is not seen by reading the file, nor the other way. */
#include <errno.h>
#include <sys/time.h>
/* after sys/time.h, which it does not include */
#include <sys/futex.h>
#include <unistd.h>

#include "system/system.h"

/* The system lets the owner attach only, whatever the mode. */
static int make(const char *path, unsigned flags, int *fd)
{
    if ((flags & (SHMX_OTHERS_READ | SHMX_OTHERS_WRITE)) != 0)
        return shmx_posix_error(EOPNOTSUPP);
    return shmx_posix_make_exact(path, flags, fd);
}

const struct shmx_system shmx_system = {
    .lock_directory = "/var/tmp", /* sticky: nobody removes another user's files */
    .make = make,
    /* Nothing is mapped yet, so no page differs from what is written. */
    .reserve = shmx_posix_reserve_by_writing,
    .prefault = shmx_posix_prefault,
    .label = shmx_posix_label_map, /* nobody but the owner could cut the object short */
    .footprint = shmx_posix_footprint,
    .available = shmx_posix_available,
};

/* ---- waiting: futex(2), which finds the word by object and offset if its mapping is shared ----
 */

/* The error number; OpenBSD 6 returns it, later systems set errno. */
static int number_of(int result)
{
    return result < 0 ? errno : result;
}

static int wait_once(_Atomic uint32_t *word, uint32_t expected, int64_t length)
{
    struct timespec limit = {(time_t)(length / 1000000000), (long)(length % 1000000000)};
    return number_of(futex((volatile uint32_t *)word, FUTEX_WAIT, (int)expected, &limit, NULL));
}

int shmx_os_wait(struct shmx_attachment *attachment, _Atomic uint32_t *word, uint32_t expected,
                 int64_t deadline)
{
    (void)attachment;
    return shmx_posix_wait(word, expected, deadline, wait_once);
}

int shmx_os_wake(struct shmx_attachment *attachment, _Atomic uint32_t *word, int count)
{
    (void)attachment;
    int result = futex((volatile uint32_t *)word, FUTEX_WAKE, count, NULL, NULL);
    return result >= 0 ? result : shmx_posix_wait_failed(errno);
}
