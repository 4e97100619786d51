/* SPDX-License-Identifier: MIT */
#include "win32.h"

/* Not in every header. */
#ifndef ERROR_DISK_RESOURCES_EXHAUSTED
#define ERROR_DISK_RESOURCES_EXHAUSTED 314
#endif
#ifndef ERROR_DISK_QUOTA_EXCEEDED
#define ERROR_DISK_QUOTA_EXCEEDED 1295
#endif

int shmx_win32_error(DWORD number)
{
    shmx_os_set_error((int)number);
    switch (number) {
    case ERROR_ACCESS_DENIED:
    case ERROR_PRIVILEGE_NOT_HELD:
    case ERROR_SHARING_VIOLATION:
    case ERROR_WRITE_PROTECT:
        return SHMX_EACCES;
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
        return SHMX_ENOENT;
    case ERROR_ALREADY_EXISTS:
    case ERROR_FILE_EXISTS:
        return SHMX_EEXIST;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
    case ERROR_COMMITMENT_LIMIT: /* memory and paging file together are full */
    case ERROR_PAGEFILE_QUOTA:
    case ERROR_FILE_TOO_LARGE:
    case ERROR_DISK_QUOTA_EXCEEDED:
    case ERROR_DISK_RESOURCES_EXHAUSTED:
        return SHMX_ENOSPC;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
        return SHMX_ENOMEM;
    case ERROR_TOO_MANY_OPEN_FILES:
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_NOT_ENOUGH_QUOTA:
        return SHMX_EMFILE;
    case ERROR_INVALID_HANDLE:  /* something of another kind has that name */
    case ERROR_INVALID_ADDRESS: /* see shmx_win32_view */
    case ERROR_BAD_PATHNAME:
        return SHMX_EPROTO;
    case ERROR_NOT_SUPPORTED:
    case ERROR_CALL_NOT_IMPLEMENTED:
        return SHMX_ENOTSUP;
    }
    return SHMX_EIO;
}
