/* SPDX-License-Identifier: MIT */
/* Nothing is left over whatever processes end of, and a token that was inherited is a user. */
#include "support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 8192

/* A part that has been waited for may hold its handles for a moment longer, where the system closes
 * them. */
static void assert_gone(const char *name)
{
    test_until(!test_there(name));
}

/* ---- normal ends ---- */

/* A segment, after which the process ends in some way. */
PART(goes)
{
    shmx *shm;
    char token[SHMX_TOKEN_MAX];
    must(argc == 3 && shmx_create(&shm, argv[1], SIZE, 0) == SHMX_OK);
    if (strcmp(argv[2], "shared") == 0)
        must(shmx_share(shm, token, sizeof token) == SHMX_OK);
    if (strcmp(argv[2], "exit") == 0)
        exit(0);
    if (strcmp(argv[2], "stay") == 0) {
        say("here");
        hear();
    }
    return 0;
}

static void a_normal_end_counts_as_closing(void **state)
{
    (void)state;
    static const char *const ways[] = {"return", "exit", "shared"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const char *name = test_name();
        assert_int_equal(child_wait(child_start("goes", name, ways[i])), 0);
        assert_gone(name);
    }
}

static void exits_with_it(void *context)
{
    must(*(unsigned char *)shmx_data(context) == 7);
    exit(0);
}

static void a_forked_child_ends_normally(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    *(unsigned char *)shmx_data(shm) = 7;
    struct test_child *child = child_fork(exits_with_it, shm);
    if (child != NULL)
        assert_int_equal(child_wait(child), 0);
    assert_true(test_there(name)); /* the parent uses it */
    shmx_close(&shm);
    assert_false(test_there(name));
    if (child == NULL)
        test_skip("the system has no fork");
}

/* ---- kills ---- */

static void kill_one_that_has(const char *name)
{
    struct test_child *child = child_start("goes", name, "stay");
    child_expect(child, "here");
    child_end_by_kill(child);
}

static int left_of(const char *const *names, int count)
{
    int left = 0;
    for (int i = 0; i < count; i++)
        left += test_there(names[i]);
    return left;
}

enum { KILLED = 5, LIVING = 100, CREATES = 1000 };

/* Create until nothing is left of them. */
static void creates_free(const char *const *names, int count)
{
    int left = left_of(names, count);
    for (int i = 0; left > 0 && i < CREATES; i++) {
        shmx *shm = test_segment(test_name(), SIZE);
        shmx_close(&shm);
        left = left_of(names, count);
    }
    assert_int_equal(left, 0);
}

static void killed_ones_are_swept(void **state)
{
    (void)state;
    const char *names[KILLED];
    for (int i = 0; i < KILLED; i++)
        kill_one_that_has(names[i] = test_name());
    creates_free(names, KILLED);
}

/* Wherever the system lists them: the dead are the newest, the oldest, and in between. */
static void killed_ones_are_swept_from_among_the_living(void **state)
{
    (void)state;
    const char *names[KILLED];
    static shmx *living[LIVING];
    int killed = 0;
    for (int i = 0; i < LIVING; i++) {
        if (i % (LIVING / (KILLED - 1)) == 0)
            kill_one_that_has(names[killed++] = test_name());
        living[i] = test_segment(test_name(), SIZE);
    }
    while (killed < KILLED)
        kill_one_that_has(names[killed++] = test_name());
    creates_free(names, KILLED);
    for (int i = 0; i < LIVING; i++)
        shmx_close(&living[i]);
}

/* ---- a token is a user ---- */

/* Giver and heir cannot speak to the test: they write here what it is to know. */
struct board {
    _Atomic uint32_t status;   /* of adopting, negated; + 1 */
    _Atomic uint32_t finished; /* the heir has closed */
    _Atomic uint32_t go;       /* the heir may close */
    char name[SHMX_NAME_MAX + 1];
};

static shmx *board_open(const char *name, struct board **board)
{
    shmx *shm;
    must(shmx_open(&shm, name, 0) == SHMX_OK);
    *board = shmx_data(shm);
    return shm;
}

/* BOARD TOKEN: adopts when the one that started it has gone. */
PART(orphan)
{
    shmx *shm, *told;
    struct board *board;
    must(argc == 3);
    told = board_open(argv[1], &board);
    say("ready");
    while (hear() != NULL)
        continue;
    int status = shmx_adopt(&shm, argv[2], 0);
    if (status == SHMX_OK && *(unsigned char *)shmx_data(shm) == 9)
        snprintf(board->name, sizeof board->name, "%s", shmx_name(shm));
    atomic_store(&board->status, (uint32_t)-status + 1);
    test_until(atomic_load(&board->go) != 0);
    shmx_close(&shm);
    atomic_store(&board->finished, 1);
    shmx_close(&told);
    return 0;
}

/* NAME BOARD WAY: makes a segment, starts an heir, and goes. */
PART(giver)
{
    shmx *shm;
    char token[SHMX_TOKEN_MAX];
    must(argc == 4 && shmx_create(&shm, argv[1], SIZE, 0) == SHMX_OK);
    *(unsigned char *)shmx_data(shm) = 9;
    must(shmx_share(shm, token, sizeof token) == SHMX_OK);
    test_children_outlive();
    struct test_child *heir = child_start("orphan", argv[2], token);
    child_expect(heir, "ready");
    if (strcmp(argv[3], "close") == 0)
        shmx_close(&shm);
    say("given");
    hear(); /* or killed */
    return 0;
}

static void the_heir_has_it(const char *name, struct board *board)
{
    shmx *other;
    test_until(atomic_load(&board->status) != 0);
    assert_status(1 - (int)atomic_load(&board->status), SHMX_OK);
    assert_string_equal(board->name, name);
    assert_ok(shmx_open(&other, name, 0)); /* the heir is a user, and the last one */
    shmx_close(&other);
    assert_status(shmx_create(&other, name, SIZE, 0), SHMX_EEXIST);
    atomic_store(&board->go, 1);
    test_until(atomic_load(&board->finished) != 0);
    assert_gone(name);
}

static void inherited(const char *way)
{
    const char *name = test_name(), *board_name = test_name();
    struct board *board;
    shmx *shm, *other;
    assert_ok(shmx_create(&shm, board_name, sizeof *board, 0));
    board = shmx_data(shm);
    struct test_child *giver = child_start("giver", name, board_name, way);
    child_expect(giver, "given");
    assert_ok(shmx_open(&other, name, 0));
    shmx_close(&other);
    if (strcmp(way, "killed") == 0)
        child_kill(giver);
    assert_int_equal(child_wait(giver), strcmp(way, "killed") == 0 ? CHILD_KILLED : 0);
    the_heir_has_it(name, board);
    shmx_close(&shm);
}

static void an_inherited_token_outlives_a_kill(void **state)
{
    (void)state;
    inherited("killed");
}

static void an_inherited_token_outlives_a_close(void **state)
{
    (void)state;
    inherited("close");
}

static void an_inherited_token_outlives_an_exit(void **state)
{
    (void)state;
    inherited("exit");
}

/* TOKEN: has it, and never asks for it. */
PART(idle)
{
    (void)argv;
    must(argc == 2);
    say("ready");
    hear();
    return 0;
}

static void a_token_that_nobody_adopts_is_a_user(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX];
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE), *other;
    assert_ok(shmx_share(shm, token, sizeof token));
    struct test_child *first = child_start("idle", token);
    child_expect(first, "ready");
    struct test_child *second = child_start("idle", token);
    child_expect(second, "ready");
    shmx_close(&shm);
    assert_ok(shmx_open(&other, name, 0));
    shmx_close(&other);
    assert_int_equal(child_wait(first), 0);
    assert_ok(shmx_open(&other, name, 0));
    shmx_close(&other);
    assert_int_equal(child_wait(second), 0);
    assert_status(shmx_open(&other, name, 0), SHMX_ENOENT);
    shmx *successor = test_segment(name, SIZE);
    shmx_close(&successor);
    assert_gone(name);
}

static void unlinking_takes_a_tokens_name_too(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX];
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    assert_ok(shmx_share(shm, token, sizeof token));
    struct test_child *child = child_start("idle", token);
    child_expect(child, "ready");
    assert_ok(shmx_unlink(name));
    shmx *successor = test_segment(name, SIZE);
    shmx_close(&shm);
    assert_int_equal(child_wait(child), 0);
    assert_true(test_there(name)); /* a living successor */
    shmx_close(&successor);
    assert_gone(name);
}

static const struct test_part parts[] = {{"goes", part_goes},
                                         {"orphan", part_orphan},
                                         {"giver", part_giver},
                                         {"idle", part_idle},
                                         {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_normal_end_counts_as_closing),
    cmocka_unit_test(a_forked_child_ends_normally),
    cmocka_unit_test(killed_ones_are_swept),
    cmocka_unit_test(killed_ones_are_swept_from_among_the_living),
    cmocka_unit_test(an_inherited_token_outlives_a_kill),
    cmocka_unit_test(an_inherited_token_outlives_a_close),
    cmocka_unit_test(an_inherited_token_outlives_an_exit),
    cmocka_unit_test(a_token_that_nobody_adopts_is_a_user),
    cmocka_unit_test(unlinking_takes_a_tokens_name_too),
};

TEST_MAIN(tests, parts)
