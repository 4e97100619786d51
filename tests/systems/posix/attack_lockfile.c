/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lockfile/lockfile.h"
#include "support.h"

struct attack {
    char directory[SHMX_SYSTEM_DIRECTORY_MAX];
    bool users;
};

static struct attack attack;

static void path_of(char path[LOCKFILE_PATH_MAX], const char *rest)
{
    snprintf(path, LOCKFILE_PATH_MAX, "%s/" LOCKFILE_PREFIX "%s", attack.directory, rest);
}

/* Locks that are waited for, of the segment's users and marks. */
static _Atomic int awaited;

/* Wait for the exclusive lock, which comes when its owner dies, and keep it. */
static void wait_for(void *context)
{
    int fd = *(int *)context;
    while (flock(fd, LOCK_EX) != 0)
        must(errno == EINTR);
}

static void wait_for_own(void *context)
{
    wait_for(context);
    atomic_fetch_sub(&awaited, 1);
}

static bool says(int fd, const char *name)
{
    char text[SHMX_NAME_MAX + 1] = "";
    size_t length = strlen(name);
    return pread(fd, text, sizeof text - 1, 0) > 0 && strncmp(text, name, length) == 0;
}

/* The segment's id, which a file of one of its users tells. */
static uint64_t own_id;

static int find_own_id(const char *rest, void *name)
{
    char path[LOCKFILE_PATH_MAX];
    uint64_t id;
    snprintf(path, sizeof path, "%s/" LOCKFILE_PREFIX "s-%s", attack.directory, rest);
    int fd = sscanf(rest, "%16" SCNx64, &id) == 1 ? open(path, O_RDONLY | O_NOFOLLOW) : -1;
    if (fd >= 0 && says(fd, name))
        own_id = id;
    if (fd >= 0)
        close(fd);
    return SHMX_OK;
}

static bool is_own_mark(const char *rest)
{
    uint64_t id;
    return sscanf(rest, "m-%16" SCNx64, &id) == 1 && id == own_id;
}

#define FILES_MOST 4000
static int files[FILES_MOST];
static int count;

static int take(const char *rest, void *name)
{
    char path[LOCKFILE_PATH_MAX];
    path_of(path, rest);
    bool users = rest[0] == 'u' || rest[0] == 's';
    if ((users && !attack.users) || count == FILES_MOST)
        return SHMX_OK;
    int fd = open(path, O_RDONLY);
    must(fd >= 0 || errno == EACCES || errno == ENOENT);
    if (fd < 0)
        return SHMX_OK;
    files[count++] = fd;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return SHMX_OK;
    bool own = users ? says(fd, name) : is_own_mark(rest);
    atomic_fetch_add(&awaited, own);
    (void)thread_start(own ? wait_for_own : wait_for, &files[count - 1]);
    return SHMX_OK;
}

/* ---- tokens that nobody has yet ---- */

#define TOKENS 20

static uint64_t ids[FILES_MOST];
static int id_count;

static void path_of_token(char path[LOCKFILE_PATH_MAX], int i)
{
    shmx_lockfile_path_owner(path, ids[i / TOKENS], (uint32_t)(i % TOKENS + 1));
}

static void unmake(void)
{
    char path[LOCKFILE_PATH_MAX];
    for (int i = 0; i < id_count * TOKENS; i++) {
        path_of_token(path, i);
        unlink(path); /* not another's: the directory is sticky */
    }
}

static int find_id(const char *rest, void *context)
{
    (void)context;
    if (id_count < FILES_MOST && sscanf(rest, "%16" SCNx64, &ids[id_count]) == 1)
        id_count++;
    return SHMX_OK;
}

static void make_tokens(void)
{
    char path[LOCKFILE_PATH_MAX];
    must(shmx_lockfile_list("s-", find_id, NULL) == SHMX_OK);
    atexit(unmake);
    for (int i = 0; i < id_count * TOKENS; i++) {
        path_of_token(path, i);
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0644);
        must(fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0);
    }
}

/* ---- all of it ---- */

void attack_locks(const char *name, bool users)
{
    shmx_system.lock_directory(attack.directory);
    attack.users = users;
    make_tokens();
    must(shmx_lockfile_list("s-", find_own_id, (void *)name) == SHMX_OK);
    must(shmx_lockfile_list("", take, (void *)name) == SHMX_OK);
}

void attack_wait(void)
{
    while (atomic_load(&awaited) > 0)
        shmx_os_sleep(1000000);
}

bool attack_sees(const char *name)
{
    return shmx_lockfile_name_there(name);
}

/* The name file's, if users share a directory, and the object's where objects are files there. */
const char *attack_place(const char *name, int i)
{
    static char path[LOCKFILE_PATH_MAX];
    char directory[SHMX_SYSTEM_DIRECTORY_MAX];
    shmx_system.lock_directory(directory);
    if (i == 0)
        shmx_lockfile_path_name(path, name);
    else
        snprintf(path, sizeof path, "%s/.shmobj_%s", directory, name);
    bool is_file = i == 0 || strcmp(directory, "/var/shm") == 0; /* NetBSD */
    return i < 2 && is_file && !shmx_system.own_directory ? path : NULL;
}

bool attack_cut(const char *name)
{
    char path[SHMX_POSIX_OBJECT_MAX];
    shmx_lockfile_object_path(path, name, 0);
    int fd = shm_open(path, O_RDWR, 0);
    must(fd >= 0);
    return ftruncate(fd, 0) == 0;
}
