/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#define WORDS_MAX 32

extern char **environ;

struct command {
    pid_t pid;
};

struct command *command_start(const char *const *words, const char *in, const char *out,
                              const char *err)
{
    char *argv[WORDS_MAX + 2];
    int count = 0;
    char *wrapper = getenv("SHMX_TEST_WRAPPER"); /* such as an emulator */
    if (wrapper != NULL)
        argv[count++] = wrapper;
    while (*words != NULL && count < WORDS_MAX)
        argv[count++] = (char *)*words++;
    argv[count] = NULL;
    posix_spawn_file_actions_t streams;
    int writing = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND;
    must(posix_spawn_file_actions_init(&streams) == 0);
    must(posix_spawn_file_actions_addopen(&streams, 0, in, O_RDONLY, 0) == 0);
    must(posix_spawn_file_actions_addopen(&streams, 1, out, writing, 0600) == 0);
    must(posix_spawn_file_actions_addopen(&streams, 2, err, writing, 0600) == 0);
    /* An emulator may return before the child has emptied them. */
    close(open(out, writing, 0600));
    close(open(err, writing, 0600));
    struct command *command = malloc(sizeof *command);
    must(command != NULL);
    must(posix_spawnp(&command->pid, argv[0], &streams, NULL, argv, environ) == 0);
    posix_spawn_file_actions_destroy(&streams);
    return command;
}

int command_wait(struct command *command)
{
    int status;
    must(waitpid(command->pid, &status, 0) == command->pid);
    free(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : COMMAND_STOPPED;
}

bool command_interrupt(struct command *command)
{
    return kill(command->pid, SIGINT) == 0;
}

void command_kill(struct command *command)
{
    kill(command->pid, SIGKILL);
}
