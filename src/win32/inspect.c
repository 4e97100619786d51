/* SPDX-License-Identifier: MIT */
/* Looking around: the directories of the kernel in which named things are, and the files of
 * persist.c. A segment without users is gone, so nothing is ever found dead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/listing.h"
#include "base/name.h"
#include "nt.h"
#include "persist.h"

/* Bytes for the names of a directory at first, and in the end. */
#define ENTRIES_ROOM 65536u
#define ENTRIES_ROOM_MOST (1u << 28)

/* ---- inspect ---- */

static int inspect_in(struct shmx_win32_chain *chain, struct shmx_os_view *view)
{
    struct shmx_win32_found found;
    int status = shmx_win32_find(chain, SHMX_WIN32_LOOK_RIGHTS, shmx_win32_persist_look, &found);
    if (status != SHMX_OK)
        return status;
    *view = found.view;
    if (found.hold.section != NULL) {
        int handles = shmx_win32_section_handles(found.hold.section);
        view->users = handles > 0 ? handles - 1 : -1; /* one is this call's */
    }
    shmx_win32_let_go(&found.hold);
    return SHMX_OK;
}

int shmx_os_inspect(const char *name, struct shmx_os_view *view)
{
    struct shmx_win32_chain session = {.name = name, .hurry = true};
    struct shmx_win32_chain machine = {.name = name, .wide = true, .hurry = true};
    int status = inspect_in(&session, view);
    return status == SHMX_ENOENT ? inspect_in(&machine, view) : status;
}

/* ---- list ---- */

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

static int visit_one(const struct nt_directory_entry *entry, void *listing)
{
    char name[SHMX_NAME_MAX + 1];
    bool ours = is_text(&entry->type, "Section") && base_name(name, &entry->name);
    return ours ? shmx_listing_note(name, listing) : SHMX_OK;
}

/* Entry by entry, where the system can do no better (Wine): while entries come and go it may pass
 * over others. */
static int visit_singly(HANDLE directory, shmx_win32_entry_visit *visit, void *context)
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
        status = visit(&out.entry, context);
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

static int visit_entries(HANDLE directory, shmx_win32_entry_visit *visit, void *context)
{
    struct nt_directory_entry *entries;
    LONG result = read_whole(directory, &entries);
    int status = SHMX_OK;
    if (result == NT_NOT_IMPLEMENTED)
        status = visit_singly(directory, visit, context);
    else if (result < 0 && result != NT_NO_MORE_ENTRIES)
        status = shmx_win32_error(shmx_win32_number(result));
    else if (result >= 0 && result != NT_NO_MORE_ENTRIES)
        for (size_t i = 0; status == SHMX_OK && entries[i].name.text != NULL; i++)
            status = visit(&entries[i], context);
    free(entries);
    return status;
}

int shmx_win32_each_object(const char *path, shmx_win32_entry_visit *visit, void *context)
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
    int status = visit_entries(directory, visit, context);
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
    int status = session != 0 ? shmx_win32_each_object(path, visit_one, listing) : SHMX_OK;
    return status == SHMX_OK ? shmx_win32_each_object("\\BaseNamedObjects", visit_one, listing)
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
