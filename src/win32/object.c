/* SPDX-License-Identifier: MIT */
/* Objects on Windows: sections of anonymous memory, which the system removes with their last
 * handle. So an attachment is a handle, and the last user's end needs nothing of us. chain.c takes
 * names away all the same, and persist.c lets a segment outlive its users. */
#include <string.h>

#include "base/control.h"
#include "chain.h"
#include "persist.h"

/* ---- attach ---- */

void shmx_win32_give_up(struct shmx_attachment *attachment)
{
    if (attachment->data != NULL)
        UnmapViewOfFile(attachment->data);
    attachment->data = NULL;
    shmx_win32_let_go(&attachment->os.hold);
}

int shmx_win32_enter(struct shmx_attachment *attachment, const char *name, unsigned flags)
{
    int status = shmx_win32_map(attachment, flags);
    if (status != SHMX_OK)
        return status;
    enum shmx_control_kind kind =
        shmx_control_check(&attachment->label, attachment->data, attachment->length, name);
    bool good = kind == SHMX_CONTROL_GOOD, raw = (flags & SHMX_RAW) != 0;
    attachment->guest = good && raw;
    attachment->control = NULL;
    if (good)
        attachment->control = shmx_control_at(attachment->data, attachment->length);
    else
        memset(&attachment->label, 0, sizeof attachment->label);
    return kind == SHMX_CONTROL_DAMAGED && !raw ? SHMX_EPROTO : SHMX_OK;
}

void shmx_win32_begin(struct shmx_attachment *attachment, unsigned flags)
{
    if (attachment->guest) /* the mapping stays, but keeps nothing alive */
        shmx_win32_let_go(&attachment->os.hold);
    struct shmx_win32_hold hold = attachment->os.hold;
    memset(&attachment->os, 0, sizeof attachment->os);
    attachment->os.hold = hold;
    shmx_win32_owner_begin(attachment);
    if ((flags & SHMX_PREFAULT) != 0)
        shmx_win32_prefault(attachment);
}

/* ---- create ---- */

/* Map the new section and make it a segment. */
static int segment_fill(struct shmx_attachment *attachment, size_t length,
                        const struct shmx_label *label)
{
    memset(&attachment->label, 0, sizeof attachment->label);
    attachment->control = NULL;
    attachment->guest = false;
    int status = shmx_win32_map(attachment, 0);
    if (status != SHMX_OK || label == NULL)
        return status;
    if (attachment->length != length)
        return shmx_win32_error(ERROR_BAD_LENGTH);
    attachment->control = shmx_control_write(attachment->data, attachment->length, label);
    attachment->label = *label;
    return SHMX_OK;
}

/* SHMX_ENOENT: nothing has the name of a chain that is locked: no section, in the session or for
 * the whole machine, and no file. */
static int vacancy(struct shmx_win32_chain *chain)
{
    struct shmx_win32_chain other = {.name = chain->name, .wide = !chain->wide, .look = true};
    struct shmx_win32_found found;
    int status = shmx_win32_find(&other, SHMX_WIN32_LOOK_RIGHTS, &found);
    if (status == SHMX_ENOENT)
        status = shmx_win32_chain_find(chain, SHMX_WIN32_LOOK_RIGHTS, &found);
    if (status == SHMX_OK)
        shmx_win32_let_go(&found.hold);
    else if (status == SHMX_ENOENT && !chain->wide)
        status = shmx_win32_persist_check(chain->name);
    bool there = status == SHMX_OK || status == SHMX_EACCES || status == SHMX_EPROTO;
    return there ? shmx_win32_error(ERROR_ALREADY_EXISTS) : status;
}

/* Make the section a segment, which nobody sees before all is done. */
static int create_section(struct shmx_attachment *attachment, struct shmx_win32_chain *chain,
                          const struct shmx_win32_making *making, size_t length,
                          const struct shmx_label *label)
{
    int status = shmx_win32_chain_add(chain, making, &attachment->os.hold);
    if (status == SHMX_OK)
        status = segment_fill(attachment, length, label);
    /* Of several sessions of the user, which do not share the lock, one can publish. */
    if (status == SHMX_OK && making->file != NULL)
        status = shmx_win32_persist_publish(making->file, chain->name);
    if (status == SHMX_OK && making->sealed)
        status = shmx_win32_section_unseal(attachment->os.hold.section, making->flags);
    return status;
}

static int create_persistent(struct shmx_attachment *attachment, struct shmx_win32_chain *chain,
                             struct shmx_win32_making *making, size_t length,
                             const struct shmx_label *label)
{
    int status = shmx_win32_persist_make(length, &making->file);
    if (status != SHMX_OK)
        return status;
    status = create_section(attachment, chain, making, length, label);
    if (status == SHMX_OK) {
        CloseHandle(making->file);
    } else {
        shmx_win32_give_up(attachment); /* before, as what is mapped is not deleted */
        shmx_win32_persist_discard(making->file, label->id);
    }
    return status;
}

static int create_in(struct shmx_attachment *attachment, const char *name, size_t length,
                     unsigned flags, const struct shmx_label *label)
{
    struct shmx_win32_chain chain = {.name = name, .wide = (flags & SHMX_MACHINE_WIDE) != 0};
    /* A raw one is complete as it is. */
    struct shmx_win32_making making = {.length = length, .flags = flags, .sealed = label != NULL};
    int status = shmx_win32_chain_lock(&chain);
    if (status != SHMX_OK)
        return status;
    status = vacancy(&chain);
    if (status == SHMX_ENOENT && (flags & SHMX_PERSISTENT) != 0)
        status = create_persistent(attachment, &chain, &making, length, label);
    else if (status == SHMX_ENOENT)
        status = create_section(attachment, &chain, &making, length, label);
    shmx_win32_chain_unlock(&chain);
    return status;
}

/* A session sees one space of names: its own and those of the whole machine. So a process that
 * creates for all sessions holds the lock of its own session too, and one that creates in a session
 * looks under that lock for a segment for all. */
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
    int status = shmx_win32_section_make(NULL, &making, &attachment->os.hold.section);
    return status == SHMX_OK ? segment_fill(attachment, length, label) : status;
}

int shmx_os_create(struct shmx_attachment *attachment, const char *name, size_t length,
                   unsigned flags, const struct shmx_label *label)
{
    /* The files of persist.c are the user's own: no other user finds them. */
    const unsigned shared = SHMX_OTHERS_READ | SHMX_OTHERS_WRITE | SHMX_MACHINE_WIDE;
    if ((flags & SHMX_PERSISTENT) != 0 && (flags & shared) != 0)
        return shmx_win32_error(ERROR_NOT_SUPPORTED);
    attachment->data = NULL;
    attachment->os.hold = (struct shmx_win32_hold){NULL, NULL};
    int status = name != NULL ? create_named(attachment, name, length, flags, label)
                              : create_nameless(attachment, length, flags, label);
    if (status == SHMX_OK)
        shmx_win32_begin(attachment, flags);
    else
        shmx_win32_give_up(attachment);
    return status;
}

/* ---- open ---- */

/* Find what has the name, in the session first, with the rights to use it as flags say. */
static int find(const char *name, unsigned flags, bool hurry, struct shmx_win32_found *found)
{
    struct shmx_win32_chain chain = {.name = name, .hurry = hurry};
    bool read_only = (flags & SHMX_READ_ONLY) != 0;
    DWORD rights = read_only ? SHMX_WIN32_LOOK_RIGHTS : SHMX_WIN32_USE_RIGHTS;
    int status = shmx_win32_find_anywhere(&chain, rights, found);
    if (status == SHMX_OK && found->denied) {
        shmx_win32_let_go(&found->hold);
        return shmx_win32_error(ERROR_ACCESS_DENIED);
    }
    return status;
}

static bool unlinked(const struct shmx_attachment *attachment)
{
    return attachment->control != NULL &&
           atomic_load(&attachment->control->state) == SHMX_STATE_UNLINKED;
}

static int open_found(struct shmx_attachment *attachment, const char *name, unsigned flags,
                      bool hurry)
{
    struct shmx_win32_found found;
    int status;
    do {
        status = find(name, flags, hurry, &found);
        if (status != SHMX_OK)
            return status;
        attachment->os.hold = found.hold;
        status = shmx_win32_enter(attachment, name, flags);
        if (status == SHMX_OK && unlinked(attachment)) /* since it was found: look again */
            status = SHMX_ENOENT;
        if (status != SHMX_OK)
            shmx_win32_give_up(attachment);
    } while (status == SHMX_ENOENT);
    if (status == SHMX_OK)
        shmx_win32_begin(attachment, flags);
    return status;
}

int shmx_os_open(struct shmx_attachment *attachment, const char *name, unsigned flags, bool hurry)
{
    if ((flags & SHMX_RAW) == 0)
        return open_found(attachment, name, flags, hurry);
    /* A guest has a handle until it has mapped. Under the locks it is in no maker's way meanwhile;
     * if they cannot be had, without. */
    struct shmx_win32_chain session = {.name = name, .hurry = true}, machine = session;
    machine.wide = true;
    bool here = shmx_win32_chain_lock(&session) == SHMX_OK;
    bool everywhere = here && shmx_win32_chain_lock(&machine) == SHMX_OK;
    int status = open_found(attachment, name, flags, hurry);
    if (everywhere)
        shmx_win32_chain_unlock(&machine);
    if (here)
        shmx_win32_chain_unlock(&session);
    return status;
}

/* ---- close ---- */

void shmx_os_close(struct shmx_attachment *attachment)
{
    int before = shmx_os_last_error();
    bool file_left = (attachment->label.flags & SHMX_PERSISTENT) != 0 && unlinked(attachment);
    shmx_win32_marks_end(attachment);
    shmx_win32_wait_end(attachment);
    shmx_win32_owner_end(attachment);
    shmx_win32_give_up(attachment);
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
        return shmx_win32_section_unlink(found->hold.section);
    }
}

int shmx_os_unlink(const char *name)
{
    struct shmx_win32_found found;
    int status = find(name, 0, false, &found);
    if (status != SHMX_OK)
        return status;
    status = unlink_found(&found);
    shmx_win32_let_go(&found.hold);
    if (status == SHMX_OK && (found.view.label.flags & SHMX_PERSISTENT) != 0) {
        shmx_win32_persist_check(name);
        shmx_win32_persist_remove(found.view.label.id);
    }
    return status;
}
