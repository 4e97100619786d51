/* SPDX-License-Identifier: MIT */
/*
 * Segments that outlive their users are mappings of temporary files, since a section does not.
 *
 * The files are in %LOCALAPPDATA%\shmx\EPOCH. EPOCH is random, and known from a volatile key of the
 * user's registry, which the system forgets at the restart (and when the user has no session and no
 * service any more): no clock is asked. A process that finds no key makes one, and a directory, and
 * removes those of former epochs.
 *
 * A segment's file is called =NAME, with a mark of which letters are upper case, as the file system
 * does not tell them apart. It gets that name when it is complete, by a rename that only one
 * process can win, in whichever session. A segment that is in use is also a named section like any
 * other, and found by that; chain.c says how. So a file is looked at only under the lock of its
 * name.
 *
 * A segment is unlinked when its state word says so. Then the file is renamed to ~ID, and deleted
 * when its users let the system do it: the last one tries when it closes, and shmx_prune does. If a
 * process finds the file of an unlinked segment under its old name, it does what is left to be
 * done. The rename is done to the open file, after a look at its label, and so never to a
 * successor's.
 */
#include "persist.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/control.h"
#include "base/listing.h"
#include "base/name.h"
#include "epoch.h"

#define FILE_RIGHTS (GENERIC_READ | GENERIC_WRITE | DELETE)
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* ---- names of files ---- */

/* Write the path of a segment's file: '=' and the name as base/name.h folds it. SHMX_ENOENT: there
 * is no directory, and `make` is false. */
static int path_of(wchar_t path[SHMX_WIN32_PATH_MAX], const char *name, bool make)
{
    char file[SHMX_NAME_FOLDED_MAX + 2] = "=";
    shmx_name_fold(file + 1, name);
    int status = shmx_win32_epoch(path, make);
    return status == SHMX_OK ? shmx_win32_path_add(path, file) : status;
}

/* The same for a file that has no segment's name: '~', a letter and a number. */
static int path_of_nameless(wchar_t path[SHMX_WIN32_PATH_MAX], char letter, uint64_t number,
                            bool make)
{
    char file[20];
    snprintf(file, sizeof file, "~%c%016" PRIx64, letter, number);
    int status = shmx_win32_epoch(path, make);
    return status == SHMX_OK ? shmx_win32_path_add(path, file) : status;
}

/* ---- what is in a file ---- */

/* How a control block begins. */
struct head {
    struct shmx_label label;
    uint32_t state;
};

struct content {
    bool good; /* a segment of that name */
    uint64_t length;
    struct head head;
};

static void content_read(HANDLE file, const char *name, struct content *content)
{
    static_assert(offsetof(struct head, state) == offsetof(struct shmx_control, state), "layout");
    LARGE_INTEGER length;
    OVERLAPPED at = {0};
    DWORD got = 0;
    memset(content, 0, sizeof *content);
    if (!GetFileSizeEx(file, &length) || length.QuadPart <= (LONGLONG)SHMX_CONTROL_SIZE)
        return;
    content->length = (uint64_t)length.QuadPart;
    at.Offset = (DWORD)(content->length - SHMX_CONTROL_SIZE);
    at.OffsetHigh = (DWORD)((content->length - SHMX_CONTROL_SIZE) >> 32);
    content->good =
        ReadFile(file, &content->head, sizeof content->head, &got, &at) &&
        got == sizeof content->head &&
        shmx_label_check(&content->head.label, content->length, name) == SHMX_CONTROL_GOOD;
}

/* ---- patience ---- */

/* For a look, one of many in a list, or to clear away; and for use. */
#define HURRY ((int64_t)500 * 1000 * 1000)
#define PATIENCE ((int64_t)2000 * 1000 * 1000)
#define PATIENCE_STEP ((int64_t)1000 * 1000)

/* A program that looks into every new file (against viruses, for an index) opens it for a moment
 * without sharing it. True if the call that failed so is worth repeating. */
static bool once_more(DWORD error, int64_t deadline)
{
    if (error != ERROR_SHARING_VIOLATION || shmx_os_now() >= deadline)
        return false;
    shmx_os_sleep(PATIENCE_STEP);
    return true;
}

/* ---- renaming and deleting ---- */

/* Rename an open file within the directory. */
static int rename_to(HANDLE file, const wchar_t *path)
{
    union {
        FILE_RENAME_INFO info;
        char room[sizeof(FILE_RENAME_INFO) + SHMX_WIN32_PATH_MAX * sizeof(wchar_t)];
    } rename;
    memset(&rename, 0, sizeof rename);
    rename.info.FileNameLength = (DWORD)(wcslen(path) * sizeof *path);
    memcpy(rename.room + offsetof(FILE_RENAME_INFO, FileName), path, rename.info.FileNameLength);
    int64_t deadline = shmx_os_now() + PATIENCE;
    while (!SetFileInformationByHandle(file, FileRenameInfo, &rename, sizeof rename))
        if (!once_more(GetLastError(), deadline))
            return shmx_win32_error(GetLastError());
    return SHMX_OK;
}

/* Take the name of the open file away, and delete it when the last handle closes, if the system
 * lets us: not while it is mapped. */
static void move_away(HANDLE file, uint64_t id)
{
    FILE_DISPOSITION_INFO disposition = {TRUE};
    wchar_t path[SHMX_WIN32_PATH_MAX];
    if (path_of_nameless(path, 'x', id, false) == SHMX_OK)
        rename_to(file, path);
    SetFileInformationByHandle(file, FileDispositionInfo, &disposition, sizeof disposition);
}

/* ---- the life of a file ---- */

static int open_name(const char *name, DWORD rights, HANDLE *file, struct content *content)
{
    wchar_t path[SHMX_WIN32_PATH_MAX];
    int status = path_of(path, name, false);
    if (status != SHMX_OK)
        return status;
    int64_t deadline = shmx_os_now() + (rights == GENERIC_READ ? HURRY : PATIENCE);
    while ((*file = CreateFileW(path, rights, SHARE_ALL, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL,
                                NULL)) == INVALID_HANDLE_VALUE)
        if (!once_more(GetLastError(), deadline))
            return shmx_win32_error(GetLastError());
    content_read(*file, name, content);
    return SHMX_OK;
}

bool shmx_win32_persist_maybe(const char *name)
{
    wchar_t path[SHMX_WIN32_PATH_MAX];
    int status = path_of(path, name, false);
    if (status != SHMX_OK)
        return status != SHMX_ENOENT;
    return GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES ||
           GetLastError() != ERROR_FILE_NOT_FOUND;
}

/* A full disk is to be found now. */
static int set_length(HANDLE file, const wchar_t *directory, uint64_t length)
{
    ULARGE_INTEGER room;
    if (GetDiskFreeSpaceExW(directory, &room, NULL, NULL) && room.QuadPart < length)
        return shmx_win32_error(ERROR_DISK_FULL);
    LARGE_INTEGER end;
    end.QuadPart = (LONGLONG)length;
    if (SetFilePointerEx(file, end, NULL, FILE_BEGIN) && SetEndOfFile(file))
        return SHMX_OK;
    return shmx_win32_size_error(GetLastError());
}

int shmx_win32_persist_make(uint64_t length, HANDLE *file)
{
    wchar_t path[SHMX_WIN32_PATH_MAX];
    struct shmx_win32_security security;
    uint64_t chance;
    int status = shmx_os_random(&chance, sizeof chance);
    if (status == SHMX_OK)
        status = shmx_win32_security(&security, 0);
    if (status == SHMX_OK)
        status = path_of_nameless(path, 'n', chance, true);
    if (status != SHMX_OK)
        return status;
    /* Not shared for deletion, so that nobody clears away what is being made. */
    *file = CreateFileW(path, FILE_RIGHTS, FILE_SHARE_READ | FILE_SHARE_WRITE, &security.attributes,
                        CREATE_NEW, FILE_ATTRIBUTE_TEMPORARY | FILE_ATTRIBUTE_NOT_CONTENT_INDEXED,
                        NULL);
    if (*file == INVALID_HANDLE_VALUE)
        return shmx_win32_error(GetLastError());
    *wcsrchr(path, L'\\') = L'\0';
    status = set_length(*file, path, length);
    if (status == SHMX_ENOSPC) {
        shmx_win32_persist_clear();
        status = set_length(*file, path, length);
    }
    if (status != SHMX_OK)
        shmx_win32_persist_discard(*file, chance);
    return status;
}

void shmx_win32_persist_discard(HANDLE file, uint64_t id)
{
    move_away(file, id);
    CloseHandle(file);
}

int shmx_win32_persist_publish(HANDLE file, const char *name)
{
    wchar_t path[SHMX_WIN32_PATH_MAX];
    int status = path_of(path, name, true);
    if (status == SHMX_OK)
        status = rename_to(file, path);
    return status;
}

int shmx_win32_persist_open(const char *name, HANDLE *file)
{
    struct content content;
    int status = open_name(name, FILE_RIGHTS, file, &content);
    if (status != SHMX_OK)
        return status;
    if (!content.good) {
        status = SHMX_EPROTO;
    } else if (content.head.state == SHMX_STATE_UNLINKED) {
        move_away(*file, content.head.label.id);
        status = SHMX_ENOENT;
    }
    if (status != SHMX_OK)
        CloseHandle(*file);
    return status;
}

int shmx_win32_persist_check(const char *name)
{
    HANDLE file;
    int status = shmx_win32_persist_open(name, &file);
    if (status == SHMX_OK)
        CloseHandle(file);
    return status;
}

int shmx_win32_persist_look(const char *name, struct shmx_os_view *view)
{
    HANDLE file;
    struct content content;
    int status = open_name(name, GENERIC_READ, &file, &content);
    if (status != SHMX_OK)
        return status;
    CloseHandle(file);
    view->kind = content.good ? SHMX_OS_LIVE : SHMX_OS_DAMAGED;
    view->label = content.head.label;
    view->length = view->footprint = content.length;
    view->users = 0;
    return content.head.state == SHMX_STATE_UNLINKED ? SHMX_ENOENT : SHMX_OK;
}

/* Where others map it, the system refuses; it is for the last of them, then. */
static void clear_away(const wchar_t *path, int64_t patience)
{
    int64_t deadline = shmx_os_now() + patience;
    while (!DeleteFileW(path) && once_more(GetLastError(), deadline))
        ;
}

void shmx_win32_persist_remove(uint64_t id)
{
    wchar_t path[SHMX_WIN32_PATH_MAX];
    if (path_of_nameless(path, 'x', id, false) == SHMX_OK)
        clear_away(path, HURRY);
}

/* ---- all files ---- */

static int walk(const char *pattern, shmx_win32_each *each, void *context)
{
    wchar_t path[SHMX_WIN32_PATH_MAX];
    int status = shmx_win32_epoch(path, false);
    if (status != SHMX_OK)
        return status == SHMX_ENOENT ? SHMX_OK : status;
    return shmx_win32_walk(path, pattern, each, context);
}

static int list_file(const wchar_t *path, const char *file, void *listing)
{
    (void)path;
    char name[SHMX_NAME_MAX + 1];
    return shmx_name_unfold(name, file + 1) ? shmx_listing_note(name, listing) : SHMX_OK;
}

int shmx_win32_persist_list(void *listing)
{
    return walk("=*", list_file, listing);
}

struct sweep {
    unsigned pass;    /* over so many */
    unsigned left;    /* to be tried */
    int64_t patience; /* with each */
};

static int sweep_one(const wchar_t *path, const char *file, void *context)
{
    struct sweep *sweep = context;
    (void)file;
    if (sweep->pass > 0) {
        sweep->pass--;
        return SHMX_OK;
    }
    clear_away(path, sweep->patience);
    return --sweep->left > 0 ? SHMX_OK : SHMX_EAGAIN;
}

int shmx_win32_persist_clear(void)
{
    struct sweep all = {0, UINT_MAX, HURRY};
    return walk("~*", sweep_one, &all);
}

/* So many files are tried at a time, behind those of the time before: some are still in use. */
#define SWEPT 4

void shmx_win32_persist_sweep(void)
{
    static _Atomic unsigned at;
    /* Relaxed: it is no matter which. */
    struct sweep sweep = {atomic_load_explicit(&at, memory_order_relaxed), SWEPT, 0};
    unsigned next = sweep.pass + SWEPT;
    bool end = walk("~*", sweep_one, &sweep) == SHMX_OK;
    atomic_store_explicit(&at, end ? 0 : next, memory_order_relaxed);
}
