/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "system/system.h"

/* Take a descriptor that was just opened, and return one for the same that is none of the standard
 * streams': where those are closed, what a program prints would end up in the segment. Failures
 * are passed on: -1 and errno. */
static int clear_of_streams(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int clear = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = errno;
    close(fd); /* locks of the description stay, as one of its descriptors does */
    errno = error;
    return clear;
}

int shmx_posix_open(const char *path, int how, mode_t mode)
{
    int fd;
    do
        fd = open(path, how | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return clear_of_streams(fd);
}

/* ---- objects ---- */

static int object_open(const char *path, int how, mode_t mode, int *fd)
{
    do
        *fd = shm_open(path, how, mode);
    while (*fd < 0 && errno == EINTR);
    *fd = clear_of_streams(*fd);
    if (*fd < 0 && errno == EINVAL)
        errno = ENXIO; /* no object: OpenBSD says so of a pipe */
    return *fd >= 0 ? SHMX_OK : shmx_posix_error(errno);
}

int shmx_posix_object_open(const char *path, unsigned flags, int *fd)
{
    int access = (flags & SHMX_READ_ONLY) != 0 ? O_RDONLY : O_RDWR;
    return object_open(path, access | shmx_system.open_flags, 0, fd);
}

int shmx_posix_object_make(const char *path, mode_t mode, int *fd)
{
    return object_open(path, O_RDWR | O_CREAT | O_EXCL, mode, fd);
}

mode_t shmx_posix_mode(unsigned flags)
{
    mode_t mode = S_IRUSR | S_IWUSR;
    if ((flags & (SHMX_OTHERS_READ | SHMX_OTHERS_WRITE)) != 0)
        mode |= S_IRGRP | S_IROTH;
    if ((flags & SHMX_OTHERS_WRITE) != 0)
        mode |= S_IWGRP | S_IWOTH;
    return mode;
}

/* Made of the address, of which two differ by more than 16, and below 2^40, as a file on a disk
 * cannot be much longer. */
off_t shmx_posix_tag_of(const struct shmx_attachment *attachment)
{
    return (off_t)((uintptr_t)attachment / 16 * 2 % ((uint64_t)1 << 40));
}

void shmx_posix_tag(int fd, const struct shmx_attachment *attachment)
{
    lseek(fd, shmx_posix_tag_of(attachment), SEEK_SET);
}

bool shmx_posix_tagged(int fd, const struct shmx_attachment *attachment)
{
    return lseek(fd, 0, SEEK_CUR) == shmx_posix_tag_of(attachment);
}

void shmx_posix_close_tagged(int *fd, const struct shmx_attachment *attachment)
{
    if (*fd >= 0 && shmx_posix_tagged(*fd, attachment))
        close(*fd);
    *fd = -1;
}

bool shmx_posix_in_place(int fd, const char *path)
{
    struct stat own, found;
    return fstat(fd, &own) == 0 && lstat(path, &found) == 0 && own.st_dev == found.st_dev &&
           own.st_ino == found.st_ino;
}

int shmx_posix_mode_set(int fd, mode_t mode)
{
    struct stat facts; /* to look is cheaper than to set */
    bool good = fstat(fd, &facts) == 0 && (facts.st_mode & 0777) == mode;
    return good || fchmod(fd, mode) == 0 ? SHMX_OK : shmx_posix_error(errno);
}

int shmx_posix_make_exact(const char *path, unsigned flags, int *fd)
{
    mode_t mode = shmx_posix_mode(flags);
    int status = shmx_posix_object_make(path, mode, fd);
    if (status != SHMX_OK)
        return status;
    status = shmx_posix_mode_set(*fd, mode);
    if (status != SHMX_OK) {
        shm_unlink(path);
        close(*fd);
    }
    return status;
}

/* ---- directories ---- */

void shmx_posix_lock_directory(char path[SHMX_SYSTEM_DIRECTORY_MAX])
{
    snprintf(path, SHMX_SYSTEM_DIRECTORY_MAX, "/var/tmp");
}

static int visit_all(DIR *directory, const char *start,
                     int (*visit)(const char *rest, void *context), void *context)
{
    size_t length = strlen(start);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL)
            return errno == 0 ? SHMX_OK : shmx_posix_error(errno);
        if (strncmp(entry->d_name, start, length) != 0)
            continue;
        int status = visit(entry->d_name + length, context);
        if (status != SHMX_OK)
            return status;
    }
}

int shmx_posix_list(const char *path, const char *start,
                    int (*visit)(const char *rest, void *context), void *context)
{
    DIR *directory;
    do
        directory = opendir(path);
    while (directory == NULL && errno == EINTR);
    if (directory == NULL)
        return errno == ENOENT ? SHMX_OK : shmx_posix_error(errno);
    int status = visit_all(directory, start, visit, context);
    closedir(directory);
    return status;
}
