/* SPDX-License-Identifier: MIT */
/* Looking around: the directories of the kernel in which named things are, and the files of
 * persist.c. A segment without users is gone, so nothing is ever found dead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/listing.h"
#include "chain.h"
#include "nt.h"
#include "persist.h"

/* Bytes for the names of a directory at first, and in the end. */
#define ENTRIES_ROOM 65536u
#define ENTRIES_ROOM_MOST (1u << 28)

/* ---- inspect ---- */

int shmx_os_inspect(const char *name, struct shmx_os_view *view)
{
    return shmx_win32_look(name, view);
}

/* ---- list ---- */

/* Note the segment's name in that of a section, "NAME" or "NAME#3"; "NAME#" is an index. */
static int note_section(const char *section, void *listing)
{
    char name[SHMX_WIN32_NAME_MAX];
    size_t length = strcspn(section, "#");
    const char *number = section + length + 1;
    if (section[length] == '#' &&
        (number[0] == '\0' || strspn(number, "0123456789") != strlen(number)))
        return SHMX_OK;
    memcpy(name, section, length);
    name[length] = '\0';
    return shmx_listing_note(name, listing);
}

/* Which entries of a directory of the kernel are looked for. */
struct filter {
    const char *kind; /* of object */
    shmx_win32_object_visit *visit;
    void *context;
};

static bool narrow(char *out, size_t room, const struct nt_string *string)
{
    return shmx_win32_narrow(out, room, string->text, string->length / sizeof(WCHAR));
}

static int visit_entry(const struct filter *filter, const struct nt_directory_entry *entry)
{
    char kind[16], name[SHMX_WIN32_NAME_MAX];
    bool wanted = narrow(kind, sizeof kind, &entry->type) && strcmp(kind, filter->kind) == 0 &&
                  narrow(name, sizeof name, &entry->name);
    return wanted ? filter->visit(name, filter->context) : SHMX_OK;
}

/* Entry by entry, where the system can do no better (Wine): while entries come and go it may pass
 * over others. */
static int visit_singly(HANDLE directory, const struct filter *filter)
{
    union {
        struct nt_directory_entry entry;
        char room[4096];
    } out;
    ULONG place = 0, used;
    int status = SHMX_OK;
    for (bool restart = true; status == SHMX_OK; restart = false) {
        if (NtQueryDirectoryObject(directory, &out, sizeof out, TRUE, restart, &place, &used) != 0)
            break;
        status = visit_entry(filter, &out.entry);
    }
    return status;
}

/* All entries in one call, in which nothing comes and goes: with room for them all. */
static LONG read_whole(HANDLE directory, struct nt_directory_entry **entries)
{
    LONG result = NT_MORE_ENTRIES;
    *entries = NULL;
    for (ULONG room = ENTRIES_ROOM; result == NT_MORE_ENTRIES; room *= 4) {
        ULONG context = 0, used;
        free(*entries);
        *entries = room <= ENTRIES_ROOM_MOST ? malloc(room) : NULL;
        if (*entries == NULL)
            return NT_NO_MEMORY;
        result = NtQueryDirectoryObject(directory, *entries, room, FALSE, TRUE, &context, &used);
    }
    return result;
}

static int visit_all(HANDLE directory, const struct filter *filter)
{
    struct nt_directory_entry *entries;
    LONG result = read_whole(directory, &entries);
    int status = SHMX_OK;
    if (result == NT_NOT_IMPLEMENTED)
        status = visit_singly(directory, filter);
    else if (result < 0 && result != NT_NO_MORE_ENTRIES)
        status = shmx_win32_error(RtlNtStatusToDosError(result));
    else if (result >= 0)
        for (size_t i = 0; status == SHMX_OK && entries[i].name.text != NULL; i++)
            status = visit_entry(filter, &entries[i]);
    free(entries);
    return status;
}

int shmx_win32_each_object(const char *path, const char *kind, shmx_win32_object_visit *visit,
                           void *context)
{
    const struct filter filter = {kind, visit, context};
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
        return shmx_win32_error(RtlNtStatusToDosError(result));
    int status = visit_all(directory, &filter);
    CloseHandle(directory);
    return status;
}

/* Where Local\ and Global\ lead. */
static int visit_sections(void *listing)
{
    DWORD session = 0;
    char path[64];
    if (!ProcessIdToSessionId(GetCurrentProcessId(), &session))
        return shmx_win32_error(GetLastError());
    snprintf(path, sizeof path, "\\Sessions\\%lu\\BaseNamedObjects", (unsigned long)session);
    int status =
        session != 0 ? shmx_win32_each_object(path, "Section", note_section, listing) : SHMX_OK;
    return status == SHMX_OK
               ? shmx_win32_each_object("\\BaseNamedObjects", "Section", note_section, listing)
               : status;
}

/* A name can be there several times: in both spaces, in several generations, and as a file. */
static int read_names(void *listing)
{
    int status = visit_sections(listing);
    return status == SHMX_OK ? shmx_win32_persist_list(listing) : status;
}

int shmx_os_list(int (*visit)(const char *name, void *context), void *context)
{
    return shmx_listing_each(read_names, visit, context);
}

/* ---- remove ---- */

int shmx_os_remove_dead(const char *name, bool *removed)
{
    (void)name;
    *removed = false; /* what nobody uses the system has removed already */
    return SHMX_OK;
}

/* ... but for files of segments that were unlinked. */
void shmx_os_sweep(void)
{
    shmx_win32_persist_sweep();
}

int shmx_os_remove_leftovers(void)
{
    return shmx_win32_persist_clear();
}
