/* SPDX-License-Identifier: MIT */
/*
 * Objects whose lifetime the kernel keeps by open-file-description locks on them (F_OFD_SETLK,
 * fcntl(2)). docs/lifetime.md has the proof; the rules are:
 *
 *   - An object appears under its name whole: it is made without one, filled, and then published.
 *     No name ever leads to a half-made object of ours.
 *   - A user holds a read lock on byte USER of the object. The creator takes it before the object
 *     has a name, everybody else only after having seen another user's lock. So an object without
 *     one is dead, for ever.
 *   - Only a process that holds the write lock on byte NAME of an object, and has seen under it
 *     that the object still has its name, may remove the name. As an object of ours gets one name
 *     only, and nobody else can remove it meanwhile, a successor's name is never removed.
 *   - The last user finds that it is the last by getting the write lock on both bytes.
 *
 * Foreign and raw objects carry no such locks and only lose their name by shmx_unlink.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ofd.h"

static void identify(struct shmx_attachment *attachment, const struct stat *facts)
{
    attachment->os.device = facts->st_dev;
    attachment->os.inode = facts->st_ino;
}

/* ---- create ---- */

/* Make room if what has the name is dead. SHMX_OK: it may be free. */
static int make_room(const char *name, int *round)
{
    int fd;
    int status = shmx_system.open_name(name, SHMX_READ_ONLY, &fd);
    if (status == SHMX_ENOENT)
        return SHMX_OK;
    if (status != SHMX_OK)
        return status == SHMX_EMFILE ? status : SHMX_EEXIST;
    enum shmx_os_kind kind;
    status = shmx_ofd_judge(fd, name, &kind);
    if (status == SHMX_OK)
        status = kind == SHMX_OS_DEAD ? shmx_ofd_remove_dead(fd, name) : SHMX_EEXIST;
    close(fd);
    bool again = status == SHMX_EAGAIN && shmx_posix_patience(round);
    return status == SHMX_ENOENT || again ? SHMX_OK : status;
}

static int publish_over_dead(int fd, const char *name)
{
    int round = 0;
    int status;
    do {
        status = shmx_system.publish(fd, name);
        if (status != SHMX_EEXIST)
            return status;
        status = make_room(name, &round);
    } while (status == SHMX_OK);
    return status;
}

/* From here on it is seen first whether the name is taken: memory is not filled to find out. The
 * look takes a twentieth of the time that 64 KiB take to make. */
#define LARGE 131072

/* Fill the new object and give it its name. Without one nobody asks for its users. */
static int complete(struct shmx_attachment *attachment, const char *name,
                    const struct shmx_label *label)
{
    int fd = attachment->os.fd;
    if (label != NULL) {
        attachment->control = shmx_control_write(attachment->data, attachment->length, label);
        attachment->label = *label;
    }
    int error = label != NULL && name != NULL ? shmx_ofd_use(fd) : 0;
    if (error != 0)
        return shmx_posix_error(error);
    return name != NULL ? publish_over_dead(fd, name) : SHMX_OK;
}

static int create_inside(struct shmx_attachment *attachment, const char *name, size_t length,
                         unsigned flags, const struct shmx_label *label)
{
    struct stat facts;
    int fd, round = 0;
    int status = name != NULL && length >= LARGE ? make_room(name, &round) : SHMX_OK;
    if (status == SHMX_OK)
        status = shmx_system.make_nameless(name != NULL, flags, &fd, &facts);
    if (status != SHMX_OK)
        return status;
    shmx_posix_start(attachment, fd, label == NULL);
    shmx_posix_tag(fd, attachment);
    if (name != NULL)
        identify(attachment, &facts);
    status = shmx_posix_fill(attachment, fd, length, flags);
    if (status != SHMX_OK)
        goto close_fd;
    status = complete(attachment, name, label);
    if (status == SHMX_OK) {
        attachment->os.creator = true;
        shmx_posix_attach(attachment);
        return SHMX_OK;
    }
    munmap(attachment->data, length);
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
    enum shmx_os_kind kind;
    *counted = false;
    int status = shmx_ofd_judge(fd, name, &kind);
    if (status != SHMX_OK)
        return status;
    if (kind == SHMX_OS_DEAD) /* not for us to remove, but dead all the same */
        return shmx_ofd_remove_dead(fd, name) == SHMX_EAGAIN ? SHMX_EAGAIN : SHMX_ENOENT;
    if (kind != SHMX_OS_LIVE || (flags & SHMX_RAW) != 0)
        return SHMX_OK; /* a guest: its lifetime is the system's own */
    int error = shmx_ofd_use(fd);
    if (shmx_ofd_refused(error))
        return SHMX_EAGAIN;
    *counted = error == 0;
    return error == 0 ? SHMX_OK : shmx_posix_error(error);
}

/* Where the page is wanted anyhow the mapping is the cheaper place to look. Not if another user may
 * cut the object short at this moment: that would be a SIGBUS. */
static int look_at_label(struct shmx_attachment *attachment, int fd, const struct stat *facts,
                         const char *name, enum shmx_control_kind *kind)
{
    bool others = facts->st_uid != shmx_posix_user() || (facts->st_mode & (S_IWGRP | S_IWOTH)) != 0;
    if (others || attachment->length > shmx_os_facts()->page_size)
        return shmx_ofd_label(fd, facts->st_size, &attachment->label, name, kind);
    *kind = shmx_control_check(&attachment->label, attachment->data, attachment->length, name);
    return SHMX_OK;
}

/* A C library asks by a path that is empty, and the kernel looks at it first. Of these processors
 * the library's structure is the kernel's. */
static int facts_of(int fd, struct stat *facts)
{
#if defined(__LP64__) && (defined(__x86_64__) || defined(__aarch64__))
    return (int)syscall(SYS_fstat, fd, facts);
#else
    return fstat(fd, facts);
#endif
}

/* See whether fd's object can be attached to. `name` NULL: it need not have one. */
static int look(int fd, const char *name, struct stat *facts)
{
    if (facts_of(fd, facts) != 0)
        return shmx_posix_error(errno);
    if (!S_ISREG(facts->st_mode))
        return shmx_posix_error(ENXIO);
    if (name != NULL && (facts->st_nlink == 0 || facts->st_size == 0))
        return SHMX_EAGAIN; /* removed meanwhile; or a foreign creator is about to size it */
    if (facts->st_size == 0)
        return SHMX_EPROTO;
    return (uint64_t)facts->st_size > SIZE_MAX ? shmx_posix_error(ENOMEM) : SHMX_OK;
}

/* Map fd's object and find out what it is. */
static int map(struct shmx_attachment *attachment, int fd, const char *name, unsigned flags)
{
    struct stat facts;
    int status = look(fd, name, &facts);
    if (status == SHMX_OK)
        status = shmx_posix_map(attachment, fd, (size_t)facts.st_size, flags);
    if (status != SHMX_OK)
        return status;
    identify(attachment, &facts);
    enum shmx_control_kind kind;
    status = look_at_label(attachment, fd, &facts, name, &kind);
    if (status == SHMX_OK && kind == SHMX_CONTROL_DAMAGED && !attachment->guest)
        status = SHMX_EPROTO;
    if (status != SHMX_OK) {
        munmap(attachment->data, attachment->length);
        return status;
    }
    if (kind == SHMX_CONTROL_GOOD)
        attachment->control = shmx_control_at(attachment->data, attachment->length);
    else
        memset(&attachment->label, 0, sizeof attachment->label);
    return SHMX_OK;
}

int shmx_ofd_open(struct shmx_attachment *attachment, int fd, const char *name, unsigned flags)
{
    shmx_posix_start(attachment, fd, (flags & SHMX_RAW) != 0);
    shmx_posix_tag(fd, attachment);
    bool counted = true;
    int status = name != NULL ? become_user(fd, name, flags, &counted) : SHMX_OK;
    if (status == SHMX_OK)
        status = map(attachment, fd, name, flags);
    if (status == SHMX_OK && attachment->control != NULL && !counted && !attachment->guest) {
        status = SHMX_EAGAIN; /* it became ours between two looks: replaced, look again */
        munmap(attachment->data, attachment->length);
    }
    if (status != SHMX_OK) {
        close(fd);
        return status;
    }
    if ((flags & SHMX_PREFAULT) != 0)
        shmx_system.prefault(attachment);
    shmx_posix_attach(attachment);
    return SHMX_OK;
}

/* Rounds of patience for one that hurries: 7 ms. */
#define ROUNDS_HURRY 3

int shmx_os_open(struct shmx_attachment *attachment, const char *name, unsigned flags, bool hurry)
{
    int round = 0;
    int status;
    do {
        int fd;
        shmx_posix_gate_enter();
        status = shmx_system.open_name(name, flags, &fd);
        if (status == SHMX_OK)
            status = shmx_ofd_open(attachment, fd, name, flags);
        shmx_posix_gate_leave();
        if (hurry && round >= ROUNDS_HURRY)
            break;
    } while (status == SHMX_EAGAIN && shmx_posix_patience(&round));
    return status;
}
