/* SPDX-License-Identifier: MIT */
/* Publishing to no, one and many readers: a topic, and a queue for each reader. */
#include "crew.h"
#include "sample.h"

#ifdef SHMX_TOPIC_OLDEST
#include <stdio.h>

#define MESSAGE 64
#define READERS_MOST CREW_MOST
#define MESSAGES 20000
#define TOPIC_SIZE ((size_t)1 << 20)
#define QUEUE_SIZE ((size_t)1 << 16)

struct stage {
    _Alignas(64) unsigned char topic[TOPIC_SIZE];
    _Alignas(64) unsigned char lossless[TOPIC_SIZE];
    unsigned char queues[READERS_MOST][QUEUE_SIZE];
};

enum form { WAY_TOPIC, WAY_LOSSLESS, WAY_QUEUES, WAY_COUNT };

static const char *const names[] = {"shmx_topic_publish", "shmx_topic_publish, lossless",
                                    "shmx_queue_send to each"};

enum kind { KIND_OPEN = 1, KIND_READ, KIND_CLOSE };

static shmx_topic *topics[2];
static shmx_queue *queues[READERS_MOST];
static unsigned char message[MESSAGE];

static size_t offset_of(const void *place)
{
    return (size_t)((const unsigned char *)place - (const unsigned char *)shmx_data(crew_shm));
}

static bool topics_open(bool reader)
{
    struct stage *stage = crew_stage;
    return shmx_topic_open(&topics[0], crew_shm, offset_of(stage->topic), TOPIC_SIZE, 0) == 0 &&
           shmx_topic_open(&topics[1], crew_shm, offset_of(stage->lossless), TOPIC_SIZE,
                           reader ? SHMX_TOPIC_LOSSLESS : 0) == 0;
}

static void topics_close(void)
{
    shmx_topic_close(&topics[0]);
    shmx_topic_close(&topics[1]);
}

static bool queue_open(uint32_t index)
{
    struct stage *stage = crew_stage;
    return shmx_queue_open(&queues[index], crew_shm, offset_of(stage->queues[index]), QUEUE_SIZE) ==
           0;
}

/* ---- the readers ---- */

/* The lost ones count as read: the last message has always been seen in the end. */
static bool read_topic(shmx_topic *topic, uint64_t times)
{
    int status = SHMX_OK;
    uint64_t lost = 0;
    for (uint64_t seen = 0; seen < times && status == SHMX_OK; seen += 1 + lost)
        status = shmx_topic_next(topic, message, MESSAGE, NULL, &lost, SHMX_FOREVER);
    return status == SHMX_OK;
}

static bool read_queue(shmx_queue *queue, uint32_t times)
{
    int status = SHMX_OK;
    for (uint32_t i = 0; i < times && status == SHMX_OK; i++)
        status = shmx_queue_receive(queue, message, MESSAGE, NULL, SHMX_FOREVER);
    return status == SHMX_OK;
}

static bool answer(uint32_t index, const struct crew_job *job)
{
    switch ((enum kind)job->kind) {
    case KIND_OPEN:
        return topics_open(true) && queue_open(index);
    case KIND_READ:
        return job->way == WAY_QUEUES ? read_queue(queues[index], job->times)
                                      : read_topic(topics[job->way], job->times);
    case KIND_CLOSE:
        topics_close();
        shmx_queue_close(&queues[index]);
        return true;
    }
    return false;
}

/* ---- the publisher: until all have it ---- */

static bool publish(enum form way, uint32_t readers)
{
    bool good = true;
    if (way != WAY_QUEUES)
        return shmx_topic_publish(topics[way], message, MESSAGE, SHMX_FOREVER) == SHMX_OK;
    for (uint32_t i = 0; i < readers && good; i++)
        good = shmx_queue_send(queues[i], message, MESSAGE, SHMX_FOREVER) == SHMX_OK;
    return good;
}

static double run(enum form way, uint32_t readers, uint32_t times)
{
    struct crew_job job = {.kind = KIND_READ, .way = way, .times = times, .apart = readers == 1};
    bool good = true;
    int64_t start = now_ns();
    crew_begin(&job, readers);
    for (uint32_t i = 0; i < times && good; i++)
        good = publish(way, readers);
    return crew_join() && good ? (double)(now_ns() - start) / times : -1;
}

static bool readers_table(uint32_t readers)
{
    char at[16];
    struct crew_job job = {.kind = KIND_OPEN};
    snprintf(at, sizeof at, "%u", (unsigned)readers);
    crew_begin(&job, readers);
    bool good = crew_join();
    for (int round = 0; round < sample_rounds() && good; round++)
        for (int way = 0; way < WAY_COUNT; way++)
            sample_value((struct place){"topic", at}, names[way], round,
                         run(way, readers, (uint32_t)sample_scaled(MESSAGES)));
    job.kind = KIND_CLOSE;
    crew_begin(&job, readers);
    return crew_join() && good;
}

int main(int argc, char **argv)
{
    static const uint32_t counts[] = {0, 1, 2, 4, 8, 16, 32, 64};
    int status;
    if (crew_member(argc, argv, answer, &status))
        return status;
    if (!sample_begin(argc, argv))
        return 2;
    if (!crew_start(argv[0], sizeof(struct stage), READERS_MOST))
        return 1;
    bool good = topics_open(false);
    for (uint32_t i = 0; i < READERS_MOST; i++)
        good &= queue_open(i);
    for (size_t i = 0; i < sizeof counts / sizeof *counts && good; i++)
        good &= readers_table(counts[i]);
    for (uint32_t i = 0; i < READERS_MOST; i++)
        shmx_queue_close(&queues[i]);
    topics_close();
    return !(crew_end() && good);
}
#else
int main(void)
{
    return 0;
}
#endif
