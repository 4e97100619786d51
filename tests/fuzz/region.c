/* SPDX-License-Identifier: MIT */
#include "region.h"

#include <stdlib.h>
#include <string.h>

#include "segment.h"

#define ACTS ((size_t)8)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static shmx *make(void)
{
    shmx *shm;
    if (shmx_create(&shm, "", region_size + 2 * AROUND, 0) != SHMX_OK)
        abort();
    /* A lock that seems to be this process's own is waited for a little. With random numbers, and
     * others before long, bytes hardly ever seem to be that. */
    atomic_store(&shm->attachment.control->next_owner, (uint32_t)shm->attachment.label.id);
    return shm;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static shmx *shm;
    static unsigned uses;
    if (uses++ % 4096 == 0) {
        shmx_close(&shm);
        shm = make();
    }
    if (size < ACTS)
        return 0;
    unsigned char *bytes = shmx_data(shm), *region = bytes + AROUND;
    memset(bytes, 0x5a, region_size + 2 * AROUND);
    memset(region, 0, region_size);
    if (region_open(shm) != SHMX_OK)
        abort();
    size_t damaged = size - ACTS < region_size ? size - ACTS : region_size;
    memcpy(region, data + ACTS, damaged);
    for (size_t i = 0; i < ACTS; i++)
        region_act(shm, data[i]);
    region_close();
    for (size_t i = 0; i < AROUND; i++)
        if (bytes[i] != 0x5a || region[region_size + i] != 0x5a)
            abort();
    return 0;
}
