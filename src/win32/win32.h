/* SPDX-License-Identifier: MIT */
/* Shared by the files of the Windows backend. */
#ifndef SHMX_WIN32_H
#define SHMX_WIN32_H

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>

#include "os.h"

/* ---- errors (error.c) ---- */

/* Remember the number of GetLastError and return the status for it. */
int shmx_win32_error(DWORD number);

/* ---- what comes and goes with an attachment (owner.c, wait.c, marks.c) ---- */

/* The object has been attached, or is about to be closed (its mapping is still there). */
void shmx_win32_owner_begin(struct shmx_attachment *attachment);
void shmx_win32_owner_end(struct shmx_attachment *attachment);
void shmx_win32_wait_end(struct shmx_attachment *attachment);
void shmx_win32_marks_end(struct shmx_attachment *attachment);

/* ---- names (names.c) ---- */

/* Any name of an object of the system, with its final zero. */
#define SHMX_WIN32_NAME_MAX 192

/* Write the name of an event that belongs to this segment and no other: "Global\shmx#", the
 * segment's id, '#', kind, number. It is found from every session, also where the segment was
 * inherited or is a file; to make an event in Global\ takes no privilege. */
void shmx_win32_event_name(char out[SHMX_WIN32_NAME_MAX], const struct shmx_attachment *attachment,
                           const char *kind, uint32_t number);

/* Make that event; all others may do `everyone` with it. `join`: one that is there already will do.
 * Else SHMX_EEXIST: something, of whatever kind, has that name already. */
int shmx_win32_event_make(const struct shmx_attachment *attachment, const char *kind,
                          uint32_t number, DWORD everyone, bool join, HANDLE *event);

/* Write what the system calls the segment: "Local\NAME" for generation 0, "Local\NAME#3" for 3. */
void shmx_win32_section_name(char out[SHMX_WIN32_NAME_MAX], const char *name, bool wide,
                             uint32_t generation);

/* The name of what belongs to a name: "Local\NAME#lock". */
void shmx_win32_side_name(char out[SHMX_WIN32_NAME_MAX], const char *name, bool wide,
                          const char *side);

/* Take the mutex of that name, which is made if it is not there; `everyone` may. The mutex of a
 * holder that died is free. SHMX_EAGAIN: it was not for `patience` ms. */
int shmx_win32_lock(const char *name, bool everyone, DWORD patience, HANDLE *lock);
void shmx_win32_unlock(HANDLE lock);

/* Copy a text of the system's; false if it is longer than any name of ours or has more than ASCII,
 * so that it is none. */
bool shmx_win32_narrow(char *out, size_t room, const WCHAR *text, size_t length);

/* Call visit with the name of each object of that kind ("Event") in a directory of the kernel,
 * until it returns other than 0, and return that (inspect.c). Names that are none of ours may be
 * left out. */
typedef int shmx_win32_object_visit(const char *name, void *context);
int shmx_win32_each_object(const char *path, const char *kind, shmx_win32_object_visit *visit,
                           void *context);

/* ---- who may do what (security.c) ---- */

/* Everything for the creating user, `everyone` (rights of the kind of object; 0: nothing) for all
 * others. It is used where it lies and must not be moved. */
struct shmx_win32_security {
    SECURITY_ATTRIBUTES attributes; /* give this to the system */
    SECURITY_DESCRIPTOR descriptor;
    DWORD list[64];  /* an ACL */
    DWORD label[16]; /* another */
};

int shmx_win32_security(struct shmx_win32_security *security, DWORD everyone);

/* For a section that is being made: nobody may do more than see that it is there, by opening it
 * with these rights. (SECTION_QUERY alone is to OpenFileMapping what FILE_MAP_COPY is.) */
#define SHMX_WIN32_SEALED_RIGHTS (SECTION_QUERY | READ_CONTROL)
int shmx_win32_security_sealed(struct shmx_win32_security *security);

/* Write what tells the user from all others: letters and digits. */
int shmx_win32_user(char out[SHMX_WIN32_NAME_MAX]);

/* The rights of everyone to the segment's section, and to events that its users wake each other
 * with. */
DWORD shmx_win32_section_rights(unsigned flags);
DWORD shmx_win32_event_rights(unsigned flags);

/* ---- memory (memory.c) ---- */

/* Map a section from `start` on, a multiple of 64 KiB, and find out how much that is. NULL: see
 * GetLastError; ERROR_INVALID_ADDRESS: it has no memory there (another program's, SEC_RESERVE). */
void *shmx_win32_view(HANDLE section, DWORD access, uint64_t start, size_t *length);

/* Map the whole of the section held; flags: SHMX_READ_ONLY. Fills data, length and read_only. */
int shmx_win32_map(struct shmx_attachment *attachment, unsigned flags);

/* Make every page present in the mapping. */
void shmx_win32_prefault(const struct shmx_attachment *attachment);

/* ---- objects (object.c) ---- */

/* Map the section held and find out what it is: fills all but `os` and `owner`. `name` NULL: any;
 * else a segment of another name is SHMX_EPROTO. flags: SHMX_READ_ONLY, SHMX_RAW. On failure the
 * caller gives up. */
int shmx_win32_enter(struct shmx_attachment *attachment, const char *name, unsigned flags);

/* Unmap and close. */
void shmx_win32_give_up(struct shmx_attachment *attachment);

/* The end of every way to an attachment; flags: SHMX_PREFAULT. */
void shmx_win32_begin(struct shmx_attachment *attachment, unsigned flags);

#endif
