/* SPDX-License-Identifier: MIT */
/*
 * Presence: marks that the system keeps, under keys of the user's own.
 *
 * An attachment that may write tells those that wait when it enters or leaves. All else, such as a
 * death, they find when they look for themselves.
 */
#include "sleep.h"

/* One that may not write is not told. From one look to the next; doubling. */
#define LOOK_FIRST ((int64_t)500 * 1000)
#define LOOK_MOST ((int64_t)20 * 1000 * 1000)

/* By which is told; NULL where this attachment may not write it, or there is none. */
static _Atomic uint32_t *presence_event(const shmx *shm)
{
    const struct shmx_attachment *attachment = &shm->attachment;
    bool writes = attachment->control != NULL && !attachment->read_only;
    return writes ? &attachment->control->presence : NULL;
}

/* A failing wake delays the sleeper by a slice. */
static void presence_tell(shmx *shm)
{
    _Atomic uint32_t *event = presence_event(shm);
    atomic_thread_fence(memory_order_seq_cst);
    if (event != NULL)
        shmx_event_notify(shm, event, SHMX_WAKE_ALL);
}

int shmx_presence_enter(shmx *shm, uint32_t key)
{
    if (shm == NULL)
        return shmx_refuse(SHMX_EINVAL);
    int status = shmx_os_mark_set(&shm->attachment, SHMX_OS_PRESENT, key);
    if (status == SHMX_OK)
        presence_tell(shm);
    return status == SHMX_EEXIST ? shmx_refuse(SHMX_EINVAL) : shmx_result(status);
}

int shmx_presence_leave(shmx *shm, uint32_t key)
{
    if (shm == NULL)
        return shmx_refuse(SHMX_EINVAL);
    int status = shmx_os_mark_drop(&shm->attachment, SHMX_OS_PRESENT, key);
    if (status == SHMX_OK)
        presence_tell(shm);
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
    /* One that only asks is not to be told. */
    _Atomic uint32_t *event = deadline != SHMX_DEADLINE_PAST ? presence_event(shm) : NULL;
    int64_t pause = LOOK_FIRST;
    int slept = SHMX_OK;
    for (;;) {
        bool held;
        uint32_t ticket = event != NULL ? shmx_event_prepare(event) : 0;
        int status = shmx_os_mark_held(&shm->attachment, SHMX_OS_PRESENT, key, &held);
        if (status != SHMX_OK || held == present)
            return status;
        if (slept != SHMX_OK)
            return slept;
        if (event != NULL)
            slept = shmx_event_sleep(shm, event, ticket, deadline, shmx_slice());
        else
            slept = shmx_nap(deadline, &pause, LOOK_MOST) ? SHMX_OK : SHMX_ETIMEDOUT;
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
