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

/* What it says is shown when it fails, and else the figures. */
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
    if (geteuid() != 0)
        test_skip("only root can mount a small /dev/shm");
    assert_fine(child_start("mounted"));
}

static void in_a_control_group(void **state)
{
    (void)state;
    char group[SCARCE_GROUP_MAX];
    if (!scarce_group_make(group, GROUP))
        test_skip("no control group's memory can be limited");
    struct test_child *child = child_start("grouped", group);
    assert_fine(child);
    scarce_group_remove(group);
}

static const struct test_part parts[] = {
    {"mounted", part_mounted}, {"grouped", part_grouped}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(in_a_small_one),
    cmocka_unit_test(in_a_control_group),
};

TEST_MAIN(tests, parts)
