/* SPDX-License-Identifier: MIT */
/* The lifetime table of docs/guarantees.md, cell by cell, between processes: what happens to a
 * segment, default and persistent, when its users close, die, fork, exec, and when it is unlinked.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 1024

static const unsigned kinds[] = {0, SHMX_PERSISTENT};

#define KINDS (sizeof kinds / sizeof kinds[0])

/* ---- another user ---- */

static shmx *held;

static void first_byte_set(shmx *shm, int value)
{
    *(unsigned char *)shmx_data(shm) = (unsigned char)value;
}

static int first_byte(const shmx *shm)
{
    return *(const unsigned char *)shmx_data(shm);
}

static int obey(void)
{
    const char *order;
    while ((order = hear()) != NULL) {
        if (strcmp(order, "close") == 0)
            shmx_close(&held);
        else if (strcmp(order, "leave") == 0)
            exit(0); /* without closing */
        else if (strcmp(order, "read") == 0)
            say("%d", first_byte(held));
        else
            first_byte_set(held, atoi(order));
        if (strcmp(order, "read") != 0)
            say("done");
    }
    shmx_close(&held);
    return 0;
}

PART(creator) /* NAME FLAGS */
{
    must(argc == 3);
    must(shmx_create(&held, argv[1], SIZE, (unsigned)atoi(argv[2])) == SHMX_OK);
    say("ready");
    return obey();
}

PART(user) /* NAME */
{
    must(argc == 2 && shmx_open(&held, argv[1], 0) == SHMX_OK);
    say("ready");
    return obey();
}

/* Becomes another program while it uses the segment. */
PART(changer) /* NAME */
{
    must(argc == 2 && shmx_open(&held, argv[1], 0) == SHMX_OK);
    if (!test_exec((const char *const[]){"bystander", NULL}))
        say("cannot");
    return 0;
}

PART(bystander)
{
    (void)argc;
    (void)argv;
    say("changed");
    return hear() != NULL;
}

static struct test_child *creator_start(const char *name, unsigned flags)
{
    char text[16];
    snprintf(text, sizeof text, "%u", flags);
    struct test_child *child = child_start("creator", name, text);
    child_expect(child, "ready");
    return child;
}

static struct test_child *user_start(const char *name)
{
    struct test_child *child = child_start("user", name);
    child_expect(child, "ready");
    return child;
}

static void order(struct test_child *child, const char *what)
{
    child_send(child, what);
    child_expect(child, "done");
}

/* ---- what is true of a name now ---- */

static void is_there(const char *name, int value)
{
    shmx *shm;
    assert_ok(shmx_open(&shm, name, 0));
    assert_int_equal(shmx_size(shm), SIZE);
    assert_int_equal(first_byte(shm), value);
    shmx_close(&shm);
}

static void is_gone(const char *name)
{
    shmx *shm;
    shmx_info info;
    assert_status(shmx_stat(name, &info), SHMX_ENOENT);
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    assert_status(shmx_unlink(name), SHMX_ENOENT);
    /* The name is free, and what comes next is new. */
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    for (size_t i = 0; i < SIZE; i++)
        assert_int_equal(((unsigned char *)shmx_data(shm))[i], 0);
    shmx_close(&shm);
}

/* After the last user has gone: as the table says. Then nothing is left. */
static void is_as_promised(const char *name, unsigned flags, int value)
{
    if ((flags & SHMX_PERSISTENT) != 0) {
        is_there(name, value);
        assert_ok(shmx_unlink(name));
    }
    is_gone(name);
}

/* ---- the table ---- */

static void stays_when_one_of_several_closes(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const char *name = test_name();
        struct test_child *first = creator_start(name, kinds[i]), *second = user_start(name);
        order(first, "7");
        order(first, "close"); /* the creator is a user like any other */
        is_there(name, 7);
        order(second, "8");
        is_there(name, 8);
        child_finish(first);
        is_there(name, 8);
        child_finish(second);
        is_as_promised(name, kinds[i], 8);
    }
}

static void stays_when_one_handle_of_a_process_closes(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const char *name = test_name();
        shmx *first, *second;
        assert_ok(shmx_create(&first, name, SIZE, kinds[i]));
        assert_ok(shmx_open(&second, name, SHMX_READ_ONLY));
        first_byte_set(first, 9);
        shmx_close(&first);
        is_there(name, 9);
        shmx_close(&second);
        is_as_promised(name, kinds[i], 9);
    }
}

static void stays_when_one_of_several_is_killed(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const char *name = test_name();
        struct test_child *first = creator_start(name, kinds[i]), *second = user_start(name);
        order(first, "7");
        child_end_by_kill(first);
        is_there(name, 7);
        order(second, "8");
        is_there(name, 8);
        child_finish(second);
        is_as_promised(name, kinds[i], 8);
    }
}

static void stays_when_one_that_attached_just_ends(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm;
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    first_byte_set(shm, 3);
    struct test_child *child = user_start(name);
    child_send(child, "leave");
    assert_int_equal(child_wait(child), 0);
    is_there(name, 3);
    shmx_close(&shm);
    is_gone(name);
}

static void the_last_close_is_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const char *name = test_name();
        struct test_child *child = creator_start(name, kinds[i]);
        order(child, "5");
        order(child, "close");
        is_as_promised(name, kinds[i], 5);
        child_finish(child);
    }
}

static void the_last_exit_without_a_close_is_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const char *name = test_name();
        struct test_child *child = creator_start(name, kinds[i]);
        order(child, "5");
        child_send(child, "leave");
        assert_int_equal(child_wait(child), 0);
        is_as_promised(name, kinds[i], 5);
    }
}

static void the_last_kill_is_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const char *name = test_name();
        struct test_child *first = creator_start(name, kinds[i]), *second = user_start(name);
        order(second, "6");
        child_end_by_kill(first);
        child_end_by_kill(second);
        is_as_promised(name, kinds[i], 6);
    }
}

static void create_takes_the_name_of_the_killed(void **state)
{
    (void)state;
    const char *name = test_name();
    struct test_child *child = creator_start(name, 0);
    order(child, "6");
    child_end_by_kill(child);
    shmx *shm;
    int created;
    assert_ok(shmx_open_or_create(&shm, name, 2 * SIZE, 0, &created));
    assert_int_equal(created, 1);
    assert_int_equal(shmx_size(shm), 2 * SIZE);
    assert_int_equal(first_byte(shm), 0);
    shmx_close(&shm);
}

static void prune_frees_what_the_killed_left_and_nothing_else(void **state)
{
    (void)state;
    const char *dead = test_name(), *used = test_name(), *kept = test_name();
    shmx *shm;
    int removed;
    assert_ok(shmx_create(&shm, used, SIZE, 0));
    child_end_by_kill(creator_start(dead, 0));
    child_end_by_kill(creator_start(kept, SHMX_PERSISTENT));
    assert_ok(shmx_prune(&removed));
    is_gone(dead);
    is_there(used, 0);
    is_there(kept, 0);
    assert_ok(shmx_unlink(kept));
    shmx_close(&shm);
}

static void unlink_in_use_frees_the_name_and_users_keep_theirs(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const char *name = test_name();
        struct test_child *child = creator_start(name, kinds[i]);
        shmx *old, *fresh;
        assert_ok(shmx_open(&old, name, 0));
        order(child, "1");
        assert_ok(shmx_unlink(name));
        assert_status(shmx_open(&fresh, name, 0), SHMX_ENOENT);
        assert_ok(shmx_create(&fresh, name, SIZE, 0));
        first_byte_set(fresh, 2);
        assert_int_equal(first_byte(old), 1);
        order(child, "3");
        assert_int_equal(first_byte(old), 3);
        is_there(name, 2);
        shmx_close(&old);
        child_finish(child);
        is_there(name, 2); /* a successor is not removed by the old ones' end */
        shmx_close(&fresh);
        is_gone(name);
    }
}

static void a_successor_outlives_the_kill_of_old_users(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const char *name = test_name();
        struct test_child *child = creator_start(name, kinds[i]);
        shmx *fresh;
        assert_ok(shmx_unlink(name));
        assert_ok(shmx_create(&fresh, name, SIZE, 0));
        first_byte_set(fresh, 2);
        child_end_by_kill(child);
        is_there(name, 2);
        shmx_close(&fresh);
        is_gone(name);
    }
}

static void the_second_unlink_is_enoent(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const char *name = test_name();
        struct test_child *child = creator_start(name, kinds[i]);
        assert_ok(shmx_unlink(name));
        assert_status(shmx_unlink(name), SHMX_ENOENT);
        child_finish(child);
        assert_status(shmx_unlink(name), SHMX_ENOENT);
    }
}

static void a_failed_open_destroys_nothing(void **state)
{
    (void)state;
    const char *name = test_name();
    struct test_child *child = creator_start(name, 0);
    shmx *shm;
    order(child, "4");
    assert_status(shmx_open(&shm, name, SHMX_PERSISTENT), SHMX_EINVAL);
    assert_status(shmx_create(&shm, name, SIZE, 0), SHMX_EEXIST);
    assert_status(shmx_open_or_create(&shm, name, 2 * SIZE, 0, NULL), SHMX_ERANGE);
    is_there(name, 4);
    child_finish(child);
    is_gone(name);
}

/* ---- fork and exec ---- */

static void use_inherited(void *context)
{
    (void)context;
    say("ready");
    obey();
}

/* The child's copy of `held` is a user of its own. */
static struct test_child *forked_user(const char *name, unsigned flags)
{
    assert_ok(shmx_create(&held, name, SIZE, flags));
    struct test_child *child = child_fork(use_inherited, NULL);
    if (child == NULL) {
        shmx_close(&held);
        if (flags != 0)
            shmx_unlink(name);
        test_skip("this system has no fork");
    }
    child_expect(child, "ready");
    return child;
}

static void a_forked_child_keeps_it_when_the_parent_leaves(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const char *name = test_name();
        struct test_child *child = forked_user(name, kinds[i]);
        shmx_close(&held);
        order(child, "7");
        is_there(name, 7);
        child_finish(child);
        is_as_promised(name, kinds[i], 7);
    }
}

static void the_parent_keeps_it_when_a_forked_child_leaves(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const char *name = test_name();
        struct test_child *child = forked_user(name, kinds[i]);
        order(child, "7");
        child_finish(child);
        is_there(name, 7);
        child = child_fork(use_inherited, NULL);
        child_expect(child, "ready");
        child_end_by_kill(child);
        is_there(name, 7);
        shmx_close(&held);
        is_as_promised(name, kinds[i], 7);
    }
}

static void who_execs_is_a_user_no_more(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm;
    shmx_info info;
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    struct test_child *child = child_start("changer", name);
    const char *said = child_receive(child);
    assert_non_null(said);
    bool changed = strcmp(said, "changed") == 0;
    if (changed) {
        assert_ok(shmx_stat(name, &info));
        assert_true(info.users == 1 || info.users == -1);
        shmx_close(&shm);
        is_gone(name); /* though that process still runs */
    }
    child_finish(child);
    shmx_close(&shm);
    if (!changed)
        test_skip("this system has no exec");
}

static const struct test_part parts[] = {{"creator", part_creator},
                                         {"user", part_user},
                                         {"changer", part_changer},
                                         {"bystander", part_bystander},
                                         {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(stays_when_one_of_several_closes),
    cmocka_unit_test(stays_when_one_handle_of_a_process_closes),
    cmocka_unit_test(stays_when_one_of_several_is_killed),
    cmocka_unit_test(stays_when_one_that_attached_just_ends),
    cmocka_unit_test(the_last_close_is_the_end),
    cmocka_unit_test(the_last_exit_without_a_close_is_the_end),
    cmocka_unit_test(the_last_kill_is_the_end),
    cmocka_unit_test(create_takes_the_name_of_the_killed),
    cmocka_unit_test(prune_frees_what_the_killed_left_and_nothing_else),
    cmocka_unit_test(unlink_in_use_frees_the_name_and_users_keep_theirs),
    cmocka_unit_test(a_successor_outlives_the_kill_of_old_users),
    cmocka_unit_test(the_second_unlink_is_enoent),
    cmocka_unit_test(a_failed_open_destroys_nothing),
    cmocka_unit_test(a_forked_child_keeps_it_when_the_parent_leaves),
    cmocka_unit_test(the_parent_keeps_it_when_a_forked_child_leaves),
    cmocka_unit_test(who_execs_is_a_user_no_more),
};

TEST_MAIN(tests, parts)
