/* SPDX-License-Identifier: MIT */
/* Looking around: the directories of the kernel in which named things are, and the files of
 * persist.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/name.h"
#include "base/listing.h"
#include "nt.h"
#include "persist.h"

/* ---- one object ---- */

int shmx_win32_handles(HANDLE handle)
{
    struct nt_object_basic basic;
    ULONG used;
    LONG result = NtQueryObject(handle, NT_OBJECT_BASIC, &basic, sizeof basic, &used);
    return result >= 0 ? (int)basic.handles : -1;
}

int shmx_os_usage(struct shmx_attachment *attachment, uint64_t *footprint, int *users)
{
    *footprint = attachment->length; /* all of it was reserved when it was made */
    *users = shmx_win32_handles(attachment->os.section);
    return SHMX_OK;
}

/* ---- all names ---- */

/* Who is told of each name. */
struct told {
    shmx_listing_visit *visit;
    void *context;
};

static bool is_text(const struct nt_string *string, const char *text)
{
    size_t length = string->length / sizeof(WCHAR);
    if (length != strlen(text))
        return false;
    for (size_t i = 0; i < length; i++)
        if (string->text[i] != (WCHAR)(unsigned char)text[i])
            return false;
    return true;
}

/* The segment's name in that of a section, "NAME" or "NAME#3"; false if there is none. */
static bool base_name(char name[SHMX_NAME_MAX + 1], const struct nt_string *section)
{
    size_t length = section->length / sizeof(WCHAR);
    size_t used = 0;
    for (; used < length && section->text[used] != L'#'; used++) {
        WCHAR c = section->text[used];
        if (used == SHMX_NAME_MAX || c > 127)
            return false;
        name[used] = (char)c;
    }
    name[used] = '\0';
    if (shmx_name_check(name) != SHMX_OK)
        return false;
    size_t digits = used + 1;
    while (digits < length && section->text[digits] >= L'0' && section->text[digits] <= L'9')
        digits++;
    return used == length || (digits == length && digits > used + 1);
}

static int visit_entries(HANDLE directory, const struct told *told)
{
    union {
        struct nt_directory_entry entry;
        char room[4096];
    } out;
    ULONG context = 0, used;
    char name[SHMX_NAME_MAX + 1];
    int status = SHMX_OK;
    for (bool restart = true; status == SHMX_OK; restart = false) {
        /* One by one: an entry that comes or goes meanwhile then spoils no others. */
        if (NtQueryDirectoryObject(directory, &out, sizeof out, TRUE, restart, &context, &used) !=
            0)
            break;
        if (is_text(&out.entry.type, "Section") && base_name(name, &out.entry.name))
            status = told->visit(name, told->context);
    }
    return status;
}

static int visit_directory(const char *path, const struct told *told)
{
    WCHAR text[64];
    USHORT length = 0;
    for (; path[length] != '\0'; length++)
        text[length] = (WCHAR)path[length];
    struct nt_string name = {(USHORT)(length * sizeof(WCHAR)), (USHORT)(length * sizeof(WCHAR)),
                             text};
    struct nt_place place = {sizeof place, NULL, &name, NT_CASE_INSENSITIVE, NULL, NULL};
    HANDLE directory;
    LONG result = NtOpenDirectoryObject(&directory, NT_DIRECTORY_QUERY, &place);
    if (result < 0)
        return shmx_win32_error(shmx_win32_number(result));
    int status = visit_entries(directory, told);
    CloseHandle(directory);
    return status;
}

/* Where Local\ and Global\ lead. */
static int visit_sections(const struct told *told)
{
    DWORD session = 0;
    char path[64];
    if (!ProcessIdToSessionId(GetCurrentProcessId(), &session))
        return shmx_win32_error(GetLastError());
    snprintf(path, sizeof path, "\\Sessions\\%lu\\BaseNamedObjects", (unsigned long)session);
    int status = session != 0 ? visit_directory(path, told) : SHMX_OK;
    return status == SHMX_OK ? visit_directory("\\BaseNamedObjects", told) : status;
}

/* A name can be there several times: in both spaces, in several generations, and as a file. */
static int read_names(shmx_listing_visit *visit, void *context)
{
    const struct told told = {visit, context};
    int status = visit_sections(&told);
    return status == SHMX_OK ? shmx_win32_persist_list(visit, context) : status;
}

int shmx_os_list(int (*visit)(const char *name, void *context), void *context)
{
    return shmx_listing_each(read_names, visit, context);
}
