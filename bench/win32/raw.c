/* SPDX-License-Identifier: MIT */
#include "raw.h"

#include <stdint.h>
#include <windows.h>

static int map(struct raw *raw, HANDLE section, size_t size)
{
    raw->handle = section;
    raw->size = size;
    raw->data = section != NULL ? MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) : NULL;
    if (raw->data != NULL)
        return 0;
    if (section != NULL)
        CloseHandle(section);
    return -1;
}

int raw_create(struct raw *raw, const char *name, size_t size)
{
    uint64_t wide = size;
    HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE,
                                        (DWORD)(wide >> 32), (DWORD)wide, name);
    return map(raw, section, size);
}

int raw_open(struct raw *raw, const char *name, size_t size)
{
    return map(raw, OpenFileMappingA(FILE_MAP_WRITE, FALSE, name), size);
}

void raw_close(struct raw *raw)
{
    UnmapViewOfFile(raw->data);
    CloseHandle(raw->handle);
}

void raw_unlink(const char *name)
{
    (void)name; /* it goes with its last handle */
}
