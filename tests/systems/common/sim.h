/* SPDX-License-Identifier: MIT */
/*
 * Shared by the simulated systems. A simulated machine is a directory: SHMX_SIM_ROOT, or one in
 * /dev/shm. Its state is files there, so it is the same for all processes, and a process that is
 * killed leaves what it would leave in a kernel.
 *
 *   objects/        the name space of shared memory where objects are not files
 *   tmp/, var/tmp/  the directories of that name; var/shm/ on NetBSD
 *
 * NAME/shim.h is included before everything else in the library's files of that system and in the
 * tests. It turns calls into the ones below, by macros with arguments: (open)(path, how) in
 * parentheses is Linux's own.
 */
#ifndef SHMX_SIM_H
#define SHMX_SIM_H

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define SIM_PATH_MAX 512

/* ---- what each system says of itself (NAME/shim.c) ---- */

struct sim_facts {
    const char *name;
    /* Directories that lie in the machine: as programs call them, and where. Ends with NULL. */
    const char *const (*places)[2];
    bool folds;     /* a file is found whatever the case of the letters in its name */
    int link_error; /* O_NOFOLLOW found a symbolic link */
    /* Errors of calls that want a file and get an object; 0: objects are files. */
    int flock_error;
    int fcntl_error;
    int statvfs_error;
};

extern const struct sim_facts sim_facts;

/* ---- the machine (common/sim.c) ---- */

/* The machine's directory, made if need be. */
const char *sim_root(void);

/* Where a path lies: in the machine, or as it is. */
const char *sim_path(const char *path, char buffer[SIM_PATH_MAX]);

/* Restart it: memory is empty, and what the system clears at its start. */
void sim_restart(void);

/* Remove all of a directory's entries (in the machine) that `which` says, or all; what is below a
 * directory that it says, too. */
void sim_clear(const char *directory, bool (*which)(const char *path, const struct stat *facts));

/* ---- objects ---- */

/* Objects are files with this bit, so that any process knows one by its descriptor. */
#define SIM_MARK S_ISVTX

/* True if fd is an object; its facts as Linux has them. */
bool sim_object(int fd, struct stat *facts);

/* Write where the object of that name lies. It is no file's name, so x and /x are two objects.
 * False if the name is longer than `most` bytes. */
bool sim_object_path(const char *name, size_t most, char path[SIM_PATH_MAX]);

/* Set errno, and return -1. */
int sim_fail(int number);

/* True once in so many calls with that counter: what a system does sometimes. */
bool sim_sometimes(unsigned *calls, unsigned in);

/* Linux's futex(2), shared between processes. `end`: a point on CLOCK_MONOTONIC, or NULL. */
int sim_futex_wait(const void *word, uint32_t expected, const struct timespec *end);
int sim_futex_wake(const void *word, int count);

/* The point on CLOCK_MONOTONIC that is so far from now. */
struct timespec sim_time_after(const struct timespec *length);

/* True if there is such a length of time, or point in it. */
bool sim_time_good(const struct timespec *time);

/* True if the process may write there. */
bool sim_writable(const void *word);

/* pthread_atfork of a system whose fork keeps the handlers of what was unloaded. */
int sim_atfork_for_ever(void (*before)(void), void (*parent)(void), void (*child)(void));

/* Set in the environment: the user has as many locks as OpenBSD lets one have (lf_alloc). */
#define SIM_LOCKED_OUT "SHMX_SIM_LOCKED_OUT"

/* ---- calls that take paths ---- */

/* Set in the environment: the machine has no room for another file. */
#define SIM_FULL "SHMX_SIM_FULL"

int sim_open(const char *path, int how, ...);
int sim_unlink(const char *path);
int sim_access(const char *path, int how);
ssize_t sim_readlink(const char *path, char *bytes, size_t count);
int sim_stat(const char *path, struct stat *facts);
int sim_lstat(const char *path, struct stat *facts);
int sim_chmod(const char *path, mode_t mode);
int sim_chown(const char *path, uid_t user, gid_t group);
int sim_mkdir(const char *path, mode_t mode);
int sim_rmdir(const char *path);
int sim_remove(const char *path);
int sim_mkfifo(const char *path, mode_t mode);
int sim_symlink(const char *target, const char *path);
int sim_link(const char *from, const char *to);
int sim_rename(const char *from, const char *to);
int sim_truncate(const char *path, off_t length);
DIR *sim_opendir(const char *path);
FILE *sim_fopen(const char *path, const char *how);
int sim_statvfs(const char *path, struct statvfs *room);
int sim_utimensat(int at, const char *path, const struct timespec times[2], int how);

#define open(...) sim_open(__VA_ARGS__)
#define unlink(path) sim_unlink(path)
#define access(path, how) sim_access(path, how)
#define readlink(path, bytes, count) sim_readlink(path, bytes, count)
#define stat(path, facts) sim_stat(path, facts)
#define lstat(path, facts) sim_lstat(path, facts)
#define chmod(path, mode) sim_chmod(path, mode)
#define chown(path, user, group) sim_chown(path, user, group)
#define mkdir(path, mode) sim_mkdir(path, mode)
#define rmdir(path) sim_rmdir(path)
#define remove(path) sim_remove(path)
#define mkfifo(path, mode) sim_mkfifo(path, mode)
#define symlink(target, path) sim_symlink(target, path)
#define link(from, to) sim_link(from, to)
#define rename(from, to) sim_rename(from, to)
#define truncate(path, length) sim_truncate(path, length)
#define opendir(path) sim_opendir(path)
#define fopen(path, how) sim_fopen(path, how)
#define statvfs(path, room) sim_statvfs(path, room)
#define utimensat(at, path, times, how) sim_utimensat(at, path, times, how)

/* ---- calls on objects (NAME/shim.c) ---- */

int sim_shm_open(const char *name, int how, mode_t mode);
int sim_shm_unlink(const char *name);
int sim_fstat(int fd, struct stat *facts);
int sim_ftruncate(int fd, off_t length);
int sim_fchmod(int fd, mode_t mode);
ssize_t sim_pread(int fd, void *bytes, size_t count, off_t at);
ssize_t sim_pwrite(int fd, const void *bytes, size_t count, off_t at);
void *sim_mmap(void *place, size_t length, int protection, int how, int fd, off_t at);
int sim_munmap(void *data, size_t length);
int sim_msync(void *data, size_t length, int how);
long sim_sysconf(int what);

/* In common/sim.c, by sim_facts. */
int sim_flock(int fd, int operation);
int sim_fcntl(int fd, int operation, ...);
int sim_fstatvfs(int fd, struct statvfs *room);

#define flock(fd, operation) sim_flock(fd, operation)
#define fcntl(...) sim_fcntl(__VA_ARGS__, 0)
#define fstatvfs(fd, room) sim_fstatvfs(fd, room)
#define shm_open(name, how, mode) sim_shm_open(name, how, mode)
#define shm_unlink(name) sim_shm_unlink(name)

/* ---- what only Linux has ---- */

#undef O_TMPFILE
#undef O_PATH
#undef AT_EMPTY_PATH
#undef MAP_POPULATE
#undef MADV_POPULATE_READ
#undef MADV_POPULATE_WRITE
#define fallocate(...) sim_only_linux_has_fallocate
#define memfd_create(...) sim_only_linux_has_memfd_create

#endif
