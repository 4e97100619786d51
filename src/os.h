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
 *     backend may keep it in a list (fork needs all of them).
 *   - What differs between systems and concerns the portable code is data in shmx_os_facts.
 *   - All of them may be called by many threads at once; one object may be closed only once.
 */
#ifndef SHMX_OS_H
#define SHMX_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/shared.h"

/* struct shmx_os_private: what the backend keeps with an object */
#include "os_private.h"

/* ---- facts ---- */

struct shmx_os_facts {
    size_t page_size;    /* granularity of a mapping's length */
    bool futex;          /* waiting needs no control block, so it works on foreign segments */
    bool raw_unlink;     /* a segment without a control block can lose its name */
    unsigned processors; /* that this process may run on */
};

const struct shmx_os_facts *shmx_os_facts(void);

/* ---- objects ---- */

/* An attachment as the system sees it. */
struct shmx_attachment {
    unsigned char *data;          /* the mapping, page-aligned */
    size_t length;                /* bytes mapped; for a foreign object what the system says */
    bool read_only;               /* mapped without write access */
    bool guest;                   /* opened with SHMX_OS_LOOK, and no user: keeps nothing alive */
    struct shmx_control *control; /* the end of the mapping; NULL if foreign or raw */
    struct shmx_label label;      /* private, checked copy of control->label */
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

/* For shmx_os_open: only look. What is not ready is SHMX_EAGAIN at once, and what is dead is
 * SHMX_ENOENT and stays where it is. */
#define SHMX_OS_NOWAIT 0x80000000u

/* For shmx_os_open with SHMX_READ_ONLY: for a look at label and usage. Where the system can,
 * the object is a guest, so that a look is never what keeps a segment alive. */
#define SHMX_OS_LOOK 0x40000000u

/* Attach to what has that name: SHMX_READ_ONLY, SHMX_RAW and SHMX_PREFAULT count in
 * flags. A segment whose users
 * were all killed is SHMX_ENOENT (and is removed if it may be); one without a control block is
 * attached as foreign; SHMX_EPROTO, SHMX_EAGAIN as in shmx.h. */
int shmx_os_open(struct shmx_attachment *attachment, const char *name, unsigned flags);

/* Unmap and give up; the last user of a segment that is not persistent removes it. */
void shmx_os_close(struct shmx_attachment *attachment);

/* Take the name away from what has it. Never from a successor. */
int shmx_os_unlink(const char *name);

/* Call visit with the name of each object that shmx_os_open might attach to, until it
 * returns other than 0, and return that. */
int shmx_os_list(int (*visit)(const char *name, void *context), void *context);

/* Remove what has that name if all its users were killed; *removed tells. Other leftovers of this
 * library that killed processes left are removed when name is NULL. */
int shmx_os_remove_dead(const char *name, bool *removed);

/* Bytes of memory used by the object, and number of users (-1: cannot say). */
int shmx_os_usage(struct shmx_attachment *attachment, uint64_t *footprint, int *users);

/* Let children inherit, and print the token; attach by it. See shmx_share and shmx_adopt. */
int shmx_os_share(struct shmx_attachment *attachment, char *token, size_t token_size);
int shmx_os_adopt(struct shmx_attachment *attachment, const char *token, unsigned flags);

/* ---- waiting ---- */

#define SHMX_OS_NEVER INT64_MAX

/* Sleep while *word == expected until woken, or until the clock of shmx_os_now says `deadline`
 * (SHMX_ETIMEDOUT). May return 0 early. Word lies in the object, aligned to 4. */
int shmx_os_wait(struct shmx_attachment *attachment, _Atomic uint32_t *word, uint32_t expected,
                 int64_t deadline);

/* Wake up to count sleepers of the word, in any process. */
int shmx_os_wake(struct shmx_attachment *attachment, _Atomic uint32_t *word, int count);

/* ---- owners ---- */

/* An owner token names one attachment in one process (bits 0 to 29, never 0) for as long as that
 * attachment is open there; the system, not the process, says when it has ended. */
#define SHMX_OWNER_MASK 0x3fffffffu

/* Return this attachment's token in this process; made at the first call, anew after fork. */
int shmx_os_owner_claim(struct shmx_attachment *attachment, uint32_t *token);

/* *alive: the token's attachment is open in a living process. Never false for a live one. */
int shmx_os_owner_alive(struct shmx_attachment *attachment, uint32_t token, bool *alive);

/* True if the token belongs to any attachment of this process to the same segment. */
bool shmx_os_owner_here(struct shmx_attachment *attachment, uint32_t token);

/* ---- process, time and chance ---- */

int64_t shmx_os_pid(void);
int64_t shmx_os_now(void);  /* ns, monotonic */
int64_t shmx_os_wall(void); /* ns since 1970 */
void shmx_os_sleep(int64_t nanoseconds);
void shmx_os_relax(void); /* a pause of the processor in a spinning loop */
int shmx_os_random(void *bytes, size_t count);

/* The system's number behind this thread's last failure of the functions above; backends set it,
 * the portable code clears it. */
int shmx_os_last_error(void);
void shmx_os_set_error(int number);

#endif
