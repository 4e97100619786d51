/* SPDX-License-Identifier: MIT */
/* Sections, the system's shared memory: made, opened, and looked at without being mapped whole. */
#ifndef SHMX_SECTION_H
#define SHMX_SECTION_H

#include "win32.h"

#define SHMX_WIN32_LOOK_RIGHTS (SECTION_QUERY | SECTION_MAP_READ)
#define SHMX_WIN32_USE_RIGHTS (SHMX_WIN32_LOOK_RIGHTS | SECTION_MAP_WRITE)

/* The section to be made. */
struct shmx_win32_making {
    HANDLE file;     /* of the whole of this; NULL: of `length` bytes of anonymous memory */
    uint64_t length; /* without a file */
    unsigned flags;  /* SHMX_OTHERS_... */
    bool sealed;     /* nobody can map it before shmx_win32_section_unseal */
    bool join;       /* a section that is there already will do */
};

/* `name` NULL: none. SHMX_EEXIST: something, of whatever kind, has that name already. */
int shmx_win32_section_make(const char *name, const struct shmx_win32_making *making,
                            void **section);

/* The section is complete: let it be opened by whom flags' SHMX_OTHERS_... say. */
int shmx_win32_section_unseal(HANDLE section, unsigned flags);

/* Like shmx_win32_error, for a call that asked for memory of a given size. */
int shmx_win32_size_error(DWORD error);

/* SHMX_ENOENT: no section has that name, though something else may have it. */
int shmx_win32_section_open(const char *name, DWORD rights, void **section);

/* Describe the section, but for its users. LIVE: of the segment of that name. SHMX_ENOENT: it has
 * been unlinked. */
int shmx_win32_section_look(HANDLE section, const char *name, struct shmx_os_view *view);

/* Let a live segment of ours be unlinked. SHMX_ENOENT: it was. */
int shmx_win32_section_unlink(HANDLE section);

void shmx_win32_let_go(struct shmx_win32_hold *hold);

#endif
