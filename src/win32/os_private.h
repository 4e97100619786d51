/* SPDX-License-Identifier: MIT */
/* What the Windows backend keeps with an attachment. Handles are void pointers here, so that the
 * portable code does not see windows.h. */
#ifndef SHMX_OS_PRIVATE_H
#define SHMX_OS_PRIVATE_H

#include <stdatomic.h>
#include <stdint.h>

struct shmx_attachment;
struct shmx_win32_waiting;

struct shmx_os_private {
    void *section; /* this attachment is a user as long as it has this handle; NULL: a guest */
    void *index;   /* keeps a generation above 0 findable; NULL for 0 and for nameless ones */
    void *owner;   /* owner.c: what lives exactly as long as the attachment */
    _Atomic(struct shmx_win32_waiting *) waiting; /* wait.c; NULL: nobody has waited or woken yet */
    struct shmx_attachment *next, **link;         /* owner.c: all attachments of this process */
};

/* See os.h. */
static inline uint32_t shmx_os_glance(const _Atomic uint32_t *word)
{
    return *(const volatile uint32_t *)(const void *)word;
}

#endif
