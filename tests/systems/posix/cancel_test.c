/* SPDX-License-Identifier: MIT */
/* No call is a cancellation point: a thread that is to be cancelled comes to the end of each. */
#include <pthread.h>

#include "support.h"

#define SIZE 65536
#define SOON_MS 150 /* longer than a waiter is content with one look at who is there */

static const char *name;
static char bytes[4096];

static int none(void *context)
{
    (void)context;
    return 0;
}

static int any_info(const shmx_info *info, void *context)
{
    (void)info;
    (void)context;
    return 0;
}

static int any_key(uint32_t key, void *context)
{
    (void)key;
    (void)context;
    return 0;
}

static void segments(void)
{
    shmx *shm, *reader, *other;
    shmx_info info;
    must(shmx_create(&shm, name, SIZE, SHMX_PREFAULT) == SHMX_OK);
    must(shmx_open(&reader, name, SHMX_READ_ONLY) == SHMX_OK);
    must(shmx_stat(name, &info) == SHMX_OK);
    must(shmx_list(any_info, NULL) == SHMX_OK);
    must(shmx_prune(NULL) == SHMX_OK);
    must(shmx_unlink(name) == SHMX_OK);
    must(shmx_open_wait(&other, name, 0, SOON_MS) == SHMX_ETIMEDOUT);
    shmx_close(&reader);
    shmx_close(&shm);
}

static void unlink_one_with(unsigned flags)
{
    shmx *shm;
    must(shmx_create(&shm, NULL, SIZE, flags) == SHMX_OK);
    must(shmx_unlink(shmx_name(shm)) == SHMX_OK);
    shmx_close(&shm);
}

static void other_segments(void)
{
    unlink_one_with(SHMX_PERSISTENT);
    unlink_one_with(SHMX_RAW);
}

static void handing_on(void)
{
    char token[SHMX_TOKEN_MAX];
    shmx *shm, *adopted;
    must(shmx_create(&shm, name, SIZE, 0) == SHMX_OK);
    must(shmx_share(shm, token, sizeof token) == SHMX_OK);
    must(shmx_share(shm, token, sizeof token) == SHMX_OK);
    must(shmx_adopt(&adopted, token, 0) == SHMX_OK);
    shmx_close(&adopted);
    shmx_close(&shm);
}

static void locks(void)
{
    shmx *shm, *other;
    must(shmx_create(&shm, name, SIZE, 0) == SHMX_OK);
    must(shmx_open(&other, name, 0) == SHMX_OK);
    shmx_mutex *mutex = shmx_data(shm);
    shmx_cond *cond = (shmx_cond *)(mutex + 1);
    must(shmx_mutex_lock(shm, mutex, 0) == SHMX_OK);
    must(shmx_cond_wait(shm, cond, mutex, SOON_MS) == SHMX_ETIMEDOUT);
    must(shmx_cond_broadcast(shm, cond) == SHMX_OK);
    must(shmx_mutex_unlock(shm, mutex) == SHMX_OK);
    must(shmx_mutex_lock(other, shmx_data(other), 0) == SHMX_OK);
    shmx_close(&other);
    must(shmx_mutex_lock(shm, mutex, SHMX_FOREVER) == SHMX_EOWNERDEAD);
    must(shmx_once_run(shm, (shmx_once *)(mutex + 2), none, NULL) == SHMX_OK);
    must(shmx_sem_wait(shm, (shmx_sem *)(mutex + 3), SOON_MS) == SHMX_ETIMEDOUT);
    must(shmx_sem_post(shm, (shmx_sem *)(mutex + 3), 1) == SHMX_OK);
    shmx_close(&shm);
}

static void waiting(void)
{
    shmx *shm, *reader;
    must(shmx_create(&shm, name, SIZE, 0) == SHMX_OK);
    must(shmx_open(&reader, name, SHMX_READ_ONLY) == SHMX_OK);
    shmx_wait(shm, shmx_data(shm), 0, SOON_MS);
    shmx_wait(reader, shmx_data(reader), 0, SOON_MS);
    must(shmx_wake(shm, shmx_data(shm), SHMX_WAKE_ALL) == SHMX_OK);
    must(shmx_presence_enter(shm, 1) == SHMX_OK);
    must(shmx_presence_wait(shm, 1, 1, SOON_MS) == SHMX_ETIMEDOUT);
    must(shmx_presence_list(reader, any_key, NULL) == SHMX_OK);
    must(shmx_presence_leave(shm, 1) == SHMX_OK);
    shmx_close(&reader);
    shmx_close(&shm);
}

static void queues(void)
{
    shmx *shm;
    shmx_queue *queue;
    must(shmx_create(&shm, name, SIZE, 0) == SHMX_OK);
    must(shmx_queue_open(&queue, shm, 0, sizeof bytes) == SHMX_OK);
    must(shmx_queue_join(queue, SHMX_SENDER | SHMX_RECEIVER) == SHMX_OK);
    must(shmx_queue_receive(queue, bytes, sizeof bytes, NULL, SOON_MS) == SHMX_ETIMEDOUT);
    while (shmx_queue_send(queue, bytes, 1000, SOON_MS) == SHMX_OK)
        ;
    must(shmx_queue_shutdown(queue) == SHMX_OK);
    shmx_queue_close(&queue);
    shmx_close(&shm);
}

static void topics(void)
{
    shmx *shm;
    shmx_topic *topic;
    must(shmx_create(&shm, name, SIZE, 0) == SHMX_OK);
    must(shmx_topic_open(&topic, shm, 0, sizeof bytes, SHMX_TOPIC_LOSSLESS) == SHMX_OK);
    must(shmx_topic_join(topic, SHMX_SENDER | SHMX_RECEIVER) == SHMX_OK);
    must(shmx_topic_next(topic, bytes, sizeof bytes, NULL, NULL, SOON_MS) == SHMX_ETIMEDOUT);
    must(shmx_topic_latest(topic, bytes, sizeof bytes, NULL, NULL, SOON_MS) == SHMX_ETIMEDOUT);
    while (shmx_topic_publish(topic, bytes, 800, SOON_MS) == SHMX_OK)
        ;
    must(shmx_topic_shutdown(topic) == SHMX_OK);
    shmx_topic_close(&topic);
    shmx_close(&shm);
}

struct errand {
    void (*run)(void);
    bool done;
};

static void *to_be_cancelled(void *context)
{
    struct errand *errand = context;
    pthread_cancel(pthread_self());
    errand->run();
    errand->done = true;
    pthread_testcancel();
    return NULL;
}

static void no_call_is_a_cancellation_point(void **state)
{
    (void)state;
    static void (*const errands[])(void) = {segments, other_segments, handing_on, locks,
                                            waiting,  queues,         topics};
    name = test_name();
    for (size_t i = 0; i < sizeof errands / sizeof *errands; i++) {
        struct errand errand = {errands[i], false};
        pthread_t thread;
        void *result;
        assert_int_equal(pthread_create(&thread, NULL, to_be_cancelled, &errand), 0);
        assert_int_equal(pthread_join(thread, &result), 0);
        assert_true(errand.done);
        assert_ptr_equal(result, PTHREAD_CANCELED);
    }
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(no_call_is_a_cancellation_point)};

TEST_MAIN(tests, no_parts)
