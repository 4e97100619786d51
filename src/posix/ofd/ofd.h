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

/* Does that errno say that another's lock is in the way? */
bool shmx_ofd_refused(int error);

/* The same for all bytes, and only through the attachment's own description: see shmx_posix_tag. */
int shmx_ofd_set_all(const struct shmx_attachment *attachment, short type);

/* Be a user by a read lock on byte USER. It begins in front of it, for each description at another
 * byte, so that the kernel's list of locks says which of two lines is the same user. */
int shmx_ofd_use(int fd);

/* The lock of another description on a byte: F_RDLCK, F_WRLCK, F_UNLCK; -1 and errno: cannot say.
 */
int shmx_ofd_held(int fd, off_t byte);

/* The same of anything that keeps this description from such a lock on these bytes. */
int shmx_ofd_against(int fd, short type, off_t start, off_t count);

/* The first of these bytes on which another description holds any lock; F_UNLCK: none. */
int shmx_ofd_first(int fd, off_t start, off_t count, off_t *first);

/* ---- locks that those who may only read cannot keep from us (annex.c) ---- */

/* Hold the write lock on a byte of the object or, where a reader's lock is in the way, of the
 * annex; 0 or errno. EAGAIN: another holds it, in either place. Inside the gate, the list is
 * locked. */
int shmx_ofd_firm_set(struct shmx_attachment *attachment, off_t byte);
void shmx_ofd_firm_drop(struct shmx_attachment *attachment, off_t byte);

/* Does another description hold such a lock? F_WRLCK, F_UNLCK; -1 and errno: cannot say. Inside the
 * gate. */
int shmx_ofd_firm_held(struct shmx_attachment *attachment, off_t start, off_t count);

/* Give up the attachment's use of the annex; in the child of a fork, which has the parent's
 * description of it, only close it. */
void shmx_ofd_annex_leave(struct shmx_attachment *attachment);
void shmx_ofd_annex_forget(struct shmx_attachment *attachment);

/* Lock byte NAME of fd's object in its annex, past a reader's lock there; 0 or errno. *annex: to be
 * closed, or untouched: another program's object has none. */
int shmx_ofd_annex_name(int fd, int *annex, uint64_t *id);

/* Close it, and remove it if nobody else has it. */
void shmx_ofd_annex_close(int annex, uint64_t id);

/* Is that the name of an annex? Remove it if nobody uses it. */
void shmx_ofd_annex_sweep(const char *name);

/* ---- what an object is (judge.c) ---- */

/* Read and check the label of an object of that size. `name` NULL: any. */
int shmx_ofd_label(int fd, off_t size, struct shmx_label *label, const char *name,
                   enum shmx_control_kind *kind);

/* Find out what fd leads to. Only if nobody seems to use it its label is read: LIVE may turn out to
 * be FOREIGN or DAMAGED. SHMX_EAGAIN: it is being removed. A failure says nothing about it. */
int shmx_ofd_judge(int fd, const char *name, enum shmx_os_kind *kind);

/* Is the attachment's descriptor still what it was? A program that closes all descriptors closes
 * this one, and its number may be another file's since. */
bool shmx_ofd_intact(const struct shmx_attachment *attachment);

/* Open fd's object once more: a description of its own. flags: SHMX_READ_ONLY. */
int shmx_ofd_reopen(int fd, unsigned flags, int *out);

/* ---- taking its name away (remove.c) ---- */

/* A removal of a name. */
struct shmx_ofd_removal {
    int fd;    /* of the object */
    bool last; /* nobody may use it */
    int annex; /* or -1 */
    uint64_t annex_id;
};

/* Keep all others from removing the name of fd's object, by byte NAME and if `last` by byte USER
 * too; 0 or errno. To be ended; not `done`: the object keeps its name, and so must be unlocked. */
int shmx_ofd_removal_begin(struct shmx_ofd_removal *removal, int fd, bool last);
void shmx_ofd_removal_end(struct shmx_ofd_removal *removal, bool done);

/* Remove the name if it leads to fd's object, of which a removal has begun. SHMX_ENOENT: it does
 * not. */
int shmx_ofd_remove_name_of(int fd, const char *name);

/* Remove a dead object's name. SHMX_ENOENT: it had none any more. SHMX_EAGAIN: it is not dead after
 * all, or another removes it. */
int shmx_ofd_remove_dead(int fd, const char *name);

/* Remove what has the name if it is dead. Inside the gate. */
int shmx_ofd_remove_if_dead(const char *name, bool *removed);

/* ---- attaching ---- */

/* Close what was to be inherited (inherit.c). */
void shmx_ofd_passed_close(struct shmx_attachment *attachment);

/* Attach to fd's object, which then is the attachment's; on failure it is closed. `name` NULL: an
 * object without one. SHMX_EAGAIN: look again by name (object.c). */
int shmx_ofd_open(struct shmx_attachment *attachment, int fd, const char *name, unsigned flags);

#endif
