/* SPDX-License-Identifier: MIT */
/* Calls of the kernel itself, for what windows.h cannot do. They are documented, but not every
 * compiler has a header with them; the structs are what the documentation says. */
#ifndef SHMX_NT_H
#define SHMX_NT_H

#include "win32.h"

struct nt_string { /* UNICODE_STRING */
    USHORT length; /* in bytes */
    USHORT room;
    WCHAR *text;
};

struct nt_place { /* OBJECT_ATTRIBUTES */
    ULONG length;
    HANDLE root;
    struct nt_string *name;
    ULONG attributes;
    void *security;
    void *quality;
};

struct nt_io { /* IO_STATUS_BLOCK */
    void *status;
    ULONG_PTR information;
};

struct nt_object_basic { /* PUBLIC_OBJECT_BASIC_INFORMATION */
    ULONG attributes;
    ACCESS_MASK access;
    ULONG handles;
    ULONG references;
    ULONG reserved[10];
};

struct nt_directory_entry { /* OBJECT_DIRECTORY_INFORMATION */
    struct nt_string name;
    struct nt_string type;
};

struct nt_section_basic { /* SECTION_BASIC_INFORMATION */
    void *base;
    ULONG attributes;
    LARGE_INTEGER size;
};

struct nt_rename { /* FILE_RENAME_INFORMATION */
    BOOLEAN replace;
    HANDLE root;
    ULONG length; /* of the name in bytes */
    WCHAR name[512];
};

#define NT_OBJECT_BASIC 0
#define NT_SECTION_BASIC 0
#define NT_FILE_RENAME 10
#define NT_FILE_DISPOSITION 13
#define NT_CASE_INSENSITIVE 0x40u
#define NT_DIRECTORY_QUERY 0x1u

#define NT_MORE_ENTRIES ((LONG)0x00000105)
#define NT_NO_MORE_ENTRIES ((LONG)0x8000001a)
#define NT_NOT_IMPLEMENTED ((LONG)0xc0000002)
#define NT_NO_MEMORY ((LONG)0xc0000017)

/* The number of GetLastError behind a status of these calls. */
ULONG NTAPI RtlNtStatusToDosError(LONG status);

LONG NTAPI NtQueryObject(HANDLE object, ULONG kind, void *out, ULONG size, ULONG *used);
LONG NTAPI NtQuerySection(HANDLE section, ULONG kind, void *out, SIZE_T size, SIZE_T *used);
LONG NTAPI NtOpenDirectoryObject(HANDLE *directory, ACCESS_MASK access, struct nt_place *place);
LONG NTAPI NtQueryDirectoryObject(HANDLE directory, void *out, ULONG size, BOOLEAN single,
                                  BOOLEAN restart, ULONG *context, ULONG *used);
LONG NTAPI NtSetInformationFile(HANDLE file, struct nt_io *io, void *in, ULONG size, ULONG kind);

/* Call visit with the name of each object of that kind ("Event") in a directory of the kernel,
 * until it returns other than 0, and return that (inspect.c). Names that are none of ours may be
 * left out. */
typedef int shmx_win32_object_visit(const char *name, void *context);
int shmx_win32_each_object(const char *path, const char *kind, shmx_win32_object_visit *visit,
                           void *context);

#endif
