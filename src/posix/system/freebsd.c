/* SPDX-License-Identifier: MIT */
/* FreeBSD: objects are kept by the system, apart from files; they cannot be locked, but read and
 * written. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
/* after sys/types.h, which they do not include */
#include <sys/sysctl.h>
#include <sys/umtx.h>
#include <sys/user.h>
#include <time.h>

#include "system/system.h"

/* Of objects it counts pages where it counts blocks of files: uipc_shm.c. */
static uint64_t footprint(const struct stat *facts)
{
    return (uint64_t)facts->st_blocks * shmx_os_facts()->page_size;
}

/* ---- listing: a sysctl(3) that posixshmcontrol(1) shows ---- */

#define LIST "kern.ipc.posix_shm_list"

static int visit_entries(const char *entries, size_t length,
                         int (*visit)(const char *name, void *context), void *context)
{
    int status = SHMX_OK;
    const size_t path = offsetof(struct kinfo_file, kf_path);
    for (size_t at = 0; status == SHMX_OK && at + path < length;) {
        int size; /* of this entry, which ends behind its path */
        memcpy(&size, entries + at, sizeof size);
        if (size <= (int)path || at + (size_t)size > length)
            break;
        status = visit(entries + at + path + 1, context); /* behind the slash */
        at += (size_t)size;
    }
    return status;
}

static int list(int (*visit)(const char *name, void *context), void *context)
{
    char *entries = NULL;
    size_t length = 0;
    int error = sysctlbyname(LIST, NULL, &length, NULL, 0) == 0 ? ENOMEM : errno;
    while (error == ENOMEM) {
        length += length / 8 + 4096; /* more may have come since */
        free(entries);
        entries = malloc(length);
        if (entries == NULL)
            return shmx_posix_error(ENOMEM);
        error = sysctlbyname(LIST, entries, &length, NULL, 0) == 0 ? 0 : errno;
    }
    int status =
        error != 0 ? shmx_posix_error(error) : visit_entries(entries, length, visit, context);
    free(entries);
    return status;
}

/* ---- waiting: _umtx_op(2), which works between processes in its forms that are not private ----
 */

static int wait_once(_Atomic uint32_t *word, uint32_t expected, int64_t length)
{
    struct _umtx_time limit = {._clockid = CLOCK_MONOTONIC};
    limit._timeout.tv_sec = (time_t)(length / 1000000000);
    limit._timeout.tv_nsec = (long)(length % 1000000000);
    /* The size of the time stands where other operations take an address. */
    int result = _umtx_op((void *)word, UMTX_OP_WAIT_UINT, expected, (void *)sizeof limit, &limit);
    return result == 0 ? 0 : errno;
}

/* The system does not say how many it woke. */
int shmx_os_wake(struct shmx_attachment *attachment, _Atomic uint32_t *word, int count)
{
    (void)attachment;
    int result = _umtx_op((void *)word, UMTX_OP_WAKE, (unsigned long)count, NULL, NULL);
    return result == 0 ? count : shmx_posix_unexpected(errno);
}

/* ---- the table ---- */

const struct shmx_system shmx_system = {
    .lock_directory = shmx_posix_lock_directory,
    .make = shmx_posix_make_exact,
    .length_limit = shmx_posix_length_limit,
    .reserve = shmx_posix_reserve_by_writing,
    .prefault = shmx_posix_prefault,
    .label = shmx_posix_label_read,
    .list = list,
    .footprint = footprint,
    .has_room = shmx_posix_has_room,
    .sleep = wait_once,
};
