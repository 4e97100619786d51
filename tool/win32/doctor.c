/* SPDX-License-Identifier: MIT */
/* Memory, sessions, the place of persistent segments. */
#include <stdint.h>
#include <windows.h>

#include "../command.h"
#include "../system.h"

static void check_memory(void)
{
    MEMORYSTATUSEX memory = {.dwLength = sizeof memory};
    char total[32], left[32];
    if (!GlobalMemoryStatusEx(&memory))
        return;
    bool little = memory.ullAvailPageFile < memory.ullTotalPageFile / 20;
    doctor_say(little ? VERDICT_LOOK : VERDICT_GOOD,
               little ? "close programs, or let Windows enlarge the page file" : NULL,
               "segments take memory of the commit limit: %s, of which %s are free",
               size_text(memory.ullTotalPageFile, total), size_text(memory.ullAvailPageFile, left));
}

static bool may_create_global(void)
{
    HANDLE token;
    LUID wanted;
    BOOL has = FALSE;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return false;
    PRIVILEGE_SET set = {.PrivilegeCount = 1, .Control = PRIVILEGE_SET_ALL_NECESSARY};
    if (LookupPrivilegeValueW(NULL, L"SeCreateGlobalPrivilege", &wanted)) {
        set.Privilege[0] = (LUID_AND_ATTRIBUTES){wanted, SE_PRIVILEGE_ENABLED};
        PrivilegeCheck(token, &set, &has);
    }
    CloseHandle(token);
    return has;
}

static void check_session(void)
{
    DWORD session = 0;
    ProcessIdToSessionId(GetCurrentProcessId(), &session);
    if (session == 0)
        doctor_say(VERDICT_GOOD, NULL,
                   "this is session 0, where services run: programs of users "
                   "see only segments made with --machine-wide (SHMX_MACHINE_WIDE)");
    else
        doctor_say(VERDICT_GOOD, NULL,
                   "this is login session %lu: other sessions and services see "
                   "only segments made with --machine-wide (SHMX_MACHINE_WIDE)",
                   (unsigned long)session);
    if (!may_create_global())
        doctor_say(VERDICT_LOOK,
                   "let the service make the segment and the user's program open it, "
                   "or run as administrator",
                   "this user may not make machine-wide segments (SeCreateGlobalPrivilege)");
}

static void check_disk(void)
{
    wchar_t path[MAX_PATH + 1];
    ULARGE_INTEGER left;
    char text[32];
    DWORD length = GetEnvironmentVariableW(L"LOCALAPPDATA", path, MAX_PATH + 1);
    if (length == 0)
        length = GetEnvironmentVariableW(L"USERPROFILE", path, MAX_PATH + 1);
    if (length == 0 || length > MAX_PATH || !GetDiskFreeSpaceExW(path, &left, NULL, NULL)) {
        doctor_say(VERDICT_LOOK, "set LOCALAPPDATA to a folder that exists and can be written",
                   "this user has no folder for local data; persistent segments need one");
        return;
    }
    doctor_say(VERDICT_GOOD, NULL,
               "%s free on the disk of local data, where persistent segments lie",
               size_text(left.QuadPart, text));
}

void system_doctor(void)
{
    check_memory();
    check_session();
    check_disk();
}
