/* SPDX-License-Identifier: MIT */
/* The topic: every promise of its section in shmx.h, between threads and processes. */
#include "support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topic/layout.h"

#define SIZE 65536
#define SHORT_MS 60 /* a wait that is to end in vain */

struct fixture {
    const char *name;
    shmx *shm;
    shmx_topic *topic;
};

static struct fixture open_new(size_t size)
{
    struct fixture fixture = {.name = test_name()};
    assert_ok(shmx_create(&fixture.shm, fixture.name, size, 0));
    assert_ok(shmx_topic_open(&fixture.topic, fixture.shm, 0, size, 0));
    return fixture;
}

static void close_both(struct fixture *fixture)
{
    shmx_topic_close(&fixture->topic);
    assert_null(fixture->topic);
    shmx_close(&fixture->shm);
}

static shmx_topic *another(const struct fixture *fixture, unsigned flags)
{
    shmx_topic *topic;
    assert_ok(shmx_topic_open(&topic, fixture->shm, 0, shmx_size(fixture->shm), flags));
    return topic;
}

static void publish_text(shmx_topic *topic, const char *text)
{
    assert_ok(shmx_topic_publish(topic, text, strlen(text), 0));
}

#define expect_text(topic, text, missed)                                                           \
    do {                                                                                           \
        char got_[64];                                                                             \
        size_t size_;                                                                              \
        uint64_t lost_;                                                                            \
        assert_ok(shmx_topic_next(topic, got_, sizeof got_ - 1, &size_, &lost_, 0));               \
        got_[size_] = '\0';                                                                        \
        assert_string_equal(got_, text);                                                           \
        assert_int_equal(lost_, missed);                                                           \
    } while (0)

#define expect_nothing(topic)                                                                      \
    do {                                                                                           \
        char got_[64];                                                                             \
        size_t size_ = 7;                                                                          \
        uint64_t lost_ = 7;                                                                        \
        assert_status(shmx_topic_next(topic, got_, sizeof got_, &size_, &lost_, 0),                \
                      SHMX_ETIMEDOUT);                                                             \
        assert_int_equal(size_, 0);                                                                \
        assert_int_equal(lost_, 0);                                                                \
    } while (0)

#define expect_latest(topic, text, count)                                                          \
    do {                                                                                           \
        char got_[64];                                                                             \
        size_t size_;                                                                              \
        uint64_t number_;                                                                          \
        assert_ok(shmx_topic_latest(topic, got_, sizeof got_ - 1, &size_, &number_, 0));           \
        got_[size_] = '\0';                                                                        \
        assert_string_equal(got_, text);                                                           \
        assert_int_equal(number_, count);                                                          \
    } while (0)

/* Messages whose length and bytes follow from their number, which they begin with. */
static size_t numbered(unsigned char *message, uint64_t number, size_t longest)
{
    size_t size = 8 + (size_t)((number * 2654435761u >> 8) % (longest - 7));
    memcpy(message, &number, 8);
    for (size_t i = 8; i < size; i++)
        message[i] = (unsigned char)(number * 31 + i * 7);
    return size;
}

static bool numbered_right(const unsigned char *message, size_t size, uint64_t number,
                           size_t longest)
{
    static _Thread_local unsigned char expected[SIZE];
    return size == numbered(expected, number, longest) && memcmp(message, expected, size) == 0;
}

/* ---- one thread ---- */

static void a_zeroed_region_is_an_empty_topic(void **state)
{
    (void)state;
    struct fixture fixture = open_new(SIZE);
    char got[8];
    size_t size = 7;
    uint64_t number = 7;
    expect_nothing(fixture.topic);
    assert_status(shmx_topic_latest(fixture.topic, got, 8, &size, &number, 0), SHMX_ETIMEDOUT);
    assert_int_equal(size, 0);
    assert_int_equal(number, 0);
    shmx_topic *second = another(&fixture, 0);
    assert_int_equal(shmx_topic_max_message(second), shmx_topic_max_message(fixture.topic));
    publish_text(fixture.topic, "one");
    publish_text(second, "two");
    for (int i = 0; i < 2; i++) { /* every reader gets everything, the publishers too */
        shmx_topic *reader = i == 0 ? fixture.topic : second;
        expect_latest(reader, "two", 2);
        expect_text(reader, "one", 0);
        expect_text(reader, "two", 0);
        expect_nothing(reader);
        expect_latest(reader, "two", 2);
    }
    shmx_topic_close(&second);
    shmx_topic_close(&second);
    shmx_topic_close(NULL);
    close_both(&fixture);
}

static void regions_that_are_wrong(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx *shm = fixture.shm, *reader;
    shmx_topic *topic = fixture.topic;
    shmx_queue *queue;
    assert_status(shmx_topic_open(NULL, shm, 0, 4096, 0), SHMX_EINVAL);
    assert_status(shmx_topic_open(&topic, NULL, 0, 4096, 0), SHMX_EINVAL);
    assert_null(topic);
    assert_status(shmx_topic_open(&topic, shm, 0, 4096, 4), SHMX_EINVAL);
    assert_status(shmx_topic_open(&topic, shm, 4, 2048, 0), SHMX_EINVAL);
    assert_status(shmx_topic_open(&topic, shm, 0, 0, 0), SHMX_EINVAL);
    assert_status(shmx_topic_open(&topic, shm, 0, shmx_topic_size_for(16, 1) - 1, 0), SHMX_EINVAL);
    assert_status(shmx_topic_open(&topic, shm, 0, 4097, 0), SHMX_ERANGE);
    assert_status(shmx_topic_open(&topic, shm, 8, 4089, 0), SHMX_ERANGE);
    assert_status(shmx_topic_open(&topic, shm, SIZE_MAX - 7, 4096, 0), SHMX_ERANGE);
    assert_status(shmx_topic_open(&topic, shm, 0, SIZE_MAX, 0), SHMX_ERANGE);
    assert_status(shmx_topic_open(&topic, shm, 0, 2048, 0), SHMX_ERANGE); /* it has 4096 */
    assert_status(shmx_topic_open(&topic, shm, 8, 2048, 0), SHMX_EPROTO); /* it is shifted */
    assert_status(shmx_queue_open(&queue, shm, 0, 4096), SHMX_EPROTO);
    assert_ok(shmx_open(&reader, fixture.name, SHMX_READ_ONLY));
    assert_status(shmx_topic_open(&topic, reader, 0, 4096, SHMX_TOPIC_LOSSLESS), SHMX_EACCES);
    assert_status(shmx_topic_open(&topic, reader, 0, 2048, 0), SHMX_ERANGE);
    shmx_close(&reader);
    publish_text(fixture.topic, "whole");
    expect_text(fixture.topic, "whole", 0);
    close_both(&fixture);
    assert_ok(shmx_create(&shm, NULL, 4096, 0));
    assert_ok(shmx_queue_open(&queue, shm, 0, 4096));
    assert_status(shmx_topic_open(&topic, shm, 0, 4096, 0), SHMX_EPROTO);
    assert_null(topic);
    shmx_queue_close(&queue);
    shmx_close(&shm);
}

/* The start of another is zero, so it looks new; but what follows is not. */
static void a_region_that_is_not_zeroed_is_refused(void **state)
{
    (void)state;
    struct fixture fixture = open_new(SIZE);
    static unsigned char before[SIZE];
    shmx_topic *topic;
    shmx_queue *queue;
    for (int i = 0; i < 100; i++)
        publish_text(fixture.topic, "bytes");
    memcpy(before, shmx_data(fixture.shm), SIZE);
    for (size_t offset = 8; offset < 2048; offset += 8) {
        assert_status(shmx_topic_open(&topic, fixture.shm, offset, SIZE / 2, 0), SHMX_EPROTO);
        if (offset < offsetof(struct topic_header, front))
            assert_status(shmx_queue_open(&queue, fixture.shm, offset, SIZE / 2), SHMX_EPROTO);
    }
    assert_memory_equal(shmx_data(fixture.shm), before, SIZE);
    expect_latest(fixture.topic, "bytes", 100);
    close_both(&fixture);
}

/* Whatever is refused changes no byte of the topic. */
static void what_is_refused_changes_nothing(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_topic *topic = fixture.topic, *other;
    unsigned char before[4096];
    void *place, *second;
    char buffer[8];
    size_t longest = shmx_topic_max_message(topic);
    publish_text(topic, "message");
    assert_ok(shmx_topic_reserve(topic, 8, &place, 0));
    memcpy(before, shmx_data(fixture.shm), sizeof before);
    assert_status(shmx_topic_open(&other, fixture.shm, 0, 2048, 0), SHMX_ERANGE);
    assert_status(shmx_topic_open(&other, fixture.shm, 0, 4096, 4), SHMX_EINVAL);
    assert_status(shmx_topic_reserve(topic, 8, &second, 0), SHMX_EINVAL);
    assert_null(second);
    assert_status(shmx_topic_commit(topic, 9), SHMX_EINVAL);
    assert_status(shmx_topic_publish(topic, before, longest + 1, 0), SHMX_EMSGSIZE);
    assert_status(shmx_topic_publish(topic, before, SIZE_MAX / 2 + 2, 0), SHMX_EMSGSIZE);
    assert_status(shmx_topic_next(topic, buffer, 6, NULL, NULL, 0), SHMX_EMSGSIZE);
    assert_status(shmx_topic_latest(topic, buffer, 6, NULL, NULL, 0), SHMX_EMSGSIZE);
    assert_status(shmx_topic_join(topic, 0), SHMX_EINVAL);
    assert_status(shmx_topic_join(topic, SHMX_SENDER | 4), SHMX_EINVAL);
    assert_memory_equal(shmx_data(fixture.shm), before, sizeof before);
    assert_ok(shmx_topic_cancel(topic));
    assert_ok(shmx_topic_shutdown(topic));
    memcpy(before, shmx_data(fixture.shm), sizeof before);
    assert_status(shmx_topic_publish(topic, "x", 1, 0), SHMX_EHANGUP);
    assert_status(shmx_topic_reserve(topic, 8, &place, 0), SHMX_EHANGUP);
    assert_null(place);
    assert_memory_equal(shmx_data(fixture.shm), before, sizeof before);
    close_both(&fixture);
}

static void arguments_that_are_wrong(void **state)
{
    (void)state;
    struct fixture fixture = open_new(SIZE);
    shmx_topic *topic = fixture.topic;
    char buffer[8];
    void *place = buffer;
    size_t size;
    assert_status(shmx_topic_publish(NULL, "x", 1, 0), SHMX_EINVAL);
    assert_status(shmx_topic_publish(topic, NULL, 1, 0), SHMX_EINVAL);
    assert_status(shmx_topic_publish(topic, NULL, SIZE_MAX, 0), SHMX_EINVAL);
    assert_status(shmx_topic_reserve(topic, SIZE_MAX, NULL, 0), SHMX_EINVAL);
    assert_status(shmx_topic_publish(topic, "x", 1, -2), SHMX_EINVAL);
    assert_status(shmx_topic_next(NULL, buffer, 8, &size, NULL, 0), SHMX_EINVAL);
    assert_status(shmx_topic_next(topic, NULL, 8, &size, NULL, 0), SHMX_EINVAL);
    assert_status(shmx_topic_next(topic, buffer, 8, &size, NULL, -2), SHMX_EINVAL);
    assert_status(shmx_topic_latest(NULL, buffer, 8, &size, NULL, 0), SHMX_EINVAL);
    assert_status(shmx_topic_latest(topic, NULL, 8, &size, NULL, 0), SHMX_EINVAL);
    assert_status(shmx_topic_latest(topic, buffer, 8, &size, NULL, -2), SHMX_EINVAL);
    assert_status(shmx_topic_reserve(NULL, 8, &place, 0), SHMX_EINVAL);
    assert_null(place);
    assert_status(shmx_topic_reserve(topic, 8, NULL, 0), SHMX_EINVAL);
    assert_status(shmx_topic_reserve(topic, 8, &place, -2), SHMX_EINVAL);
    assert_status(shmx_topic_commit(NULL, 0), SHMX_EINVAL);
    assert_status(shmx_topic_commit(topic, 0), SHMX_EINVAL);
    assert_status(shmx_topic_cancel(NULL), SHMX_EINVAL);
    assert_status(shmx_topic_cancel(topic), SHMX_EINVAL);
    assert_status(shmx_topic_shutdown(NULL), SHMX_EINVAL);
    assert_int_equal(shmx_topic_max_message(NULL), 0);
    assert_int_equal(shmx_os_error(), 0);
    expect_nothing(topic);
    close_both(&fixture);
}

static void the_size_for_so_many_keeps_them(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 16, 17, 100, 4096};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (size_t count = 1; count < 6; count++) {
            struct fixture fixture = open_new(shmx_topic_size_for(lengths[i], count));
            unsigned char message[4096] = {0}, got[4096];
            assert_true(shmx_topic_max_message(fixture.topic) >= lengths[i]);
            for (uint32_t n = 1; n <= 100; n++) {
                message[0] = (unsigned char)n;
                assert_ok(shmx_topic_publish(fixture.topic, message, lengths[i], 0));
                shmx_topic *reader = another(&fixture, SHMX_TOPIC_OLDEST);
                uint32_t kept = 0;
                while (shmx_topic_next(reader, got, 4096, NULL, NULL, 0) == SHMX_OK)
                    kept++;
                assert_true(kept >= (n < count ? n : count));
                shmx_topic_close(&reader);
            }
            close_both(&fixture);
        }
    }
    assert_int_equal(shmx_topic_size_for(0, 0), 0);
    assert_int_equal(shmx_topic_size_for(SIZE_MAX, 1), 0);
    assert_int_equal(shmx_topic_size_for(1, SIZE_MAX), 0);
    assert_int_equal(shmx_topic_size_for(1 << 20, SIZE_MAX / 2), 0);
    assert_int_equal(shmx_topic_size_for(SIZE_MAX, SIZE_MAX), 0);
}

/* All lengths, the longest included, in odd regions, beginning near where 32 bits end. */
static void any_length_at_any_place(void **state)
{
    (void)state;
    for (size_t size = 1376; size < 2200; size += 24) {
        shmx *shm;
        shmx_topic *topic;
        static unsigned char sent[SIZE], got[SIZE];
        uint64_t lost;
        assert_ok(shmx_create(&shm, NULL, size + 24, 0));
        struct topic_header *header = (struct topic_header *)((char *)shmx_data(shm) + 16);
        assert_ok(shmx_topic_open(&topic, shm, 16, size + 1, 0));
        shmx_topic_close(&topic);
        atomic_store(&header->front.head, UINT32_MAX - 40);
        atomic_store(&header->publishers.tail, UINT32_MAX - 40);
        atomic_store(&header->publishers.shown, UINT32_MAX - 40);
        atomic_store(&header->publishers.number, UINT32_MAX - 20);
        assert_ok(shmx_topic_open(&topic, shm, 16, size + 1, 0));
        size_t longest = shmx_topic_max_message(topic), length;
        for (uint64_t number = 1; number < 400; number++) {
            size_t expected = number % 3 == 0 ? longest : number % (longest + 1);
            memset(sent, (int)number, expected);
            assert_ok(shmx_topic_publish(topic, sent, expected, 0));
            assert_ok(shmx_topic_next(topic, got, sizeof got, &length, &lost, 0));
            assert_int_equal(length, expected);
            assert_memory_equal(got, sent, length);
            assert_int_equal(lost, 0);
            assert_ok(shmx_topic_latest(topic, got, sizeof got, &length, &lost, 0));
            assert_int_equal(length, expected);
            assert_memory_equal(got, sent, length);
            assert_int_equal(lost, (uint64_t)UINT32_MAX - 20 + number);
        }
        assert_int_equal(((unsigned char *)shmx_data(shm))[15], 0);
        assert_int_equal(((unsigned char *)shmx_data(shm))[16 + size + 1], 0);
        shmx_topic_close(&topic);
        shmx_close(&shm);
    }
}

/* Not a byte too many, there or here: a message has neighbours in the ring. */
static void each_length_is_copied_to_the_byte(void **state)
{
    (void)state;
    enum { MOST = 300 };
    struct fixture fixture = open_new(SIZE);
    shmx_topic *readers[] = {another(&fixture, 0), another(&fixture, SHMX_TOPIC_LOSSLESS)};
    unsigned char sent[MOST], got[MOST + 1];
    for (size_t i = 0; i < MOST; i++)
        sent[i] = (unsigned char)(1 + i * 7 + i / 37);
    for (size_t length = 0; length < MOST; length++) {
        size_t size;
        uint64_t number;
        memset(got, 0, sizeof got);
        assert_ok(shmx_topic_publish(fixture.topic, sent, length, 0));
        assert_ok(shmx_topic_latest(fixture.topic, got, length, &size, &number, 0));
        assert_int_equal(number, length + 1);
        assert_int_equal(size, length);
        assert_memory_equal(got, sent, length);
        assert_int_equal(got[length], 0);
    }
    for (size_t i = 0; i < 2 * MOST; i++) {
        size_t size, length = i / 2;
        uint64_t lost;
        memset(got, 0, sizeof got);
        assert_ok(shmx_topic_next(readers[i % 2], got, length, &size, &lost, 0));
        assert_int_equal(lost, 0);
        assert_int_equal(size, length);
        assert_memory_equal(got, sent, length);
        assert_int_equal(got[length], 0);
    }
    shmx_topic_close(&readers[0]);
    shmx_topic_close(&readers[1]);
    close_both(&fixture);
}

static void a_slow_reader_is_told_exactly_what_it_missed(void **state)
{
    (void)state;
    enum { LONGEST = 600 };
    struct fixture fixture = open_new(8192);
    shmx_topic *reader = another(&fixture, 0);
    static unsigned char message[SIZE];
    uint64_t published = 0, read = 0, lost, missed = 0;
    size_t size;
    void *place;
    for (int round = 0; round < 3000; round++) {
        for (uint32_t count = test_random() % 40; count > 0; count--) {
            size = numbered(message, published++, LONGEST);
            assert_ok(shmx_topic_publish(fixture.topic, message, size, 0));
            if (count % 5 == 0) { /* what was cancelled is not counted */
                assert_ok(shmx_topic_reserve(fixture.topic, 200, &place, 0));
                assert_ok(shmx_topic_cancel(fixture.topic));
            }
        }
        for (uint32_t count = test_random() % 20; count > 0 && read < published; count--) {
            assert_ok(shmx_topic_next(reader, message, LONGEST, &size, &lost, 0));
            read += lost;
            missed += lost;
            assert_true(numbered_right(message, size, read++, LONGEST));
        }
    }
    assert_true(missed > 1000);
    shmx_topic_close(&reader);
    close_both(&fixture);
}

static void where_a_reader_begins(void **state)
{
    (void)state;
    struct fixture fixture = open_new(shmx_topic_size_for(8, 3));
    shmx_topic *first = another(&fixture, SHMX_TOPIC_OLDEST);
    expect_nothing(first);
    char text[8];
    for (int i = 1; i <= 100; i++) {
        snprintf(text, sizeof text, "%d", i);
        publish_text(fixture.topic, text);
    }
    shmx_topic *oldest = another(&fixture, SHMX_TOPIC_OLDEST), *later = another(&fixture, 0);
    expect_nothing(later);
    expect_text(oldest, "97", 0);
    expect_text(first, "97", 96);
    expect_text(first, "98", 0);
    publish_text(fixture.topic, "101");
    expect_text(later, "101", 0);
    expect_nothing(later);
    expect_text(oldest, "98", 0);
    shmx_topic_close(&first);
    shmx_topic_close(&oldest);
    shmx_topic_close(&later);
    close_both(&fixture);
}

static void too_long_is_refused_and_loses_nothing(void **state)
{
    (void)state;
    struct fixture fixture = open_new(8192);
    static unsigned char message[8192];
    size_t longest = shmx_topic_max_message(fixture.topic), size;
    void *place;
    assert_true(longest > 2000 && longest < 8192);
    assert_status(shmx_topic_publish(fixture.topic, message, longest + 1, 0), SHMX_EMSGSIZE);
    assert_status(shmx_topic_publish(fixture.topic, message, SIZE_MAX, -1), SHMX_EMSGSIZE);
    assert_status(shmx_topic_reserve(fixture.topic, longest + 1, &place, 0), SHMX_EMSGSIZE);
    assert_null(place);
    expect_nothing(fixture.topic);
    static const size_t lengths[] = {17, 1500}; /* copied under the lock, and not */
    for (size_t i = 0; i < 2; i++) {
        assert_ok(shmx_topic_publish(fixture.topic, message, lengths[i], 0));
        for (int k = 0; k < 3; k++) {
            assert_status(shmx_topic_next(fixture.topic, message, lengths[i] - 1, &size, NULL, -1),
                          SHMX_EMSGSIZE);
            assert_int_equal(size, lengths[i]);
            size = 0;
            assert_status(
                shmx_topic_latest(fixture.topic, message, lengths[i] - 1, &size, NULL, -1),
                SHMX_EMSGSIZE);
            assert_int_equal(size, lengths[i]);
        }
        assert_status(shmx_topic_next(fixture.topic, NULL, 0, NULL, NULL, 0), SHMX_EMSGSIZE);
        assert_ok(shmx_topic_next(fixture.topic, message, lengths[i], &size, NULL, 0));
        assert_int_equal(size, lengths[i]);
    }
    close_both(&fixture);
}

static void empty_messages_are_messages(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    void *place;
    size_t size = 5;
    uint64_t number;
    assert_ok(shmx_topic_publish(fixture.topic, NULL, 0, 0));
    assert_ok(shmx_topic_next(fixture.topic, NULL, 0, &size, NULL, 0));
    assert_int_equal(size, 0);
    assert_ok(shmx_topic_reserve(fixture.topic, 100, &place, 0));
    assert_ok(shmx_topic_commit(fixture.topic, 0));
    expect_text(fixture.topic, "", 0);
    assert_ok(shmx_topic_latest(fixture.topic, NULL, 0, &size, &number, 0));
    assert_int_equal(number, 2);
    expect_nothing(fixture.topic);
    close_both(&fixture);
}

static void time_limits_are_kept(void **state)
{
    (void)state;
    static const int limits[] = {1, 49, 51, 130};
    struct fixture fixture = open_new(4096);
    shmx_topic *lossless = another(&fixture, SHMX_TOPIC_LOSSLESS);
    char buffer[4096] = {0};
    void *place;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        int64_t start = test_now_ms();
        assert_status(shmx_topic_next(fixture.topic, buffer, 64, NULL, NULL, limits[i]),
                      SHMX_ETIMEDOUT);
        assert_status(shmx_topic_latest(fixture.topic, buffer, 64, NULL, NULL, limits[i]),
                      SHMX_ETIMEDOUT);
        assert_true(test_now_ms() - start >= 2 * limits[i] - 16);
    }
    while (shmx_topic_publish(fixture.topic, buffer, 900, 0) == SHMX_OK)
        ;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        int64_t start = test_now_ms();
        assert_status(shmx_topic_publish(fixture.topic, buffer, 900, limits[i]), SHMX_ETIMEDOUT);
        assert_status(shmx_topic_reserve(fixture.topic, 900, &place, limits[i]), SHMX_ETIMEDOUT);
        assert_null(place);
        assert_true(test_now_ms() - start >= 2 * limits[i] - 16);
    }
    shmx_topic_close(&lossless);
    close_both(&fixture);
}

/* ---- reservations ---- */

static void a_reservation_can_be_shorter_or_taken_back(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_topic *topic = fixture.topic;
    void *place, *second;
    for (int lap = 0; lap < 200; lap++) {
        assert_ok(shmx_topic_reserve(topic, 100 + (size_t)lap, &place, 0));
        assert_int_equal((uintptr_t)place % 8, 0);
        assert_status(shmx_topic_reserve(topic, 8, &second, 0), SHMX_EINVAL);
        assert_null(second);
        assert_status(shmx_topic_commit(topic, 101 + (size_t)lap), SHMX_EINVAL);
        memcpy(place, "shorter", 7);
        assert_ok(shmx_topic_commit(topic, 7));
        assert_status(shmx_topic_commit(topic, 7), SHMX_EINVAL);
        assert_ok(shmx_topic_reserve(topic, 600, &place, 0));
        memset(place, 'x', 600);
        assert_ok(shmx_topic_cancel(topic));
        publish_text(topic, "next");
        expect_text(topic, "shorter", 0);
        expect_text(topic, "next", 0);
        expect_nothing(topic);
        expect_latest(topic, "next", 2 * (uint64_t)lap + 2);
    }
    close_both(&fixture);
}

/* The publishers' lock is held by somebody who lives and does not go on: it is stopped, or somebody
 * wrote there who may write. */
static void hold_the_lock(shmx_topic *topic, bool held)
{
    atomic_store(&topic->header->publishers.lock,
                 held ? shmx_token_known(topic->party.shm) & SHMX_OWNER_MASK : 0);
}

static void a_lock_that_is_held_for_ever_keeps_no_lossless_reader_waiting(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_topic *late;
    hold_the_lock(fixture.topic, true);
    assert_status(shmx_topic_open(&late, fixture.shm, 0, 4096, SHMX_TOPIC_LOSSLESS),
                  SHMX_ETIMEDOUT);
    assert_null(late);
    hold_the_lock(fixture.topic, false);
    close_both(&fixture);
}

/* What is committed meanwhile is read, shorter than reserved or not; what is cancelled is gone. */
static void a_reservation_ends_while_the_lock_is_held_for_ever(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_topic *topic = fixture.topic, *second = another(&fixture, 0),
               *third = another(&fixture, 0), *reader = another(&fixture, 0),
               *lossless = another(&fixture, SHMX_TOPIC_LOSSLESS);
    void *place[3];
    publish_text(topic, "0");
    assert_ok(shmx_topic_reserve(topic, 300, &place[0], 0));
    assert_ok(shmx_topic_reserve(second, 4, &place[1], 0));
    assert_ok(shmx_topic_reserve(third, 4, &place[2], 0));
    memcpy(place[0], "kept", 4);
    memcpy(place[2], "last", 4);
    hold_the_lock(topic, true);
    assert_ok(shmx_topic_commit(topic, 4));
    assert_ok(shmx_topic_cancel(second));
    assert_ok(shmx_topic_commit(third, 4));
    assert_status(shmx_topic_commit(third, 4), SHMX_EINVAL);
    shmx_topic *const readers[] = {reader, lossless};
    for (int i = 0; i < 2; i++) {
        expect_text(readers[i], "0", 0);
        expect_text(readers[i], "kept", 0);
        expect_text(readers[i], "last", 0);
        expect_nothing(readers[i]);
        expect_latest(readers[i], "last", 3);
    }
    hold_the_lock(topic, false);
    for (int i = 0; i < 300; i++) { /* all round the ring */
        publish_text(second, "on");
        expect_text(reader, "on", 0);
        expect_text(lossless, "on", 0);
    }
    expect_latest(topic, "on", 303);
    shmx_topic_close(&lossless);
    shmx_topic_close(&reader);
    shmx_topic_close(&third);
    shmx_topic_close(&second);
    close_both(&fixture);
}

static void a_close_takes_its_reservation_back_while_the_lock_is_held_for_ever(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_topic *second = another(&fixture, 0);
    void *place;
    assert_ok(shmx_topic_reserve(second, 4, &place, 0));
    hold_the_lock(fixture.topic, true);
    shmx_topic_close(&second);
    hold_the_lock(fixture.topic, false);
    for (int i = 0; i < 300; i++) {
        publish_text(fixture.topic, "on");
        expect_text(fixture.topic, "on", 0);
    }
    close_both(&fixture);
}

/* The last sender that had joined has gone, but one that had not has reserved before it. */
static void what_lies_behind_a_reservation_is_read_before_the_end(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_topic *topic = fixture.topic, *sender = another(&fixture, 0),
               *reader = another(&fixture, 0);
    char buffer[8];
    void *place;
    assert_ok(shmx_topic_join(sender, SHMX_SENDER));
    assert_ok(shmx_topic_reserve(topic, 5, &place, 0));
    publish_text(sender, "second");
    shmx_topic_close(&sender);
    expect_nothing(reader);
    assert_status(shmx_topic_latest(reader, buffer, 8, NULL, NULL, 0), SHMX_ETIMEDOUT);
    memcpy(place, "first", 5);
    assert_ok(shmx_topic_commit(topic, 5));
    expect_text(reader, "first", 0);
    expect_text(reader, "second", 0);
    assert_status(shmx_topic_next(reader, buffer, 8, NULL, NULL, 0), SHMX_EHANGUP);
    shmx_topic_close(&reader);
    close_both(&fixture);
}

static void the_order_is_that_of_reserve(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_topic *second = another(&fixture, 0), *third = another(&fixture, 0);
    void *a, *b;
    publish_text(third, "0");
    expect_text(third, "0", 0);
    assert_ok(shmx_topic_reserve(fixture.topic, 8, &a, 0));
    assert_ok(shmx_topic_reserve(second, 8, &b, 0)); /* the first one keeps nobody out */
    publish_text(third, "c");
    memcpy(b, "b", 1);
    assert_ok(shmx_topic_commit(second, 1));
    expect_nothing(third); /* "a" comes first */
    expect_latest(third, "0", 1);
    memcpy(a, "a", 1);
    assert_ok(shmx_topic_commit(fixture.topic, 1));
    expect_latest(third, "c", 4);
    expect_text(third, "a", 0);
    expect_text(third, "b", 0);
    expect_text(third, "c", 0);
    assert_ok(shmx_topic_reserve(fixture.topic, 8, &a, 0));
    publish_text(second, "d");
    expect_nothing(third);
    assert_ok(shmx_topic_cancel(fixture.topic));
    expect_text(third, "d", 0);
    assert_ok(shmx_topic_reserve(second, 8, &a, 0));
    publish_text(third, "e");
    shmx_topic_close(&second); /* takes it back */
    expect_text(third, "e", 0);
    shmx_topic_close(&third);
    close_both(&fixture);
}

static void publishers_wait_when_the_ring_comes_round(void **state)
{
    (void)state;
    struct fixture fixture = open_new(shmx_topic_size_for(100, 8));
    shmx_topic *second = another(&fixture, 0);
    char message[100] = "x";
    void *place;
    publish_text(second, "before");
    assert_ok(shmx_topic_reserve(fixture.topic, 100, &place, 0));
    int count = 0;
    while (shmx_topic_publish(second, message, 100, 0) == SHMX_OK)
        count++;
    assert_in_range(count, 6, 8);
    assert_status(shmx_topic_publish(second, message, 100, SHORT_MS), SHMX_ETIMEDOUT);
    expect_latest(second, "before", 1); /* it stays, as nothing newer can be seen */
    memset(place, 'y', 50);
    assert_ok(shmx_topic_commit(fixture.topic, 50));
    for (int i = 0; i < 20; i++)
        assert_ok(shmx_topic_publish(second, message, 100, 0));
    shmx_topic_close(&second);
    close_both(&fixture);
}

/* Cancelled records fill the ring, alone. */
static void cancelled_room_is_room(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_topic *lossless = another(&fixture, SHMX_TOPIC_LOSSLESS);
    void *place;
    for (int lap = 0; lap < 100; lap++) {
        for (int i = 0; i < 10; i++) {
            assert_ok(shmx_topic_reserve(fixture.topic, 800, &place, 0));
            assert_ok(shmx_topic_cancel(fixture.topic));
        }
        publish_text(fixture.topic, "now");
        expect_text(lossless, "now", 0);
        expect_latest(fixture.topic, "now", (uint64_t)lap + 1);
    }
    expect_nothing(lossless);
    shmx_topic_close(&lossless);
    close_both(&fixture);
}

/* ---- lossless ---- */

static void publishers_wait_for_lossless_readers(void **state)
{
    (void)state;
    struct fixture fixture = open_new(shmx_topic_size_for(8, 4));
    shmx_topic *lossless = another(&fixture, SHMX_TOPIC_LOSSLESS), *other = another(&fixture, 0);
    for (int lap = 0; lap < 50; lap++) {
        int count = 0;
        while (shmx_topic_publish(fixture.topic, "m", 1, 0) == SHMX_OK)
            count++;
        assert_int_equal(count, lap == 0 ? 5 : 3);
        for (int i = 0; i < 3; i++)
            expect_text(lossless, "m", 0);
    }
    shmx_topic *late = another(&fixture, SHMX_TOPIC_LOSSLESS | SHMX_TOPIC_OLDEST);
    shmx_topic_close(&lossless); /* holds nobody back any more */
    expect_text(late, "m", 0);
    shmx_topic_close(&late);
    for (int i = 0; i < 50; i++)
        publish_text(fixture.topic, "m");
    shmx_topic_close(&other);
    close_both(&fixture);
}

static void there_may_be_64_lossless_readers(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_topic *readers[64], *one_more = fixture.topic;
    for (int lap = 0; lap < 3; lap++) {
        for (int i = 0; i < 64; i++)
            readers[i] = another(&fixture, SHMX_TOPIC_LOSSLESS);
        assert_status(shmx_topic_open(&one_more, fixture.shm, 0, 4096, SHMX_TOPIC_LOSSLESS),
                      SHMX_EMFILE);
        assert_null(one_more);
        publish_text(fixture.topic, "all");
        for (int i = 0; i < 64; i++) {
            expect_text(readers[i], "all", 0);
            shmx_topic_close(&readers[i]);
        }
    }
    close_both(&fixture);
}

/* ---- shutdown ---- */

static void shutdown_ends_it_for_everybody(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_topic *reader = another(&fixture, 0), *second = another(&fixture, 0);
    char buffer[8];
    void *place;
    assert_ok(shmx_topic_reserve(fixture.topic, 8, &place, 0));
    assert_ok(shmx_topic_shutdown(second));
    memcpy(place, "last", 4);
    assert_ok(shmx_topic_commit(fixture.topic, 4)); /* it was reserved before */
    assert_status(shmx_topic_publish(fixture.topic, "x", 1, -1), SHMX_EHANGUP);
    assert_status(shmx_topic_reserve(fixture.topic, 8, &place, -1), SHMX_EHANGUP);
    expect_text(reader, "last", 0);
    assert_status(shmx_topic_next(reader, buffer, 8, NULL, NULL, -1), SHMX_EHANGUP);
    assert_status(shmx_topic_next(reader, buffer, 8, NULL, NULL, 0), SHMX_EHANGUP);
    expect_latest(reader, "last", 1);
    shmx_topic_close(&reader);
    reader = another(&fixture, SHMX_TOPIC_OLDEST);
    expect_text(reader, "last", 0);
    shmx_topic_close(&reader);
    shmx_topic_close(&second);
    close_both(&fixture);
    fixture = open_new(4096);
    assert_ok(shmx_topic_shutdown(fixture.topic));
    assert_status(shmx_topic_latest(fixture.topic, buffer, 8, NULL, NULL, -1), SHMX_EHANGUP);
    close_both(&fixture);
}

static void a_reservation_is_waited_for_after_the_shutdown(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_topic *writer = another(&fixture, 0), *reader;
    shmx *seen;
    char buffer[8];
    void *place;
    assert_ok(shmx_open(&seen, fixture.name, SHMX_READ_ONLY));
    assert_ok(shmx_topic_open(&reader, seen, 0, 4096, 0));
    assert_ok(shmx_topic_reserve(writer, 8, &place, 0));
    assert_ok(shmx_topic_shutdown(fixture.topic));
    expect_nothing(reader);
    expect_nothing(fixture.topic);
    assert_status(shmx_topic_latest(reader, buffer, 8, NULL, NULL, 0), SHMX_ETIMEDOUT);
    /* It would wait for itself. */
    assert_status(shmx_topic_next(writer, buffer, 8, NULL, NULL, -1), SHMX_EHANGUP);
    memcpy(place, "last", 4);
    assert_ok(shmx_topic_commit(writer, 4));
    expect_text(reader, "last", 0);
    expect_text(fixture.topic, "last", 0);
    assert_status(shmx_topic_next(reader, buffer, 8, NULL, NULL, -1), SHMX_EHANGUP);
    assert_status(shmx_topic_next(fixture.topic, buffer, 8, NULL, NULL, -1), SHMX_EHANGUP);
    shmx_topic_close(&reader);
    shmx_close(&seen);
    shmx_topic_close(&writer);
    close_both(&fixture);
}

#define SHUTDOWNS 60
#define OUTSIDE 2000 /* is copied outside the lock */

struct publishing {
    struct fixture *fixture;
    size_t size;
    unsigned published;
    shmx_topic *topic; /* to read */
};

static void publishes_until_the_end(void *context)
{
    struct publishing *publishing = context;
    static const char message[OUTSIDE];
    shmx_topic *topic = another(publishing->fixture, 0);
    while (shmx_topic_publish(topic, message, publishing->size, SHMX_FOREVER) == SHMX_OK)
        publishing->published++;
    shmx_topic_close(&topic);
}

static void shuts_the_topic_down(void *context)
{
    struct publishing *publishing = context;
    shmx_topic *topic = another(publishing->fixture, 0);
    uint64_t number;
    char buffer[OUTSIDE];
    for (int i = 0; i < 100; i++) /* so that the others are at work */
        assert_ok(shmx_topic_latest(topic, buffer, OUTSIDE, NULL, &number, -1));
    assert_ok(shmx_topic_shutdown(topic));
    shmx_topic_close(&topic);
}

static void reads_until_the_end(void *context)
{
    struct publishing *reading = context;
    char buffer[OUTSIDE];
    uint64_t lost;
    while (shmx_topic_next(reading->topic, buffer, OUTSIDE, NULL, &lost, SHMX_FOREVER) == SHMX_OK)
        reading->published += 1 + (unsigned)lost;
}

/* A reader that was told that there is nothing more got all that was published. */
static void one_round(size_t size)
{
    struct fixture fixture = open_new(SIZE);
    struct publishing all[5] = {{.fixture = &fixture, .size = 1},
                                {.fixture = &fixture, .size = size},
                                {.fixture = &fixture}};
    void (*const run[])(void *) = {publishes_until_the_end, publishes_until_the_end,
                                   shuts_the_topic_down, reads_until_the_end, reads_until_the_end};
    struct test_thread *threads[5];
    shmx *seen;
    all[3].topic = another(&fixture, SHMX_TOPIC_LOSSLESS);
    assert_ok(shmx_open(&seen, fixture.name, SHMX_READ_ONLY));
    assert_ok(shmx_topic_open(&all[4].topic, seen, 0, SIZE, 0));
    for (int i = 0; i < 5; i++)
        threads[i] = thread_start(run[i], &all[i]);
    for (int i = 0; i < 5; i++)
        thread_join(threads[i]);
    assert_int_equal(all[3].published, all[0].published + all[1].published);
    assert_int_equal(all[4].published, all[0].published + all[1].published);
    shmx_topic_close(&all[4].topic);
    shmx_topic_close(&all[3].topic);
    shmx_close(&seen);
    close_both(&fixture);
}

static void what_was_published_is_read_before_the_end(void **state)
{
    (void)state;
    for (int i = 0; i < SHUTDOWNS; i++)
        one_round(i % 2 ? 1 : OUTSIDE);
}

struct waiting {
    shmx_topic *topic;
    _Atomic int status;
    bool publishes;
};

static void wait_in_thread(void *context)
{
    struct waiting *waiting = context;
    static char buffer[900];
    waiting->status = waiting->publishes
                          ? shmx_topic_publish(waiting->topic, "x", 1, SHMX_FOREVER)
                          : shmx_topic_next(waiting->topic, buffer, 8, NULL, NULL, SHMX_FOREVER);
}

static void waits_for_the_latest(void *context)
{
    struct waiting *waiting = context;
    static char buffer[8];
    waiting->status = shmx_topic_latest(waiting->topic, buffer, 8, NULL, NULL, SHMX_FOREVER);
}

/* Cancelled records have used up the newest message: a reader sleeps until the next one. */
static void latest_sleeps_while_the_newest_is_gone(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_topic *topic = fixture.topic;
    struct waiting reader = {another(&fixture, 0), 1, false};
    char buffer[8];
    void *place;
    publish_text(topic, "gone");
    while (shmx_topic_latest(topic, buffer, 8, NULL, NULL, 0) == SHMX_OK) {
        assert_ok(shmx_topic_reserve(topic, 600, &place, 0));
        assert_ok(shmx_topic_cancel(topic));
    }
    struct test_thread *thread = thread_start(waits_for_the_latest, &reader);
    test_until(test_sleepers(fixture.shm, &topic->header->publishers.event) != 0);
    publish_text(topic, "new");
    thread_join(thread);
    assert_ok(reader.status);
    shmx_topic_close(&reader.topic);
    close_both(&fixture);
}

static void shutdown_wakes_those_who_wait(void **state)
{
    (void)state;
    struct fixture fixture = open_new(shmx_topic_size_for(8, 4));
    shmx_topic *lossless = another(&fixture, SHMX_TOPIC_LOSSLESS);
    while (shmx_topic_publish(fixture.topic, "m", 1, 0) == SHMX_OK)
        ;
    struct waiting reader = {another(&fixture, 0), 1, false};
    struct waiting publisher = {another(&fixture, 0), 1, true};
    struct test_thread *one = thread_start(wait_in_thread, &reader);
    struct test_thread *two = thread_start(wait_in_thread, &publisher);
    struct topic_header *header = fixture.topic->header;
    test_until(test_sleepers(fixture.shm, &header->publishers.event) != 0 &&
               test_sleepers(fixture.shm, &header->readers.event) != 0);
    assert_ok(shmx_topic_shutdown(fixture.topic));
    thread_join(one);
    thread_join(two);
    assert_status(reader.status, SHMX_EHANGUP);
    assert_status(publisher.status, SHMX_EHANGUP);
    shmx_topic_close(&reader.topic);
    shmx_topic_close(&publisher.topic);
    shmx_topic_close(&lossless);
    close_both(&fixture);
}

static void sides_that_are_wrong(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    assert_status(shmx_topic_join(NULL, SHMX_SENDER), SHMX_EINVAL);
    assert_status(shmx_topic_join(fixture.topic, 0), SHMX_EINVAL);
    assert_status(shmx_topic_join(fixture.topic, 4), SHMX_EINVAL);
    publish_text(fixture.topic, "nobody joined");
    expect_text(fixture.topic, "nobody joined", 0);
    expect_nothing(fixture.topic);
    close_both(&fixture);
}

static void when_the_last_sender_has_gone(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_topic *reader = another(&fixture, 0);
    shmx *shm;
    shmx_topic *looker;
    char buffer[8];
    assert_ok(shmx_open(&shm, fixture.name, SHMX_READ_ONLY));
    assert_ok(shmx_topic_open(&looker, shm, 0, 4096, 0));
    assert_status(shmx_topic_join(looker, SHMX_RECEIVER), SHMX_EACCES);
    for (int lap = 0; lap < 3; lap++) {
        shmx_topic *sender = another(&fixture, 0);
        assert_ok(shmx_topic_join(sender, SHMX_SENDER));
        publish_text(sender, "last");
        expect_text(reader, "last", 0);
        expect_nothing(reader);
        publish_text(sender, "last");
        shmx_topic_close(&sender);
        expect_text(reader, "last", 0);
        assert_status(shmx_topic_next(reader, buffer, 8, NULL, NULL, -1), SHMX_EHANGUP);
        assert_status(shmx_topic_next(reader, buffer, 8, NULL, NULL, 0), SHMX_EHANGUP);
        expect_text(looker, "last", 0);
        expect_text(looker, "last", 0);
        assert_status(shmx_topic_next(looker, buffer, 8, NULL, NULL, -1), SHMX_EHANGUP);
        expect_latest(reader, "last", 2 * (uint64_t)lap + 2);
    }
    shmx_topic_close(&looker);
    shmx_topic_close(&reader);
    shmx_close(&shm);
    close_both(&fixture);
}

static void when_the_last_receiver_has_gone(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_topic *reader = another(&fixture, SHMX_TOPIC_LOSSLESS);
    void *place;
    assert_ok(shmx_topic_join(reader, SHMX_RECEIVER));
    while (shmx_topic_publish(fixture.topic, "m", 1, 0) == SHMX_OK)
        ;
    assert_status(shmx_topic_publish(fixture.topic, "m", 1, 0), SHMX_ETIMEDOUT);
    shmx_topic_close(&reader);
    test_until(shmx_topic_publish(fixture.topic, "m", 1, 0) == SHMX_EHANGUP);
    assert_status(shmx_topic_reserve(fixture.topic, 8, &place, 0), SHMX_EHANGUP);
    reader = another(&fixture, 0);
    assert_ok(shmx_topic_join(reader, SHMX_RECEIVER));
    publish_text(fixture.topic, "again");
    expect_text(reader, "again", 0);
    shmx_topic_close(&reader);
    close_both(&fixture);
}

/* ---- read-only ---- */

static void read_only_readers_do_all_but_write(void **state)
{
    (void)state;
    struct fixture fixture = {.name = test_name()};
    shmx *shm;
    shmx_topic *reader;
    void *place;
    char buffer[8];
    assert_ok(shmx_create(&fixture.shm, fixture.name, 4096, 0));
    assert_ok(shmx_open(&shm, fixture.name, SHMX_READ_ONLY));
    assert_ok(shmx_topic_open(&reader, shm, 0, 4096, 0)); /* there is none yet */
    expect_nothing(reader);
    assert_status(shmx_topic_latest(reader, buffer, 8, NULL, NULL, 20), SHMX_ETIMEDOUT);
    assert_ok(shmx_topic_open(&fixture.topic, fixture.shm, 0, 4096, 0));
    publish_text(fixture.topic, "one");
    expect_text(reader, "one", 0);
    assert_status(shmx_topic_next(reader, buffer, 8, NULL, NULL, 20), SHMX_ETIMEDOUT);
    for (int i = 0; i < 1000; i++)
        publish_text(fixture.topic, "many");
    expect_text(reader, "many", 1000 - (4096 - 1280) / 32);
    expect_latest(reader, "many", 1001);
    assert_status(shmx_topic_publish(reader, "x", 1, 0), SHMX_EACCES);
    assert_status(shmx_topic_reserve(reader, 1, &place, 0), SHMX_EACCES);
    assert_status(shmx_topic_shutdown(reader), SHMX_EACCES);
    shmx_topic_close(&reader);
    assert_ok(shmx_topic_open(&reader, shm, 0, 4096, SHMX_TOPIC_OLDEST));
    expect_text(reader, "many", 0);
    assert_ok(shmx_topic_shutdown(fixture.topic));
    while (shmx_topic_next(reader, buffer, 8, NULL, NULL, -1) == SHMX_OK)
        ;
    assert_status(shmx_topic_next(reader, buffer, 8, NULL, NULL, -1), SHMX_EHANGUP);
    shmx_topic_close(&reader);
    shmx_close(&shm);
    close_both(&fixture);
}

struct looking {
    shmx_topic *topic;
    _Atomic int begun;
    uint64_t number;
    int status;
};

static void look_in_thread(void *context)
{
    struct looking *looking = context;
    looking->begun = 1;
    looking->status =
        shmx_topic_latest(looking->topic, NULL, 0, NULL, &looking->number, SHMX_FOREVER);
}

/* One that may write is woken, one that may not looks again and again. */
static void latest_waits_while_there_is_none(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx *shm;
    struct looking lookers[2] = {{.topic = another(&fixture, 0)}, {.topic = NULL}};
    struct test_thread *threads[2];
    assert_ok(shmx_open(&shm, fixture.name, SHMX_READ_ONLY));
    assert_ok(shmx_topic_open(&lookers[1].topic, shm, 0, 4096, 0));
    for (int i = 0; i < 2; i++) {
        threads[i] = thread_start(look_in_thread, &lookers[i]);
        test_until(lookers[i].begun);
    }
    test_until(test_sleepers(fixture.shm, &fixture.topic->header->publishers.event) != 0);
    int64_t start = test_now_ms();
    publish_text(fixture.topic, "");
    for (int i = 0; i < 2; i++) {
        thread_join(threads[i]);
        assert_ok(lookers[i].status);
        assert_int_equal(lookers[i].number, 1);
        expect_text(lookers[i].topic, "", 0); /* the reader is where it was */
        shmx_topic_close(&lookers[i].topic);
    }
    assert_true(test_now_ms() - start <= 10 + 100); /* and a busy machine's pause */
    shmx_close(&shm);
    close_both(&fixture);
}

/* Opened before there was a topic, with another size than it got. */
static void a_read_only_reader_finds_out_later(void **state)
{
    (void)state;
    struct fixture fixture = {.name = test_name()};
    shmx *shm;
    shmx_topic *reader;
    char buffer[8];
    assert_ok(shmx_create(&fixture.shm, fixture.name, 4096, 0));
    assert_ok(shmx_open(&shm, fixture.name, SHMX_READ_ONLY));
    assert_ok(shmx_topic_open(&reader, shm, 0, 2048, 0));
    assert_ok(shmx_topic_open(&fixture.topic, fixture.shm, 0, 4096, 0));
    publish_text(fixture.topic, "one");
    assert_status(shmx_topic_next(reader, buffer, 8, NULL, NULL, -1), SHMX_ERANGE);
    shmx_topic_close(&reader);
    shmx_close(&shm);
    close_both(&fixture);
}

/* ---- several processes ---- */

enum { MANY = 20000, PUBLISHERS = 3, LONG = 2500 };

static shmx_topic *attach(shmx **shm, const char *name, unsigned shm_flags, unsigned flags)
{
    shmx_topic *topic;
    must(shmx_open(shm, name, shm_flags) == SHMX_OK);
    must(shmx_topic_open(&topic, *shm, 0, shmx_size(*shm), flags) == SHMX_OK);
    return topic;
}

/* Messages begin with the publisher's number and theirs. */
PART(publisher)
{
    must(argc == 3);
    shmx *shm;
    shmx_topic *topic = attach(&shm, argv[1], 0, 0);
    static unsigned char message[SIZE];
    void *place;
    uint64_t mark = (uint64_t)atoi(argv[2]) << 32;
    say("ready");
    must(hear() != NULL);
    for (uint64_t i = 0; i < MANY; i++) {
        size_t size = numbered(message, mark | i, i % 10 == 0 ? LONG : 100);
        if (i % 3 != 0) {
            must(shmx_topic_publish(topic, message, size, SHMX_FOREVER) == SHMX_OK);
            continue;
        }
        must(shmx_topic_reserve(topic, LONG, &place, SHMX_FOREVER) == SHMX_OK);
        memcpy(place, message, size);
        must(shmx_topic_commit(topic, size) == SHMX_OK);
    }
    shmx_topic_close(&topic);
    shmx_close(&shm);
    return 0;
}

/* Read until all have published all; what comes and what was lost make up the sum. */
PART(reader)
{
    must(argc == 3);
    shmx *shm;
    bool lossless = strchr(argv[2], 'l') != NULL;
    shmx_topic *topic = attach(&shm, argv[1], strchr(argv[2], 'r') != NULL ? SHMX_READ_ONLY : 0,
                               lossless ? SHMX_TOPIC_LOSSLESS : 0);
    static unsigned char message[SIZE];
    uint64_t count = 0, got = 0, lost, mark, next[PUBLISHERS] = {0};
    size_t size;
    say("ready");
    for (;;) {
        int status = shmx_topic_next(topic, message, LONG, &size, &lost, SHMX_FOREVER);
        if (status == SHMX_EHANGUP)
            break;
        must(status == SHMX_OK && size >= 8 && (!lossless || lost == 0));
        count += lost + 1;
        got++;
        memcpy(&mark, message, 8);
        uint64_t number = mark & UINT32_MAX;
        must(numbered_right(message, size, mark, number % 10 == 0 ? LONG : 100));
        must(number >= next[mark >> 32] && (!lossless || number == next[mark >> 32]));
        next[mark >> 32] = number + 1;
    }
    say("%s", count == PUBLISHERS * MANY ? "all" : "not all");
    say("%u", (unsigned)got);
    shmx_topic_close(&topic);
    shmx_close(&shm);
    return 0;
}

static void every_reader_gets_everything_whole_and_in_order(void **state)
{
    (void)state;
    static const char *const kinds[] = {"l", "l", "w", "r"};
    struct fixture fixture = open_new(16384);
    struct test_child *readers[4], *publishers[PUBLISHERS];
    for (int i = 0; i < 4; i++) {
        readers[i] = child_start("reader", fixture.name, kinds[i]);
        child_expect(readers[i], "ready");
    }
    for (int i = 0; i < PUBLISHERS; i++) {
        char number[2] = {(char)('0' + i), '\0'};
        publishers[i] = child_start("publisher", fixture.name, number);
        child_expect(publishers[i], "ready");
    }
    for (int i = 0; i < PUBLISHERS; i++)
        child_send(publishers[i], "go");
    for (int i = 0; i < PUBLISHERS; i++)
        assert_int_equal(child_wait(publishers[i]), 0);
    assert_ok(shmx_topic_shutdown(fixture.topic));
    for (int i = 0; i < 4; i++) {
        child_expect(readers[i], "all");
        print_message("           %s: %s of %d\n", kinds[i], child_receive(readers[i]),
                      PUBLISHERS * MANY);
        assert_int_equal(child_wait(readers[i]), 0);
    }
    close_both(&fixture);
}

/* Reserve, say so, and wait to be killed; or be a lossless reader, perhaps one that has joined, or
 * a sender. */
PART(holder)
{
    must(argc == 3);
    shmx *shm;
    void *place;
    bool lossless = argv[2][0] == 'l';
    shmx_topic *topic = attach(&shm, argv[1], 0, lossless ? SHMX_TOPIC_LOSSLESS : 0);
    if (strcmp(argv[2], "lr") == 0)
        must(shmx_topic_join(topic, SHMX_RECEIVER) == SHMX_OK);
    if (argv[2][0] == 's')
        must(shmx_topic_join(topic, SHMX_SENDER) == SHMX_OK);
    else if (!lossless)
        must(shmx_topic_reserve(topic, 100, &place, 0) == SHMX_OK);
    say("ready");
    hear();
    shmx_topic_close(&topic);
    shmx_close(&shm);
    return 0;
}

static struct test_child *hold(const struct fixture *fixture, const char *how)
{
    struct test_child *child = child_start("holder", fixture->name, how);
    child_expect(child, "ready");
    return child;
}

static void a_dead_publishers_reservation_is_no_message(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx *shm;
    shmx_topic *reader = attach(&shm, fixture.name, SHMX_READ_ONLY, 0);
    struct test_child *child = hold(&fixture, "r");
    publish_text(fixture.topic, "one");
    publish_text(fixture.topic, "two");
    expect_nothing(reader);
    expect_nothing(fixture.topic);
    child_end_by_kill(child);
    /* Nobody has settled it yet, and a read-only reader cannot. */
    expect_text(reader, "one", 0);
    expect_text(reader, "two", 0);
    expect_nothing(reader);
    expect_text(fixture.topic, "one", 0);
    char text[8];
    uint64_t number = 0;
    test_until(shmx_topic_latest(reader, text, 8, NULL, &number, 0) == SHMX_OK && number == 2);
    child = hold(&fixture, "r");
    child_end_by_kill(child);
    for (int i = 0; i < 200; i++)
        assert_ok(shmx_topic_publish(fixture.topic, "more", 4, 0));
    expect_latest(reader, "more", 202);
    expect_text(reader, "more", 200 - (4096 - 1280) / 32);
    expect_text(fixture.topic, "more", 201 - (4096 - 1280) / 32);
    shmx_topic_close(&reader);
    shmx_close(&shm);
    close_both(&fixture);
}

/* Behind a dead publisher's reservation is a message, and behind that a reservation of one that
 * lives: however often it is asked for, the newest message is the same. */
static void the_newest_stays_the_newest(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_topic *reserver = another(&fixture, 0), *reader = another(&fixture, 0);
    void *place;
    publish_text(fixture.topic, "one");
    struct test_child *child = hold(&fixture, "r");
    publish_text(fixture.topic, "two");
    assert_ok(shmx_topic_reserve(reserver, 8, &place, 0));
    child_end_by_kill(child);
    for (int i = 0; i < 3; i++)
        expect_latest(reader, "two", 2);
    shmx_topic_close(&reader);
    shmx_topic_close(&reserver);
    close_both(&fixture);
}

static void a_dead_lossless_reader_holds_nobody_back(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    for (int i = 0; i < 3; i++) {
        struct test_child *child = hold(&fixture, "l");
        while (shmx_topic_publish(fixture.topic, "m", 1, 0) == SHMX_OK)
            ;
        assert_status(shmx_topic_publish(fixture.topic, "m", 1, SHORT_MS), SHMX_ETIMEDOUT);
        if (i == 1 && child_stop(child)) {
            assert_status(shmx_topic_publish(fixture.topic, "m", 1, 300), SHMX_ETIMEDOUT);
            child_continue(child);
        }
        child_end_by_kill(child);
        int64_t start = test_now_ms();
        assert_ok(shmx_topic_publish(fixture.topic, "m", 1, SHMX_FOREVER));
        assert_true(test_now_ms() - start <= 100 + 100); /* and a busy machine's pause */
    }
    close_both(&fixture);
}

static void the_last_receivers_place_is_no_room(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    for (int killed = 0; killed < 2; killed++) {
        struct waiting publisher = {another(&fixture, 0), 1, true};
        struct test_child *child = hold(&fixture, "lr");
        while (shmx_topic_publish(fixture.topic, "m", 1, 0) == SHMX_OK)
            ;
        struct test_thread *thread = thread_start(wait_in_thread, &publisher);
        test_until(test_sleepers(fixture.shm, &fixture.topic->header->readers.event) != 0);
        int64_t tick = shmx_os_tick();
        test_until(shmx_os_tick() != tick);
        if (killed)
            child_kill(child);
        else
            child_close_input(child);
        assert_int_equal(child_wait(child), killed ? CHILD_KILLED : 0);
        int64_t start = test_now_ms();
        thread_join(thread);
        assert_true(test_now_ms() - start <= 100 + 100); /* and a busy machine's pause */
        assert_status(publisher.status, SHMX_EHANGUP);
        assert_status(shmx_topic_publish(fixture.topic, "m", 1, 0), SHMX_EHANGUP);
        shmx_topic_close(&publisher.topic);
    }
    close_both(&fixture);
}

static void publish_when_heard(void *context)
{
    shmx_topic *topic = context;
    must(shmx_topic_publish(topic, "fork", 4, 0) == SHMX_OK);
}

static void a_dead_sender_has_gone(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    struct test_child *child = hold(&fixture, "s");
    struct waiting reader = {another(&fixture, 0), 1, false};
    struct test_thread *thread = thread_start(wait_in_thread, &reader);
    test_until(test_sleepers(fixture.shm, &fixture.topic->header->publishers.event) != 0);
    child_end_by_kill(child);
    int64_t start = test_now_ms();
    thread_join(thread);
    assert_true(test_now_ms() - start <= 100 + 100); /* and a busy machine's pause */
    assert_status(reader.status, SHMX_EHANGUP);
    shmx_topic_close(&reader.topic);
    close_both(&fixture);
}

/* The child's handle goes on where the parent's was, and owns nothing of it. */
static void a_forked_child_reads_for_itself(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    struct test_child *child = child_fork(publish_when_heard, fixture.topic);
    if (child != NULL) {
        assert_int_equal(child_wait(child), 0);
        expect_text(fixture.topic, "fork", 0);
    }
    close_both(&fixture);
    if (child == NULL)
        test_skip("this system has no fork");
}

static void wait_for_the_parents(void *context)
{
    char buffer[8];
    must(shmx_topic_next(context, buffer, sizeof buffer, NULL, NULL, 0) == SHMX_ETIMEDOUT);
}

static void a_forked_child_waits_for_its_parents_reservation(void **state)
{
    (void)state;
    void *place;
    struct fixture fixture = open_new(4096);
    assert_ok(shmx_topic_reserve(fixture.topic, 8, &place, 0));
    assert_ok(shmx_topic_shutdown(fixture.topic));
    struct test_child *child = child_fork(wait_for_the_parents, fixture.topic);
    if (child != NULL)
        assert_int_equal(child_wait(child), 0);
    memcpy(place, "last", 4);
    assert_ok(shmx_topic_commit(fixture.topic, 4));
    expect_text(fixture.topic, "last", 0);
    close_both(&fixture);
    if (child == NULL)
        test_skip("this system has no fork");
}

/* ---- hostile ---- */

static void a_damaged_topic_harms_nobody(void **state)
{
    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct fixture fixture = open_new(2048);
        unsigned char *bytes = shmx_data(fixture.shm), buffer[2048];
        void *place;
        publish_text(fixture.topic, "one");
        publish_text(fixture.topic, "two");
        for (int i = 0; i < 6; i++) {
            size_t at = 68 + test_random() % (i % 2 == 0 ? 140 : 2048 - 68);
            bytes[at] = (unsigned char)test_random();
        }
        shmx_topic_next(fixture.topic, buffer, sizeof buffer, NULL, NULL, 0);
        shmx_topic_publish(fixture.topic, "three", 5, 0);
        shmx_topic_latest(fixture.topic, buffer, sizeof buffer, NULL, NULL, 0);
        if (shmx_topic_reserve(fixture.topic, 100, &place, 0) == SHMX_OK)
            memset(place, 'x', 100);
        shmx_topic_commit(fixture.topic, 50);
        shmx_topic_next(fixture.topic, buffer, sizeof buffer, NULL, NULL, 0);
        close_both(&fixture);
    }
}

static const struct test_part parts[] = {
    {"publisher", part_publisher}, {"reader", part_reader}, {"holder", part_holder}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_zeroed_region_is_an_empty_topic),
    cmocka_unit_test(regions_that_are_wrong),
    cmocka_unit_test(a_region_that_is_not_zeroed_is_refused),
    cmocka_unit_test(what_is_refused_changes_nothing),
    cmocka_unit_test(arguments_that_are_wrong),
    cmocka_unit_test(the_size_for_so_many_keeps_them),
    cmocka_unit_test(any_length_at_any_place),
    cmocka_unit_test(each_length_is_copied_to_the_byte),
    cmocka_unit_test(a_slow_reader_is_told_exactly_what_it_missed),
    cmocka_unit_test(where_a_reader_begins),
    cmocka_unit_test(too_long_is_refused_and_loses_nothing),
    cmocka_unit_test(empty_messages_are_messages),
    cmocka_unit_test(time_limits_are_kept),
    cmocka_unit_test(a_reservation_can_be_shorter_or_taken_back),
    cmocka_unit_test(a_lock_that_is_held_for_ever_keeps_no_lossless_reader_waiting),
    cmocka_unit_test(a_reservation_ends_while_the_lock_is_held_for_ever),
    cmocka_unit_test(a_close_takes_its_reservation_back_while_the_lock_is_held_for_ever),
    cmocka_unit_test(what_lies_behind_a_reservation_is_read_before_the_end),
    cmocka_unit_test(latest_sleeps_while_the_newest_is_gone),
    cmocka_unit_test(the_order_is_that_of_reserve),
    cmocka_unit_test(publishers_wait_when_the_ring_comes_round),
    cmocka_unit_test(cancelled_room_is_room),
    cmocka_unit_test(publishers_wait_for_lossless_readers),
    cmocka_unit_test(there_may_be_64_lossless_readers),
    cmocka_unit_test(shutdown_ends_it_for_everybody),
    cmocka_unit_test(shutdown_wakes_those_who_wait),
    cmocka_unit_test(a_reservation_is_waited_for_after_the_shutdown),
    cmocka_unit_test(what_was_published_is_read_before_the_end),
    cmocka_unit_test(sides_that_are_wrong),
    cmocka_unit_test(when_the_last_sender_has_gone),
    cmocka_unit_test(when_the_last_receiver_has_gone),
    cmocka_unit_test(read_only_readers_do_all_but_write),
    cmocka_unit_test(latest_waits_while_there_is_none),
    cmocka_unit_test(a_read_only_reader_finds_out_later),
    cmocka_unit_test(every_reader_gets_everything_whole_and_in_order),
    cmocka_unit_test(a_dead_publishers_reservation_is_no_message),
    cmocka_unit_test(the_newest_stays_the_newest),
    cmocka_unit_test(a_dead_lossless_reader_holds_nobody_back),
    cmocka_unit_test(the_last_receivers_place_is_no_room),
    cmocka_unit_test(a_dead_sender_has_gone),
    cmocka_unit_test(a_forked_child_reads_for_itself),
    cmocka_unit_test(a_forked_child_waits_for_its_parents_reservation),
    cmocka_unit_test(a_damaged_topic_harms_nobody),
};

TEST_MAIN(tests, parts)
