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

int shmx_presence_list(shmx *shm, int (*visit)(uint32_t key, void *context), void *context)
{
    if (shm == NULL || visit == NULL)
        return shmx_refuse(SHMX_EINVAL);
    uint32_t from = 0;
    do {
        uint32_t key = from;
        int status = shmx_os_mark_find(&shm->attachment, from, &key);
        if (status != SHMX_OK)
            return status == SHMX_ENOENT ? SHMX_OK : shmx_result(status);
        status = visit(key, context);
        if (status != 0)
            return status;
        from = key + 1;
    } while (from != 0);
    return SHMX_OK;
}

static int wait_until(shmx *shm, uint32_t key, bool present, int64_t deadline)
{
    int64_t pause = LOOK_FIRST;
    for (;;) {
        bool held;
        int status = shmx_os_mark_held(&shm->attachment, SHMX_OS_PRESENT, key, &held);
        if (status != SHMX_OK || held == present)
            return status;
        if (!shmx_nap(deadline, &pause, LOOK_MOST))
            return SHMX_ETIMEDOUT;
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
