/* SPDX-License-Identifier: MIT */
/*
 * Who has which name.
 *
 * A section cannot lose its name while anybody has it open, but shmx_unlink must free a name at
 * once. And the system does not tell NAME from name, but we do. So several sections share a name,
 * in the sense of the system: the first is called NAME, so that programs without shmx find it, and
 * is generation 0; the others are called NAME#1, NAME#2 ... The label in the control block tells
 * which name a section has exactly, the state word whether it still has it.
 *
 *   1. Who makes a section holds the mutex NAME#lock. It exists only while it is in use, and is
 *      free again when its holder dies. To take a name away needs no lock: the state word goes from
 *      live to unlinked once.
 *   2. A section is made under the lowest generation that is free, after its maker has seen under
 *      the lock that none of the others has the exact name and is live. So at most one section of
 *      ours is live under a name. (A program without shmx can make a plain NAME at any time; a live
 *      segment of ours goes before it.)
 *   3. The section NAME# is the index. It holds a number that no generation in use exceeds, and is
 *      opened before the section by every user of a generation above 0 and closed after it. So if
 *      there is a generation above 0, there is an index, or the last user is about to be gone; and
 *      without an index it is enough to look at NAME. The number only grows; when nobody uses a
 *      generation above 0 the system removes the index, and with it the number.
 *   4. A section is sealed until its control block is complete: by its access control list nobody
 *      may map it. So nobody ever sees a half-made one, and one without a control block is another
 *      program's, or a raw one. Who finds a sealed section under the lock has found one whose maker
 *      was killed: the system gives the lock of a killed process away before it closes its
 *      handles. It is gone in a moment, and he waits for that.
 *   5. To attach to a live segment needs no lock: whose handle was open when the state word said
 *      LIVE and the label had the name has attached at that instant.
 */
#include "chain.h"

/* The lock is held for microseconds, unless its holder is stopped. */
#define PATIENCE_MS 5000
#define PATIENCE_NOWAIT_MS 20

/* The system needs far less to close a killed process's handles. */
#define SETTLE_MS 1000

#define INDEX_SIZE 4096
#define INDEX_RIGHTS (SECTION_QUERY | SECTION_MAP_READ)

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
    if (*highest > SHMX_WIN32_GENERATIONS)
        *highest = SHMX_WIN32_GENERATIONS;
    UnmapViewOfFile((void *)number);
    return SHMX_OK;
}

static int index_open(const struct shmx_win32_chain *chain, HANDLE *index)
{
    char name[SHMX_WIN32_NAME_MAX];
    shmx_win32_side_name(name, chain->name, chain->wide, "");
    *index = OpenFileMappingA(INDEX_RIGHTS, FALSE, name);
    if (*index != NULL || GetLastError() == ERROR_FILE_NOT_FOUND)
        return SHMX_OK;
    return shmx_win32_error(GetLastError());
}

static int index_read(struct shmx_win32_chain *chain)
{
    int status = index_open(chain, &chain->index);
    if (status != SHMX_OK || chain->index == NULL)
        return status;
    return index_use(chain->index, 0, &chain->highest);
}

bool shmx_win32_chain_indexed(const char *name, bool wide)
{
    struct shmx_win32_chain chain = {name, wide, NULL, NULL, 0};
    HANDLE index;
    if (index_open(&chain, &index) != SHMX_OK)
        return true;
    if (index == NULL)
        return false;
    CloseHandle(index);
    return true;
}

/* Open or make the index, with a number of at least `generation`. Everybody may read it: there is
 * no more in it than the number. */
static int index_raise(struct shmx_win32_chain *chain, uint32_t generation, void **index)
{
    char name[SHMX_WIN32_NAME_MAX];
    struct shmx_win32_security security;
    int status = shmx_win32_security(&security, INDEX_RIGHTS);
    if (status != SHMX_OK)
        return status;
    shmx_win32_side_name(name, chain->name, chain->wide, "");
    *index = CreateFileMappingA(INVALID_HANDLE_VALUE, &security.attributes, PAGE_READWRITE, 0,
                                INDEX_SIZE, name);
    if (*index == NULL)
        return shmx_win32_error(GetLastError());
    status = index_use(*index, generation, &chain->highest);
    if (status != SHMX_OK)
        CloseHandle(*index);
    return status;
}

void shmx_win32_chain_hold(struct shmx_win32_chain *chain, uint32_t generation, void **index)
{
    *index = NULL;
    if (generation == 0)
        return;
    *index = chain->index;
    chain->index = NULL;
}

/* ---- the lock ---- */

static int lock_take(HANDLE lock, DWORD patience)
{
    switch (WaitForSingleObject(lock, patience)) {
    case WAIT_OBJECT_0:
    case WAIT_ABANDONED: /* its holder died: rule 4 */
        return SHMX_OK;
    case WAIT_TIMEOUT:
        return SHMX_EAGAIN;
    default:
        return shmx_win32_error(GetLastError());
    }
}

int shmx_win32_chain_lock(struct shmx_win32_chain *chain, const char *name, bool wide,
                          unsigned flags)
{
    char lock_name[SHMX_WIN32_NAME_MAX];
    struct shmx_win32_security security;
    const DWORD rights = SYNCHRONIZE | MUTEX_MODIFY_STATE;
    int status = shmx_win32_security(&security, rights);
    if (status != SHMX_OK)
        return status;
    shmx_win32_side_name(lock_name, name, wide, "lock");
    SetLastError(ERROR_SUCCESS);
    /* Who makes it has it. */
    HANDLE lock =
        CreateMutexExA(&security.attributes, lock_name, CREATE_MUTEX_INITIAL_OWNER, rights);
    DWORD error = GetLastError();
    if (lock == NULL)
        return shmx_win32_error(error);
    if (error == ERROR_ALREADY_EXISTS)
        status = lock_take(lock, (flags & SHMX_OS_NOWAIT) != 0 ? PATIENCE_NOWAIT_MS : PATIENCE_MS);
    if (status != SHMX_OK) {
        CloseHandle(lock);
        return status;
    }
    *chain = (struct shmx_win32_chain){name, wide, lock, NULL, 0};
    status = index_read(chain);
    if (status != SHMX_OK)
        shmx_win32_chain_unlock(chain);
    return status;
}

void shmx_win32_chain_unlock(struct shmx_win32_chain *chain)
{
    if (chain->index != NULL)
        CloseHandle(chain->index);
    ReleaseMutex(chain->lock);
    CloseHandle(chain->lock);
    chain->lock = NULL;
}

/* ---- sections ---- */

int shmx_win32_chain_open(const struct shmx_win32_chain *chain, uint32_t generation, DWORD rights,
                          HANDLE *section)
{
    char name[SHMX_WIN32_NAME_MAX];
    shmx_win32_section_name(name, chain->name, chain->wide, generation);
    *section = OpenFileMappingA(rights, FALSE, name);
    if (*section != NULL)
        return SHMX_OK;
    DWORD error = GetLastError();
    int status = shmx_win32_error(error);
    return error == ERROR_INVALID_HANDLE ? SHMX_EPROTO : status; /* a mutex or the like */
}

int shmx_win32_size_error(DWORD error)
{
    int status = shmx_win32_error(error);
    switch (error) {
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_INVALID_PARAMETER:
    case ERROR_FILE_INVALID:
    case ERROR_DISK_FULL:
    case ERROR_COMMITMENT_LIMIT:
    case ERROR_NO_SYSTEM_RESOURCES:
        return SHMX_ENOSPC;
    default:
        return status;
    }
}

/* SHMX_EEXIST: something has that name already. `name` NULL: none. */
static int make(const char *name, HANDLE file, uint64_t length, unsigned flags, void **section)
{
    struct shmx_win32_security security;
    bool sealed = (flags & SHMX_WIN32_SEALED) != 0;
    int status = sealed ? shmx_win32_security_sealed(&security)
                        : shmx_win32_security(&security, shmx_win32_section_rights(flags));
    if (status != SHMX_OK)
        return status;
    if (file == NULL)
        file = INVALID_HANDLE_VALUE;
    else
        length = 0;
    SetLastError(ERROR_SUCCESS);
    *section = CreateFileMappingA(file, &security.attributes, PAGE_READWRITE, (DWORD)(length >> 32),
                                  (DWORD)length, name);
    DWORD error = GetLastError();
    if (*section == NULL)
        return error == ERROR_INVALID_HANDLE && name != NULL ? SHMX_EEXIST
                                                             : shmx_win32_size_error(error);
    if (error != ERROR_ALREADY_EXISTS)
        return SHMX_OK;
    CloseHandle(*section);
    return shmx_win32_error(ERROR_ALREADY_EXISTS);
}

int shmx_win32_unseal(HANDLE section, unsigned flags)
{
    struct shmx_win32_security security;
    int status = shmx_win32_security(&security, shmx_win32_section_rights(flags));
    if (status == SHMX_OK &&
        !SetKernelObjectSecurity(section, DACL_SECURITY_INFORMATION, &security.descriptor))
        status = shmx_win32_error(GetLastError());
    return status;
}

int shmx_win32_section_make(uint64_t length, unsigned flags, void **section)
{
    return make(NULL, NULL, length, flags, section);
}

static int add_at(struct shmx_win32_chain *chain, uint32_t generation, HANDLE file, uint64_t length,
                  unsigned flags, struct shmx_os_private *os)
{
    char name[SHMX_WIN32_NAME_MAX];
    os->index = NULL;
    int status = SHMX_OK;
    if (generation > 0)
        status = index_raise(chain, generation, &os->index);
    if (status != SHMX_OK)
        return status;
    shmx_win32_section_name(name, chain->name, chain->wide, generation);
    status = make(name, file, length, flags, &os->section);
    if (status != SHMX_OK && os->index != NULL)
        CloseHandle(os->index);
    return status;
}

static int probe(const struct shmx_win32_chain *chain, uint32_t generation, DWORD rights)
{
    HANDLE section;
    int status = shmx_win32_chain_open(chain, generation, rights, &section);
    if (status == SHMX_OK)
        CloseHandle(section);
    return status;
}

/* True if something is there: another user's, or one that we may look at only. */
static bool taken(const struct shmx_win32_chain *chain, uint32_t generation)
{
    return probe(chain, generation, SECTION_MAP_READ) != SHMX_ENOENT;
}

static bool is_sealed(const struct shmx_win32_chain *chain, uint32_t generation)
{
    return probe(chain, generation, SHMX_WIN32_SEALED_RIGHTS) == SHMX_OK &&
           probe(chain, generation, SECTION_QUERY | SECTION_MAP_READ) == SHMX_EACCES;
}

/* Wait for what the system is clearing away. `there` tells whether it still is. */
static int settle(const struct shmx_win32_chain *chain, uint32_t generation, unsigned flags,
                  bool (*there)(const struct shmx_win32_chain *chain, uint32_t generation))
{
    int patience = (flags & SHMX_OS_NOWAIT) != 0 ? 0 : SETTLE_MS;
    for (; there(chain, generation); patience--) {
        if (patience <= 0)
            return SHMX_EAGAIN;
        Sleep(1);
    }
    return SHMX_OK;
}

int shmx_win32_chain_settle(const struct shmx_win32_chain *chain, uint32_t generation,
                            unsigned flags)
{
    return settle(chain, generation, flags, is_sealed);
}

/* SHMX_EEXIST: something is there, whoever may open it. */
static int try_add(struct shmx_win32_chain *chain, uint32_t generation, HANDLE file,
                   uint64_t length, unsigned flags, struct shmx_os_private *os)
{
    int status = add_at(chain, generation, file, length, flags, os);
    return status == SHMX_EACCES && taken(chain, generation) ? SHMX_EEXIST : status;
}

int shmx_win32_chain_add(struct shmx_win32_chain *chain, uint32_t most, HANDLE file,
                         uint64_t length, unsigned flags, struct shmx_os_private *os)
{
    uint32_t known = chain->highest;
    bool patient = true;
    os->wide = chain->wide;
    for (uint32_t generation = 0; generation <= most; generation++) {
        int status = try_add(chain, generation, file, length, flags, os);
        if (status == SHMX_EEXIST && generation > known && patient) {
            /* Beyond the index: its user was killed, and the index was closed first. The new index
             * must not make it findable again. */
            patient = settle(chain, generation, flags, taken) == SHMX_OK;
            status = try_add(chain, generation, file, length, flags, os);
        }
        if (status != SHMX_EEXIST)
            return status;
    }
    return SHMX_EEXIST;
}
