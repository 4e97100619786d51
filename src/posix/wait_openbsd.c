/* SPDX-License-Identifier: MIT */
/* Waiting on OpenBSD: futex(2) finds the word by object and offset when its mapping is shared. */
#include <errno.h>
#include <sys/time.h>
/* after sys/time.h, which it does not include */
#include <sys/futex.h>

#include "os.h"

static int fail(int number)
{
    shmx_os_set_error(number);
    return SHMX_EIO;
}

/* The error number; OpenBSD 6 returns it, later systems set errno. */
static int number_of(int result)
{
    return result < 0 ? errno : result;
}

/* Return 0 or an error number. The system's time is a length. */
static int wait_once(_Atomic uint32_t *word, uint32_t expected, int64_t deadline)
{
    volatile uint32_t *plain = (volatile uint32_t *)word;
    if (deadline == SHMX_OS_NEVER)
        return number_of(futex(plain, FUTEX_WAIT, (int)expected, NULL, NULL));
    int64_t left = deadline - shmx_os_now();
    if (left <= 0)
        return ETIMEDOUT;
    struct timespec length = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
    return number_of(futex(plain, FUTEX_WAIT, (int)expected, &length, NULL));
}

int shmx_os_wait(struct shmx_attachment *attachment, _Atomic uint32_t *word, uint32_t expected,
                 int64_t deadline)
{
    (void)attachment;
    for (;;) {
        int number = wait_once(word, expected, deadline);
        if (number == 0 || number == EAGAIN)
            return SHMX_OK;
        if (number == ETIMEDOUT)
            return SHMX_ETIMEDOUT;
        /* ECANCELED: a signal whose handler restarts calls. */
        if (number != EINTR && number != ECANCELED)
            return fail(number);
    }
}

int shmx_os_wake(struct shmx_attachment *attachment, _Atomic uint32_t *word, int count)
{
    (void)attachment;
    int result = futex((volatile uint32_t *)word, FUTEX_WAKE, count, NULL, NULL);
    return result >= 0 ? SHMX_OK : fail(errno);
}
