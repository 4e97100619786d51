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
    uint64_t length; /* the section's, in whole pages */
    void *view;
    struct shmx_control *control; /* if it is one */
};

static int end_map(HANDLE section, DWORD access, struct end *end)
{
    struct nt_section_basic basic;
    uint64_t page = shmx_os_facts()->page_size;
    size_t size;
    LONG result = NtQuerySection(section, NT_SECTION_BASIC, &basic, sizeof basic, NULL);
    end->length = 0;
    if (result < 0)
        return shmx_win32_error(RtlNtStatusToDosError(result));
    end->length = ((uint64_t)basic.size.QuadPart + page - 1) / page * page;
    end->view =
        shmx_win32_view(section, access, (end->length - 1) / GRANULARITY * GRANULARITY, &size);
    if (end->view == NULL)
        return shmx_win32_error(GetLastError());
    end->control = shmx_control_at(end->view, size);
    return SHMX_OK;
}

int shmx_win32_section_look(HANDLE section, const char *name, struct shmx_os_view *view)
{
    struct end end;
    int status = end_map(section, FILE_MAP_READ, &end);
    if (status == SHMX_ENOMEM || status == SHMX_ENOSPC)
        return status;
    view->kind = SHMX_OS_FOREIGN;
    view->length = view->footprint = end.length; /* all of it was reserved when it was made */
    if (status != SHMX_OK)
        return SHMX_OK; /* an image or large pages, say, which none of ours is */
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
    uint32_t live = SHMX_STATE_LIVE;
    int status = end_map(section, FILE_MAP_READ | FILE_MAP_WRITE, &end);
    if (status != SHMX_OK)
        return status;
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
