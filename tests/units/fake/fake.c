/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/control.h"
#include "os.h"

struct fake_memory {
    char name[SHMX_NAME_MAX + 1]; /* "": it has none */
    unsigned char *bytes;
    size_t length;
    bool ours;
    bool persistent;
    int users;
    struct fake_memory *next;
};

static struct fake_memory *memories;
static struct shmx_attachment *attached; /* linked by os.next */
static void *watched_thread;
static int attachments, heap, countdown, planned;
static bool failed, heap_failed;
static uint32_t last_owner;
static int64_t clock_ns = 1;

/* ---- failing ---- */

void fake_fail(int n, int status)
{
    countdown = n;
    planned = status;
    failed = heap_failed = false;
}

bool fake_failed(void)
{
    return failed;
}

bool fake_heap_failed(void)
{
    return heap_failed;
}

static bool fails(void)
{
    if (countdown == 0 || --countdown > 0)
        return false;
    failed = true;
    return true;
}

static int step(void)
{
    if (!fails())
        return SHMX_OK;
    shmx_os_set_error(FAKE_ERROR);
    return planned;
}

/* The system's facts by itself. */
static int answer(int status, int number)
{
    shmx_os_set_error(number);
    return status;
}

/* ---- the heap ---- */

static bool heap_fails(void)
{
    bool now = fails();
    heap_failed |= now;
    return now;
}

static void *piece(void *memory)
{
    heap += memory != NULL;
    return memory;
}

void *fake_calloc(size_t count, size_t size)
{
    return heap_fails() ? NULL : piece(calloc(count, size));
}

void *fake_malloc(size_t size)
{
    return heap_fails() ? NULL : piece(malloc(size));
}

void fake_free(void *memory)
{
    heap -= memory != NULL;
    free(memory);
}

int fake_heap(void)
{
    return heap;
}

/* ---- memories ---- */

static void memory_drop(struct fake_memory *memory)
{
    if (memory->users > 0 || memory->name[0] != '\0')
        return;
    struct fake_memory **link = &memories;
    while (*link != memory)
        link = &(*link)->next;
    *link = memory->next;
    free(memory->bytes);
    free(memory);
}

static struct fake_memory *memory_named(const char *name)
{
    struct fake_memory *memory = memories;
    while (memory != NULL && strcmp(memory->name, name) != 0)
        memory = memory->next;
    return memory;
}

static struct fake_memory *memory_make(const char *name, size_t length)
{
    struct fake_memory *memory = calloc(1, sizeof *memory);
    unsigned char *bytes = calloc(1, length);
    if (memory == NULL || bytes == NULL)
        abort();
    snprintf(memory->name, sizeof memory->name, "%s", name);
    memory->bytes = bytes;
    memory->length = length;
    memory->next = memories;
    memories = memory;
    return memory;
}

int fake_attachments(void)
{
    return attachments;
}

int fake_names(void)
{
    int count = 0;
    for (struct fake_memory *memory = memories; memory != NULL; memory = memory->next)
        count += memory->name[0] != '\0';
    return count;
}

void fake_clear(void)
{
    struct fake_memory *next;
    for (struct fake_memory *memory = memories; memory != NULL; memory = next) {
        next = memory->next;
        memory->name[0] = '\0';
        memory_drop(memory);
    }
}

/* ---- os.h: objects ---- */

const struct shmx_os_facts *shmx_os_facts(void)
{
    static const struct shmx_os_facts facts = {4096, true, true, 1, 0};
    return &facts;
}

static void attach(struct shmx_attachment *attachment, struct fake_memory *memory, unsigned flags)
{
    memory->users++;
    attachments++;
    attachment->os.memory = memory;
    attachment->data = memory->bytes;
    attachment->length = memory->length;
    attachment->read_only = (flags & SHMX_READ_ONLY) != 0;
    attachment->control = NULL;
    attachment->guest = (flags & SHMX_RAW) != 0;
    if (shmx_control_check(&attachment->label, memory->bytes, memory->length, NULL) ==
        SHMX_CONTROL_GOOD)
        attachment->control = shmx_control_at(memory->bytes, memory->length);
    atomic_store(&attachment->owner, 0);
    attachment->os.next = attached;
    attached = attachment;
}

static void detach(struct shmx_attachment *attachment)
{
    struct shmx_attachment **link = &attached;
    while (*link != attachment)
        link = &(*link)->os.next;
    *link = attachment->os.next;
    attachments--;
}

int shmx_os_create(struct shmx_attachment *attachment, const char *name, size_t length,
                   unsigned flags, const struct shmx_label *label)
{
    int status = step();
    if (status != SHMX_OK)
        return status;
    if (name != NULL && memory_named(name) != NULL)
        return answer(SHMX_EEXIST, 17);
    struct fake_memory *memory = memory_make(name != NULL ? name : "", length);
    memory->ours = label != NULL;
    memory->persistent = (flags & SHMX_PERSISTENT) != 0;
    if (label != NULL)
        shmx_control_write(memory->bytes, length, label);
    attach(attachment, memory, 0);
    return SHMX_OK;
}

int shmx_os_open(struct shmx_attachment *attachment, const char *name, unsigned flags, bool hurry)
{
    (void)hurry;
    int status = step();
    if (status != SHMX_OK)
        return status;
    struct fake_memory *memory = memory_named(name);
    if (memory == NULL)
        return answer(SHMX_ENOENT, 2);
    attach(attachment, memory, flags);
    return SHMX_OK;
}

void shmx_os_close(struct shmx_attachment *attachment)
{
    struct fake_memory *memory = attachment->os.memory;
    detach(attachment);
    if (--memory->users == 0 && memory->ours && !memory->persistent)
        memory->name[0] = '\0';
    memory_drop(memory);
}

int shmx_os_unlink(const char *name)
{
    int status = step();
    if (status != SHMX_OK)
        return status;
    struct fake_memory *memory = memory_named(name);
    if (memory == NULL)
        return answer(SHMX_ENOENT, 2);
    memory->name[0] = '\0';
    memory_drop(memory);
    return SHMX_OK;
}

int shmx_os_list(int (*visit)(const char *name, void *context), void *context)
{
    int status = step();
    struct fake_memory *memory = memories;
    for (; memory != NULL && status == SHMX_OK; memory = memory->next)
        if (memory->name[0] != '\0')
            status = visit(memory->name, context);
    return status;
}

int shmx_os_remove_dead(const char *name, bool *removed)
{
    (void)name;
    int status = step();
    *removed = status == SHMX_OK;
    return status;
}

static int sweeps;

void shmx_os_sweep(void)
{
    sweeps++;
}

int fake_sweeps(void)
{
    return sweeps;
}

int shmx_os_remove_leftovers(void)
{
    return step();
}

int shmx_os_inspect(const char *name, struct shmx_os_view *view)
{
    int status = step();
    if (status != SHMX_OK)
        return status;
    const struct fake_memory *memory = memory_named(name);
    if (memory == NULL)
        return answer(SHMX_ENOENT, 2);
    switch (shmx_control_check(&view->label, memory->bytes, memory->length, NULL)) {
    case SHMX_CONTROL_GOOD:
        view->kind = SHMX_OS_LIVE;
        break;
    case SHMX_CONTROL_NONE:
        view->kind = SHMX_OS_FOREIGN;
        break;
    default:
        view->kind = SHMX_OS_DAMAGED;
    }
    view->length = view->footprint = memory->length;
    view->users = memory->users;
    return SHMX_OK;
}

int shmx_os_share(struct shmx_attachment *attachment, char *token, size_t token_size)
{
    int status = step();
    if (status == SHMX_OK)
        snprintf(token, token_size, "shmx-%p", (void *)attachment->os.memory);
    return status;
}

int shmx_os_adopt(struct shmx_attachment *attachment, const char *token, unsigned flags)
{
    void *memory;
    int status = step();
    if (status != SHMX_OK)
        return status;
    if (sscanf(token, "shmx-%p", &memory) != 1)
        return answer(SHMX_EINVAL, 0);
    attach(attachment, memory, flags);
    return SHMX_OK;
}

/* ---- os.h: waiting, owners ---- */

/* Nobody else is there to wake anybody: time goes by at once. */
int shmx_os_wait(struct shmx_attachment *attachment, _Atomic uint32_t *word, uint32_t expected,
                 int64_t deadline)
{
    (void)attachment;
    int status = step();
    if (status != SHMX_OK || atomic_load(word) != expected)
        return status;
    if (deadline == SHMX_OS_NEVER)
        abort(); /* would sleep for ever */
    clock_ns = deadline;
    return answer(SHMX_ETIMEDOUT, 110);
}

int shmx_os_wake(struct shmx_attachment *attachment, _Atomic uint32_t *word, int count)
{
    (void)attachment;
    (void)word;
    int status = step();
    return status == SHMX_OK ? count : status;
}

int shmx_os_owner_claim(struct shmx_attachment *attachment, uint32_t *token)
{
    *token = atomic_load(&attachment->owner);
    int status = *token == 0 ? step() : SHMX_OK;
    if (status == SHMX_OK && *token == 0) {
        *token = ++last_owner;
        atomic_store(&attachment->owner, *token);
    }
    return status;
}

static void (*last_act)(void);

void fake_owner_dies(void (*last)(void))
{
    last_act = last;
}

int shmx_os_owner_alive(struct shmx_attachment *attachment, uint32_t token, bool *alive)
{
    (void)attachment;
    void (*act)(void) = last_act;
    *alive = token <= last_owner && act == NULL;
    last_act = NULL;
    if (act != NULL)
        act();
    return step();
}

bool shmx_os_find(bool (*visit)(struct shmx_attachment *attachment, void *context), void *context)
{
    struct shmx_attachment *attachment = attached;
    while (attachment != NULL && !visit(attachment, context))
        attachment = attachment->os.next;
    return attachment != NULL;
}

int shmx_os_thread_watch(void *state)
{
    int status = step();
    if (status == SHMX_OK)
        watched_thread = state;
    return status;
}

/* One mark is enough for these tests. */
static enum shmx_os_space marked_space;
static uint32_t marked_key;
static int marked;

int shmx_os_mark_set(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key)
{
    (void)attachment;
    int status = step();
    if (status != SHMX_OK)
        return status;
    marked_space = space;
    marked_key = key;
    marked++;
    return SHMX_OK;
}

int shmx_os_mark_drop(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key)
{
    (void)attachment;
    if (marked == 0 || space != marked_space || key != marked_key)
        return SHMX_ENOENT;
    marked--;
    return SHMX_OK;
}

int shmx_os_mark_held(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key,
                      bool *held)
{
    (void)attachment;
    int status = step();
    *held = marked != 0 && space == SHMX_OS_JOINED && space == marked_space && key == marked_key;
    return status;
}

int shmx_os_mark_find(struct shmx_attachment *attachment, uint32_t from, uint32_t *key)
{
    (void)attachment;
    (void)from;
    (void)key;
    int status = step();
    return status == SHMX_OK ? SHMX_ENOENT : status; /* a mark is nobody else's here */
}

int fake_marks(void)
{
    return marked;
}

void fake_thread_end(void)
{
    if (watched_thread != NULL)
        shmx_thread_ended(watched_thread);
    watched_thread = NULL;
}

/* ---- os.h: process, time and chance ---- */

int64_t shmx_os_pid(void)
{
    return 42;
}

int64_t shmx_os_now(void)
{
    return clock_ns++;
}

int64_t shmx_os_tick(void)
{
    return clock_ns;
}

void fake_clock_pass(long long ns)
{
    clock_ns += ns;
}

int64_t shmx_os_wall(void)
{
    return clock_ns++;
}

void shmx_os_sleep(int64_t nanoseconds)
{
    clock_ns += nanoseconds;
}

void shmx_os_relax(void)
{
}

int shmx_os_random(void *bytes, size_t count)
{
    static unsigned char next;
    int status = step();
    if (status == SHMX_OK)
        memset(bytes, ++next, count);
    return status;
}
