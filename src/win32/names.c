/* SPDX-License-Identifier: MIT */
/* The system's names of things. '#' is not in the grammar of segments' names, so nothing of ours
 * but a segment ever has a segment's name. */
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
