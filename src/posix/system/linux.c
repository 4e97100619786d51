/* SPDX-License-Identifier: MIT */
/* Linux: objects are files of a tmpfs, which can be made without a name, locked, reserved and read.
 * ofd/ keeps lifetimes; linux_pages.c has pages present. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "system/linux_pages.h"

#define DIRECTORY SHMX_LINUX_DIRECTORY
#define PATH_SIZE (sizeof DIRECTORY + SHMX_NAME_MAX + 1)

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

/* ---- objects ---- */

/* No /dev/shm; a kernel that does not know the flag, or a file system without such files. */
static bool lacks_nameless(int number)
{
    return number == ENOENT || number == EISDIR || number == EINVAL || number == EOPNOTSUPP;
}

/* After a process has asked for a file's times, as fstat(2) does, the file's next change stores
 * finer ones (Linux 6.13). That costs more than the question. */
static int stat_timeless(int at, const char *path, int how, struct stat *facts)
{
#ifdef STATX_INO
    struct statx seen;
    if (statx(at, path, how, STATX_TYPE | STATX_MODE | STATX_INO, &seen) == 0) {
        facts->st_dev = makedev(seen.stx_dev_major, seen.stx_dev_minor);
        facts->st_ino = seen.stx_ino;
        facts->st_mode = seen.stx_mode;
        return 0;
    }
#endif
    return fstatat(at, path, facts, how); /* an old kernel, or a filter that does not know it */
}

static int make_nameless(bool named, unsigned flags, int *fd, struct stat *facts)
{
    mode_t mode = shmx_posix_mode(flags);
    /* O_EXCL: it can never get a name */
    *fd = shmx_posix_open(DIRECTORY, O_TMPFILE | O_RDWR | (named ? 0 : O_EXCL), mode);
    if (*fd < 0)
        return shmx_posix_error(lacks_nameless(errno) ? ENOSYS : errno);
    bool good = !named || stat_timeless(*fd, "", AT_EMPTY_PATH, facts) == 0;
    if (good && named && (facts->st_mode & 0777) != mode) /* the umask has taken some */
        good = fchmod(*fd, mode) == 0;
    if (good)
        return SHMX_OK;
    int status = shmx_posix_error(errno);
    close(*fd);
    return status;
}

/* The path that shm_open(3) would make of it, with more ado. */
static void object_path(char path[PATH_SIZE], const char *name)
{
    memcpy(path, DIRECTORY "/", sizeof DIRECTORY);
    memcpy(path + sizeof DIRECTORY, name, strlen(name) + 1);
}

static int open_name(const char *name, unsigned flags, int *fd)
{
    char path[PATH_SIZE];
    object_path(path, name);
    /* A pipe that is planted there is not waited for. */
    int access = (flags & SHMX_READ_ONLY) != 0 ? O_RDONLY : O_RDWR;
    *fd = shmx_posix_open(path, access | O_NONBLOCK | O_NOFOLLOW, 0);
    return *fd >= 0 ? SHMX_OK : shmx_posix_error(errno);
}

static int remove_name(const char *name, uint64_t device, uint64_t inode)
{
    struct stat facts;
    char path[PATH_SIZE];
    object_path(path, name);
    if (stat_timeless(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &facts) != 0)
        return shmx_posix_error(errno);
    if ((uint64_t)facts.st_dev != device || (uint64_t)facts.st_ino != inode)
        return SHMX_ENOENT;
    return unlink(path) == 0 ? SHMX_OK : shmx_posix_error(errno);
}

/* AT_EMPTY_PATH needs no /proc, and is open to everybody since Linux 6.10; before, to
 * CAP_DAC_READ_SEARCH. */
static int publish(int fd, const char *name)
{
    char self[32], path[PATH_SIZE];
    object_path(path, name);
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

/* prlimit(2), by which a C library asks, looks for the process first and takes twice the time. */
static uint64_t length_limit(void)
{
#if defined(SYS_getrlimit) && LONG_MAX > INT32_MAX
    struct rlimit limit;
    if (syscall(SYS_getrlimit, RLIMIT_FSIZE, &limit) == 0)
        return limit.rlim_cur; /* none is the largest number */
#endif
    return shmx_posix_length_limit();
}

/* A signal makes fallocate undo its work. In pieces of this size it comes to an end under any
 * storm of signals. */
#define PIECE ((off_t)16 << 20)

static int reserve_pieces(int fd, size_t length)
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
    int status = reserve_pieces(fd, attachment->length);
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

/* The largest page of any processor here; two of them have a whole page of any size. */
#define PAGE_MOST 65536

/* Of the library's own zeroed memory, so that it goes with it. */
static unsigned char *wiped_on_fork(void)
{
    static unsigned char room[2 * PAGE_MOST];
    size_t length = shmx_os_facts()->page_size;
    unsigned char *page = room + (length - (uintptr_t)room % length) % length;
    bool wiped = length <= PAGE_MOST && madvise(page, length, MADV_WIPEONFORK) == 0;
    return wiped ? page : NULL;
}

const struct shmx_system shmx_system = {
    .wiped_on_fork = wiped_on_fork,
    .make_nameless = make_nameless,
    .publish = publish,
    .open_name = open_name,
    .remove_name = remove_name,
    .length_limit = length_limit,
    .reserve = reserve_pieces,
    .reserve_present = reserve_present,
    .map_present = MAP_POPULATE,
    .prefault = shmx_linux_prefault,
    .label = shmx_posix_label_read,
    .list = list,
    .footprint = shmx_posix_footprint,
    .has_room = shmx_linux_has_room,
    .place = shmx_linux_place,
};

/* ---- waiting: futex(2), which without the private flag works between processes ---- */

/* Architectures with 64-bit time only have no call of the old name. */
#ifndef SYS_futex
#define SYS_futex SYS_futex_time64
#endif

/* The argument of the call of the old name: two words of the machine, whatever time_t is. Seconds
 * since the machine started fit into each of them. */
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
            return shmx_posix_unexpected(errno);
    }
}

int shmx_os_wake(struct shmx_attachment *attachment, _Atomic uint32_t *word, int count)
{
    (void)attachment;
    long result = syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
    return result >= 0 ? (int)result : shmx_posix_unexpected(errno);
}
