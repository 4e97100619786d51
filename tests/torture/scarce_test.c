/* SPDX-License-Identifier: MIT */
/* Torture where memory is scarce: in a small /dev/shm, and in a control group. There is room for
 * the living, so no create may find no room, and nobody may be killed for want of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "posix/scarce.h"
#include "support.h"

#define SMALL "size=64m"
#define GROUP "134217728"
#define GROUP_OF_SANITIZERS "268435456" /* their own memory counts too: 8 processes take 140 MB */

static int torture(void)
{
    const char *program = getenv("SHMX_TORTURE");
    must(program != NULL);
    char *words[3] = {NULL};
    int count = 0;
    if (getenv("SHMX_TEST_WRAPPER") != NULL) /* such as an emulator */
        words[count++] = getenv("SHMX_TEST_WRAPPER");
    words[count++] = (char *)program;
    setenv("SHMX_TORTURE_SECONDS", "5", 1); /* memory is scarce from the first on */
    execvp(words[0], words);
    return 99;
}

PART(mounted)
{
    (void)argc;
    (void)argv;
    must(scarce_mount(SMALL));
    return torture();
}

PART(grouped)
{
    must(argc == 2 && scarce_group_enter(argv[1]));
    return torture();
}

/* Its output is shown when it fails, and otherwise only the figures. */
static void assert_fine(struct test_child *child)
{
    const char *line;
    while ((line = child_receive(child)) != NULL)
        if (strstr(line, "operations") != NULL || strstr(line, "violation") != NULL)
            print_message("%s\n", line);
    assert_int_equal(child_wait(child), 0);
}

static void in_a_small_one(void **state)
{
    (void)state;
    scarce_needs_mount();
    assert_fine(child_start("mounted"));
}

static void in_a_control_group(void **state)
{
    (void)state;
    char group[SCARCE_GROUP_MAX];
    const char *limit = getenv("SHMX_TEST_SANITIZER") != NULL ? GROUP_OF_SANITIZERS : GROUP;
    if (!scarce_group_make(group, limit))
        test_skip("no control group's memory can be limited");
    struct test_child *child = child_start("grouped", group);
    assert_fine(child);
    scarce_group_remove(group);
}

/* ---- another user takes all there is ---- */

#define SIZE ((size_t)64 << 10)
#define MOST 4096
#define ALL ((size_t)12 << 20)

PART(filler) /* until no page is left */
{
    const char *why;
    (void)argc;
    (void)argv;
    must(test_become_other_user(&why));
    static shmx *taken[MOST];
    int count = 0;
    bool endless = shmx_create(&taken[0], NULL, ALL, 0) == SHMX_OK;
    shmx_close(&taken[0]);
    for (size_t size = endless ? 0 : ALL; size >= 4096 && count < MOST;) {
        if (shmx_create(&taken[count], NULL, size, 0) == SHMX_OK)
            count++;
        else
            size /= 2;
    }
    must(count < MOST);
    say(endless ? "endless" : "full");
    hear();
    while (count > 0)
        shmx_close(&taken[--count]);
    return 0;
}

PART(filled) /* NAME: it has a segment, all of which it can write, and gets no other */
{
    shmx *shm, *more;
    must(argc == 2 && shmx_create(&shm, argv[1], 8 * SIZE, 0) == SHMX_OK);
    struct test_child *filler = child_start("filler");
    const char *said = child_receive(filler);
    bool full = said != NULL && strcmp(said, "full") == 0;
    if (full) {
        memset(shmx_data(shm), 5, shmx_size(shm));
        must(shmx_create(&more, NULL, SIZE, 0) == SHMX_ENOSPC);
    }
    child_close_input(filler);
    must(child_wait(filler) == 0);
    must(shmx_create(&more, NULL, SIZE, 0) == SHMX_OK);
    shmx_close(&more);
    shmx_close(&shm);
    say(full ? "done" : "endless");
    return 0;
}

PART(smaller) /* NAME */
{
    must(argc == 2 && scarce_mount("size=12m,mode=1777"));
    struct test_child *child = child_start("filled", argv[1]);
    const char *said = child_receive(child);
    must(said != NULL);
    say("%s", said);
    must(child_wait(child) == 0);
    return 0;
}

static void a_stranger_takes_all_there_is(void **state)
{
    (void)state;
    if (geteuid() != 0)
        test_skip("only root can become another user");
    scarce_needs_mount();
    test_needs_others(); /* nor has OpenBSD's simulation room for the second copy of a page */
    struct test_child *child = child_start("smaller", test_name());
    const char *said = child_receive(child);
    assert_non_null(said);
    bool endless = strcmp(said, "endless") == 0;
    assert_true(endless || strcmp(said, "done") == 0);
    assert_int_equal(child_wait(child), 0);
    if (endless)
        test_skip("this system reserves no memory: it swaps");
}

static const struct test_part parts[] = {{"mounted", part_mounted}, {"grouped", part_grouped},
                                         {"smaller", part_smaller}, {"filled", part_filled},
                                         {"filler", part_filler},   {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(in_a_small_one),
    cmocka_unit_test(in_a_control_group),
    cmocka_unit_test(a_stranger_takes_all_there_is),
};

TEST_MAIN(tests, parts)
