/* SPDX-License-Identifier: MIT */
/* A library with a copy of shmx of its own, as plug-ins have one: copies.py loads two of them. */
#include "copy.h"

const void *copy_place(void)
{
    return (const void *)(uintptr_t)shmx_version;
}

shmx *copy_attach(const char *name, int create)
{
    shmx *shm;
    int status = create ? shmx_create(&shm, name, sizeof(shmx_mutex), 0) : shmx_open(&shm, name, 0);
    return status == SHMX_OK ? shm : NULL;
}

int copy_lock(shmx *shm)
{
    return shmx_mutex_lock(shm, shmx_data(shm), 0);
}

int copy_unlock(shmx *shm)
{
    return shmx_mutex_unlock(shm, shmx_data(shm));
}

void copy_leave(shmx *shm)
{
    shmx_close(&shm);
}
