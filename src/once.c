/* SPDX-License-Identifier: MIT */
/* Run something exactly once: a robust lock that is not needed any more when `done` is set. */
#include "quick.h"

/* The lock is held, perhaps after a runner that died half-way. */
static int run(struct once *once, int (*init)(void *context), void *context)
{
    if (once_is_done(once))
        return SHMX_OK;
    int status = init(context);
    /* Release: see once_is_done. */
    if (status == 0)
        atomic_store_explicit(&once->done, 1, memory_order_release);
    return status;
}

int shmx_once_run_slowly(shmx *shm, shmx_once *once, int (*init)(void *context), void *context)
{
    int status = shmx_place_check(shm, once, sizeof *once);
    if (status == SHMX_OK && init == NULL)
        status = SHMX_EINVAL;
    if (status != SHMX_OK)
        return shmx_refuse(status);
    struct once *shared = (struct once *)once;
    status = shmx_lock_acquire(shm, &shared->lock, SHMX_OS_NEVER);
    if (status != SHMX_OK && status != SHMX_EOWNERDEAD)
        return shmx_report(status);
    status = run(shared, init, context);
    shmx_lock_release(shm, &shared->lock);
    return status;
}
