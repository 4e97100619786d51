/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "posix.h"

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
     * microseconds; one that needs longer is stopped, or is another program. */
    if (*round >= 128)
        return false;
    int64_t milliseconds = *round < 3 ? 1 << *round : 8;
    ++*round;
    shmx_os_sleep(milliseconds * 1000000);
    return true;
}
