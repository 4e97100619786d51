/* SPDX-License-Identifier: MIT */
/* The library on Windows. */
#include "support.h"

#include <windows.h>

#include <stdlib.h>

#define SIZE 5000
#define ROUNDS 30

/* ---- time ---- */

/* Of 5, 6 ... ms. A wait of the system may end a tick too early, or too late. */
static void time_limits_are_the_clocks(void **state)
{
    (void)state;
    shmx *shm, *reader;
    const char *name = test_name();
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    assert_ok(shmx_open(&reader, name, SHMX_READ_ONLY));
    for (int limit = 5; limit < 5 + ROUNDS; limit++) {
        int64_t before = test_now_ms();
        assert_status(shmx_wait(shm, shmx_data(shm), 0, limit), SHMX_ETIMEDOUT);
        assert_true(test_now_ms() - before >= limit);
        before = test_now_ms();
        assert_status(shmx_wait(reader, shmx_data(reader), 0, limit), SHMX_ETIMEDOUT);
        assert_true(test_now_ms() - before >= limit);
    }
    shmx_close(&reader);
    shmx_close(&shm);
}

PART(waiter) /* NAME: until its first word is not 0 */
{
    shmx *shm;
    must(argc == 2 && shmx_open_wait(&shm, argv[1], SHMX_READ_ONLY, 20) == SHMX_ETIMEDOUT);
    say("waits");
    must(shmx_open_wait(&shm, argv[1], SHMX_READ_ONLY, TEST_PATIENCE_MS) == SHMX_OK);
    say("opened");
    volatile uint32_t *word = shmx_data(shm);
    while (*word == 0)
        must(shmx_wait(shm, (uint32_t *)shmx_data(shm), 0, TEST_PATIENCE_MS) == SHMX_OK);
    shmx_close(&shm);
    return 0;
}

/* Before version 1803, where all that sleeps sleeps by the tick. */
static void older_systems_wait_too(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    _putenv_s(SIM_OLD, "1");
    struct test_child *child = child_start("waiter", name);
    _putenv_s(SIM_OLD, "");
    child_expect(child, "waits");
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    child_expect(child, "opened");
    *(volatile uint32_t *)shmx_data(shm) = 1;
    assert_int_equal(child_wait(child), 0);
    shmx_close(&shm);
}

/* A pause of 1 ms is one. */
static void pauses_are_no_ticks(void **state)
{
    (void)state;
    shmx *shm;
    int64_t best = INT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t before = test_now_ms();
        assert_status(shmx_open_wait(&shm, test_name(), 0, 2), SHMX_ETIMEDOUT);
        int64_t took = test_now_ms() - before;
        best = took < best ? took : best;
    }
    assert_true(best < 10);
}

/* ---- files ---- */

/* Each way to a file, while another looks into it. */
static void scanned_files_are_waited_for(void **state)
{
    (void)state;
    shmx *shm;
    shmx_info info;
    for (int i = 0; i < ROUNDS; i++) {
        const char *name = test_name();
        assert_ok(shmx_create(&shm, name, SIZE, SHMX_PERSISTENT));
        shmx_close(&shm);
        assert_ok(shmx_stat(name, &info));
        assert_int_equal(info.size, SIZE);
        assert_status(shmx_create(&shm, name, SIZE, 0), SHMX_EEXIST);
        assert_ok(shmx_open(&shm, name, 0));
        shmx_close(&shm);
        assert_ok(shmx_unlink(name));
        assert_status(shmx_stat(name, &info), SHMX_ENOENT);
        assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
        assert_status(shmx_unlink(name), SHMX_ENOENT);
    }
}

/* The number of files of persistent segments, of whatever name. */
static int files(void)
{
    wchar_t path[600];
    WIN32_FIND_DATAW entry;
    DWORD size = 500 * sizeof *path;
    int count = 0;
    must(RegGetValueW(HKEY_CURRENT_USER, L"Software\\shmx", L"directory", RRF_RT_REG_SZ, NULL, path,
                      &size) == ERROR_SUCCESS);
    wcscat(path, L"\\*");
    HANDLE find = FindFirstFileW(path, &entry);
    must(find != INVALID_HANDLE_VALUE);
    do
        count += entry.cFileName[0] != L'.';
    while (FindNextFileW(find, &entry));
    FindClose(find);
    return count;
}

/* A file that is mapped cannot be deleted: its last user does it. */
static void files_of_unlinked_segments_go(void **state)
{
    (void)state;
    shmx *one, *two;
    const char *name = test_name();
    assert_ok(shmx_create(&one, name, SIZE, SHMX_PERSISTENT));
    int before = files();
    for (int i = 0; i < ROUNDS; i++) {
        const char *other = test_name();
        assert_ok(shmx_create(&two, other, SIZE, SHMX_PERSISTENT));
        assert_ok(shmx_unlink(other));
        assert_int_equal(files(), before + 1);
        shmx_close(&two);
        assert_int_equal(files(), before);
    }
    assert_ok(shmx_unlink(name));
    shmx_close(&one);
    assert_int_equal(files(), before - 1);
}

static const struct test_part parts[] = {{"waiter", part_waiter}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(time_limits_are_the_clocks),    cmocka_unit_test(older_systems_wait_too),
    cmocka_unit_test(pauses_are_no_ticks),           cmocka_unit_test(scanned_files_are_waited_for),
    cmocka_unit_test(files_of_unlinked_segments_go),
};

TEST_MAIN(tests, parts)
