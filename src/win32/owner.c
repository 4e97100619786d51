/* SPDX-License-Identifier: MIT */
/* Owner tokens on Windows: an attachment keeps an event open whose name tells the token. The name
 * is there for as long as somebody has the event open, and the system closes it when the process
 * ends, however it ends. A process that asks opens it for an instant, which can make another one
 * that asks in that instant find a dead owner alive: it asks again later. */
#include "win32.h"

#include "base/control.h"

/* Tokens are counted in the control block, where anybody who may write to the segment can turn the
 * count back; after so many that were taken, chance finds one that is not. */
#define TRIES_COUNTED 64
#define TRIES_MOST 256

static SRWLOCK claim_lock = SRWLOCK_INIT; /* guards the making of tokens */

/* claim_lock is held. */
static int claim(struct shmx_attachment *attachment, uint32_t *token)
{
    HANDLE event = NULL;
    int status = SHMX_EEXIST;
    /* Others open it to see that it is there. One without the right is refused, which says the
     * same. */
    DWORD everyone = shmx_win32_event_rights(attachment->label.flags) & SYNCHRONIZE;
    for (int tries = 0; status == SHMX_EEXIST && tries < TRIES_MOST; tries++) {
        status = shmx_control_token(tries < TRIES_COUNTED ? attachment->control : NULL, token);
        if (status == SHMX_OK)
            status = shmx_win32_event_make(attachment, "o", *token, everyone, false, &event);
    }
    if (status != SHMX_OK)
        return status == SHMX_EEXIST ? shmx_win32_error(ERROR_ALREADY_EXISTS) : status;
    attachment->os.owner = event;
    /* Release: a thread that reads the token finds the event made. */
    atomic_store_explicit(&attachment->owner, *token, memory_order_release);
    return SHMX_OK;
}

int shmx_os_owner_claim(struct shmx_attachment *attachment, uint32_t *token)
{
    assert(attachment->control != NULL && !attachment->read_only);
    /* Acquire: see claim. It changes once. */
    *token = atomic_load_explicit(&attachment->owner, memory_order_acquire);
    if (*token != 0)
        return SHMX_OK;
    int status = SHMX_OK;
    AcquireSRWLockExclusive(&claim_lock);
    *token = atomic_load(&attachment->owner);
    if (*token == 0)
        status = claim(attachment, token);
    ReleaseSRWLockExclusive(&claim_lock);
    return status;
}

int shmx_os_owner_alive(struct shmx_attachment *attachment, uint32_t token, bool *alive)
{
    *alive = true;
    /* Relaxed: a number. */
    if (token == atomic_load_explicit(&attachment->owner, memory_order_relaxed))
        return SHMX_OK;
    char name[SHMX_WIN32_NAME_MAX];
    shmx_win32_event_name(name, attachment, "o", token);
    HANDLE event = OpenEventA(SYNCHRONIZE, FALSE, name);
    if (event != NULL) {
        CloseHandle(event);
        return SHMX_OK;
    }
    DWORD error = GetLastError();
    if (error == ERROR_ACCESS_DENIED)
        return SHMX_OK;
    /* Of another kind, and so none of ours: it can only have been made after ours was gone. */
    *alive = error != ERROR_FILE_NOT_FOUND && error != ERROR_INVALID_HANDLE;
    return *alive ? shmx_win32_error(error) : SHMX_OK;
}

/* ---- attachments of this process ---- */

static SRWLOCK list_lock = SRWLOCK_INIT;
static struct shmx_attachment *attachments;

void shmx_win32_owner_begin(struct shmx_attachment *attachment)
{
    atomic_init(&attachment->owner, 0);
    AcquireSRWLockExclusive(&list_lock);
    attachment->os.next = attachments;
    attachment->os.link = &attachments;
    if (attachments != NULL)
        attachments->os.link = &attachment->os.next;
    attachments = attachment;
    ReleaseSRWLockExclusive(&list_lock);
}

void shmx_win32_owner_end(struct shmx_attachment *attachment)
{
    AcquireSRWLockExclusive(&list_lock);
    *attachment->os.link = attachment->os.next;
    if (attachment->os.next != NULL)
        attachment->os.next->os.link = attachment->os.link;
    ReleaseSRWLockExclusive(&list_lock);
    if (attachment->os.owner != NULL)
        CloseHandle(attachment->os.owner);
}

bool shmx_os_find(bool (*visit)(struct shmx_attachment *attachment, void *context), void *context)
{
    bool found = false;
    AcquireSRWLockShared(&list_lock);
    for (struct shmx_attachment *one = attachments; one != NULL && !found; one = one->os.next)
        found = visit(one, context);
    ReleaseSRWLockShared(&list_lock);
    return found;
}

/* ---- threads that end ---- */

static _Thread_local void *watched;

/* The loader calls this in each thread that ends, by return or ExitThread, while thread-local data
 * is still there, and no more once this module is unloaded (winnt.h, PIMAGE_TLS_CALLBACK). A fiber
 * that ends is no thread that ends, which is what FlsAlloc would see. */
static void NTAPI thread_event(void *module, DWORD reason, void *reserved)
{
    (void)module;
    if (reason == DLL_PROCESS_DETACH && reserved == NULL) /* FreeLibrary */
        shmx_thread_unwatched();
    if (reason == DLL_THREAD_DETACH && watched != NULL)
        shmx_thread_ended(watched);
}

/* Where the loader looks; the C library's own clean-up, in XLD, comes after. */
#ifdef _MSC_VER
#pragma section(".CRT$XLB", long, read)
__declspec(allocate(".CRT$XLB"))
#else
__attribute__((section(".CRT$XLB"), used))
#endif
    const PIMAGE_TLS_CALLBACK shmx_win32_thread_event = thread_event;

int shmx_os_thread_watch(void *state)
{
    watched = state;
    return SHMX_OK;
}
