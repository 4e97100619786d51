/* SPDX-License-Identifier: MIT */
#include "../system.h"

#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define UNIX_EPOCH 116444736000000000 /* 1970 in 100 ns since 1601 */
#define TOLERANCE_NS 1000000000
#define LINE_MAX_BYTES 1024

void system_begin(const char *called)
{
    (void)called;
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
}

int system_read(void *bytes, unsigned count)
{
    return _read(_fileno(stdin), bytes, count);
}

bool system_is_terminal(FILE *stream)
{
    return _isatty(_fileno(stream)) != 0;
}

bool system_can_colour(FILE *stream)
{
    HANDLE console = (HANDLE)_get_osfhandle(_fileno(stream));
    DWORD mode;
    return GetConsoleMode(console, &mode) &&
           SetConsoleMode(console, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
}

void system_screen_size(int *rows, int *columns)
{
    CONSOLE_SCREEN_BUFFER_INFO info;
    bool known = GetConsoleScreenBufferInfo(GetStdHandle(STD_OUTPUT_HANDLE), &info);
    *rows = known ? info.srWindow.Bottom - info.srWindow.Top + 1 : 24;
    *columns = known ? info.srWindow.Right - info.srWindow.Left + 1 : 80;
}

int64_t system_now(void)
{
    LARGE_INTEGER ticks, frequency;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&frequency);
    return (int64_t)((double)ticks.QuadPart * 1e9 / (double)frequency.QuadPart);
}

/* A section cannot be made shorter. */
bool system_copy(void *to, const void *from, size_t count)
{
    memcpy(to, from, count);
    return true;
}

/* ---- other processes ---- */

static bool began_before(HANDLE process, uint64_t created)
{
    FILETIME start, end, kernel, user;
    if (!GetProcessTimes(process, &start, &end, &kernel, &user))
        return true;
    int64_t ticks = (int64_t)((uint64_t)start.dwHighDateTime << 32 | start.dwLowDateTime);
    return (ticks - UNIX_EPOCH) * 100 <= (int64_t)created + TOLERANCE_NS;
}

int system_process_alive(int64_t pid, uint64_t created)
{
    if (pid <= 0 || pid > UINT32_MAX)
        return -1;
    DWORD rights = PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE;
    HANDLE process = OpenProcess(rights, FALSE, (DWORD)pid);
    if (process == NULL)
        return GetLastError() == ERROR_INVALID_PARAMETER ? 0 : -1;
    bool alive = WaitForSingleObject(process, 0) == WAIT_TIMEOUT && began_before(process, created);
    CloseHandle(process);
    return alive;
}

/* Access is kept in descriptors that name people, not in a few bits: the flags say enough. */
enum access system_owner(const shmx_info *info, char owner[32])
{
    snprintf(owner, 32, "-");
    return info->foreign                            ? ACCESS_UNKNOWN
           : (info->flags & SHMX_OTHERS_WRITE) != 0 ? ACCESS_WRITE
           : (info->flags & SHMX_OTHERS_READ) != 0  ? ACCESS_READ
                                                    : ACCESS_OWNER;
}

/* ---- this program once more ---- */

struct system_child {
    HANDLE process;
};

struct system_child *system_start(const char *const *words)
{
    char path[MAX_PATH], line[LINE_MAX_BYTES];
    GetModuleFileNameA(NULL, path, sizeof path);
    int length = snprintf(line, sizeof line, "\"%s\"", path);
    for (; *words != NULL && length < LINE_MAX_BYTES; words++)
        length += snprintf(line + length, sizeof line - (size_t)length, " %s", *words);
    if (length >= LINE_MAX_BYTES)
        return NULL;
    struct system_child *child = malloc(sizeof *child);
    STARTUPINFOA startup = {.cb = sizeof startup};
    PROCESS_INFORMATION process;
    fflush(NULL);
    if (child != NULL &&
        CreateProcessA(path, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process)) {
        CloseHandle(process.hThread);
        child->process = process.hProcess;
        return child;
    }
    free(child);
    return NULL;
}

int system_finish(struct system_child *child)
{
    DWORD status;
    WaitForSingleObject(child->process, INFINITE);
    bool good = GetExitCodeProcess(child->process, &status);
    CloseHandle(child->process);
    free(child);
    return good ? (int)status : -1;
}
