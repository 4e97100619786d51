/* SPDX-License-Identifier: MIT */
/* Other ways of the system: memory that is reserved at once, and System V. */
#include "../peers/life_peer.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include "../raw.h"

/* ---- reserved ---- */

static bool reserved_create(struct held *held, const char *name, size_t size)
{
    struct raw *raw = (struct raw *)&held->room;
    if (raw_create(raw, name, size) != 0)
        return false;
    held->data = raw->data;
    return posix_fallocate((int)(intptr_t)raw->handle, 0, (off_t)size) == 0;
}

static bool reserved_open(struct held *held, const char *name, size_t size)
{
    return raw_life.open(held, name, size);
}

static void reserved_close(struct held *held)
{
    raw_life.close(held);
}

const struct life_peer reserved_life = {"bare calls that reserve", reserved_create, reserved_open,
                                        reserved_close, raw_unlink};

/* ---- System V ---- */

static key_t key_of(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return (key_t)(hash | 1);
}

static bool system_v_attach(struct held *held, int id)
{
    held->data = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
    return held->data != (void *)-1;
}

static bool system_v_create(struct held *held, const char *name, size_t size)
{
    return system_v_attach(held, shmget(key_of(name), size, IPC_CREAT | IPC_EXCL | 0600));
}

static bool system_v_open(struct held *held, const char *name, size_t size)
{
    return system_v_attach(held, shmget(key_of(name), size, 0600));
}

static void system_v_close(struct held *held)
{
    shmdt(held->data);
}

static void system_v_remove(const char *name)
{
    shmctl(shmget(key_of(name), 0, 0600), IPC_RMID, NULL);
}

const struct life_peer system_v_life = {"System V", system_v_create, system_v_open, system_v_close,
                                        system_v_remove};
