/* SPDX-License-Identifier: MIT */
/* Windows 10 on Wine. shim.c has the rules. Calls are turned into the simulation's by macros with
 * arguments: (Sleep)(1) in parentheses is Wine's own. */
#ifndef SIM_WINDOWS_H
#define SIM_WINDOWS_H

#include <windows.h>

#include <stdint.h>

/* In the environment, for children: the session that a process is in, and before version 1803. */
#define SIM_SESSION "SHMX_SIM_SESSION"
#define SIM_OLD "SHMX_SIM_OLD"

/* ---- time ---- */

#define SIM_TICK 156250 /* in units of 100 ns: 64 times a second */

void sim_sleep(DWORD milliseconds);
DWORD sim_wait(HANDLE object, DWORD milliseconds);
ULONGLONG sim_tick_count(void);
HANDLE sim_timer_make(SECURITY_ATTRIBUTES *security, const wchar_t *name, DWORD flags,
                      DWORD rights);
BOOL sim_timer_set(HANDLE timer, const LARGE_INTEGER *due, LONG period, PTIMERAPCROUTINE done,
                   void *context, BOOL resume);

#define Sleep(...) sim_sleep(__VA_ARGS__)
#define WaitForSingleObject(...) sim_wait(__VA_ARGS__)
#define GetTickCount64(...) sim_tick_count(__VA_ARGS__)
#define CreateWaitableTimerExW(...) sim_timer_make(__VA_ARGS__)
#define SetWaitableTimer(...) sim_timer_set(__VA_ARGS__)

/* ---- files ---- */

HANDLE sim_file_open(const wchar_t *path, DWORD rights, DWORD sharing,
                     SECURITY_ATTRIBUTES *security, DWORD how, DWORD flags, HANDLE model);
BOOL sim_file_delete(const wchar_t *path);

#define CreateFileW(...) sim_file_open(__VA_ARGS__)
#define DeleteFileW(...) sim_file_delete(__VA_ARGS__)

#endif
