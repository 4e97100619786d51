/* SPDX-License-Identifier: MIT */
#include "../children.h"

#include <process.h>
#include <stddef.h>
#include <windows.h>

/* WaitOnAddress does not reach another process. */
void (*const bare_wait)(uint32_t *word, uint32_t expected) = NULL;
void (*const bare_wake)(uint32_t *word, int count) = NULL;

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

intptr_t process_start(char **arguments)
{
    intptr_t process = _spawnv(_P_NOWAIT, arguments[0], (const char *const *)arguments);
    if (process != -1)
        AssignProcessToJobObject(job(), (HANDLE)process);
    return process;
}

void process_begin(void)
{
}

void process_place(int n)
{
    DWORD_PTR all, system;
    if (GetProcessAffinityMask(GetCurrentProcess(), &all, &system) && (all & (all - 1)) != 0) {
        DWORD_PTR first = all & (0 - all), rest = all & (all - 1);
        DWORD_PTR one = n == 0 ? first : rest & (0 - rest);
        SetThreadAffinityMask(GetCurrentThread(), n < 0 ? all : one);
    }
}

void process_kill(intptr_t process)
{
    TerminateProcess((HANDLE)process, 9);
}

int process_end(intptr_t process)
{
    int status;
    return _cwait(&status, process, 0) == process ? status : -1;
}

void process_pause(int64_t nanoseconds)
{
    Sleep((DWORD)((nanoseconds + 999999) / 1000000));
}

int64_t process_time(void)
{
    FILETIME created, ended, kernel, user;
    GetProcessTimes(GetCurrentProcess(), &created, &ended, &kernel, &user);
    int64_t of_kernel = (int64_t)kernel.dwHighDateTime << 32 | kernel.dwLowDateTime;
    int64_t of_user = (int64_t)user.dwHighDateTime << 32 | user.dwLowDateTime;
    return (of_kernel + of_user) * 100;
}

void process_many_files(void)
{
}
