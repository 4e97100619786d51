/* SPDX-License-Identifier: MIT */
/*
 * macOS 10.15 to 15, with the pages of Apple silicon. Objects are no files: they live in a tree of
 * the kernel, which nobody can list, until the machine is restarted. Each rule stands with the file
 * and function of xnu, or of libpthread, that it is from; NAMES in brackets are rules_test.c's.
 */
#include "shim.h"

/* bsd/sys/posix_shm.h, PSHMNAMLEN: with the slash [names]. */
#define NAME_MOST 31
#define PAGE ((size_t)16384)

static const char *const places[][2] = {
    {"/var/tmp", "/var/tmp"},
    {"/dev/shm", "/objects"}, /* for tests that look for leftovers; there is no such place */
    {"/proc", "/none"},
    {NULL, NULL}};

const struct sim_facts sim_facts = {
    .name = "macos",
    .places = places,
    .folds = true,           /* APFS and HFS+ as they are installed [case] */
    .link_error = ELOOP,     /* bsd/vfs/vfs_vnops.c, vn_open_auth [links] */
    .flock_error = ENOTSUP,  /* bsd/kern/kern_descrip.c, sys_flock: fp_getfvp [locks] */
    .fcntl_error = EBADF,    /* bsd/kern/kern_descrip.c, sys_fcntl_nocancel [locks] */
    .statvfs_error = EINVAL, /* bsd/vfs/vfs_syscalls.c, fstatfs: file_vnode [room] */
};

/* Memory does not outlive the machine. /var/tmp does, whoever owns what is there [restart]. */
void sim_restart(void)
{
    sim_clear("/objects", NULL);
}

static size_t pages(size_t length)
{
    return (length + PAGE - 1) / PAGE * PAGE;
}

/* ---- objects: bsd/kern/posix_shm.c ---- */

/* pshm_get_name: any bytes that fit; no slash is asked for [names]. */
static int object_path(const char *name, int too_long, char path[SIM_PATH_MAX])
{
    if (!sim_object_path(name, NAME_MOST, path))
        return sim_fail(too_long);
    return name[0] != '\0' ? 0 : sim_fail(EINVAL);
}

/* The mode is what was asked for; the umask has no part in it, whatever the manual page says
 * [mode]. */
static int make(const char *path, int how, mode_t mode)
{
    int fd = (open)(path, how | O_CREAT | O_EXCL | O_CLOEXEC, (mode & 07777) | SIM_MARK);
    if (fd >= 0)
        (fchmod)(fd, (mode & 07777) | SIM_MARK);
    return fd;
}

int sim_shm_open(const char *name, int how, mode_t mode)
{
    char path[SIM_PATH_MAX];
    struct stat facts;
    if (object_path(name, ENAMETOOLONG, path) != 0)
        return -1;
    if ((how & O_CREAT) != 0) {
        int made = make(path, how & O_ACCMODE, mode);
        if (made >= 0 || errno != EEXIST || (how & O_EXCL) != 0)
            return made;
    }
    int fd = (open)(path, (how & O_ACCMODE) | O_CLOEXEC);
    /* O_TRUNC is refused once there is a length [length]. */
    if (fd >= 0 && (how & O_TRUNC) != 0 && (fstat)(fd, &facts) == 0 && facts.st_size != 0) {
        close(fd);
        return sim_fail(EINVAL);
    }
    return fd;
}

/* shm_unlink: a process that may write, and the maker in any case. Too long a name is EINVAL here
 * [unlink]. */
int sim_shm_unlink(const char *name)
{
    char path[SIM_PATH_MAX];
    struct stat facts;
    if (object_path(name, EINVAL, path) != 0 || (stat)(path, &facts) != 0)
        return -1;
    if (facts.st_uid != geteuid() && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0)
        return -1;
    return (unlink)(path);
}

/* pshm_stat: the mode without a kind of file, the owner and the length; nothing else, so that no
 * two objects can be told from each other [facts]. */
int sim_fstat(int fd, struct stat *facts)
{
    if (!sim_object(fd, facts))
        return (fstat)(fd, facts);
    *facts = (struct stat){.st_mode = facts->st_mode & 07777 & ~(mode_t)SIM_MARK,
                           .st_uid = facts->st_uid,
                           .st_gid = facts->st_gid,
                           .st_size = facts->st_size};
    return 0;
}

/* pshm_truncate: once in an object's life, and to whole pages [length]. */
int sim_ftruncate(int fd, off_t length)
{
    struct stat facts;
    if (!sim_object(fd, &facts))
        return (ftruncate)(fd, length);
    if (facts.st_size != 0 || length < 0)
        return sim_fail(EINVAL);
    return (ftruncate)(fd, (off_t)pages((size_t)length));
}

/* bsd/vfs/vfs_syscalls.c, fchmod1: files only [mode]. */
int sim_fchmod(int fd, mode_t mode)
{
    struct stat facts;
    return sim_object(fd, &facts) ? sim_fail(EINVAL) : (fchmod)(fd, mode);
}

/* bsd/kern/sys_generic.c, valid_for_random_access: an object can be mapped, and not read or written
 * [mapped only]. */
ssize_t sim_pread(int fd, void *bytes, size_t count, off_t at)
{
    struct stat facts;
    return sim_object(fd, &facts) ? sim_fail(ESPIPE) : (pread)(fd, bytes, count, at);
}

ssize_t sim_pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    struct stat facts;
    return sim_object(fd, &facts) ? sim_fail(ESPIPE) : (pwrite)(fd, bytes, count, at);
}

/* ---- mapping ---- */

/* pshm_mmap: shared, within the length, and for writing only by a descriptor that is for writing;
 * that is EPERM and not EACCES [mapping]. Return 0 or an error number. */
static int may_map(int fd, size_t length, int protection, int how, off_t at)
{
    struct stat facts;
    if (!sim_object(fd, &facts))
        return 0;
    if ((how & MAP_TYPE) == MAP_PRIVATE)
        return EINVAL;
    if ((protection & PROT_WRITE) != 0 && ((fcntl)(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
        return EPERM;
    return (uint64_t)at + pages(length) > (uint64_t)facts.st_size ? EINVAL : 0;
}

/* Address space that begins at a page. */
static void *place_for(size_t length)
{
    char *space =
        (mmap)(NULL, length + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED)
        return MAP_FAILED;
    size_t before = (PAGE - (uintptr_t)space % PAGE) % PAGE;
    if (before != 0)
        (munmap)(space, before);
    (munmap)(space + before + length, PAGE - before);
    return space + before;
}

/* bsd/kern/kern_mman.c, mmap: by pages of 16 KiB [pages]. */
void *sim_mmap(void *place, size_t length, int protection, int how, int fd, off_t at)
{
    bool anonymous = (how & MAP_ANONYMOUS) != 0;
    int error = length == 0 || at % (off_t)PAGE != 0 ? EINVAL : 0;
    if ((how & MAP_FIXED) != 0 && (uintptr_t)place % PAGE != 0)
        error = EINVAL;
    if (error == 0 && !anonymous)
        error = may_map(fd, length, protection, how, at);
    if (error != 0 || length > SIZE_MAX - 2 * PAGE) {
        errno = error != 0 ? error : ENOMEM;
        return MAP_FAILED;
    }
    bool placed = (how & MAP_FIXED) != 0;
    if (!placed)
        place = place_for(pages(length));
    if (place == MAP_FAILED)
        return MAP_FAILED;
    void *data = (mmap)(place, pages(length), protection, how | MAP_FIXED, fd, at);
    error = errno;
    if (data == MAP_FAILED && !placed)
        (munmap)(place, pages(length));
    errno = error;
    return data;
}

/* bsd/kern/kern_mman.c, munmap [pages]. */
int sim_munmap(void *data, size_t length)
{
    if ((uintptr_t)data % PAGE != 0 || length == 0)
        return sim_fail(EINVAL);
    return (munmap)(data, pages(length));
}

long sim_sysconf(int what)
{
    return what == _SC_PAGESIZE ? (long)PAGE : (sysconf)(what);
}

/* ---- threads: libpthread ---- */

/* src/pthread_rwlock.c, pthread_rwlock_init, _pthread_rwlock_check_busy: a lock that is held is not
 * made anew; EBUSY, and it stays as it is [rwlock]. */
int sim_rwlock_init(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attributes)
{
    bool held = lock->__data.__cur_writer != 0 || lock->__data.__readers >> 3 != 0;
    return held ? EBUSY : (pthread_rwlock_init)(lock, attributes);
}

static unsigned faulted;
static unsigned interrupted;

/* ---- waiting: bsd/kern/sys_ulock.c, as libplatform's os_sync_... offers it ---- */

#define SHARED 1u
#define CLOCK_ABSOLUTE 32u

/* True if the word's page is in the process's own tables. */
static bool read_tables(const void *word)
{
    uint64_t entry = 0;
    int fd = (open)("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    off_t at = (off_t)((uintptr_t)word / 4096 * sizeof entry);
    bool is = (pread)(fd, &entry, sizeof entry, at) != (ssize_t)sizeof entry || entry >> 63 != 0;
    close(fd);
    return is;
}

/* The system itself looks, which is no cancellation point. */
static bool present(const void *word)
{
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    bool is = read_tables(word);
    pthread_setcancelstate(before, &before);
    return is;
}

/* sys_ulock_wait2 reads the word under a spinlock, where no page can be fetched: EFAULT, until the
 * process itself has touched the page. It takes pages away as it likes [fault]. */
static bool faults(const void *word)
{
    uintptr_t page = (uintptr_t)word / 4096 * 4096;
    int before = errno;
    if (sim_sometimes(&faulted, 16))
        madvise((void *)page, 4096, MADV_DONTNEED);
    bool is = !present(word);
    errno = before;
    return is;
}

static bool arguments_good(const void *word, size_t size, uint32_t flags)
{
    return (size == 4 || size == 8) && (uintptr_t)word % size == 0 && (flags & ~SHARED) == 0;
}

static int wait_with_timeout(void *word, uint64_t value, size_t size, uint32_t flags,
                             uint32_t clock, uint64_t nanoseconds)
{
    /* No time at all is EINVAL, not ETIMEDOUT [time]. */
    if (!arguments_good(word, size, flags) || clock != CLOCK_ABSOLUTE || nanoseconds == 0)
        return sim_fail(EINVAL);
    if (faults(word))
        return sim_fail(EFAULT);
    if (sim_sometimes(&interrupted, 61))
        return sim_fail(EINTR);
    struct timespec length = {(time_t)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)};
    struct timespec end = sim_time_after(&length);
    int result = sim_futex_wait(word, (uint32_t)value, &end);
    return result == 0 || errno == EAGAIN ? 0 : -1;
}

/* sys_ulock_wake: ENOENT if nobody sleeps there [wake]. */
static int wake(void *word, size_t size, uint32_t flags, int count)
{
    if (!arguments_good(word, size, flags))
        return sim_fail(EINVAL);
    int woken = sim_futex_wake(word, count);
    return woken > 0 ? 0 : sim_fail(woken == 0 ? ENOENT : errno);
}

static int wake_any(void *word, size_t size, uint32_t flags)
{
    return wake(word, size, flags, 1);
}

static int wake_all(void *word, size_t size, uint32_t flags)
{
    return wake(word, size, flags, INT_MAX);
}

/* The os_sync_... calls came with macOS 14.4 [old]. */
void *sim_dlsym(void *handle, const char *name)
{
    static const struct {
        const char *name;
        void (*function)(void);
    } known[] = {{"os_sync_wait_on_address_with_timeout", (void (*)(void))wait_with_timeout},
                 {"os_sync_wake_by_address_any", (void (*)(void))wake_any},
                 {"os_sync_wake_by_address_all", (void (*)(void))wake_all}};
    void *found;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0 && getenv(SIM_OLD) == NULL) {
            memcpy(&found, &known[i].function, sizeof found);
            return found;
        }
    return (dlsym)(handle, name);
}
