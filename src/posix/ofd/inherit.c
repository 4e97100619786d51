/* SPDX-License-Identifier: MIT */
/* Handing an attachment on: to a forked child, which must have locks of its own since a descriptor
 * that it inherits shares the parent's, and to a process started with a token. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ofd.h"

/* ---- fork ---- */

/* The object once more, and a user of its own by that. */
static int another(struct shmx_attachment *attachment, int *fd)
{
    unsigned flags = attachment->read_only ? SHMX_READ_ONLY : 0;
    int status = shmx_ofd_reopen(attachment->os.fd, flags, fd);
    if (status != SHMX_OK)
        return status;
    bool counts = attachment->control != NULL && !attachment->guest;
    int error = counts ? shmx_ofd_use(*fd) : 0;
    if (error != 0) {
        close(*fd);
        return shmx_posix_error(error);
    }
    shmx_posix_tag(*fd, attachment);
    return SHMX_OK;
}

void shmx_posix_heir_make(struct shmx_attachment *attachment)
{
    if (shmx_ofd_intact(attachment) && another(attachment, &attachment->os.heir) == SHMX_OK)
        return;
    /* Out of descriptors, without /proc, or no longer the user who may open it: both share one
     * description, and neither may touch its locks, which go with the last of them. */
    attachment->os.heir = -1;
    attachment->os.shared = true;
}

void shmx_posix_heir_take(struct shmx_attachment *attachment)
{
    shmx_ofd_annex_forget(attachment);
    if (attachment->os.heir < 0) {
        attachment->os.borrowed = attachment->os.shared;
        return;
    }
    attachment->os.shared = attachment->os.borrowed = false;
    close(attachment->os.fd); /* its number may be beyond a limit by now, and no other's */
    attachment->os.fd = attachment->os.heir;
    attachment->os.heir = -1;
    /* A mapping holds on to the description that it was made by, and so would hold the parent's
     * locks beyond the parent's death. The same bytes, in the same place, by the heir. Should it
     * fail, the old mapping does as well for all but that. */
    int protection = attachment->read_only ? PROT_READ : PROT_READ | PROT_WRITE;
    (void)mmap(attachment->data, attachment->length, protection, MAP_SHARED | MAP_FIXED,
               attachment->os.fd, 0);
}

/* ---- share and adopt ---- */

static int identity(int fd, uint64_t *device, uint64_t *inode)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return shmx_posix_error(errno);
    *device = facts.st_dev;
    *inode = facts.st_ino;
    return SHMX_OK;
}

/* A user until the last process that inherits it has ended or closed it. */
int shmx_posix_pass(struct shmx_attachment *attachment)
{
    int fd;
    if (!shmx_ofd_intact(attachment))
        return shmx_posix_error(EBADF);
    int status = another(attachment, &fd);
    if (status != SHMX_OK)
        return status;
    fcntl(fd, F_SETFD, 0);
    attachment->os.passed = fd;
    return SHMX_OK;
}

void shmx_ofd_passed_close(struct shmx_attachment *attachment)
{
    shmx_posix_close_tagged(&attachment->os.passed, attachment);
}

int shmx_os_share(struct shmx_attachment *attachment, char *token, size_t token_size)
{
    uint64_t device = 0, inode = 0;
    shmx_posix_gate_enter();
    int status = shmx_posix_pass_once(attachment);
    if (status == SHMX_OK)
        status = identity(attachment->os.passed, &device, &inode);
    shmx_posix_gate_leave();
    if (status == SHMX_OK)
        snprintf(token, token_size, "shmx-%d-%" PRIx64 "-%" PRIx64, attachment->os.passed, device,
                 inode);
    return status;
}

/* Read the descriptor out of a token and see that it is what the token was made for. */
static int token_read(const char *token, int *fd)
{
    uint64_t device, inode, own_device = 0, own_inode = 0;
    int length = 0;
    int fields = sscanf(token, "shmx-%d-%" SCNx64 "-%" SCNx64 "%n", fd, &device, &inode, &length);
    if (fields != 3 || token[length] != '\0' || *fd < 0)
        return SHMX_EINVAL;
    if (identity(*fd, &own_device, &own_inode) != SHMX_OK)
        return SHMX_ENOENT;
    return own_device == device && own_inode == inode ? SHMX_OK : SHMX_ENOENT;
}

/* The name that an object with one has; "" for one without. */
static int name_read(int fd, struct shmx_label *label)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return shmx_posix_error(errno);
    enum shmx_control_kind kind;
    int status = shmx_ofd_label(fd, facts.st_size, label, NULL, &kind);
    if (status != SHMX_OK)
        return status;
    if (kind != SHMX_CONTROL_GOOD || facts.st_nlink == 0)
        label->name[0] = '\0';
    return kind == SHMX_CONTROL_DAMAGED ? SHMX_EPROTO : SHMX_OK;
}

static int adopt_inside(struct shmx_attachment *attachment, const char *token, unsigned flags)
{
    int given, fd;
    struct shmx_label label;
    int status = token_read(token, &given);
    if (status != SHMX_OK)
        return status;
    if ((fcntl(given, F_GETFL) & O_ACCMODE) == O_RDONLY && (flags & SHMX_READ_ONLY) == 0)
        return shmx_posix_error(EACCES);
    status = name_read(given, &label);
    if (status == SHMX_OK)
        status = shmx_ofd_reopen(given, flags, &fd);
    if (status == SHMX_OK)
        status = shmx_ofd_open(attachment, fd, label.name[0] != '\0' ? label.name : NULL, flags);
    if (status == SHMX_OK && !shmx_posix_passed_here(given))
        close(given); /* a token is good for one adoption */
    return status;
}

int shmx_os_adopt(struct shmx_attachment *attachment, const char *token, unsigned flags)
{
    shmx_posix_gate_enter();
    int status = adopt_inside(attachment, token, flags);
    shmx_posix_gate_leave();
    return status;
}
