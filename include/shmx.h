/* SPDX-License-Identifier: MIT */
/*
 * shmx: the same shared memory on every operating system.
 *
 *     #include <shmx.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         shmx *shm;
 *         int status = shmx_open_or_create(&shm, "counter", 64, 0, NULL);
 *         if (status != SHMX_OK)
 *             return fprintf(stderr, "counter: %s\n", shmx_strerror(status)), 1;
 *         unsigned char *bytes = shmx_data(shm);
 *         printf("%d\n", ++bytes[0]);
 *         shmx_close(&shm);
 *         return 0;
 *     }
 *
 * Contents
 *   1. Version
 *   2. Status codes
 *   3. Segments: names, flags, lifetime
 *   4. Handing on a segment without a name
 *   5. Looking around
 *   6. Waiting, and who is there
 *   7. Locks: mutex, condition, semaphore, once
 *   8. Queue
 *   9. Topic
 *
 * Rules that hold for every function
 *   Results    A function that can fail returns SHMX_OK (0) or a negative SHMX_E... code.
 *              After a failure nothing that the call itself made is left behind, and an
 *              out-parameter that would have held a handle is NULL.
 *   Threads    Any function may be called from any thread at any time, on one handle too;
 *              but no call may use a handle while or after it is closed. (A handle of a
 *              queue or topic serves one thread at a time.)
 *   Forks      After fork the child may use, and must close, the handles it inherited. It
 *              is a user of its own, and owns none of the parent's locks. Handlers of
 *              pthread_atfork may call any function; in the child they leave no lock,
 *              reservation or peeked message behind. A child that finds no descriptor free
 *              may get SHMX_EMFILE from any call that locks or asks who is there, and
 *              SHMX_ENOSPC if there is no room for its lock file. One made without the
 *              handlers (_Fork, clone), or in a signal handler that interrupted a call,
 *              only execs or exits.
 *   Signals    No call returns early because of a signal. The library installs no handlers,
 *              starts no threads and prints nothing. Its functions are not
 *              async-signal-safe.
 *   Time       A timeout_ms is in milliseconds of the monotonic clock: SHMX_FOREVER (-1)
 *              waits without limit, 0 tries once, another negative number is SHMX_EINVAL.
 */
#ifndef SHMX_H
#define SHMX_H

#include <stddef.h>
#include <stdint.h>

/* How functions are declared; a build may say it otherwise. Windows exports by src/shmx.def, so the
 * header is the same for the static library. */
#if defined(SHMX_API)
#elif defined(__ELF__) || defined(__MACH__)
#define SHMX_API __attribute__((visibility("default")))
#else
#define SHMX_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- 1. Version ------------------------------------------------------------------------ */

#define SHMX_VERSION_MAJOR 0
#define SHMX_VERSION_MINOR 1
#define SHMX_VERSION_PATCH 0
#define SHMX_VERSION "0.1.0"

/* Return the version of the library that is linked, as in SHMX_VERSION. Never NULL. */
SHMX_API const char *shmx_version(void);

/* ---- 2. Status codes ------------------------------------------------------------------- */

#define SHMX_OK 0
#define SHMX_EINVAL (-1)       /* an argument that no system could accept */
#define SHMX_ENAMETOOLONG (-2) /* name longer than SHMX_NAME_MAX */
#define SHMX_EEXIST (-3)       /* create: a live segment has that name */
#define SHMX_ENOENT (-4)       /* open, unlink: no live segment has that name */
#define SHMX_EACCES (-5)       /* denied by the system; write through a read-only handle */
#define SHMX_ENOSPC (-6)       /* not enough shared memory at create, or no room for a lock file */
#define SHMX_ENOMEM (-7)       /* no heap or address space in this process */
#define SHMX_EMFILE (-8)       /* out of descriptors or handles */
#define SHMX_EAGAIN (-9)       /* still being created, and not finished in time */
#define SHMX_EPROTO (-10)      /* control block damaged, of another version or byte order */
#define SHMX_ERANGE (-11)      /* outside the segment; existing segment too small */
#define SHMX_ETIMEDOUT (-12)   /* the time given ran out */
#define SHMX_EOWNERDEAD (-13)  /* lock held by you: its last owner died holding it */
#define SHMX_EDEADLK (-14)     /* the caller holds this mutex already */
#define SHMX_EPERM (-15)       /* unlock by one who does not hold it */
#define SHMX_EOVERFLOW (-16)   /* semaphore count at its maximum */
#define SHMX_EMSGSIZE (-17)    /* message larger than the queue takes, or than the buffer */
#define SHMX_ENOTSUP (-18)     /* this system cannot do it */
#define SHMX_EIO (-19)         /* anything else the system reports; see shmx_os_error */
#define SHMX_EHANGUP (-20)     /* nobody is left on the other side, or it was shut down */

/* Describe a status in one English sentence without a final stop. Never NULL, also for
 * numbers that are no status; the text is constant and must not be freed. */
SHMX_API const char *shmx_strerror(int status);

/* Name a status: "SHMX_EEXIST". Never NULL. */
SHMX_API const char *shmx_status_name(int status);

/* Return the errno or GetLastError() behind this thread's last failed call, 0 if the system
 * had no part in it. A call that succeeds leaves it as it was. */
SHMX_API int shmx_os_error(void);

/* ---- 3. Segments ----------------------------------------------------------------------- */

/* One attachment of this process to a segment: a user of it. */
typedef struct shmx shmx;

/* Longest name in bytes, without the final zero. */
#define SHMX_NAME_MAX 128

/* Flags. 0 is the usual choice; bits not listed for a call are SHMX_EINVAL. */
#define SHMX_READ_ONLY 0x1u     /* open, adopt: map without write access */
#define SHMX_PERSISTENT 0x2u    /* create: outlives its users until it is unlinked */
#define SHMX_RAW 0x4u           /* create, open: a plain object of the system, nothing added */
#define SHMX_OTHERS_READ 0x8u   /* create: other users may attach read-only */
#define SHMX_OTHERS_WRITE 0x10u /* create: other users may read and write */
#define SHMX_MACHINE_WIDE 0x20u /* create: Windows: visible across login sessions */
#define SHMX_PREFAULT 0x40u     /* create, open, adopt: every page present on return */

/* Create a segment of `size` bytes, all zero, and attach to it for reading and writing.
 *
 * name   1 to SHMX_NAME_MAX bytes of A-Z a-z 0-9 . _ - not starting with a dot; it is
 *        case-sensitive. NULL makes a random, unguessable name "shmx_..." of at most 30
 *        bytes; shmx_name tells it. "" makes a segment without a name (section 4).
 * size   in bytes, at least 1. Every process sees exactly this size.
 * flags  0, or SHMX_PERSISTENT, SHMX_RAW, SHMX_OTHERS_READ, SHMX_OTHERS_WRITE,
 *        SHMX_MACHINE_WIDE, SHMX_PREFAULT. SHMX_PERSISTENT goes neither with SHMX_RAW nor with "".
 *
 * After success *shm is an attachment; no other process ever saw the segment half-made, and
 * all of its memory is reserved. The segment is gone when its last user has closed it or
 * died, or when it is unlinked. Only the creating user may attach, unless
 * SHMX_OTHERS_... say more; the umask (umask(2)) makes no difference.
 * After failure *shm is NULL.
 * Errors: SHMX_EINVAL, SHMX_ENAMETOOLONG, SHMX_EEXIST, SHMX_EACCES, SHMX_ENOSPC,
 *         SHMX_ENOMEM, SHMX_EMFILE, SHMX_EAGAIN, SHMX_ENOTSUP, SHMX_EIO */
SHMX_API int shmx_create(shmx **shm, const char *name, size_t size, unsigned flags);

/* Attach to an existing segment.
 *
 * name   as for shmx_create; NULL and "" are SHMX_EINVAL. A segment that another program
 *        made with the system's own calls (shm_open(3), CreateFileMapping) is attached as
 *        well; its size is what the system says.
 * flags  0, or SHMX_READ_ONLY, SHMX_RAW, SHMX_PREFAULT. With SHMX_RAW a segment made by shmx
 *        is shown as the plain object it is, control block included.
 *
 * After success *shm is an attachment; after failure it is NULL.
 * Errors: SHMX_EINVAL, SHMX_ENAMETOOLONG, SHMX_ENOENT, SHMX_EACCES, SHMX_ENOSPC (no room for a
 *         lock file), SHMX_ENOMEM, SHMX_EMFILE, SHMX_EAGAIN, SHMX_EPROTO, SHMX_EIO */
SHMX_API int shmx_open(shmx **shm, const char *name, unsigned flags);

/* Attach to a segment as shmx_open does, but wait until there is one of that name: for at most
 * timeout_ms, in milliseconds; SHMX_FOREVER waits without limit, 0 tries once. A segment that
 * appears is noticed within 20 ms, and waiting costs next to nothing.
 * Errors: those of shmx_open without SHMX_ENOENT and SHMX_EAGAIN, SHMX_ETIMEDOUT */
SHMX_API int shmx_open_wait(shmx **shm, const char *name, unsigned flags, int timeout_ms);

/* Attach to the segment of that name, or create it where there is none.
 *
 * Parameters as for shmx_create; name must not be NULL or "". An existing segment of at
 * least `size` bytes is attached as it is, whatever its flags; a smaller one is SHMX_ERANGE.
 * After success *created (if created is not NULL) is 1 if this call created the segment and
 * 0 if not; after failure it is 0 and *shm is NULL.
 * Errors: those of shmx_create without SHMX_EEXIST, those of shmx_open without SHMX_ENOENT,
 *         SHMX_ERANGE */
SHMX_API int shmx_open_or_create(shmx **shm, const char *name, size_t size, unsigned flags,
                                 int *created);

/* Detach, and set *shm to NULL. If this was the last user of a segment that is not
 * SHMX_PERSISTENT, the segment is gone: its name free, its memory returned. A mutex that is
 * held through this attachment is treated as one whose owner died. Closing NULL, or through
 * NULL, does nothing. */
SHMX_API void shmx_close(shmx **shm);

/* Take a segment's name away. Its users keep it and the name is free at once for a new,
 * different segment. It works on segments of other programs too.
 * Errors: SHMX_EINVAL, SHMX_ENAMETOOLONG, SHMX_ENOENT, SHMX_EACCES, SHMX_EMFILE,
 *         SHMX_EAGAIN, SHMX_ENOTSUP (Windows: SHMX_RAW and other programs' segments),
 *         SHMX_EIO */
SHMX_API int shmx_unlink(const char *name);

/* Return the address of the segment's first byte, page-aligned: shmx_size bytes that are the
 * same bytes in every process, at an address that may differ. Valid until shmx_close. Never
 * NULL, but for a NULL shm. Writing through a read-only attachment is stopped by the system
 * (a fault, as mprotect(2) describes). */
SHMX_API void *shmx_data(const shmx *shm);

/* Return the size in bytes, exactly as asked for at create. 0 for a NULL shm. */
SHMX_API size_t shmx_size(const shmx *shm);

/* Return the name; "" for a segment without one. Valid until shmx_close. Never NULL. */
SHMX_API const char *shmx_name(const shmx *shm);

/* Say what is wrong with a name and what to do, in one English sentence without a final stop. NULL
 * if the name is good. A bad name is one of the causes of SHMX_EINVAL. The text is constant and
 * must not be freed. */
SHMX_API const char *shmx_name_error(const char *name);

/* Copy `count` bytes at `offset` of the segment to dst, or from src into the segment. Either
 * all is copied or, after failure, nothing. These are plain copies: not atomic with regard
 * to other processes. A count of 0 copies nothing and is checked like any other.
 * Errors: SHMX_EINVAL (NULL pointer), SHMX_ERANGE (offset + count beyond the size),
 *         SHMX_EACCES (shmx_write through a read-only attachment) */
SHMX_API int shmx_read(const shmx *shm, size_t offset, void *dst, size_t count);
SHMX_API int shmx_write(shmx *shm, size_t offset, const void *src, size_t count);

/* ---- 4. Handing on a segment without a name --------------------------------------------- */

/* Bytes that any token fits into, with the final zero. */
#define SHMX_TOKEN_MAX 64

/* Let processes that this one starts from now on attach to the segment, and write to `token`
 * what they give to shmx_adopt: printable ASCII, shorter than SHMX_TOKEN_MAX with its final
 * zero. Pass it on as an argument or in the environment. On Windows the child must be started
 * with handle inheritance (CreateProcess with bInheritHandles, or _spawn). May be called
 * again; the token is the same.
 * Errors: SHMX_EINVAL, SHMX_ERANGE (token_size too small; SHMX_TOKEN_MAX is always enough),
 *         SHMX_EMFILE, SHMX_ENOMEM, SHMX_ENOTSUP, SHMX_EIO */
SHMX_API int shmx_share(shmx *shm, char *token, size_t token_size);

/* In a process started by one that called shmx_share: attach by its token. Each token is good
 * for one shmx_adopt per process.
 * flags  0, or SHMX_READ_ONLY, SHMX_PREFAULT
 * Errors: SHMX_EINVAL (not a token), SHMX_ENOENT (this process has not inherited it),
 *         SHMX_EACCES, SHMX_ENOSPC, SHMX_ENOMEM, SHMX_EMFILE, SHMX_EPROTO, SHMX_EIO */
SHMX_API int shmx_adopt(shmx **shm, const char *token, unsigned flags);

/* ---- 5. Looking around ------------------------------------------------------------------ */

typedef struct shmx_info {
    char name[SHMX_NAME_MAX + 1];
    uint64_t size;       /* bytes, as shmx_size says */
    uint64_t footprint;  /* bytes of memory really used */
    uint64_t created;    /* nanoseconds since 1970-01-01 UTC; 0 if foreign */
    int64_t creator_pid; /* process that created it; 0 if foreign */
    int users;           /* attachments in all processes, -1 if the system cannot say */
    unsigned flags;      /* flags given at create */
    int foreign;         /* 1: made by another program, or with SHMX_RAW */
} shmx_info;

/* Describe the segment of that name without becoming a user of it.
 * Errors: those of shmx_open */
SHMX_API int shmx_stat(const char *name, shmx_info *info);

/* Call visit once for each live segment that this user may see, in no order. A segment that appears
 * or goes meanwhile may be shown or not; info is valid during the call only. When visit returns
 * other than 0 the listing stops and shmx_list returns that value.
 * Errors: SHMX_EINVAL, SHMX_EACCES, SHMX_ENOMEM, SHMX_EMFILE, SHMX_EIO */
SHMX_API int shmx_list(int (*visit)(const shmx_info *info, void *context), void *context);

/* Free every segment whose users were all killed, and what else killed processes left behind.
 * Segments in use, persistent ones and those of other programs are never touched.
 * *removed (if not NULL) is the number of segments freed.
 * Errors: SHMX_EACCES, SHMX_ENOMEM, SHMX_EMFILE, SHMX_EIO */
SHMX_API int shmx_prune(int *removed);

/* ---- 6. Waiting, and who is there ------------------------------------------------------- */

/*
 * All objects of sections 6 and 7 lie in the segment, where the user places them. `shm` is the
 * caller's attachment of that segment. A pointer outside it, or not aligned to 4 bytes, is
 * SHMX_EINVAL. Through a read-only attachment shmx_wait and presence work; the others are
 * SHMX_EACCES. A zeroed object is ready for use. On a foreign segment the functions are
 * SHMX_ENOTSUP on systems where they need the control block (see SUPPORT.md).
 */
#define SHMX_FOREVER (-1)
#define SHMX_WAKE_ALL INT32_MAX

/* Sleep while *word == expected, until woken. May return SHMX_OK early: look at the word again.
 * Through a read-only attachment a change may be noticed up to 10 ms late, since such a sleeper
 * cannot announce itself and looks for itself.
 * Errors: SHMX_EINVAL, SHMX_ETIMEDOUT, SHMX_ENOTSUP, SHMX_EIO */
SHMX_API int shmx_wait(shmx *shm, uint32_t *word, uint32_t expected, int timeout_ms);

/* Wake up to `count` (at least 1; SHMX_WAKE_ALL) sleepers on word, in any process. Change the word
 * first: then a sleeper that saw the old value is woken, and one that comes later does not sleep.
 * Errors: SHMX_EINVAL, SHMX_EACCES, SHMX_ENOTSUP, SHMX_EIO */
SHMX_API int shmx_wake(shmx *shm, uint32_t *word, int count);

/* Enter under a key: this attachment is there until shmx_presence_leave, shmx_close, or the end of
 * the process. The system keeps the presence, so no heartbeat is needed; a stopped process is
 * there. Keys are the user's own, any number; many attachments may be there under one, read-only
 * ones too. A forked child is not there until it enters itself, and exec(3) ends presence.
 * Errors: SHMX_EINVAL (it is there under that key already), SHMX_ENOSPC (no room for a lock file),
 *         SHMX_ENOMEM, SHMX_EMFILE, SHMX_ENOTSUP, SHMX_EIO */
SHMX_API int shmx_presence_enter(shmx *shm, uint32_t key);

/* Leave: this attachment is not there any more under the key.
 * Errors: SHMX_EINVAL (it is not there under that key) */
SHMX_API int shmx_presence_leave(shmx *shm, uint32_t key);

/* Wait until another attachment is there under the key (present 1), or none is (present 0). A
 * timeout of 0 only looks. Entering and leaving is noticed at once if both may write to the
 * segment; any other change, such as a death, within 100 ms.
 * Errors: SHMX_EINVAL, SHMX_ETIMEDOUT, SHMX_EMFILE, SHMX_ENOTSUP, SHMX_EIO */
SHMX_API int shmx_presence_wait(shmx *shm, uint32_t key, int present, int timeout_ms);

/* Call visit with each key under which another attachment is there, once and in rising order. When
 * visit returns other than 0 the listing stops and shmx_presence_list returns that value.
 * Errors: SHMX_EINVAL, SHMX_ENOMEM, SHMX_EMFILE, SHMX_EIO */
SHMX_API int shmx_presence_list(shmx *shm, int (*visit)(uint32_t key, void *context),
                                void *context);

/* ---- 7. Locks ---------------------------------------------------------------------------- */

/* The fields are the library's; zero the struct and leave it alone. */
typedef struct shmx_mutex {
    uint32_t word;
    uint32_t thread;
    uint32_t reserved[2];
} shmx_mutex;

typedef struct shmx_cond {
    uint32_t event;
    uint32_t arrivals;
    uint32_t reserved[2];
} shmx_cond;

typedef struct shmx_sem {
    uint32_t count;
    uint32_t event;
    uint32_t reserved[2];
} shmx_sem;

typedef struct shmx_once {
    uint32_t word;
    uint32_t thread;
    uint32_t done;
    uint32_t reserved;
} shmx_once;

/* Lock a mutex. Its owner is the calling thread. SHMX_EOWNERDEAD is a success: the mutex is
 * held, its last owner ended while holding it, and what it protects may be half-changed; after
 * the unlock the mutex is an ordinary one again. An owner has ended when its thread has ended in
 * any way (return, pthread_exit(3), cancellation, ExitThread), or when its process has ended or
 * has replaced itself (exec(3)).
 * Errors: SHMX_EINVAL, SHMX_EACCES, SHMX_ETIMEDOUT, SHMX_EDEADLK, SHMX_ENOTSUP, SHMX_EMFILE,
 *         SHMX_ENOMEM, SHMX_ENOSPC (the first lock: no room for a lock file), SHMX_EIO */
SHMX_API int shmx_mutex_lock(shmx *shm, shmx_mutex *mutex, int timeout_ms);

/* Unlock, through the same attachment that locked.
 * Errors: SHMX_EINVAL, SHMX_EACCES, SHMX_EPERM */
SHMX_API int shmx_mutex_unlock(shmx *shm, shmx_mutex *mutex);

/* Unlock the mutex, sleep until signalled, and lock it again. After SHMX_OK, SHMX_ETIMEDOUT and
 * SHMX_EOWNERDEAD (as for shmx_mutex_lock) the mutex is held. SHMX_EINVAL, SHMX_EACCES and
 * SHMX_EPERM change nothing. After SHMX_EIO the mutex may be free. May return SHMX_OK early: look
 * at the condition again. timeout_ms limits the sleep, and not the wait for the mutex after it.
 * Errors: SHMX_EINVAL, SHMX_EACCES, SHMX_EPERM, SHMX_ETIMEDOUT, SHMX_EOWNERDEAD, SHMX_ENOTSUP,
 *         SHMX_EIO */
SHMX_API int shmx_cond_wait(shmx *shm, shmx_cond *cond, shmx_mutex *mutex, int timeout_ms);

/* Wake one sleeper, or all. The caller need not hold the mutex.
 * Errors: SHMX_EINVAL, SHMX_EACCES, SHMX_ENOTSUP, SHMX_EIO */
SHMX_API int shmx_cond_signal(shmx *shm, shmx_cond *cond);
SHMX_API int shmx_cond_broadcast(shmx *shm, shmx_cond *cond);

/* Take one from the semaphore's count, waiting while it is 0. A zeroed semaphore counts 0. If a
 * process dies before it has given back what it took, that is lost.
 * Errors: SHMX_EINVAL, SHMX_EACCES, SHMX_ETIMEDOUT, SHMX_ENOTSUP, SHMX_EIO */
SHMX_API int shmx_sem_wait(shmx *shm, shmx_sem *sem, int timeout_ms);

/* Add `count` (at least 1) to it and wake as many sleepers. The maximum is INT32_MAX; beyond it
 * nothing is added.
 * Errors: SHMX_EINVAL, SHMX_EACCES, SHMX_EOVERFLOW, SHMX_ENOTSUP, SHMX_EIO */
SHMX_API int shmx_sem_post(shmx *shm, shmx_sem *sem, unsigned count);

/* Run init(context) exactly once over all processes; every caller returns after it has run. If
 * init returns other than 0, or its process dies, the next caller runs it; shmx_once_run returns
 * what its own init returned. init must not use the same once.
 * Errors: SHMX_EINVAL, SHMX_EACCES, SHMX_EDEADLK, SHMX_ENOTSUP, SHMX_EMFILE, SHMX_ENOSPC (as for
 *         shmx_mutex_lock), SHMX_EIO, and init's own */
SHMX_API int shmx_once_run(shmx *shm, shmx_once *once, int (*init)(void *context), void *context);

/* ---- 8. Queue ---------------------------------------------------------------------------- */

/* This process's handle of a queue: many producers, many consumers, messages in order. */
typedef struct shmx_queue shmx_queue;

/* Return the bytes of memory in which a queue holds `count` messages of up to `message` bytes, or
 * more if they are shorter. That is 392 + (count + 1) * (message + 8), where message is rounded up
 * to 8; at least 448. 0 if count is 0 or the result is too large for a queue. */
SHMX_API size_t shmx_queue_size_for(size_t message, size_t count);

/* Open the queue that lies at `offset` of the segment in `size` bytes. A zeroed region becomes
 * an empty queue; every process gives the same offset and size. The messages in it go with the
 * segment, when its last user leaves. The handle serves one thread at a time; open one for each.
 * Close it before shm.
 * The least size is that of shmx_queue_size_for(16, 1).
 * Errors: SHMX_EINVAL (NULL, offset not a multiple of 8, size too small), SHMX_ERANGE (outside the
 *         segment; the queue there was made with another size, counted in whole 8 bytes),
 *         SHMX_EACCES, SHMX_ENOMEM, SHMX_EPROTO (the region holds something else), SHMX_ENOTSUP,
 *         SHMX_EMFILE, SHMX_ENOSPC (as for shmx_mutex_lock), SHMX_EIO */
SHMX_API int shmx_queue_open(shmx_queue **queue, shmx *shm, size_t offset, size_t size);

/* Close, taking back an open reservation and a message peeked and not released; sets *queue to
 * NULL. Closing NULL does nothing. */
SHMX_API void shmx_queue_close(shmx_queue **queue);

/* Send a copy of a message of 0 to shmx_queue_max_message bytes, waiting while the queue is full.
 * Errors: SHMX_EINVAL, SHMX_EMSGSIZE, SHMX_ETIMEDOUT, SHMX_EHANGUP, SHMX_EPROTO,
 *         SHMX_EIO */
SHMX_API int shmx_queue_send(shmx_queue *queue, const void *message, size_t size, int timeout_ms);

/* Receive the oldest message into buffer, and its size in bytes into *size (if not NULL). After
 * SHMX_EMSGSIZE *size is what the message needs, and it stays in the queue. After any other failure
 * *size is 0.
 * Errors: SHMX_EINVAL, SHMX_EMSGSIZE, SHMX_ETIMEDOUT, SHMX_EHANGUP, SHMX_EPROTO,
 *         SHMX_EIO */
SHMX_API int shmx_queue_receive(shmx_queue *queue, void *buffer, size_t capacity, size_t *size,
                                int timeout_ms);

/* Reserve room for a message of up to `size` bytes and get its place, aligned to 8; commit its
 * first `size` bytes as a message, or cancel. The order of messages is that of reserve.
 * Errors: SHMX_EINVAL (a second reservation; commit or cancel of none; commit of more than was
 *         reserved), SHMX_EMSGSIZE, SHMX_ETIMEDOUT, SHMX_EHANGUP, SHMX_EPROTO,
 *         SHMX_EIO */
SHMX_API int shmx_queue_reserve(shmx_queue *queue, size_t size, void **message, int timeout_ms);
SHMX_API int shmx_queue_commit(shmx_queue *queue, size_t size);
SHMX_API int shmx_queue_cancel(shmx_queue *queue);

/* Take the oldest message without copying it: it is this handle's until shmx_queue_release, which
 * makes its room free. If the process dies before, the message is delivered to another. After a
 * failure *message is NULL and *size (if size is not NULL) 0.
 * Errors: SHMX_EINVAL (a second peek; release of none), SHMX_ETIMEDOUT, SHMX_EHANGUP, SHMX_EPROTO,
 *         SHMX_EIO */
SHMX_API int shmx_queue_peek(shmx_queue *queue, const void **message, size_t *size, int timeout_ms);
SHMX_API int shmx_queue_release(shmx_queue *queue);

/* Make this handle one of the queue's senders (SHMX_SENDER), its receivers (SHMX_RECEIVER), or
 * both, until it is closed or its process ends; calls add up.
 * When all senders that joined are gone, receive and peek first give the messages that are left,
 * and then SHMX_EHANGUP. One that another handle has peeked is left until it is released; only a
 * handle that has peeked one itself does not wait for that. One that another handle has reserved is
 * waited for. When all receivers that joined are gone, send and reserve are SHMX_EHANGUP. Each
 * learns it within 100 ms. A handle that joins later ends the state. A side that nobody has joined
 * never counts as gone, and a handle that has joined both is there on both.
 * Errors: SHMX_EINVAL (sides is 0 or has unknown bits), SHMX_ENOSPC (no room for a lock file),
 *         SHMX_ENOMEM, SHMX_EMFILE, SHMX_ENOTSUP, SHMX_EIO */
#define SHMX_SENDER 0x1u
#define SHMX_RECEIVER 0x2u
SHMX_API int shmx_queue_join(shmx_queue *queue, unsigned sides);

/* Shut the queue down for everybody, for as long as its region is not zeroed: send and reserve are
 * SHMX_EHANGUP at once, also for those that wait, and receive and peek once it is empty. A message
 * that was reserved before may be committed. Receivers wait for it, except the handle that has
 * reserved it. So all that was sent with SHMX_OK is received before SHMX_EHANGUP.
 * Errors: SHMX_EINVAL */
SHMX_API int shmx_queue_shutdown(shmx_queue *queue);

/* Return the length in bytes of the longest message the queue takes. */
SHMX_API size_t shmx_queue_max_message(const shmx_queue *queue);

/* ---- 9. Topic ---------------------------------------------------------------------------- */

/*
 * Many publishers, any number of readers: each reader gets every message once, whole, and in the
 * order of publishing. A publisher waits for lossless readers only. Any other reader that is too
 * slow misses the oldest messages and is told how many.
 */

/* This process's handle of a topic. It serves one thread at a time; open one for each. */
typedef struct shmx_topic shmx_topic;

#define SHMX_TOPIC_OLDEST 0x1u   /* begin with the oldest message that is still there */
#define SHMX_TOPIC_LOSSLESS 0x2u /* publishers wait for this reader while it lives */

/* Return the bytes of memory in which a topic keeps the last `count` messages of up to `message`
 * bytes, or more if they are shorter. That is 1280 + (count + 1) * (message + 16), where message is
 * rounded up to 16; at least as for three messages. 0 if count is 0 or the result is too large for
 * a topic. */
SHMX_API size_t shmx_topic_size_for(size_t message, size_t count);

/* Open the topic that lies at `offset` of the segment in `size` bytes. A zeroed region becomes an
 * empty topic; every process gives the same offset and size. Close it before shm.
 *
 * size   at least that of shmx_topic_size_for(16, 1)
 * flags  0: begin to read with the next message that is published. SHMX_TOPIC_OLDEST: begin with
 *        the oldest that is still there. SHMX_TOPIC_LOSSLESS: publishers wait until this handle has
 *        read what they would overwrite; there may be 64 of these at a time. One that is killed
 *        holds them back for 100 ms at most.
 *
 * Through a read-only attachment one can read, and may learn of a message up to 10 ms late; it may
 * be opened before there is a topic.
 * Errors: SHMX_EINVAL (NULL, unknown flags, offset not a multiple of 8, size too small),
 *         SHMX_ERANGE (outside the segment; the topic there was made with another size, counted in
 *         whole 16 bytes), SHMX_EACCES (SHMX_TOPIC_LOSSLESS through a read-only attachment),
 *         SHMX_ENOMEM, SHMX_EPROTO (the region holds something else), SHMX_EMFILE (64 lossless
 *         readers), SHMX_ETIMEDOUT (SHMX_TOPIC_LOSSLESS: a process has been stopped inside a call
 *         for a second), SHMX_ENOSPC (as for shmx_mutex_lock), SHMX_ENOTSUP, SHMX_EIO */
SHMX_API int shmx_topic_open(shmx_topic **topic, shmx *shm, size_t offset, size_t size,
                             unsigned flags);

/* Close, taking back an open reservation; sets *topic to NULL. Closing NULL does nothing. */
SHMX_API void shmx_topic_close(shmx_topic **topic);

/* Publish a copy of a message of 0 to shmx_topic_max_message bytes, overwriting the oldest. The
 * time limit is for lossless readers and reservations that are in the way; after a failure nothing
 * has been published. Errors: SHMX_EINVAL, SHMX_EACCES, SHMX_EMSGSIZE, SHMX_ETIMEDOUT,
 * SHMX_EHANGUP, SHMX_EPROTO, SHMX_EIO */
SHMX_API int shmx_topic_publish(shmx_topic *topic, const void *message, size_t size,
                                int timeout_ms);

/* Reserve room for a message of up to `size` bytes and get its place, aligned to 8; commit its
 * first `size` bytes as a message, or cancel. The order of messages is that of reserve: readers
 * wait at an open reservation, other publishers only when the ring comes round to it. If the
 * process dies the reservation is taken back. One that is cancelled or taken back has used its room
 * up as a message would: what it overwrote is gone, once in a while the newest too. Commit and
 * cancel do not wait for others; one who was stopped inside a call delays them by 100 ms at most.
 * Errors: those of shmx_topic_publish; SHMX_EINVAL (a second reservation; commit or cancel of none;
 *         commit of more than was reserved) */
SHMX_API int shmx_topic_reserve(shmx_topic *topic, size_t size, void **message, int timeout_ms);
SHMX_API int shmx_topic_commit(shmx_topic *topic, size_t size);
SHMX_API int shmx_topic_cancel(shmx_topic *topic);

/* Read the next message into buffer, its size in bytes into *size, and into *lost how many messages
 * this reader has missed since the last one it got, or since it was opened (size and lost may be
 * NULL). It waits while there is none. After SHMX_EMSGSIZE *size is what the message needs, and the
 * message is still the next one. After any other failure both are 0.
 * Errors: SHMX_EINVAL, SHMX_EMSGSIZE, SHMX_ETIMEDOUT, SHMX_EHANGUP (and all has been read),
 *         SHMX_EPROTO, SHMX_ERANGE (as for shmx_topic_open, if there was no topic then), SHMX_EIO
 */
SHMX_API int shmx_topic_next(shmx_topic *topic, void *buffer, size_t capacity, size_t *size,
                             uint64_t *lost, int timeout_ms);

/* Read the newest message without moving the reader, and into *number (if not NULL) its number,
 * counted from 1. It waits while there is none. Otherwise as shmx_topic_next. */
SHMX_API int shmx_topic_latest(shmx_topic *topic, void *buffer, size_t capacity, size_t *size,
                               uint64_t *number, int timeout_ms);

/* Return the length in bytes of the longest message the topic takes: less than a third of it. */
SHMX_API size_t shmx_topic_max_message(const shmx_topic *topic);

/* Make this handle one of the topic's senders, its receivers, or both, as shmx_queue_join does.
 * When all senders that joined are gone, next is SHMX_EHANGUP after all has been read, and latest
 * if there was no message. When all receivers that joined are gone, publish and reserve are
 * SHMX_EHANGUP. Readers through read-only attachments are told as well, but cannot join.
 * Errors: SHMX_EINVAL (sides is 0 or has unknown bits), SHMX_EACCES, SHMX_ENOSPC (no room for a
 *         lock file), SHMX_ENOMEM, SHMX_EMFILE, SHMX_ENOTSUP, SHMX_EIO */
SHMX_API int shmx_topic_join(shmx_topic *topic, unsigned sides);

/* Shut the topic down for everybody, for as long as its region is not zeroed: publish and reserve
 * are SHMX_EHANGUP at once, also for those that wait, next when all has been read, latest if there
 * was no message. A message that was reserved before may be committed, and other handles wait for
 * it.
 * Errors: SHMX_EINVAL, SHMX_EACCES */
SHMX_API int shmx_topic_shutdown(shmx_topic *topic);

#ifdef __cplusplus
}
#endif

#endif
