/* SPDX-License-Identifier: MIT */
/* Many users, many segments, large and small ones, and present pages. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"

#define USERS_EACH 250
#define USERS_PROCESSES 4
#define SEGMENTS_EACH 400 /* two descriptors for each, where they are few */

/* ---- users ---- */

PART(users) /* NAME */
{
    static shmx *all[USERS_EACH];
    for (int i = 0; i < USERS_EACH; i++)
        must(shmx_open(&all[i], argv[1], 0) == SHMX_OK);
    say("ready");
    must(argc == 2 && hear() == NULL);
    for (int i = 0; i < USERS_EACH; i++)
        shmx_close(&all[i]);
    return 0;
}

static void a_thousand_users_of_one_segment(void **state)
{
    (void)state;
    const char *name = test_name();
    struct test_child *children[USERS_PROCESSES];
    shmx_info info;
    shmx *shm;
    assert_ok(shmx_create(&shm, name, 100, 0));
    for (int i = 0; i < USERS_PROCESSES; i++)
        children[i] = child_start("users", name);
    for (int i = 0; i < USERS_PROCESSES; i++)
        child_expect(children[i], "ready");
    shmx_close(&shm);
    assert_ok(shmx_stat(name, &info));
    assert_true(info.users == USERS_EACH * USERS_PROCESSES || info.users == -1);
    for (int i = 0; i < USERS_PROCESSES; i++) {
        assert_ok(shmx_stat(name, &info));
        child_finish(children[i]);
    }
    assert_status(shmx_stat(name, &info), SHMX_ENOENT);
}

/* ---- segments ---- */

PART(segments)
{
    static shmx *all[SEGMENTS_EACH];
    (void)argv;
    for (int i = 0; i < SEGMENTS_EACH; i++)
        must(shmx_create(&all[i], test_name(), 1024, 0) == SHMX_OK);
    say("ready");
    must(argc == 1 && hear() == NULL);
    for (int i = 0; i < SEGMENTS_EACH; i++)
        shmx_close(&all[i]);
    return 0;
}

static int count_ours(const shmx_info *info, void *context)
{
    *(int *)context += strncmp(info->name, test_prefix(), strlen(test_prefix())) == 0;
    return 0;
}

/* 10,000; SHMX_TEST_SEGMENTS says another number, for systems where it takes minutes. */
static void ten_thousand_segments(void **state)
{
    (void)state;
    const char *wanted = getenv("SHMX_TEST_SEGMENTS");
    int processes = (wanted != NULL ? atoi(wanted) : 10000) / SEGMENTS_EACH;
    struct test_child **children = calloc((size_t)processes, sizeof(*children));
    int count = 0;
    assert_non_null(children);
    for (int i = 0; i < processes; i++)
        children[i] = child_start("segments");
    for (int i = 0; i < processes; i++)
        child_expect(children[i], "ready");
    assert_int_equal(shmx_list(count_ours, &count), 0);
    assert_int_equal(count, processes * SEGMENTS_EACH);
    for (int i = 0; i < processes; i++) {
        child_finish(children[i]);
    }
    free(children);
    count = 0;
    assert_int_equal(shmx_list(count_ours, &count), 0);
    assert_int_equal(count, 0);
}

/* ---- sizes ---- */

static void a_small_segment_costs_two_pages_at_most(void **state)
{
    (void)state;
    shmx_info info;
    shmx *shm;
    const char *name = test_name();
    assert_ok(shmx_create(&shm, name, 1024, 0));
    memset(shmx_data(shm), 1, 1024);
    assert_ok(shmx_stat(name, &info));
    assert_true(info.footprint >= 1024 && info.footprint <= 2 * shmx_os_facts()->page_size);
    shmx_close(&shm);
}

static void sizes_over_4_gib_are_exact(void **state)
{
    (void)state;
    const uint64_t size = (UINT64_C(4) << 30) + 12345;
    const char *name = test_name();
    unsigned char byte = 0;
    shmx *shm, *other;
    if (size > SIZE_MAX)
        test_skip("this program has no address space for 4 GiB");
    int status = shmx_create(&shm, name, (size_t)size, 0);
    if (status == SHMX_ENOSPC || status == SHMX_ENOMEM)
        test_skip("this machine has no 4 GiB of shared memory to spare");
    assert_ok(status);
    assert_ok(shmx_open(&other, name, 0));
    assert_true(shmx_size(shm) == size && shmx_size(other) == size);
    assert_ok(shmx_write(shm, (size_t)size - 1, "\x07", 1));
    assert_ok(shmx_read(other, (size_t)size - 1, &byte, 1));
    assert_int_equal(byte, 7);
    assert_ok(shmx_read(other, (size_t)(size - (UINT64_C(4) << 30)) - 1, &byte, 1));
    assert_int_equal(byte, 0);
    assert_status(shmx_write(shm, (size_t)size, "\x07", 1), SHMX_ERANGE);
    shmx_close(&other);
    shmx_close(&shm);
}

/* ---- present pages ---- */

static void prefaulted_segments_are_whole(void **state)
{
    static const size_t sizes[] = {1, 4096, 65537, (2 << 20) - 2048, 2 << 20, (5 << 20) + 1};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const char *name = test_name();
        shmx_info info;
        shmx *shm, *reader, *writer;
        assert_ok(shmx_create(&shm, name, sizes[i], SHMX_PREFAULT));
        const unsigned char *bytes = shmx_data(shm);
        for (size_t at = 0; at < sizes[i]; at++)
            must(bytes[at] == 0);
        assert_ok(shmx_open(&reader, name, SHMX_PREFAULT | SHMX_READ_ONLY));
        assert_ok(shmx_open(&writer, name, SHMX_PREFAULT));
        assert_ok(shmx_write(writer, sizes[i] - 1, "\x05", 1));
        assert_int_equal(((unsigned char *)shmx_data(reader))[sizes[i] - 1], 5);
        assert_ok(shmx_stat(name, &info));
        assert_true(info.size == sizes[i] && info.footprint >= sizes[i]);
        shmx_close(&writer);
        shmx_close(&reader);
        shmx_close(&shm);
    }
}

static const struct test_part parts[] = {
    {"users", part_users}, {"segments", part_segments}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_thousand_users_of_one_segment),
    cmocka_unit_test(ten_thousand_segments),
    cmocka_unit_test(a_small_segment_costs_two_pages_at_most),
    cmocka_unit_test(sizes_over_4_gib_are_exact),
    cmocka_unit_test(prefaulted_segments_are_whole),
};

TEST_MAIN(tests, parts)
