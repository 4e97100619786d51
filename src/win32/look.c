/* SPDX-License-Identifier: MIT */
/* Looking around: the directories of the kernel in which named things are, and the files of
 * persist.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"
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

int shmx_os_object_usage(struct shmx_os_object *object, uint64_t *footprint, int *users)
{
    *footprint = object->length; /* all of it was reserved when it was made */
    *users = shmx_win32_handles(object->os.section);
    return SHMX_OK;
}

/* ---- all names ---- */

struct names {
    char (*list)[SHMX_NAME_MAX + 1];
    size_t count, room;
};

static int names_add(const char *name, void *context)
{
    struct names *names = context;
    if (names->count == names->room) {
        size_t room = names->room * 2 + 64;
        void *list = realloc(names->list, room * sizeof *names->list);
        if (list == NULL)
            return SHMX_ENOMEM;
        names->list = list;
        names->room = room;
    }
    memcpy(names->list[names->count++], name, strlen(name) + 1);
    return SHMX_OK;
}

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

static int add_entries(HANDLE directory, struct names *names)
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
            status = names_add(name, names);
    }
    return status;
}

static int add_directory(const char *path, struct names *names)
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
    int status = add_entries(directory, names);
    CloseHandle(directory);
    return status;
}

/* Where Local\ and Global\ lead. */
static int add_sections(struct names *names)
{
    DWORD session = 0;
    char path[64];
    if (!ProcessIdToSessionId(GetCurrentProcessId(), &session))
        return shmx_win32_error(GetLastError());
    snprintf(path, sizeof path, "\\Sessions\\%lu\\BaseNamedObjects", (unsigned long)session);
    int status = session != 0 ? add_directory(path, names) : SHMX_OK;
    return status == SHMX_OK ? add_directory("\\BaseNamedObjects", names) : status;
}

static int compare(const void *one, const void *other)
{
    return strcmp(one, other);
}

/* A name can be there several times: in both spaces, in several generations, and as a file. */
int shmx_os_object_list(int (*visit)(const char *name, void *context), void *context)
{
    struct names names = {NULL, 0, 0};
    int status = add_sections(&names);
    if (status == SHMX_OK)
        status = shmx_win32_persist_list(names_add, &names);
    if (names.count > 0)
        qsort(names.list, names.count, sizeof *names.list, compare);
    for (size_t i = 0; status == SHMX_OK && i < names.count; i++)
        if (i == 0 || strcmp(names.list[i], names.list[i - 1]) != 0)
            status = visit(names.list[i], context);
    free(names.list);
    return status;
}
