/* SPDX-License-Identifier: MIT */
/* Two versions of the library meet at one queue and one topic. This program is built twice, with
 * the library as it is and with other layouts of the two; SHMX_OTHER_VERSION is the other program.
 */
#include "support.h"

#include <stdlib.h>

#define SIZE 8192

PART(inside)
{
    shmx *shm;
    shmx_queue *queue;
    shmx_topic *topic;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    say("%s", shmx_status_name(shmx_queue_open(&queue, shm, 0, SIZE / 2)));
    say("%s", shmx_status_name(shmx_topic_open(&topic, shm, SIZE / 2, SIZE / 2, 0)));
    must(queue == NULL && topic == NULL);
    shmx_close(&shm);
    return 0;
}

static void another_layout_of_a_queue_or_topic_is_refused(void **state)
{
    (void)state;
    const char *name = test_name(), *program = getenv("SHMX_OTHER_VERSION");
    assert_non_null(program);
    char buffer[16];
    shmx *shm;
    shmx_queue *queue;
    shmx_topic *topic;
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    assert_ok(shmx_queue_open(&queue, shm, 0, SIZE / 2));
    assert_ok(shmx_topic_open(&topic, shm, SIZE / 2, SIZE / 2, SHMX_TOPIC_OLDEST));
    assert_ok(shmx_queue_send(queue, "queue", 6, 0));
    assert_ok(shmx_topic_publish(topic, "topic", 6, 0));
    const char *const words[] = {"inside", name, NULL};
    struct test_child *child = child_start_program(program, words);
    child_expect(child, "SHMX_EPROTO");
    child_expect(child, "SHMX_EPROTO");
    assert_int_equal(child_wait(child), 0);
    assert_ok(shmx_queue_receive(queue, buffer, sizeof buffer, NULL, 0));
    assert_string_equal(buffer, "queue");
    assert_ok(shmx_topic_next(topic, buffer, sizeof buffer, NULL, NULL, 0));
    assert_string_equal(buffer, "topic");
    shmx_topic_close(&topic);
    shmx_queue_close(&queue);
    shmx_close(&shm);
}

static const struct test_part parts[] = {{"inside", part_inside}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(another_layout_of_a_queue_or_topic_is_refused),
};

TEST_MAIN(tests, parts)
