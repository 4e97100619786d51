/* SPDX-License-Identifier: MIT */
/* What an open descriptor leads to, and who uses it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ofd.h"

bool shmx_ofd_intact(const struct shmx_attachment *attachment)
{
    return shmx_posix_tagged(attachment->os.fd, attachment);
}

int shmx_ofd_label(int fd, off_t size, struct shmx_label *label, const char *name,
                   enum shmx_control_kind *kind)
{
    *kind = SHMX_CONTROL_NONE;
    if (size <= (off_t)SHMX_CONTROL_SIZE || size % 8 != 0)
        return SHMX_OK;
    int status = shmx_system.label(fd, (uint64_t)size, label);
    if (status == SHMX_OK)
        *kind = shmx_label_check(label, (uint64_t)size, name);
    return status == SHMX_ENOENT ? SHMX_OK : status;
}

/* Judge an object that nobody seems to use. */
static int judge_unused(int fd, const char *name, enum shmx_os_kind *kind)
{
    struct stat facts;
    struct shmx_label label;
    enum shmx_control_kind control;
    *kind = SHMX_OS_FOREIGN;
    if (fstat(fd, &facts) != 0)
        return shmx_posix_error(errno);
    if (!S_ISREG(facts.st_mode))
        return SHMX_OK;
    if (facts.st_nlink == 0)
        return SHMX_EAGAIN;
    int status = shmx_ofd_label(fd, facts.st_size, &label, name, &control);
    if (control == SHMX_CONTROL_DAMAGED)
        *kind = SHMX_OS_DAMAGED;
    else if (control == SHMX_CONTROL_GOOD)
        *kind = (label.flags & SHMX_PERSISTENT) != 0 ? SHMX_OS_LIVE : SHMX_OS_DEAD;
    return status;
}

/* On a kernel without them users cannot be told; another's object needs none. */
static int judge_without_locks(int fd, const char *name, enum shmx_os_kind *kind)
{
    int status = judge_unused(fd, name, kind);
    bool ours = *kind == SHMX_OS_LIVE || *kind == SHMX_OS_DEAD;
    return status == SHMX_OK && ours ? shmx_posix_error(ENOSYS) : status;
}

int shmx_ofd_judge(int fd, const char *name, enum shmx_os_kind *kind)
{
    *kind = SHMX_OS_LIVE;
    switch (shmx_ofd_held(fd, LOCK_USER)) {
    case F_RDLCK:
        return SHMX_OK;
    case F_WRLCK:
        return SHMX_EAGAIN;
    case F_UNLCK:
        return judge_unused(fd, name, kind);
    default:
        return errno == ENOSYS ? judge_without_locks(fd, name, kind) : shmx_posix_error(errno);
    }
}

/* ---- the same object once more ---- */

/* Without /proc: by the name in its label, if that still leads there. */
static int reopen_by_name(int fd, unsigned flags, int *out)
{
    struct stat facts, found;
    struct shmx_label label = {.name_length = 0};
    enum shmx_control_kind kind = SHMX_CONTROL_NONE;
    if (fstat(fd, &facts) == 0)
        shmx_ofd_label(fd, facts.st_size, &label, NULL, &kind);
    if (kind != SHMX_CONTROL_GOOD || label.name_length == 0 ||
        shmx_system.open_name(label.name, flags, out) != SHMX_OK)
        return shmx_posix_error(ENOSYS);
    if (fstat(*out, &found) == 0 && found.st_dev == facts.st_dev && found.st_ino == facts.st_ino)
        return SHMX_OK;
    close(*out);
    return shmx_posix_error(ENOSYS);
}

int shmx_ofd_reopen(int fd, unsigned flags, int *out)
{
    char self[32];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    int access = (flags & SHMX_READ_ONLY) != 0 ? O_RDONLY : O_RDWR;
    *out = shmx_posix_open(self, access, 0);
    if (*out >= 0)
        return SHMX_OK;
    return errno == ENOENT ? reopen_by_name(fd, flags, out) : shmx_posix_error(errno);
}
