/* SPDX-License-Identifier: MIT */
/* Waiting where the system offers nothing between processes. */
#include "wait_sleep.h"

int shmx_os_wait(struct shmx_attachment *attachment, _Atomic uint32_t *word, uint32_t expected,
                 int64_t deadline)
{
    (void)attachment;
    return wait_by_sleeping(word, expected, deadline);
}

/* Sleepers look for themselves. */
int shmx_os_wake(struct shmx_attachment *attachment, _Atomic uint32_t *word, int count)
{
    (void)attachment;
    (void)word;
    (void)count;
    return SHMX_OK;
}
