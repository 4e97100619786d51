/* SPDX-License-Identifier: MIT */
/* Looking around: stat and list; raw segments. */
#include "support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "system.h"

#define MANY 100

PART(user) /* NAME */
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    say("ready");
    while (hear() != NULL)
        continue;
    shmx_close(&shm);
    return 0;
}

/* Makes segments and closes them until its input ends. */
PART(restless)
{
    (void)argc;
    (void)argv;
    say("ready");
    for (int i = 0; i < 400; i++) {
        shmx *shm;
        must(shmx_create(&shm, test_name(), 4096, 0) == SHMX_OK);
        shmx_close(&shm);
    }
    say("done");
    return 0;
}

static int listed(const shmx_info *info, void *context)
{
    (void)info;
    (void)context;
    return 0;
}

/* Looks at a name, from inside too, and at all there are, until the first byte of another segment
 * is set. */
PART(curious) /* NAME OTHER */
{
    shmx *other, *raw;
    shmx_info info;
    must(argc == 3 && shmx_open(&other, argv[2], 0) == SHMX_OK);
    _Atomic char *end = shmx_data(other);
    say("ready");
    for (int i = 0; atomic_load(end) == 0; i++) {
        int status = shmx_stat(argv[1], &info);
        must(status == SHMX_OK || status == SHMX_ENOENT);
        status = shmx_open(&raw, argv[1], SHMX_RAW | SHMX_READ_ONLY);
        must(status == SHMX_OK || status == SHMX_ENOENT);
        shmx_close(&raw);
        if (i % 16 == 0)
            must(shmx_list(listed, NULL) == SHMX_OK);
    }
    shmx_close(&other);
    return 0;
}

static int users_of(const char *name)
{
    shmx_info info;
    assert_ok(shmx_stat(name, &info));
    return info.users;
}

/* ---- stat ---- */

static void stat_tells_all(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx_info info;
    shmx *shm;
    uint64_t before = test_wall_ns();
    unsigned others = test_others_allowed() ? SHMX_OTHERS_READ : 0;
    assert_ok(shmx_create(&shm, name, 10000, others));
    assert_ok(shmx_stat(name, &info));
    assert_string_equal(info.name, name);
    assert_int_equal(info.size, 10000);
    assert_true(info.footprint >= 4096 && info.footprint <= 262144);
    assert_true(info.created >= before);
    assert_true(info.created <= test_wall_ns());
    assert_int_equal(info.creator_pid, system_pid());
    assert_true(info.users == 1 || info.users == -1);
    assert_int_equal(info.flags, others);
    assert_int_equal(info.foreign, 0);
    shmx_close(&shm);
}

static void users_are_counted(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm, *second;
    assert_ok(shmx_create(&shm, name, 1, 0));
    bool counts = users_of(name) != -1;
    if (counts) {
        assert_ok(shmx_open(&second, name, SHMX_READ_ONLY));
        test_until(users_of(name) == 2);
        struct test_child *child = child_start("user", name);
        child_expect(child, "ready");
        test_until(users_of(name) == 3);
        child_end_by_kill(child);
        test_until(users_of(name) == 2);
        shmx_close(&second);
        test_until(users_of(name) == 1);
    }
    shmx_close(&shm);
    if (!counts)
        test_skip("this system cannot say how many users there are");
}

/* Long lists of the system's come in pieces. */
static void others_do_not_disturb_the_count(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm, *many[MANY];
    assert_ok(shmx_create(&shm, name, 1, 0));
    int users = users_of(name);
    for (int i = 0; i < MANY; i++)
        assert_ok(shmx_create(&many[i], test_name(), 1, 0));
    struct test_child *child = child_start("restless");
    child_expect(child, "ready");
    for (int i = 0; i < 100; i++)
        assert_int_equal(users_of(name), users);
    child_expect(child, "done");
    assert_int_equal(child_wait(child), 0);
    for (int i = 0; i < MANY; i++)
        shmx_close(&many[i]);
    shmx_close(&shm);
}

static void who_only_looks_keeps_nothing(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx_info info;
    shmx *shm;
    assert_ok(shmx_create(&shm, name, 1, 0));
    assert_ok(shmx_stat(name, &info));
    shmx_close(&shm);
    assert_status(shmx_stat(name, &info), SHMX_ENOENT);
}

static void persistent_ones_need_no_users(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx_info info;
    shmx *shm;
    assert_ok(shmx_create(&shm, name, 1, SHMX_PERSISTENT));
    shmx_close(&shm);
    assert_ok(shmx_stat(name, &info));
    assert_true(info.users == 0 || info.users == -1);
    assert_int_equal(info.flags, SHMX_PERSISTENT);
    assert_ok(shmx_unlink(name));
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    shmx_info info;
    assert_status(shmx_stat(test_name(), NULL), SHMX_EINVAL);
    assert_status(shmx_stat(NULL, &info), SHMX_EINVAL);
    assert_status(shmx_stat("", &info), SHMX_EINVAL);
    assert_status(shmx_stat("a/b", &info), SHMX_EINVAL);
    assert_status(shmx_list(NULL, NULL), SHMX_EINVAL);
    assert_ok(shmx_prune(NULL));
}

/* ---- list ---- */

struct seen {
    const char *names[MANY];
    int times[MANY];
    int calls;
};

static int mark(const shmx_info *info, void *context)
{
    struct seen *seen = context;
    seen->calls++;
    for (int i = 0; i < MANY; i++)
        if (seen->names[i] != NULL && strcmp(seen->names[i], info->name) == 0)
            seen->times[i]++;
    return 0;
}

static void each_is_listed_once(void **state)
{
    (void)state;
    static struct seen seen;
    static shmx *shms[MANY];
    for (int i = 0; i < MANY; i++) {
        seen.names[i] = test_name();
        assert_ok(shmx_create(&shms[i], seen.names[i], 16, i % 2 == 0 ? 0 : SHMX_PERSISTENT));
    }
    assert_ok(shmx_list(mark, &seen));
    for (int i = 0; i < MANY; i++)
        assert_int_equal(seen.times[i], 1);
    assert_true(seen.calls >= MANY);
    for (int i = 0; i < MANY; i++) {
        shmx_close(&shms[i]);
        if (i % 2 != 0)
            assert_ok(shmx_unlink(seen.names[i]));
    }
    memset(seen.times, 0, sizeof seen.times);
    assert_ok(shmx_list(mark, &seen));
    for (int i = 0; i < MANY; i++)
        assert_int_equal(seen.times[i], 0);
}

static int stop(const shmx_info *info, void *context)
{
    (void)info;
    ++*(int *)context;
    return 42;
}

static void a_listing_can_be_stopped(void **state)
{
    (void)state;
    shmx *one, *two;
    int calls = 0;
    assert_ok(shmx_create(&one, test_name(), 1, 0));
    assert_ok(shmx_create(&two, test_name(), 1, 0));
    assert_int_equal(shmx_list(stop, &calls), 42);
    assert_int_equal(calls, 1);
    shmx_close(&one);
    shmx_close(&two);
}

static int unlink_ours(const shmx_info *info, void *context)
{
    if (strncmp(info->name, test_prefix(), strlen(test_prefix())) == 0)
        *(int *)context += shmx_unlink(info->name) == SHMX_OK;
    return 0;
}

static void who_is_shown_can_be_removed(void **state)
{
    (void)state;
    shmx *one, *two;
    int removed = 0;
    assert_ok(shmx_create(&one, test_name(), 1, 0));
    assert_ok(shmx_create(&two, test_name(), 1, SHMX_PERSISTENT));
    assert_ok(shmx_list(unlink_ours, &removed));
    assert_int_equal(removed, 2);
    shmx_close(&one);
    shmx_close(&two);
}

static int sane(const shmx_info *info, void *context)
{
    (void)context;
    bool ours = strncmp(info->name, test_prefix(), strlen(test_prefix())) == 0;
    return ours && (info->size != 4096 || info->foreign);
}

static void what_comes_and_goes_disturbs_no_listing(void **state)
{
    (void)state;
    struct test_child *child = child_start("restless");
    child_expect(child, "ready");
    for (int i = 0; i < 20; i++)
        assert_int_equal(shmx_list(sane, NULL), 0);
    child_expect(child, "done");
    assert_int_equal(child_wait(child), 0);
}

/* A name is free when its last user has closed, whoever looks at it at that moment. */
static void who_looks_keeps_no_name(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *other = test_segment(test_name(), 4096);
    struct test_child *child = child_start("curious", name, shmx_name(other));
    child_expect(child, "ready");
    for (int i = 0; i < 1000; i++) {
        shmx *shm;
        assert_ok(shmx_create(&shm, name, 4096, 0));
        shmx_close(&shm);
    }
    atomic_store((_Atomic char *)shmx_data(other), 1);
    assert_int_equal(child_wait(child), 0);
    shmx_close(&other);
}

/* ---- raw ---- */

static void raw_ones_are_plain_objects(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx_info info;
    shmx *shm, *other;
    assert_ok(shmx_create(&shm, name, 1000, SHMX_RAW));
    assert_int_equal(shmx_size(shm), 1000);
    assert_ok(shmx_stat(name, &info));
    assert_int_equal(info.foreign, 1);
    assert_int_equal(info.creator_pid, 0);
    assert_int_equal(info.created, 0);
    assert_ok(shmx_open(&other, name, 0));
    assert_true(shmx_size(other) >= 1000); /* what the system says */
    assert_ok(shmx_write(shm, 999, "x", 1));
    assert_int_equal(((char *)shmx_data(other))[999], 'x');
    shmx_close(&other);
    shmx_close(&shm);
    /* Its lifetime is the system's own: gone, or there until it is unlinked. */
    int status = shmx_unlink(name);
    assert_true(status == SHMX_OK || status == SHMX_ENOENT);
    assert_status(shmx_open(&other, name, 0), SHMX_ENOENT);
}

static void raw_shows_the_control_block_of_ours(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm, *raw;
    assert_ok(shmx_create(&shm, name, 1000, 0));
    assert_ok(shmx_write(shm, 0, "data", 4));
    assert_ok(shmx_open(&raw, name, SHMX_RAW | SHMX_READ_ONLY));
    assert_true(shmx_size(raw) > 1000);
    assert_memory_equal(shmx_data(raw), "data", 4);
    shmx_close(&raw);
    shmx_close(&shm);
    assert_status(shmx_open(&raw, name, SHMX_RAW), SHMX_ENOENT);
}

static const struct test_part parts[] = {
    {"user", part_user}, {"restless", part_restless}, {"curious", part_curious}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(stat_tells_all),
    cmocka_unit_test(users_are_counted),
    cmocka_unit_test(others_do_not_disturb_the_count),
    cmocka_unit_test(who_only_looks_keeps_nothing),
    cmocka_unit_test(persistent_ones_need_no_users),
    cmocka_unit_test(wrong_arguments_are_refused),
    cmocka_unit_test(each_is_listed_once),
    cmocka_unit_test(a_listing_can_be_stopped),
    cmocka_unit_test(who_is_shown_can_be_removed),
    cmocka_unit_test(what_comes_and_goes_disturbs_no_listing),
    cmocka_unit_test(who_looks_keeps_no_name),
    cmocka_unit_test(raw_ones_are_plain_objects),
    cmocka_unit_test(raw_shows_the_control_block_of_ours),
};

TEST_MAIN(tests, parts)
