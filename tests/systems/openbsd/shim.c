/* SPDX-License-Identifier: MIT */
/*
 * OpenBSD 7. Objects are files of /tmp. There is no unified buffer cache: what is read and written
 * is one copy of a file, what is mapped is another. Each rule stands with the file and function of
 * OpenBSD's sources that it is from; NAMES in brackets are rules_test.c's.
 */
#include "shim.h"

#include <signal.h>
#include <sys/futex.h>

static const char *const places[][2] = {
    {"/var/tmp", "/tmp"},  /* hier(7): a link to it */
    {"/dev/shm", "/none"}, /* objects have no names that could be looked for */
    {"/proc", "/none"},    /* there is none */
    {NULL, NULL}};

const struct sim_facts sim_facts = {
    .name = "openbsd",
    .places = places,
    .link_error = ELOOP, /* kern/vfs_vnops.c, vn_open [links] */
};

/* etc/rc: /tmp is emptied, objects and lock files [restart]. */
void sim_restart(void)
{
    sim_clear("/tmp", NULL);
}

#define WEEK (7 * 24 * 3600)

/* Where find(1) does not go. */
static bool spared(const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    return strncmp(name, "ssh-", 4) == 0 || strcmp(name, ".X11-unix") == 0 ||
           strcmp(name, ".ICE-unix") == 0;
}

static bool unread_for_a_week(const char *path, const struct stat *facts)
{
    if (S_ISDIR(facts->st_mode))
        return !spared(path);
    return S_ISREG(facts->st_mode) && facts->st_atime < time(NULL) - WEEK;
}

/* etc/daily: plain files of /tmp that nobody has read for a week, open, mapped and locked ones
 * too; and empty directories. Below /tmp/ssh-... it takes nothing [daily]. */
void sim_daily(void)
{
    sim_clear("/tmp", unread_for_a_week);
}

/* ---- objects: lib/libc/gen/shm_open.c ---- */

/* makeshmpath: the name is hashed, slash and all [path]. */
void sim_shm_path(const char *name, char path[SIM_PATH_MAX])
{
    char digits[65];
    sim_sha256(name, digits);
    snprintf(path, SIM_PATH_MAX, "%s/tmp/%s.shm", sim_root(), digits);
}

/* The file is a plain one of this very user: of the real one, not the effective one, so that a
 * program that runs with another's rights makes an object and may not have it [owner]. */
static int checked(int fd)
{
    struct stat facts;
    int error = 0;
    if (fd < 0)
        return -1;
    if ((fstat)(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
        error = EINVAL;
    else if (facts.st_uid != getuid())
        error = EPERM;
    if (error == 0)
        return fd;
    close(fd);
    return sim_fail(error);
}

/* OK_FLAGS and no others, and never for writing only; the mode can give others nothing [flags]. */
int sim_shm_open(const char *name, int how, mode_t mode)
{
    char path[SIM_PATH_MAX];
    int way = how & O_ACCMODE;
    if ((way != O_RDONLY && way != O_RDWR) ||
        (how & ~(O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC | O_NOFOLLOW)) != 0)
        return sim_fail(EINVAL);
    sim_shm_path(name, path);
    /* A pipe that somebody has put there is waited for [pipe]. */
    return checked((open)(path, how | O_CLOEXEC | O_NOFOLLOW, (mode & 0600) | SIM_MARK));
}

int sim_shm_unlink(const char *name)
{
    char path[SIM_PATH_MAX];
    sim_shm_path(name, path);
    return (unlink)(path);
}

/* ---- two copies of an object: uvm/uvm_vnode.c ---- */

/*
 * Pages of a mapping are filled from the file when they are first touched (uvn_get, uvn_io) and
 * stay, also without a mapping (uvn_detach, UVM_VNODE_CANPERSIST); neither later writes to the file
 * change them, nor do they change what is read [two copies]. One Linux file has both: what is read
 * and written at its start, what is mapped from MAPPED on. Its length is MAPPED more than it says.
 */
#define MAPPED ((off_t)1 << 40)
#define PAGE ((off_t)4096)

/* The object's length; -1: no object. */
static off_t length_of(int fd)
{
    struct stat facts;
    if (!sim_object(fd, &facts))
        return -1;
    return facts.st_size > MAPPED ? facts.st_size - MAPPED : 0;
}

/* The limit on the length of files is for the program, and not for where copies lie. */
static void limit_lift(struct rlimit *before)
{
    getrlimit(RLIMIT_FSIZE, before);
    if (before->rlim_cur != RLIM_INFINITY)
        setrlimit(RLIMIT_FSIZE,
                  &(struct rlimit){geteuid() == 0 ? RLIM_INFINITY : before->rlim_max,
                                   geteuid() == 0 ? RLIM_INFINITY : before->rlim_max});
}

static void limit_restore(const struct rlimit *before)
{
    int error = errno;
    if (before->rlim_cur != RLIM_INFINITY)
        setrlimit(RLIMIT_FSIZE, before);
    errno = error;
}

/* kern/vfs_vnops.c, vn_fsizechk. */
static bool too_long(off_t length)
{
    struct rlimit limit;
    bool is = getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
              (uint64_t)length > limit.rlim_cur;
    if (is)
        raise(SIGXFSZ);
    return is;
}

static int set_length(int fd, off_t length, off_t before)
{
    struct rlimit limit;
    if (too_long(length))
        return sim_fail(EFBIG);
    limit_lift(&limit);
    int result = (ftruncate)(fd, length == 0 ? 0 : MAPPED + length);
    if (result == 0 && length < before)
        (fallocate)(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, length, before - length);
    limit_restore(&limit);
    return result;
}

int sim_ftruncate(int fd, off_t length)
{
    off_t before = length_of(fd);
    if (before < 0)
        return (ftruncate)(fd, length);
    return length < 0 ? sim_fail(EINVAL) : set_length(fd, length, before);
}

int sim_fstat(int fd, struct stat *facts)
{
    off_t length = length_of(fd);
    if ((fstat)(fd, facts) != 0 || length < 0)
        return length < 0 ? (fstat)(fd, facts) : -1;
    off_t blocks = (length + PAGE - 1) / PAGE * (PAGE / 512);
    facts->st_mode &= ~(mode_t)SIM_MARK;
    facts->st_size = length;
    facts->st_blocks = facts->st_blocks < blocks ? facts->st_blocks : blocks;
    return 0;
}

int sim_fchmod(int fd, mode_t mode)
{
    struct stat facts;
    return (fchmod)(fd, sim_object(fd, &facts) ? (mode & 0777) | SIM_MARK : mode);
}

ssize_t sim_pread(int fd, void *bytes, size_t count, off_t at)
{
    off_t length = length_of(fd);
    if (length >= 0 && at >= 0) {
        off_t left = at < length ? length - at : 0;
        count = (off_t)count < left ? count : (size_t)left;
    }
    return (pread)(fd, bytes, count, at);
}

ssize_t sim_pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    off_t length = length_of(fd);
    if (length >= 0 && at >= 0 && at + (off_t)count > length &&
        set_length(fd, at + (off_t)count, length) != 0)
        return -1;
    return (pwrite)(fd, bytes, count, at);
}

static bool blank(const char page[PAGE])
{
    for (off_t i = 0; i < PAGE; i++)
        if (page[i] != 0)
            return false;
    return true;
}

/* Fill pages that no mapping has touched from what was written. */
static void page_in(int fd, off_t at, off_t end)
{
    static const char writable[] = "/proc/self/fd/%d";
    char path[sizeof writable + 12], page[PAGE];
    struct rlimit limit;
    if (lseek(fd, at, SEEK_DATA) < 0)
        return;
    snprintf(path, sizeof path, writable, fd);
    int both = (open)(path, O_RDWR | O_CLOEXEC);
    if (both < 0)
        return;
    limit_lift(&limit);
    for (; (at = lseek(both, at, SEEK_DATA)) >= 0 && at < end; at += PAGE) {
        bool touched = lseek(both, MAPPED + at, SEEK_HOLE) != MAPPED + at;
        ssize_t got = touched ? 0 : (pread)(both, page, PAGE, at);
        if (got == PAGE && !blank(page) && (pwrite)(both, page, PAGE, MAPPED + at) != PAGE)
            break;
    }
    limit_restore(&limit);
    close(both);
}

void *sim_mmap(void *place, size_t length, int protection, int how, int fd, off_t at)
{
    off_t whole = (how & MAP_ANONYMOUS) != 0 ? -1 : length_of(fd);
    if (whole < 0)
        return (mmap)(place, length, protection, how, fd, at);
    off_t end = at + (off_t)length < whole ? at + (off_t)length : whole;
    int before; /* mmap(2) is no cancellation point */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    page_in(fd, at, end);
    pthread_setcancelstate(before, &before);
    return (mmap)(place, length, protection, how, fd, MAPPED + at);
}

static unsigned canceled;
static unsigned interrupted;

/* ---- waiting: kern/sys_futex.c ---- */

/* The time is a length [time]; a signal whose handler restarts calls is ECANCELED, another one
 * EINTR [signals]; other operations are ENOSYS. */
int futex(volatile uint32_t *word, int operation, int value, const struct timespec *length,
          volatile uint32_t *other)
{
    struct timespec end;
    (void)other;
    if (operation == FUTEX_WAKE)
        return sim_futex_wake((const void *)word, value);
    if (operation != FUTEX_WAIT)
        return sim_fail(ENOSYS);
    if (length != NULL && !sim_time_good(length))
        return sim_fail(EINVAL);
    if (sim_sometimes(&canceled, 31))
        return sim_fail(ECANCELED);
    if (sim_sometimes(&interrupted, 37))
        return sim_fail(EINTR);
    if (length != NULL)
        end = sim_time_after(length);
    return sim_futex_wait((const void *)word, (uint32_t)value, length != NULL ? &end : NULL);
}
