/* SPDX-License-Identifier: MIT */
/* Shared by the files of the POSIX backend. README.md is the map. */
#ifndef SHMX_POSIX_H
#define SHMX_POSIX_H

#include <stdbool.h>
#include <sys/types.h>

#include "os.h"

/* ---- errors (error.c) ---- */

/* Remember errno's value and return the status for it. */
int shmx_posix_error(int number);

/* The same for a call that should not fail, whatever the number. */
int shmx_posix_unexpected(int number);

/* ---- the process (process.c) ---- */

/* The effective user when the process was first seen. */
uid_t shmx_posix_user(void);

/* When the library is loaded; and in the child of a fork, which forgets what was the parent's. */
void shmx_posix_process_begin(void);
void shmx_posix_process_forked(void);

/* Is this the process that made the attachments, or the child of a fork whose handlers have run?
 * Not so in a child by _Fork(2) or clone(2), which shares all that the parent has. */
bool shmx_posix_is_own(void);

/* ---- descriptors (descriptor.c) ---- */

/* open(2), clear of the standard streams' descriptors, and again after a signal. The descriptor is
 * not inherited. */
int shmx_posix_open(const char *path, int how, mode_t mode);

/* Open and make objects by a path that shm_open takes. flags: SHMX_READ_ONLY. */
#define SHMX_POSIX_OBJECT_MAX (SHMX_NAME_MAX + 2)
int shmx_posix_object_open(const char *path, unsigned flags, int *fd);
int shmx_posix_object_make(const char *path, mode_t mode, int *fd);

/* Mark the description, at its position for reading, as this attachment's, and see whether it still
 * is. A program may have closed the descriptor, and its number may since belong to another file, or
 * to the same file for another attachment. No such file is read or written at its position. */
void shmx_posix_tag(int fd, const struct shmx_attachment *attachment);
bool shmx_posix_tagged(int fd, const struct shmx_attachment *attachment);

/* Close it if it still is, and set it to -1. */
void shmx_posix_close_tagged(int *fd, const struct shmx_attachment *attachment);

/* That place: an even number, and no other attachment's. */
off_t shmx_posix_tag_of(const struct shmx_attachment *attachment);

/* True if the path still leads to fd's file. */
bool shmx_posix_in_place(int fd, const char *path);

/* Set the access bits that the umask has taken away. */
int shmx_posix_mode_set(int fd, mode_t mode);

/* Access bits of a new object. */
mode_t shmx_posix_mode(unsigned flags);

/* Visit what follows `start` in the names in a directory. */
int shmx_posix_list(const char *directory, const char *start,
                    int (*visit)(const char *rest, void *context), void *context);

/* ---- forks are kept out (gate.c) ---- */

/* No fork happens between enter and leave: a descriptor opened there is either in the list when
 * the child is made, or closed. Nor is the thread cancelled there. */
void shmx_posix_gate_enter(void);
void shmx_posix_gate_leave(void);

/* For a fork: wait until no thread is inside, and keep them out. False: this thread is inside, as
 * its signal handler forks. Then, in the parent and in the child: */
bool shmx_posix_gate_shut(void);
void shmx_posix_gate_open(void);
void shmx_posix_gate_renew(void);

/* Does this thread fork at this moment? Then it is in another's handler of fork, which runs between
 * ours. In the child there no lock of the process can be had that another thread may have held. */
bool shmx_posix_is_forking(void);

/* The lock of the list of attachments, to be taken inside the gate. */
void shmx_posix_list_lock(void);
void shmx_posix_list_unlock(void);

/* Both: the gate, and inside it the list. */
void shmx_posix_list_enter(void);
void shmx_posix_list_leave(void);

/* The same when the process ends. False: another thread holds the list, and may have ended there.
 */
bool shmx_posix_list_enter_at_exit(void);

/* ---- what a fork and the end of the process do to an attachment (inherit.c, leave.c) ---- */

/* The process ends without having closed: give up being a user, and no more: other threads may run.
 * The list is locked. */
void shmx_posix_leave_at_exit(struct shmx_attachment *attachment);

/* Give the attachment an `heir` for the child of a fork that is about to happen (a descriptor with
 * locks of its own), and put it in place in the child or drop it in the parent: inherit.c. */
void shmx_posix_heir_make(struct shmx_attachment *attachment);
void shmx_posix_heir_take(struct shmx_attachment *attachment);
void shmx_posix_heir_drop(struct shmx_attachment *attachment);

/* ---- attachments of this process (attachments.c) ---- */

/* Set the fields of an attachment that is to be made. */
void shmx_posix_start(struct shmx_attachment *attachment, int fd, bool guest);

void shmx_posix_attach(struct shmx_attachment *attachment);
void shmx_posix_detach(struct shmx_attachment *attachment);

/* Run `visit` on attachments of this process to the segment called so, which stay attached
 * meanwhile, until it returns true. False if none did. */
bool shmx_posix_find(const char *name,
                     bool (*visit)(struct shmx_attachment *attachment, int *status), int *status);

/* Make a token for the attachment in this process, which is kept: owner.c. Inside the gate, the
 * list is locked. */
int shmx_posix_claim(struct shmx_attachment *attachment, uint32_t *token);

/* Set os.passed, once per attachment: by shmx_posix_pass of inherit.c, inside the gate, with the
 * list locked. */
int shmx_posix_pass_once(struct shmx_attachment *attachment);
int shmx_posix_pass(struct shmx_attachment *attachment);

/* True if fd is what an attachment of this process passes on. */
bool shmx_posix_passed_here(int fd);

/* ---- marks (marks.c) ---- */

struct shmx_posix_mark {
    struct shmx_posix_mark *next;
    enum shmx_os_space space;
    uint32_t key;
    uint32_t number; /* tells it from others' with the same key; JOINED: the owner's token */
    unsigned count;  /* how often it was set */
    int fd;          /* lockfile/: its file; or -1 */
};

/* Where the attachment's own is, or NULL; the list is locked. */
struct shmx_posix_mark **shmx_posix_mark_at(struct shmx_attachment *attachment,
                                            enum shmx_os_space space, uint32_t key);

/* End all of them, at close; and in the child of a fork, where they are the parent's. */
void shmx_posix_marks_end(struct shmx_attachment *attachment);
void shmx_posix_marks_forget(struct shmx_attachment *attachment);

/* Let the system keep a mark, and no more; inside the gate, the list is locked: owner.c. */
int shmx_posix_mark_make(struct shmx_attachment *attachment, struct shmx_posix_mark *mark);
void shmx_posix_mark_end(struct shmx_attachment *attachment, struct shmx_posix_mark *mark);

/* *held: by another attachment; `number` is that of this one's mark, or 0. Inside the gate. */
int shmx_posix_mark_held(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key,
                         uint32_t number, bool *held);

/* As shmx_os_mark_find. Inside the gate, the list is locked. */
int shmx_posix_mark_find(struct shmx_attachment *attachment, uint32_t from, uint32_t *key);

/* ---- memory (memory.c) ---- */

/* Map; flags: SHMX_READ_ONLY. */
int shmx_posix_map(struct shmx_attachment *attachment, int fd, size_t length, unsigned flags);

/* Give a new object its length and all its memory, and map it. flags: SHMX_PREFAULT. */
int shmx_posix_fill(struct shmx_attachment *attachment, int fd, size_t length, unsigned flags);

/* ---- patience (clock.c) ---- */

/* Sleep a little longer each round; false when the patience for a slow peer has ended. */
bool shmx_posix_patience(int *round);

#endif
