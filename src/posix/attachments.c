/* SPDX-License-Identifier: MIT */
/* All attachments of this process, and what fork does to them. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "system/system.h"

/* Threads inside open and close descriptors; a fork waits until there are none. A read-write lock
 * would do the same, but Darwin's cannot be made anew in a child. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t empty, open;
    unsigned inside, forks;
};

static const struct gate gate_new = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
                                     PTHREAD_COND_INITIALIZER, 0, 0};
static struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
                           PTHREAD_COND_INITIALIZER, 0, 0};

/* Guards the list and the tokens. Taken inside the gate. */
static const pthread_mutex_t list_lock_new = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct shmx_attachment *attachments;
/* By name too, so that unlinking does not take longer the more attachments there are. */
#define BUCKETS 256
static struct shmx_attachment *by_name[BUCKETS];

/* ---- what this thread is at ---- */

/* How deep it is inside the gate and the list: a signal handler that forks there can neither wait
 * for itself nor touch what is half-done. */
static _Thread_local volatile unsigned busy;

/* It forks: between our handlers it has the gate and the list for itself, and handlers of others
 * may use the library. */
static _Thread_local bool forking;

/* ---- cancellation ---- */

static _Thread_local int cancelable; /* while it is disabled: what it was */

static void cancel_disable(void)
{
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    cancelable = before;
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
    pthread_mutex_lock(&gate.lock);
    gate.forks++; /* new ones wait, or some would always be inside */
    while (gate.inside != 0)
        pthread_cond_wait(&gate.empty, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    pthread_mutex_lock(&list_lock);
    forking = true;
    for (struct shmx_attachment *attachment = attachments; attachment != NULL;
         attachment = attachment->os.next)
        shmx_posix_heir_make(attachment);
}

static void after_fork_in_parent(void)
{
    if (busy != 0)
        return;
    for (struct shmx_attachment *attachment = attachments; attachment != NULL;
         attachment = attachment->os.next)
        shmx_posix_heir_drop(attachment);
    forking = false;
    pthread_mutex_unlock(&list_lock);
    pthread_mutex_lock(&gate.lock);
    gate.forks--;
    pthread_cond_broadcast(&gate.open);
    pthread_mutex_unlock(&gate.lock);
    cancel_restore();
}

static void after_fork_in_child(void)
{
    if (busy != 0)
        return;
    own_begin();
    shmx_posix_process_forked();
    for (struct shmx_attachment *attachment = attachments; attachment != NULL;
         attachment = attachment->os.next) {
        shmx_posix_heir_take(attachment);
        atomic_store(&attachment->owner, 0); /* the child owns none of the parent's locks */
        shmx_posix_marks_forget(attachment);
    }
    /* Made anew instead of unlocked: in the child the thread that locked them has another id, which
     * some systems notice. No other thread is there. */
    memcpy(&list_lock, &list_lock_new, sizeof list_lock);
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
    while (pthread_mutex_trylock(&list_lock) != 0) {
        if (tries++ == TRIES_AT_EXIT) {
            shmx_posix_gate_leave();
            return;
        }
        shmx_os_sleep(1000000);
    }
    for (struct shmx_attachment *attachment = attachments; attachment != NULL;
         attachment = attachment->os.next)
        shmx_posix_leave_at_exit(attachment);
    pthread_mutex_unlock(&list_lock);
    shmx_posix_gate_leave();
}

/* ---- the gate ---- */

void shmx_posix_gate_enter(void)
{
    if (forking)
        return;
    busy++;
    cancel_disable();
    pthread_mutex_lock(&gate.lock);
    while (gate.forks != 0)
        pthread_cond_wait(&gate.open, &gate.lock);
    gate.inside++;
    pthread_mutex_unlock(&gate.lock);
}

void shmx_posix_gate_leave(void)
{
    if (forking)
        return;
    pthread_mutex_lock(&gate.lock);
    if (--gate.inside == 0 && gate.forks != 0)
        pthread_cond_broadcast(&gate.empty); /* several threads may be about to fork */
    pthread_mutex_unlock(&gate.lock);
    cancel_restore();
    busy--;
}

/* ---- the list ---- */

void shmx_posix_list_lock(void)
{
    if (forking)
        return;
    busy++;
    pthread_mutex_lock(&list_lock);
}

void shmx_posix_list_unlock(void)
{
    if (forking)
        return;
    pthread_mutex_unlock(&list_lock);
    busy--;
}

void shmx_posix_start(struct shmx_attachment *attachment, int fd, bool guest)
{
    attachment->guest = guest;
    attachment->control = NULL;
    memset(&attachment->label, 0, sizeof attachment->label);
    atomic_store_explicit(&attachment->owner, 0, memory_order_relaxed); /* nobody sees it yet */
    attachment->os = (struct shmx_os_private){.fd = fd,
                                              .user_fd = -1,
                                              .owner_fd = -1,
                                              .heir = -1,
                                              .user_heir = -1,
                                              .passed = -1,
                                              .passed_user = -1};
}

static struct shmx_attachment **bucket_of(const char *name)
{
    uint32_t hash = 0;
    for (; *name != '\0'; name++)
        hash = hash * 31 + (unsigned char)*name;
    return &by_name[(hash ^ hash >> 8) % BUCKETS];
}

static void enter_named(struct shmx_attachment *attachment)
{
    attachment->os.named_link = NULL;
    if (attachment->control == NULL || attachment->label.name_length == 0)
        return;
    struct shmx_attachment **bucket = bucket_of(attachment->label.name);
    attachment->os.named_next = *bucket;
    attachment->os.named_link = bucket;
    if (*bucket != NULL)
        (*bucket)->os.named_link = &attachment->os.named_next;
    *bucket = attachment;
}

static void leave_named(struct shmx_attachment *attachment)
{
    if (attachment->os.named_link == NULL)
        return;
    *attachment->os.named_link = attachment->os.named_next;
    if (attachment->os.named_next != NULL)
        attachment->os.named_next->os.named_link = attachment->os.named_link;
}

void shmx_posix_attach(struct shmx_attachment *attachment)
{
    shmx_posix_list_lock();
    /* The child of the fork that has begun has no description of its own. */
    attachment->os.shared |= forking && shmx_posix_is_own();
    attachment->os.next = attachments;
    attachment->os.link = &attachments;
    if (attachments != NULL)
        attachments->os.link = &attachment->os.next;
    attachments = attachment;
    enter_named(attachment);
    shmx_posix_list_unlock();
}

void shmx_posix_detach(struct shmx_attachment *attachment)
{
    shmx_posix_list_lock();
    *attachment->os.link = attachment->os.next;
    if (attachment->os.next != NULL)
        attachment->os.next->os.link = attachment->os.link;
    leave_named(attachment);
    shmx_posix_heir_drop(attachment);
    shmx_posix_list_unlock();
}

bool shmx_posix_find(const char *name,
                     bool (*visit)(struct shmx_attachment *attachment, int *status), int *status)
{
    bool done = false;
    shmx_posix_list_lock();
    struct shmx_attachment *attachment = *bucket_of(name);
    for (; attachment != NULL && !done; attachment = attachment->os.named_next)
        done = strcmp(attachment->label.name, name) == 0 && visit(attachment, status);
    shmx_posix_list_unlock();
    return done;
}

int shmx_os_owner_claim(struct shmx_attachment *attachment, uint32_t *token)
{
    int status = SHMX_OK;
    *token = atomic_load_explicit(&attachment->owner, memory_order_relaxed); /* changes once */
    if (*token != 0)
        return SHMX_OK;
    shmx_posix_gate_enter();
    shmx_posix_list_lock();
    *token = atomic_load(&attachment->owner);
    if (*token == 0)
        status = shmx_posix_claim(attachment, token);
    if (status == SHMX_OK)
        atomic_store(&attachment->owner, *token);
    shmx_posix_list_unlock();
    shmx_posix_gate_leave();
    return status;
}

bool shmx_os_find(bool (*visit)(struct shmx_attachment *attachment, void *context), void *context)
{
    bool found = false;
    shmx_posix_list_lock();
    for (struct shmx_attachment *other = attachments; other != NULL && !found;
         other = other->os.next)
        found = visit(other, context);
    shmx_posix_list_unlock();
    return found;
}

int shmx_posix_pass_once(struct shmx_attachment *attachment)
{
    shmx_posix_list_lock();
    int status = attachment->os.passed < 0 ? shmx_posix_pass(attachment) : SHMX_OK;
    shmx_posix_list_unlock();
    return status;
}

bool shmx_posix_passed_here(int fd)
{
    bool here = false;
    shmx_posix_list_lock();
    for (struct shmx_attachment *other = attachments; other != NULL && !here;
         other = other->os.next)
        here = other->os.passed == fd;
    shmx_posix_list_unlock();
    return here;
}
