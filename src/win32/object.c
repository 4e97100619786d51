/* SPDX-License-Identifier: MIT */
/*
 * Objects on Windows: sections of anonymous memory, which the system removes with their last
 * handle. So an attachment is a handle, and the last user's end needs nothing of us. That a name
 * can be taken away all the same is the business of chain.c, that a segment outlives its users of
 * persist.c.
 */
#include <string.h>

#include "base/control.h"
#include "chain.h"
#include "persist.h"

/* ---- attach ---- */

static void close_handles(struct shmx_os_private *os)
{
    if (os->section != NULL)
        CloseHandle(os->section);
    if (os->index != NULL)
        CloseHandle(os->index); /* after the section: rule 3 of chain.c */
    os->section = os->index = NULL;
}

static void give_up(struct shmx_attachment *attachment)
{
    UnmapViewOfFile(attachment->data);
    close_handles(&attachment->os);
}

int shmx_win32_enter(struct shmx_attachment *attachment, const char *name, unsigned flags)
{
    int status = shmx_win32_map(attachment, attachment->os.section, flags);
    if (status != SHMX_OK)
        return status;
    enum shmx_control_kind kind =
        shmx_control_check(&attachment->label, attachment->data, attachment->length, name);
    if (kind == SHMX_CONTROL_DAMAGED && (flags & SHMX_RAW) == 0) {
        UnmapViewOfFile(attachment->data);
        return SHMX_EPROTO;
    }
    attachment->control = NULL;
    if (kind == SHMX_CONTROL_GOOD)
        attachment->control = shmx_control_at(attachment->data, attachment->length);
    else
        memset(&attachment->label, 0, sizeof attachment->label);
    attachment->guest = kind == SHMX_CONTROL_GOOD && (flags & SHMX_RAW) != 0;
    return SHMX_OK;
}

void shmx_win32_begin(struct shmx_attachment *attachment, unsigned flags)
{
    if (attachment->guest)
        close_handles(&attachment->os); /* the mapping stays, and the name does not for it */
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
    attachment->guest = false;
    if (label == NULL)
        return SHMX_OK;
    if (attachment->length != length)
        return shmx_win32_error(ERROR_BAD_LENGTH);
    shmx_control_write(attachment->data, attachment->length, label);
    attachment->control = shmx_control_at(attachment->data, attachment->length);
    attachment->label = *label;
    return SHMX_OK;
}

/* Map the new section and make it a segment. On failure it is gone. */
static int fill(struct shmx_attachment *attachment, size_t length, const struct shmx_label *label)
{
    int status = shmx_win32_map(attachment, attachment->os.section, 0);
    if (status != SHMX_OK) {
        close_handles(&attachment->os);
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
    int status = shmx_win32_section_unseal(attachment->os.section, flags);
    if (status != SHMX_OK)
        give_up(attachment);
    return status;
}

/* Only SHMX_ENOENT, from a search, lets a segment be made. */
static int none_there(int status)
{
    bool there = status == SHMX_OK || status == SHMX_EACCES || status == SHMX_EPROTO;
    return there ? shmx_win32_error(ERROR_ALREADY_EXISTS) : status;
}

static int sections_check(struct shmx_win32_chain *chain)
{
    struct shmx_win32_found found;
    int status = shmx_win32_chain_find(chain, SHMX_WIN32_LOOK_RIGHTS, &found);
    if (status == SHMX_OK)
        shmx_win32_found_close(&found);
    return none_there(status);
}

static int file_check(const struct shmx_win32_chain *chain)
{
    HANDLE file;
    int status = chain->wide ? SHMX_ENOENT : shmx_win32_persist_open(chain->name, &file);
    if (status == SHMX_OK)
        CloseHandle(file);
    return none_there(status);
}

/* In the session, or machine-wide: in the space that the chain is not of. */
static int elsewhere_check(const struct shmx_win32_chain *chain)
{
    struct shmx_win32_chain other = {.name = chain->name, .wide = !chain->wide};
    struct shmx_win32_found found;
    int status = shmx_win32_find(&other, SHMX_WIN32_LOOK_RIGHTS, shmx_win32_persist_look, &found);
    if (status == SHMX_OK)
        shmx_win32_found_close(&found);
    return none_there(status);
}

static int create_transient(struct shmx_attachment *attachment, struct shmx_win32_chain *chain,
                            size_t length, unsigned flags, const struct shmx_label *label)
{
    int status = SHMX_EEXIST;
    /* A raw one is complete as it is. */
    const struct shmx_win32_making making = {
        .length = length, .flags = flags, .sealed = label != NULL};
    /* If no numbered generation is in use, the first call that makes a section says it all. */
    if (chain->highest == 0)
        status = shmx_win32_chain_add(chain, 0, &making, &attachment->os);
    if (status == SHMX_EEXIST)
        status = sections_check(chain);
    if (status == SHMX_ENOENT)
        status = shmx_win32_chain_add(chain, SHMX_WIN32_GENERATIONS, &making, &attachment->os);
    if (status == SHMX_OK)
        status = fill(attachment, length, label);
    return status == SHMX_OK && making.sealed ? unseal(attachment, flags) : status;
}

static int create_persistent(struct shmx_attachment *attachment, struct shmx_win32_chain *chain,
                             size_t length, unsigned flags, const struct shmx_label *label)
{
    struct shmx_win32_making making = {.flags = flags, .sealed = true};
    int status = sections_check(chain);
    if (status == SHMX_ENOENT)
        status = shmx_win32_persist_make(length, &making.file);
    if (status != SHMX_OK)
        return status;
    status = shmx_win32_chain_add(chain, SHMX_WIN32_GENERATIONS, &making, &attachment->os);
    if (status == SHMX_OK)
        status = fill(attachment, length, label);
    if (status != SHMX_OK)
        goto discard;
    /* Of several sessions of the user, which do not share the lock, one can publish. */
    status = shmx_win32_persist_publish(making.file, chain->name);
    if (status != SHMX_OK) {
        give_up(attachment);
        goto discard;
    }
    status = unseal(attachment, flags);
    if (status != SHMX_OK)
        shmx_win32_persist_unname(chain->name, label->id);
    return status;
discard:
    shmx_win32_persist_discard(making.file);
    return status;
}

static int create_in(struct shmx_attachment *attachment, const char *name, size_t length,
                     unsigned flags, const struct shmx_label *label)
{
    struct shmx_win32_chain chain = {.name = name, .wide = (flags & SHMX_MACHINE_WIDE) != 0};
    int status = shmx_win32_chain_lock(&chain);
    if (status != SHMX_OK)
        return status;
    status = elsewhere_check(&chain);
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
    struct shmx_win32_chain session = {.name = name};
    if ((flags & SHMX_MACHINE_WIDE) == 0)
        return create_in(attachment, name, length, flags, label);
    int status = shmx_win32_chain_lock(&session);
    if (status != SHMX_OK)
        return status;
    status = create_in(attachment, name, length, flags, label);
    shmx_win32_chain_unlock(&session);
    return status;
}

static int create_nameless(struct shmx_attachment *attachment, size_t length, unsigned flags,
                           const struct shmx_label *label)
{
    const struct shmx_win32_making making = {.length = length, .flags = flags};
    attachment->os.index = NULL;
    int status = shmx_win32_section_make(NULL, &making, &attachment->os.section);
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
        shmx_win32_begin(attachment, flags);
    return status;
}

/* ---- open ---- */

/* Make the segment that a file holds a section again. */
static int revive(struct shmx_win32_chain *chain, struct shmx_win32_found *found)
{
    struct shmx_win32_making making = {0};
    int status = shmx_win32_persist_open(chain->name, &making.file);
    if (status != SHMX_OK)
        return status;
    memset(found, 0, sizeof *found);
    status = shmx_win32_chain_add(chain, SHMX_WIN32_GENERATIONS, &making, &found->os);
    CloseHandle(making.file);
    if (status != SHMX_OK)
        return status;
    status = shmx_win32_section_look(found->os.section, chain->name, &found->view);
    if (status != SHMX_OK)
        shmx_win32_found_close(found);
    return status;
}

/* Find what has the name, in the session first, with the rights to use it as flags say. */
static int find(const char *name, unsigned flags, struct shmx_win32_found *found)
{
    struct shmx_win32_chain session = {.name = name}, machine = {.name = name, .wide = true};
    bool read_only = (flags & SHMX_READ_ONLY) != 0;
    DWORD rights = read_only ? SHMX_WIN32_LOOK_RIGHTS : SHMX_WIN32_USE_RIGHTS;
    int status = shmx_win32_find(&session, rights, revive, found);
    if (status == SHMX_ENOENT)
        status = shmx_win32_find(&machine, rights, revive, found);
    if (status == SHMX_OK && found->denied) {
        shmx_win32_found_close(found);
        return shmx_win32_error(ERROR_ACCESS_DENIED);
    }
    return status;
}

/* SHMX_ENOENT: it was unlinked since it has been found. */
static int attach_found(struct shmx_attachment *attachment, const struct shmx_win32_found *found,
                        const char *name, unsigned flags)
{
    attachment->os = found->os;
    int status = shmx_win32_enter(attachment, name, flags);
    if (status != SHMX_OK) {
        close_handles(&attachment->os);
        return status;
    }
    if (attachment->control == NULL ||
        atomic_load(&attachment->control->state) != SHMX_STATE_UNLINKED)
        return SHMX_OK;
    give_up(attachment);
    return SHMX_ENOENT;
}

int shmx_os_open(struct shmx_attachment *attachment, const char *name, unsigned flags)
{
    struct shmx_win32_found found;
    int status;
    do {
        status = find(name, flags, &found);
        if (status != SHMX_OK)
            return status;
        status = attach_found(attachment, &found, name, flags);
    } while (status == SHMX_ENOENT); /* perhaps there is a successor */
    if (status == SHMX_OK)
        shmx_win32_begin(attachment, flags);
    return status;
}

/* ---- close ---- */

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

/* ---- unlink ---- */

static int unlink_found(struct shmx_win32_found *found)
{
    switch (found->view.kind) {
    case SHMX_OS_FOREIGN:
        return shmx_win32_error(ERROR_NOT_SUPPORTED);
    case SHMX_OS_DAMAGED:
        return SHMX_EPROTO;
    default:
        return shmx_win32_section_unlink(found->os.section);
    }
}

int shmx_os_unlink(const char *name)
{
    struct shmx_win32_found found;
    int status = find(name, 0, &found);
    if (status != SHMX_OK)
        return status;
    status = unlink_found(&found);
    shmx_win32_found_close(&found);
    if (status == SHMX_OK && (found.view.label.flags & SHMX_PERSISTENT) != 0) {
        shmx_win32_persist_unname(name, found.view.label.id);
        shmx_win32_persist_remove(found.view.label.id);
    }
    return status;
}
