/* SPDX-License-Identifier: MIT */
/* Once: exactly once over all processes, whoever dies or fails half-way. */
#include "support.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 4096

struct layout {
    shmx_once once;
    uint32_t runs;
    uint32_t callers;
};

static struct layout *layout_of(shmx *shm)
{
    return (struct layout *)shmx_data(shm);
}

static int succeed(void *context)
{
    layout_of(context)->runs++;
    return 0;
}

static int fail_with_7(void *context)
{
    layout_of(context)->runs++;
    return 7;
}

static int fail_with_minus_9(void *context)
{
    (void)context;
    return -9;
}

static int never_end(void *context)
{
    (void)context;
    say("runs");
    while (hear() != NULL)
        continue;
    exit(1);
}

static int recurse(void *context)
{
    return shmx_once_run(context, &layout_of(context)->once, succeed, context);
}

/* Start within a process that is to be killed. */
PART(runner)
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    return shmx_once_run(shm, &layout_of(shm)->once, never_end, shm);
}

/* Say what came of it. */
PART(caller)
{
    shmx *shm;
    must(argc == 3 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    struct layout *layout = layout_of(shm);
    atomic_fetch_add((_Atomic uint32_t *)&layout->callers, 1);
    bool fails = strcmp(argv[2], "fails") == 0;
    say("%d", shmx_once_run(shm, &layout->once, fails ? fail_with_7 : succeed, shm));
    shmx_close(&shm);
    return 0;
}

static void runs_once(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct layout *layout = layout_of(shm);
    for (int i = 0; i < 3; i++)
        assert_ok(shmx_once_run(shm, &layout->once, succeed, shm));
    struct test_child *child = child_start("caller", name, "succeeds");
    child_expect(child, "0");
    assert_int_equal(child_wait(child), 0);
    assert_int_equal(layout->runs, 1);
    shmx_close(&shm);
}

static void many_at_once_run_it_once(void **state)
{
    (void)state;
    enum { CALLERS = 6 };
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct test_child *callers[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        callers[i] = child_start("caller", name, "succeeds");
    for (int i = 0; i < CALLERS; i++) {
        child_expect(callers[i], "0");
        assert_int_equal(child_wait(callers[i]), 0);
    }
    assert_int_equal(layout_of(shm)->runs, 1);
    shmx_close(&shm);
}

static void a_failure_hands_over(void **state)
{
    (void)state;
    enum { CALLERS = 3 };
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct layout *layout = layout_of(shm);
    assert_int_equal(shmx_once_run(shm, &layout->once, fail_with_minus_9, shm), -9);
    struct test_child *callers[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        callers[i] = child_start("caller", name, "fails");
    for (int i = 0; i < CALLERS; i++) {
        child_expect(callers[i], "7");
        assert_int_equal(child_wait(callers[i]), 0);
    }
    assert_int_equal(layout->runs, CALLERS);
    assert_ok(shmx_once_run(shm, &layout->once, succeed, shm));
    assert_int_equal(layout->runs, CALLERS + 1);
    assert_ok(shmx_once_run(shm, &layout->once, fail_with_7, shm));
    shmx_close(&shm);
}

static void a_killed_runner_hands_over(void **state)
{
    (void)state;
    enum { CALLERS = 3 };
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct layout *layout = layout_of(shm);
    struct test_child *runner = child_start("runner", name);
    child_expect(runner, "runs");
    struct test_child *callers[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        callers[i] = child_start("caller", name, "succeeds");
    test_until(atomic_load((_Atomic uint32_t *)&layout->callers) == CALLERS);
    assert_int_equal(layout->runs, 0);
    child_end_by_kill(runner);
    for (int i = 0; i < CALLERS; i++) {
        child_expect(callers[i], "0");
        assert_int_equal(child_wait(callers[i]), 0);
    }
    assert_int_equal(layout->runs, 1);
    shmx_close(&shm);
}

static void init_may_not_use_it(void **state)
{
    (void)state;
    shmx *shm = test_segment(test_name(), SIZE);
    struct layout *layout = layout_of(shm);
    assert_status(shmx_once_run(shm, &layout->once, recurse, shm), SHMX_EDEADLK);
    assert_int_equal(layout->runs, 0);
    assert_ok(shmx_once_run(shm, &layout->once, succeed, shm));
    assert_int_equal(layout->runs, 1);
    shmx_close(&shm);
}

static void arguments_that_are_wrong(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE), *reader;
    unsigned char *bytes = shmx_data(shm);
    unsigned char *wrong[] = {NULL, bytes + 2, bytes - 4, bytes + SIZE - 12, bytes + SIZE};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_status(shmx_once_run(shm, (shmx_once *)(void *)wrong[i], succeed, shm), SHMX_EINVAL);
    shmx_once *once = &layout_of(shm)->once;
    assert_status(shmx_once_run(NULL, once, succeed, shm), SHMX_EINVAL);
    assert_status(shmx_once_run(shm, once, NULL, shm), SHMX_EINVAL);
    assert_ok(shmx_open(&reader, name, SHMX_READ_ONLY));
    assert_status(shmx_once_run(reader, &layout_of(reader)->once, succeed, reader), SHMX_EACCES);
    assert_int_equal(layout_of(shm)->runs, 0);
    shmx_close(&reader);
    shmx_close(&shm);
}

static const struct test_part parts[] = {
    {"runner", part_runner}, {"caller", part_caller}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(runs_once),
    cmocka_unit_test(many_at_once_run_it_once),
    cmocka_unit_test(a_failure_hands_over),
    cmocka_unit_test(a_killed_runner_hands_over),
    cmocka_unit_test(init_may_not_use_it),
    cmocka_unit_test(arguments_that_are_wrong),
};

TEST_MAIN(tests, parts)
