/* SPDX-License-Identifier: MIT */
/*
 * FreeBSD 14. Objects are no files: they live in a dictionary of the kernel, until the machine is
 * restarted. Each rule stands with the file and function of FreeBSD's sources that it is from;
 * NAMES in brackets are rules_test.c's.
 */
#include "shim.h"

#include <sys/sysctl.h>
#include <sys/umtx.h>
#include <sys/user.h>

/* MAXPATHLEN with the NUL. */
#define NAME_MOST 1023
#define PAGE 4096

static const char *const places[][2] = {
    {"/var/tmp", "/var/tmp"},
    {"/dev/shm", "/objects"}, /* for tests that look for leftovers; there is no such place */
    {"/proc", "/none"},       /* procfs(5): not mounted unless the administrator wants it */
    {NULL, NULL}};

const struct sim_facts sim_facts = {
    .name = "freebsd",
    .places = places,
    .link_error = EMLINK,      /* kern/vfs_vnops.c, vn_open_vnode [links] */
    .flock_error = EOPNOTSUPP, /* kern/kern_descrip.c, kern_flock [locks] */
    .fcntl_error = EBADF,      /* kern/kern_descrip.c, kern_fcntl [locks] */
    .statvfs_error = EINVAL,   /* kern/vfs_syscalls.c, kern_fstatfs: getvnode [room] */
};

/* Memory does not outlive the machine; lock files in /var/tmp do (rc.d/cleartmp empties /tmp, and
 * only if told to) [restart]. */
void sim_restart(void)
{
    sim_clear("/objects", NULL);
}

/* ---- objects: kern/uipc_shm.c ---- */

/* shm_copyin_path: a slash comes first; the rest is free [names]. */
static int object_path(const char *name, char path[SIM_PATH_MAX])
{
    if (!sim_object_path(name, NAME_MOST, path))
        return sim_fail(ENAMETOOLONG);
    return name[0] == '/' ? 0 : sim_fail(EINVAL);
}

int sim_shm_open(const char *name, int how, mode_t mode)
{
    char path[SIM_PATH_MAX];
    int way = how & O_ACCMODE;
    /* kern_shm_open2: these flags and no others, and never for writing only [flags]. */
    if ((way != O_RDONLY && way != O_RDWR) ||
        (how & ~(O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC)) != 0)
        return sim_fail(EINVAL);
    if (object_path(name, path) != 0)
        return -1;
    /* The umask counts, and only the access bits of the mode [mode]. */
    return (open)(path, how | O_CLOEXEC, (mode & 0777) | SIM_MARK);
}

/* shm_remove: a process that may read and write an object may unlink it; without these rights not
 * even its owner may [unlink]. */
int sim_shm_unlink(const char *name)
{
    char path[SIM_PATH_MAX];
    if (object_path(name, path) != 0)
        return -1;
    if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) != 0)
        return -1;
    return (unlink)(path);
}

/* shm_stat: st_blocks counts pages, all that the length needs, whether they are there or not; the
 * number of links is one of mappings, and not 0 without a name [facts]. */
int sim_fstat(int fd, struct stat *facts)
{
    if (!sim_object(fd, facts))
        return (fstat)(fd, facts);
    facts->st_mode = S_IFREG | (facts->st_mode & 0777);
    facts->st_blksize = PAGE;
    facts->st_blocks = (facts->st_size + PAGE - 1) / PAGE;
    facts->st_nlink = 1;
    facts->st_dev = 0xfb5d; /* the device of shared memory is none of a file system */
    return 0;
}

/* shm_chmod: the access bits only [mode]. */
int sim_fchmod(int fd, mode_t mode)
{
    struct stat facts;
    return (fchmod)(fd, sim_object(fd, &facts) ? (mode & 0777) | SIM_MARK : mode);
}

/* shm_write: an object does not grow by being written to; what lies behind its end is not written,
 * and that is no error [write]. */
ssize_t sim_pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    struct stat facts;
    if (sim_object(fd, &facts) && at >= 0) {
        off_t room = at < facts.st_size ? facts.st_size - at : 0;
        count = (off_t)count < room ? count : (size_t)room;
    }
    return (pwrite)(fd, bytes, count, at);
}

/* ---- listing: kern/uipc_shm.c, sysctl_posix_shm_list ---- */

/* kern/kern_descrip.c, pack_kinfo: an entry ends behind its path, rounded up [listing]. */
static size_t entry_size(const char *path)
{
    size_t size = offsetof(struct kinfo_file, kf_path) + strlen(path) + 1;
    return (size + sizeof(uint64_t) - 1) / sizeof(uint64_t) * sizeof(uint64_t);
}

static void entry_write(void *place, const char *name, const struct stat *facts)
{
    struct kinfo_file entry = {.kf_type = KF_TYPE_SHM};
    snprintf(entry.kf_path, sizeof entry.kf_path, "/%s", name);
    entry.kf_structsize = (int)entry_size(entry.kf_path);
    entry.kf_un.kf_file.kf_file_size = (uint64_t)facts->st_size;
    entry.kf_un.kf_file.kf_file_mode = (uint16_t)(S_IFREG | (facts->st_mode & 0777));
    memcpy(place, &entry, (size_t)entry.kf_structsize);
}

/* All objects of all users. A buffer that is too short gets what fits, and ENOMEM [listing]. */
int sysctlbyname(const char *name, void *old, size_t *old_length, const void *now,
                 size_t now_length)
{
    char path[SIM_PATH_MAX], shown[SIM_PATH_MAX];
    struct stat facts;
    size_t used = 0;
    bool whole = true;
    (void)now_length;
    if (strcmp(name, "kern.ipc.posix_shm_list") != 0)
        return sim_fail(ENOENT);
    if (now != NULL)
        return sim_fail(EPERM);
    snprintf(path, sizeof path, "%s/objects", sim_root());
    DIR *list = (opendir)(path);
    if (list == NULL)
        return -1;
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (entry->d_name[0] == '.' ||
            fstatat(dirfd(list), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        snprintf(shown, sizeof shown, "/%s", entry->d_name);
        size_t size = entry_size(shown);
        bool fits = old == NULL || used + size <= *old_length;
        whole = whole && fits;
        if (old != NULL && whole)
            entry_write((char *)old + used, entry->d_name, &facts);
        used += whole ? size : 0;
    }
    closedir(list);
    *old_length = used;
    return whole ? 0 : sim_fail(ENOMEM);
}

static unsigned interrupted;

/* ---- waiting: kern/kern_umtx.c ---- */

/* umtx_copyin_umtx_time: the time's size says what it is. A plain timespec is a length on
 * CLOCK_REALTIME; with flags and a clock it may be a point [time]. */
static struct timespec deadline(const struct _umtx_time *time, size_t size)
{
    struct timespec now, length = time->_timeout;
    if (size > sizeof time->_timeout && (time->_flags & UMTX_ABSTIME) != 0) {
        clock_gettime((clockid_t)time->_clockid, &now);
        length.tv_sec -= now.tv_sec;
        length.tv_nsec -= now.tv_nsec;
        if (length.tv_nsec < 0) {
            length.tv_sec--;
            length.tv_nsec += 1000000000;
        }
    }
    if (length.tv_sec < 0)
        length = (struct timespec){0, 0};
    return sim_time_after(&length);
}

/* do_wait: another value is no error; a signal is always EINTR, whether its handler restarts calls
 * or not [signals]. */
static int wait_uint(const void *word, uint32_t value, size_t size, const struct _umtx_time *time)
{
    struct timespec end;
    if (time != NULL && !sim_time_good(&time->_timeout))
        return sim_fail(EINVAL);
    if (time != NULL)
        end = deadline(time, size);
    if (sim_sometimes(&interrupted, 61))
        return sim_fail(EINTR);
    int result = sim_futex_wait(word, value, time != NULL ? &end : NULL);
    return result == 0 || errno == EAGAIN ? 0 : -1;
}

int _umtx_op(void *object, int operation, unsigned long value, void *address, void *address2)
{
    /* umtx_key_get: looks the word's page up for writing, also to wait and to wake [read-only]. */
    if (!sim_writable(object))
        return sim_fail(EFAULT);
    switch (operation) {
    case UMTX_OP_WAKE:
        /* kern_umtx_wake: the number of those woken is not told [wake]. */
        return sim_futex_wake(object, (int)value) >= 0 ? 0 : -1;
    case UMTX_OP_WAIT_UINT:
        return wait_uint(object, (uint32_t)value, (size_t)address, address2);
    default:
        return sim_fail(EINVAL);
    }
}
