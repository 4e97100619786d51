/* SPDX-License-Identifier: MIT */
/* The things that the Windows backend keeps with an attachment. Handles are void pointers here, so
 * that the portable code does not see windows.h. */
#ifndef SHMX_OS_PRIVATE_H
#define SHMX_OS_PRIVATE_H

#include <stdatomic.h>
#include <stdint.h>

struct shmx_attachment;
struct shmx_win32_mark;

/* The handle that makes a user, as long as it is open. */
struct shmx_win32_hold {
    void *section; /* NULL: there is none, as of a guest */
    void *index;   /* keeps a generation above 0 findable; NULL for 0 and for nameless ones */
};

struct shmx_os_private {
    struct shmx_win32_hold hold;
    struct shmx_win32_mark *marks;
    void *owner; /* owner.c: what lives exactly as long as the attachment */
    struct shmx_attachment *next, **link; /* owner.c: all attachments of this process */
    _Atomic(void *) events[SHMX_SLOTS];   /* wait.c: opened when first needed */
    _Atomic uint32_t hint;                /* ... the slot to try first: its event is open */
    _Atomic int64_t reclaim_at;           /* ... not before this time */
};

/* See os.h. */
static inline uint32_t shmx_os_glance(const _Atomic uint32_t *word)
{
    return *(const volatile uint32_t *)(const void *)word;
}

#endif
