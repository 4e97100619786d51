/* SPDX-License-Identifier: MIT */
/* Linux: objects are files of a tmpfs, which can be made without a name, locked, reserved and read.
 * ofd/ keeps lifetimes; linux_pages.c has pages present. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "system/linux_pages.h"

#define DIRECTORY "/dev/shm"

/* ---- objects ---- */

static int make(const char *path, unsigned flags, int *fd)
{
    bool named = path != NULL;
    mode_t mode = shmx_posix_mode(flags);
    /* O_EXCL: it can never get a name */
    *fd = shmx_posix_open(DIRECTORY, O_TMPFILE | O_RDWR | (named ? 0 : O_EXCL), mode);
    if (*fd < 0)
        return errno == ENOENT ? shmx_posix_error(ENOSYS) : shmx_posix_error(errno);
    int status = named ? shmx_posix_mode_set(*fd, mode) : SHMX_OK;
    if (status != SHMX_OK)
        close(*fd);
    return status;
}

/* AT_EMPTY_PATH needs no /proc, and is open to everybody since Linux 6.10; before, to
 * CAP_DAC_READ_SEARCH. */
static int publish(int fd, const char *name)
{
    char self[32];
    char path[sizeof DIRECTORY + SHMX_NAME_MAX + 1] = DIRECTORY "/";
    memcpy(path + sizeof DIRECTORY, name, strlen(name) + 1);
    if (SHMX_EMPTYPATH) {
        if (linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0)
            return SHMX_OK;
        if (errno != ENOENT && errno != EPERM)
            return shmx_posix_error(errno);
    }
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
        return SHMX_OK;
    return errno == ENOENT ? shmx_posix_error(ENOSYS) : shmx_posix_error(errno);
}

/* A signal makes fallocate undo its work. In pieces of this size it comes to an end under any
 * storm of signals. */
#define PIECE ((off_t)16 << 20)

static int reserve(int fd, size_t length)
{
    if (!SHMX_FALLOCATE)
        return shmx_posix_reserve_by_writing(fd, length);
    off_t end = (off_t)length;
    for (off_t at = 0; at < end;) {
        off_t piece = end - at < PIECE ? end - at : PIECE;
        if (fallocate(fd, 0, at, piece) == 0)
            at += piece;
        else if (errno == EOPNOTSUPP || errno == ENOSYS)
            return shmx_posix_reserve_by_writing(fd, length);
        else if (errno != EINTR)
            return shmx_posix_error(errno);
    }
    return SHMX_OK;
}

static int reserve_present(struct shmx_attachment *attachment, int fd)
{
    size_t done = shmx_linux_collapse(attachment, fd);
    int status = reserve(fd, attachment->length);
    if (status == SHMX_OK && done < attachment->length) {
        struct shmx_attachment rest = *attachment;
        rest.data += done;
        rest.length -= done;
        shmx_linux_prefault(&rest);
    }
    return status;
}

static int list(int (*visit)(const char *name, void *context), void *context)
{
    return shmx_posix_list(DIRECTORY, "", visit, context);
}

static bool read_line(const char *text, const char *key, uint64_t *bytes)
{
    const char *line = strstr(text, key);
    uint64_t kilobytes;
    if (line == NULL || sscanf(line + strlen(key), "%" SCNu64, &kilobytes) != 1)
        return false;
    *bytes += kilobytes * 1024;
    return true;
}

/* A tmpfs may promise more than there is, and who takes it is killed instead of refused:
 * /proc/meminfo, proc(5). */
static bool available(uint64_t *bytes)
{
    char text[2048];
    int fd = shmx_posix_open("/proc/meminfo", O_RDONLY, 0);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0)
        return false;
    text[length] = '\0';
    *bytes = 0;
    return read_line(text, "MemAvailable:", bytes) && read_line(text, "SwapFree:", bytes);
}

const struct shmx_system shmx_system = {
    .open_flags = O_NONBLOCK, /* a pipe that is planted there is not waited for */
    .make = make,
    .publish = publish,
    .reserve = reserve,
    .reserve_present = reserve_present,
    .prefault = shmx_linux_prefault,
    .label = shmx_posix_label_read,
    .list = list,
    .footprint = shmx_posix_footprint,
    .available = available,
    .place = shmx_linux_place,
};

/* ---- waiting: futex(2), which without the private flag works between processes ---- */

/* Architectures with 64-bit time only have no call of the old name. */
#ifndef SYS_futex
#define SYS_futex SYS_futex_time64
#endif

/* What the call of the old name takes: two words of the machine, whatever time_t is. Seconds since
 * the machine started fit into each of them. */
struct word_time {
    long seconds;
    long nanoseconds;
};

int shmx_os_wait(struct shmx_attachment *attachment, _Atomic uint32_t *word, uint32_t expected,
                 int64_t deadline)
{
    (void)attachment;
    struct word_time end = {(long)(deadline / 1000000000), (long)(deadline % 1000000000)};
    struct word_time *limit = deadline == SHMX_OS_NEVER ? NULL : &end;
    for (;;) {
        /* FUTEX_WAIT_BITSET because its time is a point on CLOCK_MONOTONIC, not a length. */
        long result = syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, limit, NULL,
                              FUTEX_BITSET_MATCH_ANY);
        if (result == 0 || errno == EAGAIN)
            return SHMX_OK;
        if (errno == ETIMEDOUT)
            return SHMX_ETIMEDOUT;
        if (errno != EINTR)
            return shmx_posix_wait_failed(errno);
    }
}

int shmx_os_wake(struct shmx_attachment *attachment, _Atomic uint32_t *word, int count)
{
    (void)attachment;
    long result = syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
    return result >= 0 ? (int)result : shmx_posix_wait_failed(errno);
}
