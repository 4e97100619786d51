/* SPDX-License-Identifier: MIT */
#include "lockfile.h"

/* Beside the flags of label->flags. */
#define MARK 0x40000000u

void shmx_lockfile_label_write(struct shmx_attachment *attachment, const struct shmx_label *label)
{
    struct shmx_label marked = *label;
    marked.flags |= MARK;
    attachment->control = shmx_control_write(attachment->data, attachment->length, &marked);
    attachment->label = *label;
}

/* Take the mark off a label that was read, and check it. */
static enum shmx_control_kind check(struct shmx_label *label, uint64_t length)
{
    bool marked = (label->flags & MARK) != 0;
    bool whole = label->check == shmx_label_sum(label);
    label->flags &= ~MARK;
    if (marked && whole)
        label->check = shmx_label_sum(label);
    enum shmx_control_kind kind = shmx_label_check(label, length, NULL);
    return kind == SHMX_CONTROL_GOOD && !marked ? SHMX_CONTROL_DAMAGED : kind;
}

int shmx_lockfile_label(int fd, uint64_t length, struct shmx_label *label,
                        enum shmx_control_kind *kind)
{
    *kind = SHMX_CONTROL_NONE;
    if (length <= SHMX_CONTROL_SIZE || length % 8 != 0)
        return SHMX_OK;
    int status = shmx_system.label(fd, length, label);
    /* One that cannot be read is not for us to touch; where memory is short nothing is known. */
    *kind = status == SHMX_OK ? check(label, length) : SHMX_CONTROL_DAMAGED;
    return status == SHMX_ENOMEM ? status : SHMX_OK;
}
