/* SPDX-License-Identifier: MIT */
#include "../peers.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void futex_wait(uint32_t *word, uint32_t expected)
{
    syscall(SYS_futex, word, FUTEX_WAIT, expected, NULL, NULL, 0);
}

static void futex_wake(uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void (*const peer_wait)(uint32_t *word, uint32_t expected) = futex_wait;
void (*const peer_wake)(uint32_t *word) = futex_wake;

/* The mutex of three states: 0 free, 1 held, 2 held and perhaps waited for. Not robust. */
static void three_lock(void *place)
{
    _Atomic uint32_t *word = place;
    uint32_t seen = 0;
    if (atomic_compare_exchange_strong_explicit(word, &seen, 1, memory_order_acquire,
                                                memory_order_relaxed))
        return;
    if (seen != 2)
        seen = atomic_exchange_explicit(word, 2, memory_order_acquire);
    while (seen != 0) {
        futex_wait(place, 2);
        seen = atomic_exchange_explicit(word, 2, memory_order_acquire);
    }
}

static void three_unlock(void *place)
{
    if (atomic_exchange_explicit((_Atomic uint32_t *)place, 0, memory_order_release) == 2)
        futex_wake(place);
}

static bool pthread_prepare(void *place, int robust)
{
    pthread_mutexattr_t attributes;
    return pthread_mutexattr_init(&attributes) == 0 &&
           pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
           pthread_mutexattr_setrobust(&attributes, robust) == 0 &&
           pthread_mutex_init(place, &attributes) == 0;
}

static bool plain_prepare(void *place)
{
    return pthread_prepare(place, PTHREAD_MUTEX_STALLED);
}

static bool robust_prepare(void *place)
{
    return pthread_prepare(place, PTHREAD_MUTEX_ROBUST);
}

static void pthread_take(void *place)
{
    pthread_mutex_lock(place);
}

static void pthread_give(void *place)
{
    pthread_mutex_unlock(place);
}

const struct lock_peer lock_peers[] = {
    {"three states and a futex (not robust)", NULL, three_lock, three_unlock},
    {"pthread, process-shared", plain_prepare, pthread_take, pthread_give},
    {"pthread, process-shared and robust", robust_prepare, pthread_take, pthread_give},
    {NULL, NULL, NULL, NULL}};

intptr_t peer_start(char **arguments)
{
    pid_t pid;
    return posix_spawn(&pid, arguments[0], NULL, NULL, arguments, environ) == 0 ? pid : -1;
}

void peer_begin(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

int peer_end(intptr_t process)
{
    int status;
    while (waitpid((pid_t)process, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

void peer_pause(int64_t nanoseconds)
{
    struct timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    nanosleep(&time, NULL);
}
