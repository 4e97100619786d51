/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>

#include "support.h"
#include "process.h"

#define KILLED_CODE 0x4b494c4cu /* no status of a program of ours */
#define LINE_MAX_BYTES 8192

struct command {
    HANDLE process;
};

static HANDLE stream_open(const char *path, DWORD access, DWORD how)
{
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    HANDLE file = CreateFileA(path, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                              &inherited, how, FILE_ATTRIBUTE_NORMAL, NULL);
    must(file != INVALID_HANDLE_VALUE);
    return file;
}

/* The build may have written the path in another system's way. */
static int program_write(char *line, const char *program)
{
    char path[MAX_PATH];
    must(GetFullPathNameA(program, sizeof path, path, NULL) != 0);
    return snprintf(line, LINE_MAX_BYTES, "\"%s\"", path);
}

struct command *command_start(const char *const *words, const char *in, const char *out,
                              const char *err)
{
    char line[LINE_MAX_BYTES];
    int used = program_write(line, words[0]);
    for (words++; *words != NULL && used < LINE_MAX_BYTES; words++)
        used += snprintf(line + used, LINE_MAX_BYTES - (size_t)used, " \"%s\"", *words);
    must(used < LINE_MAX_BYTES);
    STARTUPINFOA startup = {.cb = sizeof startup,
                            .dwFlags = STARTF_USESTDHANDLES,
                            .hStdInput = stream_open(in, GENERIC_READ, OPEN_EXISTING),
                            .hStdOutput = stream_open(out, GENERIC_WRITE, CREATE_ALWAYS),
                            .hStdError = stream_open(err, GENERIC_WRITE, CREATE_ALWAYS)};
    PROCESS_INFORMATION made;
    process_start(line, &startup, &made);
    CloseHandle(startup.hStdInput);
    CloseHandle(startup.hStdOutput);
    CloseHandle(startup.hStdError);
    CloseHandle(made.hThread);
    struct command *command = malloc(sizeof *command);
    must(command != NULL);
    command->process = made.hProcess;
    return command;
}

int command_wait(struct command *command)
{
    DWORD status;
    must(WaitForSingleObject(command->process, INFINITE) == WAIT_OBJECT_0);
    must(GetExitCodeProcess(command->process, &status));
    CloseHandle(command->process);
    free(command);
    return status == KILLED_CODE ? COMMAND_STOPPED : (int)status;
}

bool command_interrupt(struct command *command)
{
    (void)command; /* only a process of the same console could */
    return false;
}

void command_kill(struct command *command)
{
    TerminateProcess(command->process, KILLED_CODE);
}
