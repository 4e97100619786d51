/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <windows.h>

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "system.h"

#define KILLED_CODE 0x4b494c4cu /* no exit code of a test */
#define COMMAND_MAX 8192
#define HANDLES_END 0x4000

struct test_child {
    HANDLE process;
    DWORD pid;
    HANDLE in;  /* we write, it reads */
    HANDLE out; /* it writes, we read */
    size_t used;
    size_t taken; /* the line given out last */
    char buffer[4096];
    struct test_child *next;
};

static struct test_child *children;
static HANDLE job;

/* ---- the process ---- */

/* End without a dialog, a debugger or a report. */
static LONG WINAPI fault(EXCEPTION_POINTERS *pointers)
{
    TerminateProcess(GetCurrentProcess(), pointers->ExceptionRecord->ExceptionCode);
    return EXCEPTION_EXECUTE_HANDLER;
}

/* A job whose processes end with the last handle of it, which is this process's: nobody is left
 * working when a test is killed. */
static HANDLE job_make(void)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    HANDLE made = CreateJobObjectA(NULL, NULL);
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    must(made != NULL);
    must(SetInformationJobObject(made, JobObjectExtendedLimitInformation, &limits, sizeof limits));
    return made;
}

void system_begin(bool part)
{
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
    _setmode(_fileno(stdout), _O_BINARY);
    if (part)
        SetUnhandledExceptionFilter(fault);
    job = job_make(); /* now, so that no test has a handle more at its end */
}

void system_setenv(const char *name, const char *value)
{
    _putenv_s(name, value);
}

uint32_t system_seed(void)
{
    LARGE_INTEGER count;
    QueryPerformanceCounter(&count);
    return ((uint32_t)count.QuadPart * 2654435761u ^ GetCurrentProcessId() << 16) | 1;
}

int64_t system_pid(void)
{
    return (int64_t)GetCurrentProcessId();
}

/* Sections go with their last handle, and shmx_list shows them. */
void system_leftovers(const char *prefix, void (*visit)(const char *name, void *context),
                      void *context)
{
    (void)prefix;
    (void)visit;
    (void)context;
}

/* Asks for every value: GetProcessHandleCount always says 0 under Wine. The lowest free is used
 * first. */
int test_open_handles(void)
{
    int count = 0;
    DWORD flags;
    for (uintptr_t value = 4; value < HANDLES_END; value += 4)
        count += GetHandleInformation((HANDLE)value, &flags) != 0;
    return count;
}

/* ---- children ---- */

/* One end for us, one that the child inherits. */
static void pipe_make(HANDLE *ours, HANDLE *its, bool we_write)
{
    HANDLE ends[2];
    must(CreatePipe(&ends[0], &ends[1], NULL, 65536));
    *ours = ends[we_write ? 1 : 0];
    *its = ends[we_write ? 0 : 1];
    must(SetHandleInformation(*its, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
}

static void command_write(char command[COMMAND_MAX], const char *const *words)
{
    int used = snprintf(command, COMMAND_MAX, "\"%s\" --part", system_program);
    for (; *words != NULL && used < COMMAND_MAX; words++)
        used += snprintf(command + used, COMMAND_MAX - (size_t)used, " \"%s\"", *words);
    must(used < COMMAND_MAX);
}

/* Wine says ERROR_INTERNAL_ERROR at times where hundreds of processes are made and killed, and does
 * it when asked again. */
#define TRIES 5

void process_start(char *command, STARTUPINFOA *startup, PROCESS_INFORMATION *made)
{
    DWORD error = ERROR_INTERNAL_ERROR;
    for (int i = 0; i < TRIES && error == ERROR_INTERNAL_ERROR; i++) {
        if (CreateProcessA(NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, startup, made))
            return;
        error = GetLastError();
        fprintf(stderr, "CreateProcess: error %lu\n", error);
    }
    must(!"the process was made");
}

void test_children_outlive(void)
{
    CloseHandle(job);
    job = NULL;
}

struct test_child *child_start_words(const char *const *words)
{
    struct test_child *child = calloc(1, sizeof *child);
    char command[COMMAND_MAX];
    HANDLE its_in, its_out;
    must(child != NULL);
    command_write(command, words);
    pipe_make(&child->in, &its_in, true);
    pipe_make(&child->out, &its_out, false);
    fflush(NULL);
    STARTUPINFOA startup = {.cb = sizeof startup,
                            .dwFlags = STARTF_USESTDHANDLES,
                            .hStdInput = its_in,
                            .hStdOutput = its_out,
                            .hStdError = GetStdHandle(STD_ERROR_HANDLE)};
    PROCESS_INFORMATION made;
    process_start(command, &startup, &made);
    /* It fails for one that has ended already. */
    if (job != NULL)
        AssignProcessToJobObject(job, made.hProcess);
    CloseHandle(its_in);
    CloseHandle(its_out);
    CloseHandle(made.hThread);
    child->process = made.hProcess;
    child->pid = made.dwProcessId;
    child->next = children;
    children = child;
    return child;
}

struct test_child *child_fork(void (*run)(void *context), void *context)
{
    (void)run;
    (void)context;
    return NULL;
}

bool test_exec(const char *const *words)
{
    (void)words;
    return false;
}

static void child_forget(struct test_child *child)
{
    struct test_child **link = &children;
    while (*link != child)
        link = &(*link)->next;
    *link = child->next;
    CloseHandle(child->out);
    CloseHandle(child->process);
    child_close_input(child);
    free(child);
}

void child_send(struct test_child *child, const char *line)
{
    char text[4096];
    DWORD written;
    int length = snprintf(text, sizeof text, "%s\n", line);
    must(length > 0 && (size_t)length < sizeof text);
    /* A child that has died hears nothing; what it said and did is checked elsewhere. */
    WriteFile(child->in, text, (DWORD)length, &written, NULL);
}

/* Return the line that ends in the buffer, NULL if none does. */
static const char *line_take(struct test_child *child)
{
    char *end = memchr(child->buffer, '\n', child->used);
    if (end == NULL)
        return NULL;
    if (end > child->buffer && end[-1] == '\r')
        end[-1] = '\0';
    *end = '\0';
    child->taken = (size_t)(end - child->buffer) + 1;
    return child->buffer;
}

const char *child_receive(struct test_child *child)
{
    int64_t deadline = test_now_ms() + TEST_PATIENCE_MS;
    child->used -= child->taken;
    memmove(child->buffer, child->buffer + child->taken, child->used);
    child->taken = 0;
    for (;;) {
        const char *line = line_take(child);
        if (line != NULL)
            return line;
        DWORD ready = 0, got = 0;
        if (!PeekNamedPipe(child->out, NULL, 0, NULL, &ready, NULL))
            return NULL;
        if (ready == 0) { /* a pipe cannot be waited for */
            if (test_now_ms() > deadline)
                fail_msg("a child has said nothing for %d s", TEST_PATIENCE_MS / 1000);
            Sleep(1);
            continue;
        }
        if (!ReadFile(child->out, child->buffer + child->used,
                      (DWORD)(sizeof child->buffer - child->used), &got, NULL))
            return NULL;
        child->used += got;
    }
}

void child_close_input(struct test_child *child)
{
    if (child->in != NULL)
        CloseHandle(child->in);
    child->in = NULL;
}

void child_kill(struct test_child *child)
{
    TerminateProcess(child->process, KILLED_CODE);
}

/* NtSuspendProcess and NtResumeProcess have no header. */
static bool process_call(const char *name, HANDLE process)
{
    LONG(NTAPI * call)(HANDLE);
    FARPROC found = GetProcAddress(GetModuleHandleA("ntdll.dll"), name);
    memcpy(&call, &found, sizeof call);
    return found != NULL && call(process) >= 0;
}

bool child_stop(struct test_child *child)
{
    return process_call("NtSuspendProcess", child->process);
}

void child_continue(struct test_child *child)
{
    process_call("NtResumeProcess", child->process);
}

int64_t child_pid(const struct test_child *child)
{
    return (int64_t)child->pid;
}

static int status_of(DWORD code)
{
    if (code == KILLED_CODE)
        return CHILD_KILLED;
    if (code == EXCEPTION_ACCESS_VIOLATION || code == EXCEPTION_IN_PAGE_ERROR)
        return CHILD_FAULT;
    return code <= 255 ? (int)code : CHILD_DIED;
}

int child_wait(struct test_child *child)
{
    DWORD code = 0;
    child_close_input(child);
    if (WaitForSingleObject(child->process, TEST_PATIENCE_MS) != WAIT_OBJECT_0)
        fail_msg("a child has not ended in %d s", TEST_PATIENCE_MS / 1000);
    GetExitCodeProcess(child->process, &code);
    child_forget(child);
    return status_of(code);
}

void system_end_children(void)
{
    while (children != NULL) {
        child_kill(children);
        WaitForSingleObject(children->process, INFINITE);
        child_forget(children);
    }
}

bool test_become_other_user(const char **why)
{
    *why = "a second user needs a password on Windows";
    return false;
}

/* ---- threads ---- */

struct test_thread {
    HANDLE handle;
    void (*run)(void *context);
    void *context;
};

static DWORD WINAPI thread_main(void *argument)
{
    struct test_thread *thread = argument;
    thread->run(thread->context);
    return 0;
}

struct test_thread *thread_start(void (*run)(void *context), void *context)
{
    struct test_thread *thread = malloc(sizeof *thread);
    must(thread != NULL);
    thread->run = run;
    thread->context = context;
    thread->handle = CreateThread(NULL, 0, thread_main, thread, 0, NULL);
    must(thread->handle != NULL);
    return thread;
}

void thread_join(struct test_thread *thread)
{
    must(WaitForSingleObject(thread->handle, INFINITE) == WAIT_OBJECT_0);
    CloseHandle(thread->handle);
    free(thread);
}

/* ---- time ---- */

uint64_t test_wall_ns(void)
{
    FILETIME now;
    GetSystemTimePreciseAsFileTime(&now);
    uint64_t ticks = (uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime; /* since 1601 */
    return (ticks - UINT64_C(116444736000000000)) * 100;
}

/* Exact: GetTickCount64 is up to a tick, 15.6 ms, behind. */
int64_t test_now_ms(void)
{
    LARGE_INTEGER count, frequency;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return count.QuadPart / frequency.QuadPart * 1000 +
           count.QuadPart % frequency.QuadPart * 1000 / frequency.QuadPart;
}

void test_sleep_ms(int ms)
{
    Sleep((DWORD)ms);
}
