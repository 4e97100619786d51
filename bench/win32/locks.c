/* SPDX-License-Identifier: MIT */
#include "../peers/lock_peer.h"

#include <stddef.h>
#include <windows.h>

/* The system has no lock that lies in shared memory: a named mutex is what a program would take. */
static HANDLE mutex;

static bool mutex_prepare(void *place)
{
    (void)place;
    if (mutex == NULL)
        mutex = CreateMutexA(NULL, FALSE, "Local\\shmx-bench-mutex");
    return mutex != NULL;
}

static void mutex_take(void *place)
{
    mutex_prepare(place);
    WaitForSingleObject(mutex, INFINITE);
}

static void mutex_give(void *place)
{
    (void)place;
    ReleaseMutex(mutex);
}

static const struct lock_peer named = {.name = "CreateMutex",
                                       .prepare = mutex_prepare,
                                       .lock = mutex_take,
                                       .unlock = mutex_give,
                                       .robust = true,
                                       .slow = true};

const struct lock_peer *const system_locks[] = {&named, NULL};

/* Each telling and each answer is an event; they are told apart by where they would lie. */
static HANDLE event(void *place)
{
    static HANDLE made[2];
    HANDLE *mine = &made[(size_t)place / PEER_SPACE % 2];
    if (*mine == NULL)
        *mine = CreateEventA(NULL, FALSE, FALSE,
                             (size_t)place / PEER_SPACE % 2 ? "Local\\shmx-bench-odd"
                                                            : "Local\\shmx-bench-even");
    return *mine;
}

static bool event_prepare(void *place)
{
    return event(place) != NULL;
}

static void event_tell(void *place)
{
    SetEvent(event(place));
}

static void event_await(void *place)
{
    WaitForSingleObject(event(place), INFINITE);
}

static const struct tell_peer events = {"SetEvent", event_prepare, event_tell, event_await};

const struct tell_peer *const system_tells[] = {&events, NULL};
