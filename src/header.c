/* SPDX-License-Identifier: MIT */
#include "header.h"

/* Is the first word written, as it is before all others, or are there zeros that will be a header?
 * Otherwise something else lies here, or an object that begins elsewhere. */
static bool header_begins(const _Atomic uint32_t *header, size_t bytes)
{
    bool zeros = atomic_load(header) == 0;
    /* Acquire: who sees what another has written to its new object sees the first word after it. */
    for (size_t i = 1; zeros && i < bytes / sizeof *header; i++)
        zeros = atomic_load_explicit(&header[i], memory_order_acquire) == 0;
    return zeros || atomic_load(header) != 0;
}

int shmx_header_settle(_Atomic uint32_t *header, size_t bytes, const uint32_t facts[HEADER_FACTS],
                       bool read_only)
{
    if (!header_begins(header, bytes))
        return SHMX_EPROTO;
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
