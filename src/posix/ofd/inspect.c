/* SPDX-License-Identifier: MIT */
/* Looking around on Linux: /dev/shm and /proc/locks. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/name.h"
#include "base/listing.h"
#include "ofd.h"
#include "posix.h"

#define DIRECTORY "/dev/shm"

/* ---- users, by the kernel's list of locks, proc_locks(5): each holds byte USER ---- */

struct user {
    uint64_t device, inode;
};

struct users {
    struct user *all; /* sorted */
    size_t count, room;
};

/* While this thread lists: read once, not once for each segment. */
static _Thread_local const struct users *listed;

static int compare(const void *a, const void *b)
{
    const struct user *x = a, *y = b;
    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    return (x->inode > y->inode) - (x->inode < y->inode);
}

static bool users_add(struct users *users, const struct user *user)
{
    if (users->count == users->room) {
        size_t room = users->room * 2 + 64;
        struct user *all = realloc(users->all, room * sizeof *all);
        if (all == NULL)
            return false;
        users->all = all;
        users->room = room;
    }
    users->all[users->count++] = *user;
    return true;
}

static bool users_read(struct users *users)
{
    *users = (struct users){NULL, 0, 0};
    FILE *locks = fopen("/proc/locks", "re");
    if (locks == NULL)
        return false;
    bool good = true;
    char line[256];
    while (good && fgets(line, sizeof line, locks) != NULL) {
        unsigned high, low;
        unsigned long long inode, first;
        int fields =
            sscanf(line, "%*s %*s %*s READ %*s %x:%x:%llu %llu", &high, &low, &inode, &first);
        if (fields == 4 && first == (unsigned long long)LOCK_USER)
            good = users_add(users, &(struct user){makedev(high, low), inode});
    }
    fclose(locks);
    if (!good)
        free(users->all);
    else if (users->count > 1)
        qsort(users->all, users->count, sizeof *users->all, compare);
    return good;
}

static int users_count(const struct users *users, const struct user *wanted)
{
    size_t low = 0, high = users->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&users->all[middle], wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    int count = 0;
    for (; low < users->count && compare(&users->all[low], wanted) == 0; low++)
        count++;
    return count;
}

/* -1: it cannot be told. */
static int count_users(const struct stat *facts, bool guest)
{
    const struct user wanted = {facts->st_dev, facts->st_ino};
    struct users now;
    if (listed != NULL)
        return users_count(listed, &wanted) + !guest; /* the caller's attachment came later */
    if (!users_read(&now))
        return -1;
    int count = users_count(&now, &wanted);
    free(now.all);
    return count;
}

/* ---- what there is ---- */

static int read_names(shmx_listing_visit *visit, void *context)
{
    DIR *directory;
    do
        directory = opendir(DIRECTORY);
    while (directory == NULL && errno == EINTR);
    if (directory == NULL)
        return errno == ENOENT ? SHMX_OK : shmx_posix_error(errno);
    int status = SHMX_OK;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL && errno != 0)
            status = shmx_posix_error(errno);
        if (entry != NULL && shmx_name_check(entry->d_name) == SHMX_OK)
            status = visit(entry->d_name, context);
        if (entry == NULL || status != SHMX_OK)
            break;
    }
    closedir(directory);
    return status;
}

int shmx_os_list(int (*visit)(const char *name, void *context), void *context)
{
    struct users users;
    const struct users *outer = listed;
    if (users_read(&users))
        listed = &users;
    int status = shmx_listing_each(read_names, visit, context);
    if (listed == &users)
        free(users.all);
    listed = outer;
    return status;
}

int shmx_os_usage(struct shmx_attachment *attachment, uint64_t *footprint, int *users)
{
    struct stat facts;
    if (fstat(attachment->os.fd, &facts) != 0)
        return shmx_posix_error(errno);
    *footprint = (uint64_t)facts.st_blocks * 512;
    *users = attachment->control != NULL ? count_users(&facts, attachment->guest) : -1;
    return SHMX_OK;
}
