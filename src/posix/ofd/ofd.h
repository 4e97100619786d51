/* SPDX-License-Identifier: MIT */
/* Lifetimes by open-file-description locks, fcntl(2). object.c has the rules. */
#ifndef SHMX_OFD_H
#define SHMX_OFD_H

#include <sys/types.h>

#include "base/control.h"
#include "system/system.h"

/* Bytes that carry locks: far behind the end of any object. */
#define LOCK_USER ((off_t)1 << 62)
#define LOCK_NAME (LOCK_USER + 1)
#define LOCK_OWNERS ((off_t)1 << 61)
#define LOCK_PRESENT (LOCK_USER + ((off_t)1 << 33)) /* + key; read locks */
#define LOCK_JOINED (LOCK_USER + ((off_t)1 << 40))  /* + key << 30 + token; write locks */
#define JOINED_EACH ((off_t)1 << 30)
#define JOINED_KEYS 0xfffffbffu /* further ones would lie behind the last byte */

/* ---- locks (lock.c) ---- */

/* Lock or unlock without waiting; 0 or errno. */
int shmx_ofd_set(int fd, short type, off_t start, off_t count);

/* Be a user by a read lock on byte USER. It begins in front of it, for each description at another
 * byte, so that the kernel's list of locks says which of two lines is the same user. */
int shmx_ofd_use(int fd);

/* The lock of another description on a byte: F_RDLCK, F_WRLCK, F_UNLCK; -1 and errno: cannot say.
 */
int shmx_ofd_held(int fd, off_t byte);

/* The same of anything that keeps this description from such a lock on these bytes. */
int shmx_ofd_against(int fd, short type, off_t start, off_t count);

/* Open fd's object once more: a description of its own. flags: SHMX_READ_ONLY. */
int shmx_ofd_reopen(int fd, unsigned flags, int *out);

/* ---- what an object is (object.c) ---- */

int shmx_ofd_open_name(const char *name, unsigned flags, int *fd);

/* Read and check the label of an object of that size. `name` NULL: any. */
int shmx_ofd_label(int fd, off_t size, struct shmx_label *label, const char *name,
                   enum shmx_control_kind *kind);

/* Find out what fd leads to. Only if nobody seems to use it its label is read: LIVE may turn out to
 * be FOREIGN or DAMAGED. SHMX_EAGAIN: it is being removed. A failure says nothing about it. */
int shmx_ofd_judge(int fd, const char *name, enum shmx_os_kind *kind);

/* Remove a dead object's name. SHMX_ENOENT: it had none any more. SHMX_EAGAIN: it is not dead after
 * all, or another removes it. */
int shmx_ofd_remove_dead(int fd, const char *name);

/* Is the attachment's descriptor still what it was? A program that closes all descriptors closes
 * this one, and its number may be another file's since. */
bool shmx_ofd_intact(const struct shmx_attachment *attachment);

/* Remove what has the name if it is dead (inspect.c). Inside the gate. */
int shmx_ofd_remove_if_dead(const char *name, bool *removed);

/* Close what was to be inherited (inherit.c). */
void shmx_ofd_passed_close(struct shmx_attachment *attachment);

/* Attach to fd's object, which then is the attachment's; on failure it is closed. `name` NULL: an
 * object without one. SHMX_EAGAIN: look again by name. */
int shmx_ofd_open(struct shmx_attachment *attachment, int fd, const char *name, unsigned flags);

#endif
