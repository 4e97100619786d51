/* SPDX-License-Identifier: MIT */
/*
 * Objects on Linux: files of /dev/shm, whose lifetime the kernel keeps by open-file-description
 * locks (F_OFD_SETLK, fcntl(2)). docs/lifetime.md has the proof; the rules are:
 *
 *   - An object appears under its name whole: it is made nameless (O_TMPFILE), filled, and then
 *     linked (linkat(2)). No name ever leads to a half-made object of ours.
 *   - A user holds a read lock on byte USER of the object. The creator takes it before the object
 *     has a name, everybody else only after having seen another user's lock. So an object without
 *     one is dead, for ever.
 *   - Only who holds the write lock on byte NAME of an object, and has seen under it that the
 *     object still has its name, may remove the name. As an object of ours gets one name only, and
 *     nobody else can remove it meanwhile, a successor's name is never removed.
 *   - The last user finds that it is the last by getting the write lock on both bytes.
 *
 * Foreign and raw objects carry no such locks and only lose their name by shmx_unlink.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/control.h"
#include "ofd.h"
#include "posix.h"
#include "reserve.h"

#define DIRECTORY "/dev/shm"

/* ---- names ---- */

static int open_name(const char *name, unsigned flags, int *fd)
{
    char path[SHMX_NAME_MAX + 2] = "/";
    memcpy(path + 1, name, strlen(name) + 1);
    int access = (flags & SHMX_READ_ONLY) != 0 ? O_RDONLY : O_RDWR;
    /* A pipe that is planted there is not waited for. */
    do
        *fd = shm_open(path, access | O_NONBLOCK, 0);
    while (*fd < 0 && errno == EINTR);
    *fd = shmx_posix_clear_of_streams(*fd);
    if (*fd < 0 && errno == EINVAL)
        errno = EISDIR; /* as which glibc reports a directory */
    return *fd >= 0 ? SHMX_OK : shmx_posix_error(errno);
}

/* Give the new object its name. AT_EMPTY_PATH needs no /proc, and is open to everybody since
 * Linux 6.10; before, to CAP_DAC_READ_SEARCH. */
static int publish(int fd, const char *name)
{
    char path[sizeof DIRECTORY + SHMX_NAME_MAX + 1] = DIRECTORY "/";
    memcpy(path + sizeof DIRECTORY, name, strlen(name) + 1);
#ifndef SHMX_LINK_BY_PROC
    if (linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0)
        return SHMX_OK;
    if (errno != ENOENT && errno != EPERM)
        return shmx_posix_error(errno);
#endif
    char self[32];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
        return SHMX_OK;
    return errno == ENOENT ? shmx_posix_error(ENOSYS) : shmx_posix_error(errno);
}

/* Remove the name that leads to fd's object, if it still has it. The caller holds the write lock on
 * byte NAME. SHMX_ENOENT: it had none any more. */
static int remove_name(int fd, const char *name)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return shmx_posix_error(errno);
    if (facts.st_nlink == 0)
        return SHMX_ENOENT;
    char path[SHMX_NAME_MAX + 2] = "/";
    memcpy(path + 1, name, strlen(name) + 1);
    return shm_unlink(path) == 0 ? SHMX_OK : shmx_posix_error(errno);
}

/* ---- what an open descriptor leads to ---- */

enum verdict {
    VERDICT_LIVE,    /* ours, with a user; or persistent */
    VERDICT_FOREIGN, /* not ours, or damaged: not for us to remove */
    VERDICT_DEAD,    /* ours, and all its users were killed */
    VERDICT_MOVING   /* being removed, or not ready yet: look again */
};

int shmx_ofd_label(int fd, off_t size, struct shmx_label *label, const char *name,
                   enum shmx_control_kind *kind)
{
    *kind = SHMX_CONTROL_NONE;
    if (size <= (off_t)SHMX_CONTROL_SIZE || size % 8 != 0)
        return SHMX_OK;
    ssize_t length;
    do
        length = pread(fd, label, sizeof *label, size - (off_t)SHMX_CONTROL_SIZE);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return shmx_posix_error(errno);
    if (length == (ssize_t)sizeof *label) /* or it was cut short meanwhile */
        *kind = shmx_label_check(label, (uint64_t)size, name);
    return SHMX_OK;
}

/* Judge an object that nobody seems to use. */
static int judge_unused(int fd, const char *name, enum verdict *verdict)
{
    struct stat facts;
    struct shmx_label label;
    enum shmx_control_kind kind;
    *verdict = VERDICT_FOREIGN;
    if (fstat(fd, &facts) != 0)
        return shmx_posix_error(errno);
    if (!S_ISREG(facts.st_mode))
        return SHMX_OK;
    if (facts.st_nlink == 0) {
        *verdict = VERDICT_MOVING;
        return SHMX_OK;
    }
    int status = shmx_ofd_label(fd, facts.st_size, &label, name, &kind);
    if (status == SHMX_OK && kind == SHMX_CONTROL_GOOD)
        *verdict = (label.flags & SHMX_PERSISTENT) != 0 ? VERDICT_LIVE : VERDICT_DEAD;
    return status;
}

/* Find out what fd leads to. A failure says nothing about that. */
static int judge(int fd, const char *name, enum verdict *verdict)
{
    switch (shmx_ofd_held(fd, LOCK_USER)) {
    case F_RDLCK:
        *verdict = VERDICT_LIVE;
        return SHMX_OK;
    case F_WRLCK:
        *verdict = VERDICT_MOVING;
        return SHMX_OK;
    case F_UNLCK:
        return judge_unused(fd, name, verdict);
    default:
        /* A kernel that has no such locks: then it is no user's. */
        return errno == EINVAL ? judge_unused(fd, name, verdict) : shmx_posix_error(errno);
    }
}

/* Remove a dead object's name. fd may be read-only, which cannot take a write lock: then another
 * descriptor of the same object is used. SHMX_EAGAIN: it is not dead after all, or another buries
 * it. */
static int remove_dead(int fd, const char *name)
{
    int status = SHMX_OK;
    int own = fd;
    if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
        status = shmx_ofd_reopen(fd, 0, &own);
    if (status != SHMX_OK)
        return status;
    if (shmx_ofd_set(own, F_WRLCK, LOCK_USER, 2) == 0) {
        status = remove_name(own, name);
        shmx_ofd_set(own, F_UNLCK, LOCK_USER, 2);
    } else {
        status = SHMX_EAGAIN;
    }
    if (own != fd)
        close(own);
    return status;
}

/* ---- create ---- */

/* An object has the name that is wanted: make room if it is dead. SHMX_OK: try again. */
static int make_room(const char *name, int *round)
{
    int fd;
    int status = open_name(name, SHMX_READ_ONLY, &fd);
    if (status == SHMX_ENOENT)
        return SHMX_OK;
    if (status != SHMX_OK)
        return status == SHMX_EMFILE ? status : SHMX_EEXIST;
    enum verdict verdict;
    status = judge(fd, name, &verdict);
    if (status == SHMX_OK && verdict == VERDICT_DEAD) {
        status = remove_dead(fd, name);
        if (status == SHMX_ENOENT)
            status = SHMX_OK;
    } else if (status == SHMX_OK) {
        status = verdict == VERDICT_MOVING ? SHMX_EAGAIN : SHMX_EEXIST;
    }
    close(fd);
    return status == SHMX_EAGAIN && shmx_posix_patience(round) ? SHMX_OK : status;
}

/* The umask may have taken bits away. To look is cheaper than to set. */
static int mode_set(int fd, mode_t mode)
{
    struct stat facts;
    bool good = fstat(fd, &facts) == 0 && (facts.st_mode & 0777) == mode;
    return good || fchmod(fd, mode) == 0 ? SHMX_OK : shmx_posix_error(errno);
}

static int make_object(int *fd, size_t length, unsigned flags, bool named)
{
    mode_t mode = shmx_posix_mode(flags);
    /* O_EXCL: it can never get a name */
    int how = O_TMPFILE | O_RDWR | (named ? 0 : O_EXCL);
    *fd = shmx_posix_open(DIRECTORY, how, mode);
    if (*fd < 0)
        return errno == ENOENT ? shmx_posix_error(ENOSYS) : shmx_posix_error(errno);
    int status = named ? mode_set(*fd, mode) : SHMX_OK;
    if (status == SHMX_OK)
        status = shmx_posix_room_check(*fd, length);
    /* To be made present while it is reserved, it must be mapped first. */
    bool present = (flags & SHMX_PREFAULT) != 0;
    if (status == SHMX_OK)
        status = present ? shmx_posix_resize(*fd, length) : shmx_posix_reserve(*fd, length);
    if (status != SHMX_OK)
        close(*fd);
    return status;
}

static int publish_over_dead(int fd, const char *name)
{
    int round = 0;
    int status;
    do {
        status = publish(fd, name);
        if (status != SHMX_EEXIST)
            return status;
        status = make_room(name, &round);
    } while (status == SHMX_OK);
    return status;
}

static void start(struct shmx_attachment *attachment, int fd)
{
    memset(&attachment->os, 0, sizeof attachment->os);
    attachment->os.fd = fd;
    attachment->os.user_fd = attachment->os.heir = attachment->os.user_heir =
        attachment->os.passed = -1;
    attachment->control = NULL;
}

/* Large ones only: memory is not filled to find out that the name is taken. */
static int name_check(const char *name, size_t length)
{
    if (name == NULL || length < 65536)
        return SHMX_OK;
    int round = 0;
    for (;;) {
        char path[sizeof DIRECTORY + SHMX_NAME_MAX + 1] = DIRECTORY "/";
        memcpy(path + sizeof DIRECTORY, name, strlen(name) + 1);
        struct stat facts;
        if (lstat(path, &facts) != 0)
            return SHMX_OK;
        int status = make_room(name, &round);
        if (status != SHMX_OK)
            return status;
    }
}

static void write_control(struct shmx_attachment *attachment, const struct shmx_label *label)
{
    shmx_control_write(attachment->data, attachment->length, label);
    attachment->control = shmx_control_at(attachment->data, attachment->length);
    attachment->label = *label;
}

static int create_inside(struct shmx_attachment *attachment, const char *name, size_t length,
                         unsigned flags, const struct shmx_label *label)
{
    int fd;
    int status = name_check(name, length);
    if (status == SHMX_OK)
        status = make_object(&fd, length, flags, name != NULL);
    if (status != SHMX_OK)
        return status;
    start(attachment, fd);
    status = shmx_posix_map(attachment, fd, length, flags & ~SHMX_READ_ONLY);
    if (status != SHMX_OK)
        goto close_fd;
    if ((flags & SHMX_PREFAULT) != 0)
        status = shmx_posix_reserve_present(fd, attachment);
    if (status != SHMX_OK)
        goto unmap;
    if (label != NULL)
        write_control(attachment, label);
    int error = label != NULL ? shmx_ofd_set(fd, F_RDLCK, LOCK_USER, 1) : 0;
    if (error != 0)
        status = shmx_posix_error(error);
    if (status == SHMX_OK && name != NULL)
        status = publish_over_dead(fd, name);
    if (status == SHMX_OK) {
        attachment->os.creator = true;
        shmx_posix_attach(attachment);
        return SHMX_OK;
    }
unmap:
    munmap(attachment->data, attachment->length);
close_fd:
    close(fd);
    return status;
}

int shmx_os_create(struct shmx_attachment *attachment, const char *name, size_t length,
                   unsigned flags, const struct shmx_label *label)
{
    shmx_posix_gate_enter();
    int status = create_inside(attachment, name, length, flags, label);
    shmx_posix_gate_leave();
    return status;
}

/* ---- open ---- */

/* Become a user of an object that has a name. SHMX_EAGAIN: look again by name. */
static int become_user(int fd, const char *name, unsigned flags, bool *counted)
{
    enum verdict verdict;
    *counted = false;
    int status = judge(fd, name, &verdict);
    if (status != SHMX_OK)
        return status;
    switch (verdict) {
    case VERDICT_DEAD:
        if ((flags & SHMX_OS_NOWAIT) != 0)
            return SHMX_ENOENT;
        /* Who may not remove it sees that it is dead all the same. */
        return remove_dead(fd, name) == SHMX_EAGAIN ? SHMX_EAGAIN : SHMX_ENOENT;
    case VERDICT_MOVING:
        return SHMX_EAGAIN;
    case VERDICT_FOREIGN:
        return SHMX_OK;
    default:
        break;
    }
    if ((flags & (SHMX_RAW | SHMX_OS_LOOK)) != 0)
        return SHMX_OK; /* a guest: its lifetime is the system's own */
    int error = shmx_ofd_set(fd, F_RDLCK, LOCK_USER, 1);
    if (error == EAGAIN || error == EACCES)
        return SHMX_EAGAIN;
    *counted = error == 0;
    return error == 0 ? SHMX_OK : shmx_posix_error(error);
}

/* Where the page is wanted anyhow the mapping is the cheaper place to look. Not if the object is
 * another user's, who might cut it short at this moment: that would be a SIGBUS. */
static int look_at_label(struct shmx_attachment *attachment, int fd, const struct stat *facts,
                         const char *name, enum shmx_control_kind *kind)
{
    if (facts->st_uid != shmx_posix_user() || attachment->length > shmx_os_facts()->page_size)
        return shmx_ofd_label(fd, facts->st_size, &attachment->label, name, kind);
    *kind = shmx_control_check(&attachment->label, attachment->data, attachment->length, name);
    return SHMX_OK;
}

/* Map fd's object and find out what it is. `name` NULL: it need not have one. */
static int look_inside(struct shmx_attachment *attachment, int fd, const char *name, unsigned flags)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return shmx_posix_error(errno);
    if (!S_ISREG(facts.st_mode))
        return shmx_posix_error(ENXIO);
    if (name != NULL && (facts.st_nlink == 0 || facts.st_size == 0))
        return SHMX_EAGAIN; /* removed meanwhile; or a foreign creator is about to size it */
    if (facts.st_size == 0)
        return SHMX_EPROTO;
    if ((uint64_t)facts.st_size > SIZE_MAX)
        return shmx_posix_error(ENOMEM);
    int status = shmx_posix_map(attachment, fd, (size_t)facts.st_size, flags);
    if (status != SHMX_OK)
        return status;
    enum shmx_control_kind kind = SHMX_CONTROL_NONE;
    if ((flags & SHMX_RAW) == 0)
        status = look_at_label(attachment, fd, &facts, name, &kind);
    if (status == SHMX_OK && kind == SHMX_CONTROL_DAMAGED)
        status = SHMX_EPROTO;
    if (status != SHMX_OK) {
        munmap(attachment->data, attachment->length);
        return status;
    }
    attachment->control = NULL;
    if (kind == SHMX_CONTROL_GOOD)
        attachment->control = shmx_control_at(attachment->data, attachment->length);
    else
        memset(&attachment->label, 0, sizeof attachment->label);
    if ((flags & SHMX_PREFAULT) != 0)
        shmx_posix_prefault(attachment);
    return SHMX_OK;
}

int shmx_ofd_open(struct shmx_attachment *attachment, int fd, const char *name, unsigned flags)
{
    start(attachment, fd);
    bool counted = true;
    attachment->guest = (flags & SHMX_OS_LOOK) != 0;
    int status = name != NULL ? become_user(fd, name, flags, &counted) : SHMX_OK;
    if (status == SHMX_OK)
        status = look_inside(attachment, fd, name, flags);
    if (status == SHMX_OK && attachment->control != NULL && !counted && !attachment->guest) {
        status = SHMX_EAGAIN; /* it became ours between two looks: replaced, look again */
        munmap(attachment->data, attachment->length);
    }
    if (status == SHMX_OK)
        shmx_posix_attach(attachment);
    else
        close(fd);
    return status;
}

static int open_once(struct shmx_attachment *attachment, const char *name, unsigned flags)
{
    int fd;
    int status = open_name(name, flags, &fd);
    return status == SHMX_OK ? shmx_ofd_open(attachment, fd, name, flags) : status;
}

int shmx_os_open(struct shmx_attachment *attachment, const char *name, unsigned flags)
{
    int round = 0;
    int status;
    do {
        shmx_posix_gate_enter();
        status = open_once(attachment, name, flags);
        shmx_posix_gate_leave();
    } while (status == SHMX_EAGAIN && (flags & SHMX_OS_NOWAIT) == 0 && shmx_posix_patience(&round));
    return status;
}

/* ---- close, unlink, reap ---- */

static bool transient(const struct shmx_attachment *attachment)
{
    return attachment->control != NULL && !attachment->guest &&
           attachment->label.name_length != 0 && (attachment->label.flags & SHMX_PERSISTENT) == 0;
}

/* Leave, and remove the name if nobody else is left. Of several that leave at once the last to
 * drop its lock finds no other. */
static void leave(struct shmx_attachment *attachment)
{
    int fd = attachment->os.fd;
    const char *name = attachment->label.name;
    if (attachment->os.unlinked)
        return;
    if (attachment->read_only) {
        shmx_ofd_set(fd, F_UNLCK, LOCK_USER, 1);
        if (shmx_ofd_held(fd, LOCK_USER) == F_UNLCK)
            remove_dead(fd, name);
        return;
    }
    /* Who made it is likely to be the last, anybody else is not: one call is saved either way. */
    if (!attachment->os.creator || shmx_ofd_set(fd, F_WRLCK, LOCK_USER, 2) != 0) {
        /* All locks at once: for less than that the kernel makes ready to split one. */
        shmx_ofd_set(fd, F_UNLCK, 0, 0);
        if (shmx_ofd_held(fd, LOCK_USER) != F_UNLCK || shmx_ofd_set(fd, F_WRLCK, LOCK_USER, 2) != 0)
            return;
    }
    remove_name(fd, name);
}

void shmx_os_close(struct shmx_attachment *attachment)
{
    int before = shmx_os_last_error();
    shmx_posix_gate_enter();
    shmx_posix_detach(attachment);
    if (transient(attachment))
        leave(attachment);
    munmap(attachment->data, attachment->length);
    close(attachment->os.fd);
    if (attachment->os.passed >= 0)
        close(attachment->os.passed);
    shmx_posix_gate_leave();
    shmx_os_set_error(before);
}

/* Unlink what fd leads to. SHMX_EAGAIN: look again by name. */
static int unlink_once(int fd, const char *name)
{
    enum verdict verdict;
    int status = judge(fd, name, &verdict);
    if (status != SHMX_OK)
        return status;
    switch (verdict) {
    case VERDICT_DEAD:
        return remove_dead(fd, name) == SHMX_EAGAIN ? SHMX_EAGAIN : SHMX_ENOENT;
    case VERDICT_MOVING:
        return SHMX_EAGAIN;
    default:
        break;
    }
    int error = shmx_ofd_set(fd, F_WRLCK, LOCK_NAME, 1);
    if (error == EAGAIN || error == EACCES)
        return SHMX_EAGAIN; /* another is about to remove it */
    if (error != 0)
        return shmx_posix_error(error);
    status = remove_name(fd, name);
    return status == SHMX_ENOENT ? SHMX_EAGAIN : status;
}

/* Unlink through an attachment that is there already. An object of ours gets one name only, so one
 * that has a name still has this one. */
static bool unlink_attached(struct shmx_attachment *attachment, int *status)
{
    if (attachment->read_only || attachment->os.unlinked ||
        shmx_ofd_set(attachment->os.fd, F_WRLCK, LOCK_NAME, 1) != 0)
        return false;
    *status = remove_name(attachment->os.fd, attachment->label.name);
    attachment->os.unlinked = *status == SHMX_OK || *status == SHMX_ENOENT;
    /* For an object without a name the lock means nothing any more. */
    if (!attachment->os.unlinked)
        shmx_ofd_set(attachment->os.fd, F_UNLCK, LOCK_NAME, 1);
    return *status == SHMX_OK;
}

static bool unlink_quickly(const char *name, int *status)
{
    shmx_posix_gate_enter();
    bool done = shmx_posix_find(name, unlink_attached, status);
    shmx_posix_gate_leave();
    return done;
}

int shmx_os_unlink(const char *name)
{
    int round = 0;
    int status;
    if (unlink_quickly(name, &status))
        return status;
    do {
        int fd;
        shmx_posix_gate_enter();
        status = open_name(name, 0, &fd);
        if (status == SHMX_OK) {
            status = unlink_once(fd, name);
            close(fd);
        }
        shmx_posix_gate_leave();
    } while (status == SHMX_EAGAIN && shmx_posix_patience(&round));
    return status;
}

int shmx_os_remove_dead(const char *name, bool *removed)
{
    *removed = false;
    if (name == NULL)
        return SHMX_OK; /* nothing of ours is outside the objects */
    int fd;
    shmx_posix_gate_enter();
    int status = open_name(name, SHMX_READ_ONLY, &fd);
    if (status == SHMX_OK) {
        enum verdict verdict;
        status = judge(fd, name, &verdict);
        if (status == SHMX_OK && verdict == VERDICT_DEAD) {
            status = remove_dead(fd, name);
            *removed = status == SHMX_OK;
        }
        close(fd);
    }
    shmx_posix_gate_leave();
    return status == SHMX_ENOENT || status == SHMX_EAGAIN ? SHMX_OK : status;
}
