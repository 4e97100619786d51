/* SPDX-License-Identifier: MIT */
/* The Linux lifetime variant: open-file-description locks, fcntl(2). See ofd/object.c. */
#ifndef SHMX_OFD_H
#define SHMX_OFD_H

#include <sys/types.h>

#include "base/control.h"
#include "os.h"

/* Bytes that carry locks: far behind the end of any object. */
#define LOCK_USER ((off_t)1 << 62)
#define LOCK_NAME (LOCK_USER + 1)
#define LOCK_OWNERS ((off_t)1 << 61)

/* Lock or unlock without waiting; 0 or errno. */
int shmx_ofd_set(int fd, short type, off_t start, off_t count);

/* What another description holds on a byte: F_RDLCK, F_WRLCK, F_UNLCK; -1 and errno: cannot say. */
int shmx_ofd_held(int fd, off_t byte);

/* Open fd's object once more: a description of its own. flags: SHMX_READ_ONLY. */
int shmx_ofd_reopen(int fd, unsigned flags, int *out);

/* Read and check the label of an object of that size. `name` NULL: any. */
int shmx_ofd_label(int fd, off_t size, struct shmx_label *label, const char *name,
                   enum shmx_control_kind *kind);

/* Attach to fd's object, which then is the attachment's; on failure it is closed. `name` NULL: an
 * object without one. SHMX_EAGAIN: look again by name. */
int shmx_ofd_open(struct shmx_attachment *attachment, int fd, const char *name, unsigned flags);

#endif
