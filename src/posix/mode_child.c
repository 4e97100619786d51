/* SPDX-License-Identifier: MIT */
/*
 * Access to new objects where it is set at creation only (macOS: no fchmod on shared memory). The
 * umask is the whole process's, so to change it for a moment would change it for files that other
 * threads make at that moment. Where it is in the way, a child makes the object.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lockfile/lockfile.h"
#include "posix.h"

static int make(const char *path, mode_t mode, int *fd)
{
    *fd = shmx_posix_clear_of_streams(shm_open(path, O_RDWR | O_CREAT | O_EXCL, mode));
    return *fd >= 0 ? 0 : errno;
}

static bool exact(int fd, mode_t mode)
{
    struct stat facts;
    return fstat(fd, &facts) == 0 && (facts.st_mode & 0777) == mode;
}

/* In the child, which has a umask of its own. */
static _Noreturn void make_and_end(const char *path, mode_t mode, volatile int *error)
{
    int fd;
    umask(0);
    *error = make(path, mode, &fd);
    _exit(0);
}

/* macOS would rather have posix_spawn, which cannot do this. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* Return 0 or an error number. The answer comes through shared memory and not as the child's exit
 * status, which the program's own handler of SIGCHLD may take. vfork: it runs no handlers for fork,
 * which would wait for us, and copies no memory. */
static int make_in_child(const char *path, mode_t mode)
{
    volatile int *error =
        mmap(NULL, sizeof *error, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
    if (error == MAP_FAILED)
        return errno;
    *error = EIO;          /* if the child is killed */
    pid_t child = vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork)
    if (child == 0)
        make_and_end(path, mode, error); // NOLINT(clang-analyzer-unix.Vfork)
    int result = child < 0 ? errno : 0;
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    if (child > 0)
        result = *error;
    munmap((void *)error, sizeof *error);
    return result;
}

/* The umask hides some bits: do it again. */
static int make_again(const char *path, mode_t mode, int *fd)
{
    int error = make_in_child(path, mode);
    if (error != 0)
        return shmx_posix_error(error);
    *fd = shmx_posix_clear_of_streams(shm_open(path, O_RDWR, 0));
    if (*fd < 0)
        return shmx_posix_error(errno);
    if (exact(*fd, mode))
        return SHMX_OK;
    shm_unlink(path);
    close(*fd);
    return shmx_posix_error(EOPNOTSUPP);
}

int shmx_lockfile_object_make(const char *path, unsigned flags, int *fd)
{
    mode_t mode = shmx_posix_mode(flags);
    int error = make(path, mode, fd);
    if (error != 0)
        return shmx_posix_error(error);
    if (exact(*fd, mode))
        return SHMX_OK;
    shm_unlink(path);
    close(*fd);
    return make_again(path, mode, fd);
}
