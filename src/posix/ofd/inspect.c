/* SPDX-License-Identifier: MIT */
/* The list of what there is, and who uses it: the kernel lists its locks in /proc/locks. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/listing.h"
#include "base/name.h"
#include "ofd.h"
#include "system/linux_pages.h"

/* ---- users, by the kernel's list of locks, proc_locks(5): each holds byte USER ---- */

struct user {
    uint64_t device, inode, start;
};

struct users {
    struct user *all; /* sorted, each once */
    size_t count, room;
};

/* While this thread lists: read once, not once for each segment. */
static _Thread_local const struct users *listed;

static int compare_objects(const struct user *x, const struct user *y)
{
    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    return (x->inode > y->inode) - (x->inode < y->inode);
}

static int compare(const void *a, const void *b)
{
    const struct user *x = a, *y = b;
    int object = compare_objects(x, y);
    return object != 0 ? object : (x->start > y->start) - (x->start < y->start);
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

/* Add what one reading shows. */
static bool users_read(struct users *users, size_t piece, size_t *length)
{
    FILE *locks = fopen("/proc/locks", "re");
    if (locks == NULL)
        return false;
    bool good = setvbuf(locks, NULL, _IOFBF, piece) == 0;
    char line[256];
    for (*length = 0; good && fgets(line, sizeof line, locks) != NULL; *length += strlen(line)) {
        unsigned high, low;
        unsigned long long inode, start, end;
        int fields = sscanf(line, "%*s %*s %*s READ %*s %x:%x:%llu %llu %llu", &high, &low, &inode,
                            &start, &end);
        if (fields == 5 && end == (unsigned long long)LOCK_USER)
            good = users_add(users, &(struct user){makedev(high, low), inode, start});
    }
    fclose(locks);
    return good;
}

static void users_once(struct users *users)
{
    size_t kept = 0;
    if (users->count > 1)
        qsort(users->all, users->count, sizeof *users->all, compare);
    for (size_t i = 0; i < users->count; i++)
        if (kept == 0 || compare(&users->all[kept - 1], &users->all[i]) != 0)
            users->all[kept++] = users->all[i];
    users->count = kept;
}

/*
 * The kernel hands out the list by pieces of a page and finds its place again by counting
 * (fs/seq_file.c). A lock that comes or goes elsewhere makes another one appear twice or not at
 * all. So a list of several pieces is read, in pieces of several sizes, until a reading shows
 * nobody new, and each user counts once.
 */
#define READINGS_LEAST 3
#define READINGS_MOST 16
#define ONE_PIECE 3072 /* so much comes at once */

static bool users_find(struct users *users)
{
    size_t length = ONE_PIECE, before = 1;
    *users = (struct users){NULL, 0, 0};
    for (size_t reading = 0; reading < READINGS_MOST; reading++) {
        if (reading >= READINGS_LEAST && users->count == before)
            break;
        before = users->count;
        if (!users_read(users, 4096 - reading % 4 * 300, &length)) {
            free(users->all);
            return false;
        }
        users_once(users);
        if (reading == 0 && length < ONE_PIECE)
            break;
    }
    return true;
}

static int users_count(const struct users *users, const struct user *wanted)
{
    size_t low = 0, high = users->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_objects(&users->all[middle], wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    int count = 0;
    for (; low < users->count && compare_objects(&users->all[low], wanted) == 0; low++)
        count++;
    return count;
}

/* -1: it cannot be told. */
static int count_users(const struct stat *facts)
{
    const struct user wanted = {facts->st_dev, facts->st_ino, 0};
    struct users now;
    if (listed != NULL)
        return users_count(listed, &wanted);
    if (!users_find(&now))
        return -1;
    int count = users_count(&now, &wanted);
    free(now.all);
    return count;
}

/* ---- one object ---- */

static int inspect(int fd, const char *name, struct shmx_os_view *view)
{
    struct stat facts;
    enum shmx_control_kind kind;
    int status = shmx_ofd_judge(fd, name, &view->kind);
    if (status == SHMX_OK && fstat(fd, &facts) != 0)
        status = shmx_posix_error(errno);
    if (status == SHMX_OK && !S_ISREG(facts.st_mode))
        status = shmx_posix_error(ENXIO);
    if (status == SHMX_OK && facts.st_nlink == 0)
        status = SHMX_EAGAIN; /* removed meanwhile */
    if (status == SHMX_OK)
        status = shmx_ofd_label(fd, facts.st_size, &view->label, name, &kind);
    if (status != SHMX_OK)
        return status;
    if (kind != SHMX_CONTROL_GOOD)
        view->kind = kind == SHMX_CONTROL_NONE ? SHMX_OS_FOREIGN : SHMX_OS_DAMAGED;
    else if (view->kind == SHMX_OS_FOREIGN || view->kind == SHMX_OS_DAMAGED)
        return SHMX_EAGAIN; /* it became ours between two looks: replaced */
    view->length = (uint64_t)facts.st_size;
    view->footprint = shmx_system.footprint(&facts);
    view->users = kind == SHMX_CONTROL_GOOD ? count_users(&facts) : -1;
    bool lives = view->kind == SHMX_OS_LIVE && (view->label.flags & SHMX_PERSISTENT) == 0;
    if (view->users == 0 && lives)
        view->users = 1; /* it came after the locks were read */
    return SHMX_OK;
}

int shmx_os_inspect(const char *name, struct shmx_os_view *view)
{
    int fd;
    shmx_posix_gate_enter();
    int status = shmx_system.open_name(name, SHMX_READ_ONLY, &fd);
    if (status == SHMX_OK) {
        status = inspect(fd, name, view);
        close(fd);
    }
    shmx_posix_gate_leave();
    return status;
}

/* ---- all of them ---- */

static int read_names(void *listing)
{
    shmx_posix_gate_enter();
    int status = shmx_system.list(shmx_listing_note, listing);
    shmx_posix_gate_leave();
    return status;
}

int shmx_os_list(int (*visit)(const char *name, void *context), void *context)
{
    struct users users;
    const struct users *outer = listed;
    shmx_posix_gate_enter();
    bool known = users_find(&users);
    shmx_posix_gate_leave();
    if (known)
        listed = &users;
    int status = shmx_listing_each(read_names, visit, context);
    if (known)
        free(users.all);
    listed = outer;
    return status;
}

/* ---- the dead ---- */

int shmx_os_remove_dead(const char *name, bool *removed)
{
    shmx_posix_gate_enter();
    int status = shmx_ofd_remove_if_dead(name, removed);
    shmx_posix_gate_leave();
    return status == SHMX_ENOENT || status == SHMX_EAGAIN ? SHMX_OK : status;
}

/* ---- the sweep ---- */

/* Names looked at in each of two places, and bytes read for them. */
#define SWEEP_NAMES 8
#define SWEEP_BYTES 1024

/* An entry as getdents64(2) writes it. */
struct entry {
    uint64_t inode;
    int64_t next; /* where lseek(2) leads behind it */
    uint16_t length;
    uint8_t type;
    char name[];
};

/* Look at the names from a place on, and return the place behind them; 0: there were no more. */
static int64_t sweep_at(int directory, int64_t place)
{
    _Alignas(struct entry) char bytes[SWEEP_BYTES];
    bool removed;
    if (lseek(directory, (off_t)place, SEEK_SET) < 0)
        return 0;
    long got = syscall(SYS_getdents64, directory, bytes, sizeof bytes);
    int looked = 0;
    place = 0;
    for (long at = 0; at < got && looked < SWEEP_NAMES;) {
        const struct entry *entry = (const struct entry *)(const void *)(bytes + at);
        at += entry->length;
        place = entry->next;
        shmx_ofd_annex_sweep(entry->name);
        if (shmx_name_check(entry->name) != SHMX_OK)
            continue;
        looked++;
        shmx_ofd_remove_if_dead(entry->name, &removed);
    }
    return place;
}

/* Begin somewhere, and nearer to the newest names as often as farther: places are counted from
 * them, or from the oldest name, or say when each name was made, whatever the kernel does. */
static int64_t sweep_anywhere(int directory, int64_t newest)
{
    uint32_t chance;
    if (shmx_os_random(&chance, sizeof chance) != SHMX_OK)
        return 0;
    int64_t distance = (int64_t)((chance | UINT32_C(1) << 31) >> 1 >> chance % 31);
    int64_t place = newest > distance ? newest - distance : distance;
    int64_t next = 0;
    for (; next == 0 && place > 0; place /= 2)
        next = sweep_at(directory, place);
    return next;
}

/* The first names are the newest for most kernels, and a crash loop's leftovers are there. The
 * others have their turn one after the other, so that a process that goes on creating has looked at
 * all of them after as many creates as there are names. */
void shmx_os_sweep(void)
{
    static _Atomic int64_t turn = -1;
    shmx_posix_gate_enter();
    int directory = shmx_posix_open(SHMX_LINUX_DIRECTORY, O_RDONLY | O_DIRECTORY, 0);
    if (directory >= 0) {
        int64_t place = atomic_load(&turn);
        int64_t newest = sweep_at(directory, 0);
        atomic_store(&turn, place < 0 ? sweep_anywhere(directory, newest)
                                      : sweep_at(directory, place > 0 ? place : newest));
        close(directory);
    }
    shmx_posix_gate_leave();
}

static int leftover(const char *name, void *context)
{
    (void)context;
    shmx_ofd_annex_sweep(name);
    return SHMX_OK;
}

int shmx_os_remove_leftovers(void)
{
    shmx_posix_gate_enter();
    int status = shmx_system.list(leftover, NULL);
    shmx_posix_gate_leave();
    return status;
}
