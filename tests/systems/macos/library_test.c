/* SPDX-License-Identifier: MIT */
/* The library on macOS. */
#include "../common/machine.h"

/* Two names that differ in case are two segments, though one file. */
static void case_makes_two_segments(void **state)
{
    (void)state;
    shmx *shm[2], *again;
    char names[2][SHMX_NAME_MAX + 1];
    snprintf(names[0], sizeof names[0], "%s-RevCase", test_name());
    snprintf(names[1], sizeof names[1], "%.*s-revcase", (int)strlen(names[0]) - 8, names[0]);
    for (int i = 0; i < 2; i++) {
        assert_ok(shmx_create(&shm[i], names[i], 100 + (size_t)i, 0));
        *(char *)shmx_data(shm[i]) = (char)i;
    }
    for (int i = 0; i < 2; i++) {
        assert_ok(shmx_open(&again, names[i], 0));
        assert_int_equal(shmx_size(again), 100 + i);
        assert_int_equal(*(char *)shmx_data(again), i);
        shmx_close(&again);
        assert_int_equal(machine_listed(names[i]), 1);
    }
    shmx_close(&shm[1]);
    assert_status(shmx_open(&again, names[1], 0), SHMX_ENOENT);
    assert_ok(shmx_open(&again, names[0], 0));
    shmx_close(&again);
    shmx_close(&shm[0]);
}

/* Names longer than the system's. */
static void the_longest_names_are_two_segments(void **state)
{
    (void)state;
    shmx *shm[2];
    char names[2][SHMX_NAME_MAX + 1];
    const char *start = test_name();
    for (int i = 0; i < 2; i++) {
        memset(names[i], 'a', SHMX_NAME_MAX);
        memcpy(names[i], start, strlen(start));
        names[i][SHMX_NAME_MAX - 1] = (char)('0' + i);
        names[i][SHMX_NAME_MAX] = '\0';
        assert_ok(shmx_create(&shm[i], names[i], 100 + (size_t)i, 0));
    }
    for (int i = 0; i < 2; i++) {
        shmx *again;
        assert_ok(shmx_open(&again, names[i], 0));
        assert_int_equal(shmx_size(again), 100 + i);
        shmx_close(&again);
    }
    shmx_close(&shm[0]);
    shmx_close(&shm[1]);
}

/* Around a page of 16 KiB, and of 4. */
static void sizes_are_exact(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 4096, 8192, 12288, 16383, 16384, 16385, 32768, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        shmx *shm, *again;
        const char *name = test_name();
        assert_ok(shmx_create(&shm, name, sizes[i], 0));
        memset(shmx_data(shm), 'x', sizes[i]);
        assert_ok(shmx_open(&again, name, SHMX_READ_ONLY));
        assert_int_equal(shmx_size(again), sizes[i]);
        assert_memory_equal(shmx_data(again), shmx_data(shm), sizes[i]);
        shmx_close(&again);
        shmx_close(&shm);
    }
}

/* A page that was taken away is fetched by the waiter, not asked for again and again: nobody else
 * in its process touches it. */
static void waiting_ends_though_pages_go(void **state)
{
    (void)state;
    enum { ROUNDS = 100 };
    shmx *shm;
    const char *name = test_name();
    assert_ok(shmx_create(&shm, name, 16384, 0));
    volatile uint32_t *words = shmx_data(shm);
    struct test_child *child = child_start("follower", name, "100");
    for (uint32_t value = 1; value <= ROUNDS; value++) {
        test_sleep_ms(1); /* so that it most likely sleeps; the result is the same if not */
        words[0] = value;
        assert_ok(shmx_wake(shm, shmx_data(shm), 1));
        test_until(words[1] == value);
    }
    assert_int_equal(child_wait(child), 0);
    shmx_close(&shm);
}

/* Before macOS 14.4 nothing sleeps on shared memory: a waiter looks from time to time. */
static void older_systems_wait_too(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    assert_ok(shmx_create(&shm, name, 4, 0));
    setenv(SIM_OLD, "1", 1);
    struct test_child *child = child_start("waiter", name);
    child_expect(child, "waits");
    *(volatile uint32_t *)shmx_data(shm) = 1;
    assert_int_equal(child_wait(child), 0);
    unsetenv(SIM_OLD);
    shmx_close(&shm);
}

/* The umask is not in the way, and needs no tricks. */
static void others_get_what_they_are_given(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    mode_t before = umask(077);
    assert_ok(shmx_create(&shm, name, 100, SHMX_OTHERS_READ | SHMX_OTHERS_WRITE));
    umask(before);
    shmx_close(&shm);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        MACHINE_TESTS,
        cmocka_unit_test(case_makes_two_segments),
        cmocka_unit_test(the_longest_names_are_two_segments),
        cmocka_unit_test(sizes_are_exact),
        cmocka_unit_test(waiting_ends_though_pages_go),
        cmocka_unit_test(older_systems_wait_too),
        cmocka_unit_test(others_get_what_they_are_given),
    };
    return machine_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
