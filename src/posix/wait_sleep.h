/* SPDX-License-Identifier: MIT */
/* Waiting by short sleeps, longer as they add up: for systems that offer nothing better. */
#ifndef SHMX_POSIX_WAIT_SLEEP_H
#define SHMX_POSIX_WAIT_SLEEP_H

#include "os.h"

#define SLEEP_FIRST ((int64_t)50 * 1000)
#define SLEEP_MOST ((int64_t)2 * 1000 * 1000)

static inline int wait_by_sleeping(const _Atomic uint32_t *word, uint32_t expected,
                                   int64_t deadline)
{
    int64_t length = SLEEP_FIRST;
    while (atomic_load(word) == expected) {
        int64_t left = deadline - shmx_os_now();
        if (left <= 0)
            return SHMX_ETIMEDOUT;
        shmx_os_sleep(length < left ? length : left);
        length = length * 2 < SLEEP_MOST ? length * 2 : SLEEP_MOST;
    }
    return SHMX_OK;
}

#endif
