/* SPDX-License-Identifier: MIT */
/* Seats: each user of a segment that is open to others has a file of its own, and its lock. Others
 * may open the file to see that, and keep the lock when the user has gone: then they are users. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "lockfile.h"

bool shmx_lockfile_has_seats(const struct shmx_label *label)
{
    return (label->flags & (SHMX_OTHERS_READ | SHMX_OTHERS_WRITE)) != 0 &&
           (label->flags & SHMX_PERSISTENT) == 0;
}

/* Numbers that others may have taken. */
#define TRIES_MOST 16

/* The contents of a seat: the name of its segment, and its number. */
#define TEXT_MAX (SHMX_NAME_MAX + 10)

static int try_seat(uint64_t id, const char *name, int *fd, uint32_t *number)
{
    char path[LOCKFILE_PATH_MAX], text[TEXT_MAX];
    int status = shmx_control_token(NULL, number); /* never 0 */
    if (status != SHMX_OK)
        return status;
    shmx_lockfile_path_seat(path, id, *number);
    snprintf(text, sizeof text, "%s %08" PRIx32, name, *number);
    return shmx_lockfile_make_locked(path, LOCK_EX, SHMX_OTHERS_READ, text, fd);
}

int shmx_lockfile_seat_take(uint64_t id, const char *name, int *fd, uint32_t *number)
{
    int status = SHMX_EAGAIN;
    for (int tries = 0; tries < TRIES_MOST && (status == SHMX_EAGAIN || status == SHMX_EEXIST);
         tries++)
        status = try_seat(id, name, fd, number);
    if (status != SHMX_OK)
        *fd = -1;
    return status == SHMX_EEXIST ? SHMX_EAGAIN : status;
}

void shmx_lockfile_seat_leave(uint64_t id, int fd, uint32_t number)
{
    char path[LOCKFILE_PATH_MAX];
    bool held;
    if (fd >= 0)
        close(fd);
    shmx_lockfile_path_seat(path, id, number);
    shmx_lockfile_sweep(path, &held);
}

/* ---- asking ---- */

int shmx_lockfile_seats_taken(uint64_t id, bool *taken)
{
    char start[LOCKFILE_START_MAX];
    *taken = false;
    snprintf(start, sizeof start, "s-%016" PRIx64 "-", id);
    return shmx_lockfile_sweep_all(start, taken);
}

int shmx_lockfile_seats_judge(const struct shmx_lockfile_name *file, uint64_t id, bool *taken)
{
    int status = shmx_lockfile_seats_taken(id, taken);
    if (status == SHMX_OK && !*taken) {
        status = shmx_lockfile_name_admit(file, false);
        if (status == SHMX_OK) /* another may have come before it saw that */
            status = shmx_lockfile_seats_taken(id, taken);
    }
    if (status != SHMX_OK || *taken) /* one who died here may have left it shut */
        shmx_lockfile_name_admit(file, true);
    return status;
}

/* ---- what was inherited ---- */

void shmx_lockfile_seat_close(uint64_t id, int fd)
{
    char path[LOCKFILE_PATH_MAX], text[TEXT_MAX] = "";
    uint32_t number;
    if (pread(fd, text, sizeof text - 1, 0) <= 0 || sscanf(text, "%*s %8" SCNx32, &number) != 1)
        return;
    shmx_lockfile_path_seat(path, id, number);
    if (shmx_posix_in_place(fd, path))
        shmx_lockfile_seat_leave(id, fd, number);
}
