/* SPDX-License-Identifier: MIT */
/* OpenBSD: objects are files of /tmp with names that tell nothing, for their owner alone. A
 * byte stored through a mapping is not seen by reading the file, nor the other way. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/time.h>
/* after sys/time.h, which it does not include */
#include <sys/futex.h>
#include <unistd.h>

#include "system/system.h"

/* Two ticks of 10 ms: rwsleep_nsec (sys/kern/kern_synch.c) rounds a length up and adds one. */
#define SLEEP_EXCESS ((int64_t)20 * 1000 * 1000)

/* The system lets the owner attach only, whatever the mode. */
static int make(const char *path, unsigned flags, int *fd)
{
    if ((flags & (SHMX_OTHERS_READ | SHMX_OTHERS_WRITE)) != 0)
        return shmx_posix_error(EOPNOTSUPP);
    return shmx_posix_make_exact(path, flags, fd);
}

/* From /var/tmp daily(8) takes what nobody has read for a week, locked or not, but for directories
 * whose names begin with ssh-. Each user has its own, as nobody else attaches. Should a neighbour
 * have made it, no file can be there. */
static void lock_directory(char path[SHMX_SYSTEM_DIRECTORY_MAX])
{
    struct stat facts;
    snprintf(path, SHMX_SYSTEM_DIRECTORY_MAX, "/var/tmp/ssh-shmx-%lu", (unsigned long)geteuid());
    /* It may go again while it is empty. */
    if (lstat(path, &facts) != 0 && mkdir(path, 0700) == 0)
        return;
    bool ours = lstat(path, &facts) == 0 && S_ISDIR(facts.st_mode) && facts.st_uid == geteuid() &&
                (facts.st_mode & 0777) == 0700;
    if (!ours)
        snprintf(path, SHMX_SYSTEM_DIRECTORY_MAX, "/dev/null");
}

/* ---- waiting: futex(2), which finds the word by object and offset if its mapping is shared ----
 */

/* The error number; OpenBSD 6 returns it, later systems set errno. */
static int number_of(int result)
{
    return result < 0 ? errno : result;
}

static int wait_once(_Atomic uint32_t *word, uint32_t expected, int64_t length)
{
    struct timespec limit = {(time_t)(length / 1000000000), (long)(length % 1000000000)};
    return number_of(futex((volatile uint32_t *)word, FUTEX_WAIT, (int)expected, &limit, NULL));
}

int shmx_os_wake(struct shmx_attachment *attachment, _Atomic uint32_t *word, int count)
{
    (void)attachment;
    int result = futex((volatile uint32_t *)word, FUTEX_WAKE, count, NULL, NULL);
    return result >= 0 ? result : shmx_posix_unexpected(errno);
}

/* ---- the table ---- */

const struct shmx_system shmx_system = {
    .open_flags = O_RDWR, /* an open for reading would wait at a pipe that is planted */
    .loaded = shmx_posix_stay,
    .lock_directory = lock_directory,
    .own_directory = true,
    .make = make,
    .length_limit = shmx_posix_length_limit,
    /* Nothing is mapped yet, so no page differs from what is written. */
    .reserve = shmx_posix_reserve_by_writing,
    .prefault = shmx_posix_prefault,
    .label = shmx_posix_label_map, /* nobody but the owner could cut the object short */
    .footprint = shmx_posix_footprint,
    .has_room = shmx_posix_has_room,
    .sleep = wait_once,
    .sleep_excess = SLEEP_EXCESS,
};
