/* SPDX-License-Identifier: MIT */
/*
 * Things that the public functions do not show: segments whose users were all killed, and names
 * with a control block that cannot be believed. They show the living only, so this file goes to the
 * library's own contract with the system. A segment that is closed while we look is not there any
 * more when we look again.
 */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "os.h"

struct listing {
    struct leftover *all; /* seen at the first look, sorted for the second */
    size_t count, room;
    void (*visit)(const struct leftover *leftover, void *context);
    void *context;
};

static bool is_leftover(const char *name, struct leftover *leftover)
{
    struct shmx_os_view view;
    if (strlen(name) > SHMX_NAME_MAX || shmx_os_inspect(name, &view) != SHMX_OK)
        return false;
    *leftover = (struct leftover){.damaged = view.kind == SHMX_OS_DAMAGED};
    memcpy(leftover->info.name, name, strlen(name) + 1);
    leftover->info.size = leftover->damaged ? view.length : view.label.size;
    leftover->info.footprint = view.footprint;
    leftover->info.created = view.label.created;
    leftover->info.creator_pid = (int64_t)view.label.creator;
    leftover->info.flags = view.label.flags;
    return leftover->damaged || view.kind == SHMX_OS_DEAD;
}

bool is_dead(const char *name)
{
    struct leftover leftover;
    return is_leftover(name, &leftover) && !leftover.damaged;
}

static int look_first(const char *name, void *context)
{
    struct listing *listing = context;
    struct leftover leftover;
    if (!is_leftover(name, &leftover))
        return 0;
    if (listing->count == listing->room) {
        size_t room = listing->room * 2 + 64;
        struct leftover *all = realloc(listing->all, room * sizeof *all);
        if (all == NULL)
            return SHMX_ENOMEM;
        listing->all = all;
        listing->room = room;
    }
    listing->all[listing->count++] = leftover;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct leftover *x = a, *y = b;
    return strcmp(x->info.name, y->info.name);
}

static int look_again(const char *name, void *context)
{
    const struct listing *listing = context;
    struct leftover leftover;
    if (is_leftover(name, &leftover) &&
        bsearch(&leftover, listing->all, listing->count, sizeof leftover, compare) != NULL)
        listing->visit(&leftover, listing->context);
    return 0;
}

int leftovers_list(void (*visit)(const struct leftover *leftover, void *context), void *context)
{
    struct listing listing = {NULL, 0, 0, visit, context};
    int status = shmx_os_list(look_first, &listing);
    if (status == SHMX_OK && listing.count > 0) {
        qsort(listing.all, listing.count, sizeof *listing.all, compare);
        status = shmx_os_list(look_again, &listing);
    }
    free(listing.all);
    return status;
}
