/* SPDX-License-Identifier: MIT */
/* Where persistent segments are, and that those of before the restart are not; persist.c says why
 * so. */
#include "epoch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#define KEY L"Software\\shmx"
#define VALUE L"directory"

#define EPOCH_DIGITS 16

/* The lock is held for as long as it takes to delete some files. */
#define PATIENCE_MS 30000

/* The registry's answer stays true for as long as this process lives. */
static SRWLOCK known_lock = SRWLOCK_INIT;
static wchar_t known_path[SHMX_WIN32_PATH_MAX];

/* ---- the registry ---- */

static int record_read(wchar_t path[SHMX_WIN32_PATH_MAX])
{
    DWORD size = (SHMX_WIN32_PATH_MAX - SHMX_NAME_MAX * 2) * sizeof *path;
    LSTATUS error = RegGetValueW(HKEY_CURRENT_USER, KEY, VALUE, RRF_RT_REG_SZ, NULL, path, &size);
    if (error != ERROR_SUCCESS)
        return shmx_win32_error((DWORD)error);
    return wcsncmp(path, L"\\\\?\\", 4) == 0 ? SHMX_OK : shmx_win32_error(ERROR_BAD_PATHNAME);
}

static int record_write(const wchar_t *path)
{
    HKEY key;
    DWORD size = (DWORD)((wcslen(path) + 1) * sizeof *path);
    LSTATUS error = RegCreateKeyExW(HKEY_CURRENT_USER, KEY, 0, NULL, REG_OPTION_VOLATILE,
                                    KEY_SET_VALUE, NULL, &key, NULL);
    if (error != ERROR_SUCCESS)
        return shmx_win32_error((DWORD)error);
    error = RegSetValueExW(key, VALUE, 0, REG_SZ, (const BYTE *)path, size);
    RegCloseKey(key);
    return error == ERROR_SUCCESS ? SHMX_OK : shmx_win32_error((DWORD)error);
}

/* ---- directories ---- */

/* Where the directories of all epochs are. */
static int base_path(wchar_t path[SHMX_WIN32_PATH_MAX])
{
    const DWORD most = MAX_PATH;
    wcscpy(path, L"\\\\?\\");
    DWORD used = GetEnvironmentVariableW(L"LOCALAPPDATA", path + 4, most);
    const wchar_t *rest = L"\\shmx";
    if (used == 0) {
        used = GetEnvironmentVariableW(L"USERPROFILE", path + 4, most);
        rest = L"\\AppData\\Local\\shmx";
    }
    if (used == 0 || used >= most)
        return shmx_win32_error(ERROR_NOT_SUPPORTED);
    wcscat(path, rest);
    return SHMX_OK;
}

static int directory_make(const wchar_t *path)
{
    struct shmx_win32_security security;
    int status = shmx_win32_security(&security, 0);
    if (status != SHMX_OK)
        return status;
    /* A file made inside gets a list of its own. */
    if (CreateDirectoryW(path, &security.attributes) || GetLastError() == ERROR_ALREADY_EXISTS)
        return SHMX_OK;
    return shmx_win32_error(GetLastError());
}

int shmx_win32_path_add(wchar_t path[SHMX_WIN32_PATH_MAX], const char *name)
{
    size_t used = wcslen(path);
    if (used + 1 + strlen(name) >= SHMX_WIN32_PATH_MAX)
        return shmx_win32_error(ERROR_FILENAME_EXCED_RANGE);
    path[used++] = L'\\';
    do
        path[used++] = (wchar_t)*name;
    while (*name++ != '\0');
    return SHMX_OK;
}

int shmx_win32_walk(const wchar_t *directory, const char *pattern, shmx_win32_each *each,
                    void *context)
{
    wchar_t path[SHMX_WIN32_PATH_MAX];
    char name[MAX_PATH];
    WIN32_FIND_DATAW entry;
    wcscpy(path, directory);
    int status = shmx_win32_path_add(path, pattern);
    HANDLE find = status == SHMX_OK ? FindFirstFileW(path, &entry) : INVALID_HANDLE_VALUE;
    if (find == INVALID_HANDLE_VALUE)
        return status;
    do {
        wcscpy(path, directory);
        if (shmx_win32_narrow(name, sizeof name, entry.cFileName, wcslen(entry.cFileName)) &&
            shmx_win32_path_add(path, name) == SHMX_OK)
            status = each(path, name, context);
    } while (status == SHMX_OK && FindNextFileW(find, &entry));
    FindClose(find);
    return status;
}

static int delete_file(const wchar_t *path, const char *name, void *context)
{
    (void)context;
    if (name[0] != '.')
        DeleteFileW(path); /* not what is in use: the system refuses */
    return SHMX_OK;
}

static int delete_epoch(const wchar_t *path, const char *name, void *context)
{
    (void)context;
    if (strspn(name, "0123456789abcdef") == EPOCH_DIGITS && name[EPOCH_DIGITS] == '\0') {
        shmx_win32_walk(path, "*", delete_file, NULL);
        RemoveDirectoryW(path);
    }
    return SHMX_OK;
}

/* ---- the epoch ---- */

static int begin(wchar_t path[SHMX_WIN32_PATH_MAX])
{
    uint64_t chance;
    char name[EPOCH_DIGITS + 1];
    int status = base_path(path);
    if (status == SHMX_OK)
        status = directory_make(path);
    if (status == SHMX_OK)
        status = shmx_os_random(&chance, sizeof chance);
    if (status != SHMX_OK)
        return status;
    shmx_win32_walk(path, "*", delete_epoch, NULL);
    snprintf(name, sizeof name, "%0*" PRIx64, EPOCH_DIGITS, chance);
    status = shmx_win32_path_add(path, name);
    if (status == SHMX_OK)
        status = directory_make(path);
    return status == SHMX_OK ? record_write(path) : status;
}

/* Somebody may have cleaned up: make the directory again. */
static int restore(wchar_t path[SHMX_WIN32_PATH_MAX])
{
    if (GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES)
        return SHMX_OK;
    wchar_t *slash = wcsrchr(path, L'\\');
    *slash = L'\0';
    int status = directory_make(path);
    *slash = L'\\';
    return status == SHMX_OK ? directory_make(path) : status;
}

/* The registry is one for all sessions of the user, so the lock is, too. */
static int begin_once(wchar_t path[SHMX_WIN32_PATH_MAX])
{
    HANDLE lock;
    char user[SHMX_WIN32_NAME_MAX], name[2 * SHMX_WIN32_NAME_MAX];
    int status = shmx_win32_user(user);
    if (status != SHMX_OK)
        return status;
    snprintf(name, sizeof name, "Global\\shmx#epoch#%s", user);
    status = shmx_win32_lock(name, false, PATIENCE_MS, &lock);
    if (status != SHMX_OK)
        return status;
    status = record_read(path);
    if (status == SHMX_ENOENT)
        status = begin(path);
    shmx_win32_unlock(lock);
    return status;
}

int shmx_win32_epoch(wchar_t path[SHMX_WIN32_PATH_MAX], bool make)
{
    int status = SHMX_OK;
    AcquireSRWLockExclusive(&known_lock);
    if (known_path[0] == L'\0')
        status = record_read(known_path);
    if (status == SHMX_ENOENT && make)
        status = begin_once(known_path);
    else if (status == SHMX_OK && make)
        status = restore(known_path);
    if (status != SHMX_OK)
        known_path[0] = L'\0';
    wcscpy(path, known_path);
    ReleaseSRWLockExclusive(&known_lock);
    return status;
}
