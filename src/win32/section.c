/* SPDX-License-Identifier: MIT */
#include "section.h"

#include "base/control.h"
#include "nt.h"

/* ---- make and open ---- */

int shmx_win32_size_error(DWORD error)
{
    int status = shmx_win32_error(error);
    switch (error) {
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_INVALID_PARAMETER:
    case ERROR_FILE_INVALID:
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_NOT_ENOUGH_QUOTA:
        return SHMX_ENOSPC;
    default:
        return status;
    }
}

int shmx_win32_section_make(const char *name, const struct shmx_win32_making *making,
                            void **section)
{
    struct shmx_win32_security security;
    int status = making->sealed
                     ? shmx_win32_security_sealed(&security)
                     : shmx_win32_security(&security, shmx_win32_section_rights(making->flags));
    if (status != SHMX_OK)
        return status;
    uint64_t length = making->file == NULL ? making->length : 0;
    *section = CreateFileMappingA(making->file != NULL ? making->file : INVALID_HANDLE_VALUE,
                                  &security.attributes, PAGE_READWRITE, (DWORD)(length >> 32),
                                  (DWORD)length, name);
    DWORD error = GetLastError();
    if (*section == NULL) /* then something of another kind has the name */
        return error == ERROR_INVALID_HANDLE && name != NULL ? SHMX_EEXIST
                                                             : shmx_win32_size_error(error);
    if (name == NULL || making->join || error != ERROR_ALREADY_EXISTS)
        return SHMX_OK;
    CloseHandle(*section);
    *section = NULL;
    return shmx_win32_error(ERROR_ALREADY_EXISTS);
}

int shmx_win32_section_unseal(HANDLE section, unsigned flags)
{
    struct shmx_win32_security security;
    int status = shmx_win32_security(&security, shmx_win32_section_rights(flags));
    if (status == SHMX_OK &&
        !SetKernelObjectSecurity(section, DACL_SECURITY_INFORMATION, &security.descriptor))
        status = shmx_win32_error(GetLastError());
    return status;
}

int shmx_win32_section_open(const char *name, DWORD rights, void **section)
{
    *section = OpenFileMappingA(rights, FALSE, name);
    if (*section != NULL)
        return SHMX_OK;
    DWORD error = GetLastError();
    int status = shmx_win32_error(error);
    return error == ERROR_INVALID_HANDLE ? SHMX_ENOENT : status; /* an event or the like */
}

/* ---- look ---- */

/* The system maps views at multiples of it. */
#define GRANULARITY 65536u

/* The last bytes of a section, mapped. */
struct end {
    void *view;
    struct shmx_control *control; /* if it is one */
};

static int length_read(HANDLE section, uint64_t *length)
{
    struct nt_section_basic basic;
    uint64_t page = shmx_os_facts()->page_size;
    LONG result = NtQuerySection(section, NT_SECTION_BASIC, &basic, sizeof basic, NULL);
    *length = 0;
    if (result < 0)
        return shmx_win32_error(RtlNtStatusToDosError(result));
    *length = ((uint64_t)basic.size.QuadPart + page - 1) / page * page;
    return SHMX_OK;
}

/* False if it cannot be mapped like this, which none of ours is. */
static bool end_map(struct end *end, HANDLE section, uint64_t length, DWORD access)
{
    size_t size = 0;
    end->view = shmx_win32_view(section, access, (length - 1) / GRANULARITY * GRANULARITY, &size);
    if (end->view != NULL)
        end->control = shmx_control_at(end->view, size);
    return end->view != NULL;
}

static bool short_of_memory(void)
{
    DWORD error = GetLastError();
    return error == ERROR_NOT_ENOUGH_MEMORY || error == ERROR_COMMITMENT_LIMIT;
}

/* An image or large pages, say, cannot be mapped like this; that is none of ours, then. */
int shmx_win32_section_look(HANDLE section, const char *name, struct shmx_os_view *view)
{
    struct end end;
    int status = length_read(section, &view->length);
    if (status != SHMX_OK)
        return status;
    view->kind = SHMX_OS_FOREIGN;
    view->footprint = view->length; /* all of it was reserved when it was made */
    if (!end_map(&end, section, view->length, FILE_MAP_READ))
        return short_of_memory() ? shmx_win32_error(GetLastError()) : SHMX_OK;
    view->label = end.control->label;
    enum shmx_control_kind kind = shmx_label_check(&view->label, view->length, name);
    if (kind != SHMX_CONTROL_NONE)
        view->kind = kind == SHMX_CONTROL_GOOD ? SHMX_OS_LIVE : SHMX_OS_DAMAGED;
    if (kind == SHMX_CONTROL_GOOD && atomic_load(&end.control->state) == SHMX_STATE_UNLINKED)
        status = SHMX_ENOENT;
    UnmapViewOfFile(end.view);
    return status;
}

/* Of several threads that are here at the same time one finds it live. */
int shmx_win32_section_unlink(HANDLE section)
{
    struct end end;
    uint64_t length = 0;
    uint32_t live = SHMX_STATE_LIVE;
    int status = length_read(section, &length);
    if (status != SHMX_OK)
        return status;
    if (!end_map(&end, section, length, FILE_MAP_READ | FILE_MAP_WRITE))
        return shmx_win32_error(GetLastError());
    if (!atomic_compare_exchange_strong(&end.control->state, &live, SHMX_STATE_UNLINKED))
        status = SHMX_ENOENT;
    UnmapViewOfFile(end.view);
    return status;
}

void shmx_win32_let_go(struct shmx_win32_hold *hold)
{
    if (hold->section != NULL)
        CloseHandle(hold->section);
    if (hold->index != NULL)
        CloseHandle(hold->index); /* after the section: rule 3 of chain.c */
    hold->section = hold->index = NULL;
}

int shmx_win32_section_handles(HANDLE section)
{
    struct nt_object_basic basic;
    ULONG used;
    LONG result = NtQueryObject(section, NT_OBJECT_BASIC, &basic, sizeof basic, &used);
    return result >= 0 ? (int)basic.handles : -1;
}
