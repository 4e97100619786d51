/* SPDX-License-Identifier: MIT */
/* Waiting on Linux: futex(2) without the private flag works between processes. */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os.h"

/* Architectures with 64-bit time only have no call of the old name. */
#ifndef SYS_futex
#define SYS_futex SYS_futex_time64
#endif

/* What the call of the old name takes: two words of the machine, whatever time_t is. Seconds since
 * the machine started fit into each of them. */
struct word_time {
    long seconds;
    long nanoseconds;
};

static int fail(int number)
{
    shmx_os_set_error(number);
    return SHMX_EIO;
}

int shmx_os_wait(struct shmx_attachment *attachment, _Atomic uint32_t *word, uint32_t expected,
                 int64_t deadline)
{
    (void)attachment;
    struct word_time end = {(long)(deadline / 1000000000), (long)(deadline % 1000000000)};
    struct word_time *limit = deadline == SHMX_OS_NEVER ? NULL : &end;
    for (;;) {
        /* FUTEX_WAIT_BITSET because its time is a point on CLOCK_MONOTONIC, not a length. */
        long result = syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, limit, NULL,
                              FUTEX_BITSET_MATCH_ANY);
        if (result == 0 || errno == EAGAIN)
            return SHMX_OK;
        if (errno == ETIMEDOUT)
            return SHMX_ETIMEDOUT;
        if (errno != EINTR)
            return fail(errno);
    }
}

int shmx_os_wake(struct shmx_attachment *attachment, _Atomic uint32_t *word, int count)
{
    (void)attachment;
    long result = syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
    return result >= 0 ? SHMX_OK : fail(errno);
}
