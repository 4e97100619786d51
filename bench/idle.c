/* SPDX-License-Identifier: MIT */
/* The cost of waiting: the processor time of eight processes that do nothing else for 10 s. All
 * ways wait at the same time. */
#include <stdatomic.h>

#include "crew.h"
#include "peers/lock_peer.h"
#include "children.h"
#include "sample.h"

#define WAITERS 8
#define SECONDS 10
#define QUEUE_SIZE 65536

struct stage {
    _Alignas(64) uint32_t word;
    _Alignas(64) uint32_t bare;
    _Alignas(64) shmx_mutex mutex;
    _Alignas(64) shmx_sem sem;
    _Alignas(64) unsigned char queue[QUEUE_SIZE];
    _Alignas(64) _Atomic uint32_t waiting;
    _Alignas(64) _Atomic int64_t used[WAYS_MAX];
};

enum kind { WAY_WORD, WAY_MUTEX, WAY_SEM, WAY_QUEUE, WAY_BARE, WAY_COUNT };

static const char *const names[] = {"shmx_wait", "shmx_mutex_lock", "shmx_sem_wait",
                                    "shmx_queue_receive", "bare futex"};

static struct stage *stage;

static shmx_queue *queue_of(void)
{
    shmx_queue *queue;
    size_t offset = (size_t)(stage->queue - (unsigned char *)shmx_data(crew_shm));
    return shmx_queue_open(&queue, crew_shm, offset, QUEUE_SIZE) == SHMX_OK ? queue : NULL;
}

static void wait_word(void)
{
    while (atomic_load((_Atomic uint32_t *)&stage->word) == 0)
        shmx_wait(crew_shm, &stage->word, 0, SHMX_FOREVER);
}

static void wait_bare(void)
{
    while (atomic_load((_Atomic uint32_t *)&stage->bare) == 0 && bare_wait != NULL)
        bare_wait(&stage->bare, 0);
}

static void wait_queue(shmx_queue *queue)
{
    char byte;
    shmx_queue_receive(queue, &byte, 1, NULL, SHMX_FOREVER);
}

static bool answer(uint32_t index, const struct crew_job *job)
{
    (void)job;
    stage = crew_stage;
    enum kind way = index / WAITERS;
    shmx_queue *queue = queue_of();
    atomic_fetch_add(&stage->waiting, 1);
    int64_t start = process_time();
    if (way == WAY_WORD)
        wait_word();
    else if (way == WAY_MUTEX)
        shmx_mutex_lock(crew_shm, &stage->mutex, SHMX_FOREVER);
    else if (way == WAY_SEM)
        shmx_sem_wait(crew_shm, &stage->sem, SHMX_FOREVER);
    else if (way == WAY_QUEUE)
        wait_queue(queue);
    else
        wait_bare();
    atomic_fetch_add(&stage->used[way], process_time() - start);
    if (way == WAY_MUTEX)
        shmx_mutex_unlock(crew_shm, &stage->mutex);
    shmx_queue_close(&queue);
    return queue == NULL;
}

static void release(shmx_queue *queue)
{
    atomic_store((_Atomic uint32_t *)&stage->word, 1);
    shmx_wake(crew_shm, &stage->word, SHMX_WAKE_ALL);
    atomic_store((_Atomic uint32_t *)&stage->bare, 1);
    if (bare_wake != NULL)
        bare_wake(&stage->bare, WAITERS);
    shmx_mutex_unlock(crew_shm, &stage->mutex);
    shmx_sem_post(crew_shm, &stage->sem, WAITERS);
    for (int i = 0; i < WAITERS; i++)
        shmx_queue_send(queue, "", 1, SHMX_FOREVER);
}

int main(int argc, char **argv)
{
    int status;
    uint32_t ways = bare_wait != NULL ? WAY_COUNT : WAY_BARE;
    struct crew_job job = {.kind = 1};
    if (crew_member(argc, argv, answer, &status))
        return status;
    if (!sample_begin(argc, argv))
        return 2;
    if (!crew_start(argv[0], sizeof(struct stage), ways * WAITERS))
        return 1;
    stage = crew_stage;
    shmx_queue *queue = queue_of();
    bool good = queue != NULL && shmx_mutex_lock(crew_shm, &stage->mutex, 0) == SHMX_OK;
    int ms = sample_scaled(SECONDS * 1000);
    ms = ms > 1000 ? ms : 1000; /* or falling asleep is all that is seen */
    crew_begin(&job, ways * WAITERS);
    while (atomic_load(&stage->waiting) < ways * WAITERS)
        process_pause(1000000);
    process_pause((int64_t)ms * 1000000);
    release(queue);
    good &= crew_join();
    for (uint32_t way = 0; way < ways; way++)
        sample_value((struct place){"idle", ""}, names[way], 0,
                     (double)stage->used[way] * SECONDS * 1000 / ms);
    shmx_queue_close(&queue);
    return !(crew_end() && good);
}
