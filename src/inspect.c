/* SPDX-License-Identifier: MIT */
/* Looking around: stat, list, prune. */
#include <string.h>

#include "base/name.h"
#include "os.h"
#include "report.h"

/* Describe the object of that name; attaches for a moment. */
static int describe(const char *name, shmx_info *info, unsigned flags)
{
    struct shmx_attachment attachment = {0};
    int status = shmx_os_open(&attachment, name, SHMX_READ_ONLY | SHMX_OS_LOOK | flags);
    if (status != SHMX_OK)
        return status;
    memset(info, 0, sizeof *info);
    memcpy(info->name, name, strlen(name) + 1);
    info->foreign = attachment.control == NULL;
    info->size = info->foreign ? attachment.length : attachment.label.size;
    if (!info->foreign) {
        info->created = attachment.label.created;
        info->creator_pid = (int64_t)attachment.label.creator;
        info->flags = attachment.label.flags;
    }
    status = shmx_os_usage(&attachment, &info->footprint, &info->users);
    if (info->users > 0 && !attachment.guest)
        info->users--; /* ourselves */
    shmx_os_close(&attachment);
    return status;
}

int shmx_stat(const char *name, shmx_info *info)
{
    int status = info == NULL ? SHMX_EINVAL : shmx_name_check(name);
    return status == SHMX_OK ? shmx_result(describe(name, info, 0)) : shmx_refuse(status);
}

/* It says nothing about the object. */
static bool no_room(int status)
{
    return status == SHMX_EMFILE || status == SHMX_ENOMEM;
}

struct listing {
    int (*visit)(const shmx_info *info, void *context);
    void *context;
};

static int list_one(const char *name, void *context)
{
    const struct listing *listing = context;
    shmx_info info;
    int status = describe(name, &info, SHMX_OS_NOWAIT);
    if (status == SHMX_OK)
        return listing->visit(&info, listing->context);
    /* What went away meanwhile, or is not ours to see, is left out; but not what this process has
     * no room to look at, or could not. */
    return no_room(status) || status == SHMX_EIO ? status : 0;
}

int shmx_list(int (*visit)(const shmx_info *info, void *context), void *context)
{
    if (visit == NULL)
        return shmx_refuse(SHMX_EINVAL);
    struct listing listing = {visit, context};
    return shmx_result(shmx_os_list(list_one, &listing));
}

static int prune_one(const char *name, void *context)
{
    bool removed = false;
    int *count = context;
    int status = shmx_os_remove_dead(name, &removed);
    *count += removed;
    /* One that cannot be reaped (another user's) does not keep the rest from it. */
    return no_room(status) ? status : 0;
}

int shmx_prune(int *removed)
{
    int count = 0;
    bool others = false;
    int status = shmx_os_list(prune_one, &count);
    int rest = shmx_os_remove_dead(NULL, &others);
    if (removed != NULL)
        *removed = count;
    return shmx_result(status != SHMX_OK ? status : rest);
}
