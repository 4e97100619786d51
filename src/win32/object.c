/* SPDX-License-Identifier: MIT */
/*
 * Objects on Windows: sections of anonymous memory (CreateFileMapping), which the system removes
 * with their last handle. So an attachment is a handle, and the last user's end needs nothing of
 * us. That a name can be taken away all the same is the business of chain.c, that a segment
 * outlives its users of persist.c.
 */
#include <string.h>

#include "chain.h"
#include "base/control.h"
#include "persist.h"

/* ---- what a section is ---- */

static void leave_mapping(struct shmx_attachment *attachment)
{
    UnmapViewOfFile(attachment->data);
    attachment->data = NULL;
}

int shmx_win32_look_inside(struct shmx_attachment *attachment, HANDLE section, const char *name,
                           unsigned flags)
{
    int status = shmx_win32_map(attachment, section, flags);
    if (status != SHMX_OK)
        return status;
    enum shmx_control_kind kind =
        shmx_control_check(&attachment->label, attachment->data, attachment->length, NULL);
    if (kind == SHMX_CONTROL_GOOD && name != NULL &&
        !shmx_win32_name_same(attachment->label.name, name))
        kind = SHMX_CONTROL_DAMAGED;
    if (kind == SHMX_CONTROL_DAMAGED && (flags & SHMX_RAW) == 0) {
        leave_mapping(attachment);
        return SHMX_EPROTO;
    }
    attachment->control = NULL;
    if (kind == SHMX_CONTROL_GOOD)
        attachment->control = shmx_control_at(attachment->data, attachment->length);
    else
        memset(&attachment->label, 0, sizeof attachment->label);
    return SHMX_OK;
}

enum verdict {
    VERDICT_LIVE,    /* ours, and has the name */
    VERDICT_FOREIGN, /* another program's or raw, and has the name */
    VERDICT_OTHER    /* has the name no more, or one that differs in case */
};

static enum verdict judge(const struct shmx_attachment *attachment, HANDLE section,
                          const char *name)
{
    if (attachment->control == NULL)
        return shmx_win32_called(section, name) ? VERDICT_FOREIGN : VERDICT_OTHER;
    bool live = atomic_load(&attachment->control->state) != SHMX_STATE_UNLINKED;
    return live && strcmp(attachment->label.name, name) == 0 ? VERDICT_LIVE : VERDICT_OTHER;
}

/* ---- finding who has a name ---- */

static DWORD rights_of(unsigned flags)
{
    DWORD rights = SECTION_QUERY | SECTION_MAP_READ;
    return (flags & SHMX_READ_ONLY) != 0 ? rights : rights | SECTION_MAP_WRITE;
}

static void drop(struct shmx_attachment *attachment)
{
    leave_mapping(attachment);
    CloseHandle(attachment->os.section);
}

/* Attach to a section, if it has the name. SHMX_ENOENT if not. The handle is the object's, or
 * closed. */
static int try_section(struct shmx_attachment *attachment, HANDLE section, const char *name,
                       unsigned flags, enum verdict *verdict)
{
    int status = shmx_win32_look_inside(attachment, section, name, flags);
    if (status != SHMX_OK) {
        CloseHandle(section);
        return status;
    }
    attachment->os.section = section;
    *verdict = judge(attachment, section, name);
    if (*verdict == VERDICT_OTHER) {
        drop(attachment);
        return SHMX_ENOENT;
    }
    return SHMX_OK;
}

static int try_once(struct shmx_attachment *attachment, const struct shmx_win32_chain *chain,
                    uint32_t generation, unsigned flags, enum verdict *verdict)
{
    HANDLE section;
    int status = shmx_win32_chain_open(chain, generation, rights_of(flags), &section);
    return status == SHMX_OK ? try_section(attachment, section, chain->name, flags, verdict)
                             : status;
}

/* What may be looked at only is SHMX_EACCES only if it has the name. */
static int try_generation(struct shmx_attachment *attachment, const struct shmx_win32_chain *chain,
                          uint32_t generation, unsigned flags, enum verdict *verdict)
{
    int status = try_once(attachment, chain, generation, flags, verdict);
    if (status != SHMX_EACCES)
        return status;
    status = shmx_win32_chain_settle(chain, generation, flags);
    if (status == SHMX_OK)
        status = try_once(attachment, chain, generation, flags | SHMX_READ_ONLY, verdict);
    if (status != SHMX_OK || (flags & SHMX_READ_ONLY) != 0)
        return status;
    drop(attachment);
    return shmx_win32_error(ERROR_ACCESS_DENIED);
}

/* Attach to what has the name of a locked chain: a live segment of ours before another program's,
 * and that before what cannot be used. */
static int find(struct shmx_attachment *attachment, struct shmx_win32_chain *chain, unsigned flags)
{
    int best = SHMX_ENOENT;
    uint32_t foreign = 0;
    enum verdict verdict;
    for (uint32_t generation = 0; generation <= chain->highest; generation++) {
        int status = try_generation(attachment, chain, generation, flags, &verdict);
        if (status == SHMX_OK && verdict == VERDICT_LIVE) {
            shmx_win32_chain_hold(chain, generation, &attachment->os.index);
            return SHMX_OK;
        }
        if (status == SHMX_OK) {
            drop(attachment);
            foreign = best != SHMX_OK ? generation : foreign;
            best = SHMX_OK;
        }
        if (status != SHMX_OK && status != SHMX_ENOENT && best == SHMX_ENOENT)
            best = status;
    }
    if (best == SHMX_OK)
        best = try_generation(attachment, chain, foreign, flags, &verdict);
    if (best == SHMX_OK)
        shmx_win32_chain_hold(chain, foreign, &attachment->os.index);
    return best;
}

void shmx_win32_begin(struct shmx_attachment *attachment, unsigned flags)
{
    if ((flags & SHMX_RAW) != 0) {
        memset(&attachment->label, 0, sizeof attachment->label);
        attachment->control = NULL;
    }
    attachment->os.wide = (attachment->label.flags & SHMX_MACHINE_WIDE) != 0;
    atomic_init(&attachment->owner, 0);
    atomic_init(&attachment->os.waiting, NULL);
    shmx_win32_owner_begin(attachment);
    if ((flags & SHMX_PREFAULT) != 0)
        shmx_win32_prefault(attachment);
}

/* ---- create ---- */

static int write_control(struct shmx_attachment *attachment, size_t length,
                         const struct shmx_label *label)
{
    memset(&attachment->label, 0, sizeof attachment->label);
    attachment->control = NULL;
    if (label == NULL)
        return SHMX_OK;
    if (attachment->length != length)
        return shmx_win32_error(ERROR_BAD_LENGTH);
    shmx_control_write(attachment->data, attachment->length, label);
    attachment->control = shmx_control_at(attachment->data, attachment->length);
    attachment->label = *label;
    return SHMX_OK;
}

static void drop_section(struct shmx_os_private *os)
{
    CloseHandle(os->section);
    if (os->index != NULL)
        CloseHandle(os->index);
}

static void give_up(struct shmx_attachment *attachment)
{
    leave_mapping(attachment);
    drop_section(&attachment->os);
}

/* Map the new section and make it a segment. On failure it is gone. */
static int fill(struct shmx_attachment *attachment, size_t length, const struct shmx_label *label)
{
    int status = shmx_win32_map(attachment, attachment->os.section, 0);
    if (status != SHMX_OK) {
        drop_section(&attachment->os);
        return status;
    }
    status = write_control(attachment, length, label);
    if (status != SHMX_OK)
        give_up(attachment);
    return status;
}

/* Let others find it. On failure it is gone. */
static int unseal(struct shmx_attachment *attachment, unsigned flags)
{
    int status = shmx_win32_unseal(attachment->os.section, flags);
    if (status != SHMX_OK)
        give_up(attachment);
    return status;
}

/* SHMX_ENOENT: no section has the name. */
static int sections_check(struct shmx_win32_chain *chain)
{
    struct shmx_attachment other;
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

static int create_transient(struct shmx_attachment *attachment, struct shmx_win32_chain *chain,
                            size_t length, unsigned flags, const struct shmx_label *label)
{
    int status = SHMX_EEXIST;
    bool seal = label != NULL; /* a raw one is complete as it is */
    unsigned how = seal ? flags | SHMX_WIN32_SEALED : flags;
    /* If no numbered generation is in use, the first call that makes a section tells all. */
    if (chain->highest == 0)
        status = shmx_win32_chain_add(chain, 0, NULL, length, how, &attachment->os);
    if (status == SHMX_EEXIST)
        status = sections_check(chain);
    if (status == SHMX_ENOENT)
        status =
            shmx_win32_chain_add(chain, SHMX_WIN32_GENERATIONS, NULL, length, how, &attachment->os);
    if (status == SHMX_OK)
        status = fill(attachment, length, label);
    return status == SHMX_OK && seal ? unseal(attachment, flags) : status;
}

static int create_persistent(struct shmx_attachment *attachment, struct shmx_win32_chain *chain,
                             size_t length, unsigned flags, const struct shmx_label *label)
{
    HANDLE file;
    int status = sections_check(chain);
    if (status == SHMX_ENOENT)
        status = shmx_win32_persist_make(length, &file);
    if (status != SHMX_OK)
        return status;
    status = shmx_win32_chain_add(chain, SHMX_WIN32_GENERATIONS, file, length,
                                  flags | SHMX_WIN32_SEALED, &attachment->os);
    if (status == SHMX_OK)
        status = fill(attachment, length, label);
    if (status != SHMX_OK)
        goto discard;
    /* Of several sessions of the user, which do not share the lock, one can publish. */
    status = shmx_win32_persist_publish(file, chain->name);
    if (status != SHMX_OK) {
        give_up(attachment);
        goto discard;
    }
    status = unseal(attachment, flags);
    if (status != SHMX_OK)
        shmx_win32_persist_unname(chain->name, label->id);
    return status;
discard:
    shmx_win32_persist_discard(file);
    return status;
}

static int open_in(struct shmx_attachment *attachment, const char *name, bool wide, unsigned flags);

/* SHMX_ENOENT: nothing in the session, or machine-wide, has the name. */
static int elsewhere_check(const char *name, bool wide)
{
    struct shmx_attachment other;
    int status = open_in(&other, name, wide, SHMX_READ_ONLY);
    if (status == SHMX_OK)
        give_up(&other);
    bool there = status == SHMX_OK || status == SHMX_EACCES || status == SHMX_EPROTO;
    return there ? shmx_win32_error(ERROR_ALREADY_EXISTS) : status;
}

static int create_in(struct shmx_attachment *attachment, const char *name, size_t length,
                     unsigned flags, const struct shmx_label *label)
{
    struct shmx_win32_chain chain;
    int status = shmx_win32_chain_lock(&chain, name, (flags & SHMX_MACHINE_WIDE) != 0, flags);
    if (status != SHMX_OK)
        return status;
    status = elsewhere_check(name, !chain.wide);
    if (status == SHMX_ENOENT)
        status = file_check(&chain);
    if (status == SHMX_ENOENT && (flags & SHMX_PERSISTENT) != 0)
        status = create_persistent(attachment, &chain, length, flags, label);
    else if (status == SHMX_ENOENT)
        status = create_transient(attachment, &chain, length, flags, label);
    shmx_win32_chain_unlock(&chain);
    return status;
}

/* What can be seen from one session is one name. So who creates for all sessions holds the lock of
 * its own session too, and who creates in a session sees under that lock whether there is one for
 * all. */
static int create_named(struct shmx_attachment *attachment, const char *name, size_t length,
                        unsigned flags, const struct shmx_label *label)
{
    struct shmx_win32_chain session;
    if ((flags & SHMX_MACHINE_WIDE) == 0)
        return create_in(attachment, name, length, flags, label);
    int status = shmx_win32_chain_lock(&session, name, false, flags);
    if (status != SHMX_OK)
        return status;
    status = create_in(attachment, name, length, flags, label);
    shmx_win32_chain_unlock(&session);
    return status;
}

static int create_nameless(struct shmx_attachment *attachment, size_t length, unsigned flags,
                           const struct shmx_label *label)
{
    attachment->os.index = NULL;
    int status = shmx_win32_section_make(length, flags, &attachment->os.section);
    return status == SHMX_OK ? fill(attachment, length, label) : status;
}

int shmx_os_create(struct shmx_attachment *attachment, const char *name, size_t length,
                   unsigned flags, const struct shmx_label *label)
{
    /* The files of persist.c are the user's own, and found by him only. */
    const unsigned shared = SHMX_OTHERS_READ | SHMX_OTHERS_WRITE | SHMX_MACHINE_WIDE;
    if ((flags & SHMX_PERSISTENT) != 0 && (flags & shared) != 0)
        return shmx_win32_error(ERROR_NOT_SUPPORTED);
    int status = name != NULL ? create_named(attachment, name, length, flags, label)
                              : create_nameless(attachment, length, flags, label);
    if (status == SHMX_OK)
        shmx_win32_begin(attachment, flags & SHMX_PREFAULT);
    return status;
}

/* ---- open ---- */

/* Make the segment that a file holds a section again. */
static int revive(struct shmx_attachment *attachment, struct shmx_win32_chain *chain,
                  unsigned flags)
{
    HANDLE file;
    int status = shmx_win32_persist_open(chain->name, &file);
    if (status != SHMX_OK)
        return status;
    status = shmx_win32_chain_add(chain, SHMX_WIN32_GENERATIONS, file, 0, 0, &attachment->os);
    CloseHandle(file);
    if (status != SHMX_OK)
        return status;
    status = shmx_win32_look_inside(attachment, attachment->os.section, chain->name, flags);
    if (status != SHMX_OK)
        drop_section(&attachment->os);
    return status;
}

/* Attach by the lock. */
static int open_locked(struct shmx_attachment *attachment, const char *name, bool wide,
                       unsigned flags)
{
    struct shmx_win32_chain chain;
    int status = shmx_win32_chain_lock(&chain, name, wide, flags);
    if (status != SHMX_OK)
        return status;
    status = find(attachment, &chain, flags);
    if (status == SHMX_ENOENT && !wide)
        status = revive(attachment, &chain, flags);
    shmx_win32_chain_unlock(&chain);
    return status;
}

/* Without the lock what is usual can be told: a live segment at generation 0, or nothing at all. */
static int open_in(struct shmx_attachment *attachment, const char *name, bool wide, unsigned flags)
{
    const struct shmx_win32_chain chain = {name, wide, NULL, NULL, 0};
    enum verdict verdict = VERDICT_OTHER;
    HANDLE section;
    int status = shmx_win32_chain_open(&chain, 0, rights_of(flags), &section);
    if (status == SHMX_ENOENT && !shmx_win32_chain_indexed(name, wide) &&
        (wide || !shmx_win32_persist_maybe(name)))
        return SHMX_ENOENT;
    if (status == SHMX_OK)
        status = try_section(attachment, section, name, flags, &verdict);
    if (status == SHMX_OK && verdict == VERDICT_LIVE) {
        attachment->os.index = NULL;
        return SHMX_OK;
    }
    if (status == SHMX_OK)
        drop(attachment);
    return open_locked(attachment, name, wide, flags);
}

int shmx_os_open(struct shmx_attachment *attachment, const char *name, unsigned flags)
{
    int status = open_in(attachment, name, false, flags);
    if (status == SHMX_ENOENT)
        status = open_in(attachment, name, true, flags);
    if (status == SHMX_OK)
        shmx_win32_begin(attachment, flags);
    return status;
}

/* ---- close, unlink, reap ---- */

void shmx_os_close(struct shmx_attachment *attachment)
{
    int before = shmx_os_last_error();
    bool file_left = attachment->control != NULL &&
                     (attachment->label.flags & SHMX_PERSISTENT) != 0 &&
                     atomic_load(&attachment->control->state) == SHMX_STATE_UNLINKED;
    shmx_win32_wait_end(attachment);
    shmx_win32_owner_end(attachment);
    give_up(attachment);
    if (file_left)
        shmx_win32_persist_remove(attachment->label.id);
    shmx_os_set_error(before);
}

/* Take the name away. Of several who are here with the same segment one finds it live. */
static int unlink_found(struct shmx_attachment *attachment)
{
    uint32_t live = SHMX_STATE_LIVE;
    if (attachment->control == NULL)
        return shmx_win32_error(ERROR_NOT_SUPPORTED);
    if (!atomic_compare_exchange_strong(&attachment->control->state, &live, SHMX_STATE_UNLINKED))
        return SHMX_ENOENT;
    if ((attachment->label.flags & SHMX_PERSISTENT) != 0)
        shmx_win32_persist_unname(attachment->label.name, attachment->label.id);
    return SHMX_OK;
}

static int unlink_in(const char *name, bool wide)
{
    struct shmx_attachment attachment;
    int status = open_in(&attachment, name, wide, 0);
    if (status != SHMX_OK)
        return status;
    status = unlink_found(&attachment);
    give_up(&attachment);
    if (status == SHMX_OK && (attachment.label.flags & SHMX_PERSISTENT) != 0)
        shmx_win32_persist_remove(attachment.label.id);
    return status;
}

int shmx_os_unlink(const char *name)
{
    int status = unlink_in(name, false);
    return status == SHMX_ENOENT ? unlink_in(name, true) : status;
}

int shmx_os_remove_dead(const char *name, bool *removed)
{
    *removed = false; /* what nobody uses the system has removed already */
    return name == NULL ? shmx_win32_persist_clear() : SHMX_OK;
}
