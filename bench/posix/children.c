/* SPDX-License-Identifier: MIT */
#include "../children.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/futex.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static void futex_wait(uint32_t *word, uint32_t expected)
{
    syscall(SYS_futex, word, FUTEX_WAIT, expected, NULL, NULL, 0);
}

static void futex_wake(uint32_t *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

void (*const bare_wait)(uint32_t *word, uint32_t expected) = futex_wait;
void (*const bare_wake)(uint32_t *word, int count) = futex_wake;

void process_begin(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

void process_place(int n)
{
    static cpu_set_t all;
    static bool known;
    if (!known)
        known = sched_getaffinity(0, sizeof all, &all) == 0;
    if (!known || CPU_COUNT(&all) < 2)
        return;
    cpu_set_t one = all;
    for (int i = 0, seen = 0; i < CPU_SETSIZE && n >= 0; i++)
        if (CPU_ISSET(i, &all) && seen++ != n)
            CPU_CLR(i, &one);
    sched_setaffinity(0, sizeof one, &one);
}
#else
void (*const bare_wait)(uint32_t *word, uint32_t expected) = NULL;
void (*const bare_wake)(uint32_t *word, int count) = NULL;

void process_begin(void)
{
}

void process_place(int n)
{
    (void)n;
}
#endif

extern char **environ;

intptr_t process_start(char **arguments)
{
    pid_t pid;
    return posix_spawn(&pid, arguments[0], NULL, NULL, arguments, environ) == 0 ? pid : -1;
}

void process_kill(intptr_t process)
{
    kill((pid_t)process, SIGKILL);
}

int process_end(intptr_t process)
{
    int status;
    while (waitpid((pid_t)process, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

void process_pause(int64_t nanoseconds)
{
    struct timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    nanosleep(&time, NULL);
}

int64_t process_time(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

void process_many_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}
