/* SPDX-License-Identifier: MIT */
/* The objects of section 7 as the library sees them, and the functions that their quick ways
 * (quick.c) call in any unusual case. Such a function is called last and begins again from the
 * arguments, so that a quick way keeps nothing for it. */
#ifndef SHMX_QUICK_H
#define SHMX_QUICK_H

#include "lock.h"

struct cond {
    _Atomic uint32_t event;
    _Atomic uint32_t arrivals;
};

struct sem {
    _Atomic uint32_t count;
    _Atomic uint32_t event;
};

struct once {
    struct shmx_lock lock;
    _Atomic uint32_t done; /* 1 when it is */
};

static_assert(offsetof(shmx_mutex, word) == offsetof(struct shmx_lock, word), "layout");
static_assert(offsetof(shmx_mutex, thread) == offsetof(struct shmx_lock, thread), "layout");
static_assert(offsetof(shmx_cond, event) == offsetof(struct cond, event), "layout");
static_assert(offsetof(shmx_cond, arrivals) == offsetof(struct cond, arrivals), "layout");
static_assert(offsetof(shmx_sem, count) == offsetof(struct sem, count), "layout");
static_assert(offsetof(shmx_sem, event) == offsetof(struct sem, event), "layout");
static_assert(offsetof(shmx_once, word) == offsetof(struct once, lock.word), "layout");
static_assert(offsetof(shmx_once, thread) == offsetof(struct once, lock.thread), "layout");
static_assert(offsetof(shmx_once, done) == offsetof(struct once, done), "layout");

/* Take a token, if there is one. */
static inline bool sem_take(struct sem *sem)
{
    uint32_t count = atomic_load(&sem->count);
    while (count != 0) {
        /* Acquire: what was done before the post is seen. Relaxed on failure: only a number. */
        if (atomic_compare_exchange_weak_explicit(&sem->count, &count, count - 1,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    }
    return false;
}

static inline bool once_is_done(const struct once *once)
{
    /* Acquire: the caller sees all that init wrote. */
    return atomic_load_explicit(&once->done, memory_order_acquire) == 1;
}

int shmx_mutex_lock_slowly(shmx *shm, shmx_mutex *mutex, int timeout_ms);
int shmx_mutex_unlock_slowly(shmx *shm, shmx_mutex *mutex);
int shmx_cond_wake(shmx *shm, shmx_cond *cond, int count);
int shmx_sem_wait_slowly(shmx *shm, shmx_sem *sem, int timeout_ms);
int shmx_sem_post_refused(const shmx *shm, const shmx_sem *sem, unsigned count);
int shmx_sem_wake(shmx *shm, shmx_sem *sem, int count);
int shmx_once_run_slowly(shmx *shm, shmx_once *once, int (*init)(void *context), void *context);
int shmx_wake_slowly(shmx *shm, uint32_t *word, int count);

#endif
