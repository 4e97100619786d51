/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "system/system.h"

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t shmx_os_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

#ifndef CLOCK_MONOTONIC_COARSE
#ifdef CLOCK_MONOTONIC_FAST
#define CLOCK_MONOTONIC_COARSE CLOCK_MONOTONIC_FAST
#else
#define CLOCK_MONOTONIC_COARSE CLOCK_MONOTONIC
#endif
#endif

int64_t shmx_os_tick(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

int64_t shmx_os_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

void shmx_os_sleep(int64_t nanoseconds)
{
    struct timespec left = {(time_t)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)};
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
    pthread_setcancelstate(before, &before);
}

bool shmx_posix_patience(int *round)
{
    /* 1, 2, 4 ... 8 ms: about a second in all. A peer in the middle of a step is done within
     * microseconds; who needs longer is stopped or another program. */
    if (*round >= 128)
        return false;
    int64_t milliseconds = *round < 3 ? 1 << *round : 8;
    ++*round;
    shmx_os_sleep(milliseconds * 1000000);
    return true;
}

/* ---- sleeping on a word ---- */

/* A longer time is waited for in parts. */
#define LENGTH_MOST ((int64_t)3600 * 1000000000)

#define NAP_FIRST ((int64_t)50 * 1000)
#define NAP_MOST ((int64_t)2 * 1000 * 1000)

int shmx_posix_wait_failed(int number)
{
    shmx_os_set_error(number);
    return SHMX_EIO;
}

int shmx_posix_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline,
                    int (*once)(_Atomic uint32_t *word, uint32_t expected, int64_t length))
{
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
            return shmx_posix_wait_failed(number);
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
