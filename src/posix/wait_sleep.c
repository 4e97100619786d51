/* SPDX-License-Identifier: MIT */
/* Waiting where the system offers nothing between processes. */
#include "wait_sleep.h"

int shmx_os_wait(struct shmx_os_object *object, _Atomic uint32_t *word, uint32_t expected,
                 int64_t deadline)
{
    (void)object;
    return wait_by_sleeping(word, expected, deadline);
}

/* Sleepers look for themselves. */
int shmx_os_wake(struct shmx_os_object *object, _Atomic uint32_t *word, int count)
{
    (void)object;
    (void)word;
    (void)count;
    return SHMX_OK;
}
