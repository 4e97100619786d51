/* SPDX-License-Identifier: MIT */
/* Linux: one that waits for long hardly ever wakes. The kernel counts how often it went to sleep.
 */
#include <sys/resource.h>

#include "support.h"

#define WAIT_MS 1000
#define WAKES_ASKING 16 /* 1 s of 95 ms each, and a few more */
#define WAKES_PATIENT 6 /* of 360 ms each, and a few more */

/* The owner of a mutex is asked after half as often after the first second. */
#define LONG_MS 3000
#define WAKES_LONG 26 /* 1 s of 95 ms each, 2 s of 190, and a few more */

struct place {
    shmx *shm;
    shmx_queue *queue;
    shmx_topic *topic;
    shmx_queue *free_queue; /* which nobody has joined */
    shmx_topic *free_topic;
};

#define KEY 1
#define QUEUE_AT 4096
#define TOPIC_AT 65536
#define FREE_QUEUE_AT 131072
#define FREE_TOPIC_AT 196608
#define REGION 32768

static void open_all(struct place *place, const char *name)
{
    must(shmx_open_or_create(&place->shm, name, 262144, 0, NULL) == SHMX_OK);
    must(shmx_queue_open(&place->queue, place->shm, QUEUE_AT, REGION) == SHMX_OK);
    must(shmx_topic_open(&place->topic, place->shm, TOPIC_AT, REGION, 0) == SHMX_OK);
    must(shmx_queue_open(&place->free_queue, place->shm, FREE_QUEUE_AT, REGION) == SHMX_OK);
    must(shmx_topic_open(&place->free_topic, place->shm, FREE_TOPIC_AT, REGION, 0) == SHMX_OK);
}

static void close_all(struct place *place)
{
    shmx_topic_close(&place->free_topic);
    shmx_queue_close(&place->free_queue);
    shmx_topic_close(&place->topic);
    shmx_queue_close(&place->queue);
    shmx_close(&place->shm);
}

static int lock(struct place *place)
{
    return shmx_mutex_lock(place->shm, shmx_data(place->shm), WAIT_MS);
}

static int lock_long(struct place *place)
{
    return shmx_mutex_lock(place->shm, shmx_data(place->shm), LONG_MS);
}

static int receive_from(shmx_queue *queue)
{
    char byte;
    size_t size;
    return shmx_queue_receive(queue, &byte, 1, &size, WAIT_MS);
}

static int next_of(shmx_topic *topic)
{
    char byte;
    size_t size;
    return shmx_topic_next(topic, &byte, 1, &size, NULL, WAIT_MS);
}

static int receive(struct place *place)
{
    return receive_from(place->queue);
}

static int next(struct place *place)
{
    return next_of(place->topic);
}

static int receive_free(struct place *place)
{
    return receive_from(place->free_queue);
}

static int next_free(struct place *place)
{
    return next_of(place->free_topic);
}

static int present(struct place *place)
{
    return shmx_presence_wait(place->shm, KEY, 0, WAIT_MS);
}

static long sleeps(void)
{
    struct rusage usage;
    /* Of this thread: the thread sanitizer has one of its own. */
    must(getrusage(RUSAGE_THREAD, &usage) == 0);
    return usage.ru_nvcsw;
}

static void wait_long(void *context)
{
    static const struct way {
        int (*wait)(struct place *);
        long most;
    } ways[] = {{lock, WAKES_ASKING},   {lock_long, WAKES_LONG},       {receive, WAKES_ASKING},
                {next, WAKES_ASKING},   {receive_free, WAKES_PATIENT}, {next_free, WAKES_PATIENT},
                {present, WAKES_ASKING}};
    struct place place;
    open_all(&place, context);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        long before = sleeps();
        must(ways[i].wait(&place) == SHMX_ETIMEDOUT);
        must(sleeps() - before <= ways[i].most);
    }
    close_all(&place);
}

/* The owner, the sender and the one who is there live, and are asked after. */
static void one_that_waits_hardly_wakes(void **state)
{
    (void)state;
    const char *name = test_name();
    struct place place;
    open_all(&place, name);
    assert_ok(shmx_mutex_lock(place.shm, shmx_data(place.shm), 0));
    assert_ok(shmx_queue_join(place.queue, SHMX_SENDER));
    assert_ok(shmx_topic_join(place.topic, SHMX_SENDER));
    assert_ok(shmx_presence_enter(place.shm, KEY));
    assert_int_equal(child_wait(child_fork(wait_long, (void *)name)), 0);
    close_all(&place);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(one_that_waits_hardly_wakes)};

TEST_MAIN(tests, no_parts)
