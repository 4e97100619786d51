/* SPDX-License-Identifier: MIT */
/* Who has which name: the lock, the index and the generations of a name. chain.c says why this is
 * right. */
#ifndef SHMX_CHAIN_H
#define SHMX_CHAIN_H

#include "win32.h"

/* A name in one of the two spaces, while it is looked at or changed. */
struct shmx_win32_chain {
    const char *name;
    bool wide;
    HANDLE lock;
    HANDLE index;     /* NULL: there is none */
    uint32_t highest; /* no generation above this is in use */
};

/* Keep others from changing who has the name, until chain_unlock, and find out `highest`.
 * SHMX_EAGAIN: somebody else does, for too long. flags: SHMX_OS_NOWAIT. */
int shmx_win32_chain_lock(struct shmx_win32_chain *chain, const char *name, bool wide,
                          unsigned flags);
void shmx_win32_chain_unlock(struct shmx_win32_chain *chain);

/* True if there is an index, so that generations above 0 may exist. */
bool shmx_win32_chain_indexed(const char *name, bool wide);

/* Open a generation's section with these rights. SHMX_ENOENT; SHMX_EPROTO: something else has that
 * name. */
int shmx_win32_chain_open(const struct shmx_win32_chain *chain, uint32_t generation, DWORD rights,
                          HANDLE *section);

/* No generation is above this, whatever a damaged or hostile index says. */
#define SHMX_WIN32_GENERATIONS 16384u

/* For shmx_win32_chain_add: nobody can open the section before shmx_win32_unseal. */
#define SHMX_WIN32_SEALED 0x40000000u

/* Make a section under the lowest generation that is free, `most` or below; SHMX_EEXIST if none is.
 * The chain is locked. `file` NULL: of
 * anonymous memory; else of the whole file, and length does not count. Sets section, index and wide
 * in *os. */
int shmx_win32_chain_add(struct shmx_win32_chain *chain, uint32_t most, HANDLE file,
                         uint64_t length, unsigned flags, struct shmx_os_private *os);

/* The section is complete: let it be opened by whom flags' SHMX_OTHERS_... say. */
int shmx_win32_unseal(HANDLE section, unsigned flags);

/* The chain is locked, so who made a sealed section that is there is dead. Wait until the system
 * has cleared it away; SHMX_EAGAIN: it takes too long. flags: SHMX_OS_NOWAIT. */
int shmx_win32_chain_settle(const struct shmx_win32_chain *chain, uint32_t generation,
                            unsigned flags);

/* Take over the index for a user of this generation, who must close it; NULL if it needs none. The
 * chain is locked. */
void shmx_win32_chain_hold(struct shmx_win32_chain *chain, uint32_t generation, void **index);

/* Like shmx_win32_error, for a call that asked for memory of a given size. */
int shmx_win32_size_error(DWORD error);

/* Make a section without a name. */
int shmx_win32_section_make(uint64_t length, unsigned flags, void **section);

#endif
