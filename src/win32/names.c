/* SPDX-License-Identifier: MIT */
/* What the system calls things. '#' is not in the grammar of segments' names, so nothing of ours
 * but a segment ever has a segment's name. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "nt.h"

static const char *space(bool wide)
{
    return wide ? "Global\\" : "Local\\";
}

void shmx_win32_name(char out[SHMX_WIN32_NAME_MAX], const struct shmx_attachment *attachment,
                     const char *kind, uint32_t number)
{
    snprintf(out, SHMX_WIN32_NAME_MAX, "%sshmx#%016" PRIx64 "#%s%" PRIu32,
             space(attachment->os.wide), attachment->label.id, kind, number);
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

/* Names are ASCII; the language of the process must not matter. */
static char folded(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool shmx_win32_name_same(const char *one, const char *other)
{
    while (*one != '\0' && folded(*one) == folded(*other)) {
        one++;
        other++;
    }
    return *one == *other;
}

bool shmx_win32_called(HANDLE section, const char *name)
{
    struct {
        struct nt_string name;
        WCHAR room[512];
    } whole;
    ULONG used;
    if (NtQueryObject(section, NT_OBJECT_NAME, &whole, sizeof whole, &used) < 0 ||
        whole.name.length == 0)
        return true;
    size_t end = whole.name.length / sizeof(WCHAR);
    size_t start = end;
    while (start > 0 && whole.name.text[start - 1] != L'\\')
        start--;
    for (; start < end && *name != '\0'; start++, name++)
        if (whole.name.text[start] != (WCHAR)*name)
            return false;
    return *name == '\0' && (start == end || whole.name.text[start] == L'#');
}
