/* SPDX-License-Identifier: MIT */
/* The other tests rely on tests/support: it keeps its word. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

PART(echo)
{
    say("%s %d", argv[1], argc);
    const char *line;
    while ((line = hear()) != NULL)
        say("%s", line);
    return 7;
}

PART(fault)
{
    static const char constant[] = "constant";
    (void)argc;
    (void)argv;
    say("ready");
    volatile char *place = (volatile char *)(uintptr_t)constant;
    place[0] = 'k';
    say("alive");
    return 0;
}

PART(after_exec)
{
    (void)argc;
    say("%s", argv[1]);
    return 3;
}

PART(exec)
{
    (void)argc;
    (void)argv;
    if (!test_exec((const char *const[]){"after_exec", "new", NULL}))
        say("cannot");
    return 4;
}

static void speaks_with_a_child(void **state)
{
    (void)state;
    struct test_child *child = child_start("echo", "one");
    child_expect(child, "one 2");
    child_send(child, "a line");
    child_send(child, "another");
    child_expect(child, "a line");
    child_expect(child, "another");
    child_close_input(child);
    assert_null(child_receive(child));
    assert_int_equal(child_wait(child), 7);
}

static void tells_a_kill_from_a_fault(void **state)
{
    (void)state;
    struct test_child *child = child_start("echo", "one");
    child_expect(child, "one 2");
    child_end_by_kill(child);
    child = child_start("fault");
    child_expect(child, "ready");
    assert_null(child_receive(child));
    assert_int_equal(child_wait(child), CHILD_FAULT);
}

static void stops_a_child(void **state)
{
    (void)state;
    struct test_child *child = child_start("echo", "one");
    child_expect(child, "one 2");
    assert_true(child_stop(child));
    child_send(child, "late");
    child_continue(child);
    child_expect(child, "late");
    assert_int_equal(child_wait(child), 7);
}

static void forked(void *context)
{
    say("%s", (const char *)context);
    must(strcmp(hear(), "end") == 0);
}

static void forks_a_child(void **state)
{
    (void)state;
    char word[] = "context";
    struct test_child *child = child_fork(forked, word);
    if (child == NULL)
        test_skip("this system has no fork");
    child_expect(child, "context");
    child_send(child, "end");
    assert_int_equal(child_wait(child), 0);
}

static void execs_in_a_child(void **state)
{
    (void)state;
    struct test_child *child = child_start("exec");
    if (strcmp(child_receive(child), "new") == 0)
        assert_int_equal(child_wait(child), 3);
    else
        assert_int_equal(child_wait(child), 4);
}

static void thread(void *context)
{
    *(int *)context = 1;
}

static void runs_a_thread(void **state)
{
    (void)state;
    int ran = 0;
    thread_join(thread_start(thread, &ran));
    assert_int_equal(ran, 1);
}

static void names_differ(void **state)
{
    (void)state;
    const char *one = test_name();
    const char *other = test_name();
    assert_string_not_equal(one, other);
    assert_memory_equal(one, test_prefix(), strlen(test_prefix()));
}

static void open_handles_are_counted(void **state)
{
    (void)state;
    int before = test_open_handles();
    struct test_child *child = child_start("echo", "one");
    child_expect(child, "one 2");
    assert_true(before < 0 || test_open_handles() > before);
    assert_int_equal(child_wait(child), 7);
    assert_int_equal(test_open_handles(), before);
}

static const struct test_part parts[] = {{"echo", part_echo},
                                         {"fault", part_fault},
                                         {"exec", part_exec},
                                         {"after_exec", part_after_exec},
                                         {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(speaks_with_a_child), cmocka_unit_test(tells_a_kill_from_a_fault),
    cmocka_unit_test(stops_a_child),       cmocka_unit_test(forks_a_child),
    cmocka_unit_test(execs_in_a_child),    cmocka_unit_test(runs_a_thread),
    cmocka_unit_test(names_differ),        cmocka_unit_test(open_handles_are_counted),
};

TEST_MAIN(tests, parts)
