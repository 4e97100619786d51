/* SPDX-License-Identifier: MIT */
/* The owner of each name: the lock, the index and the generations of a name. chain.c says why this
 * is right. */
#ifndef SHMX_CHAIN_H
#define SHMX_CHAIN_H

#include "section.h"

/* A name in one of the two spaces, while it is looked at or changed. */
struct shmx_win32_chain {
    const char *name;
    bool wide;  /* in Global\, not in Local\ */
    bool hurry; /* rather SHMX_EAGAIN than wait for another process for long */
    bool look;  /* a segment that is but a file is only described */
    HANDLE lock;
    HANDLE index;     /* NULL: there is none */
    uint32_t highest; /* no generation above this is in use */
};

/* Keep others from changing who has chain->name, until shmx_win32_chain_unlock, and find out
 * `highest`. SHMX_EAGAIN: somebody else does, for too long. */
int shmx_win32_chain_lock(struct shmx_win32_chain *chain);
void shmx_win32_chain_unlock(struct shmx_win32_chain *chain);

/* ---- add ---- */

/* Make a section under the lowest generation that is free; SHMX_EEXIST if none is. The chain is
 * locked. */
int shmx_win32_chain_add(struct shmx_win32_chain *chain, const struct shmx_win32_making *making,
                         struct shmx_win32_hold *hold);

/* ---- find ---- */

/* The thing that has a name. */
struct shmx_win32_found {
    struct shmx_win32_hold hold; /* without a section: a segment that is but a file */
    struct shmx_os_view view;
    bool denied; /* the section is not open with all the rights that were asked for */
};

/* Find what has the name of a locked chain: a live segment of ours before another program's, and
 * that before what cannot be used. SHMX_EACCES: something has it that we may not even look at. */
int shmx_win32_chain_find(struct shmx_win32_chain *chain, DWORD rights,
                          struct shmx_win32_found *found);

/* The same for a chain that is not locked, and locks it only if it must. Where there is no section,
 * the file that holds the segment is made one again. */
int shmx_win32_find(struct shmx_win32_chain *chain, DWORD rights, struct shmx_win32_found *found);

/* The same for a chain in the session, and then in the space of the whole machine. */
int shmx_win32_find_anywhere(struct shmx_win32_chain *chain, DWORD rights,
                             struct shmx_win32_found *found);

/* Describe what has the name, in the session or else in the space of the whole machine. */
int shmx_win32_look(const char *name, struct shmx_os_view *view);

#endif
