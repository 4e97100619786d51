/* SPDX-License-Identifier: MIT */
/* Looking around: stat, list, prune. */
#include <string.h>

#include "base/name.h"
#include "os.h"
#include "report.h"
#include "sleep.h"

/* How often a look is repeated while the object is being made or removed, or while another process
 * looks at it, and the longest pause between two looks: about a second in all. A listing has a
 * quarter of that for all its objects together. */
#define LOOKS_MOST 128
#define LOOKS_LISTING 32
#define PAUSE_FIRST ((int64_t)1000 * 1000)
#define PAUSE_MOST ((int64_t)8 * 1000 * 1000)

static void info_fill(shmx_info *info, const char *name, const struct shmx_os_view *view)
{
    memset(info, 0, sizeof *info);
    memcpy(info->name, name, strlen(name) + 1);
    info->foreign = view->kind == SHMX_OS_FOREIGN;
    info->size = info->foreign ? view->length : view->label.size;
    info->footprint = view->footprint;
    info->users = view->users;
    if (info->foreign)
        return;
    info->created = view->label.created;
    info->creator_pid = (int64_t)view->label.creator;
    info->flags = view->label.flags;
}

/* `empty`: the status of an object without a length, which another program is about to size. */
static int info_read(const char *name, shmx_info *info, int empty)
{
    struct shmx_os_view view;
    int status = shmx_os_inspect(name, &view);
    if (status != SHMX_OK)
        return status;
    if (view.kind == SHMX_OS_DEAD)
        return SHMX_ENOENT;
    if (view.kind == SHMX_OS_DAMAGED)
        return SHMX_EPROTO;
    if (view.kind == SHMX_OS_FOREIGN && view.length == 0)
        return empty;
    info_fill(info, name, &view);
    return SHMX_OK;
}

/* As long as there are looks left. */
static int describe_patiently(const char *name, shmx_info *info, int *looks, int empty)
{
    int64_t pause = PAUSE_FIRST;
    int status = info_read(name, info, empty);
    for (; status == SHMX_EAGAIN && *looks > 0; --*looks) {
        shmx_nap(SHMX_OS_NEVER, &pause, PAUSE_MOST);
        status = info_read(name, info, empty);
    }
    return status;
}

int shmx_stat(const char *name, shmx_info *info)
{
    int looks = LOOKS_MOST;
    int status = info == NULL ? SHMX_EINVAL : shmx_name_check(name);
    return status == SHMX_OK ? shmx_result(describe_patiently(name, info, &looks, SHMX_EAGAIN))
                             : shmx_refuse(status);
}

/* It says nothing about the object. */
static bool no_room(int status)
{
    return status == SHMX_EMFILE || status == SHMX_ENOMEM;
}

struct listing {
    int (*visit)(const shmx_info *info, void *context);
    void *context;
    int looks;
};

static int list_one(const char *name, void *context)
{
    struct listing *listing = context;
    shmx_info info;
    int status = describe_patiently(name, &info, &listing->looks, SHMX_ENOENT);
    if (status == SHMX_OK)
        return listing->visit(&info, listing->context);
    /* A segment that went away meanwhile, or that this user may not see, is left out. A failure
     * that says nothing about the segment is the listing's own. */
    return no_room(status) || status == SHMX_EIO ? status : 0;
}

int shmx_list(int (*visit)(const shmx_info *info, void *context), void *context)
{
    if (visit == NULL)
        return shmx_refuse(SHMX_EINVAL);
    struct listing listing = {visit, context, LOOKS_LISTING};
    return shmx_result(shmx_os_list(list_one, &listing));
}

static int prune_one(const char *name, void *context)
{
    bool removed = false;
    int *count = context;
    int status = shmx_os_remove_dead(name, &removed);
    *count += removed;
    /* One that cannot be removed (another user's) is no hindrance to the rest. */
    return no_room(status) ? status : 0;
}

int shmx_prune(int *removed)
{
    int count = 0;
    int status = shmx_os_list(prune_one, &count);
    int rest = shmx_os_remove_leftovers();
    if (removed != NULL)
        *removed = count;
    return shmx_result(status != SHMX_OK ? status : rest);
}
