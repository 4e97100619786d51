/* SPDX-License-Identifier: MIT */
/* The public header needs nothing before it, in each language that may include it. */
#include <shmx.h>

static int count(const shmx_info *info, void *context)
{
    (void)info;
    ++*(int *)context;
    return 0;
}

int main(void)
{
    shmx *shm;
    shmx_mutex mutex = {0, 0, {0, 0}};
    int segments = 0;
    unsigned all = SHMX_READ_ONLY | SHMX_PERSISTENT | SHMX_RAW | SHMX_OTHERS_READ |
                   SHMX_OTHERS_WRITE | SHMX_MACHINE_WIDE | SHMX_PREFAULT;
    if (shmx_create(&shm, "", sizeof mutex, 0) != SHMX_OK)
        return 1;
    if (shmx_write(shm, 0, &mutex, sizeof mutex) != SHMX_OK || shmx_size(shm) != sizeof mutex)
        return 2;
    shmx_close(&shm);
    if (shmx_create(&shm, "", 1, ~all) != SHMX_EINVAL || shmx_list(count, &segments) != SHMX_OK)
        return 3;
    return shmx_version()[0] - SHMX_VERSION[0];
}
