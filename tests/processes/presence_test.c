/* SPDX-License-Identifier: MIT */
/* Presence, and queues that say that nobody is there: the system's word, whatever processes do. */
#include "support.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 8192
#define KEY 0xffffffffu
#define DEATH_MS 100
#define BUSY_MS 400 /* what a busy machine may add */

static int ask(shmx *shm, uint32_t key, int present)
{
    return shmx_presence_wait(shm, key, present, 0);
}

/* Enter, say so, and stay until told otherwise. */
PART(visitor)
{
    shmx *shm;
    must(argc == 3 && shmx_open(&shm, argv[1], (unsigned)atoi(argv[2])) == SHMX_OK);
    must(shmx_presence_enter(shm, KEY) == SHMX_OK);
    say("entered");
    const char *order = hear();
    if (order != NULL && strcmp(order, "leave") == 0) {
        must(shmx_presence_leave(shm, KEY) == SHMX_OK);
        say("left");
        hear();
    } else if (order != NULL && strcmp(order, "exec") == 0) {
        test_exec((const char *const[]){"another", argv[1], NULL});
        say("cannot");
    }
    return 0;
}

PART(another)
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    say("became another");
    hear();
    return 0;
}

static void one_enters_and_leaves(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE), *other;
    assert_ok(ask(shm, KEY, 0));
    assert_status(ask(shm, KEY, 1), SHMX_ETIMEDOUT);
    assert_ok(shmx_presence_enter(shm, KEY));
    assert_status(shmx_presence_enter(shm, KEY), SHMX_EINVAL);
    assert_ok(shmx_presence_enter(shm, 0));
    assert_ok(ask(shm, KEY, 0)); /* not another */
    assert_ok(shmx_open(&other, name, SHMX_READ_ONLY));
    assert_ok(ask(other, KEY, 1));
    assert_ok(ask(other, 0, 1));
    assert_ok(ask(other, 1, 0));
    assert_ok(shmx_presence_enter(other, KEY));
    assert_ok(ask(shm, KEY, 1));
    assert_ok(shmx_presence_leave(shm, KEY));
    assert_status(shmx_presence_leave(shm, KEY), SHMX_EINVAL);
    assert_ok(ask(other, KEY, 0));
    assert_ok(ask(other, 0, 1));
    shmx_close(&shm);
    assert_ok(ask(other, 0, 0));
    shmx_close(&other);
}

/* Where nothing tells a raw segment from others, no function pretends. */
static void a_raw_one_has_presence_or_says_that_it_has_not(void **state)
{
    (void)state;
    shmx *shm;
    assert_ok(shmx_create(&shm, test_name(), 100, SHMX_RAW));
    int status = shmx_presence_enter(shm, 7);
    assert_true(status == SHMX_OK || status == SHMX_ENOTSUP);
    assert_status(shmx_presence_wait(shm, 7, 0, 0), status);
    assert_status(shmx_presence_wait(shm, 7, 1, 0),
                  status == SHMX_OK ? SHMX_ETIMEDOUT : SHMX_ENOTSUP);
    shmx_unlink(shmx_name(shm));
    shmx_close(&shm);
}

static void arguments_that_are_wrong(void **state)
{
    (void)state;
    shmx *shm = test_segment(test_name(), SIZE);
    assert_status(shmx_presence_enter(NULL, 1), SHMX_EINVAL);
    assert_status(shmx_presence_leave(NULL, 1), SHMX_EINVAL);
    assert_status(shmx_presence_wait(NULL, 1, 1, 0), SHMX_EINVAL);
    assert_status(shmx_presence_wait(shm, 1, 2, 0), SHMX_EINVAL);
    assert_status(shmx_presence_wait(shm, 1, -1, 0), SHMX_EINVAL);
    assert_status(shmx_presence_wait(shm, 1, 1, -2), SHMX_EINVAL);
    assert_status(shmx_presence_leave(shm, 1), SHMX_EINVAL);
    int64_t start = test_now_ms();
    assert_status(shmx_presence_wait(shm, 1, 1, 50), SHMX_ETIMEDOUT);
    assert_true(test_now_ms() - start >= 50 - 16); /* the test's clock may tick by 16 */
    shmx_close(&shm);
}

static struct test_child *visit(shmx *shm, const char *name, const char *flags)
{
    struct test_child *child = child_start("visitor", name, flags);
    assert_ok(shmx_presence_wait(shm, KEY, 1, SHMX_FOREVER));
    child_expect(child, "entered");
    return child;
}

struct keys {
    uint32_t seen[8];
    int count, most;
};

static int key_note(uint32_t key, void *context)
{
    struct keys *keys = context;
    if (keys->count < 8)
        keys->seen[keys->count] = key;
    return ++keys->count == keys->most ? 17 : 0;
}

static void those_that_are_there_are_listed(void **state)
{
    (void)state;
    static const uint32_t entered[] = {4711, 0, UINT32_MAX - 1, 7, 8};
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE), *other, *looker;
    struct keys keys = {.count = 0};
    assert_ok(shmx_open(&other, name, 0));
    assert_ok(shmx_open(&looker, name, SHMX_READ_ONLY));
    assert_status(shmx_presence_list(NULL, key_note, &keys), SHMX_EINVAL);
    assert_status(shmx_presence_list(shm, NULL, &keys), SHMX_EINVAL);
    assert_ok(shmx_presence_list(looker, key_note, &keys));
    assert_int_equal(keys.count, 0);
    for (int i = 0; i < 5; i++)
        assert_ok(shmx_presence_enter(shm, entered[i]));
    assert_ok(shmx_presence_enter(other, 7)); /* two are there under one key */
    assert_ok(shmx_presence_enter(looker, 5));
    assert_ok(shmx_presence_enter(looker, 8)); /* it sees others only */
    struct test_child *child = child_start("visitor", name, "0");
    child_expect(child, "entered");
    assert_ok(shmx_presence_list(looker, key_note, &keys));
    static const uint32_t expected[] = {0, 7, 8, 4711, UINT32_MAX - 1, KEY};
    assert_int_equal(keys.count, 6);
    assert_memory_equal(keys.seen, expected, sizeof expected);
    keys = (struct keys){.most = 2};
    assert_int_equal(shmx_presence_list(other, key_note, &keys), 17);
    assert_int_equal(keys.seen[1], 5);
    child_end_by_kill(child);
    assert_ok(shmx_presence_wait(shm, KEY, 0, DEATH_MS + BUSY_MS));
    shmx_close(&looker);
    keys = (struct keys){.count = 0};
    assert_ok(shmx_presence_list(shm, key_note, &keys));
    assert_int_equal(keys.count, 1);
    assert_int_equal(keys.seen[0], 7);
    shmx_close(&other);
    shmx_close(&shm);
}

static void a_death_is_told(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    for (int i = 0; i < 6; i++) {
        struct test_child *child = visit(shm, name, i % 2 == 0 ? "0" : "1");
        if (child_stop(child)) {
            assert_status(ask(shm, KEY, 0), SHMX_ETIMEDOUT); /* stopped is there */
            child_continue(child);
        }
        child_end_by_kill(child);
        int64_t start = test_now_ms();
        assert_ok(shmx_presence_wait(shm, KEY, 0, SHMX_FOREVER));
        assert_true(test_now_ms() - start < DEATH_MS + BUSY_MS);
    }
    shmx_close(&shm);
}

struct awaited {
    shmx *shm;
    int present;
    int64_t known_at;
};

static void awaits(void *context)
{
    struct awaited *awaited = context;
    must(shmx_presence_wait(awaited->shm, KEY, awaited->present, SHMX_FOREVER) == SHMX_OK);
    awaited->known_at = test_now_ms();
}

/* Where nobody wakes the sleeper, it is late by most of 95 ms each time. */
static void entering_and_leaving_is_noticed_at_once(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct awaited awaited;
    assert_ok(shmx_open(&awaited.shm, name, 0));
    int late = 0;
    for (int i = 0; i < 8; i++) {
        awaited.present = i % 2 == 0;
        struct test_thread *thread = thread_start(awaits, &awaited);
        test_until(test_presence_sleepers(shm) != 0);
        int64_t start = test_now_ms();
        assert_ok(awaited.present ? shmx_presence_enter(shm, KEY) : shmx_presence_leave(shm, KEY));
        thread_join(thread);
        late += awaited.known_at - start > 20;
    }
    print_message("later than 20 ms: %d of 8\n", late);
    assert_true(late < 8); /* a busy machine is late now and then */
    shmx_close(&awaited.shm);
    shmx_close(&shm);
}

static void leaving_ending_and_exec(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct test_child *child = visit(shm, name, "0");
    child_send(child, "leave");
    child_expect(child, "left");
    assert_ok(ask(shm, KEY, 0));
    assert_int_equal(child_wait(child), 0);
    child = visit(shm, name, "0");
    child_close_input(child); /* it ends */
    assert_ok(shmx_presence_wait(shm, KEY, 0, SHMX_FOREVER));
    assert_int_equal(child_wait(child), 0);
    child = visit(shm, name, "0");
    child_send(child, "exec");
    const char *said = child_receive(child);
    if (strcmp(said, "became another") == 0)
        assert_ok(ask(shm, KEY, 0));
    assert_int_equal(child_wait(child), 0);
    shmx_close(&shm);
}

static _Atomic int looking;

static void looks(void *name)
{
    shmx *shm;
    must(shmx_open(&shm, name, 0) == SHMX_OK);
    while (atomic_load(&looking)) {
        int status = ask(shm, KEY, 1);
        must(status == SHMX_OK || status == SHMX_ETIMEDOUT);
    }
    shmx_close(&shm);
}

static void a_look_does_not_hinder_who_enters(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    atomic_store(&looking, 1);
    struct test_thread *thread = thread_start(looks, (void *)(uintptr_t)name);
    for (int i = 0; i < 2000; i++) {
        assert_ok(shmx_presence_enter(shm, KEY));
        assert_ok(shmx_presence_leave(shm, KEY));
    }
    atomic_store(&looking, 0);
    thread_join(thread);
    shmx_close(&shm);
}

struct forked {
    shmx *shm;
};

static void is_not_there(void *context)
{
    struct forked *forked = context;
    must(shmx_presence_wait(forked->shm, KEY, 1, 0) == SHMX_OK); /* the parent */
    must(shmx_presence_leave(forked->shm, KEY) == SHMX_EINVAL);
    must(shmx_presence_enter(forked->shm, KEY) == SHMX_OK);
    must(shmx_presence_leave(forked->shm, KEY) == SHMX_OK);
    shmx_close(&forked->shm);
}

static void a_forked_child_is_not_there(void **state)
{
    (void)state;
    struct forked forked = {test_segment(test_name(), SIZE)};
    assert_ok(shmx_presence_enter(forked.shm, KEY));
    struct test_child *child = child_fork(is_not_there, &forked);
    if (child == NULL) {
        shmx_close(&forked.shm);
        test_skip("the system has no fork");
    }
    assert_int_equal(child_wait(child), 0);
    assert_ok(ask(forked.shm, KEY, 0));
    assert_ok(shmx_presence_leave(forked.shm, KEY));
    shmx_close(&forked.shm);
}

/* ---- queues ---- */

static shmx_queue *queue_of(shmx *shm)
{
    shmx_queue *queue;
    assert_ok(shmx_queue_open(&queue, shm, 0, SIZE));
    return queue;
}

static int receive(shmx_queue *queue, int timeout_ms)
{
    char message[8];
    return shmx_queue_receive(queue, message, sizeof message, NULL, timeout_ms);
}

/* Join a side, perhaps send, and stay until told to end. */
PART(side)
{
    shmx *shm;
    shmx_queue *queue;
    must(argc == 4 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_queue_open(&queue, shm, 0, SIZE) == SHMX_OK);
    must(shmx_queue_join(queue, (unsigned)atoi(argv[2])) == SHMX_OK);
    for (int i = atoi(argv[3]); i > 0; i--)
        must(shmx_queue_send(queue, "m", 1, 0) == SHMX_OK);
    say("joined");
    hear();
    shmx_queue_close(&queue);
    shmx_close(&shm);
    return 0;
}

static void the_last_sender_goes(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    shmx_queue *queue = queue_of(shm);
    assert_status(receive(queue, 0), SHMX_ETIMEDOUT); /* nobody has joined */
    for (int killed = 0; killed < 2; killed++) {
        struct test_child *one = child_start("side", name, "1", "2");
        child_expect(one, "joined");
        struct test_child *two = child_start("side", name, "1", "0");
        child_expect(two, "joined");
        child_end_by_kill(one);
        assert_ok(receive(queue, 0));
        assert_ok(receive(queue, 0));
        assert_status(receive(queue, 0), SHMX_ETIMEDOUT); /* one is left */
        if (killed)
            child_kill(two);
        else
            child_close_input(two);
        int64_t start = test_now_ms();
        assert_status(receive(queue, SHMX_FOREVER), SHMX_EHANGUP);
        assert_true(test_now_ms() - start < DEATH_MS + BUSY_MS);
        assert_int_equal(child_wait(two), killed ? CHILD_KILLED : 0);
        const void *message;
        assert_status(shmx_queue_peek(queue, &message, NULL, 0), SHMX_EHANGUP);
    }
    assert_ok(shmx_queue_send(queue, "m", 1, 0)); /* who has not joined may send */
    assert_ok(receive(queue, 0));
    assert_status(receive(queue, 0), SHMX_EHANGUP);
    shmx_queue_close(&queue);
    shmx_close(&shm);
}

static void the_last_receiver_goes(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    shmx_queue *queue = queue_of(shm);
    void *place;
    for (int killed = 0; killed < 2; killed++) {
        struct test_child *child = child_start("side", name, "2", "0");
        child_expect(child, "joined");
        assert_ok(shmx_queue_send(queue, "m", 1, 0));
        if (killed) {
            child_end_by_kill(child);
            int64_t until = test_now_ms() + DEATH_MS + BUSY_MS;
            while (shmx_queue_send(queue, "m", 1, 0) != SHMX_EHANGUP)
                assert_true(test_now_ms() < until);
        } else {
            child_finish(child);
            test_until(shmx_queue_send(queue, "m", 1, 0) == SHMX_EHANGUP);
        }
        assert_status(shmx_queue_send(queue, "m", 1, SHMX_FOREVER), SHMX_EHANGUP);
        assert_status(shmx_queue_reserve(queue, 1, &place, SHMX_FOREVER), SHMX_EHANGUP);
    }
    while (receive(queue, 0) == SHMX_OK)
        ;
    struct test_child *child = child_start("side", name, "2", "0");
    child_expect(child, "joined");
    assert_ok(shmx_queue_send(queue, "m", 1, 0)); /* one is there again */
    assert_int_equal(child_wait(child), 0);
    shmx_queue_close(&queue);
    shmx_close(&shm);
}

struct blocked {
    shmx_queue *queue;
    int status;
};

static void sends_for_ever(void *context)
{
    struct blocked *blocked = context;
    do
        blocked->status = shmx_queue_send(blocked->queue, "m", 1, SHMX_FOREVER);
    while (blocked->status == SHMX_OK);
}

/* Peek, say so, and release when told to. */
PART(reader)
{
    shmx *shm;
    shmx_queue *queue;
    const void *message;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_queue_open(&queue, shm, 0, SIZE) == SHMX_OK);
    must(shmx_queue_peek(queue, &message, NULL, 0) == SHMX_OK);
    say("reads");
    hear();
    must(shmx_queue_release(queue) == SHMX_OK);
    say("has read");
    hear();
    shmx_queue_close(&queue);
    shmx_close(&shm);
    return 0;
}

struct patient {
    shmx_queue *queue;
    int status;
};

static void receives_for_ever(void *context)
{
    struct patient *patient = context;
    patient->status = receive(patient->queue, SHMX_FOREVER);
}

/* The receiver had nobody to ask about when it fell asleep, just before. If nobody wakes it, it is
 * late each time. */
static void one_that_joins_later_is_asked_about(void **state)
{
    (void)state;
    int late = 0;
    for (int i = 0; i < 8; i++) {
        const char *name = test_name();
        shmx *shm = test_segment(name, SIZE);
        struct patient patient = {queue_of(shm), 0};
        struct test_thread *thread = thread_start(receives_for_ever, &patient);
        const _Atomic uint32_t *event = (void *)((char *)shmx_data(shm) + 128 + 16);
        test_until(test_sleepers(shm, (void *)(uintptr_t)event) != 0);
        uint32_t before = atomic_load(event);
        struct test_child *child = child_start("side", name, "1", "0");
        child_expect(child, "joined");
        assert_true(atomic_load(event) != before); /* it was told */
        child_end_by_kill(child);
        int64_t start = test_now_ms();
        thread_join(thread);
        int64_t taken = test_now_ms() - start;
        assert_true(taken < DEATH_MS + BUSY_MS);
        late += taken > DEATH_MS;
        assert_status(patient.status, SHMX_EHANGUP);
        shmx_queue_close(&patient.queue);
        shmx_close(&shm);
    }
    print_message("later than %d ms: %d of 8\n", DEATH_MS, late);
    assert_true(late < 8); /* a busy machine is late now and then */
}

/* It may come back, so it is not all yet. */
static void a_message_that_another_reads_is_waited_for(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    shmx_queue *queue = queue_of(shm);
    const void *message;
    for (int killed = 0; killed < 2; killed++) {
        struct test_child *sender = child_start("side", name, "1", "1");
        child_expect(sender, "joined");
        struct test_child *reader = child_start("reader", name);
        child_expect(reader, "reads");
        assert_int_equal(child_wait(sender), 0);
        assert_status(receive(queue, 0), SHMX_ETIMEDOUT);
        assert_status(shmx_queue_peek(queue, &message, NULL, 10), SHMX_ETIMEDOUT);
        struct patient patient = {queue, 1};
        struct test_thread *thread = thread_start(receives_for_ever, &patient);
        const char *event = (char *)shmx_data(shm) + 128 + 16;
        test_until(test_sleepers(shm, event) != 0);
        if (killed) {
            child_kill(reader);
        } else {
            child_send(reader, "release");
            child_expect(reader, "has read");
        }
        thread_join(thread);
        assert_status(patient.status, killed ? SHMX_OK : SHMX_EHANGUP);
        assert_int_equal(child_wait(reader), killed ? CHILD_KILLED : 0);
        assert_status(receive(queue, 0), SHMX_EHANGUP);
    }
    assert_ok(shmx_queue_send(queue, "m", 1, 0));
    assert_ok(shmx_queue_peek(queue, &message, NULL, 0));
    assert_status(receive(queue, SHMX_FOREVER), SHMX_EHANGUP); /* it is its own */
    assert_ok(shmx_queue_release(queue));
    shmx_queue_close(&queue);
    shmx_close(&shm);
}

static void two_that_read_do_not_wait_for_each_other(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    shmx_queue *queue = queue_of(shm), *other = queue_of(shm), *third = queue_of(shm);
    const void *message;
    struct test_child *sender = child_start("side", name, "1", "2");
    child_expect(sender, "joined");
    assert_int_equal(child_wait(sender), 0);
    assert_ok(shmx_queue_peek(queue, &message, NULL, 0));
    assert_ok(shmx_queue_peek(other, &message, NULL, 0));
    assert_status(receive(queue, SHMX_FOREVER), SHMX_EHANGUP);
    assert_status(receive(other, SHMX_FOREVER), SHMX_EHANGUP);
    assert_status(receive(third, 0), SHMX_ETIMEDOUT);
    assert_ok(shmx_queue_release(queue));
    assert_ok(shmx_queue_release(other));
    assert_status(receive(third, SHMX_FOREVER), SHMX_EHANGUP);
    shmx_queue_close(&third);
    shmx_queue_close(&other);
    shmx_queue_close(&queue);
    shmx_close(&shm);
}

static void a_full_queue_hangs_up_too(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct blocked blocked = {queue_of(shm), 0};
    struct test_child *child = child_start("side", name, "2", "0");
    child_expect(child, "joined");
    struct test_thread *thread = thread_start(sends_for_ever, &blocked);
    test_until(test_sleepers(shm, (char *)shmx_data(shm) + 256 + 16) != 0);
    child_end_by_kill(child);
    thread_join(thread);
    assert_status(blocked.status, SHMX_EHANGUP);
    shmx_queue_close(&blocked.queue);
    shmx_close(&shm);
}

static void sends_once(void *context)
{
    struct blocked *blocked = context;
    blocked->status = shmx_queue_send(blocked->queue, "m", 1, SHMX_FOREVER);
}

/* What it had reserved is room when it is dead; but there is nobody to send to. */
static void the_last_receivers_reservation_is_no_room(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    shmx_queue *queue = queue_of(shm);
    struct blocked blocked = {queue_of(shm), 0};
    struct test_child *child = child_start("reserver", name, "joined");
    child_expect(child, "reserved");
    while (shmx_queue_send(queue, "m", 1, 0) == SHMX_OK)
        ;
    struct test_thread *thread = thread_start(sends_once, &blocked);
    test_until(test_sleepers(shm, (char *)shmx_data(shm) + 256 + 16) != 0);
    child_end_by_kill(child);
    assert_status(shmx_queue_send(queue, "m", 1, 0), SHMX_EHANGUP);
    int64_t start = test_now_ms();
    thread_join(thread);
    assert_true(test_now_ms() - start < DEATH_MS + BUSY_MS);
    assert_status(blocked.status, SHMX_EHANGUP);
    shmx_queue_close(&blocked.queue);
    shmx_queue_close(&queue);
    shmx_close(&shm);
}

/* One that has not joined has reserved before it. */
static void what_lies_behind_a_reservation_is_received_before_the_end(void **state)
{
    (void)state;
    shmx *shm = test_segment(test_name(), SIZE);
    shmx_queue *other = queue_of(shm), *sender = queue_of(shm), *receiver = queue_of(shm);
    void *place;
    char got[8];
    size_t size;
    assert_ok(shmx_queue_join(sender, SHMX_SENDER));
    assert_ok(shmx_queue_reserve(other, 5, &place, 0));
    assert_ok(shmx_queue_send(sender, "second", 6, 0));
    shmx_queue_close(&sender);
    assert_status(shmx_queue_receive(receiver, got, sizeof got, &size, 0), SHMX_ETIMEDOUT);
    memcpy(place, "first", 5);
    assert_ok(shmx_queue_commit(other, 5));
    assert_ok(shmx_queue_receive(receiver, got, sizeof got, &size, 0));
    assert_memory_equal(got, "first", size);
    assert_ok(shmx_queue_receive(receiver, got, sizeof got, &size, 0));
    assert_memory_equal(got, "second", size);
    assert_status(shmx_queue_receive(receiver, got, sizeof got, &size, 0), SHMX_EHANGUP);
    shmx_queue_close(&receiver);
    shmx_queue_close(&other);
    shmx_close(&shm);
}

static void shutdown_is_for_everybody(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    shmx_queue *queue = queue_of(shm), *other = queue_of(shm);
    void *place;
    struct blocked blocked = {other, 0};
    assert_ok(shmx_queue_reserve(queue, 8, &place, 0));
    struct test_thread *thread = thread_start(sends_for_ever, &blocked);
    test_until(test_sleepers(shm, (char *)shmx_data(shm) + 256 + 16) != 0);
    assert_ok(shmx_queue_commit(queue, 1));
    assert_ok(shmx_queue_shutdown(queue));
    thread_join(thread);
    assert_status(blocked.status, SHMX_EHANGUP);
    assert_status(shmx_queue_send(queue, "m", 1, 0), SHMX_EHANGUP);
    int count = 0;
    while (receive(other, 0) == SHMX_OK)
        count++;
    assert_true(count > 100);
    assert_status(receive(other, SHMX_FOREVER), SHMX_EHANGUP);
    assert_ok(shmx_queue_shutdown(other));
    shmx_queue_close(&other);
    shmx_queue_close(&queue);
    memset(shmx_data(shm), 0, SIZE);
    queue = queue_of(shm);
    assert_ok(shmx_queue_send(queue, "m", 1, 0));
    shmx_queue_close(&queue);
    shmx_close(&shm);
}

static void a_reservation_is_waited_for_after_the_shutdown(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    shmx_queue *queue = queue_of(shm), *other = queue_of(shm);
    void *place;
    assert_ok(shmx_queue_reserve(queue, 8, &place, 0));
    assert_ok(shmx_queue_shutdown(other));
    assert_status(receive(other, 0), SHMX_ETIMEDOUT);
    assert_status(receive(queue, SHMX_FOREVER), SHMX_EHANGUP); /* it would wait for itself */
    assert_ok(shmx_queue_commit(queue, 1));
    assert_ok(receive(other, SHMX_FOREVER));
    assert_status(receive(other, SHMX_FOREVER), SHMX_EHANGUP);
    shmx_queue_close(&other);
    shmx_queue_close(&queue);
    shmx_close(&shm);
}

/* Reserve, perhaps as a receiver that has joined, and stay. */
PART(reserver)
{
    shmx *shm;
    shmx_queue *queue;
    void *place;
    must(argc >= 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_queue_open(&queue, shm, 0, SIZE) == SHMX_OK);
    must(argc == 2 || shmx_queue_join(queue, SHMX_RECEIVER) == SHMX_OK);
    must(shmx_queue_reserve(queue, 8, &place, 0) == SHMX_OK);
    say("reserved");
    hear();
    return 0;
}

static void a_dead_ones_reservation_is_not(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    shmx_queue *queue = queue_of(shm);
    struct test_child *child = child_start("reserver", name);
    child_expect(child, "reserved");
    assert_ok(shmx_queue_shutdown(queue));
    assert_status(receive(queue, 0), SHMX_ETIMEDOUT);
    child_end_by_kill(child);
    assert_status(receive(queue, SHMX_FOREVER), SHMX_EHANGUP);
    shmx_queue_close(&queue);
    shmx_close(&shm);
}

#define STREAM (1 << 18)
#define SHUTDOWNS 60
#define LONG 2000 /* is copied outside the lock */

struct sending {
    shmx *shm;
    size_t size;
    unsigned sent;
};

static void sends_until_the_end(void *context)
{
    struct sending *sending = context;
    static const char message[LONG];
    shmx_queue *queue;
    assert_ok(shmx_queue_open(&queue, sending->shm, 0, STREAM));
    while (shmx_queue_send(queue, message, sending->size, SHMX_FOREVER) == SHMX_OK)
        sending->sent++;
    shmx_queue_close(&queue);
}

static void shuts_down(void *context)
{
    struct sending *sending = context;
    shmx_queue *queue;
    assert_ok(shmx_queue_open(&queue, sending->shm, 0, STREAM));
    assert_status(shmx_wait(sending->shm, (uint32_t *)shmx_data(sending->shm) + STREAM / 4, 0, 2),
                  SHMX_ETIMEDOUT); /* so that the others are at work */
    assert_ok(shmx_queue_shutdown(queue));
    shmx_queue_close(&queue);
}

/* A receiver that was told that there is nothing more got all that was sent. */
static void what_was_sent_is_received_before_the_end(void **state)
{
    (void)state;
    for (int i = 0; i < SHUTDOWNS; i++) {
        char buffer[LONG];
        shmx *shm = test_segment(test_name(), STREAM + 8);
        struct sending sending[3] = {{shm, 1, 0}, {shm, i % 2 ? 1 : LONG, 0}, {shm, 100, 0}};
        struct test_thread *threads[4];
        shmx_queue *queue;
        assert_ok(shmx_queue_open(&queue, shm, 0, STREAM));
        for (int j = 0; j < 3; j++)
            threads[j] = thread_start(sends_until_the_end, &sending[j]);
        threads[3] = thread_start(shuts_down, &sending[0]);
        unsigned received = 0;
        while (shmx_queue_receive(queue, buffer, LONG, NULL, SHMX_FOREVER) == SHMX_OK)
            received++;
        for (int j = 0; j < 4; j++)
            thread_join(threads[j]);
        assert_int_equal(received, sending[0].sent + sending[1].sent + sending[2].sent);
        shmx_queue_close(&queue);
        shmx_close(&shm);
    }
}

PART(tidies)
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    say("ready");
    _Atomic uint32_t *over = shmx_data(shm);
    while (atomic_load(over) == 0)
        must(shmx_prune(NULL) == SHMX_OK && shmx_presence_wait(shm, 7, 1, 0) != SHMX_EIO);
    shmx_close(&shm);
    return 0;
}

static void entering_while_others_tidy_up(void **state)
{
    (void)state;
    enum { ENTERS = 500 };
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct test_child *child = child_start("tidies", name);
    child_expect(child, "ready");
    for (int i = 0; i < ENTERS; i++) {
        assert_ok(shmx_presence_enter(shm, 7));
        assert_ok(shmx_presence_leave(shm, 7));
    }
    atomic_store((_Atomic uint32_t *)shmx_data(shm), 1);
    assert_int_equal(child_wait(child), 0);
    shmx_close(&shm);
}

static void joins_that_are_wrong(void **state)
{
    (void)state;
    shmx *shm = test_segment(test_name(), SIZE);
    shmx_queue *queue = queue_of(shm), *other;
    assert_status(shmx_queue_join(NULL, SHMX_SENDER), SHMX_EINVAL);
    assert_status(shmx_queue_join(queue, 0), SHMX_EINVAL);
    assert_status(shmx_queue_join(queue, 4), SHMX_EINVAL);
    assert_status(shmx_queue_shutdown(NULL), SHMX_EINVAL);
    assert_status(shmx_queue_open(&other, shm, 0, SIZE - 8), SHMX_ERANGE);
    assert_ok(shmx_queue_join(queue, SHMX_SENDER));
    assert_ok(shmx_queue_join(queue, SHMX_SENDER | SHMX_RECEIVER));
    assert_status(receive(queue, 0), SHMX_ETIMEDOUT); /* it is a sender itself */
    other = queue_of(shm);
    assert_ok(shmx_queue_join(other, SHMX_SENDER));
    shmx_queue_close(&queue);
    assert_status(receive(other, 0), SHMX_ETIMEDOUT);
    queue = queue_of(shm);
    shmx_queue_close(&other);
    assert_status(receive(queue, 0), SHMX_EHANGUP);
    shmx_queue_close(&queue);
    shmx_close(&shm);
}

static const struct test_part parts[] = {{"visitor", part_visitor},
                                         {"another", part_another},
                                         {"side", part_side},
                                         {"reserver", part_reserver},
                                         {"tidies", part_tidies},
                                         {"reader", part_reader},
                                         {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_enters_and_leaves),
    cmocka_unit_test(a_raw_one_has_presence_or_says_that_it_has_not),
    cmocka_unit_test(arguments_that_are_wrong),
    cmocka_unit_test(those_that_are_there_are_listed),
    cmocka_unit_test(a_death_is_told),
    cmocka_unit_test(entering_and_leaving_is_noticed_at_once),
    cmocka_unit_test(leaving_ending_and_exec),
    cmocka_unit_test(a_look_does_not_hinder_who_enters),
    cmocka_unit_test(a_forked_child_is_not_there),
    cmocka_unit_test(the_last_sender_goes),
    cmocka_unit_test(the_last_receiver_goes),
    cmocka_unit_test(one_that_joins_later_is_asked_about),
    cmocka_unit_test(a_message_that_another_reads_is_waited_for),
    cmocka_unit_test(two_that_read_do_not_wait_for_each_other),
    cmocka_unit_test(a_full_queue_hangs_up_too),
    cmocka_unit_test(the_last_receivers_reservation_is_no_room),
    cmocka_unit_test(what_lies_behind_a_reservation_is_received_before_the_end),
    cmocka_unit_test(shutdown_is_for_everybody),
    cmocka_unit_test(a_reservation_is_waited_for_after_the_shutdown),
    cmocka_unit_test(a_dead_ones_reservation_is_not),
    cmocka_unit_test(what_was_sent_is_received_before_the_end),
    cmocka_unit_test(entering_while_others_tidy_up),
    cmocka_unit_test(joins_that_are_wrong),
};

TEST_MAIN(tests, parts)
