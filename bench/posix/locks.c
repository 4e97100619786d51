/* SPDX-License-Identifier: MIT */
#include "../peers/lock_peer.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "../process.h"

/* ---- locks ---- */

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
        bare_wait(place, 2);
        seen = atomic_exchange_explicit(word, 2, memory_order_acquire);
    }
}

static void three_unlock(void *place)
{
    if (atomic_exchange_explicit((_Atomic uint32_t *)place, 0, memory_order_release) == 2)
        bare_wake(place, 1);
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
    if (pthread_mutex_lock(place) == EOWNERDEAD)
        pthread_mutex_consistent(place);
}

static void pthread_give(void *place)
{
    pthread_mutex_unlock(place);
}

/* SEM_UNDO: the kernel gives it back for one who died. */
static bool system_v_prepare(void *place)
{
    int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
    struct sembuf give = {0, 1, 0};
    *(int *)place = id;
    return id >= 0 && semop(id, &give, 1) == 0;
}

static void system_v_take(void *place)
{
    struct sembuf take = {0, -1, SEM_UNDO};
    semop(*(int *)place, &take, 1);
}

static void system_v_give(void *place)
{
    struct sembuf give = {0, 1, SEM_UNDO};
    semop(*(int *)place, &give, 1);
}

static void system_v_remove(void *place)
{
    semctl(*(int *)place, 0, IPC_RMID);
}

static const struct lock_peer three = {
    .name = "three states and a futex", .lock = three_lock, .unlock = three_unlock};
static const struct lock_peer plain = {
    .name = "pthread", .prepare = plain_prepare, .lock = pthread_take, .unlock = pthread_give};
static const struct lock_peer robust = {.name = "pthread, robust",
                                        .prepare = robust_prepare,
                                        .lock = pthread_take,
                                        .unlock = pthread_give,
                                        .robust = true};
static const struct lock_peer system_v = {.name = "System V semaphore",
                                          .prepare = system_v_prepare,
                                          .lock = system_v_take,
                                          .unlock = system_v_give,
                                          .remove = system_v_remove,
                                          .robust = true,
                                          .slow = true};

const struct lock_peer *const system_locks[] = {&three, &plain, &robust, &system_v, NULL};

/* ---- telling ---- */

/* Told and taken count up, each on its own cache line. */
struct counts {
    _Alignas(64) _Atomic uint32_t told;
    _Alignas(64) uint32_t taken;
};

static void spin_tell(void *place)
{
    atomic_fetch_add_explicit(&((struct counts *)place)->told, 1, memory_order_release);
}

static void spin_await(void *place)
{
    struct counts *counts = place;
    while (atomic_load_explicit(&counts->told, memory_order_acquire) == counts->taken)
        ;
    counts->taken++;
}

static void futex_tell(void *place)
{
    spin_tell(place);
    bare_wake(place, 1);
}

static void futex_await(void *place)
{
    struct counts *counts = place;
    while (atomic_load_explicit(&counts->told, memory_order_acquire) == counts->taken)
        bare_wait(place, counts->taken);
    counts->taken++;
}

static bool sem_prepare(void *place)
{
    return sem_init(place, 1, 0) == 0;
}

static void sem_tell(void *place)
{
    sem_post(place);
}

static void sem_await(void *place)
{
    while (sem_wait(place) != 0)
        ;
}

struct condition {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int told;
};

_Static_assert(sizeof(struct condition) <= PEER_SPACE, "room for the peer");

static bool cond_prepare(void *place)
{
    struct condition *condition = place;
    pthread_condattr_t attributes;
    return plain_prepare(&condition->mutex) && pthread_condattr_init(&attributes) == 0 &&
           pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
           pthread_cond_init(&condition->cond, &attributes) == 0;
}

static void cond_tell(void *place)
{
    struct condition *condition = place;
    pthread_mutex_lock(&condition->mutex);
    condition->told++;
    pthread_mutex_unlock(&condition->mutex);
    pthread_cond_signal(&condition->cond);
}

static void cond_await(void *place)
{
    struct condition *condition = place;
    pthread_mutex_lock(&condition->mutex);
    while (condition->told == 0)
        pthread_cond_wait(&condition->cond, &condition->mutex);
    condition->told--;
    pthread_mutex_unlock(&condition->mutex);
}

static const struct tell_peer spin = {"spinning on a word", NULL, spin_tell, spin_await};
static const struct tell_peer futex = {"bare futex", NULL, futex_tell, futex_await};
static const struct tell_peer semaphore = {"POSIX semaphore", sem_prepare, sem_tell, sem_await};
static const struct tell_peer condition = {"pthread mutex and condition", cond_prepare, cond_tell,
                                           cond_await};

const struct tell_peer *const system_tells[] = {&spin, &futex, &semaphore, &condition, NULL};
