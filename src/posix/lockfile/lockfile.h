/* SPDX-License-Identifier: MIT */
/*
 * Lifetimes on systems that refuse locks on shared memory: files in a directory of the machine
 * carry them instead (flock(2)). docs/lockfile.md has the protocol and the proof.
 *
 * - Name file: one for each segment with a name. The process that holds its lock, and has seen that
 *   the file still has its place, may create, join, judge and remove the segment. The file is made
 *   anew for each segment, and only its maker writes it. Only the segment's owner can open it.
 * - Users file: one for each segment of its owner alone that goes with its last user. A user holds
 *   a shared lock. A process that gets the exclusive one knows that nobody lives.
 * - Seat: one for each user of a segment that is open to others. The user makes it and holds its
 *   lock. A neighbour that may open such a file may lock it, which has the effect of being a user.
 * - Owner file: one for each owner token. The owner holds its lock.
 */
#ifndef SHMX_LOCKFILE_H
#define SHMX_LOCKFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/control.h"
#include "base/name.h"
#include "system/system.h"

/* ---- any lock file (file.c) ---- */

#define LOCKFILE_PREFIX ".shmx-"
#define LOCKFILE_PATH_MAX 320

/* What follows the prefix is printed; a name is folded, as the file system may fold case. */
void shmx_lockfile_path(char path[LOCKFILE_PATH_MAX], const char *format, ...);
void shmx_lockfile_path_name(char path[LOCKFILE_PATH_MAX], const char *name);
void shmx_lockfile_path_users(char path[LOCKFILE_PATH_MAX], uint64_t id);
void shmx_lockfile_path_seat(char path[LOCKFILE_PATH_MAX], uint64_t id, uint32_t number);
void shmx_lockfile_path_owner(char path[LOCKFILE_PATH_MAX], uint64_t id, uint32_t token);
void shmx_lockfile_path_mark(char path[LOCKFILE_PATH_MAX], uint64_t id,
                             const struct shmx_posix_mark *mark);

/* Visit what follows the prefix and `start` in their names. */
#define LOCKFILE_START_MAX 64
int shmx_lockfile_list(const char *start, int (*visit)(const char *rest, void *context),
                       void *context);

/* Lock without waiting; 0, or errno. */
int shmx_lockfile_set(int fd, int operation);

/* Close, if it is open, and set to -1: nobody closes it twice, which would be another thread's. */
void shmx_lockfile_close(int *fd);

/* Write from the start of a file: all of it, or it failed. */
int shmx_lockfile_write(int fd, const void *bytes, size_t length);

/* Make a file that nobody has made, with `text` in it, for its maker alone. It is not locked. */
int shmx_lockfile_make(const char *path, const char *text, int *fd);

/* The same, locked; and readable to others if flags open the segment to them, but only then, so
 * that they cannot have the lock first. SHMX_EAGAIN: another has found it before, and takes it for
 * left over. */
int shmx_lockfile_make_locked(const char *path, int operation, unsigned flags, const char *text,
                              int *fd);

/* Open an existing one, whatever a neighbour may have put in its place. SHMX_EPROTO: no plain
 * file. */
int shmx_lockfile_open(const char *path, int *fd, struct stat *facts);

/* Is the lock of an open file held, of a seat, an owner or a mark? If not, the file is taken away:
 * nobody needs it any more. On failure it counts as held. */
int shmx_lockfile_ask(int fd, const char *path, bool *held);

/* The same with a file that is still to be opened. One that we may not open, or that is none, does
 * not count as held. */
int shmx_lockfile_sweep(const char *path, bool *held);

/* The same with all whose names have that start; until one is held, or if NULL, whatever happens.
 */
int shmx_lockfile_sweep_all(const char *start, bool *held);

/* Sleep a little; false when the patience with the holder of a lock has ended. */
bool shmx_lockfile_patience(int *round);

/* The same for one that is inside the gate, and leaves it meanwhile; not with the list locked,
 * which may be wanted for that. */
bool shmx_lockfile_patience_outside(int *round);

/* True while nothing slower is to be expected than another's look. */
bool shmx_lockfile_is_short(int round);

/* ---- the name file (namefile.c) ---- */

enum shmx_lockfile_state {
    LOCKFILE_TRYING = 1, /* the object may have been made; then it has no length */
    LOCKFILE_MADE,       /* the object has been made, but not its control block */
    LOCKFILE_LIVE,       /* the object is whole */
    LOCKFILE_LOOKING     /* nothing is made: only to keep makers out for a moment */
};

/* The contents of a name file. */
struct shmx_lockfile_record {
    uint8_t magic[8];
    uint64_t id;    /* as in the object's label; 0: a raw or nameless object, or none */
    uint32_t state; /* enum shmx_lockfile_state */
    uint32_t probe; /* for shmx_name_condense */
};

/* A name file whose lock is held. */
struct shmx_lockfile_name {
    int fd;
    uid_t owner;
    bool known; /* there is a record, and it can be read */
    struct shmx_lockfile_record record;
    char path[LOCKFILE_PATH_MAX];
};

/* Make the file, and hold its lock. SHMX_EEXIST: there is one. SHMX_EAGAIN: another was quicker. */
int shmx_lockfile_name_make(struct shmx_lockfile_name *file, const char *name,
                            enum shmx_lockfile_state state, uint64_t id);

/* Hold the lock of the file that is there. SHMX_ENOENT: there is none; SHMX_EAGAIN: another holds
 * it; SHMX_EACCES, SHMX_EPROTO: what is there is not for us. */
int shmx_lockfile_name_lock(struct shmx_lockfile_name *file, const char *name);

/* True if there is one. */
bool shmx_lockfile_name_there(const char *name);

/* True if it leads to a segment, whole or not. */
bool shmx_lockfile_name_tells(const struct shmx_lockfile_name *file);

/* Admit processes that cannot lock the file, or do not: they see its mode. The maker admits them
 * when the segment is whole. A process that wants to remove the segment stops that before it looks
 * for users. */
int shmx_lockfile_name_admit(const struct shmx_lockfile_name *file, bool admit);

/* The look of such a process at the name file of an object that has this owner. False: the object
 * is being made or removed. True if there is no such file. */
bool shmx_lockfile_name_admits(const char *name, uid_t owner);

/* Write down how far the maker has come. */
int shmx_lockfile_name_mark(struct shmx_lockfile_name *file, enum shmx_lockfile_state state,
                            int probe);

/* True if this process may remove the file, and so all that belongs to it. */
bool shmx_lockfile_name_ours(const struct shmx_lockfile_name *file);

/* Take the file away; to be unlocked still. */
int shmx_lockfile_name_remove(struct shmx_lockfile_name *file);

void shmx_lockfile_name_unlock(struct shmx_lockfile_name *file);

/* ---- the users file (users.c); the lock of the name file is held ---- */

/* Make it and be its first user. */
int shmx_lockfile_users_make(uint64_t id, const char *name, int *fd);

/* Become one more user. SHMX_OK: *fd holds a shared lock, or is -1 because nobody can say whether
 * the segment has users. SHMX_ENOENT: it has none; *fd holds the exclusive lock. SHMX_EAGAIN: the
 * last one is leaving. */
int shmx_lockfile_users_join(uint64_t id, uid_t owner, int *fd);

/* Take the file away if it is of that owner. */
void shmx_lockfile_users_remove(uint64_t id, uid_t owner);

/* For the child of a fork, or those who inherit a token: a description of their own. `*fd` -1: none
 * is needed. */
int shmx_lockfile_users_again(uint64_t id, int own, int *fd);

/* True if nobody is left when the user that holds `fd` goes; then *fd, which may be another than
 * before, holds the exclusive lock. `shared`: another process holds the same description. -1: the
 * descriptor is lost. */
bool shmx_lockfile_users_leave(uint64_t id, bool shared, int *fd);

/* ---- seats (seats.c) ---- */

/* Has the segment got seats, one for each user? */
bool shmx_lockfile_has_seats(const struct shmx_label *label);

/* Take a seat: under the lock of the name file, or before it is seen by shmx_lockfile_name_admits
 * that nobody removes the segment. */
int shmx_lockfile_seat_take(uint64_t id, const char *name, int *fd, uint32_t *number);

/* Give it up. Another process may hold the same description; the last one takes the file away. fd
 * -1: it is lost. */
void shmx_lockfile_seat_leave(uint64_t id, int fd, uint32_t number);

/* Is any taken? */
int shmx_lockfile_seats_taken(uint64_t id, bool *taken);

/* The same under the lock of the name file, and if none is, nobody is admitted any more. */
int shmx_lockfile_seats_judge(const struct shmx_lockfile_name *file, uint64_t id, bool *taken);

/* Close fd if it is a seat of the segment: one that was inherited. */
void shmx_lockfile_seat_close(uint64_t id, int fd);

/* ---- owner files (owner.c) ---- */

/* Give up this process's token. */
void shmx_lockfile_owner_drop(struct shmx_attachment *attachment);

/* Take away the files of owners that died before their segment did; `given`: tokens handed out. */
void shmx_lockfile_owners_sweep(uint64_t id, uint32_t given);

/* ---- labels (label.c) ---- */

/* Write the control block of a new object. Its label says that lock files keep the object's users,
 * so that a library on the same machine that was built for another system, and sees no user, does
 * not take it for dead but for damaged. */
void shmx_lockfile_label_write(struct shmx_attachment *attachment, const struct shmx_label *label);

/* Read and check the label of an object of that length. Any name will do. */
int shmx_lockfile_label(int fd, uint64_t length, struct shmx_label *label,
                        enum shmx_control_kind *kind);

/* ---- what has a name (find.c) ---- */

/* Names that an object called so may have in the system: probes for shmx_name_condense. */
int shmx_lockfile_probes_of(const char *name);
void shmx_lockfile_object_path(char path[SHMX_POSIX_OBJECT_MAX], const char *name, int probe);

/* An open object, and what it is. */
struct shmx_lockfile_found {
    int fd;
    int probe;
    uid_t owner;
    uint64_t length;
    uint64_t footprint;
    enum shmx_control_kind kind;
    struct shmx_label label; /* if GOOD; its name may be any */
};

/* Open what has the name of that probe. flags: SHMX_READ_ONLY. */
int shmx_lockfile_find(struct shmx_lockfile_found *found, const char *name, int probe,
                       unsigned flags);

/* ... of any probe, where no name file says which: the first that is called so, or is foreign. If
 * there is but one it is found whatever its label says. */
int shmx_lockfile_find_unlisted(struct shmx_lockfile_found *found, const char *name,
                                unsigned flags);

/* True if its label has that name. */
bool shmx_lockfile_called(const struct shmx_lockfile_found *found, const char *name);

/* ---- what it is, and who uses it (judge.c) ---- */

/* True if what has the name was left half-made by the maker of the name file. */
bool shmx_lockfile_half_made(const struct shmx_lockfile_name *file,
                             const struct shmx_lockfile_found *found);

/* The thing that a name file leads to. */
struct shmx_lockfile_judged {
    enum shmx_os_kind kind; /* FOREIGN: to nothing; what has the name is not the file's business */
    struct shmx_lockfile_found found; /* open, but if FOREIGN */
    int user_fd; /* LIVE: a user's, or -1: has none, or nobody can say. DEAD: has the exclusive lock
                  */
};

/* Find out what a name file that we have locked leads to. flags: SHMX_READ_ONLY. SHMX_ENOENT: to an
 * object that is gone, or half-made. SHMX_EAGAIN: its last user is about to remove it. */
int shmx_lockfile_judge(const struct shmx_lockfile_name *file, const char *name, unsigned flags,
                        struct shmx_lockfile_judged *judged);

/* The end of that: is `found`, one of ours, LIVE or DEAD? `file` NULL: the name file is not ours to
 * lock, or there is none. On failure it is closed. */
int shmx_lockfile_judge_users(const struct shmx_lockfile_name *file,
                              struct shmx_lockfile_judged *judged);

/* True if what seems to be another program's is no segment in the making: for those who cannot lock
 * its name file. */
bool shmx_lockfile_surely_foreign(const struct shmx_lockfile_found *found, const char *name);

/* Become a user of what was found by one that cannot lock its name file. SHMX_EAGAIN: it is being
 * removed, or is gone. */
int shmx_lockfile_visit(const struct shmx_lockfile_found *found, int *fd, uint32_t *seat);

/* Close what it has open. */
void shmx_lockfile_dismiss(struct shmx_lockfile_judged *judged);

/* ---- taking away, under the lock of the name file (remove.c) ---- */

int shmx_lockfile_unlink_object(const char *name, int probe);

/* Take away a segment that is LIVE or DEAD with its files; its object has been looked at. */
int shmx_lockfile_remove_segment(struct shmx_lockfile_name *file, const char *name);

/* ... one whose users were all killed, and the files of those that were owners. */
int shmx_lockfile_remove_dead(struct shmx_lockfile_name *file, const char *name);

/* Take away a name file that leads to no segment, and what a dead maker left half-made. */
int shmx_lockfile_clean(struct shmx_lockfile_name *file, const char *name);

/* Stop being a user, which judging a LIVE one has made of this process. The last other user may
 * have left meanwhile and have seen this one: then this process has to do what that user left
 * undone. True if so. */
bool shmx_lockfile_leave_judged(struct shmx_lockfile_name *file, const char *name, int *user_fd);

/* ---- attaching (object.c, open.c) ---- */

/* The attachment is a user by this descriptor; -1: it is none. `seat`: number of its seat, 0: it
 * has none. */
void shmx_lockfile_user_set(struct shmx_attachment *attachment, int fd, uint32_t seat);

/* Is the descriptor still one of its object? */
bool shmx_lockfile_intact(const struct shmx_attachment *attachment, int fd);

/* Close what was to be inherited (inherit.c). */
void shmx_lockfile_passed_close(struct shmx_attachment *attachment);

/* Attach to fd's object, which then is the attachment's; on failure it is closed. `label` NULL:
 * without a control block. */
int shmx_lockfile_attach(struct shmx_attachment *attachment, int fd, uint64_t length,
                         const struct shmx_label *label, unsigned flags);

#endif
