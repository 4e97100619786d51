/* SPDX-License-Identifier: MIT */
/* The condition with the robust mutex: no signal is lost, whoever is killed. */
#include "support.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 4096

struct layout {
    shmx_mutex mutex;
    shmx_cond cond;
    shmx_cond space;
    uint32_t items; /* protected by mutex */
    uint32_t taken; /* likewise */
};

static struct layout *layout_of(shmx *shm)
{
    return (struct layout *)shmx_data(shm);
}

static int lock(shmx *shm)
{
    return shmx_mutex_lock(shm, &layout_of(shm)->mutex, SHMX_FOREVER);
}

static int unlock(shmx *shm)
{
    return shmx_mutex_unlock(shm, &layout_of(shm)->mutex);
}

static int cond_wait(shmx *shm, int timeout_ms)
{
    return shmx_cond_wait(shm, &layout_of(shm)->cond, &layout_of(shm)->mutex, timeout_ms);
}

/* Take items, one for each turn, and say so. */
PART(taker)
{
    shmx *shm;
    must(argc == 3 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    struct layout *layout = layout_of(shm);
    say("ready");
    for (int i = atoi(argv[2]); i > 0; i--) {
        int status = lock(shm);
        must(status == SHMX_OK || status == SHMX_EOWNERDEAD);
        while (layout->items == 0) {
            status = cond_wait(shm, SHMX_FOREVER);
            must(status == SHMX_OK || status == SHMX_EOWNERDEAD);
        }
        layout->items--;
        layout->taken++;
        must(shmx_cond_signal(shm, &layout->space) == SHMX_OK);
        must(unlock(shm) == SHMX_OK);
    }
    say("took");
    shmx_close(&shm);
    return 0;
}

/* Wait once, and say what it returned. */
PART(waiter)
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(lock(shm) == SHMX_OK);
    int status = cond_wait(shm, SHMX_FOREVER);
    must(unlock(shm) == SHMX_OK);
    say("%s", shmx_status_name(status));
    shmx_close(&shm);
    return 0;
}

/* Signal with the mutex held, and keep it. */
PART(signaller)
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(lock(shm) == SHMX_OK);
    must(shmx_cond_signal(shm, &layout_of(shm)->cond) == SHMX_OK);
    say("signalled");
    hear();
    return 0;
}

static void wait_for_waiters(shmx *shm, uint32_t count)
{
    test_until(test_sleepers(shm, &layout_of(shm)->cond.event) == count);
}

static void put(shmx *shm, uint32_t count)
{
    assert_ok(lock(shm));
    layout_of(shm)->items += count;
    assert_ok(unlock(shm));
}

static void time_limits_are_kept(void **state)
{
    (void)state;
    static const int limits[] = {0, 1, 49, 51, 130};
    shmx *shm = test_segment(test_name(), SIZE);
    assert_ok(lock(shm));
    assert_status(cond_wait(shm, -2), SHMX_EINVAL);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        int64_t start = test_now_ms();
        assert_status(cond_wait(shm, limits[i]), SHMX_ETIMEDOUT);
        assert_true(test_now_ms() - start >= limits[i] - 16); /* the test's clock may tick by 16 */
        assert_status(shmx_mutex_lock(shm, &layout_of(shm)->mutex, 0), SHMX_EDEADLK);
    }
    assert_ok(unlock(shm));
    shmx_close(&shm);
}

static void callers_that_are_wrong(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE), *reader;
    unsigned char *bytes = shmx_data(shm);
    shmx_mutex *mutex = &layout_of(shm)->mutex;
    unsigned char *wrong[] = {NULL, bytes + 2, bytes - 4, bytes + SIZE - 12, bytes + SIZE};
    assert_status(cond_wait(shm, 0), SHMX_EPERM);
    assert_ok(lock(shm));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        shmx_cond *cond = (shmx_cond *)(void *)wrong[i];
        assert_status(shmx_cond_wait(shm, cond, mutex, 0), SHMX_EINVAL);
        assert_status(shmx_cond_wait(shm, &layout_of(shm)->cond, (shmx_mutex *)(void *)cond, 0),
                      SHMX_EINVAL);
        assert_status(shmx_cond_signal(shm, cond), SHMX_EINVAL);
        assert_status(shmx_cond_broadcast(shm, cond), SHMX_EINVAL);
    }
    assert_status(shmx_cond_signal(NULL, &layout_of(shm)->cond), SHMX_EINVAL);
    assert_status(shmx_mutex_lock(shm, mutex, 0), SHMX_EDEADLK); /* it was not let go */
    assert_ok(unlock(shm));
    assert_ok(shmx_open(&reader, name, SHMX_READ_ONLY));
    assert_status(shmx_cond_signal(reader, &layout_of(reader)->cond), SHMX_EACCES);
    assert_status(cond_wait(reader, 0), SHMX_EACCES);
    shmx_close(&reader);
    shmx_close(&shm);
}

static void a_signal_wakes_a_waiter(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    assert_ok(shmx_cond_signal(shm, &layout_of(shm)->cond));
    assert_ok(shmx_cond_broadcast(shm, &layout_of(shm)->cond));
    struct test_child *taker = child_start("taker", name, "1");
    child_expect(taker, "ready");
    wait_for_waiters(shm, 1);
    put(shm, 1);
    assert_ok(shmx_cond_signal(shm, &layout_of(shm)->cond));
    child_expect(taker, "took");
    assert_int_equal(child_wait(taker), 0);
    shmx_close(&shm);
}

static void a_broadcast_wakes_all(void **state)
{
    (void)state;
    enum { TAKERS = 4 };
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct test_child *takers[TAKERS];
    for (int i = 0; i < TAKERS; i++)
        takers[i] = child_start("taker", name, "1");
    wait_for_waiters(shm, TAKERS);
    put(shm, TAKERS);
    assert_ok(shmx_cond_broadcast(shm, &layout_of(shm)->cond));
    for (int i = 0; i < TAKERS; i++) {
        child_expect(takers[i], "ready");
        child_expect(takers[i], "took");
        assert_int_equal(child_wait(takers[i]), 0);
    }
    shmx_close(&shm);
}

static void the_owners_death_comes_through(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct test_child *waiter = child_start("waiter", name);
    wait_for_waiters(shm, 1);
    struct test_child *signaller = child_start("signaller", name);
    child_expect(signaller, "signalled");
    child_end_by_kill(signaller);
    child_expect(waiter, "SHMX_EOWNERDEAD");
    assert_int_equal(child_wait(waiter), 0);
    assert_ok(lock(shm));
    assert_ok(unlock(shm));
    shmx_close(&shm);
}

/* Some of the waiters are killed; each signal after that still finds a living one. */
static void killed_waiters_take_no_signal_along(void **state)
{
    (void)state;
    enum { KILLED = 3 };
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct test_child *killed[KILLED];
    for (int i = 0; i < KILLED; i++)
        killed[i] = child_start("taker", name, "1");
    wait_for_waiters(shm, KILLED);
    struct test_child *taker = child_start("taker", name, "10");
    wait_for_waiters(shm, KILLED + 1);
    for (int i = 0; i < KILLED; i++)
        child_stop(killed[i]); /* so that the signals may go to them, who die with them */
    for (int i = 0; i < 10; i++) {
        put(shm, 1);
        assert_ok(shmx_cond_signal(shm, &layout_of(shm)->cond));
    }
    for (int i = 0; i < KILLED; i++)
        child_kill(killed[i]);
    for (int i = 0; i < KILLED; i++)
        assert_int_equal(child_wait(killed[i]), CHILD_KILLED);
    child_expect(taker, "ready");
    child_expect(taker, "took");
    assert_int_equal(child_wait(taker), 0);
    shmx_close(&shm);
}

/* One puts single items when there is none, others take them: a lost signal would end it all. */
static void no_signal_is_lost(void **state)
{
    (void)state;
    enum { TAKERS = 3, EACH = 1000 };
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct layout *layout = layout_of(shm);
    struct test_child *takers[TAKERS];
    for (int i = 0; i < TAKERS; i++)
        takers[i] = child_start("taker", name, "1000");
    for (int i = 0; i < TAKERS * EACH; i++) {
        assert_ok(lock(shm));
        while (layout->items != 0)
            assert_ok(shmx_cond_wait(shm, &layout->space, &layout->mutex, SHMX_FOREVER));
        layout->items++;
        assert_ok(shmx_cond_signal(shm, &layout->cond));
        assert_ok(unlock(shm));
    }
    for (int i = 0; i < TAKERS; i++)
        assert_int_equal(child_wait(takers[i]), 0);
    assert_int_equal(layout->taken, TAKERS * EACH);
    shmx_close(&shm);
}

/* The repairer after an owner's death may zero the condition as well. The sleeper is woken by the
 * next signal, and not only when it looks for itself. */
static void a_zeroed_condition_still_wakes(void **state)
{
    (void)state;
    enum { ROUNDS = 5, SOON = 40 };
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct layout *layout = layout_of(shm);
    int soon = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct test_child *taker = child_start("taker", name, "1");
        child_expect(taker, "ready");
        wait_for_waiters(shm, 1);
        assert_ok(lock(shm));
        memset(&layout->cond, 0, sizeof layout->cond);
        assert_ok(unlock(shm));
        put(shm, 1);
        int64_t start = test_now_ms();
        assert_ok(shmx_cond_signal(shm, &layout->cond));
        child_expect(taker, "took");
        soon += test_now_ms() - start < SOON;
        assert_int_equal(child_wait(taker), 0);
    }
    assert_true(soon >= ROUNDS - 1);
    shmx_close(&shm);
}

struct waiter {
    shmx *shm;
    _Atomic int ended;
};

static void waits_once(void *context)
{
    struct waiter *waiter = context;
    must(lock(waiter->shm) == SHMX_OK);
    must(cond_wait(waiter->shm, SHMX_FOREVER) == SHMX_OK);
    must(unlock(waiter->shm) == SHMX_OK);
    atomic_store(&waiter->ended, 1);
}

static int ended_of(struct waiter *waiters, int count)
{
    int ended = 0;
    for (int i = 0; i < count; i++)
        ended += atomic_load(&waiters[i].ended);
    return ended;
}

/* Whichever sleepers the system wakes, those that waited before a signal get it: after as many
 * signals as there were waiters, all of them have ended, though newcomers came in between. */
static void a_newcomer_takes_no_signal(void **state)
{
    (void)state;
    enum { OLD = 3, ROUNDS = 20, SOON = 200 }; /* sooner than a sleeper looks by itself */
    shmx *shm = test_segment(test_name(), SIZE);
    for (int round = 0; round < ROUNDS; round++) {
        struct waiter old[OLD], young[OLD];
        struct test_thread *threads[2 * OLD];
        for (int i = 0; i < OLD; i++) {
            old[i] = (struct waiter){shm, 0};
            threads[i] = thread_start(waits_once, &old[i]);
        }
        wait_for_waiters(shm, OLD);
        for (int i = 0; i < OLD; i++) {
            young[i] = (struct waiter){shm, 0};
            threads[OLD + i] = thread_start(waits_once, &young[i]);
            assert_ok(shmx_cond_signal(shm, &layout_of(shm)->cond));
        }
        int64_t start = test_now_ms();
        while (ended_of(old, OLD) + ended_of(young, OLD) < OLD && test_now_ms() - start < SOON)
            test_sleep_ms(1);
        assert_true(ended_of(old, OLD) + ended_of(young, OLD) >= OLD);
        for (int i = 0; i < OLD; i++)
            while (!atomic_load(&old[i].ended) || !atomic_load(&young[i].ended))
                assert_ok(shmx_cond_broadcast(shm, &layout_of(shm)->cond));
        for (int i = 0; i < 2 * OLD; i++)
            thread_join(threads[i]);
    }
    shmx_close(&shm);
}

static void garbage_never_hangs(void **state)
{
    (void)state;
    shmx *shm = test_segment(test_name(), SIZE);
    struct layout *layout = layout_of(shm);
    for (int i = 0; i < 500; i++) {
        uint32_t words[4] = {test_random(), test_random(), test_random(), test_random()};
        memcpy(&layout->cond, words, sizeof words);
        assert_ok(lock(shm));
        assert_status(cond_wait(shm, i % 16 == 0 ? 1 : 0), SHMX_ETIMEDOUT);
        assert_ok(unlock(shm));
        assert_ok(shmx_cond_signal(shm, &layout->cond));
        assert_ok(shmx_cond_broadcast(shm, &layout->cond));
    }
    shmx_close(&shm);
}

static const struct test_part parts[] = {
    {"taker", part_taker}, {"waiter", part_waiter}, {"signaller", part_signaller}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(time_limits_are_kept),
    cmocka_unit_test(callers_that_are_wrong),
    cmocka_unit_test(a_signal_wakes_a_waiter),
    cmocka_unit_test(a_broadcast_wakes_all),
    cmocka_unit_test(the_owners_death_comes_through),
    cmocka_unit_test(killed_waiters_take_no_signal_along),
    cmocka_unit_test(no_signal_is_lost),
    cmocka_unit_test(a_zeroed_condition_still_wakes),
    cmocka_unit_test(a_newcomer_takes_no_signal),
    cmocka_unit_test(garbage_never_hangs),
};

TEST_MAIN(tests, parts)
