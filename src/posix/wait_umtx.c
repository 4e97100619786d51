/* SPDX-License-Identifier: MIT */
/* Waiting on FreeBSD: _umtx_op(2) in its forms that are not private works between processes. */
#include <errno.h>
#include <sys/types.h>
#include <sys/umtx.h>
#include <time.h>

#include "os.h"

static int fail(int number)
{
    shmx_os_set_error(number);
    return SHMX_EIO;
}

int shmx_os_wait(struct shmx_attachment *attachment, _Atomic uint32_t *word, uint32_t expected,
                 int64_t deadline)
{
    (void)attachment;
    struct _umtx_time limit = {._flags = UMTX_ABSTIME, ._clockid = CLOCK_MONOTONIC};
    limit._timeout.tv_sec = (time_t)(deadline / 1000000000);
    limit._timeout.tv_nsec = (long)(deadline % 1000000000);
    bool never = deadline == SHMX_OS_NEVER;
    for (;;) {
        /* The system takes the size of the time where other operations take an address. */
        int result = _umtx_op((void *)word, UMTX_OP_WAIT_UINT, expected,
                              never ? NULL : (void *)sizeof limit, never ? NULL : (void *)&limit);
        if (result == 0)
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
    int result = _umtx_op((void *)word, UMTX_OP_WAKE, (unsigned long)count, NULL, NULL);
    return result == 0 ? SHMX_OK : fail(errno);
}
