/* SPDX-License-Identifier: MIT */
/*
 * The program that guard.py counts in: bench_steps OPERATION TIMES does one operation so many
 * times, alone, and bench_steps calls makes, opens and closes segments between marks that strace
 * shows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shmx.h>

#define ROOM ((size_t)1 << 16)

struct stage {
    shmx_mutex mutex;
    shmx_cond cond;
    shmx_sem sem;
    uint32_t word;
};

static shmx *shm;
static struct stage *stage;
static shmx_queue *queue;
static unsigned char message[256];

static int lock_unlock(void)
{
    return shmx_mutex_lock(shm, &stage->mutex, SHMX_FOREVER) |
           shmx_mutex_unlock(shm, &stage->mutex);
}

static int wake(void)
{
    return shmx_wake(shm, &stage->word, 1);
}

static int cond_signal(void)
{
    return shmx_cond_signal(shm, &stage->cond);
}

static int sem_post(void)
{
    return shmx_sem_post(shm, &stage->sem, 1);
}

static int send_receive(size_t size)
{
    return shmx_queue_send(queue, message, size, SHMX_FOREVER) |
           shmx_queue_receive(queue, message, sizeof message, NULL, SHMX_FOREVER);
}

static int queue_16(void)
{
    return send_receive(16);
}

static int queue_256(void)
{
    return send_receive(256);
}

static int queue_in_place(void)
{
    void *place;
    const void *seen;
    return shmx_queue_reserve(queue, 16, &place, SHMX_FOREVER) | shmx_queue_commit(queue, 16) |
           shmx_queue_peek(queue, &seen, NULL, SHMX_FOREVER) | shmx_queue_release(queue);
}

#ifdef SHMX_TOPIC_OLDEST
static shmx_topic *topic;

static int topic_publish_next(void)
{
    return shmx_topic_publish(topic, message, 64, SHMX_FOREVER) |
           shmx_topic_next(topic, message, sizeof message, NULL, NULL, SHMX_FOREVER);
}
#endif

static const struct {
    const char *name;
    int (*run)(void);
} operations[] = {{"lock-unlock", lock_unlock},
                  {"wake", wake},
                  {"cond-signal", cond_signal},
                  {"sem-post", sem_post},
                  {"queue-send-receive-16", queue_16},
                  {"queue-send-receive-256", queue_256},
                  {"queue-in-place-16", queue_in_place},
#ifdef SHMX_TOPIC_OLDEST
                  {"topic-publish-next-64", topic_publish_next},
#endif
                  {NULL, NULL}};

static void mark(const char *name)
{
    FILE *none = fopen(name, "r"); /* is not there; only strace sees it */
    if (none != NULL)
        fclose(none);
}

/* The first of each brings what a process needs once. */
static int calls(void)
{
    shmx *made = NULL, *more = NULL;
    int failed = 0;
    for (int i = 0; i < 2; i++) {
        mark(i == 0 ? "shmx-guard-first" : "shmx-guard-create");
        failed |= shmx_create(&made, "shmx-guard", 1024, 0);
        mark(i == 0 ? "shmx-guard-first" : "shmx-guard-open");
        failed |= shmx_open(&more, "shmx-guard", 0);
        mark(i == 0 ? "shmx-guard-first" : "shmx-guard-close");
        shmx_close(&more);
        mark(i == 0 ? "shmx-guard-first" : "shmx-guard-close-last");
        shmx_close(&made);
        mark("shmx-guard-end");
    }
    return failed != 0;
}

static int repeat(const char *name, int times)
{
    int failed = shmx_create(&shm, NULL, sizeof *stage + 2 * ROOM, 0);
    if (failed != 0)
        return 1;
    stage = shmx_data(shm);
    failed |= shmx_queue_open(&queue, shm, 4096, ROOM);
#ifdef SHMX_TOPIC_OLDEST
    failed |= shmx_topic_open(&topic, shm, 4096 + ROOM, ROOM / 2, 0);
#endif
    for (int i = 0; operations[i].name != NULL; i++)
        for (int k = 0; k < times && strcmp(operations[i].name, name) == 0; k++)
            failed |= operations[i].run();
#ifdef SHMX_TOPIC_OLDEST
    shmx_topic_close(&topic);
#endif
    shmx_queue_close(&queue);
    shmx_close(&shm);
    return failed != 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "calls") == 0)
        return calls();
    if (argc == 3)
        return repeat(argv[1], atoi(argv[2]));
    for (int i = 0; operations[i].name != NULL; i++)
        puts(operations[i].name);
    return 0;
}
