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

/* Somebody looks into the file that is opened or deleted next. */
void sim_scan_next(void);

#define CreateFileW(...) sim_file_open(__VA_ARGS__)
#define DeleteFileW(...) sim_file_delete(__VA_ARGS__)

/* ---- memory ---- */

/* winerror.h; not in every one. */
#ifndef ERROR_DISK_RESOURCES_EXHAUSTED
#define ERROR_DISK_RESOURCES_EXHAUSTED 314
#endif
#ifndef ERROR_DISK_QUOTA_EXCEEDED
#define ERROR_DISK_QUOTA_EXCEEDED 1295
#endif

/* From now on no call makes a section without a file (a file) of more bytes than this: the error
 * that it ends with. 0, 0: as at first. */
void sim_memory_ends(uint64_t room, DWORD error);
void sim_disk_ends(uint64_t room, DWORD error);

HANDLE sim_section_make(HANDLE file, SECURITY_ATTRIBUTES *security, DWORD protection, DWORD high,
                        DWORD low, const char *name);
BOOL sim_file_end(HANDLE file);

#define CreateFileMappingA(...) sim_section_make(__VA_ARGS__)
#define SetEndOfFile(...) sim_file_end(__VA_ARGS__)

/* ---- directories of the kernel ---- */

LONG NTAPI sim_directory_read(HANDLE directory, void *out, ULONG size, BOOLEAN single,
                              BOOLEAN restart, ULONG *context, ULONG *used);

#define NtQueryDirectoryObject(...) sim_directory_read(__VA_ARGS__)

#endif
