/* SPDX-License-Identifier: MIT */
/*
 * Objects on Windows: sections of anonymous memory (CreateFileMapping), which the system removes
 * with their last handle. So an attachment is a handle, and the last user's end needs nothing of
 * us. That a name can be taken away all the same is the business of chain.c, that a segment
 * outlives its users of persist.c.
 */
#include <string.h>

#include "chain.h"
#include "control.h"
#include "persist.h"

/* ---- what a section is ---- */

static void leave_mapping(struct shmx_os_object *object)
{
    UnmapViewOfFile(object->data);
    object->data = NULL;
}

int shmx_win32_look_inside(struct shmx_os_object *object, HANDLE section, const char *name,
                           unsigned flags)
{
    int status = shmx_win32_map(object, section, flags);
    if (status != SHMX_OK)
        return status;
    enum shmx_control_kind kind =
        shmx_control_check(&object->label, object->data, object->length, NULL);
    if (kind == SHMX_CONTROL_GOOD && name != NULL &&
        !shmx_win32_name_same(object->label.name, name))
        kind = SHMX_CONTROL_DAMAGED;
    if (kind == SHMX_CONTROL_DAMAGED && (flags & SHMX_RAW) == 0) {
        leave_mapping(object);
        return SHMX_EPROTO;
    }
    object->control = NULL;
    if (kind == SHMX_CONTROL_GOOD)
        object->control = shmx_control_at(object->data, object->length);
    else
        memset(&object->label, 0, sizeof object->label);
    return SHMX_OK;
}

enum verdict {
    VERDICT_LIVE,    /* ours, and has the name */
    VERDICT_FOREIGN, /* another program's or raw, and has the name */
    VERDICT_OTHER    /* has the name no more, or one that differs in case */
};

static enum verdict judge(const struct shmx_os_object *object, HANDLE section, const char *name)
{
    if (object->control == NULL)
        return shmx_win32_called(section, name) ? VERDICT_FOREIGN : VERDICT_OTHER;
    bool live = atomic_load(&object->control->state) != SHMX_STATE_UNLINKED;
    return live && strcmp(object->label.name, name) == 0 ? VERDICT_LIVE : VERDICT_OTHER;
}

/* ---- finding who has a name ---- */

static DWORD rights_of(unsigned flags)
{
    DWORD rights = SECTION_QUERY | SECTION_MAP_READ;
    return (flags & SHMX_READ_ONLY) != 0 ? rights : rights | SECTION_MAP_WRITE;
}

static void drop(struct shmx_os_object *object)
{
    leave_mapping(object);
    CloseHandle(object->os.section);
}

/* Attach to a section, if it has the name. SHMX_ENOENT if not. The handle is the object's, or
 * closed. */
static int try_section(struct shmx_os_object *object, HANDLE section, const char *name,
                       unsigned flags, enum verdict *verdict)
{
    int status = shmx_win32_look_inside(object, section, name, flags);
    if (status != SHMX_OK) {
        CloseHandle(section);
        return status;
    }
    object->os.section = section;
    *verdict = judge(object, section, name);
    if (*verdict == VERDICT_OTHER) {
        drop(object);
        return SHMX_ENOENT;
    }
    return SHMX_OK;
}

static int try_once(struct shmx_os_object *object, const struct shmx_win32_chain *chain,
                    uint32_t generation, unsigned flags, enum verdict *verdict)
{
    HANDLE section;
    int status = shmx_win32_chain_open(chain, generation, rights_of(flags), &section);
    return status == SHMX_OK ? try_section(object, section, chain->name, flags, verdict) : status;
}

/* What may be looked at only is SHMX_EACCES only if it has the name. */
static int try_generation(struct shmx_os_object *object, const struct shmx_win32_chain *chain,
                          uint32_t generation, unsigned flags, enum verdict *verdict)
{
    int status = try_once(object, chain, generation, flags, verdict);
    if (status != SHMX_EACCES)
        return status;
    status = shmx_win32_chain_settle(chain, generation, flags);
    if (status == SHMX_OK)
        status = try_once(object, chain, generation, flags | SHMX_READ_ONLY, verdict);
    if (status != SHMX_OK || (flags & SHMX_READ_ONLY) != 0)
        return status;
    drop(object);
    return shmx_win32_error(ERROR_ACCESS_DENIED);
}

/* Attach to what has the name of a locked chain: a live segment of ours before another program's,
 * and that before what cannot be used. */
static int find(struct shmx_os_object *object, struct shmx_win32_chain *chain, unsigned flags)
{
    int best = SHMX_ENOENT;
    uint32_t foreign = 0;
    enum verdict verdict;
    for (uint32_t generation = 0; generation <= chain->highest; generation++) {
        int status = try_generation(object, chain, generation, flags, &verdict);
        if (status == SHMX_OK && verdict == VERDICT_LIVE) {
            shmx_win32_chain_hold(chain, generation, &object->os.index);
            return SHMX_OK;
        }
        if (status == SHMX_OK) {
            drop(object);
            foreign = best != SHMX_OK ? generation : foreign;
            best = SHMX_OK;
        }
        if (status != SHMX_OK && status != SHMX_ENOENT && best == SHMX_ENOENT)
            best = status;
    }
    if (best == SHMX_OK)
        best = try_generation(object, chain, foreign, flags, &verdict);
    if (best == SHMX_OK)
        shmx_win32_chain_hold(chain, foreign, &object->os.index);
    return best;
}

void shmx_win32_begin(struct shmx_os_object *object, unsigned flags)
{
    if ((flags & SHMX_RAW) != 0) {
        memset(&object->label, 0, sizeof object->label);
        object->control = NULL;
    }
    object->os.wide = (object->label.flags & SHMX_MACHINE_WIDE) != 0;
    atomic_init(&object->owner, 0);
    atomic_init(&object->os.waiting, NULL);
    shmx_win32_owner_begin(object);
    if ((flags & SHMX_PREFAULT) != 0)
        shmx_win32_prefault(object);
}

/* ---- create ---- */

static int write_control(struct shmx_os_object *object, size_t length,
                         const struct shmx_label *label)
{
    memset(&object->label, 0, sizeof object->label);
    object->control = NULL;
    if (label == NULL)
        return SHMX_OK;
    if (object->length != length)
        return shmx_win32_error(ERROR_BAD_LENGTH);
    shmx_control_write(object->data, object->length, label);
    object->control = shmx_control_at(object->data, object->length);
    object->label = *label;
    return SHMX_OK;
}

static void drop_section(struct shmx_os_private *os)
{
    CloseHandle(os->section);
    if (os->index != NULL)
        CloseHandle(os->index);
}

static void give_up(struct shmx_os_object *object)
{
    leave_mapping(object);
    drop_section(&object->os);
}

/* Map the new section and make it a segment. On failure it is gone. */
static int fill(struct shmx_os_object *object, size_t length, const struct shmx_label *label)
{
    int status = shmx_win32_map(object, object->os.section, 0);
    if (status != SHMX_OK) {
        drop_section(&object->os);
        return status;
    }
    status = write_control(object, length, label);
    if (status != SHMX_OK)
        give_up(object);
    return status;
}

/* Let others find it. On failure it is gone. */
static int unseal(struct shmx_os_object *object, unsigned flags)
{
    int status = shmx_win32_unseal(object->os.section, flags);
    if (status != SHMX_OK)
        give_up(object);
    return status;
}

/* SHMX_ENOENT: no section has the name. */
static int sections_check(struct shmx_win32_chain *chain)
{
    struct shmx_os_object other;
    int status = find(&other, chain, SHMX_READ_ONLY);
    if (status == SHMX_OK)
        give_up(&other);
    bool there = status == SHMX_OK || status == SHMX_EACCES || status == SHMX_EPROTO;
    return there ? shmx_win32_error(ERROR_ALREADY_EXISTS) : status;
}

/* SHMX_ENOENT: no file has the name. */
static int file_check(const struct shmx_win32_chain *chain)
{
    HANDLE file;
    int status = chain->wide ? SHMX_ENOENT : shmx_win32_persist_open(chain->name, &file);
    if (status == SHMX_OK)
        CloseHandle(file);
    bool there = status == SHMX_OK || status == SHMX_EACCES || status == SHMX_EPROTO;
    return there ? shmx_win32_error(ERROR_ALREADY_EXISTS) : status;
}

static int create_transient(struct shmx_os_object *object, struct shmx_win32_chain *chain,
                            size_t length, unsigned flags, const struct shmx_label *label)
{
    int status = SHMX_EEXIST;
    bool seal = label != NULL; /* a raw one is complete as it is */
    unsigned how = seal ? flags | SHMX_WIN32_SEALED : flags;
    /* If no numbered generation is in use, the first call that makes a section tells all. */
    if (chain->highest == 0)
        status = shmx_win32_chain_add(chain, 0, NULL, length, how, &object->os);
    if (status == SHMX_EEXIST)
        status = sections_check(chain);
    if (status == SHMX_ENOENT)
        status =
            shmx_win32_chain_add(chain, SHMX_WIN32_GENERATIONS, NULL, length, how, &object->os);
    if (status == SHMX_OK)
        status = fill(object, length, label);
    return status == SHMX_OK && seal ? unseal(object, flags) : status;
}

static int create_persistent(struct shmx_os_object *object, struct shmx_win32_chain *chain,
                             size_t length, unsigned flags, const struct shmx_label *label)
{
    HANDLE file;
    int status = sections_check(chain);
    if (status == SHMX_ENOENT)
        status = shmx_win32_persist_make(length, &file);
    if (status != SHMX_OK)
        return status;
    status = shmx_win32_chain_add(chain, SHMX_WIN32_GENERATIONS, file, length,
                                  flags | SHMX_WIN32_SEALED, &object->os);
    if (status == SHMX_OK)
        status = fill(object, length, label);
    if (status != SHMX_OK)
        goto discard;
    /* Of several sessions of the user, which do not share the lock, one can publish. */
    status = shmx_win32_persist_publish(file, chain->name);
    if (status != SHMX_OK) {
        give_up(object);
        goto discard;
    }
    status = unseal(object, flags);
    if (status != SHMX_OK)
        shmx_win32_persist_unname(chain->name, label->id);
    return status;
discard:
    shmx_win32_persist_discard(file);
    return status;
}

static int open_in(struct shmx_os_object *object, const char *name, bool wide, unsigned flags);

/* SHMX_ENOENT: nothing in the session, or machine-wide, has the name. */
static int elsewhere_check(const char *name, bool wide)
{
    struct shmx_os_object other;
    int status = open_in(&other, name, wide, SHMX_READ_ONLY);
    if (status == SHMX_OK)
        give_up(&other);
    bool there = status == SHMX_OK || status == SHMX_EACCES || status == SHMX_EPROTO;
    return there ? shmx_win32_error(ERROR_ALREADY_EXISTS) : status;
}

static int create_in(struct shmx_os_object *object, const char *name, size_t length, unsigned flags,
                     const struct shmx_label *label)
{
    struct shmx_win32_chain chain;
    int status = shmx_win32_chain_lock(&chain, name, (flags & SHMX_MACHINE_WIDE) != 0, flags);
    if (status != SHMX_OK)
        return status;
    status = elsewhere_check(name, !chain.wide);
    if (status == SHMX_ENOENT)
        status = file_check(&chain);
    if (status == SHMX_ENOENT && (flags & SHMX_PERSISTENT) != 0)
        status = create_persistent(object, &chain, length, flags, label);
    else if (status == SHMX_ENOENT)
        status = create_transient(object, &chain, length, flags, label);
    shmx_win32_chain_unlock(&chain);
    return status;
}

/* What can be seen from one session is one name. So who creates for all sessions holds the lock of
 * its own session too, and who creates in a session sees under that lock whether there is one for
 * all. */
static int create_named(struct shmx_os_object *object, const char *name, size_t length,
                        unsigned flags, const struct shmx_label *label)
{
    struct shmx_win32_chain session;
    if ((flags & SHMX_MACHINE_WIDE) == 0)
        return create_in(object, name, length, flags, label);
    int status = shmx_win32_chain_lock(&session, name, false, flags);
    if (status != SHMX_OK)
        return status;
    status = create_in(object, name, length, flags, label);
    shmx_win32_chain_unlock(&session);
    return status;
}

static int create_nameless(struct shmx_os_object *object, size_t length, unsigned flags,
                           const struct shmx_label *label)
{
    object->os.index = NULL;
    int status = shmx_win32_section_make(length, flags, &object->os.section);
    return status == SHMX_OK ? fill(object, length, label) : status;
}

int shmx_os_object_create(struct shmx_os_object *object, const char *name, size_t length,
                          unsigned flags, const struct shmx_label *label)
{
    /* The files of persist.c are the user's own, and found by him only. */
    const unsigned shared = SHMX_OTHERS_READ | SHMX_OTHERS_WRITE | SHMX_MACHINE_WIDE;
    if ((flags & SHMX_PERSISTENT) != 0 && (flags & shared) != 0)
        return shmx_win32_error(ERROR_NOT_SUPPORTED);
    int status = name != NULL ? create_named(object, name, length, flags, label)
                              : create_nameless(object, length, flags, label);
    if (status == SHMX_OK)
        shmx_win32_begin(object, flags & SHMX_PREFAULT);
    return status;
}

/* ---- open ---- */

/* Make the segment that a file holds a section again. */
static int revive(struct shmx_os_object *object, struct shmx_win32_chain *chain, unsigned flags)
{
    HANDLE file;
    int status = shmx_win32_persist_open(chain->name, &file);
    if (status != SHMX_OK)
        return status;
    status = shmx_win32_chain_add(chain, SHMX_WIN32_GENERATIONS, file, 0, 0, &object->os);
    CloseHandle(file);
    if (status != SHMX_OK)
        return status;
    status = shmx_win32_look_inside(object, object->os.section, chain->name, flags);
    if (status != SHMX_OK)
        drop_section(&object->os);
    return status;
}

/* Attach by the lock. */
static int open_locked(struct shmx_os_object *object, const char *name, bool wide, unsigned flags)
{
    struct shmx_win32_chain chain;
    int status = shmx_win32_chain_lock(&chain, name, wide, flags);
    if (status != SHMX_OK)
        return status;
    status = find(object, &chain, flags);
    if (status == SHMX_ENOENT && !wide)
        status = revive(object, &chain, flags);
    shmx_win32_chain_unlock(&chain);
    return status;
}

/* Without the lock what is usual can be told: a live segment at generation 0, or nothing at all. */
static int open_in(struct shmx_os_object *object, const char *name, bool wide, unsigned flags)
{
    const struct shmx_win32_chain chain = {name, wide, NULL, NULL, 0};
    enum verdict verdict = VERDICT_OTHER;
    HANDLE section;
    int status = shmx_win32_chain_open(&chain, 0, rights_of(flags), &section);
    if (status == SHMX_ENOENT && !shmx_win32_chain_indexed(name, wide) &&
        (wide || !shmx_win32_persist_maybe(name)))
        return SHMX_ENOENT;
    if (status == SHMX_OK)
        status = try_section(object, section, name, flags, &verdict);
    if (status == SHMX_OK && verdict == VERDICT_LIVE) {
        object->os.index = NULL;
        return SHMX_OK;
    }
    if (status == SHMX_OK)
        drop(object);
    return open_locked(object, name, wide, flags);
}

int shmx_os_object_open(struct shmx_os_object *object, const char *name, unsigned flags)
{
    int status = open_in(object, name, false, flags);
    if (status == SHMX_ENOENT)
        status = open_in(object, name, true, flags);
    if (status == SHMX_OK)
        shmx_win32_begin(object, flags);
    return status;
}

/* ---- close, unlink, reap ---- */

void shmx_os_object_close(struct shmx_os_object *object)
{
    int before = shmx_os_last_error();
    bool file_left = object->control != NULL && (object->label.flags & SHMX_PERSISTENT) != 0 &&
                     atomic_load(&object->control->state) == SHMX_STATE_UNLINKED;
    shmx_win32_wait_end(object);
    shmx_win32_owner_end(object);
    give_up(object);
    if (file_left)
        shmx_win32_persist_remove(object->label.id);
    shmx_os_set_error(before);
}

/* Take the name away. Of several who are here with the same segment one finds it live. */
static int unlink_found(struct shmx_os_object *object)
{
    uint32_t live = SHMX_STATE_LIVE;
    if (object->control == NULL)
        return shmx_win32_error(ERROR_NOT_SUPPORTED);
    if (!atomic_compare_exchange_strong(&object->control->state, &live, SHMX_STATE_UNLINKED))
        return SHMX_ENOENT;
    if ((object->label.flags & SHMX_PERSISTENT) != 0)
        shmx_win32_persist_unname(object->label.name, object->label.id);
    return SHMX_OK;
}

static int unlink_in(const char *name, bool wide)
{
    struct shmx_os_object object;
    int status = open_in(&object, name, wide, 0);
    if (status != SHMX_OK)
        return status;
    status = unlink_found(&object);
    give_up(&object);
    if (status == SHMX_OK && (object.label.flags & SHMX_PERSISTENT) != 0)
        shmx_win32_persist_remove(object.label.id);
    return status;
}

int shmx_os_object_unlink(const char *name)
{
    int status = unlink_in(name, false);
    return status == SHMX_ENOENT ? unlink_in(name, true) : status;
}

int shmx_os_object_reap(const char *name, bool *removed)
{
    *removed = false; /* what nobody uses the system has removed already */
    return name == NULL ? shmx_win32_persist_clear() : SHMX_OK;
}
