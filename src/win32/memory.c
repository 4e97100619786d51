/* SPDX-License-Identifier: MIT */
#include "win32.h"

/* Not every header of Windows 10 has it. */
WINBASEAPI BOOL WINAPI PrefetchVirtualMemory(HANDLE process, ULONG_PTR count,
                                             PWIN32_MEMORY_RANGE_ENTRY ranges, ULONG flags);

void *shmx_win32_view(HANDLE section, DWORD access, uint64_t start, size_t *length)
{
    MEMORY_BASIC_INFORMATION region;
    void *view = MapViewOfFile(section, access, (DWORD)(start >> 32), (DWORD)start, 0);
    if (view == NULL)
        return NULL;
    /* Not what the section says of itself: a part may have no memory yet, and we may not have the
     * right to ask. */
    if (VirtualQuery(view, &region, sizeof region) != 0 && region.State == MEM_COMMIT) {
        *length = region.RegionSize;
        return view;
    }
    UnmapViewOfFile(view);
    SetLastError(ERROR_INVALID_ADDRESS);
    return NULL;
}

int shmx_win32_map(struct shmx_attachment *attachment, unsigned flags)
{
    bool read_only = (flags & SHMX_READ_ONLY) != 0;
    DWORD access = read_only ? FILE_MAP_READ : FILE_MAP_READ | FILE_MAP_WRITE;
    attachment->data = shmx_win32_view(attachment->os.hold.section, access, 0, &attachment->length);
    attachment->read_only = read_only;
    return attachment->data != NULL ? SHMX_OK : shmx_win32_error(GetLastError());
}

/* To touch is to make present. A page that is to be written is touched by a write that changes
 * nothing, whatever others write there at the same time. */
void shmx_win32_prefault(const struct shmx_attachment *attachment)
{
    size_t page = shmx_os_facts()->page_size;
    WIN32_MEMORY_RANGE_ENTRY range = {attachment->data, attachment->length};
    PrefetchVirtualMemory(GetCurrentProcess(), 1, &range, 0); /* read ahead what lies in a file */
    for (size_t at = 0; at < attachment->length; at += page) {
        unsigned char *byte = attachment->data + at;
        if (attachment->read_only)
            (void)*(volatile unsigned char *)byte;
        else
            /* Relaxed: it orders nothing. */
            atomic_fetch_or_explicit((_Atomic unsigned char *)byte, 0, memory_order_relaxed);
    }
}
