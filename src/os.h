/* SPDX-License-Identifier: MIT */
/*
 * THE CONTRACT between the portable code and an operating system: all that a system must provide.
 * Implemented by src/posix and src/win32, of which Meson compiles one, and by tests/units/fake.
 *
 * Rules that hold for every function here
 *   - Arguments are right: pointers not NULL, sizes not 0, names already checked.
 *   - The result is 0 or a negative SHMX_E... code. On failure nothing that the call made is left
 *     open, mapped or named, and shmx_os_last_error() tells the system's own error number.
 *   - A call interrupted by a signal is retried inside.
 *   - A struct shmx_attachment stays at one address from create/open/adopt to close, because a
 *     backend keeps it in a list (fork needs all of them).
 *   - No function is a cancellation point (pthread_setcancelstate(3)).
 *   - A difference between systems that concerns the portable code is data in shmx_os_facts.
 *   - All of them may be called by many threads at once; one object may be closed only once.
 */
#ifndef SHMX_OS_H
#define SHMX_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/shared.h"

/* struct shmx_os_private: what the backend keeps with an attachment; and
 * uint32_t shmx_os_glance(const _Atomic uint32_t *word): read a word that may have become plain
 * bytes of another at this moment. Whatever it says is a guess, and orders nothing. */
#include "os_private.h"

/* ---- facts ---- */

struct shmx_os_facts {
    size_t page_size;     /* granularity of a mapping's length */
    bool futex;           /* waiting needs no control block, so it works on foreign segments */
    bool raw_unlink;      /* a segment without a control block can lose its name */
    unsigned processors;  /* that this process may run on */
    int64_t sleep_excess; /* ns by which a sleep may be longer than asked for */
};

const struct shmx_os_facts *shmx_os_facts(void);

/* ---- objects: make, attach, leave ---- */

/* An attachment of this process. Create, open and adopt fill all of it. */
struct shmx_attachment {
    unsigned char *data;          /* the mapping, page-aligned */
    size_t length;                /* bytes mapped; for a foreign object what the system says */
    bool read_only;               /* mapped without write access */
    bool guest;                   /* with SHMX_RAW: no user, and keeps nothing alive */
    struct shmx_control *control; /* the end of the mapping; NULL if foreign or made as raw */
    struct shmx_label label;      /* private, checked copy of control->label; zeros without */
    _Atomic uint32_t owner;       /* token of this attachment in this process, 0: none yet */
    struct shmx_os_private os;
};

/* Make an object of `length` bytes, all zero and reserved, map it for writing and let it appear
 * under `name` (NULL: it gets none) whole, that is with the control block that `label` and
 * SHMX_STATE_LIVE make at its end; label NULL: raw, no control block. Access is what flags'
 * SHMX_OTHERS_... say. A dead predecessor, all of whose users were killed, makes room.
 * SHMX_PREFAULT, here and in open and adopt: make every page present, as fast as the system can;
 * where it cannot, that is no failure.
 * SHMX_EEXIST: something lives under that name (or cannot be told). */
int shmx_os_create(struct shmx_attachment *attachment, const char *name, size_t length,
                   unsigned flags, const struct shmx_label *label);

/* Attach to what has that name: SHMX_READ_ONLY, SHMX_RAW and SHMX_PREFAULT count in flags. A
 * segment whose users were all killed is SHMX_ENOENT (and is removed if it may be); one without a
 * control block is attached as foreign; with SHMX_RAW a good control block is attached too, but
 * nobody becomes a user. SHMX_EPROTO, SHMX_EAGAIN as in shmx.h. `hurry`: a peer in the middle of
 * a step is waited for no longer than some milliseconds. */
int shmx_os_open(struct shmx_attachment *attachment, const char *name, unsigned flags, bool hurry);

/* Unmap and give up; the last user of a segment that is not persistent removes it. */
void shmx_os_close(struct shmx_attachment *attachment);

/* Take the name away from what has it. Never from a successor. */
int shmx_os_unlink(const char *name);

/* ---- inherit ---- */

/* Let children inherit, and print the token; attach by it. See shmx_share and shmx_adopt. */
int shmx_os_share(struct shmx_attachment *attachment, char *token, size_t token_size);
int shmx_os_adopt(struct shmx_attachment *attachment, const char *token, unsigned flags);

/* ---- inspect ---- */

enum shmx_os_kind {
    SHMX_OS_LIVE,    /* a segment of ours, with a user; or persistent */
    SHMX_OS_DEAD,    /* a segment of ours, and all its users were killed */
    SHMX_OS_FOREIGN, /* without a control block */
    SHMX_OS_DAMAGED  /* with one that cannot be believed */
};

/* The facts of an object that are seen without attaching to it. */
struct shmx_os_view {
    enum shmx_os_kind kind;
    struct shmx_label label; /* if LIVE or DEAD */
    uint64_t length;         /* bytes, the control block included */
    uint64_t footprint;      /* bytes of memory used */
    int users;               /* -1: the system cannot say */
};

/* Look at what has that name; nothing is mapped for longer than the call, and nothing changed.
 * SHMX_EAGAIN: it is being made or removed at this moment. */
int shmx_os_inspect(const char *name, struct shmx_os_view *view);

/* Call visit with the name of each object that shmx_os_inspect might find, once, until it returns
 * other than 0, and return that. The facts that visit inspects may be read at once for all names.
 */
int shmx_os_list(int (*visit)(const char *name, void *context), void *context);

/* Remove what has that name if all its users were killed; *removed says whether. */
int shmx_os_remove_dead(const char *name, bool *removed);

/* Look at a few of all names, others each time, and remove what is dead. Takes no longer than
 * making a segment or two, however many there are. */
void shmx_os_sweep(void);

/* Remove what killed processes left beside objects: lock files, files of unlinked segments. */
int shmx_os_remove_leftovers(void);

/* ---- waiting ---- */

#define SHMX_OS_NEVER INT64_MAX

/* Sleep while *word == expected until woken, or until the clock of shmx_os_now says `deadline`
 * (SHMX_ETIMEDOUT). May return 0 early. Word lies in the object, aligned to 4. */
int shmx_os_wait(struct shmx_attachment *attachment, _Atomic uint32_t *word, uint32_t expected,
                 int64_t deadline);

/* Wake up to count sleepers of the word, in any process. Return how many were woken (count where
 * the system does not say), or a negative status. */
int shmx_os_wake(struct shmx_attachment *attachment, _Atomic uint32_t *word, int count);

/* ---- owners ---- */

/* An owner token names one attachment in one process (bits 0 to 29, never 0, never
 * SHMX_OWNER_MASK) for as long as that attachment is open there; the system, not the process, says
 * when it has ended. */
#define SHMX_OWNER_MASK 0x3fffffffu

/* Return this attachment's token in this process; made at the first call, anew after fork. */
int shmx_os_owner_claim(struct shmx_attachment *attachment, uint32_t *token);

/* *alive: the token's attachment is open in a living process. Never false for a live one. */
int shmx_os_owner_alive(struct shmx_attachment *attachment, uint32_t token, bool *alive);

/* Call visit with the attachments of this process, none of which is closed meanwhile, until it
 * returns true; return that. visit calls no function of this file but shmx_os_wake. */
bool shmx_os_find(bool (*visit)(struct shmx_attachment *attachment, void *context), void *context);

/* Call shmx_thread_ended(state) when the calling thread ends, in whatever way the system lets us
 * see (return, exit of the thread, cancellation); state NULL: no more. */
int shmx_os_thread_watch(void *state);

/* The portable code's: the thread that watched has ended, and is the caller. */
void shmx_thread_ended(void *state);

/* The portable code's: the library goes, and the caller's end will not be seen. */
void shmx_thread_unwatched(void);

/* ---- marks ---- */

/* A mark says under a number that an attachment is there. The system keeps it until it is dropped,
 * the attachment is closed, or its process ends or executes another program. A forked child has
 * none of its parent's. */
enum shmx_os_space {
    SHMX_OS_PRESENT, /* any attachment sets one of these once */
    SHMX_OS_JOINED   /* those that may write, as often as they like; each is dropped for itself */
};

/* SHMX_EEXIST: it is set (PRESENT only). */
int shmx_os_mark_set(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key);

/* SHMX_ENOENT: it is not set. */
int shmx_os_mark_drop(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key);

/* *held: PRESENT: by another attachment; JOINED: by any, this one too. */
int shmx_os_mark_held(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key,
                      bool *held);

/* The lowest key from `from` on under which another attachment is PRESENT; SHMX_ENOENT: none. */
int shmx_os_mark_find(struct shmx_attachment *attachment, uint32_t from, uint32_t *key);

/* ---- process, time and chance ---- */

int64_t shmx_os_pid(void);
int64_t shmx_os_now(void);  /* ns, monotonic */
int64_t shmx_os_tick(void); /* the same, but cheap, and behind by some ms */
int64_t shmx_os_wall(void); /* ns since 1970 */
void shmx_os_sleep(int64_t nanoseconds);
void shmx_os_relax(void); /* a pause of the processor in a spinning loop */
int shmx_os_random(void *bytes, size_t count);

/* The portable code's: the system's number behind this thread's last failure of the functions
 * above. Backends set it, the portable code clears it. */
int shmx_os_last_error(void);
void shmx_os_set_error(int number);

#endif
