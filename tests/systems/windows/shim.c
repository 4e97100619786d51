/* SPDX-License-Identifier: MIT */
/*
 * Windows 10: what it does and Wine does not. Each rule stands with the page of Microsoft's
 * documentation, or the file and function of ReactOS, that it is from; NAMES in brackets are
 * rules_test.c's.
 */
#include <windows.h>

#include <stdlib.h>
#include <wchar.h>

/* True once in so many calls with that counter: what a system does sometimes. */
static BOOL sometimes(volatile LONG *calls, LONG in)
{
    return InterlockedIncrement(calls) % in == 0;
}

static BOOL is_set(const char *name)
{
    return GetEnvironmentVariableA(name, NULL, 0) != 0;
}

/* ---- time ---- */

/* In units of 100 ns, the same for all processes. */
static uint64_t time_now(void)
{
    LARGE_INTEGER count, frequency;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    uint64_t whole = (uint64_t)(count.QuadPart / frequency.QuadPart);
    uint64_t rest = (uint64_t)(count.QuadPart % frequency.QuadPart);
    return whole * 10000000 + rest * 10000000 / (uint64_t)frequency.QuadPart;
}

/* Sleep; Wait Functions and Time-out Intervals: the clock ticks at a constant rate, and a wait that
 * is shorter than a tick may end in less than its time, one between one and two ticks after either.
 * The time begins with the last tick, and ends with a tick (ntoskrnl/ke/wait.c: KiInsertTreeTimer
 * counts from KeQueryInterruptTime). Since version 2004 no other process makes the ticks shorter
 * (timeBeginPeriod) [ticks]. */
static DWORD to_tick(DWORD milliseconds)
{
    if (milliseconds == 0 || milliseconds == INFINITE)
        return milliseconds;
    uint64_t now = time_now();
    uint64_t due = now / SIM_TICK * SIM_TICK + (uint64_t)milliseconds * 10000;
    uint64_t end = (due + SIM_TICK - 1) / SIM_TICK * SIM_TICK;
    return end > now ? (DWORD)((end - now + 9999) / 10000) : 1;
}

void sim_sleep(DWORD milliseconds)
{
    (Sleep)(to_tick(milliseconds));
}

DWORD sim_wait(HANDLE object, DWORD milliseconds)
{
    return (WaitForSingleObject)(object, to_tick(milliseconds));
}

/* GetTickCount64: its resolution is that of the system timer [tick_count]. */
ULONGLONG sim_tick_count(void)
{
    return time_now() / SIM_TICK * SIM_TICK / 10000;
}

/* A handle's lowest two bits are the program's own (OBJ_HANDLE_TAGBITS in ntdef.h). */
#define HIGH_RESOLUTION 1

#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 0x00000002
#endif

/* CreateWaitableTimerExW: this flag came with version 1803 [timers]. */
HANDLE sim_timer_make(SECURITY_ATTRIBUTES *security, const wchar_t *name, DWORD flags, DWORD rights)
{
    BOOL high = (flags & CREATE_WAITABLE_TIMER_HIGH_RESOLUTION) != 0;
    if (high && is_set(SIM_OLD)) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    HANDLE timer = (CreateWaitableTimerExW)(security, name, flags, rights);
    return timer != NULL && high ? (HANDLE)((uintptr_t)timer | HIGH_RESOLUTION) : timer;
}

/* SetWaitableTimer: without that flag the time ends with a tick [timers]. */
BOOL sim_timer_set(HANDLE timer, const LARGE_INTEGER *due, LONG period, PTIMERAPCROUTINE done,
                   void *context, BOOL resume)
{
    LARGE_INTEGER end = *due;
    if (((uintptr_t)timer & HIGH_RESOLUTION) == 0 && due->QuadPart < 0)
        end.QuadPart = -10000 * (LONGLONG)to_tick((DWORD)((9999 - due->QuadPart) / 10000));
    return (SetWaitableTimer)(timer, &end, period, done, context, resume);
}

/* ---- files ---- */

/* Creating and Opening Files: while another has a file open and does not share it, opening it is
 * ERROR_SHARING_VIOLATION. Scanners of viruses and indexers do so with any file, for a while, and
 * in Wine nobody does: here it happens to each process with one in so many files that it opens
 * [scanned]. */
#define SCANNED 7
#define SCAN_TIME (40 * 10000)

static SRWLOCK scan_lock = SRWLOCK_INIT;
static wchar_t scan_path[MAX_PATH];
static uint64_t scan_end;
static LONG scan_calls;

static BOOL scanned(const wchar_t *path)
{
    BOOL result = FALSE;
    if (wcslen(path) >= MAX_PATH || GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES)
        return FALSE;
    AcquireSRWLockExclusive(&scan_lock);
    uint64_t now = time_now();
    if (now < scan_end) {
        result = wcscmp(path, scan_path) == 0;
    } else if (sometimes(&scan_calls, SCANNED)) {
        wcscpy(scan_path, path);
        scan_end = now + SCAN_TIME;
        result = TRUE;
    }
    ReleaseSRWLockExclusive(&scan_lock);
    if (result)
        SetLastError(ERROR_SHARING_VIOLATION);
    return result;
}

HANDLE sim_file_open(const wchar_t *path, DWORD rights, DWORD sharing,
                     SECURITY_ATTRIBUTES *security, DWORD how, DWORD flags, HANDLE model)
{
    if (how == OPEN_EXISTING && scanned(path))
        return INVALID_HANDLE_VALUE;
    return (CreateFileW)(path, rights, sharing, security, how, flags, model);
}

/* Wine knows mappings that may be written to from what they do to sharing: also for somebody who
 * wants no right. */
static BOOL is_mapped(const wchar_t *path)
{
    HANDLE file = (CreateFileW)(path, 0, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                                FILE_ATTRIBUTE_NORMAL, NULL);
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    return file == INVALID_HANDLE_VALUE && GetLastError() == ERROR_SHARING_VIOLATION;
}

/* DeleteFile: opens the file to delete it; and it fails with ERROR_ACCESS_DENIED if a section of
 * the file is there, mapped or not (ntoskrnl/mm/section.c, MmFlushImageSection: MmFlushForDelete).
 * Wine refuses it to NtSetInformationFile alone [mapped]. */
BOOL sim_file_delete(const wchar_t *path)
{
    if (scanned(path))
        return FALSE;
    if (is_mapped(path)) {
        SetLastError(ERROR_ACCESS_DENIED);
        return FALSE;
    }
    return (DeleteFileW)(path);
}
