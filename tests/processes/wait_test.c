/* SPDX-License-Identifier: MIT */
/* shmx_wait and shmx_wake between threads and processes: no wake is lost. */
#include "support.h"

#include "segment.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 4096
#define MANY 80 /* more than the control block has slots for sleepers */

struct layout {
    uint32_t word;
    uint32_t asleep; /* how many are about to sleep on word */
    uint32_t other[64];
};

static struct layout *layout_of(shmx *shm)
{
    return (struct layout *)shmx_data(shm);
}

/* The user's words are plain; the tests change them as a user would, with atomics. */
static _Atomic uint32_t *shared(uint32_t *word)
{
    return (_Atomic uint32_t *)word;
}

static void wait_while_zero(shmx *shm, uint32_t *word)
{
    atomic_fetch_add(shared(&layout_of(shm)->asleep), 1);
    while (atomic_load(shared(word)) == 0)
        must(shmx_wait(shm, word, 0, SHMX_FOREVER) == SHMX_OK);
}

static void sleeper_thread(void *context)
{
    wait_while_zero(context, &layout_of(context)->word);
}

/* Many sleepers in one process. */
PART(sleepers)
{
    shmx *shm;
    struct test_thread *threads[MANY];
    must(argc == 3 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    int count = atoi(argv[2]);
    must(count <= MANY);
    for (int i = 0; i < count; i++)
        threads[i] = thread_start(sleeper_thread, shm);
    say("started");
    for (int i = 0; i < count; i++)
        thread_join(threads[i]);
    say("woken");
    shmx_close(&shm);
    return 0;
}

/* Answer each odd number with the next even one. */
PART(answers)
{
    shmx *shm;
    must(argc == 3 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    uint32_t *word = &layout_of(shm)->word;
    uint32_t last = 2 * (uint32_t)atoi(argv[2]);
    say("ready");
    for (uint32_t seen = 0; seen < last; seen += 2) {
        while (atomic_load(shared(word)) == seen)
            must(shmx_wait(shm, word, seen, SHMX_FOREVER) == SHMX_OK);
        atomic_store(shared(word), seen + 2);
        must(shmx_wake(shm, word, 1) == SHMX_OK);
    }
    shmx_close(&shm);
    return 0;
}

/* Wait for five changes through a read-only attachment. */
PART(reader)
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], SHMX_READ_ONLY) == SHMX_OK);
    uint32_t *word = &layout_of(shm)->word;
    say("waits");
    for (uint32_t seen = 0; seen < 5; seen++) {
        while (atomic_load(shared(word)) == seen)
            must(shmx_wait(shm, word, seen, SHMX_FOREVER) == SHMX_OK);
        say("saw");
    }
    shmx_close(&shm);
    return 0;
}

static void another_value_returns_at_once(void **state)
{
    (void)state;
    shmx *shm = test_segment(test_name(), SIZE);
    assert_ok(shmx_wait(shm, &layout_of(shm)->word, 1, SHMX_FOREVER));
    assert_ok(shmx_wait(shm, &layout_of(shm)->word, 1, 0));
    shmx_close(&shm);
}

static void time_limits_are_kept(void **state)
{
    (void)state;
    static const int limits[] = {1, 20, 130};
    shmx *shm = test_segment(test_name(), SIZE);
    uint32_t *word = &layout_of(shm)->word;
    assert_status(shmx_wait(shm, word, 0, 0), SHMX_ETIMEDOUT);
    assert_int_equal(shmx_os_error(), 0);
    assert_status(shmx_wait(shm, word, 0, -2), SHMX_EINVAL);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        int64_t start = test_now_ms();
        int status;
        while ((status = shmx_wait(shm, word, 0, limits[i])) == SHMX_OK)
            start = test_now_ms(); /* an early return is allowed */
        assert_status(status, SHMX_ETIMEDOUT);
        assert_true(test_now_ms() - start >= limits[i] - 16); /* the test's clock may tick by 16 */
    }
    shmx_close(&shm);
}

static void wakes_when_asleep(void *context)
{
    shmx *raw = context;
    test_until(atomic_load(&raw->attachment.control->sleepers[0]) != 0);
    atomic_store(shared(&layout_of(raw)->word), 1);
    must(shmx_wake(raw, &layout_of(raw)->word, 1) == SHMX_OK);
}

/* Two attachments of one segment, one of them as the plain object that it is. */
static void raw_and_not_are_one_segment(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE), *raw;
    assert_ok(shmx_open(&raw, name, SHMX_RAW));
    assert_true(shmx_size(raw) > shmx_size(shm));
    shmx *pair[] = {shm, raw};
    for (int i = 0; i < 2; i++) {
        shmx *sleeper = pair[i], *waker = pair[1 - i];
        atomic_store(shared(&layout_of(shm)->word), 0);
        struct test_thread *thread = thread_start(wakes_when_asleep, waker);
        int64_t start = test_now_ms();
        while (atomic_load(shared(&layout_of(shm)->word)) == 0)
            assert_ok(shmx_wait(sleeper, &layout_of(sleeper)->word, 0, 5000));
        assert_true(test_now_ms() - start < 4000);
        thread_join(thread);
        shmx_mutex *here = (shmx_mutex *)layout_of(sleeper)->other;
        shmx_mutex *there = (shmx_mutex *)layout_of(waker)->other;
        assert_ok(shmx_mutex_lock(sleeper, here, 0));
        assert_status(shmx_mutex_lock(waker, there, 0), SHMX_EDEADLK);
        assert_status(shmx_mutex_unlock(waker, there), SHMX_EPERM);
        assert_ok(shmx_mutex_unlock(sleeper, here));
    }
    shmx_close(&raw);
    shmx_close(&shm);
}

static void a_reader_waits_too(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct test_child *reader = child_start("reader", name);
    child_expect(reader, "waits");
    for (int i = 0; i < 5; i++) {
        int64_t start = test_now_ms();
        atomic_fetch_add(shared(&layout_of(shm)->word), 1);
        assert_ok(shmx_wake(shm, &layout_of(shm)->word, 1));
        child_expect(reader, "saw");
        assert_true(test_now_ms() - start < 500); /* 10 ms, on a machine that may be busy */
    }
    assert_int_equal(child_wait(reader), 0);
    shmx_close(&shm);
}

static void places_that_are_wrong(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE), *reader;
    unsigned char *bytes = shmx_data(shm);
    uint32_t outside = 0;
    unsigned char *wrong[] = {NULL,
                              bytes + 1,
                              bytes + 2,
                              bytes - 4,
                              bytes + SIZE - 2,
                              bytes + SIZE,
                              (unsigned char *)&outside};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_status(shmx_wait(shm, (uint32_t *)(void *)wrong[i], 0, 0), SHMX_EINVAL);
        assert_status(shmx_wake(shm, (uint32_t *)(void *)wrong[i], 1), SHMX_EINVAL);
    }
    assert_status(shmx_wait(NULL, (uint32_t *)(void *)bytes, 0, 0), SHMX_EINVAL);
    assert_status(shmx_wake(NULL, (uint32_t *)(void *)bytes, 1), SHMX_EINVAL);
    assert_status(shmx_wake(shm, (uint32_t *)(void *)bytes, 0), SHMX_EINVAL);
    assert_status(shmx_wake(shm, (uint32_t *)(void *)bytes, -1), SHMX_EINVAL);
    assert_ok(shmx_wake(shm, (uint32_t *)(void *)(bytes + SIZE - 4), SHMX_WAKE_ALL));
    assert_ok(shmx_open(&reader, name, SHMX_READ_ONLY));
    assert_status(shmx_wait(reader, shmx_data(reader), 0, 0), SHMX_ETIMEDOUT);
    assert_status(shmx_wait(reader, (uint32_t *)(void *)((char *)shmx_data(reader) + 1), 0, 0),
                  SHMX_EINVAL);
    assert_status(shmx_wake(reader, shmx_data(reader), 1), SHMX_EACCES);
    shmx_close(&reader);
    shmx_close(&shm);
}

static void a_process_wakes_another(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct layout *layout = layout_of(shm);
    struct test_child *child = child_start("sleepers", name, "1");
    child_expect(child, "started");
    test_until(atomic_load(shared(&layout->asleep)) == 1);
    test_sleep_ms(20); /* so that it most likely sleeps; the result is the same if not */
    atomic_store(shared(&layout->word), 1);
    assert_ok(shmx_wake(shm, &layout->word, 1));
    child_expect(child, "woken");
    assert_int_equal(child_wait(child), 0);
    shmx_close(&shm);
}

static void no_wake_is_lost(void **state)
{
    (void)state;
    enum { ROUNDS = 10000 };
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    uint32_t *word = &layout_of(shm)->word;
    struct test_child *child = child_start("answers", name, "10000");
    child_expect(child, "ready");
    for (uint32_t i = 0; i < 2 * ROUNDS; i += 2) {
        atomic_store(shared(word), i + 1);
        assert_ok(shmx_wake(shm, word, 1));
        while (atomic_load(shared(word)) == i + 1)
            assert_ok(shmx_wait(shm, word, i + 1, SHMX_FOREVER));
    }
    assert_int_equal(child_wait(child), 0);
    shmx_close(&shm);
}

static void wakes_more_sleepers_than_slots(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct layout *layout = layout_of(shm);
    struct test_child *one = child_start("sleepers", name, "80");
    struct test_child *other = child_start("sleepers", name, "3");
    test_until(atomic_load(shared(&layout->asleep)) == 83);
    atomic_store(shared(&layout->word), 1);
    assert_ok(shmx_wake(shm, &layout->word, SHMX_WAKE_ALL));
    child_expect(one, "started");
    child_expect(one, "woken");
    child_expect(other, "started");
    child_expect(other, "woken");
    assert_int_equal(child_wait(one), 0);
    assert_int_equal(child_wait(other), 0);
    shmx_close(&shm);
}

/* So many sleepers are killed that they hold every place there is; others are woken as before. */
static void killed_sleepers_harm_nobody(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct layout *layout = layout_of(shm);
    for (int i = 0; i < 2; i++) {
        struct test_child *killed = child_start("sleepers", name, "80");
        test_until(atomic_load(shared(&layout->asleep)) == MANY);
        child_end_by_kill(killed);
        atomic_store(shared(&layout->asleep), 0);
    }
    struct test_child *child = child_start("sleepers", name, "5");
    test_until(atomic_load(shared(&layout->asleep)) == 5);
    atomic_store(shared(&layout->word), 1);
    for (int i = 0; i < 5; i++)
        assert_ok(shmx_wake(shm, &layout->word, 1));
    child_expect(child, "started");
    child_expect(child, "woken");
    assert_int_equal(child_wait(child), 0);
    shmx_close(&shm);
}

static void other_words_do_not_disturb(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct layout *layout = layout_of(shm);
    struct test_child *child = child_start("sleepers", name, "2");
    test_until(atomic_load(shared(&layout->asleep)) == 2);
    for (int i = 0; i < 64; i++)
        assert_ok(shmx_wake(shm, &layout->other[i], SHMX_WAKE_ALL));
    atomic_store(shared(&layout->word), 1);
    assert_ok(shmx_wake(shm, &layout->word, SHMX_WAKE_ALL));
    child_expect(child, "started");
    child_expect(child, "woken");
    assert_int_equal(child_wait(child), 0);
    shmx_close(&shm);
}

static void a_foreign_segment_works_or_refuses(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_RAW));
    struct layout *layout = layout_of(shm);
    int status = shmx_wake(shm, &layout->word, 1);
    if (status == SHMX_OK) {
        struct test_thread *thread = thread_start(sleeper_thread, shm);
        test_until(atomic_load(shared(&layout->asleep)) == 1);
        atomic_store(shared(&layout->word), 1);
        assert_ok(shmx_wake(shm, &layout->word, 1));
        thread_join(thread);
    } else {
        shmx_mutex *mutex = (shmx_mutex *)layout->other;
        assert_status(status, SHMX_ENOTSUP);
        assert_status(shmx_wait(shm, &layout->word, 0, 0), SHMX_ENOTSUP);
        assert_status(shmx_mutex_lock(shm, mutex, 0), SHMX_ENOTSUP);
        assert_status(shmx_mutex_unlock(shm, mutex), SHMX_ENOTSUP);
    }
    shmx_close(&shm);
    shmx_unlink(name); /* SHMX_ENOTSUP where it went with its last handle */
}

static const struct test_part parts[] = {
    {"sleepers", part_sleepers}, {"answers", part_answers}, {"reader", part_reader}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(another_value_returns_at_once),
    cmocka_unit_test(time_limits_are_kept),
    cmocka_unit_test(raw_and_not_are_one_segment),
    cmocka_unit_test(a_reader_waits_too),
    cmocka_unit_test(places_that_are_wrong),
    cmocka_unit_test(a_process_wakes_another),
    cmocka_unit_test(no_wake_is_lost),
    cmocka_unit_test(wakes_more_sleepers_than_slots),
    cmocka_unit_test(killed_sleepers_harm_nobody),
    cmocka_unit_test(other_words_do_not_disturb),
    cmocka_unit_test(a_foreign_segment_works_or_refuses),
};

TEST_MAIN(tests, parts)
