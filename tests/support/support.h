/* SPDX-License-Identifier: MIT */
/*
 * The needs of every test file: names of its own, other processes, threads.
 *
 *     #include "support.h"
 *
 *     PART(reader)                             // runs in another process
 *     {
 *         shmx *shm;
 *         must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
 *         say("ready");                        // a line to the test
 *         must(hear() != NULL);                // a line from the test
 *         shmx_close(&shm);
 *         return 0;                            // what child_wait returns
 *     }
 *
 *     static void stays_while_a_reader_has_it(void **state)
 *     {
 *         const char *name = test_name();
 *         ...
 *         struct test_child *child = child_start("reader", name);
 *         child_expect(child, "ready");
 *         child_send(child, "go");
 *         assert_int_equal(child_wait(child), 0);
 *     }
 *
 *     static const struct test_part parts[] = {{"reader", part_reader}, {NULL, NULL}};
 *
 *     static const struct CMUnitTest tests[] = {cmocka_unit_test(stays_while_a_reader_has_it)};
 *
 *     TEST_MAIN(tests, parts)                  // TEST_MAIN(tests, no_parts) without parts
 *
 * A part is the same program started again with `--part NAME args...`. Nothing here waits for ever:
 * a child that says or does nothing for TEST_PATIENCE_MS fails the test, and one whose test has
 * gone hears the end of its input. At the end TEST_MAIN fails if a segment of this run is left.
 */
#ifndef SHMX_TESTS_SUPPORT_H
#define SHMX_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shmx.h"

#define TEST_PATIENCE_MS 60000

/* ---- the program ---- */

struct test_part {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the part's name */
};

extern const struct test_part no_parts[];

#define PART(name) static int part_##name(int argc, char **argv)

#define TEST_MAIN(tests, parts)                                                                    \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        int status;                                                                                \
        if (test_begin(argc, argv, parts, &status))                                                \
            return status;                                                                         \
        return test_end(cmocka_run_group_tests(tests, NULL, NULL));                                \
    }

/* True if this process played a part: then *status is the program's. */
bool test_begin(int argc, char **argv, const struct test_part *parts, int *status);
int test_end(int failed);

/* Leave a test out, and say why. */
#define test_skip(reason)                                                                          \
    do {                                                                                           \
        print_message("[  REASON  ] %s\n", reason);                                                \
        skip();                                                                                    \
    } while (0)

/* For parts and threads, where cmocka's assertions do not work: say what is wrong and end. */
#define must(condition) ((condition) ? (void)0 : test_fail_hard(__FILE__, __LINE__, #condition))
_Noreturn void test_fail_hard(const char *file, int line, const char *what);

/* shmx_... returned SHMX_OK, or the status by name. */
#define assert_status(call, expected)                                                              \
    assert_string_equal(shmx_status_name(call), shmx_status_name(expected))
#define assert_ok(call) assert_status(call, SHMX_OK)

/* Leave a test out where the system lets nobody but the owner attach. */
#define test_needs_others()                                                                        \
    do {                                                                                           \
        if (!test_others_allowed())                                                                \
            test_skip("the system lets nobody but the owner attach");                              \
    } while (0)
bool test_others_allowed(void);

/* ---- names ---- */

/* Return a name nobody else has, valid until the program ends. All names of one run, its children
 * included, start with test_prefix(). */
const char *test_name(void);
const char *test_prefix(void);

/* Count names of this run that are still in the system, and print them. */
int test_leftovers(void);

/* Is anything left that belongs to a segment of that name, dead or alive? Looking changes nothing.
 */
bool test_there(const char *name);

/* ... to one whose name starts so? */
bool test_any_there(const char *start);

/* ---- other processes ---- */

struct test_child;

/* The result of child_wait for a child that did not end by itself. */
enum { CHILD_FAULT = 1000, CHILD_KILLED = 1001, CHILD_DIED = 1002 };

/* Start a part with arguments (strings, neither with spaces nor quotes). */
#define child_start(...) child_start_words((const char *const[]){__VA_ARGS__, NULL})
struct test_child *child_start_words(const char *const *words);

/* The same of another program that was built from this file. */
struct test_child *child_start_program(const char *program, const char *const *words);

/* Run this in a forked child, which ends with 0 when it returns. NULL where there is no fork. */
struct test_child *child_fork(void (*run)(void *context), void *context);

/* Lines in both directions. */
void child_send(struct test_child *child, const char *line);
const char *
child_receive(struct test_child *child); /* valid until the next call; NULL at its end */
#define child_expect(child, line) child_expect_at(child, line, __FILE__, __LINE__)
void child_expect_at(struct test_child *child, const char *line, const char *file, int line_number);

void child_close_input(struct test_child *child); /* the child's hear returns NULL */
void child_kill(struct test_child *child);        /* SIGKILL, TerminateProcess; then child_wait */
bool child_stop(struct test_child *child);        /* it runs no more when this returns true */
void child_continue(struct test_child *child);
int64_t child_pid(const struct test_child *child);
int child_wait(struct test_child *child); /* 0 to 255 or CHILD_...; frees child */

/* Let it go, and see that it ends with 0; kill it, and see that it had not ended before. */
#define child_finish(child) child_end(child, child_close_input, 0)
#define child_end_by_kill(child) child_end(child, child_kill, CHILD_KILLED)
#define child_end(child, how, result)                                                              \
    do {                                                                                           \
        struct test_child *ending_ = (child);                                                      \
        how(ending_);                                                                              \
        assert_int_equal(child_wait(ending_), result);                                             \
    } while (0)

/* In the part. */
void say(const char *format, ...);
const char *hear(void);                        /* NULL: the test has gone, or closed the input */
bool test_exec(const char *const *words);      /* become that part; false if the system cannot */
bool test_become_other_user(const char **why); /* false, and why, if it cannot be done */
void test_children_outlive(void);              /* those started from now on need not end with it */

/* ---- threads ---- */

struct test_thread;
struct test_thread *thread_start(void (*run)(void *context), void *context);
void thread_join(struct test_thread *thread);

/* ---- segments ---- */

/* Make one. */
shmx *test_segment(const char *name, size_t size);

/* Count the sleepers on a word of the segment, or on others that share its place in the count. */
uint32_t test_sleepers(const shmx *shm, const volatile void *word);
uint32_t test_presence_sleepers(const shmx *shm);

/* ---- time and chance ---- */

int64_t test_now_ms(void);   /* monotonic */
uint64_t test_wall_ns(void); /* since 1970; time(3) may be a tick, or a busy host's pause, behind */
void test_sleep_ms(int ms);  /* to ask again a little later; never to be right */
uint32_t test_random(void);  /* not for threads */
int test_open_handles(void); /* descriptors or handles of this process; -1 if it cannot be told */

/* Ask until it is true; fail after TEST_PATIENCE_MS. */
#define test_until(condition)                                                                      \
    for (int64_t until_ = test_now_ms() + TEST_PATIENCE_MS; !(condition); test_sleep_ms(1))        \
    must(test_now_ms() < until_)

#endif
