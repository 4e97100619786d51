/* SPDX-License-Identifier: MIT */
/*
 * The owner of each name.
 *
 * A section cannot lose its name while anybody has it open, but shmx_unlink must free a name at
 * once, and an event or whatever else of another program's can have any name. So several sections
 * share a name: the first is called NAME, so that programs without shmx find it, and is generation
 * 0; the others are called NAME#1, NAME#2 ... The state word says whether a section still has the
 * name.
 *
 *   1. A maker of a section holds the mutex NAME#lock. It exists only while it is in use, and is
 *      free again when its holder dies. To take a name away needs no lock: the state word goes from
 *      live to unlinked once.
 *   2. A section is made under the lowest generation that is free, after its maker has seen under
 *      the lock that none of the others is live. So at most one section of ours is live under a
 *      name. (A program without shmx can make a plain NAME at any time; a live segment of ours goes
 *      before it.)
 *   3. The section NAME# is the index. It holds a number that no generation in use exceeds, and is
 *      opened before the section by every user of a generation above 0 and closed after it. So if
 *      there is a generation above 0, there is an index, or the last user is about to be gone; and
 *      without an index it is enough to look at NAME. The number only grows; when nobody uses a
 *      generation above 0 the system removes the index, and with it the number.
 *   4. A section is sealed until its control block is complete: by its access control list nobody
 *      may map it. So nobody ever sees a half-made one, and one without a control block is another
 *      program's, or a raw one. If a process finds a sealed section under the lock, the maker of
 *      that section was killed: the system gives the lock of a killed process away before it closes
 *      its handles. The section is gone in a moment, and the process waits for that.
 *   5. To attach to a live segment needs no lock: a process has attached at the instant at which
 *      its handle is open, the state word says LIVE and the label has the name.
 */
#include "chain.h"

#include <string.h>

#include "nt.h"
#include "persist.h"

/* The lock is held for microseconds, unless its holder is stopped. */
#define PATIENCE_MS 5000
#define HURRY_MS 20

/* The system needs far less to close a killed process's handles. */
#define SETTLE ((int64_t)1000 * 1000 * 1000)
#define SETTLE_STEP ((int64_t)1000 * 1000)

#define INDEX_SIZE 4096

/* No generation is above this, whatever a damaged or hostile index says. */
#define GENERATIONS 16384u

/* ---- the index ---- */

/* Read the number, and let it be at least `least` (0: leave it). */
static int index_use(HANDLE index, uint32_t least, uint32_t *highest)
{
    DWORD access = least > 0 ? FILE_MAP_READ | FILE_MAP_WRITE : FILE_MAP_READ;
    _Atomic uint32_t *number = MapViewOfFile(index, access, 0, 0, sizeof *number);
    if (number == NULL)
        return shmx_win32_error(GetLastError());
    *highest = atomic_load(number);
    if (*highest < least)
        atomic_store(number, *highest = least);
    if (*highest > GENERATIONS)
        *highest = GENERATIONS;
    UnmapViewOfFile((void *)number);
    return SHMX_OK;
}

/* SHMX_ENOENT: there is none, so that there are no generations above 0. */
static int index_open(const struct shmx_win32_chain *chain, void **index)
{
    char name[SHMX_WIN32_NAME_MAX];
    shmx_win32_side_name(name, chain->name, chain->wide, "");
    return shmx_win32_section_open(name, SHMX_WIN32_LOOK_RIGHTS, index);
}

static int index_read(struct shmx_win32_chain *chain)
{
    chain->highest = 0;
    int status = index_open(chain, &chain->index);
    if (status == SHMX_OK)
        status = index_use(chain->index, 0, &chain->highest);
    return status == SHMX_ENOENT ? SHMX_OK : status;
}

static bool indexed(const struct shmx_win32_chain *chain)
{
    void *index;
    int status = index_open(chain, &index);
    if (status == SHMX_OK)
        CloseHandle(index);
    return status != SHMX_ENOENT;
}

/* Open or make the index, with a number of at least `generation`. Everybody may read it: there is
 * no more in it than the number. */
static int index_raise(struct shmx_win32_chain *chain, uint32_t generation, void **index)
{
    char name[SHMX_WIN32_NAME_MAX];
    const struct shmx_win32_making making = {
        .length = INDEX_SIZE, .flags = SHMX_OTHERS_READ, .join = true};
    shmx_win32_side_name(name, chain->name, chain->wide, "");
    int status = shmx_win32_section_make(name, &making, index);
    if (status == SHMX_OK)
        status = index_use(*index, generation, &chain->highest);
    return status == SHMX_EEXIST ? SHMX_EPROTO : status;
}

/* ---- the lock ---- */

int shmx_win32_chain_lock(struct shmx_win32_chain *chain)
{
    char name[SHMX_WIN32_NAME_MAX];
    shmx_win32_side_name(name, chain->name, chain->wide, "lock");
    /* If its holder died: rule 4. */
    int status = shmx_win32_lock(name, true, chain->hurry ? HURRY_MS : PATIENCE_MS, &chain->lock);
    if (status != SHMX_OK)
        return status;
    status = index_read(chain);
    if (status != SHMX_OK)
        shmx_win32_chain_unlock(chain);
    return status;
}

void shmx_win32_chain_unlock(struct shmx_win32_chain *chain)
{
    if (chain->index != NULL)
        CloseHandle(chain->index);
    shmx_win32_unlock(chain->lock);
    chain->lock = chain->index = NULL;
}

/* ---- one generation ---- */

static int generation_open(const struct shmx_win32_chain *chain, uint32_t generation, DWORD rights,
                           void **section)
{
    char name[SHMX_WIN32_NAME_MAX];
    shmx_win32_section_name(name, chain->name, chain->wide, generation);
    return shmx_win32_section_open(name, rights, section);
}

static int probe(const struct shmx_win32_chain *chain, uint32_t generation, DWORD rights)
{
    void *section;
    int status = generation_open(chain, generation, rights, &section);
    if (status == SHMX_OK)
        CloseHandle(section);
    return status;
}

/* True if there is a section: another user's, or one that we may look at only. */
static bool taken(const struct shmx_win32_chain *chain, uint32_t generation)
{
    return probe(chain, generation, SECTION_MAP_READ) != SHMX_ENOENT;
}

static bool is_sealed(const struct shmx_win32_chain *chain, uint32_t generation)
{
    return probe(chain, generation, SHMX_WIN32_SEALED_RIGHTS) == SHMX_OK &&
           probe(chain, generation, SHMX_WIN32_LOOK_RIGHTS) == SHMX_EACCES;
}

/* Wait for what the system is clearing away. `there` says whether it still is. */
static int chain_settle(const struct shmx_win32_chain *chain, uint32_t generation, int64_t patience,
                        bool (*there)(const struct shmx_win32_chain *chain, uint32_t generation))
{
    int64_t deadline = shmx_os_now() + patience;
    for (; there(chain, generation); shmx_os_sleep(SETTLE_STEP))
        if (shmx_os_now() >= deadline)
            return SHMX_EAGAIN;
    return SHMX_OK;
}

/* ---- add ---- */

static int add_at(struct shmx_win32_chain *chain, uint32_t generation,
                  const struct shmx_win32_making *making, struct shmx_win32_hold *hold)
{
    char name[SHMX_WIN32_NAME_MAX];
    *hold = (struct shmx_win32_hold){NULL, NULL};
    int status = generation > 0 ? index_raise(chain, generation, &hold->index) : SHMX_OK;
    if (status == SHMX_OK) {
        shmx_win32_section_name(name, chain->name, chain->wide, generation);
        status = shmx_win32_section_make(name, making, &hold->section);
        if (status == SHMX_EACCES && taken(chain, generation)) /* which we may not open */
            status = SHMX_EEXIST;
    }
    if (status != SHMX_OK)
        shmx_win32_let_go(hold);
    return status;
}

int shmx_win32_chain_add(struct shmx_win32_chain *chain, const struct shmx_win32_making *making,
                         struct shmx_win32_hold *hold)
{
    uint32_t known = chain->highest;
    bool patient = true;
    for (uint32_t generation = 0; generation <= GENERATIONS; generation++) {
        int status = add_at(chain, generation, making, hold);
        if (status == SHMX_EEXIST && generation > known && patient) {
            /* Beyond the index: its user was killed, and the index was closed first. The new index
             * must not make it findable again. */
            patient = chain_settle(chain, generation, SETTLE, taken) == SHMX_OK;
            status = add_at(chain, generation, making, hold);
        }
        if (status != SHMX_EEXIST)
            return status;
    }
    return SHMX_EEXIST;
}

/* ---- find ---- */

/* Open it, if need be for a look only. The maker of a sealed one, which is found under the lock,
 * is dead: rule 4. */
static int open_some(const struct shmx_win32_chain *chain, uint32_t generation, DWORD rights,
                     struct shmx_win32_found *found)
{
    int status = generation_open(chain, generation, rights, &found->hold.section);
    found->denied = status == SHMX_EACCES;
    if (status == SHMX_EACCES && chain->lock != NULL)
        status = chain_settle(chain, generation, chain->hurry ? 0 : SETTLE, is_sealed);
    if (found->denied && status == SHMX_OK)
        status = generation_open(chain, generation, SHMX_WIN32_LOOK_RIGHTS, &found->hold.section);
    return status;
}

/* SHMX_ENOENT: nothing is there that has the name. */
static int look_at(const struct shmx_win32_chain *chain, uint32_t generation, DWORD rights,
                   struct shmx_win32_found *found)
{
    memset(found, 0, sizeof *found);
    int status = open_some(chain, generation, rights, found);
    if (status == SHMX_OK)
        status = shmx_win32_section_look(found->hold.section, chain->name, &found->view);
    if (status != SHMX_OK)
        shmx_win32_let_go(&found->hold);
    return status;
}

int shmx_win32_chain_find(struct shmx_win32_chain *chain, DWORD rights,
                          struct shmx_win32_found *found)
{
    struct shmx_win32_found one;
    int best = SHMX_ENOENT;
    uint32_t at = 0;
    memset(found, 0, sizeof *found);
    for (uint32_t generation = 0; generation <= chain->highest; generation++) {
        int status = look_at(chain, generation, rights, &one);
        if (status == SHMX_OK && (best != SHMX_OK || one.view.kind < found->view.kind)) {
            shmx_win32_let_go(&found->hold);
            *found = one;
            best = SHMX_OK;
            at = generation;
        } else {
            shmx_win32_let_go(&one.hold);
            best = best == SHMX_ENOENT ? status : best;
        }
        if (best == SHMX_OK && found->view.kind == SHMX_OS_LIVE)
            break;
    }
    if (best == SHMX_OK && at > 0) {
        found->hold.index = chain->index; /* its user's now */
        chain->index = NULL;
    }
    return best;
}

/* Make the segment that a file holds a section again. */
static int revive(struct shmx_win32_chain *chain, struct shmx_win32_found *found)
{
    struct shmx_win32_making making = {0};
    int status = shmx_win32_persist_open(chain->name, &making.file);
    if (status != SHMX_OK)
        return status;
    status = shmx_win32_chain_add(chain, &making, &found->hold);
    CloseHandle(making.file);
    if (status == SHMX_OK)
        status = shmx_win32_section_look(found->hold.section, chain->name, &found->view);
    if (status != SHMX_OK)
        shmx_win32_let_go(&found->hold);
    return status;
}

static int find_locked(struct shmx_win32_chain *chain, DWORD rights, struct shmx_win32_found *found)
{
    int status = shmx_win32_chain_lock(chain);
    if (status != SHMX_OK)
        return status;
    status = shmx_win32_chain_find(chain, rights, found);
    if (status == SHMX_ENOENT && !chain->wide)
        status =
            chain->look ? shmx_win32_persist_look(chain->name, &found->view) : revive(chain, found);
    shmx_win32_chain_unlock(chain);
    return status;
}

/* Without the lock what is usual can be seen: a live segment at generation 0, or nothing at all. */
int shmx_win32_find(struct shmx_win32_chain *chain, DWORD rights, struct shmx_win32_found *found)
{
    int status = look_at(chain, 0, rights, found);
    if (status == SHMX_OK && found->view.kind == SHMX_OS_LIVE)
        return SHMX_OK;
    if (status == SHMX_OK)
        shmx_win32_let_go(&found->hold);
    if (status == SHMX_ENOENT && !indexed(chain) &&
        (chain->wide || !shmx_win32_persist_maybe(chain->name)))
        return SHMX_ENOENT;
    return find_locked(chain, rights, found);
}

int shmx_win32_find_anywhere(struct shmx_win32_chain *chain, DWORD rights,
                             struct shmx_win32_found *found)
{
    int status = shmx_win32_find(chain, rights, found);
    if (status != SHMX_ENOENT)
        return status;
    chain->wide = true;
    return shmx_win32_find(chain, rights, found);
}

/* ---- look ---- */

/* Users are handles of the section, in all processes, but for this call's. */
static int users_of(HANDLE section)
{
    struct nt_object_basic basic;
    ULONG used;
    LONG result = NtQueryObject(section, NT_OBJECT_BASIC, &basic, sizeof basic, &used);
    return result >= 0 && basic.handles > 0 ? (int)basic.handles - 1 : -1;
}

static void describe(struct shmx_win32_found *found, struct shmx_os_view *view)
{
    *view = found->view;
    if (found->hold.section != NULL)
        view->users = users_of(found->hold.section);
    shmx_win32_let_go(&found->hold);
}

/* Under the lock, without which nobody makes a section: so the handle of a look is in no maker's
 * way after the last user has gone. */
static int look_locked(struct shmx_win32_chain *chain, struct shmx_os_view *view)
{
    struct shmx_win32_found found;
    int status = shmx_win32_chain_lock(chain);
    if (status != SHMX_OK)
        return status;
    status = shmx_win32_chain_find(chain, SHMX_WIN32_LOOK_RIGHTS, &found);
    if (status == SHMX_OK)
        describe(&found, view);
    else if (status == SHMX_ENOENT && !chain->wide)
        status = shmx_win32_persist_look(chain->name, view);
    shmx_win32_chain_unlock(chain);
    return status;
}

/* The lock's holder is stopped, or the lock is not ours to take: without it. */
static int look_anyway(struct shmx_win32_chain *chain, struct shmx_os_view *view)
{
    struct shmx_win32_found found;
    int status = shmx_win32_find(chain, SHMX_WIN32_LOOK_RIGHTS, &found);
    if (status == SHMX_OK)
        describe(&found, view);
    return status;
}

int shmx_win32_look(const char *name, struct shmx_os_view *view)
{
    struct shmx_win32_chain chain = {.name = name, .hurry = true, .look = true};
    int status = SHMX_ENOENT;
    for (int wide = 0; wide < 2 && status == SHMX_ENOENT; wide++) {
        chain.wide = wide != 0;
        status = look_locked(&chain, view);
        if (status == SHMX_EAGAIN || status == SHMX_EACCES)
            status = look_anyway(&chain, view);
    }
    return status;
}
