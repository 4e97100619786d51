/* SPDX-License-Identifier: MIT */
#include "lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- paths ---- */

void shmx_lockfile_path(char path[LOCKFILE_PATH_MAX], const char *format, ...)
{
    char directory[SHMX_SYSTEM_DIRECTORY_MAX];
    shmx_system.lock_directory(directory);
    int length = snprintf(path, LOCKFILE_PATH_MAX, "%s/" LOCKFILE_PREFIX, directory);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path + length, LOCKFILE_PATH_MAX - (size_t)length, format, arguments);
    va_end(arguments);
}

void shmx_lockfile_path_name(char path[LOCKFILE_PATH_MAX], const char *name)
{
    char folded[SHMX_NAME_FOLDED_MAX + 1];
    shmx_name_fold(folded, name);
    shmx_lockfile_path(path, "n-%s", folded);
}

void shmx_lockfile_path_users(char path[LOCKFILE_PATH_MAX], uint64_t id)
{
    shmx_lockfile_path(path, "u-%016" PRIx64, id);
}

void shmx_lockfile_path_seat(char path[LOCKFILE_PATH_MAX], uint64_t id, uint32_t number)
{
    shmx_lockfile_path(path, "s-%016" PRIx64 "-%08" PRIx32, id, number);
}

void shmx_lockfile_path_owner(char path[LOCKFILE_PATH_MAX], uint64_t id, uint32_t token)
{
    shmx_lockfile_path(path, "o-%016" PRIx64 "-%08" PRIx32, id, token);
}

void shmx_lockfile_path_mark(char path[LOCKFILE_PATH_MAX], uint64_t id,
                             const struct shmx_posix_mark *mark)
{
    shmx_lockfile_path(path, "m-%016" PRIx64 "-%d-%08" PRIx32 "-%08" PRIx32, id, (int)mark->space,
                       mark->key, mark->number);
}

int shmx_lockfile_list(const char *start, int (*visit)(const char *rest, void *context),
                       void *context)
{
    char directory[SHMX_SYSTEM_DIRECTORY_MAX], whole[LOCKFILE_START_MAX + sizeof LOCKFILE_PREFIX];
    shmx_system.lock_directory(directory);
    snprintf(whole, sizeof whole, LOCKFILE_PREFIX "%s", start);
    return shmx_posix_list(directory, whole, visit, context);
}

/* ---- files ---- */

int shmx_lockfile_set(int fd, int operation)
{
    while (flock(fd, operation | LOCK_NB) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

void shmx_lockfile_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int shmx_lockfile_write(int fd, const void *bytes, size_t length)
{
    ssize_t written;
    /* Beyond the limit there is a signal besides, which would end the process. */
    if (length > shmx_posix_length_limit())
        return shmx_posix_error(EFBIG);
    do
        written = pwrite(fd, bytes, length, 0);
    while (written < 0 && errno == EINTR);
    if (written == (ssize_t)length)
        return SHMX_OK;
    return shmx_posix_error(written < 0 ? errno : ENOSPC);
}

int shmx_lockfile_make(const char *path, const char *text, int *fd)
{
    *fd = shmx_posix_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (*fd < 0)
        return shmx_posix_error(errno);
    int status = shmx_posix_mode_set(*fd, 0600);
    if (status == SHMX_OK && text[0] != '\0')
        status = shmx_lockfile_write(*fd, text, strlen(text));
    if (status != SHMX_OK) {
        unlink(path);
        shmx_lockfile_close(fd);
    }
    return status;
}

/* As shmx_lockfile_make_locked, with the file made. */
static int lock_and_show(int fd, const char *path, int operation, unsigned flags)
{
    bool others = (flags & (SHMX_OTHERS_READ | SHMX_OTHERS_WRITE)) != 0;
    int error = shmx_lockfile_set(fd, operation);
    if (error == 0 && !shmx_posix_in_place(fd, path))
        return SHMX_EAGAIN;
    int status = error == 0             ? SHMX_OK
                 : error == EWOULDBLOCK ? SHMX_EAGAIN
                                        : shmx_posix_error(error);
    if (status == SHMX_OK && others)
        status = shmx_posix_mode_set(fd, 0644);
    /* Also a file that another has found: it would be in the way the next time. */
    if (status != SHMX_OK)
        unlink(path);
    return status;
}

int shmx_lockfile_make_locked(const char *path, int operation, unsigned flags, const char *text,
                              int *fd)
{
    int status = shmx_lockfile_make(path, text, fd);
    if (status != SHMX_OK)
        return status;
    status = lock_and_show(*fd, path, operation, flags);
    if (status != SHMX_OK)
        shmx_lockfile_close(fd);
    return status;
}

int shmx_lockfile_open(const char *path, int *fd, struct stat *facts)
{
    /* Not blocking: it might be a FIFO. To lock, reading is enough. */
    *fd = shmx_posix_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (*fd < 0)
        return shmx_posix_error(errno);
    int status = fstat(*fd, facts) == 0 ? SHMX_OK : shmx_posix_error(errno);
    if (status == SHMX_OK && !S_ISREG(facts->st_mode))
        status = shmx_posix_error(ENXIO);
    if (status != SHMX_OK)
        shmx_lockfile_close(fd);
    return status;
}

int shmx_lockfile_ask(int fd, const char *path, bool *held)
{
    /* Shared, so that another that asks at the same moment does not take this look for an owner. */
    int error = shmx_lockfile_set(fd, LOCK_SH);
    *held = error != 0;
    if (error == 0 && shmx_posix_in_place(fd, path))
        unlink(path);
    return error == 0 || error == EWOULDBLOCK ? SHMX_OK : shmx_posix_error(error);
}

int shmx_lockfile_sweep(const char *path, bool *held)
{
    struct stat facts;
    int fd;
    int status = shmx_lockfile_open(path, &fd, &facts);
    *held = false;
    if (status != SHMX_OK)
        return status == SHMX_ENOENT || status == SHMX_EACCES || status == SHMX_EPROTO ? SHMX_OK
                                                                                       : status;
    status = shmx_lockfile_ask(fd, path, held);
    close(fd);
    return status;
}

struct sweep_all {
    const char *start;
    bool *held; /* NULL: all are swept, held or not */
};

static int sweep_next(const char *rest, void *context)
{
    const struct sweep_all *all = context;
    char path[LOCKFILE_PATH_MAX];
    bool held;
    shmx_lockfile_path(path, "%s%s", all->start, rest);
    int status = shmx_lockfile_sweep(path, &held);
    if (all->held == NULL)
        return SHMX_OK;
    *all->held = held;
    return status == SHMX_OK && held ? 1 : status;
}

int shmx_lockfile_sweep_all(const char *start, bool *held)
{
    struct sweep_all all = {start, held};
    int status = shmx_lockfile_list(start, sweep_next, &all);
    return status > 0 ? SHMX_OK : status;
}

/* Rounds in which the holder of a lock is likely to be done with it. */
#define ROUNDS_SHORT 40

bool shmx_lockfile_is_short(int round)
{
    return round < ROUNDS_SHORT;
}

bool shmx_lockfile_patience(int *round)
{
    if (shmx_lockfile_is_short(*round)) {
        ++*round;
        shmx_os_sleep(50000);
        return true;
    }
    int slow = *round - ROUNDS_SHORT;
    bool more = shmx_posix_patience(&slow);
    *round = slow + ROUNDS_SHORT;
    return more;
}

bool shmx_lockfile_patience_outside(int *round)
{
    shmx_posix_gate_leave();
    bool more = shmx_lockfile_patience(round);
    shmx_posix_gate_enter();
    return more;
}
