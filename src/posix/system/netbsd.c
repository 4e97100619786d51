/* SPDX-License-Identifier: MIT */
/* NetBSD: objects are files of a tmpfs, shown under names of their own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "system/system.h"

#define DIRECTORY "/var/shm"

/* Two ticks of 10 ms: tstohz (sys/kern/subr_time.c) rounds a length up and adds one. */
#define SLEEP_EXCESS ((int64_t)20 * 1000 * 1000)

/* Beside the objects: lock files do not outlive them when the machine is restarted. Sticky, so that
 * nobody removes another user's. */
static void lock_directory(char path[SHMX_SYSTEM_DIRECTORY_MAX])
{
    snprintf(path, SHMX_SYSTEM_DIRECTORY_MAX, DIRECTORY);
}

static int list(int (*visit)(const char *name, void *context), void *context)
{
    return shmx_posix_list(DIRECTORY, ".shmobj_", visit, context);
}

/* ---- waiting: the system's futex call (NetBSD 10), which has no function in the library ---- */

static int wait_once(_Atomic uint32_t *word, uint32_t expected, int64_t length)
{
    struct timespec limit = {(time_t)(length / 1000000000), (long)(length % 1000000000)};
    int result = syscall(SYS___futex, word, FUTEX_WAIT, (int)expected, &limit, NULL, 0, 0);
    return result == 0 ? 0 : errno;
}

int shmx_os_wake(struct shmx_attachment *attachment, _Atomic uint32_t *word, int count)
{
    (void)attachment;
    int result = syscall(SYS___futex, word, FUTEX_WAKE, count, NULL, NULL, 0, 0);
    return result >= 0 ? result : shmx_posix_unexpected(errno);
}

/* ---- the table ---- */

const struct shmx_system shmx_system = {
    .open_flags = O_NONBLOCK, /* a pipe that is planted there is not waited for */
    .loaded = shmx_posix_stay,
    .lock_directory = lock_directory,
    .make = shmx_posix_make_exact,
    .length_limit = shmx_posix_length_limit,
    .reserve = shmx_posix_reserve_by_writing,
    .prefault = shmx_posix_prefault,
    .label = shmx_posix_label_read,
    .list = list,
    .footprint = shmx_posix_footprint,
    .has_room = shmx_posix_has_room,
    .sleep = wait_once,
    .sleep_excess = SLEEP_EXCESS,
};
