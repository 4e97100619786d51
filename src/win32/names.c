/* SPDX-License-Identifier: MIT */
/* The system's names of things, and the events and locks that are known by names. '#' is not in the
 * grammar of segments' names, so nothing of ours but a segment ever has a segment's name. */
#include <inttypes.h>
#include <stdio.h>

#include "win32.h"

static const char *space(bool wide)
{
    return wide ? "Global\\" : "Local\\";
}

void shmx_win32_event_name(char out[SHMX_WIN32_NAME_MAX], const struct shmx_attachment *attachment,
                           const char *kind, uint32_t number)
{
    snprintf(out, SHMX_WIN32_NAME_MAX, "%sshmx#%016" PRIx64 "#%s%" PRIu32, space(true),
             attachment->label.id, kind, number);
}

int shmx_win32_event_make(const struct shmx_attachment *attachment, const char *kind,
                          uint32_t number, DWORD everyone, bool join, HANDLE *event)
{
    char name[SHMX_WIN32_NAME_MAX];
    struct shmx_win32_security security;
    int status = shmx_win32_security(&security, everyone);
    if (status != SHMX_OK)
        return status;
    shmx_win32_event_name(name, attachment, kind, number);
    *event = CreateEventExA(&security.attributes, name, 0, SYNCHRONIZE | EVENT_MODIFY_STATE);
    DWORD error = GetLastError();
    if (*event != NULL && (join || error != ERROR_ALREADY_EXISTS))
        return SHMX_OK;
    if (*event != NULL)
        CloseHandle(*event);
    status = shmx_win32_error(error);
    bool taken = error == ERROR_ACCESS_DENIED || error == ERROR_INVALID_HANDLE;
    return taken && !join ? SHMX_EEXIST : status;
}

void shmx_win32_section_name(char out[SHMX_WIN32_NAME_MAX], const char *name, bool wide,
                             uint32_t generation)
{
    if (generation == 0)
        snprintf(out, SHMX_WIN32_NAME_MAX, "%s%s", space(wide), name);
    else
        snprintf(out, SHMX_WIN32_NAME_MAX, "%s%s#%" PRIu32, space(wide), name, generation);
}

void shmx_win32_side_name(char out[SHMX_WIN32_NAME_MAX], const char *name, bool wide,
                          const char *side)
{
    snprintf(out, SHMX_WIN32_NAME_MAX, "%s%s#%s", space(wide), name, side);
}

static int lock_take(HANDLE lock, DWORD patience)
{
    DWORD result = WaitForSingleObject(lock, patience);
    if (result == WAIT_OBJECT_0 || result == WAIT_ABANDONED)
        return SHMX_OK;
    return result == WAIT_TIMEOUT ? SHMX_EAGAIN : shmx_win32_error(GetLastError());
}

int shmx_win32_lock(const char *name, bool everyone, DWORD patience, HANDLE *lock)
{
    const DWORD rights = SYNCHRONIZE | MUTEX_MODIFY_STATE;
    struct shmx_win32_security security;
    int status = shmx_win32_security(&security, everyone ? rights : 0);
    if (status != SHMX_OK)
        return status;
    /* Its maker has it. */
    *lock = CreateMutexExA(&security.attributes, name, CREATE_MUTEX_INITIAL_OWNER, rights);
    DWORD error = GetLastError();
    if (*lock == NULL)
        return shmx_win32_error(error);
    if (error == ERROR_ALREADY_EXISTS)
        status = lock_take(*lock, patience);
    if (status != SHMX_OK)
        CloseHandle(*lock);
    return status;
}

void shmx_win32_unlock(HANDLE lock)
{
    ReleaseMutex(lock);
    CloseHandle(lock);
}

bool shmx_win32_narrow(char *out, size_t room, const WCHAR *text, size_t length)
{
    if (length >= room)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] > 127)
            return false;
        out[i] = (char)text[i];
    }
    out[length] = '\0';
    return true;
}
