/* SPDX-License-Identifier: MIT */
/* Fork and the end of the process. A fork waits until no thread opens or closes a descriptor; then
 * parent and child each go on with descriptions of their own. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "system/system.h"

/*
 * Threads inside open and close descriptors; a fork waits until there are none. A read-write lock
 * would do the same, but Darwin's cannot be made anew in a child.
 *
 * All threads change one word, and so in one order. One that enters counts itself and sees in the
 * same step whether a fork has begun; if so it goes back, and comes in after the fork, whose lock
 * it has meanwhile. A fork that has begun finds in the word all that were counted before it, and
 * each of them sees it when it leaves; the last one wakes it under a lock that the fork only gives
 * up asleep.
 */
struct gate {
    _Atomic uint32_t state;    /* threads inside, and FORK */
    pthread_mutex_t fork_lock; /* from FORK's coming until it has gone */
    pthread_mutex_t list_lock; /* guards the list of attachments and their tokens; taken inside */
    pthread_cond_t empty;
};

#define FORK 0x80000000u

static const struct gate gate_new = {0, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                     PTHREAD_COND_INITIALIZER};
static struct gate gate = {0, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                           PTHREAD_COND_INITIALIZER};

/* ---- what this thread is at ---- */

/* How deep it is inside the gate: a signal handler that forks there can neither wait for itself nor
 * touch what is half-done. */
static _Thread_local volatile unsigned busy;

/* It forks: between our handlers it has the gate and the list for itself, and handlers of others
 * may use the library. */
static _Thread_local bool forking;

/* ---- cancellation ---- */

static _Thread_local int cancelable; /* while it is disabled: what it was */

static void cancel_disable(void)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelable);
}

static void cancel_restore(void)
{
    int disabled;
    pthread_setcancelstate(cancelable, &disabled);
}

/* ---- fork ---- */

/* The process; and a page with a byte that is 1 in it alone: a child that is made without our
 * handlers finds it zeroed (MADV_WIPEONFORK, madvise(2)). NULL where the system cannot do that. */
static pid_t own_process;
static volatile unsigned char *own_page;

static void own_begin(void)
{
    own_process = getpid();
    if (own_page != NULL)
        *own_page = 1;
}

/* From inside the library, in a signal handler: nothing is done, and the child is as one that is
 * made without handlers. */
static void before_fork(void)
{
    if (busy != 0)
        return;
    cancel_disable();
    pthread_mutex_lock(&gate.fork_lock);
    atomic_fetch_add(&gate.state, FORK); /* new ones wait, or some would always be inside */
    pthread_mutex_lock(&gate.list_lock);
    while (atomic_load(&gate.state) != FORK)
        pthread_cond_wait(&gate.empty, &gate.list_lock);
    pthread_mutex_unlock(&gate.list_lock);
    forking = true;
    shmx_posix_each(shmx_posix_heir_make);
}

static void after_fork_in_parent(void)
{
    if (busy != 0)
        return;
    shmx_posix_each(shmx_posix_heir_drop);
    forking = false;
    atomic_fetch_sub(&gate.state, FORK);
    pthread_mutex_unlock(&gate.fork_lock);
    cancel_restore();
}

/* The child owns none of the parent's locks. */
static void inherit(struct shmx_attachment *attachment)
{
    shmx_posix_heir_take(attachment);
    atomic_store(&attachment->owner, 0);
    shmx_posix_marks_forget(attachment);
}

static void after_fork_in_child(void)
{
    if (busy != 0)
        return;
    own_begin();
    shmx_posix_process_forked();
    shmx_posix_each(inherit);
    /* Made anew instead of unlocked: in the child the thread that locked them has another id, which
     * some systems notice. No other thread is there. */
    memcpy(&gate, &gate_new, sizeof gate);
    forking = false;
    cancel_restore();
}

/* ---- the life of the process ---- */

bool shmx_posix_is_own(void)
{
    return own_page != NULL ? *own_page == 1 : getpid() == own_process;
}

bool shmx_posix_is_forking(void)
{
    return forking;
}

/* When the library is loaded, and before other constructors of the program, so that other handlers
 * of fork run with the gate open: those registered later run first before a fork, and last after
 * it. 101 is the first place that is not the system's. */
__attribute__((constructor(101))) static void begin_process(void)
{
    own_page = shmx_system.wiped_on_fork != NULL ? shmx_system.wiped_on_fork() : NULL;
    own_begin();
    if (shmx_system.loaded != NULL)
        shmx_system.loaded();
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* A lock that another thread holds for longer is not waited for: it may have ended inside. */
#define TRIES_AT_EXIT 100

/* At exit(3), and when the library is unloaded. Nothing is unmapped, as threads may still run. */
__attribute__((destructor)) static void end_process(void)
{
    if (!shmx_posix_is_own())
        return;
    int tries = 0;
    if (forking) /* exit(3) in another's handler of fork */
        return;
    shmx_posix_gate_enter();
    while (pthread_mutex_trylock(&gate.list_lock) != 0) {
        if (tries++ == TRIES_AT_EXIT) {
            shmx_posix_gate_leave();
            return;
        }
        shmx_os_sleep(1000000);
    }
    shmx_posix_each(shmx_posix_leave_at_exit);
    pthread_mutex_unlock(&gate.list_lock);
    shmx_posix_gate_leave();
}

/* ---- the gate ---- */

static void uncount(void)
{
    if (atomic_fetch_sub(&gate.state, 1) != FORK + 1)
        return;
    pthread_mutex_lock(&gate.list_lock);
    pthread_cond_signal(&gate.empty);
    pthread_mutex_unlock(&gate.list_lock);
}

void shmx_posix_gate_enter(void)
{
    if (forking)
        return;
    busy++;
    cancel_disable();
    if (atomic_fetch_add(&gate.state, 1) < FORK)
        return;
    uncount();
    pthread_mutex_lock(&gate.fork_lock);
    atomic_fetch_add(&gate.state, 1);
    pthread_mutex_unlock(&gate.fork_lock);
}

void shmx_posix_gate_leave(void)
{
    if (forking)
        return;
    uncount();
    cancel_restore();
    busy--;
}

/* ---- the lock of the list ---- */

void shmx_posix_list_lock(void)
{
    if (!forking)
        pthread_mutex_lock(&gate.list_lock);
}

void shmx_posix_list_unlock(void)
{
    if (!forking)
        pthread_mutex_unlock(&gate.list_lock);
}

void shmx_posix_list_enter(void)
{
    shmx_posix_gate_enter();
    shmx_posix_list_lock();
}

void shmx_posix_list_leave(void)
{
    shmx_posix_list_unlock();
    shmx_posix_gate_leave();
}
