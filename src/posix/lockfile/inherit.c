/* SPDX-License-Identifier: MIT */
/* Handing an attachment on: to a forked child, which must have locks of its own since a descriptor
 * that it inherits shares the parent's, and to a process started with a token. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lockfile.h"

/* ---- fork ---- */

void shmx_posix_heir_make(struct shmx_attachment *attachment)
{
    struct shmx_os_private *os = &attachment->os;
    os->heir = -1;
    /* The two share a seat, which is free when both have closed it. */
    if (os->seat != 0 || !shmx_posix_tagged(os->user_fd, attachment))
        return;
    int status = shmx_lockfile_users_again(attachment->label.id, os->user_fd, &os->heir);
    if (status == SHMX_OK && os->heir >= 0) {
        shmx_posix_tag(os->heir, attachment);
        return;
    }
    /* Out of descriptors, or no longer the user who finds the file: the two share one description,
     * and neither may unlock it. */
    os->heir = -1;
    os->shared = true;
}

void shmx_posix_heir_take(struct shmx_attachment *attachment)
{
    struct shmx_os_private *os = &attachment->os;
    shmx_posix_close_tagged(&os->owner_fd, attachment); /* the parent's token */
    if (os->heir < 0)
        return;
    close(os->user_fd);
    os->user_fd = os->heir;
    os->heir = -1;
    os->shared = false;
}

/* ---- share and adopt ---- */

/* Said by a token besides the descriptor, so that another file under the same number is not taken
 * for it. */
static int identity(int fd, uint64_t *id, uint64_t *shape)
{
    struct stat facts;
    struct shmx_label label;
    if (fstat(fd, &facts) != 0)
        return shmx_posix_error(errno);
    /* Not all systems number objects. */
    *shape = (uint64_t)facts.st_size ^ (uint64_t)facts.st_ino << 32 ^ (uint64_t)facts.st_ino >> 32;
    enum shmx_control_kind kind;
    int status = shmx_lockfile_label(fd, (uint64_t)facts.st_size, &label, &kind);
    *id = kind == SHMX_CONTROL_GOOD ? label.id : 0;
    return status;
}

/* Children share the seat, or have a lock of their own. */
static int pass_user(struct shmx_attachment *attachment)
{
    struct shmx_os_private *os = &attachment->os;
    if (os->user_fd < 0)
        return SHMX_OK;
    if (os->seat == 0)
        return shmx_lockfile_users_again(attachment->label.id, os->user_fd, &os->passed_user);
    if (!shmx_posix_tagged(os->user_fd, attachment))
        return shmx_posix_error(EBADF);
    os->passed_user = fcntl(os->user_fd, F_DUPFD_CLOEXEC, 3);
    return os->passed_user >= 0 ? SHMX_OK : shmx_posix_error(errno);
}

/* The object, and a user until the last process that inherits it has ended or closed it. */
int shmx_posix_pass(struct shmx_attachment *attachment)
{
    struct shmx_os_private *os = &attachment->os;
    if (!shmx_lockfile_intact(attachment, os->fd))
        return shmx_posix_error(EBADF);
    int status = pass_user(attachment);
    if (status != SHMX_OK)
        return status;
    int fd = fcntl(os->fd, F_DUPFD, 3); /* children inherit it */
    if (fd < 0) {
        status = shmx_posix_error(errno);
        shmx_lockfile_close(&os->passed_user);
        return status;
    }
    if (os->passed_user >= 0) {
        shmx_posix_tag(os->passed_user, attachment);
        fcntl(os->passed_user, F_SETFD, 0);
    }
    os->passed = fd;
    return SHMX_OK;
}

void shmx_lockfile_passed_close(struct shmx_attachment *attachment)
{
    struct shmx_os_private *os = &attachment->os;
    if (shmx_lockfile_intact(attachment, os->passed))
        close(os->passed);
    os->passed = -1;
    shmx_posix_close_tagged(&os->passed_user, attachment);
}

int shmx_os_share(struct shmx_attachment *attachment, char *token, size_t token_size)
{
    uint64_t id, shape;
    const struct shmx_os_private *os = &attachment->os;
    shmx_posix_gate_enter();
    int status = shmx_posix_pass_once(attachment);
    if (status == SHMX_OK)
        status = identity(os->passed, &id, &shape);
    shmx_posix_gate_leave();
    if (status == SHMX_OK)
        snprintf(token, token_size, "shmx-%d-%" PRIx64 "-%" PRIx64 "-%x", os->passed, id, shape,
                 (unsigned)(os->passed_user + 1));
    return status;
}

/* A token gives the object, and with it the lock of a user, or -1. */
struct given {
    int fd, user_fd;
};

static int token_read(const char *token, struct given *given)
{
    uint64_t id, shape, own_id = 0, own_shape = 0;
    unsigned user;
    int length = 0;
    int fields = sscanf(token, "shmx-%d-%" SCNx64 "-%" SCNx64 "-%x%n", &given->fd, &id, &shape,
                        &user, &length);
    if (fields != 4 || token[length] != '\0' || given->fd < 0 || user > INT_MAX)
        return SHMX_EINVAL;
    if (identity(given->fd, &own_id, &own_shape) != SHMX_OK)
        return SHMX_ENOENT;
    given->user_fd = (int)user - 1;
    return own_id == id && own_shape == shape ? SHMX_OK : SHMX_ENOENT;
}

/* A token is good for one adoption. The lock goes last: another user has come meanwhile. */
static void token_close(const struct given *given, uint64_t id)
{
    char path[LOCKFILE_PATH_MAX];
    if (shmx_posix_passed_here(given->fd))
        return;
    close(given->fd);
    shmx_lockfile_path_users(path, id);
    if (given->user_fd < 0)
        return;
    if (shmx_posix_in_place(given->user_fd, path))
        close(given->user_fd);
    else
        shmx_lockfile_seat_close(id, given->user_fd);
}

/* One of another user's. */
static int join_neighbours(const struct shmx_label *label, int *user_fd, uint32_t *seat)
{
    struct shmx_lockfile_found found;
    int status = shmx_lockfile_find_unlisted(&found, label->name, SHMX_READ_ONLY);
    if (status != SHMX_OK)
        return SHMX_ENOENT;
    close(found.fd);
    bool leads = shmx_lockfile_called(&found, label->name) && found.label.id == label->id;
    return leads && shmx_lockfile_has_seats(label) ? shmx_lockfile_visit(&found, user_fd, seat)
                                                   : SHMX_ENOENT;
}

/* Become a user of the segment by its name, if it still has it. SHMX_ENOENT: it has not. */
static int join_by_name(const struct shmx_label *label, int *user_fd, uint32_t *seat)
{
    struct shmx_lockfile_name file;
    *user_fd = -1;
    *seat = 0;
    if (label->name_length == 0 || (label->flags & SHMX_PERSISTENT) != 0)
        return label->name_length == 0 ? SHMX_ENOENT : SHMX_OK;
    int status = shmx_lockfile_name_lock(&file, label->name);
    if (status == SHMX_EACCES)
        return join_neighbours(label, user_fd, seat);
    if (status != SHMX_OK)
        return status == SHMX_EAGAIN || status == SHMX_EMFILE ? status : SHMX_ENOENT;
    bool leads = file.known && file.record.state == LOCKFILE_LIVE && file.record.id == label->id;
    if (leads && shmx_lockfile_has_seats(label)) /* the token has one */
        status = shmx_lockfile_seat_take(label->id, label->name, user_fd, seat);
    else
        status = leads ? shmx_lockfile_users_join(label->id, file.owner, user_fd) : SHMX_ENOENT;
    if (status != SHMX_OK)
        shmx_lockfile_close(user_fd);
    shmx_lockfile_name_unlock(&file);
    return status;
}

/* Attach to what `given` leads to, by a descriptor of our own. */
static int adopt_given(struct shmx_attachment *attachment, int given, unsigned flags)
{
    struct stat facts;
    struct shmx_label label;
    int user_fd = -1;
    uint32_t seat = 0;
    if (fstat(given, &facts) != 0)
        return shmx_posix_error(errno);
    enum shmx_control_kind kind;
    int status = shmx_lockfile_label(given, (uint64_t)facts.st_size, &label, &kind);
    if (status != SHMX_OK)
        return status;
    if (kind == SHMX_CONTROL_DAMAGED)
        return SHMX_EPROTO;
    bool ours = kind == SHMX_CONTROL_GOOD;
    status = ours ? join_by_name(&label, &user_fd, &seat) : SHMX_OK;
    if (status != SHMX_OK && status != SHMX_ENOENT) /* it has no name, or has lost it */
        return status;
    int fd = fcntl(given, F_DUPFD_CLOEXEC, 3);
    status = fd >= 0 ? shmx_lockfile_attach(attachment, fd, (uint64_t)facts.st_size,
                                            ours ? &label : NULL, flags)
                     : shmx_posix_error(errno);
    if (status == SHMX_OK)
        shmx_lockfile_user_set(attachment, user_fd, seat);
    else if (seat != 0)
        shmx_lockfile_seat_leave(label.id, user_fd, seat);
    else
        shmx_lockfile_close(&user_fd);
    return status;
}

static int adopt_inside(struct shmx_attachment *attachment, const char *token, unsigned flags)
{
    struct given given;
    int status = token_read(token, &given);
    if (status != SHMX_OK)
        return status;
    if ((fcntl(given.fd, F_GETFL) & O_ACCMODE) == O_RDONLY && (flags & SHMX_READ_ONLY) == 0)
        return shmx_posix_error(EACCES);
    status = adopt_given(attachment, given.fd, flags);
    if (status == SHMX_OK)
        token_close(&given, attachment->label.id);
    return status;
}

int shmx_os_adopt(struct shmx_attachment *attachment, const char *token, unsigned flags)
{
    int round = 0;
    int status;
    do {
        shmx_posix_gate_enter();
        status = adopt_inside(attachment, token, flags);
        shmx_posix_gate_leave();
    } while (status == SHMX_EAGAIN && shmx_lockfile_patience(&round));
    return status == SHMX_EAGAIN ? SHMX_EIO : status;
}
