/* SPDX-License-Identifier: MIT */
/* Segments: arguments are checked here, once; the rest is one system's business. */
#include "segment.h"

#include <stdlib.h>
#include <string.h>

#include "base/control.h"
#include "base/name.h"
#include "sleep.h"

#define FLAGS_CREATE                                                                               \
    (SHMX_PERSISTENT | SHMX_RAW | SHMX_OTHERS_READ | SHMX_OTHERS_WRITE | SHMX_MACHINE_WIDE |       \
     SHMX_PREFAULT)
#define FLAGS_OPEN (SHMX_READ_ONLY | SHMX_RAW | SHMX_PREFAULT)
#define FLAGS_ADOPT (SHMX_READ_ONLY | SHMX_PREFAULT)

/* Rounds of "not there" and "is there" that open_or_create takes for bad luck. */
#define ROUNDS_MAX 1000

/* The end of every way to an attachment: give it to the caller, or free it. */
static int finish(shmx **shm, shmx *made, int status)
{
    if (status == SHMX_OK) {
        bool waits = made->attachment.control != NULL || shmx_os_facts()->futex;
        made->usable = waits && !made->attachment.read_only ? made->size : 0;
        *shm = made;
    } else {
        free(made);
    }
    return shmx_result(status);
}

static int label_fill(struct shmx_label *label, const char *name, size_t size, unsigned flags)
{
    memset(label, 0, sizeof *label);
    memcpy(label->magic, SHMX_MAGIC, sizeof label->magic);
    label->version = SHMX_LAYOUT_VERSION;
    label->byte_order = SHMX_BYTE_ORDER;
    label->size = size;
    label->created = (uint64_t)shmx_os_wall();
    label->creator = (uint64_t)shmx_os_pid();
    label->flags = flags;
    label->name_length = (uint32_t)strlen(name);
    memcpy(label->name, name, label->name_length);
    return shmx_os_random(&label->id, sizeof label->id);
}

/* ---- the memory of the dead ---- */

/* A create looks for segments whose users were killed, but not sooner than so many ns after the
 * last look, which costs as much as a create or two. Creates are not counted: forked children
 * inherit the count, and may make one segment each. */
#define SWEEP_PAUSE ((int64_t)20 * 1000 * 1000)

static void sweep_now_and_then(void)
{
    static _Atomic int64_t due;
    int64_t now = shmx_os_tick();
    /* Relaxed: no harm is done if two threads look at once. */
    if (now < atomic_load_explicit(&due, memory_order_relaxed))
        return;
    atomic_store_explicit(&due, now + SWEEP_PAUSE, memory_order_relaxed);
    shmx_os_sweep();
}

static int free_one(const char *name, void *context)
{
    bool removed;
    bool *any = context;
    *any |= shmx_os_remove_dead(name, &removed) == SHMX_OK && removed;
    return 0;
}

/* Make it, and if there is no room, once more after everything dead is gone. */
static int object_make(struct shmx_attachment *attachment, const char *name, size_t length,
                       unsigned flags, const struct shmx_label *label)
{
    bool freed = false;
    int status = shmx_os_create(attachment, name, length, flags, label);
    int error = shmx_os_last_error();
    if (status == SHMX_ENOSPC)
        shmx_os_list(free_one, &freed);
    if (freed)
        return shmx_os_create(attachment, name, length, flags, label);
    if (status == SHMX_OK)
        sweep_now_and_then();
    shmx_os_set_error(error);
    return status;
}

/* `name` NULL: without one. */
static int create_object(shmx *shm, const char *name, size_t size, unsigned flags)
{
    const char *shown = name != NULL ? name : "";
    memcpy(shm->name, shown, strlen(shown) + 1);
    shm->size = size;
    /* No process could map it: this is found before memory is reserved. On 64 bits no machine has
     * so much either. */
    if (size > PTRDIFF_MAX)
        return SIZE_MAX > UINT32_MAX ? SHMX_ENOSPC : SHMX_ENOMEM;
    if ((flags & SHMX_RAW) != 0)
        return object_make(&shm->attachment, name, size, flags, NULL);
    struct shmx_label label;
    int status = label_fill(&label, shown, size, flags);
    if (status != SHMX_OK)
        return status;
    size_t length = shmx_control_length(size, shmx_os_facts()->page_size);
    if (length == 0)
        return SHMX_ENOSPC;
    return object_make(&shm->attachment, name, length, flags, &label);
}

static int create_random(shmx *shm, size_t size, unsigned flags)
{
    char name[SHMX_NAME_MAX + 1];
    int status;
    do {
        status = shmx_name_random(name);
        if (status == SHMX_OK)
            status = create_object(shm, name, size, flags);
    } while (status == SHMX_EEXIST);
    return status;
}

static int create_check(size_t size, unsigned flags)
{
    if (size == 0 || (flags & ~FLAGS_CREATE) != 0)
        return SHMX_EINVAL;
    unsigned both = SHMX_RAW | SHMX_PERSISTENT;
    return (flags & both) == both ? SHMX_EINVAL : SHMX_OK;
}

int shmx_create(shmx **shm, const char *name, size_t size, unsigned flags)
{
    if (shm == NULL)
        return shmx_refuse(SHMX_EINVAL);
    *shm = NULL;
    int status = create_check(size, flags);
    bool nameless = name != NULL && name[0] == '\0';
    if (status == SHMX_OK && nameless)
        status = (flags & SHMX_PERSISTENT) != 0 ? SHMX_EINVAL : SHMX_OK;
    else if (status == SHMX_OK && name != NULL)
        status = shmx_name_check(name);
    if (status != SHMX_OK)
        return shmx_refuse(status);
    shmx *made = malloc(sizeof *made);
    if (made == NULL)
        return shmx_refuse(SHMX_ENOMEM);
    status = name == NULL ? create_random(made, size, flags)
                          : create_object(made, nameless ? NULL : name, size, flags);
    return finish(shm, made, status);
}

/* The steps that every attachment to an existing object has in common. */
static void take_over(shmx *shm, const char *name)
{
    const struct shmx_attachment *attachment = &shm->attachment;
    /* A guest sees the plain object, control block included. */
    bool ours = attachment->control != NULL && !attachment->guest;
    shm->size = ours ? (size_t)attachment->label.size : attachment->length;
    memcpy(shm->name, name, strlen(name) + 1);
}

static int open_checked(shmx **shm, const char *name, unsigned flags, bool hurry)
{
    shmx *made = malloc(sizeof *made);
    if (made == NULL)
        return shmx_refuse(SHMX_ENOMEM);
    int status = shmx_os_open(&made->attachment, name, flags, hurry);
    if (status == SHMX_OK)
        take_over(made, name);
    return finish(shm, made, status);
}

static int open_check(shmx **shm, const char *name, unsigned flags)
{
    if (shm == NULL)
        return SHMX_EINVAL;
    *shm = NULL;
    return (flags & ~FLAGS_OPEN) != 0 ? SHMX_EINVAL : shmx_name_check(name);
}

int shmx_open(shmx **shm, const char *name, unsigned flags)
{
    int status = open_check(shm, name, flags);
    return status == SHMX_OK ? open_checked(shm, name, flags, false) : shmx_refuse(status);
}

/* From one look for a segment to the next: doubling, and short enough for the promise. */
#define LOOK_FIRST ((int64_t)250 * 1000)
#define LOOK_MOST ((int64_t)12 * 1000 * 1000)

static int open_until(shmx **shm, const char *name, unsigned flags, int64_t deadline)
{
    int64_t pause = LOOK_FIRST;
    for (;;) {
        int status = open_checked(shm, name, flags, true);
        if (status != SHMX_ENOENT && status != SHMX_EAGAIN)
            return status;
        if (!shmx_nap(deadline, &pause, LOOK_MOST))
            return shmx_refuse(SHMX_ETIMEDOUT);
    }
}

int shmx_open_wait(shmx **shm, const char *name, unsigned flags, int timeout_ms)
{
    int64_t deadline;
    int status = open_check(shm, name, flags);
    if (status == SHMX_OK)
        status = shmx_deadline(timeout_ms, &deadline);
    return status == SHMX_OK ? open_until(shm, name, flags, deadline) : shmx_refuse(status);
}

int shmx_open_or_create(shmx **shm, const char *name, size_t size, unsigned flags, int *created)
{
    if (created != NULL)
        *created = 0;
    if (shm == NULL)
        return shmx_refuse(SHMX_EINVAL);
    *shm = NULL;
    int status = create_check(size, flags);
    if (status == SHMX_OK)
        status = shmx_name_check(name);
    if (status != SHMX_OK)
        return shmx_refuse(status);
    for (int round = 0; round < ROUNDS_MAX; round++) {
        status = open_checked(shm, name, flags & FLAGS_OPEN, false);
        if (status == SHMX_OK && (*shm)->size < size) {
            shmx_close(shm);
            return shmx_refuse(SHMX_ERANGE);
        }
        if (status != SHMX_ENOENT)
            return status;
        status = shmx_create(shm, name, size, flags);
        if (status == SHMX_OK && created != NULL)
            *created = 1;
        if (status != SHMX_EEXIST)
            return status;
    }
    return shmx_refuse(SHMX_EAGAIN);
}

void shmx_close(shmx **shm)
{
    if (shm == NULL || *shm == NULL)
        return;
    shmx_os_close(&(*shm)->attachment);
    free(*shm);
    *shm = NULL;
}

int shmx_unlink(const char *name)
{
    int status = shmx_name_check(name);
    return status == SHMX_OK ? shmx_result(shmx_os_unlink(name)) : shmx_refuse(status);
}

void *shmx_data(const shmx *shm)
{
    return shm != NULL ? shm->attachment.data : NULL;
}

size_t shmx_size(const shmx *shm)
{
    return shm != NULL ? shm->size : 0;
}

const char *shmx_name(const shmx *shm)
{
    return shm != NULL ? shm->name : "";
}

int shmx_place_check(const shmx *shm, const void *place, size_t bytes)
{
    if (shm == NULL || place == NULL)
        return SHMX_EINVAL;
    uintptr_t offset = (uintptr_t)place - (uintptr_t)shm->attachment.data;
    if (offset % 4 != 0 || bytes > shm->size || offset > shm->size - bytes)
        return SHMX_EINVAL;
    if (shm->attachment.read_only)
        return SHMX_EACCES;
    return shm->usable != 0 ? SHMX_OK : SHMX_ENOTSUP;
}

int shmx_region_check(const shmx *shm, size_t offset, size_t size, size_t least)
{
    if (shm == NULL || offset % 8 != 0 || size < least)
        return SHMX_EINVAL;
    if (offset > shm->size || size > shm->size - offset)
        return SHMX_ERANGE;
    return shmx_place_check(shm, shm->attachment.data + offset, size);
}

static int range_check(const shmx *shm, size_t offset, const void *memory, size_t count)
{
    if (shm == NULL || memory == NULL)
        return SHMX_EINVAL;
    return offset > shm->size || count > shm->size - offset ? SHMX_ERANGE : SHMX_OK;
}

int shmx_read(const shmx *shm, size_t offset, void *dst, size_t count)
{
    int status = range_check(shm, offset, dst, count);
    if (status != SHMX_OK)
        return shmx_refuse(status);
    memcpy(dst, shm->attachment.data + offset, count);
    return SHMX_OK;
}

int shmx_write(shmx *shm, size_t offset, const void *src, size_t count)
{
    int status = range_check(shm, offset, src, count);
    if (status == SHMX_OK && shm->attachment.read_only)
        status = SHMX_EACCES;
    if (status != SHMX_OK)
        return shmx_refuse(status);
    memcpy(shm->attachment.data + offset, src, count);
    return SHMX_OK;
}

int shmx_share(shmx *shm, char *token, size_t token_size)
{
    if (shm == NULL || token == NULL)
        return shmx_refuse(SHMX_EINVAL);
    char whole[SHMX_TOKEN_MAX];
    int status = shmx_os_share(&shm->attachment, whole, sizeof whole);
    if (status != SHMX_OK)
        return shmx_result(status);
    if (strlen(whole) >= token_size)
        return shmx_refuse(SHMX_ERANGE);
    memcpy(token, whole, strlen(whole) + 1);
    return SHMX_OK;
}

int shmx_adopt(shmx **shm, const char *token, unsigned flags)
{
    if (shm == NULL)
        return shmx_refuse(SHMX_EINVAL);
    *shm = NULL;
    if (token == NULL || (flags & ~FLAGS_ADOPT) != 0)
        return shmx_refuse(SHMX_EINVAL);
    shmx *made = malloc(sizeof *made);
    if (made == NULL)
        return shmx_refuse(SHMX_ENOMEM);
    int status = shmx_os_adopt(&made->attachment, token, flags);
    if (status == SHMX_OK)
        take_over(made, made->attachment.control != NULL ? made->attachment.label.name : "");
    return finish(shm, made, status);
}
