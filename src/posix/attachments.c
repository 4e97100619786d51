/* SPDX-License-Identifier: MIT */
/* All attachments of this process, and what fork does to them. */
#include <pthread.h>
#include <string.h>

#include "posix.h"

/* Readers open and close descriptors; fork is the writer. */
static pthread_rwlock_t gate = PTHREAD_RWLOCK_INITIALIZER;
/* Held by a fork from before it waits for the gate: readers that come then wait for it here, as
 * some systems let readers through for ever while a writer waits. */
static pthread_mutex_t turnstile = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool fork_waits;
/* Guards the list and the tokens. Taken inside the gate. */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct shmx_attachment *list;
/* By name too, so that unlinking does not take longer the more attachments there are. */
#define BUCKETS 256
static struct shmx_attachment *named[BUCKETS];
static pthread_once_t handlers_once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
    pthread_mutex_lock(&turnstile);
    atomic_store(&fork_waits, true);
    pthread_rwlock_wrlock(&gate);
    atomic_store(&fork_waits, false);
    pthread_mutex_lock(&list_lock);
    for (struct shmx_attachment *attachment = list; attachment != NULL;
         attachment = attachment->os.next)
        shmx_posix_heir_make(attachment);
}

static void after_fork_in_parent(void)
{
    for (struct shmx_attachment *attachment = list; attachment != NULL;
         attachment = attachment->os.next)
        shmx_posix_heir_drop(attachment);
    pthread_mutex_unlock(&list_lock);
    pthread_rwlock_unlock(&gate);
    pthread_mutex_unlock(&turnstile);
}

static void after_fork_in_child(void)
{
    shmx_posix_process_forked();
    for (struct shmx_attachment *attachment = list; attachment != NULL;
         attachment = attachment->os.next) {
        shmx_posix_heir_take(attachment);
        atomic_store(&attachment->owner, 0); /* the child owns none of the parent's locks */
    }
    pthread_mutex_unlock(&list_lock);
    /* Not unlocked but made anew: who locked it has another thread id in the child, and glibc takes
     * an unlock by another thread for a reader's. The child has this one thread only. */
    pthread_rwlock_init(&gate, NULL);
    pthread_mutex_unlock(&turnstile);
}

static void set_handlers(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void shmx_posix_gate_enter(void)
{
    pthread_once(&handlers_once, set_handlers);
    /* Relaxed: who does not see it yet is let through once more. */
    if (atomic_load_explicit(&fork_waits, memory_order_relaxed)) {
        pthread_mutex_lock(&turnstile);
        pthread_mutex_unlock(&turnstile);
    }
    pthread_rwlock_rdlock(&gate);
}

void shmx_posix_gate_leave(void)
{
    pthread_rwlock_unlock(&gate);
}

static struct shmx_attachment **bucket_of(const char *name)
{
    uint32_t hash = 0;
    for (; *name != '\0'; name++)
        hash = hash * 31 + (unsigned char)*name;
    return &named[(hash ^ hash >> 8) % BUCKETS];
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
    pthread_mutex_lock(&list_lock);
    attachment->os.next = list;
    attachment->os.link = &list;
    if (list != NULL)
        list->os.link = &attachment->os.next;
    list = attachment;
    enter_named(attachment);
    pthread_mutex_unlock(&list_lock);
}

void shmx_posix_detach(struct shmx_attachment *attachment)
{
    pthread_mutex_lock(&list_lock);
    *attachment->os.link = attachment->os.next;
    if (attachment->os.next != NULL)
        attachment->os.next->os.link = attachment->os.link;
    leave_named(attachment);
    pthread_mutex_unlock(&list_lock);
}

bool shmx_posix_find(const char *name,
                     bool (*visit)(struct shmx_attachment *attachment, int *status), int *status)
{
    bool done = false;
    pthread_mutex_lock(&list_lock);
    struct shmx_attachment *attachment = *bucket_of(name);
    for (; attachment != NULL && !done; attachment = attachment->os.named_next)
        done = strcmp(attachment->label.name, name) == 0 && visit(attachment, status);
    pthread_mutex_unlock(&list_lock);
    return done;
}

int shmx_posix_claim_once(struct shmx_attachment *attachment, uint32_t *token,
                          int (*claim)(struct shmx_attachment *attachment, uint32_t *token))
{
    int status = SHMX_OK;
    pthread_mutex_lock(&list_lock);
    *token = atomic_load(&attachment->owner);
    if (*token == 0)
        status = claim(attachment, token);
    if (status == SHMX_OK)
        atomic_store(&attachment->owner, *token);
    pthread_mutex_unlock(&list_lock);
    return status;
}

bool shmx_os_owner_here(struct shmx_attachment *attachment, uint32_t token)
{
    bool here = false;
    pthread_mutex_lock(&list_lock);
    for (struct shmx_attachment *other = list; other != NULL && !here; other = other->os.next)
        here = atomic_load(&other->owner) == token && other->label.id == attachment->label.id;
    pthread_mutex_unlock(&list_lock);
    return here;
}

int shmx_posix_token_next(struct shmx_attachment *attachment, uint32_t *token)
{
    do {
        if (attachment->control != NULL) {
            *token = atomic_fetch_add(&attachment->control->next_owner, 1) + 1;
        } else {
            int status = shmx_os_random(token, sizeof *token);
            if (status != SHMX_OK)
                return status;
        }
        *token &= SHMX_OWNER_MASK;
    } while (*token == 0);
    return SHMX_OK;
}

int shmx_posix_share_once(struct shmx_attachment *attachment,
                          int (*make)(struct shmx_attachment *attachment))
{
    pthread_mutex_lock(&list_lock);
    int status = attachment->os.passed < 0 ? make(attachment) : SHMX_OK;
    pthread_mutex_unlock(&list_lock);
    return status;
}

bool shmx_posix_passed_here(int fd)
{
    bool here = false;
    pthread_mutex_lock(&list_lock);
    for (struct shmx_attachment *other = list; other != NULL && !here; other = other->os.next)
        here = other->os.passed == fd;
    pthread_mutex_unlock(&list_lock);
    return here;
}
