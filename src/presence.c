/* SPDX-License-Identifier: MIT */
/* Presence: marks that the system keeps, under keys of the user's own. */
#include "sleep.h"

/* From one look to the next; doubling. A death is told within the longest. */
#define LOOK_FIRST ((int64_t)500 * 1000)
#define LOOK_MOST ((int64_t)20 * 1000 * 1000)

int shmx_presence_enter(shmx *shm, uint32_t key)
{
    if (shm == NULL)
        return shmx_refuse(SHMX_EINVAL);
    int status = shmx_os_mark_set(&shm->attachment, SHMX_OS_PRESENT, key);
    return status == SHMX_EEXIST ? shmx_refuse(SHMX_EINVAL) : shmx_result(status);
}

int shmx_presence_leave(shmx *shm, uint32_t key)
{
    if (shm == NULL)
        return shmx_refuse(SHMX_EINVAL);
    int status = shmx_os_mark_drop(&shm->attachment, SHMX_OS_PRESENT, key);
    return status == SHMX_ENOENT ? shmx_refuse(SHMX_EINVAL) : shmx_result(status);
}

static int wait_until(shmx *shm, uint32_t key, bool present, int64_t deadline)
{
    int64_t pause = LOOK_FIRST;
    for (;;) {
        bool held;
        int status = shmx_os_mark_held(&shm->attachment, SHMX_OS_PRESENT, key, &held);
        if (status != SHMX_OK || held == present)
            return status;
        if (deadline == SHMX_DEADLINE_PAST)
            return SHMX_ETIMEDOUT;
        int64_t left = deadline - shmx_os_now();
        if (left <= 0)
            return SHMX_ETIMEDOUT;
        shmx_os_sleep(left < pause ? left : pause);
        pause = pause * 2 < LOOK_MOST ? pause * 2 : LOOK_MOST;
    }
}

int shmx_presence_wait(shmx *shm, uint32_t key, int present, int timeout_ms)
{
    int64_t deadline;
    if (shm == NULL || (present != 0 && present != 1))
        return shmx_refuse(SHMX_EINVAL);
    int status = shmx_deadline(timeout_ms, &deadline);
    if (status != SHMX_OK)
        return shmx_refuse(status);
    return shmx_report(wait_until(shm, key, present == 1, deadline));
}
