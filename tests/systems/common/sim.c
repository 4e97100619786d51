/* SPDX-License-Identifier: MIT */
#include <linux/futex.h>
#include <strings.h>

#include "sim.h"

int sim_fail(int number)
{
    errno = number;
    return -1;
}

bool sim_sometimes(unsigned *calls, unsigned in)
{
    return __atomic_add_fetch(calls, 1, __ATOMIC_RELAXED) % in == 0;
}

/* ---- the machine ---- */

static char root[SIM_PATH_MAX / 2];

static void make_directory(const char *path, mode_t mode)
{
    char whole[SIM_PATH_MAX];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    if ((mkdir)(whole, 0777) == 0)
        (chmod)(whole, mode); /* whatever the umask */
}

static void make_machine(void)
{
    make_directory("", 01777);
    make_directory("/objects", 0777); /* the object itself says who may unlink it */
    make_directory("/tmp", 01777);
    make_directory("/var", 01777);
    make_directory("/var/tmp", 01777);
    make_directory("/var/shm", 01777);
}

static void find_machine(void)
{
    const char *chosen = getenv("SHMX_SIM_ROOT");
    if (chosen != NULL)
        snprintf(root, sizeof root, "%s", chosen);
    else
        snprintf(root, sizeof root, "/dev/shm/.sim-%s", sim_facts.name);
    make_machine();
}

const char *sim_root(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_machine);
    return root;
}

/* The entry that differs at most in the case of letters, else the name as it is. */
static void fold(char *path)
{
    char *name = strrchr(path, '/');
    if ((access)(path, F_OK) == 0 || name == NULL)
        return;
    *name = '\0';
    DIR *directory = (opendir)(path);
    *name++ = '/';
    if (directory == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (strcasecmp(entry->d_name, name) == 0) {
            memcpy(name, entry->d_name, strlen(name));
            break;
        }
    closedir(directory);
}

static bool below(const char *path, const char *place, const char **rest)
{
    size_t length = strlen(place);
    *rest = path + length;
    return strncmp(path, place, length) == 0 && (**rest == '\0' || **rest == '/');
}

const char *sim_path(const char *path, char buffer[SIM_PATH_MAX])
{
    const char *rest;
    for (const char *const(*place)[2] = sim_facts.places; (*place)[0] != NULL; place++) {
        if (!below(path, (*place)[0], &rest))
            continue;
        snprintf(buffer, SIM_PATH_MAX, "%s%s%s", sim_root(), (*place)[1], rest);
        if (sim_facts.folds)
            fold(buffer);
        return buffer;
    }
    return path;
}

static void clear(const char *path, bool (*which)(const char *path, const struct stat *facts))
{
    char inner[SIM_PATH_MAX];
    struct stat facts;
    DIR *list = (opendir)(path);
    if (list == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) >= (int)sizeof inner ||
            (lstat)(inner, &facts) != 0 || (which != NULL && !which(inner, &facts)))
            continue;
        if (S_ISDIR(facts.st_mode))
            clear(inner, which);
        (remove)(inner);
    }
    closedir(list);
}

void sim_clear(const char *directory, bool (*which)(const char *path, const struct stat *facts))
{
    char path[SIM_PATH_MAX];
    snprintf(path, sizeof path, "%s%s", sim_root(), directory);
    clear(path, which);
}

/* ---- objects ---- */

bool sim_object(int fd, struct stat *facts)
{
    int before = errno;
    bool is =
        (fstat)(fd, facts) == 0 && S_ISREG(facts->st_mode) && (facts->st_mode & SIM_MARK) != 0;
    errno = before;
    return is;
}

bool sim_object_path(const char *name, size_t most, char path[SIM_PATH_MAX])
{
    if (strlen(name) > most)
        return false;
    int start = snprintf(path, SIM_PATH_MAX, "%s/objects/", sim_root());
    snprintf(path + start, SIM_PATH_MAX - (size_t)start, name[0] == '/' ? "%s" : "/%s",
             name[0] == '/' ? name + 1 : name);
    for (char *at = path + start; *at != '\0'; at++)
        if (*at == '/')
            *at = '%';
    return true;
}

/* ---- waiting ---- */

int sim_futex_wait(const void *word, uint32_t expected, const struct timespec *end)
{
    return (int)(syscall)(SYS_futex, word, FUTEX_WAIT_BITSET, expected, end, NULL,
                          FUTEX_BITSET_MATCH_ANY);
}

int sim_futex_wake(const void *word, int count)
{
    return (int)(syscall)(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

struct timespec sim_time_after(const struct timespec *length)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    long nanoseconds = end.tv_nsec + length->tv_nsec;
    end.tv_sec += length->tv_sec + nanoseconds / 1000000000;
    end.tv_nsec = nanoseconds % 1000000000;
    return end;
}

bool sim_time_good(const struct timespec *time)
{
    return time->tv_sec >= 0 && time->tv_nsec >= 0 && time->tv_nsec < 1000000000;
}

/* Make a page present for writing: MADV_POPULATE_WRITE, Linux 5.14. */
static bool populated(const void *word)
{
    return madvise((void *)((uintptr_t)word / 4096 * 4096), 4096, 23) == 0;
}

bool sim_writable(const void *word)
{
    static uint32_t ours;
    int before = errno;
    bool may = populated(word) || !populated(&ours); /* or the kernel does not know it */
    errno = before;
    return may;
}

/* ---- fork ---- */

/* glibc's own; the last is the library whose end takes them away: none. */
int __register_atfork(void (*before)(void), void (*parent)(void), void (*child)(void), void *of);

int sim_atfork_for_ever(void (*before)(void), void (*parent)(void), void (*child)(void))
{
    return __register_atfork(before, parent, child, NULL);
}

/* ---- calls that want a file ---- */

int sim_flock(int fd, int operation)
{
    struct stat facts;
    if (sim_facts.flock_error != 0 && sim_object(fd, &facts))
        return sim_fail(sim_facts.flock_error);
    if ((operation & LOCK_UN) == 0 && getenv(SIM_LOCKED_OUT) != NULL)
        return sim_fail(ENOLCK);
    return (flock)(fd, operation);
}

static bool locks(int operation)
{
    return operation == F_GETLK || operation == F_SETLK || operation == F_SETLKW ||
           operation == 36 || operation == 37 || operation == 38; /* F_OFD_... */
}

int sim_fcntl(int fd, int operation, ...)
{
    struct stat facts;
    va_list more;
    va_start(more, operation);
    int number = locks(operation) ? 0 : va_arg(more, int);
    struct flock *lock = locks(operation) ? va_arg(more, struct flock *) : NULL;
    va_end(more);
    if (lock == NULL)
        return (fcntl)(fd, operation, number);
    if (sim_facts.fcntl_error != 0 && sim_object(fd, &facts))
        return sim_fail(sim_facts.fcntl_error);
    return (fcntl)(fd, operation, lock);
}

int sim_fstatvfs(int fd, struct statvfs *room)
{
    struct stat facts;
    if (sim_facts.statvfs_error != 0 && sim_object(fd, &facts))
        return sim_fail(sim_facts.statvfs_error);
    return (fstatvfs)(fd, room);
}

/* ---- calls that take paths ---- */

/* Where case does not count, two that make a file at once see each other. Returns a descriptor to
 * close, or -1. */
static int keep_out_makers(const char *path, int how)
{
    char directory[SIM_PATH_MAX];
    if (!sim_facts.folds || (how & O_CREAT) == 0)
        return -1;
    snprintf(directory, sizeof directory, "%s", path);
    char *end = strrchr(directory, '/');
    if (end == NULL)
        return -1;
    end[1] = '\0';
    int fd = (open)(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (flock)(fd, LOCK_EX);
    return fd;
}

int sim_open(const char *path, int how, ...)
{
    char buffer[SIM_PATH_MAX];
    va_list more;
    va_start(more, how);
    mode_t mode = (how & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    const char *real = sim_path(path, buffer);
    if (real == buffer && (how & O_CREAT) != 0 && getenv(SIM_FULL) != NULL &&
        (access)(real, F_OK) != 0)
        return sim_fail(ENOSPC);
    int directory = real == buffer ? keep_out_makers(real, how) : -1;
    if (directory >= 0)
        real = sim_path(path, buffer);
    int fd = (open)(real, how, mode);
    int error = fd < 0 && errno == ELOOP && (how & O_NOFOLLOW) != 0 ? sim_facts.link_error : errno;
    if (directory >= 0)
        (close)(directory);
    errno = error;
    return fd;
}

int sim_unlink(const char *path)
{
    char buffer[SIM_PATH_MAX];
    return (unlink)(sim_path(path, buffer));
}

int sim_access(const char *path, int how)
{
    char buffer[SIM_PATH_MAX];
    return (access)(sim_path(path, buffer), how);
}

ssize_t sim_readlink(const char *path, char *bytes, size_t count)
{
    char buffer[SIM_PATH_MAX];
    return (readlink)(sim_path(path, buffer), bytes, count);
}

int sim_stat(const char *path, struct stat *facts)
{
    char buffer[SIM_PATH_MAX];
    return (stat)(sim_path(path, buffer), facts);
}

int sim_lstat(const char *path, struct stat *facts)
{
    char buffer[SIM_PATH_MAX];
    return (lstat)(sim_path(path, buffer), facts);
}

int sim_chmod(const char *path, mode_t mode)
{
    char buffer[SIM_PATH_MAX];
    return (chmod)(sim_path(path, buffer), mode);
}

int sim_chown(const char *path, uid_t user, gid_t group)
{
    char buffer[SIM_PATH_MAX];
    return (chown)(sim_path(path, buffer), user, group);
}

int sim_mkdir(const char *path, mode_t mode)
{
    char buffer[SIM_PATH_MAX];
    return (mkdir)(sim_path(path, buffer), mode);
}

int sim_rmdir(const char *path)
{
    char buffer[SIM_PATH_MAX];
    return (rmdir)(sim_path(path, buffer));
}

int sim_remove(const char *path)
{
    char buffer[SIM_PATH_MAX];
    return (remove)(sim_path(path, buffer));
}

int sim_mkfifo(const char *path, mode_t mode)
{
    char buffer[SIM_PATH_MAX];
    return (mkfifo)(sim_path(path, buffer), mode);
}

int sim_symlink(const char *target, const char *path)
{
    char buffer[SIM_PATH_MAX];
    return (symlink)(target, sim_path(path, buffer));
}

int sim_link(const char *from, const char *to)
{
    char buffer[SIM_PATH_MAX], other[SIM_PATH_MAX];
    return (link)(sim_path(from, buffer), sim_path(to, other));
}

int sim_rename(const char *from, const char *to)
{
    char buffer[SIM_PATH_MAX], other[SIM_PATH_MAX];
    return (rename)(sim_path(from, buffer), sim_path(to, other));
}

int sim_truncate(const char *path, off_t length)
{
    char buffer[SIM_PATH_MAX];
    return (truncate)(sim_path(path, buffer), length);
}

DIR *sim_opendir(const char *path)
{
    char buffer[SIM_PATH_MAX];
    return (opendir)(sim_path(path, buffer));
}

FILE *sim_fopen(const char *path, const char *how)
{
    char buffer[SIM_PATH_MAX];
    return (fopen)(sim_path(path, buffer), how);
}

int sim_statvfs(const char *path, struct statvfs *room)
{
    char buffer[SIM_PATH_MAX];
    return (statvfs)(sim_path(path, buffer), room);
}

int sim_utimensat(int at, const char *path, const struct timespec times[2], int how)
{
    char buffer[SIM_PATH_MAX];
    return (utimensat)(at, sim_path(path, buffer), times, how);
}
