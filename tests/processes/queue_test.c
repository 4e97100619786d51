/* SPDX-License-Identifier: MIT */
/* The queue: every promise of its section in shmx.h, between threads and processes. */
#include "support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/layout.h"

#define SIZE 65536
#define SHORT_MS 60 /* a wait that is to end in vain */

struct fixture {
    const char *name;
    shmx *shm;
    shmx_queue *queue;
};

static struct fixture open_new(size_t size)
{
    struct fixture fixture = {.name = test_name()};
    assert_ok(shmx_create(&fixture.shm, fixture.name, size, 0));
    assert_ok(shmx_queue_open(&fixture.queue, fixture.shm, 0, size));
    return fixture;
}

static void close_both(struct fixture *fixture)
{
    shmx_queue_close(&fixture->queue);
    assert_null(fixture->queue);
    shmx_close(&fixture->shm);
}

static shmx_queue *another(const struct fixture *fixture)
{
    shmx_queue *queue;
    assert_ok(shmx_queue_open(&queue, fixture->shm, 0, shmx_size(fixture->shm)));
    return queue;
}

static void send_text(shmx_queue *queue, const char *text)
{
    assert_ok(shmx_queue_send(queue, text, strlen(text), 0));
}

#define expect_text(queue, text)                                                                   \
    do {                                                                                           \
        char got_[64];                                                                             \
        size_t size_;                                                                              \
        assert_ok(shmx_queue_receive(queue, got_, sizeof got_ - 1, &size_, 0));                    \
        got_[size_] = '\0';                                                                        \
        assert_string_equal(got_, text);                                                           \
    } while (0)

#define expect_nothing(queue)                                                                      \
    do {                                                                                           \
        char got_[64];                                                                             \
        size_t size_ = 7;                                                                          \
        assert_status(shmx_queue_receive(queue, got_, sizeof got_, &size_, 0), SHMX_ETIMEDOUT);    \
        assert_int_equal(size_, 0);                                                                \
    } while (0)

/* Messages whose length and bytes follow from their number. */
static size_t numbered_size(uint32_t number, size_t longest)
{
    return number % 7 == 0 ? 0 : (number * 2654435761u >> 8) % (longest + 1);
}

static void numbered_fill(unsigned char *message, size_t size, uint32_t number)
{
    for (size_t i = 0; i < size; i++)
        message[i] = (unsigned char)(number * 31 + i * 7);
}

static bool numbered_right(const unsigned char *message, size_t size, uint32_t number,
                           size_t longest)
{
    if (size != numbered_size(number, longest))
        return false;
    for (size_t i = 0; i < size; i++)
        if (message[i] != (unsigned char)(number * 31 + i * 7))
            return false;
    return true;
}

/* ---- one thread ---- */

static void a_zeroed_region_is_an_empty_queue(void **state)
{
    (void)state;
    struct fixture fixture = open_new(SIZE);
    expect_nothing(fixture.queue);
    send_text(fixture.queue, "one");
    shmx_queue *second = another(&fixture);
    assert_int_equal(shmx_queue_max_message(second), shmx_queue_max_message(fixture.queue));
    send_text(second, "two");
    expect_text(second, "one");
    expect_text(fixture.queue, "two");
    expect_nothing(second);
    shmx_queue_close(&second);
    shmx_queue_close(&second);
    shmx_queue_close(NULL);
    close_both(&fixture);
}

static void regions_that_are_wrong(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx *shm = fixture.shm, *reader;
    shmx_queue *queue = fixture.queue;
    assert_status(shmx_queue_open(NULL, shm, 0, 4096), SHMX_EINVAL);
    assert_status(shmx_queue_open(&queue, NULL, 0, 4096), SHMX_EINVAL);
    assert_null(queue);
    assert_status(shmx_queue_open(&queue, shm, 4, 2048), SHMX_EINVAL);
    assert_status(shmx_queue_open(&queue, shm, 0, 0), SHMX_EINVAL);
    assert_status(shmx_queue_open(&queue, shm, 0, shmx_queue_size_for(0, 1) - 1), SHMX_EINVAL);
    assert_status(shmx_queue_open(&queue, shm, 0, 4097), SHMX_ERANGE);
    assert_status(shmx_queue_open(&queue, shm, 8, 4089), SHMX_ERANGE);
    assert_status(shmx_queue_open(&queue, shm, 8192, 1024), SHMX_ERANGE);
    assert_status(shmx_queue_open(&queue, shm, SIZE_MAX - 7, 4096), SHMX_ERANGE);
    assert_status(shmx_queue_open(&queue, shm, 0, SIZE_MAX), SHMX_ERANGE);
    assert_status(shmx_queue_open(&queue, shm, 0, 2048), SHMX_ERANGE); /* it has 4096 */
    assert_ok(shmx_open(&reader, fixture.name, SHMX_READ_ONLY));
    assert_status(shmx_queue_open(&queue, reader, 0, 4096), SHMX_EACCES);
    shmx_close(&reader);
    close_both(&fixture);
    assert_ok(shmx_create(&shm, NULL, 4096, 0));
    memset(shmx_data(shm), 'x', 4096);
    assert_status(shmx_queue_open(&queue, shm, 0, 4096), SHMX_EPROTO);
    assert_null(queue);
    shmx_close(&shm);
}

/* The start of another is zero, so it looks new; but what follows is not. */
static void a_region_that_is_not_zeroed_is_refused(void **state)
{
    (void)state;
    struct fixture fixture = open_new(16384);
    static unsigned char before[16384];
    shmx_queue *queue;
    for (int i = 0; i < 100; i++)
        assert_ok(shmx_queue_send(fixture.queue, "bytes", 5, 0));
    memcpy(before, shmx_data(fixture.shm), sizeof before);
    for (size_t offset = 8; offset < 1024; offset += 8)
        assert_status(shmx_queue_open(&queue, fixture.shm, offset, 8192), SHMX_EPROTO);
    assert_memory_equal(shmx_data(fixture.shm), before, sizeof before);
    for (int i = 0; i < 100; i++)
        expect_text(fixture.queue, "bytes");
    close_both(&fixture);
}

/* Whatever is refused changes no byte of the queue. */
static void what_is_refused_changes_nothing(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_queue *queue = fixture.queue, *other;
    unsigned char before[4096];
    void *place, *second;
    char buffer[8];
    size_t longest = shmx_queue_max_message(queue);
    assert_ok(shmx_queue_send(queue, "message", 7, 0));
    assert_ok(shmx_queue_reserve(queue, 8, &place, 0));
    memcpy(before, shmx_data(fixture.shm), sizeof before);
    assert_status(shmx_queue_open(&other, fixture.shm, 0, 2048), SHMX_ERANGE);
    assert_status(shmx_queue_reserve(queue, 8, &second, 0), SHMX_EINVAL);
    assert_null(second);
    assert_status(shmx_queue_commit(queue, 9), SHMX_EINVAL);
    assert_status(shmx_queue_send(queue, before, longest + 1, 0), SHMX_EMSGSIZE);
    assert_status(shmx_queue_send(queue, before, SIZE_MAX / 2 + 2, 0), SHMX_EMSGSIZE);
    assert_status(shmx_queue_join(queue, 0), SHMX_EINVAL);
    assert_status(shmx_queue_join(queue, SHMX_SENDER | 4), SHMX_EINVAL);
    assert_memory_equal(shmx_data(fixture.shm), before, sizeof before);
    assert_ok(shmx_queue_cancel(queue));
    assert_status(shmx_queue_receive(queue, buffer, 6, NULL, 0), SHMX_EMSGSIZE);
    assert_ok(shmx_queue_shutdown(queue));
    memcpy(before, shmx_data(fixture.shm), sizeof before);
    assert_status(shmx_queue_send(queue, "x", 1, 0), SHMX_EHANGUP);
    assert_status(shmx_queue_reserve(queue, 8, &place, 0), SHMX_EHANGUP);
    assert_null(place);
    assert_memory_equal(shmx_data(fixture.shm), before, sizeof before);
    expect_text(queue, "message");
    close_both(&fixture);
}

static void arguments_that_are_wrong(void **state)
{
    (void)state;
    struct fixture fixture = open_new(SIZE);
    shmx_queue *queue = fixture.queue;
    char buffer[8];
    void *place = buffer;
    const void *message = buffer;
    size_t size;
    assert_status(shmx_queue_send(NULL, "x", 1, 0), SHMX_EINVAL);
    assert_status(shmx_queue_send(queue, NULL, 1, 0), SHMX_EINVAL);
    assert_status(shmx_queue_send(queue, NULL, SIZE_MAX, 0), SHMX_EINVAL);
    assert_status(shmx_queue_reserve(queue, SIZE_MAX, NULL, 0), SHMX_EINVAL);
    assert_status(shmx_queue_send(queue, "x", 1, -2), SHMX_EINVAL);
    assert_status(shmx_queue_receive(NULL, buffer, 8, &size, 0), SHMX_EINVAL);
    assert_status(shmx_queue_receive(queue, NULL, 8, &size, 0), SHMX_EINVAL);
    assert_status(shmx_queue_receive(queue, buffer, 8, &size, -2), SHMX_EINVAL);
    assert_status(shmx_queue_reserve(NULL, 8, &place, 0), SHMX_EINVAL);
    assert_null(place);
    assert_status(shmx_queue_reserve(queue, 8, NULL, 0), SHMX_EINVAL);
    assert_status(shmx_queue_reserve(queue, 8, &place, -2), SHMX_EINVAL);
    assert_status(shmx_queue_peek(NULL, &message, &size, 0), SHMX_EINVAL);
    assert_null(message);
    assert_status(shmx_queue_peek(queue, NULL, &size, 0), SHMX_EINVAL);
    assert_status(shmx_queue_peek(queue, &message, &size, -2), SHMX_EINVAL);
    assert_status(shmx_queue_commit(NULL, 0), SHMX_EINVAL);
    assert_status(shmx_queue_cancel(NULL), SHMX_EINVAL);
    assert_status(shmx_queue_release(NULL), SHMX_EINVAL);
    assert_status(shmx_queue_commit(queue, 0), SHMX_EINVAL);
    assert_status(shmx_queue_cancel(queue), SHMX_EINVAL);
    assert_status(shmx_queue_release(queue), SHMX_EINVAL);
    assert_int_equal(shmx_queue_max_message(NULL), 0);
    assert_int_equal(shmx_os_error(), 0);
    expect_nothing(queue);
    close_both(&fixture);
}

#define expect_untold(queue, buffer, limit, expected)                                              \
    do {                                                                                           \
        size_t size_ = 7;                                                                          \
        const void *seen_ = &size_;                                                                \
        assert_status(shmx_queue_receive(queue, buffer, 8, &size_, limit), expected);              \
        assert_int_equal(size_, 0);                                                                \
        size_ = 7;                                                                                 \
        assert_status(shmx_queue_peek(queue, (buffer) != NULL ? &seen_ : NULL, &size_, limit),     \
                      expected);                                                                   \
        assert_true((buffer) == NULL || seen_ == NULL);                                            \
        assert_int_equal(size_, 0);                                                                \
    } while (0)

static void a_failure_tells_no_size(void **state)
{
    (void)state;
    struct fixture fixture = open_new(SIZE);
    char buffer[8], *none = NULL;
    const void *peeked, *second = buffer;
    size_t size = 7;
    expect_untold(NULL, buffer, 0, SHMX_EINVAL);
    expect_untold(fixture.queue, none, 0, SHMX_EINVAL);
    expect_untold(fixture.queue, buffer, -2, SHMX_EINVAL);
    expect_untold(fixture.queue, buffer, 0, SHMX_ETIMEDOUT);
    send_text(fixture.queue, "1");
    assert_ok(shmx_queue_peek(fixture.queue, &peeked, NULL, 0));
    assert_status(shmx_queue_peek(fixture.queue, &second, &size, 0), SHMX_EINVAL);
    assert_null(second);
    assert_int_equal(size, 0);
    assert_ok(shmx_queue_release(fixture.queue));
    assert_ok(shmx_queue_shutdown(fixture.queue));
    expect_untold(fixture.queue, buffer, 0, SHMX_EHANGUP);
    memset((char *)shmx_data(fixture.shm) + 256, 0xff, 128); /* the consumers' places */
    memset((char *)shmx_data(fixture.shm) + 256, 0, 4);
    expect_untold(fixture.queue, buffer, 0, SHMX_EPROTO);
    close_both(&fixture);
}

static void the_size_for_so_many_holds_them(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 8, 9, 16, 100, 4096};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (size_t count = 1; count < 6; count++) {
            size_t size = shmx_queue_size_for(lengths[i], count);
            struct fixture fixture = open_new(size);
            unsigned char message[4096] = {1};
            assert_true(shmx_queue_max_message(fixture.queue) >= lengths[i]);
            for (int lap = 0; lap < 30; lap++) {
                for (size_t k = 0; k < count; k++)
                    assert_ok(shmx_queue_send(fixture.queue, message, lengths[i], 0));
                for (size_t k = 0; k < count; k++)
                    assert_ok(shmx_queue_receive(fixture.queue, message, 4096, NULL, 0));
                expect_nothing(fixture.queue);
            }
            close_both(&fixture);
        }
    }
    assert_int_equal(shmx_queue_size_for(0, 0), 0);
    assert_int_equal(shmx_queue_size_for(SIZE_MAX, 1), 0);
    assert_int_equal(shmx_queue_size_for(1 << 20, SIZE_MAX / 2), 0);
    assert_int_equal(shmx_queue_size_for(SIZE_MAX, SIZE_MAX), 0);
}

/* All lengths, the longest included, at every place of the ring, in odd regions. */
static void any_length_at_any_place(void **state)
{
    (void)state;
    for (size_t size = 448; size < 760; size += 8) {
        shmx *shm;
        shmx_queue *queue;
        unsigned char sent[512], got[512];
        assert_ok(shmx_create(&shm, NULL, size + 24, 0));
        assert_ok(shmx_queue_open(&queue, shm, 16, size + 1));
        size_t longest = shmx_queue_max_message(queue);
        for (uint32_t number = 0; number < 400; number++) {
            size_t length = number % 3 == 0 ? longest : numbered_size(number, longest), got_length;
            numbered_fill(sent, length, number);
            assert_ok(shmx_queue_send(queue, sent, length, 0));
            assert_ok(shmx_queue_receive(queue, got, sizeof got, &got_length, 0));
            assert_int_equal(got_length, length);
            assert_memory_equal(got, sent, length);
        }
        assert_int_equal(((unsigned char *)shmx_data(shm))[15], 0);
        assert_int_equal(((unsigned char *)shmx_data(shm))[16 + size + 1], 0);
        shmx_queue_close(&queue);
        shmx_close(&shm);
    }
}

static void messages_in_order_and_none_lost(void **state)
{
    (void)state;
    enum { LONGEST = 3000 };
    struct fixture fixture = open_new(SIZE);
    unsigned char message[LONGEST];
    uint32_t sent = 0, received = 0;
    size_t size;
    while (received < 20000) {
        for (int status = SHMX_OK; status == SHMX_OK;) {
            numbered_fill(message, numbered_size(sent, LONGEST), sent);
            status = shmx_queue_send(fixture.queue, message, numbered_size(sent, LONGEST), 0);
            sent += status == SHMX_OK;
        }
        for (uint32_t count = test_random() % 60; count > 0 && received < sent; count--) {
            assert_ok(shmx_queue_receive(fixture.queue, message, LONGEST, &size, 0));
            assert_true(numbered_right(message, size, received++, LONGEST));
        }
    }
    while (received < sent) {
        assert_ok(shmx_queue_receive(fixture.queue, message, LONGEST, &size, 0));
        assert_true(numbered_right(message, size, received++, LONGEST));
    }
    expect_nothing(fixture.queue);
    close_both(&fixture);
}

static void empty_messages_are_messages(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    void *place;
    const void *message;
    size_t size = 5;
    assert_ok(shmx_queue_send(fixture.queue, NULL, 0, 0));
    assert_ok(shmx_queue_receive(fixture.queue, NULL, 0, &size, 0));
    assert_int_equal(size, 0);
    assert_ok(shmx_queue_reserve(fixture.queue, 100, &place, 0));
    assert_ok(shmx_queue_commit(fixture.queue, 0));
    assert_ok(shmx_queue_reserve(fixture.queue, 0, &place, 0));
    assert_ok(shmx_queue_commit(fixture.queue, 0));
    for (int i = 0; i < 2; i++) {
        size = 5;
        assert_ok(shmx_queue_peek(fixture.queue, &message, &size, 0));
        assert_non_null(message);
        assert_int_equal(size, 0);
        assert_ok(shmx_queue_release(fixture.queue));
    }
    expect_nothing(fixture.queue);
    close_both(&fixture);
}

static void too_long_is_refused_and_loses_nothing(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    size_t longest = shmx_queue_max_message(fixture.queue), size;
    unsigned char message[4096] = {1};
    void *place;
    assert_true(longest > 1600 && longest < 4096);
    assert_status(shmx_queue_send(fixture.queue, message, longest + 1, 0), SHMX_EMSGSIZE);
    assert_status(shmx_queue_send(fixture.queue, message, SIZE_MAX, SHMX_FOREVER), SHMX_EMSGSIZE);
    assert_status(shmx_queue_reserve(fixture.queue, longest + 1, &place, 0), SHMX_EMSGSIZE);
    static const size_t lengths[] = {17, 1500}; /* copied under the lock, and not */
    for (size_t i = 0; i < 2; i++) {
        assert_ok(shmx_queue_send(fixture.queue, message, lengths[i], 0));
        for (int k = 0; k < 3; k++) {
            assert_status(
                shmx_queue_receive(fixture.queue, message, lengths[i] - 1, &size, SHMX_FOREVER),
                SHMX_EMSGSIZE);
            assert_int_equal(size, lengths[i]);
        }
        assert_status(shmx_queue_receive(fixture.queue, NULL, 0, NULL, 0), SHMX_EMSGSIZE);
        assert_ok(shmx_queue_receive(fixture.queue, message, lengths[i], &size, 0));
        assert_int_equal(size, lengths[i]);
    }
    close_both(&fixture);
}

static void time_limits_are_kept(void **state)
{
    (void)state;
    static const int limits[] = {1, 49, 51, 130};
    struct fixture fixture = open_new(4096);
    char buffer[4096] = {0};
    const void *message;
    void *place;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        int64_t start = test_now_ms();
        assert_status(shmx_queue_receive(fixture.queue, buffer, 64, NULL, limits[i]),
                      SHMX_ETIMEDOUT);
        assert_status(shmx_queue_peek(fixture.queue, &message, NULL, limits[i]), SHMX_ETIMEDOUT);
        assert_null(message);
        assert_true(test_now_ms() - start >= 2 * limits[i] - 16);
    }
    while (shmx_queue_send(fixture.queue, buffer, 1200, 0) == SHMX_OK)
        ;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        int64_t start = test_now_ms();
        assert_status(shmx_queue_send(fixture.queue, buffer, 1200, limits[i]), SHMX_ETIMEDOUT);
        assert_status(shmx_queue_reserve(fixture.queue, 1200, &place, limits[i]), SHMX_ETIMEDOUT);
        assert_null(place);
        assert_true(test_now_ms() - start >= 2 * limits[i] - 16);
    }
    close_both(&fixture);
}

/* ---- without a copy ---- */

static void a_reservation_can_be_shorter_or_taken_back(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_queue *queue = fixture.queue;
    void *place, *second;
    for (int lap = 0; lap < 200; lap++) {
        assert_ok(shmx_queue_reserve(queue, 100 + (size_t)lap, &place, 0));
        assert_int_equal((uintptr_t)place % 8, 0);
        assert_status(shmx_queue_reserve(queue, 8, &second, 0), SHMX_EINVAL);
        assert_null(second);
        assert_status(shmx_queue_commit(queue, 101 + (size_t)lap), SHMX_EINVAL);
        memcpy(place, "shorter", 7);
        assert_ok(shmx_queue_commit(queue, 7));
        assert_status(shmx_queue_commit(queue, 7), SHMX_EINVAL);
        assert_ok(shmx_queue_reserve(queue, 600, &place, 0));
        memset(place, 'x', 600);
        assert_ok(shmx_queue_cancel(queue));
        assert_status(shmx_queue_cancel(queue), SHMX_EINVAL);
        send_text(queue, "next");
        expect_text(queue, "shorter");
        expect_text(queue, "next");
        expect_nothing(queue);
    }
    close_both(&fixture);
}

static void cancelled_room_is_room_without_a_consumer(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    void *place;
    for (int i = 0; i < 1000; i++) {
        assert_ok(shmx_queue_reserve(fixture.queue, 900, &place, 0));
        assert_ok(i % 2 != 0 ? shmx_queue_cancel(fixture.queue)
                             : (shmx_queue_close(&fixture.queue), fixture.queue = another(&fixture),
                                SHMX_OK));
    }
    expect_nothing(fixture.queue);
    close_both(&fixture);
}

static void the_order_is_that_of_reserve(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_queue *second = another(&fixture), *third = another(&fixture);
    void *a, *b;
    assert_ok(shmx_queue_reserve(fixture.queue, 8, &a, 0));
    assert_ok(shmx_queue_reserve(second, 8, &b, 0)); /* the first one keeps nobody out */
    send_text(third, "c");
    memcpy(b, "b", 1);
    assert_ok(shmx_queue_commit(second, 1));
    expect_nothing(third); /* "a" comes first */
    memcpy(a, "a", 1);
    assert_ok(shmx_queue_commit(fixture.queue, 1));
    expect_text(third, "a");
    expect_text(third, "b");
    expect_text(third, "c");
    assert_ok(shmx_queue_reserve(fixture.queue, 8, &a, 0));
    send_text(second, "d");
    expect_nothing(third);
    assert_ok(shmx_queue_cancel(fixture.queue));
    expect_text(third, "d");
    shmx_queue_close(&second);
    shmx_queue_close(&third);
    close_both(&fixture);
}

static void send_works_beside_an_own_reservation(void **state)
{
    (void)state;
    struct fixture fixture = open_new(SIZE);
    char message[3000] = "b";
    void *place;
    size_t size;
    assert_ok(shmx_queue_reserve(fixture.queue, 8, &place, 0));
    memcpy(place, "a", 1);
    assert_ok(shmx_queue_send(fixture.queue, message, sizeof message, 0));
    send_text(fixture.queue, "c");
    assert_ok(shmx_queue_commit(fixture.queue, 1));
    expect_text(fixture.queue, "a");
    assert_ok(shmx_queue_receive(fixture.queue, message, sizeof message, &size, 0));
    assert_int_equal(size, sizeof message);
    expect_text(fixture.queue, "c");
    close_both(&fixture);
}

static void peeked_messages_are_read_in_place(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_queue *second = another(&fixture);
    const void *a, *b, *c;
    size_t size;
    for (int lap = 0; lap < 300; lap++) {
        send_text(fixture.queue, "first");
        send_text(fixture.queue, "second");
        send_text(fixture.queue, "third");
        assert_ok(shmx_queue_peek(fixture.queue, &a, &size, 0));
        assert_int_equal(size, 5);
        assert_memory_equal(a, "first", 5);
        assert_status(shmx_queue_peek(fixture.queue, &c, &size, 0), SHMX_EINVAL);
        assert_null(c);
        assert_ok(shmx_queue_peek(second, &b, &size, 0)); /* the first one keeps nobody out */
        assert_memory_equal(b, "second", 6);
        expect_text(fixture.queue, "third"); /* nor its own handle */
        assert_ok(shmx_queue_release(lap % 2 != 0 ? fixture.queue : second));
        expect_nothing(second);
        assert_ok(shmx_queue_release(lap % 2 != 0 ? second : fixture.queue));
        assert_status(shmx_queue_release(second), SHMX_EINVAL);
    }
    shmx_queue_close(&second);
    close_both(&fixture);
}

static void a_peeked_message_is_room_only_when_released(void **state)
{
    (void)state;
    struct fixture fixture = open_new(shmx_queue_size_for(1000, 3));
    shmx_queue *second = another(&fixture);
    unsigned char message[1000];
    const void *place;
    memset(message, 'a', sizeof message);
    assert_ok(shmx_queue_send(fixture.queue, message, 1000, 0));
    assert_ok(shmx_queue_peek(second, &place, NULL, 0));
    memset(message, 'b', sizeof message);
    int count = 0;
    while (shmx_queue_send(fixture.queue, message, 1000, 0) == SHMX_OK)
        count++;
    assert_true(count >= 2);
    for (int i = 0; i < count; i++)
        assert_ok(shmx_queue_receive(fixture.queue, message, 1000, NULL, 0));
    for (int i = 0; i < 1000; i++)
        assert_int_equal(((const unsigned char *)place)[i], 'a');
    assert_ok(shmx_queue_release(second));
    for (int i = 0; i < 3; i++)
        assert_ok(shmx_queue_send(fixture.queue, message, 1000, 0));
    shmx_queue_close(&second);
    close_both(&fixture);
}

static void closing_takes_back_and_gives_back(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    shmx_queue *second = another(&fixture), *third = another(&fixture);
    const void *message;
    void *place;
    for (int lap = 0; lap < 100; lap++) {
        send_text(fixture.queue, "one");
        send_text(fixture.queue, "two");
        send_text(fixture.queue, "three");
        assert_ok(shmx_queue_peek(second, &message, NULL, 0));
        assert_ok(shmx_queue_peek(third, &message, NULL, 0));
        assert_ok(shmx_queue_reserve(second, 200, &place, 0));
        send_text(fixture.queue, "four");
        expect_text(fixture.queue, "three");
        expect_nothing(fixture.queue); /* the reservation comes before "four" */
        shmx_queue_close(&third);
        shmx_queue_close(&second);
        expect_text(fixture.queue, "one");
        expect_text(fixture.queue, "two");
        expect_text(fixture.queue, "four");
        expect_nothing(fixture.queue);
        second = another(&fixture);
        third = another(&fixture);
    }
    shmx_queue_close(&second);
    shmx_queue_close(&third);
    close_both(&fixture);
}

/* ---- threads ---- */

enum { LONGEST = 300, EACH = 20000 };

struct crowd {
    shmx *shm;
    _Atomic uint32_t producers_left;
    _Atomic uint32_t received;
    _Atomic uint64_t sum;
    uint32_t producers;
    uint32_t last[2][8]; /* by consumer and producer */
};

struct member {
    struct crowd *crowd;
    uint32_t number;
};

/* Its sender, its number, and something that follows from both. */
struct letter {
    uint32_t producer;
    uint32_t number;
    unsigned char text[LONGEST];
};

static size_t letter_write(struct letter *letter, uint32_t producer, uint32_t number)
{
    letter->producer = producer;
    letter->number = number;
    size_t size = numbered_size(number ^ producer, LONGEST);
    numbered_fill(letter->text, size, number ^ producer);
    return offsetof(struct letter, text) + size;
}

static bool letter_right(const struct letter *letter, size_t size)
{
    return size >= offsetof(struct letter, text) &&
           numbered_right(letter->text, size - offsetof(struct letter, text),
                          letter->number ^ letter->producer, LONGEST);
}

static void send_one_way_or_the_other(shmx_queue *queue, uint32_t producer, uint32_t number)
{
    struct letter letter;
    void *place;
    size_t size = letter_write(&letter, producer, number);
    if (number % 3 != 0) {
        must(shmx_queue_send(queue, &letter, size, SHMX_FOREVER) == SHMX_OK);
        return;
    }
    must(shmx_queue_reserve(queue, sizeof letter, &place, SHMX_FOREVER) == SHMX_OK);
    if (number % 2 == 0) {
        must(shmx_queue_cancel(queue) == SHMX_OK);
        must(shmx_queue_reserve(queue, sizeof letter, &place, SHMX_FOREVER) == SHMX_OK);
    }
    memcpy(place, &letter, size);
    must(shmx_queue_commit(queue, size) == SHMX_OK);
}

static void produce(void *context)
{
    struct member *member = context;
    shmx_queue *queue;
    must(shmx_queue_open(&queue, member->crowd->shm, 0, shmx_size(member->crowd->shm)) == SHMX_OK);
    for (uint32_t number = 1; number <= EACH; number++)
        send_one_way_or_the_other(queue, member->number, number);
    if (atomic_fetch_sub(&member->crowd->producers_left, 1) == 1)
        for (int i = 0; i < 8; i++) /* one end for each consumer there may be */
            must(shmx_queue_send(queue, NULL, 0, SHMX_FOREVER) == SHMX_OK);
    shmx_queue_close(&queue);
}

/* False at the end. */
static bool receive_one_way_or_the_other(shmx_queue *queue, struct letter *letter, uint32_t count)
{
    size_t size;
    if (count % 3 != 0) {
        must(shmx_queue_receive(queue, letter, sizeof *letter, &size, SHMX_FOREVER) == SHMX_OK);
    } else {
        const void *place;
        must(shmx_queue_peek(queue, &place, &size, SHMX_FOREVER) == SHMX_OK);
        memcpy(letter, place, size);
        must(shmx_queue_release(queue) == SHMX_OK);
    }
    must(size == 0 || letter_right(letter, size));
    return size != 0;
}

static void consume(void *context)
{
    struct member *member = context;
    struct crowd *crowd = member->crowd;
    shmx_queue *queue;
    struct letter letter;
    uint32_t last[8] = {0}, count = 0;
    must(shmx_queue_open(&queue, crowd->shm, 0, shmx_size(crowd->shm)) == SHMX_OK);
    while (receive_one_way_or_the_other(queue, &letter, count)) {
        must(letter.producer < crowd->producers);
        must(letter.number > last[letter.producer]); /* in order, as far as one consumer sees */
        last[letter.producer] = letter.number;
        atomic_fetch_add(&crowd->sum, letter.number);
        count++;
    }
    atomic_fetch_add(&crowd->received, count);
    shmx_queue_close(&queue);
}

static void crowd_run(uint32_t producers, uint32_t consumers, size_t size)
{
    struct crowd crowd = {.producers_left = producers, .producers = producers};
    struct member members[16];
    struct test_thread *threads[16];
    assert_ok(shmx_create(&crowd.shm, NULL, size, 0));
    for (uint32_t i = 0; i < producers + consumers; i++) {
        bool producer = i < producers;
        members[i] = (struct member){&crowd, i};
        threads[i] = thread_start(producer ? produce : consume, &members[i]);
    }
    for (uint32_t i = 0; i < producers + consumers; i++)
        thread_join(threads[i]);
    assert_int_equal(crowd.received, producers * EACH);
    assert_true(crowd.sum == (uint64_t)producers * EACH * (EACH + 1) / 2);
    shmx_close(&crowd.shm);
}

static void one_to_one(void **state)
{
    (void)state;
    crowd_run(1, 1, 4096);
    crowd_run(1, 1, SIZE);
}

static void many_to_one(void **state)
{
    (void)state;
    crowd_run(4, 1, 4096);
}

static void one_to_many(void **state)
{
    (void)state;
    crowd_run(1, 4, 4096);
}

static void many_to_many(void **state)
{
    (void)state;
    crowd_run(4, 4, 2048);
    crowd_run(3, 3, SIZE);
}

/* ---- processes ---- */

struct opened {
    shmx *shm;
    shmx_queue *queue;
};

static struct opened open_named(const char *name)
{
    struct opened opened;
    must(shmx_open(&opened.shm, name, 0) == SHMX_OK);
    must(shmx_queue_open(&opened.queue, opened.shm, 0, shmx_size(opened.shm)) == SHMX_OK);
    return opened;
}

static void close_named(struct opened *opened)
{
    shmx_queue_close(&opened->queue);
    shmx_close(&opened->shm);
}

/* Send letters 1 to N as producer P. */
PART(producer)
{
    must(argc == 4);
    struct opened opened = open_named(argv[1]);
    uint32_t producer = (uint32_t)atoi(argv[2]), count = (uint32_t)atoi(argv[3]);
    for (uint32_t number = 1; number <= count; number++)
        send_one_way_or_the_other(opened.queue, producer, number);
    close_named(&opened);
    return 0;
}

/* Receive until the end, and say how many and their sum. */
PART(consumer)
{
    must(argc == 2);
    struct opened opened = open_named(argv[1]);
    struct letter letter;
    uint32_t count = 0;
    uint64_t sum = 0;
    while (receive_one_way_or_the_other(opened.queue, &letter, count)) {
        sum += letter.number;
        count++;
    }
    close_named(&opened);
    say("%u %llu", (unsigned)count, (unsigned long long)sum);
    return 0;
}

/* Do one thing, say so, and stay until killed or told to go on. */
PART(holder)
{
    must(argc == 3);
    struct opened opened = open_named(argv[1]);
    const void *message;
    void *place;
    if (strchr(argv[2], 'r') != NULL)
        must(shmx_queue_reserve(opened.queue, 100, &place, 0) == SHMX_OK);
    if (strchr(argv[2], 'p') != NULL)
        must(shmx_queue_peek(opened.queue, &message, NULL, 0) == SHMX_OK);
    say("holding");
    hear();
    close_named(&opened);
    return 0;
}

/* Receive one for each line heard, waiting as long as is said. */
PART(receiver)
{
    must(argc == 3);
    struct opened opened = open_named(argv[1]);
    char text[64];
    size_t size;
    say("ready");
    do {
        int status = shmx_queue_receive(opened.queue, text, sizeof text - 1, &size, atoi(argv[2]));
        text[size] = '\0';
        say("%s %s", shmx_status_name(status), text);
    } while (hear() != NULL);
    close_named(&opened);
    return 0;
}

static void many_processes(void **state)
{
    (void)state;
    enum { PRODUCERS = 3, CONSUMERS = 3, COUNT = 5000 };
    struct fixture fixture = open_new(4096);
    struct test_child *producers[PRODUCERS], *consumers[CONSUMERS];
    char number[16], count[16];
    snprintf(count, sizeof count, "%d", COUNT);
    for (int i = 0; i < PRODUCERS; i++) {
        snprintf(number, sizeof number, "%d", i);
        producers[i] = child_start("producer", fixture.name, number, count);
    }
    for (int i = 0; i < CONSUMERS; i++)
        consumers[i] = child_start("consumer", fixture.name);
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(child_wait(producers[i]), 0);
    for (int i = 0; i < CONSUMERS; i++)
        assert_ok(shmx_queue_send(fixture.queue, NULL, 0, SHMX_FOREVER));
    unsigned received = 0;
    unsigned long long sum = 0;
    for (int i = 0; i < CONSUMERS; i++) {
        unsigned got;
        unsigned long long part;
        assert_int_equal(sscanf(child_receive(consumers[i]), "%u %llu", &got, &part), 2);
        received += got;
        sum += part;
        assert_int_equal(child_wait(consumers[i]), 0);
    }
    assert_int_equal(received, PRODUCERS * COUNT);
    assert_true(sum == PRODUCERS * (unsigned long long)COUNT * (COUNT + 1) / 2);
    close_both(&fixture);
}

static void the_layout_is_that_of_another_build(void **state)
{
    (void)state;
    const char *other = getenv("SHMX_QUEUE_OTHER");
    if (other == NULL)
        test_skip("SHMX_QUEUE_OTHER does not say where this test is, built for another width");
    struct fixture fixture = open_new(4096);
    const char *const producing[] = {"producer", fixture.name, "1", "5000", NULL};
    const char *const consuming[] = {"consumer", fixture.name, NULL};
    struct test_child *producer = child_start("producer", fixture.name, "0", "5000");
    struct test_child *other_producer = child_start_program(other, producing);
    struct test_child *consumers[] = {child_start("consumer", fixture.name),
                                      child_start_program(other, consuming)};
    assert_int_equal(child_wait(producer), 0);
    assert_int_equal(child_wait(other_producer), 0);
    unsigned received = 0, got;
    unsigned long long sum = 0, part;
    for (int i = 0; i < 2; i++)
        assert_ok(shmx_queue_send(fixture.queue, NULL, 0, SHMX_FOREVER));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sscanf(child_receive(consumers[i]), "%u %llu", &got, &part), 2);
        received += got;
        sum += part;
        assert_int_equal(child_wait(consumers[i]), 0);
    }
    assert_int_equal(received, 10000);
    assert_true(sum == 5000ull * 5001);
    close_both(&fixture);
}

static void a_sleeping_consumer_is_woken(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    struct test_child *receivers[3];
    for (int i = 0; i < 3; i++) {
        receivers[i] = child_start("receiver", fixture.name, "-1");
        child_expect(receivers[i], "ready");
    }
    struct queue_header *header = shmx_data(fixture.shm);
    test_until(test_sleepers(fixture.shm, &header->producers.event) == 3);
    for (int i = 0; i < 3; i++)
        send_text(fixture.queue, "x");
    for (int i = 0; i < 3; i++)
        child_expect(receivers[i], "SHMX_OK x");
    for (int i = 0; i < 3; i++)
        assert_int_equal(child_wait(receivers[i]), 0);
    close_both(&fixture);
}

static void a_commit_wakes_who_waits_for_it(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    void *place;
    assert_ok(shmx_queue_reserve(fixture.queue, 8, &place, 0));
    struct test_child *receiver = child_start("receiver", fixture.name, "-1");
    child_expect(receiver, "ready");
    struct queue_header *header = shmx_data(fixture.shm);
    test_until(test_sleepers(fixture.shm, &header->producers.event) == 1);
    memcpy(place, "y", 1);
    assert_ok(shmx_queue_commit(fixture.queue, 1));
    child_expect(receiver, "SHMX_OK y");
    assert_int_equal(child_wait(receiver), 0);
    close_both(&fixture);
}

struct late_receiver {
    shmx *shm;
    shmx_queue *queue;
    struct queue_header *header;
};

static void receive_when_full(void *context)
{
    struct late_receiver *late = context;
    char message[1200];
    test_until(test_sleepers(late->shm, &late->header->consumers.event) != 0);
    for (int i = 0; i < 2; i++) /* the first may leave the start of the ring a little too short */
        must(shmx_queue_receive(late->queue, message, sizeof message, NULL, 0) == SHMX_OK);
}

static void a_sleeping_producer_is_woken(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    char message[1200] = {0};
    struct late_receiver late = {fixture.shm, another(&fixture), shmx_data(fixture.shm)};
    while (shmx_queue_send(fixture.queue, message, sizeof message, 0) == SHMX_OK)
        ;
    struct test_thread *thread = thread_start(receive_when_full, &late);
    assert_ok(shmx_queue_send(fixture.queue, message, sizeof message, SHMX_FOREVER));
    thread_join(thread);
    shmx_queue_close(&late.queue);
    close_both(&fixture);
}

struct canceller {
    shmx *shm;
    shmx_queue *queue;
    struct queue_header *header;
    int64_t cancelled_at;
};

static void cancels_when_full(void *context)
{
    struct canceller *canceller = context;
    test_until(test_sleepers(canceller->shm, &canceller->header->consumers.event) != 0);
    canceller->cancelled_at = test_now_ms();
    must(shmx_queue_cancel(canceller->queue) == SHMX_OK);
}

static void a_cancelled_reservation_wakes_producers(void **state)
{
    (void)state;
    enum { ROUNDS = 8, SOON = 15 };
    int soon = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct fixture fixture = open_new(4096);
        void *place;
        struct canceller canceller = {fixture.shm, another(&fixture), shmx_data(fixture.shm), 0};
        assert_ok(shmx_queue_reserve(canceller.queue, 1200, &place, 0));
        char message[1200] = {0};
        while (shmx_queue_send(fixture.queue, message, sizeof message, 0) == SHMX_OK)
            ;
        struct test_thread *thread = thread_start(cancels_when_full, &canceller);
        /* Shorter: a record does not fit into the place of its like at the start of the ring. */
        assert_ok(shmx_queue_send(fixture.queue, message, 1000, SHMX_FOREVER));
        int64_t now = test_now_ms();
        thread_join(thread);
        soon += now - canceller.cancelled_at < SOON;
        shmx_queue_close(&canceller.queue);
        close_both(&fixture);
    }
    print_message("soon in %d of %d rounds\n", soon, ROUNDS);
    assert_true(soon >= ROUNDS - 2); /* a busy machine is late by itself now and then */
}

static void a_dead_producers_reservation_is_passed_over(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    for (int lap = 0; lap < 5; lap++) {
        struct test_child *holder = child_start("holder", fixture.name, "r");
        child_expect(holder, "holding");
        send_text(fixture.queue, "after");
        expect_nothing(fixture.queue); /* the living is waited for */
        child_end_by_kill(holder);
        expect_text(fixture.queue, "after"); /* at once */
        expect_nothing(fixture.queue);
    }
    close_both(&fixture);
}

static void a_waiting_consumer_notices_the_death(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    struct test_child *holder = child_start("holder", fixture.name, "r");
    child_expect(holder, "holding");
    struct test_child *receiver = child_start("receiver", fixture.name, "-1");
    child_expect(receiver, "ready");
    send_text(fixture.queue, "after");
    child_end_by_kill(holder);
    child_expect(receiver, "SHMX_OK after");
    assert_int_equal(child_wait(receiver), 0);
    close_both(&fixture);
}

static void a_dead_consumers_message_is_delivered_again(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    for (int lap = 0; lap < 5; lap++) {
        send_text(fixture.queue, "once");
        send_text(fixture.queue, "more");
        struct test_child *holder = child_start("holder", fixture.name, "p");
        child_expect(holder, "holding");
        expect_text(fixture.queue, "more");
        expect_nothing(fixture.queue);
        child_end_by_kill(holder);
        expect_text(fixture.queue, "once"); /* at once */
        expect_nothing(fixture.queue);
    }
    close_both(&fixture);
}

static void a_full_queue_gets_a_dead_consumers_message_back(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    unsigned char message[600] = {0};
    int count = 0;
    while (shmx_queue_send(fixture.queue, message, sizeof message, 0) == SHMX_OK)
        message[0] = (unsigned char)++count;
    struct test_child *holder = child_start("holder", fixture.name, "p");
    child_expect(holder, "holding");
    child_end_by_kill(holder);
    assert_status(shmx_queue_send(fixture.queue, message, sizeof message, 0), SHMX_ETIMEDOUT);
    for (int i = 0; i < count; i++) {
        assert_ok(shmx_queue_receive(fixture.queue, message, sizeof message, NULL, 0));
        assert_int_equal(message[0], i);
    }
    expect_nothing(fixture.queue);
    close_both(&fixture);
}

static void use_after_fork(void *context)
{
    struct fixture *fixture = context;
    char text[8];
    must(shmx_queue_commit(fixture->queue, 1) == SHMX_EINVAL); /* the parent's */
    must(shmx_queue_release(fixture->queue) == SHMX_EINVAL);
    must(shmx_queue_send(fixture->queue, "child", 5, 0) == SHMX_OK);
    must(shmx_queue_receive(fixture->queue, text, 8, NULL, 0) == SHMX_OK);
    must(text[0] == '2');
    shmx_queue_close(&fixture->queue);
    shmx_close(&fixture->shm);
}

static void a_forked_child_owns_nothing_of_the_parents(void **state)
{
    (void)state;
    struct fixture fixture = open_new(4096);
    const void *message;
    void *place;
    send_text(fixture.queue, "1");
    send_text(fixture.queue, "2");
    assert_ok(shmx_queue_peek(fixture.queue, &message, NULL, 0));
    assert_ok(shmx_queue_reserve(fixture.queue, 8, &place, 0));
    struct test_child *child = child_fork(use_after_fork, &fixture);
    if (child == NULL) {
        close_both(&fixture);
        test_skip("no fork on this system");
    }
    assert_int_equal(child_wait(child), 0);
    memcpy(place, "3", 1);
    assert_ok(shmx_queue_commit(fixture.queue, 1));
    assert_ok(shmx_queue_release(fixture.queue));
    expect_text(fixture.queue, "3");
    expect_text(fixture.queue, "child");
    expect_nothing(fixture.queue);
    close_both(&fixture);
}

/* ---- damage ---- */

static bool ordinary(int status)
{
    return status == SHMX_OK || status == SHMX_ETIMEDOUT || status == SHMX_EPROTO ||
           status == SHMX_EMSGSIZE || status == SHMX_EINVAL || status == SHMX_EHANGUP;
}

/* Do a bit of everything with a queue that holds anything. */
static void use_damaged(shmx_queue *queue)
{
    static unsigned char message[2048];
    const void *seen;
    void *place;
    size_t size;
    for (int i = 0; i < 3; i++) {
        int limit = (int)(test_random() % 2);
        assert_true(ordinary(shmx_queue_send(queue, message, test_random() % 600, limit)));
        int status = shmx_queue_receive(queue, message, sizeof message, &size, limit);
        assert_true(ordinary(status) && (status != SHMX_OK || size <= sizeof message));
        assert_true(status == SHMX_OK || status == SHMX_EMSGSIZE || size == 0);
        if (shmx_queue_reserve(queue, 40, &place, 0) == SHMX_OK) {
            memset(place, 'r', 40);
            assert_true(ordinary(shmx_queue_commit(queue, test_random() % 41)));
        }
        if (shmx_queue_peek(queue, &seen, &size, 0) == SHMX_OK) {
            assert_true(size <= SIZE); /* all of it can be read: */
            for (size_t k = 0; k < size; k++)
                message[k % sizeof message] ^= ((const unsigned char *)seen)[k];
            assert_true(ordinary(shmx_queue_release(queue)));
        }
    }
}

/* The region is the middle of the segment; what is around must stay as it is. */
static void damage(shmx *shm, size_t size, int kind)
{
    unsigned char *region = (unsigned char *)shmx_data(shm) + 64;
    if (kind == 0)
        for (size_t i = 12; i < size; i++)
            region[i] = (unsigned char)test_random();
    uint32_t *words = (uint32_t *)(void *)region;
    for (int i = kind == 0 ? 4 : 1 + kind; i > 0; i--) {
        static const uint32_t favourites[] = {
            0,          1,          8,          0x40000001, 0x80000001, 0xc0000001, 0xc0000002,
            0xc0000003, 0xc0000004, UINT32_MAX, 47,         48,         49};
        size_t side = kind == 2 ? size / 4 : 96; /* the header, or anywhere */
        size_t at = 3 + test_random() % (side - 3);
        words[at] = i % 2 != 0 ? favourites[test_random() % 13] : test_random() % 64;
    }
}

/* Where the locks of the sides lie. */
#define PRODUCERS_LOCK 128
#define CONSUMERS_LOCK 256

/* A participant that is stopped inside a side's lock lives. 0 means now, and a limit is a limit. */
static void a_held_side_keeps_time_limits(void **state)
{
    (void)state;
    static const int limits[] = {0, 20};
    struct fixture fixture = open_new(SIZE);
    shmx *stopped;
    assert_ok(shmx_open(&stopped, fixture.name, 0));
    send_text(fixture.queue, "there");
    uint32_t token;
    assert_ok(shmx_os_owner_claim(&stopped->attachment, &token));
    unsigned char *bytes = shmx_data(fixture.shm);
    memcpy(bytes + PRODUCERS_LOCK, &token, sizeof token);
    memcpy(bytes + CONSUMERS_LOCK, &token, sizeof token);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        int64_t best = TEST_PATIENCE_MS;
        for (int tries = 0; tries < 20 && best > limits[i] + 20; tries++) {
            size_t size;
            int64_t start = test_now_ms();
            assert_status(shmx_queue_send(fixture.queue, "x", 1, limits[i]), SHMX_ETIMEDOUT);
            assert_status(shmx_queue_receive(fixture.queue, bytes, 1, &size, limits[i]),
                          SHMX_ETIMEDOUT);
            int64_t took = (test_now_ms() - start) / 2;
            best = took < best ? took : best;
        }
        assert_true(best <= limits[i] + 20);
    }
    shmx_close(&stopped);
    expect_text(fixture.queue, "there"); /* the one inside has died */
    close_both(&fixture);
}

static void a_damaged_queue_harms_nobody(void **state)
{
    (void)state;
    enum { REGION = 768 };
    const char *rounds_text = getenv("SHMX_QUEUE_DAMAGES");
    int rounds = rounds_text != NULL ? atoi(rounds_text) : 600;
    shmx *shm;
    assert_ok(shmx_create(&shm, NULL, REGION + 128, 0));
    unsigned char *bytes = shmx_data(shm);
    for (int i = 0; i < rounds; i++) {
        shmx_queue *queue;
        memset(bytes, 0, REGION + 128);
        memset(bytes, 0x5a, 64);
        memset(bytes + 64 + REGION, 0x5a, 64);
        assert_ok(shmx_queue_open(&queue, shm, 64, REGION));
        for (uint32_t k = test_random() % 8; k > 0; k--)
            shmx_queue_send(queue, bytes, test_random() % 60, 0);
        for (uint32_t k = test_random() % 8; k > 0; k--)
            shmx_queue_receive(queue, (unsigned char[64]){0}, 64, NULL, 0);
        damage(shm, REGION, i % 3);
        use_damaged(queue);
        shmx_queue_close(&queue);
        for (size_t k = 0; k < 64; k++)
            assert_true(bytes[k] == 0x5a && bytes[64 + REGION + k] == 0x5a);
    }
    shmx_close(&shm);
}

static void another_version_is_refused(void **state)
{
    (void)state;
    for (int word = 0; word < 3; word++) {
        struct fixture fixture = open_new(4096);
        shmx_queue *queue;
        ((uint32_t *)shmx_data(fixture.shm))[word] ^= 0x100;
        assert_status(shmx_queue_open(&queue, fixture.shm, 0, 4096),
                      word < 2 ? SHMX_EPROTO : SHMX_ERANGE);
        close_both(&fixture);
    }
}

static const struct test_part parts[] = {{"producer", part_producer},
                                         {"consumer", part_consumer},
                                         {"holder", part_holder},
                                         {"receiver", part_receiver},
                                         {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_zeroed_region_is_an_empty_queue),
    cmocka_unit_test(regions_that_are_wrong),
    cmocka_unit_test(a_region_that_is_not_zeroed_is_refused),
    cmocka_unit_test(what_is_refused_changes_nothing),
    cmocka_unit_test(arguments_that_are_wrong),
    cmocka_unit_test(a_failure_tells_no_size),
    cmocka_unit_test(the_size_for_so_many_holds_them),
    cmocka_unit_test(any_length_at_any_place),
    cmocka_unit_test(messages_in_order_and_none_lost),
    cmocka_unit_test(empty_messages_are_messages),
    cmocka_unit_test(too_long_is_refused_and_loses_nothing),
    cmocka_unit_test(time_limits_are_kept),
    cmocka_unit_test(a_reservation_can_be_shorter_or_taken_back),
    cmocka_unit_test(cancelled_room_is_room_without_a_consumer),
    cmocka_unit_test(the_order_is_that_of_reserve),
    cmocka_unit_test(send_works_beside_an_own_reservation),
    cmocka_unit_test(peeked_messages_are_read_in_place),
    cmocka_unit_test(a_peeked_message_is_room_only_when_released),
    cmocka_unit_test(closing_takes_back_and_gives_back),
    cmocka_unit_test(one_to_one),
    cmocka_unit_test(many_to_one),
    cmocka_unit_test(one_to_many),
    cmocka_unit_test(many_to_many),
    cmocka_unit_test(many_processes),
    cmocka_unit_test(the_layout_is_that_of_another_build),
    cmocka_unit_test(a_sleeping_consumer_is_woken),
    cmocka_unit_test(a_commit_wakes_who_waits_for_it),
    cmocka_unit_test(a_sleeping_producer_is_woken),
    cmocka_unit_test(a_cancelled_reservation_wakes_producers),
    cmocka_unit_test(a_dead_producers_reservation_is_passed_over),
    cmocka_unit_test(a_waiting_consumer_notices_the_death),
    cmocka_unit_test(a_dead_consumers_message_is_delivered_again),
    cmocka_unit_test(a_full_queue_gets_a_dead_consumers_message_back),
    cmocka_unit_test(a_forked_child_owns_nothing_of_the_parents),
    cmocka_unit_test(a_held_side_keeps_time_limits),
    cmocka_unit_test(a_damaged_queue_harms_nobody),
    cmocka_unit_test(another_version_is_refused),
};

TEST_MAIN(tests, parts)
