/* SPDX-License-Identifier: MIT */
/* The demo programs, as a user runs them. SHMX_DEMO_1 and SHMX_DEMO_2 are their paths. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

#define WORDS_MAX 8
#define OUTPUT_MAX 4096
#define PATH_MAX_HERE 64

/* One of the two programs, and what it said. */
struct demo {
    const char *variable; /* of the environment: its path */
    char in[PATH_MAX_HERE], out[PATH_MAX_HERE], err[PATH_MAX_HERE];
    struct command *command;
    char said[OUTPUT_MAX], complained[OUTPUT_MAX];
};

static struct demo one = {.variable = "SHMX_DEMO_1"}, two = {.variable = "SHMX_DEMO_2"};

static void file_read(const char *path, char text[OUTPUT_MAX])
{
    FILE *file = fopen(path, "rb");
    size_t size = file != NULL ? fread(text, 1, OUTPUT_MAX - 1, file) : 0;
    text[size] = '\0';
    if (file != NULL)
        fclose(file);
    char *to = text; /* Windows ends lines with \r\n */
    for (const char *from = text; *from != '\0'; from++)
        if (*from != '\r')
            *to++ = *from;
    *to = '\0';
}

static void start_words(struct demo *demo, const char *const *words)
{
    const char *all[WORDS_MAX + 2] = {getenv(demo->variable)};
    must(all[0] != NULL);
    for (int i = 0; i < WORDS_MAX && words[i] != NULL; i++)
        all[i + 1] = words[i];
    demo->command = command_start(all, demo->in, demo->out, demo->err);
}

static int finish(struct demo *demo)
{
    int status = command_wait(demo->command);
    file_read(demo->out, demo->said);
    file_read(demo->err, demo->complained);
    return status;
}

static int run_words(struct demo *demo, const char *const *words)
{
    start_words(demo, words);
    return finish(demo);
}

#define start(demo, ...) start_words(demo, (const char *const[]){__VA_ARGS__, NULL})
#define run(demo, ...) run_words(demo, (const char *const[]){__VA_ARGS__, NULL})

static bool says(struct demo *demo, const char *text)
{
    file_read(demo->out, demo->said);
    return strcmp(demo->said, text) == 0;
}

static bool is_there(const char *name)
{
    shmx_info info;
    return shmx_stat(name, &info) == SHMX_OK;
}

static void files_name(struct demo *demo, const char *number)
{
    snprintf(demo->in, sizeof demo->in, "%sdemo%s-in", test_prefix(), number);
    snprintf(demo->out, sizeof demo->out, "%sdemo%s-out", test_prefix(), number);
    snprintf(demo->err, sizeof demo->err, "%sdemo%s-err", test_prefix(), number);
    FILE *file = fopen(demo->in, "wb");
    must(file != NULL && fclose(file) == 0);
}

static int files_make(void **state)
{
    (void)state;
    files_name(&one, "1");
    files_name(&two, "2");
    return 0;
}

static void files_forget(struct demo *demo)
{
    remove(demo->in);
    remove(demo->out);
    remove(demo->err);
}

static int files_remove(void **state)
{
    (void)state;
    files_forget(&one);
    files_forget(&two);
    return 0;
}

/* ---- one alone ---- */

static void process_1_alone_ends_well(void **state)
{
    (void)state;
    const char *name = test_name();
    assert_int_equal(run(&one, "--name", name, "--wait", "0.2"), 0);
    assert_string_equal(one.said, "process_1: 1 0 0 0\nprocess_1: 1 0 0 0\n");
    assert_string_equal(one.complained, "");
    assert_false(is_there(name));
    assert_int_equal(run(&one, "--name", name, "--wait", "0"), 0);
}

static void process_2_alone_says_what_to_do(void **state)
{
    (void)state;
    const char *name = test_name();
    char expected[256];
    snprintf(expected, sizeof expected,
             "process_2: cannot attach to \"%s\": no such segment; start process_1 first\n", name);
    assert_int_equal(run(&two, "--name", name), 1);
    assert_string_equal(two.said, "");
    assert_string_equal(two.complained, expected);
}

static void a_second_process_1_is_told(void **state)
{
    (void)state;
    const char *name = test_name();
    char expected[256];
    shmx *shm;
    assert_ok(shmx_create(&shm, name, 1024, 0));
    snprintf(expected, sizeof expected, "process_1: cannot create \"%s\": segment already exists\n",
             name);
    assert_int_equal(run(&one, "--name", name), 1);
    assert_string_equal(one.complained, expected);
    assert_true(is_there(name));
    shmx_close(&shm);
}

/* ---- both ---- */

static void both(const char *type, const char *before, const char *second, const char *after)
{
    const char *name = test_name();
    char all[256];
    start(&one, "--name", name, "--type", type, "--wait", "60");
    test_until(says(&one, before));
    assert_int_equal(run(&two, "--name", name, "--type", type), 0);
    assert_string_equal(two.said, second);
    assert_int_equal(finish(&one), 0);
    snprintf(all, sizeof all, "%s%s", before, after);
    assert_string_equal(one.said, all);
    assert_false(is_there(name));
}

static void both_see_the_same_bytes(void **state)
{
    (void)state;
    both("uint8", "process_1: 1 0 0 0\n", "process_2: 1 2 3 4\n", "process_1: 1 2 3 4\n");
}

static void any_type_is_bytes(void **state)
{
    (void)state;
    both("float64", "process_1: 1.5 0.0 0.0 0.0\n", "process_2: 1.5 2.5 3.5 4.5\n",
         "process_1: 1.5 2.5 3.5 4.5\n");
}

static void the_usual_name_is_my_memory(void **state)
{
    (void)state;
    shmx *shm;
    int status = shmx_create(&shm, "MyMemory", 1024, 0);
    if (status == SHMX_EEXIST)
        test_skip("somebody on this machine runs the demo");
    assert_ok(status);
    assert_int_equal(run(&two, "--type", "uint8"), 0);
    assert_string_equal(two.said, "process_2: 0 2 3 4\n");
    shmx_close(&shm);
}

/* ---- options ---- */

static void refuses(struct demo *demo, const char *option, const char *value)
{
    assert_int_equal(run(demo, option, value), 2);
    assert_string_equal(demo->said, "");
    assert_memory_equal(demo->complained, "usage: process_", 15);
    assert_ptr_equal(strchr(demo->complained, '\n'), strrchr(demo->complained, '\n'));
}

static void wrong_options_get_a_usage_line(void **state)
{
    (void)state;
    refuses(&one, "--nonsense", NULL);
    refuses(&one, "--name", NULL);
    refuses(&one, "--type", "int128");
    refuses(&one, "--wait", "soon");
    refuses(&one, "--wait", "-1");
    refuses(&two, "extra", NULL);
    refuses(&two, "--wait", "1");
}

static void help_is_on_standard_output(void **state)
{
    (void)state;
    assert_int_equal(run(&one, "--help"), 0);
    assert_memory_equal(one.said, "usage: process_1 ", 17);
    assert_string_equal(one.complained, "");
    assert_int_equal(run(&two, "--help"), 0);
    assert_memory_equal(two.said, "usage: process_2 ", 17);
}

static void bad_names_are_explained(void **state)
{
    (void)state;
    assert_int_equal(run(&one, "--name", "a/b"), 1);
    assert_memory_equal(one.complained, "process_1: cannot create \"a/b\": invalid", 39);
    assert_int_equal(run(&two, "--name", ".hidden"), 1);
    assert_memory_equal(two.complained, "process_2: cannot attach to \".hidden\": invalid", 46);
}

/* ---- interrupted ---- */

static void ctrl_c_leaves_nothing(void **state)
{
    (void)state;
    const char *name = test_name();
    start(&one, "--name", name, "--wait", "60");
    test_until(says(&one, "process_1: 1 0 0 0\n"));
    assert_true(is_there(name));
    bool gently = command_interrupt(one.command);
    if (!gently)
        command_kill(one.command);
    assert_int_equal(finish(&one), gently ? 130 : COMMAND_STOPPED);
    test_until(!is_there(name)); /* Windows ends processes in its own time */
    assert_string_equal(one.said, "process_1: 1 0 0 0\n");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(process_1_alone_ends_well),
    cmocka_unit_test(process_2_alone_says_what_to_do),
    cmocka_unit_test(a_second_process_1_is_told),
    cmocka_unit_test(both_see_the_same_bytes),
    cmocka_unit_test(any_type_is_bytes),
    cmocka_unit_test(the_usual_name_is_my_memory),
    cmocka_unit_test(wrong_options_get_a_usage_line),
    cmocka_unit_test(help_is_on_standard_output),
    cmocka_unit_test(bad_names_are_explained),
    cmocka_unit_test(ctrl_c_leaves_nothing),
};

int main(int argc, char **argv)
{
    int status;
    if (test_begin(argc, argv, no_parts, &status))
        return status;
    return test_end(cmocka_run_group_tests(tests, files_make, files_remove));
}
