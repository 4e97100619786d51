/* SPDX-License-Identifier: MIT */
/*
 * Segments whose users were all killed. The public functions show the living only, so this one goes
 * to the library's own contract with the system: a name that is still there, and that says "no such
 * segment" when opened, is one.
 */
#include <string.h>

#include "command.h"
#include "os.h"

struct listing {
    void (*visit)(const char *name, void *context);
    void *context;
};

static bool is_dead(const char *name)
{
    struct shmx_os_object object = {0};
    int status = shmx_os_object_open(&object, name, SHMX_READ_ONLY | SHMX_OS_NOWAIT);
    if (status == SHMX_OK)
        shmx_os_object_close(&object);
    return status == SHMX_ENOENT;
}

static int same_name(const char *name, void *context)
{
    return strcmp(name, context) == 0;
}

static int visit_dead(const char *name, void *context)
{
    const struct listing *listing = context;
    char copy[SHMX_NAME_MAX + 1];
    if (strlen(name) >= sizeof copy)
        return 0;
    memcpy(copy, name, strlen(name) + 1);
    /* One that is closed while we look is not there any more the second time. */
    if (is_dead(copy) && shmx_os_object_list(same_name, copy) == 1 && is_dead(copy))
        listing->visit(copy, listing->context);
    return 0;
}

int leftovers_list(void (*visit)(const char *name, void *context), void *context)
{
    struct listing listing = {visit, context};
    return shmx_os_object_list(visit_dead, &listing);
}
