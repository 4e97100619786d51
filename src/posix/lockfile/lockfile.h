/* SPDX-License-Identifier: MIT */
/*
 * The lifetime variant for systems that refuse locks on shared memory: files in a directory of the
 * machine carry them instead (flock(2)). docs/lockfile.md has the protocol and the proof.
 *
 *   name file   one per segment with a name. Who holds its lock, and has seen that the file still
 *               has its place, may create, join, judge and remove what has the name. It is made
 *               for each segment anew and never written by anybody but its maker.
 *   users file  one per segment that goes with its last user. A user holds a shared lock on it;
 *               who gets the exclusive one knows that nobody lives.
 *   owner file  one per owner token; the owner holds its lock.
 */
#ifndef SHMX_LOCKFILE_H
#define SHMX_LOCKFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/control.h"
#include "os.h"

/* Not emptied when the machine starts or by the clock, as /tmp is on some systems. Sticky, so that
 * nobody removes another user's files. */
#define LOCKFILE_DIRECTORY "/var/tmp"
#define LOCKFILE_PREFIX ".shmx-"
#define LOCKFILE_PATH_MAX (sizeof LOCKFILE_DIRECTORY + sizeof LOCKFILE_PREFIX + SHMX_NAME_MAX + 8)

/* ---- names of files (lockfile.c) ---- */

void shmx_lockfile_path_name(char path[LOCKFILE_PATH_MAX], const char *name);
void shmx_lockfile_path_users(char path[LOCKFILE_PATH_MAX], uint64_t id);
void shmx_lockfile_path_owner(char path[LOCKFILE_PATH_MAX], uint64_t id, uint32_t token);

/* ---- any lock file (lockfile.c) ---- */

/* Lock without waiting; 0, or errno. */
int shmx_lockfile_set(int fd, int operation);

/* Make a file that nobody has made, with `text` in it; readable to others if flags open the segment
 * to them. It is not locked. */
int shmx_lockfile_make(const char *path, unsigned flags, const char *text, int *fd);

/* Open an existing one, whatever a neighbour may have put in its place. SHMX_EPROTO: no plain
 * file. */
int shmx_lockfile_open(const char *path, int *fd, struct stat *facts);

/* True if the path still leads to fd's file. */
bool shmx_lockfile_in_place(int fd, const char *path);

/* Take a file away if nobody holds a lock on it. */
void shmx_lockfile_sweep(const char *path);

/* Sleep a little; false when the patience with whoever holds a lock has ended. */
bool shmx_lockfile_patience(int *round);

/* True while nothing slower is to be expected than another's look. */
bool shmx_lockfile_is_short(int round);

/* ---- the name file (name_lockfile.c) ---- */

enum shmx_lockfile_state {
    LOCKFILE_TRYING = 1, /* the object may have been made; then it has no length */
    LOCKFILE_MADE,       /* the object has been made, but not its control block */
    LOCKFILE_LIVE,       /* the object is whole */
    LOCKFILE_LOOKING     /* nothing is made: only to keep makers out for a moment */
};

/* What is written in a name file. */
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
int shmx_lockfile_name_make(struct shmx_lockfile_name *file, const char *name, unsigned flags,
                            enum shmx_lockfile_state state, uint64_t id);

/* Hold the lock of the file that is there. SHMX_ENOENT: there is none; SHMX_EAGAIN: another holds
 * it; SHMX_EACCES, SHMX_EPROTO: what is there is not for us. */
int shmx_lockfile_name_lock(struct shmx_lockfile_name *file, const char *name);

/* Write down how far the maker has come. */
int shmx_lockfile_name_mark(struct shmx_lockfile_name *file, enum shmx_lockfile_state state,
                            int probe);

/* True if this process may remove the file, and so all that belongs to it. */
bool shmx_lockfile_name_ours(const struct shmx_lockfile_name *file);

/* Take the file away; to be unlocked still. */
int shmx_lockfile_name_remove(struct shmx_lockfile_name *file);

void shmx_lockfile_name_unlock(struct shmx_lockfile_name *file);

/* ---- the users file (users_lockfile.c); the lock of the name file is held ---- */

/* Make it and be its first user. */
int shmx_lockfile_users_make(uint64_t id, const char *name, unsigned flags, int *fd);

/* Become one more user. SHMX_OK: *fd holds a shared lock, or is -1 because nobody can say whether
 * the segment has users. SHMX_ENOENT: it has none; *fd holds the exclusive lock. SHMX_EAGAIN: the
 * last one is leaving. */
int shmx_lockfile_users_join(uint64_t id, uid_t owner, int *fd);

/* Take the file away if it is of that owner. */
void shmx_lockfile_users_remove(uint64_t id, uid_t owner);

/* For the child of a fork: a description of its own. `*fd` -1: none is needed. */
int shmx_lockfile_users_again(uint64_t id, int own, int *fd);

/* True if nobody is left when the user that holds `fd` goes; then *fd, which may be another than
 * before, holds the exclusive lock. `shared`: another process holds the same description. */
bool shmx_lockfile_users_leave(uint64_t id, bool shared, int *fd);

/* ---- owner files (owner_lockfile.c) ---- */

/* Give up this process's token. */
void shmx_lockfile_owner_drop(struct shmx_attachment *attachment);

/* Take away the files of owners that died before their segment did; `given`: tokens handed out. */
void shmx_lockfile_owners_sweep(uint64_t id, uint32_t given);

/* ---- objects (object_lockfile.c) ---- */

/* Attach to fd's object, which then is the attachment's; on failure it is closed. `label` NULL:
 * without a control block. */
int shmx_lockfile_attach(struct shmx_attachment *attachment, int fd, uint64_t length,
                         const struct shmx_label *label, unsigned flags);

/* Set the fields of an attachment. */
void shmx_lockfile_start(struct shmx_attachment *attachment, int fd);

/* Remove what a name file leads to if all its users were killed, or if it was left half-made. */
int shmx_lockfile_remove_dead(const char *name, bool *removed);

/* ---- labels (label_lockfile.c) ---- */

/* Write the control block of a new object. Its label says that lock files keep the object's users,
 * so that a library on the same machine that was built with another lifetime variant, and sees no
 * user, does not take it for dead but for damaged. */
void shmx_lockfile_label_write(struct shmx_attachment *attachment, const struct shmx_label *label);

/* Take the mark off a label that was read, and check it. Any name will do. */
enum shmx_control_kind shmx_lockfile_label_check(struct shmx_label *label, uint64_t length);

/* ---- what systems do differently, chosen by Meson ---- */

/* Read and check the label of an object of that length (label_*.c). Any name will do. */
enum shmx_control_kind shmx_lockfile_label(int fd, uint64_t length, struct shmx_label *label);

/* Make an object of length 0 that only those whom the flags name may attach to, whatever the umask
 * (mode_*.c). SHMX_EEXIST: there is one. */
int shmx_lockfile_object_make(const char *path, unsigned flags, int *fd);

/* Visit objects that have no name file (names_*.c), as far as the system tells them. */
int shmx_lockfile_names(int (*visit)(const char *name, void *context), void *context);

#endif
