/* SPDX-License-Identifier: MIT */
#include "../peers.h"

#include <process.h>
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

const struct lock_peer lock_peers[] = {{"CreateMutex", mutex_prepare, mutex_take, mutex_give},
                                       {NULL, NULL, NULL, NULL}};

void (*const peer_wait)(uint32_t *word, uint32_t expected) = NULL;
void (*const peer_wake)(uint32_t *word) = NULL;

/* A job ends its processes with the last handle of it, which is this process's. */
static HANDLE job(void)
{
    static HANDLE made;
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    if (made == NULL) {
        made = CreateJobObjectA(NULL, NULL);
        SetInformationJobObject(made, JobObjectExtendedLimitInformation, &limits, sizeof limits);
    }
    return made;
}

intptr_t peer_start(char **arguments)
{
    intptr_t process = _spawnv(_P_NOWAIT, arguments[0], (const char *const *)arguments);
    if (process != -1)
        AssignProcessToJobObject(job(), (HANDLE)process);
    return process;
}

void peer_begin(void)
{
}

int peer_end(intptr_t process)
{
    int status;
    return _cwait(&status, process, 0) == process ? status : -1;
}

void peer_pause(int64_t nanoseconds)
{
    Sleep((DWORD)((nanoseconds + 999999) / 1000000));
}
