/* SPDX-License-Identifier: MIT */
#include "traced.h"

#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEVENS 100

shmx *held;

/* ---- the child ---- */

bool traced_works(void)
{
    int status;
    pid_t child = fork();
    must(child >= 0);
    if (child == 0)
        _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : 77);
    must(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

pid_t traced_start(void (*run)(const void *context, const char *name), const void *context,
                   const char *name)
{
    pid_t child = fork();
    must(child >= 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(77);
        raise(SIGSTOP);
        run(context, name);
        _exit(0);
    }
    return child;
}

int traced_begin(pid_t child)
{
    int status;
    must(waitpid(child, &status, 0) == child);
    return status;
}

int traced_next(pid_t child, int signal)
{
    int status;
    must(ptrace(PTRACE_SYSCALL, child, NULL, (void *)(intptr_t)signal) == 0);
    must(waitpid(child, &status, 0) == child);
    return status;
}

/* ---- those beside it ---- */

void hold(const char *name)
{
    hold_zeros(name);
    memset(shmx_data(held), 7, SEVENS);
}

void hold_persistent(const char *name)
{
    assert_ok(shmx_create(&held, name, HELD_SIZE, SHMX_PERSISTENT));
    memset(shmx_data(held), 7, SEVENS);
}

void hold_for_others(const char *name)
{
    int status = shmx_create(&held, name, HELD_SIZE, SHMX_OTHERS_WRITE);
    if (status == SHMX_ENOTSUP) /* nobody can be let in: then as any other */
        status = shmx_create(&held, name, HELD_SIZE, 0);
    assert_ok(status);
    memset(shmx_data(held), 7, SEVENS);
}

void hold_zeros(const char *name)
{
    assert_ok(shmx_create(&held, name, HELD_SIZE, 0));
}

void let_go(const char *name)
{
    (void)name;
    shmx_close(&held);
}

void leave(const char *name, void (*act)(shmx *shm))
{
    int status;
    pid_t child = fork();
    must(child >= 0);
    if (child == 0) {
        shmx *shm;
        must(shmx_open_or_create(&shm, name, HELD_SIZE, 0, NULL) == SHMX_OK);
        act(shm);
        kill(getpid(), SIGKILL);
    }
    must(waitpid(child, &status, 0) == child);
}

static void fill(shmx *shm)
{
    memset(shmx_data(shm), 9, HELD_SIZE);
}

void leave_dead(const char *name)
{
    leave(name, fill);
}

static void release(void)
{
    char sevens[SEVENS];
    memset(sevens, 7, sizeof sevens);
    assert_memory_equal(shmx_data(held), sevens, sizeof sevens);
    shmx_close(&held);
}

void still_there(const char *name)
{
    shmx *shm;
    assert_ok(shmx_open(&shm, name, 0));
    assert_int_equal(((char *)shmx_data(shm))[SEVENS - 1], 7);
    shmx_close(&shm);
    assert_ok(shmx_prune(NULL));
    assert_ok(shmx_open(&shm, name, 0));
    shmx_close(&shm);
    release();
}

void there_or_unlinked(const char *name)
{
    shmx *shm;
    int status = shmx_open(&shm, name, 0);
    if (status == SHMX_OK)
        shmx_close(&shm);
    assert_true(status == SHMX_OK || status == SHMX_ENOENT);
    release();
}
