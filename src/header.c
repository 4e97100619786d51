/* SPDX-License-Identifier: MIT */
#include "header.h"

/* Is this the beginning of a header, whose first word is written before all others, or zeros that
 * will be one? Otherwise something else lies here, or an object that begins elsewhere. */
static bool header_begins(const _Atomic uint32_t *header, size_t bytes)
{
    bool zeros = atomic_load(header) == 0;
    /* Acquire: a process that sees here what another has written to its new object then sees its
     * first word too. */
    for (size_t i = 1; zeros && i < bytes / sizeof *header; i++)
        zeros = atomic_load_explicit(&header[i], memory_order_acquire) == 0;
    return zeros || atomic_load(header) != 0;
}

int shmx_header_settle(shmx *shm, _Atomic uint32_t *header, size_t bytes,
                       const uint32_t facts[HEADER_FACTS])
{
    uint32_t token;
    bool read_only = shm->attachment.read_only;
    int status = read_only ? SHMX_OK : shmx_os_owner_claim(&shm->attachment, &token);
    if (status == SHMX_OK && !header_begins(header, bytes))
        status = SHMX_EPROTO;
    if (status != SHMX_OK)
        return status;
    for (int i = 0; i < HEADER_FACTS; i++) {
        uint32_t seen = 0;
        if (read_only)
            seen = atomic_load(&header[i]);
        else if (atomic_compare_exchange_strong(&header[i], &seen, facts[i]))
            continue;
        if (seen == 0)
            return SHMX_NOTHING;
        if (seen != facts[i])
            return i == HEADER_CAPACITY ? SHMX_ERANGE : SHMX_EPROTO;
    }
    return SHMX_OK;
}
