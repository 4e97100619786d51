/* SPDX-License-Identifier: MIT */
/* The semaphore: no token is lost or made, and its waiters may be killed. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#define SIZE 4096

static shmx_sem *sem_of(shmx *shm)
{
    return (shmx_sem *)shmx_data(shm);
}

/* Take one token for each line, and say how it went. */
PART(taker)
{
    shmx *shm;
    must(argc == 3 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    say("ready");
    do
        say("%s", shmx_status_name(shmx_sem_wait(shm, sem_of(shm), atoi(argv[2]))));
    while (hear() != NULL);
    shmx_close(&shm);
    return 0;
}

/* Give back what was taken, so often. */
PART(turner)
{
    shmx *shm;
    must(argc == 3 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    for (int i = atoi(argv[2]); i > 0; i--) {
        must(shmx_sem_wait(shm, sem_of(shm), SHMX_FOREVER) == SHMX_OK);
        must(shmx_sem_post(shm, sem_of(shm), 1) == SHMX_OK);
    }
    shmx_close(&shm);
    return 0;
}

static void counts(void **state)
{
    (void)state;
    shmx *shm = test_segment(test_name(), SIZE);
    shmx_sem *sem = sem_of(shm);
    assert_status(shmx_sem_wait(shm, sem, 0), SHMX_ETIMEDOUT);
    assert_ok(shmx_sem_post(shm, sem, 1));
    assert_ok(shmx_sem_post(shm, sem, 2));
    for (int i = 0; i < 3; i++)
        assert_ok(shmx_sem_wait(shm, sem, i - 1));
    assert_status(shmx_sem_wait(shm, sem, 0), SHMX_ETIMEDOUT);
    shmx_close(&shm);
}

static void beyond_the_maximum_adds_nothing(void **state)
{
    (void)state;
    shmx *shm = test_segment(test_name(), SIZE);
    shmx_sem *sem = sem_of(shm);
    assert_status(shmx_sem_post(shm, sem, 0), SHMX_EINVAL);
    assert_status(shmx_sem_post(shm, sem, (unsigned)INT32_MAX + 1), SHMX_EOVERFLOW);
    assert_status(shmx_sem_post(shm, sem, UINT32_MAX), SHMX_EOVERFLOW);
    assert_status(shmx_sem_wait(shm, sem, 0), SHMX_ETIMEDOUT);
    assert_ok(shmx_sem_post(shm, sem, INT32_MAX));
    assert_status(shmx_sem_post(shm, sem, 1), SHMX_EOVERFLOW);
    assert_status(shmx_sem_post(shm, sem, INT32_MAX), SHMX_EOVERFLOW);
    assert_ok(shmx_sem_wait(shm, sem, 0));
    assert_status(shmx_sem_post(shm, sem, 2), SHMX_EOVERFLOW);
    assert_ok(shmx_sem_post(shm, sem, 1));
    assert_status(shmx_sem_post(shm, sem, 1), SHMX_EOVERFLOW);
    assert_int_equal(shmx_os_error(), 0);
    shmx_close(&shm);
}

static void time_limits_are_kept(void **state)
{
    (void)state;
    static const int limits[] = {1, 49, 50, 51, 130};
    shmx *shm = test_segment(test_name(), SIZE);
    assert_status(shmx_sem_wait(shm, sem_of(shm), -2), SHMX_EINVAL);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        int64_t start = test_now_ms();
        assert_status(shmx_sem_wait(shm, sem_of(shm), limits[i]), SHMX_ETIMEDOUT);
        assert_true(test_now_ms() - start >= limits[i] - 16); /* the test's clock may tick by 16 */
    }
    assert_ok(shmx_sem_post(shm, sem_of(shm), 1));
    assert_status(shmx_sem_wait(shm, sem_of(shm), -2), SHMX_EINVAL);
    shmx_close(&shm);
}

static void places_that_are_wrong(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE), *reader;
    unsigned char *bytes = shmx_data(shm);
    unsigned char *wrong[] = {NULL, bytes + 2, bytes - 4, bytes + SIZE - 12, bytes + SIZE};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_status(shmx_sem_wait(shm, (shmx_sem *)(void *)wrong[i], 0), SHMX_EINVAL);
        assert_status(shmx_sem_post(shm, (shmx_sem *)(void *)wrong[i], 1), SHMX_EINVAL);
    }
    assert_status(shmx_sem_wait(NULL, sem_of(shm), 0), SHMX_EINVAL);
    assert_status(shmx_sem_post(NULL, sem_of(shm), 1), SHMX_EINVAL);
    assert_ok(shmx_open(&reader, name, SHMX_READ_ONLY));
    assert_status(shmx_sem_wait(reader, sem_of(reader), 0), SHMX_EACCES);
    assert_status(shmx_sem_post(reader, sem_of(reader), 1), SHMX_EACCES);
    shmx_close(&reader);
    shmx_close(&shm);
}

static void a_post_wakes_as_many(void **state)
{
    (void)state;
    enum { TAKERS = 3 };
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct test_child *takers[TAKERS];
    for (int i = 0; i < TAKERS; i++) {
        takers[i] = child_start("taker", name, "-1");
        child_expect(takers[i], "ready");
    }
    assert_ok(shmx_sem_post(shm, sem_of(shm), TAKERS));
    for (int i = 0; i < TAKERS; i++)
        child_expect(takers[i], "SHMX_OK");
    assert_status(shmx_sem_wait(shm, sem_of(shm), 0), SHMX_ETIMEDOUT);
    for (int i = 0; i < TAKERS; i++)
        assert_int_equal(child_wait(takers[i]), 0);
    shmx_close(&shm);
}

/* Waiters are killed in their sleep; each token posted still finds one who takes it. */
static void killed_waiters_take_nothing_along(void **state)
{
    (void)state;
    enum { KILLED = 4 };
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct test_child *alive = child_start("taker", name, "-1");
    struct test_child *killed[KILLED];
    child_expect(alive, "ready");
    for (int i = 0; i < KILLED; i++) {
        killed[i] = child_start("taker", name, "-1");
        child_expect(killed[i], "ready");
    }
    test_until(test_sleepers(shm, &sem_of(shm)->event) == KILLED + 1);
    for (int i = 0; i < KILLED; i++)
        child_kill(killed[i]);
    for (int i = 0; i < KILLED; i++)
        assert_int_equal(child_wait(killed[i]), CHILD_KILLED);
    for (int i = 0; i < 20; i++) {
        assert_ok(shmx_sem_post(shm, sem_of(shm), 1));
        child_expect(alive, "SHMX_OK");
        child_send(alive, "again");
    }
    assert_ok(shmx_sem_post(shm, sem_of(shm), 1));
    child_expect(alive, "SHMX_OK");
    assert_int_equal(child_wait(alive), 0);
    shmx_close(&shm);
}

static void tokens_are_conserved(void **state)
{
    (void)state;
    enum { TURNERS = 4, TOKENS = 2 };
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct test_child *turners[TURNERS];
    for (int i = 0; i < TURNERS; i++)
        turners[i] = child_start("turner", name, "5000");
    assert_ok(shmx_sem_post(shm, sem_of(shm), TOKENS));
    for (int i = 0; i < TURNERS; i++)
        assert_int_equal(child_wait(turners[i]), 0);
    for (int i = 0; i < TOKENS; i++)
        assert_ok(shmx_sem_wait(shm, sem_of(shm), 0));
    assert_status(shmx_sem_wait(shm, sem_of(shm), 0), SHMX_ETIMEDOUT);
    shmx_close(&shm);
}

static void garbage_never_hangs(void **state)
{
    (void)state;
    shmx *shm = test_segment(test_name(), SIZE);
    shmx_sem *sem = sem_of(shm);
    for (int i = 0; i < 3000; i++) {
        uint32_t words[4] = {test_random(), test_random(), test_random(), test_random()};
        words[0] &= (i & 1) != 0 ? 1u : UINT32_MAX;
        memcpy(sem, words, sizeof words);
        int status = shmx_sem_wait(shm, sem, i % 16 == 0 ? 1 : 0);
        assert_true(status == SHMX_OK || status == SHMX_ETIMEDOUT);
        status = shmx_sem_post(shm, sem, 1);
        assert_true(status == SHMX_OK || status == SHMX_EOVERFLOW);
    }
    shmx_close(&shm);
}

static const struct test_part parts[] = {
    {"taker", part_taker}, {"turner", part_turner}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(counts),
    cmocka_unit_test(beyond_the_maximum_adds_nothing),
    cmocka_unit_test(time_limits_are_kept),
    cmocka_unit_test(places_that_are_wrong),
    cmocka_unit_test(a_post_wakes_as_many),
    cmocka_unit_test(killed_waiters_take_nothing_along),
    cmocka_unit_test(tokens_are_conserved),
    cmocka_unit_test(garbage_never_hangs),
};

TEST_MAIN(tests, parts)
