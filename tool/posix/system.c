/* SPDX-License-Identifier: MIT */
#include "../system.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static const char *program_path; /* to start it again */

void system_begin(const char *called)
{
    program_path = called;
    /* Where a standard stream is closed, the next file that is opened would be it. The stand-in
     * fails when it is used, as a closed one does. */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int system_read(void *bytes, unsigned count)
{
    ssize_t got;
    do
        got = read(STDIN_FILENO, bytes, count);
    while (got < 0 && errno == EINTR);
    return (int)got;
}

bool system_is_terminal(FILE *stream)
{
    return isatty(fileno(stream)) == 1;
}

bool system_can_colour(FILE *stream)
{
    const char *term = getenv("TERM");
    return system_is_terminal(stream) && term != NULL && strcmp(term, "dumb") != 0;
}

void system_screen_size(int *rows, int *columns)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
    *rows = known ? size.ws_row : 24;
    *columns = known ? size.ws_col : 80;
}

int64_t system_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- this program once more ---- */

struct system_child {
    pid_t pid;
};

#define WORDS_MAX 16

struct system_child *system_start(const char *const *words)
{
    char *argv[WORDS_MAX + 2] = {(char *)program_path};
    for (int i = 0; i < WORDS_MAX && words[i] != NULL; i++)
        argv[i + 1] = (char *)words[i];
    struct system_child *child = malloc(sizeof *child);
    if (child == NULL)
        return NULL;
    fflush(NULL);
    if (posix_spawnp(&child->pid, program_path, NULL, NULL, argv, environ) == 0)
        return child;
    free(child);
    return NULL;
}

int system_finish(struct system_child *child)
{
    int status;
    pid_t ended = waitpid(child->pid, &status, 0);
    bool good = ended == child->pid && WIFEXITED(status);
    free(child);
    return good ? WEXITSTATUS(status) : -1;
}
