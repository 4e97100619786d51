/* SPDX-License-Identifier: MIT */
#include "base/listing.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/name.h"

/* One reading may pass over a few entries, and the next one finds most of these. Each reading is
 * made for itself, so hardly any entry is passed over three times. Where so much comes and goes
 * that each reading finds something new, reading until nothing is new would never end. */
#define READINGS_MOST 3

struct names {
    char (*list)[SHMX_NAME_MAX + 1];
    size_t count, room;
};

int shmx_listing_note(const char *name, void *listing)
{
    struct names *names = listing;
    if (shmx_name_check(name) != SHMX_OK)
        return SHMX_OK;
    if (names->count == names->room) {
        size_t room = names->room * 2 + 64;
        void *list = realloc(names->list, room * sizeof *names->list);
        if (list == NULL)
            return SHMX_ENOMEM;
        names->list = list;
        names->room = room;
    }
    memcpy(names->list[names->count++], name, strlen(name) + 1);
    return SHMX_OK;
}

static int names_compare(const void *one, const void *other)
{
    return strcmp(one, other);
}

static void sort(struct names *names)
{
    if (names->count == 0)
        return;
    qsort(names->list, names->count, sizeof *names->list, names_compare);
    size_t kept = 1;
    for (size_t i = 1; i < names->count; i++)
        if (strcmp(names->list[i], names->list[kept - 1]) != 0)
            memmove(names->list[kept++], names->list[i], sizeof *names->list);
    names->count = kept;
}

static int names_collect(struct names *names, int (*read)(void *listing))
{
    bool more = true;
    int status = SHMX_OK;
    for (int i = 0; status == SHMX_OK && more && i < READINGS_MOST; i++) {
        size_t known = names->count;
        status = read(names);
        sort(names);
        more = names->count > known;
    }
    return status;
}

int shmx_listing_each(int (*read)(void *listing), int (*visit)(const char *name, void *context),
                      void *context)
{
    struct names names = {NULL, 0, 0};
    int status = names_collect(&names, read);
    for (size_t i = 0; status == SHMX_OK && i < names.count; i++)
        status = visit(names.list[i], context);
    free(names.list);
    return status;
}
