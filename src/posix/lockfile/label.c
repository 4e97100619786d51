/* SPDX-License-Identifier: MIT */
#include "lockfile.h"

/* Beside the flags of label->flags. */
#define MARK 0x40000000u

void shmx_lockfile_label_write(struct shmx_attachment *attachment, const struct shmx_label *label)
{
    struct shmx_label marked = *label;
    marked.flags |= MARK;
    shmx_control_write(attachment->data, attachment->length, &marked);
    attachment->control = shmx_control_at(attachment->data, attachment->length);
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

enum shmx_control_kind shmx_lockfile_label(int fd, uint64_t length, struct shmx_label *label)
{
    if (length <= SHMX_CONTROL_SIZE || length % 8 != 0)
        return SHMX_CONTROL_NONE;
    /* A label that cannot be read is not for us to touch. */
    int status = shmx_system.label(fd, length, label);
    return status == SHMX_OK ? check(label, length) : SHMX_CONTROL_DAMAGED;
}
