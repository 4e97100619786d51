/* SPDX-License-Identifier: MIT */
/* All attachments of this process. At a fork, parent and child each go on with descriptions of
 * their own. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "system/system.h"

/* By name, so that unlinking does not take longer the more attachments there are. */
#define BUCKETS 256
static struct shmx_attachment *attachments[BUCKETS];

void shmx_posix_start(struct shmx_attachment *attachment, int fd, bool guest)
{
    attachment->guest = guest;
    attachment->control = NULL;
    memset(&attachment->label, 0, sizeof attachment->label);
    atomic_store_explicit(&attachment->owner, 0, memory_order_relaxed); /* nobody sees it yet */
    attachment->os = (struct shmx_os_private){
        .fd = fd, .user_fd = -1, .owner_fd = -1, .heir = -1, .passed = -1, .passed_user = -1};
}

static struct shmx_attachment **bucket_of(const char *name)
{
    uint32_t hash = 0;
    for (; *name != '\0'; name++)
        hash = hash * 31 + (unsigned char)*name;
    return &attachments[(hash ^ hash >> 8) % BUCKETS];
}

void shmx_posix_attach(struct shmx_attachment *attachment)
{
    struct shmx_attachment **bucket = bucket_of(attachment->label.name);
    shmx_posix_list_lock();
    /* The child of the fork that has begun has no description of its own. */
    attachment->os.shared |= shmx_posix_is_forking() && shmx_posix_is_own();
    attachment->os.next = *bucket;
    attachment->os.link = bucket;
    if (*bucket != NULL)
        (*bucket)->os.link = &attachment->os.next;
    *bucket = attachment;
    shmx_posix_list_unlock();
}

void shmx_posix_heir_drop(struct shmx_attachment *attachment)
{
    if (attachment->os.heir >= 0)
        close(attachment->os.heir);
    attachment->os.heir = -1;
}

void shmx_posix_detach(struct shmx_attachment *attachment)
{
    shmx_posix_list_lock();
    *attachment->os.link = attachment->os.next;
    if (attachment->os.next != NULL)
        attachment->os.next->os.link = attachment->os.link;
    shmx_posix_heir_drop(attachment);
    shmx_posix_list_unlock();
}

bool shmx_posix_find(const char *name,
                     bool (*visit)(struct shmx_attachment *attachment, int *status), int *status)
{
    bool done = false;
    shmx_posix_list_lock();
    struct shmx_attachment *attachment = *bucket_of(name);
    for (; attachment != NULL && !done; attachment = attachment->os.next)
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
    shmx_posix_list_enter();
    *token = atomic_load(&attachment->owner);
    if (*token == 0)
        status = shmx_posix_claim(attachment, token);
    if (status == SHMX_OK)
        atomic_store(&attachment->owner, *token);
    shmx_posix_list_leave();
    return status;
}

static bool find_any(bool (*visit)(struct shmx_attachment *attachment, void *context),
                     void *context)
{
    bool found = false;
    for (int i = 0; i < BUCKETS && !found; i++)
        for (struct shmx_attachment *one = attachments[i]; one != NULL && !found;
             one = one->os.next)
            found = visit(one, context);
    return found;
}

bool shmx_os_find(bool (*visit)(struct shmx_attachment *attachment, void *context), void *context)
{
    shmx_posix_list_enter();
    bool found = find_any(visit, context);
    shmx_posix_list_leave();
    return found;
}

int shmx_posix_pass_once(struct shmx_attachment *attachment)
{
    shmx_posix_list_lock();
    int status = attachment->os.passed < 0 ? shmx_posix_pass(attachment) : SHMX_OK;
    shmx_posix_list_unlock();
    return status;
}

static bool passes(struct shmx_attachment *attachment, void *fd)
{
    return attachment->os.passed == *(const int *)fd;
}

bool shmx_posix_passed_here(int fd)
{
    shmx_posix_list_lock();
    bool here = find_any(passes, &fd);
    shmx_posix_list_unlock();
    return here;
}

/* ---- fork, and the end of the process ---- */

/* Inside the gate, the list is locked. */
static void each(void (*visit)(struct shmx_attachment *attachment))
{
    for (int i = 0; i < BUCKETS; i++)
        for (struct shmx_attachment *one = attachments[i]; one != NULL; one = one->os.next)
            visit(one);
}

/* From inside the library, in a signal handler: nothing is done, and the child is as one that is
 * made without handlers. */
static void before_fork(void)
{
    if (shmx_posix_gate_shut())
        each(shmx_posix_heir_make);
}

static void after_fork_in_parent(void)
{
    if (!shmx_posix_is_forking())
        return;
    each(shmx_posix_heir_drop);
    shmx_posix_gate_open();
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
    if (!shmx_posix_is_forking())
        return;
    shmx_posix_process_forked();
    each(inherit);
    shmx_posix_gate_renew();
}

/* When the library is loaded, and before other constructors of the program, so that other handlers
 * of fork run with the gate open: those registered later run first before a fork, and last after
 * it. 101 is the first place that is not the system's. It stands in a file that every program
 * links: of a static library a file that nothing refers to is left out. */
__attribute__((constructor(101))) static void begin_process(void)
{
    shmx_posix_process_begin();
    if (shmx_system.loaded != NULL)
        shmx_system.loaded();
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* At exit(3), and when the library is unloaded. Nothing is unmapped, as threads may still run. */
__attribute__((destructor)) static void end_process(void)
{
    if (!shmx_posix_is_own() || !shmx_posix_list_enter_at_exit())
        return;
    each(shmx_posix_leave_at_exit);
    shmx_posix_list_leave();
}
