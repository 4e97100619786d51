/* SPDX-License-Identifier: MIT */
/* Waiting on systems whose call takes a length of time, or that have none. */
#include <errno.h>

#include "system/system.h"

/* A longer time is waited for in parts. */
#define LENGTH_MOST ((int64_t)3600 * 1000000000)

#define NAP_FIRST ((int64_t)50 * 1000)
#define NAP_MOST ((int64_t)2 * 1000 * 1000)

int shmx_os_wait(struct shmx_attachment *attachment, _Atomic uint32_t *word, uint32_t expected,
                 int64_t deadline)
{
    (void)attachment;
    shmx_posix_sleep *once = shmx_system.sleep;
    for (int faults = 0;;) {
        int64_t left = deadline == SHMX_OS_NEVER ? LENGTH_MOST : deadline - shmx_os_now();
        if (left <= 0)
            return SHMX_ETIMEDOUT;
        int number = once(word, expected, left < LENGTH_MOST ? left : LENGTH_MOST);
        if (number == 0 || number == EAGAIN)
            return SHMX_OK;
        /* ECANCELED: OpenBSD's word for a signal whose handler restarts calls. */
        if (number == EFAULT) {
            /* The page is not there: reading fetches it. Should that not help (FreeBSD wants to
             * be able to write it), the word is looked at from time to time. */
            if (atomic_load(word) != expected)
                return SHMX_OK;
            if (faults++ > 0)
                once = shmx_posix_nap;
        } else if (number != EINTR && number != ECANCELED && number != ETIMEDOUT) {
            return shmx_posix_unexpected(number);
        }
    }
}

int shmx_posix_nap(_Atomic uint32_t *word, uint32_t expected, int64_t length)
{
    int64_t end = shmx_os_now() + length;
    for (int64_t nap = NAP_FIRST; atomic_load(word) == expected;
         nap = nap * 2 < NAP_MOST ? nap * 2 : NAP_MOST) {
        int64_t left = end - shmx_os_now();
        if (left <= 0)
            return ETIMEDOUT;
        shmx_os_sleep(nap < left ? nap : left);
    }
    return 0;
}
