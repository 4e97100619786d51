/* SPDX-License-Identifier: MIT */
/*
 * Segments whose users were all killed. The public functions show the living only, so this one goes
 * to the library's own contract with the system. One that is closed while we look is not there any
 * more when we look again.
 */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "os.h"

typedef char dead_name[SHMX_NAME_MAX + 1];

struct listing {
    dead_name *names; /* seen dead at the first look, sorted for the second */
    size_t count, room;
    void (*visit)(const char *name, void *context);
    void *context;
};

static bool is_dead(const char *name)
{
    struct shmx_os_view view;
    return shmx_os_inspect(name, &view) == SHMX_OK && view.kind == SHMX_OS_DEAD;
}

static int look_first(const char *name, void *context)
{
    struct listing *listing = context;
    if (strlen(name) > SHMX_NAME_MAX || !is_dead(name))
        return 0;
    if (listing->count == listing->room) {
        size_t room = listing->room * 2 + 64;
        dead_name *names = realloc(listing->names, room * sizeof *names);
        if (names == NULL)
            return SHMX_ENOMEM;
        listing->names = names;
        listing->room = room;
    }
    memcpy(listing->names[listing->count++], name, strlen(name) + 1);
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int look_again(const char *name, void *context)
{
    const struct listing *listing = context;
    if (bsearch(name, listing->names, listing->count, sizeof(dead_name), compare) != NULL &&
        is_dead(name))
        listing->visit(name, listing->context);
    return 0;
}

int leftovers_list(void (*visit)(const char *name, void *context), void *context)
{
    struct listing listing = {NULL, 0, 0, visit, context};
    int status = shmx_os_list(look_first, &listing);
    if (status == SHMX_OK && listing.count > 0) {
        qsort(listing.names, listing.count, sizeof(dead_name), compare);
        status = shmx_os_list(look_again, &listing);
    }
    free(listing.names);
    return status;
}
