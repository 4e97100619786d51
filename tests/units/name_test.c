/* SPDX-License-Identifier: MIT */
/* Names: one strict grammar everywhere; random names. */
#include "support.h"

#include <stdio.h>
#include <string.h>

static const char grammar[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

/* All functions that take a name give this status for it. */
static void refused_everywhere(const char *name, int status)
{
    shmx *shm;
    int created;
    shmx_info info;
    assert_status(shmx_create(&shm, name, 100, 0), status);
    assert_null(shm);
    assert_status(shmx_open(&shm, name, 0), status);
    assert_null(shm);
    assert_status(shmx_open_or_create(&shm, name, 100, 0, &created), status);
    assert_null(shm);
    assert_int_equal(created, 0);
    assert_status(shmx_unlink(name), status);
    assert_status(shmx_stat(name, &info), status);
}

static void every_byte_of_the_grammar_is_accepted(void **state)
{
    (void)state;
    shmx *shm;
    char name[SHMX_NAME_MAX + 1];
    for (const char *c = grammar; *c != '\0'; c++) {
        snprintf(name, sizeof name, "%sx%c", test_name(), *c);
        assert_ok(shmx_create(&shm, name, 1, 0));
        assert_string_equal(shmx_name(shm), name);
        shmx_close(&shm);
    }
}

static void every_other_byte_is_refused(void **state)
{
    (void)state;
    char name[] = "a?b";
    for (int byte = 1; byte < 256; byte++) {
        name[1] = (char)byte;
        if (strchr(grammar, byte) == NULL)
            refused_everywhere(name, SHMX_EINVAL);
    }
}

static void a_slash_is_refused_wherever_it_stands(void **state)
{
    (void)state;
    refused_everywhere("/abc", SHMX_EINVAL);
    refused_everywhere("abc/", SHMX_EINVAL);
    refused_everywhere("../abc", SHMX_EINVAL);
    refused_everywhere("Local\\abc", SHMX_EINVAL);
}

static void a_dot_at_the_start_is_refused(void **state)
{
    (void)state;
    refused_everywhere(".", SHMX_EINVAL);
    refused_everywhere("..", SHMX_EINVAL);
    refused_everywhere(".hidden", SHMX_EINVAL);
}

static void empty_is_refused_but_for_create(void **state)
{
    (void)state;
    shmx *shm;
    shmx_info info;
    assert_status(shmx_open(&shm, "", 0), SHMX_EINVAL);
    assert_status(shmx_open_or_create(&shm, "", 100, 0, NULL), SHMX_EINVAL);
    assert_status(shmx_unlink(""), SHMX_EINVAL);
    assert_status(shmx_stat("", &info), SHMX_EINVAL);
    assert_ok(shmx_create(&shm, "", 100, 0));
    assert_string_equal(shmx_name(shm), "");
    shmx_close(&shm);
}

static void null_is_refused_but_for_create(void **state)
{
    (void)state;
    shmx *shm;
    shmx_info info;
    assert_status(shmx_open(&shm, NULL, 0), SHMX_EINVAL);
    assert_status(shmx_open_or_create(&shm, NULL, 100, 0, NULL), SHMX_EINVAL);
    assert_status(shmx_unlink(NULL), SHMX_EINVAL);
    assert_status(shmx_stat(NULL, &info), SHMX_EINVAL);
}

static void length_fill(char *name, size_t length, char last)
{
    size_t used = (size_t)snprintf(name, 200, "%s", test_name());
    memset(name + used, 'x', length - used);
    name[length - 1] = last;
    name[length] = '\0';
}

static void the_longest_name_works_in_every_byte(void **state)
{
    (void)state;
    shmx *one, *other, *again;
    char name[200], twin[200];
    length_fill(name, SHMX_NAME_MAX, 'a');
    memcpy(twin, name, sizeof twin);
    twin[SHMX_NAME_MAX - 1] = 'b';
    assert_ok(shmx_create(&one, name, 100, 0));
    assert_string_equal(shmx_name(one), name);
    assert_status(shmx_open(&other, twin, 0), SHMX_ENOENT);
    assert_ok(shmx_create(&other, twin, 200, 0));
    assert_ok(shmx_open(&again, name, 0));
    assert_int_equal(shmx_size(again), 100);
    assert_string_equal(shmx_name(again), name);
    shmx_close(&again);
    shmx_close(&other);
    shmx_close(&one);
}

static void one_byte_more_is_too_long(void **state)
{
    (void)state;
    char name[200];
    length_fill(name, SHMX_NAME_MAX + 1, 'a');
    refused_everywhere(name, SHMX_ENAMETOOLONG);
    length_fill(name, SHMX_NAME_MAX + 50, 'a');
    refused_everywhere(name, SHMX_ENAMETOOLONG);
}

/* The sentence begins so, and says what to do. */
static void assert_flaw(const char *name, const char *start)
{
    const char *sentence = shmx_name_error(name);
    assert_non_null(sentence);
    assert_int_equal(strncmp(sentence, start, strlen(start)), 0);
    assert_non_null(strchr(sentence, ';'));
    assert_int_not_equal(sentence[strlen(sentence) - 1], '.');
}

static void a_sentence_says_what_is_wrong_with_a_name(void **state)
{
    (void)state;
    char name[200];
    assert_flaw(NULL, "there is no name");
    assert_flaw("", "name is empty");
    assert_flaw("/counter", "name has a slash");
    assert_flaw("a/b", "name has a slash");
    assert_flaw("Global\\counter", "name has a backslash");
    assert_flaw(".counter", "name starts with a dot");
    assert_flaw("a b", "name has a byte other than");
    assert_flaw("z\xc3\xa4hler", "name has a byte other than");
    length_fill(name, SHMX_NAME_MAX + 1, 'a');
    assert_flaw(name, "name is longer than 128 bytes");
    length_fill(name, SHMX_NAME_MAX + 1, '/');
    assert_flaw(name, "name has a slash");
    length_fill(name, SHMX_NAME_MAX, 'a');
    assert_null(shmx_name_error(name));
    assert_null(shmx_name_error("Az09._-"));
}

static void the_sentence_and_the_status_agree(void **state)
{
    (void)state;
    char name[] = "a?b";
    for (int byte = 1; byte < 256; byte++) {
        shmx *shm;
        name[1] = (char)byte;
        int status = shmx_open(&shm, name, 0);
        assert_int_equal(status == SHMX_EINVAL, shmx_name_error(name) != NULL);
        shmx_close(&shm);
    }
}

static void names_are_case_sensitive(void **state)
{
    (void)state;
    shmx *lower, *upper;
    char name[SHMX_NAME_MAX + 1];
    snprintf(name, sizeof name, "%s-case", test_name());
    assert_ok(shmx_create(&lower, name, 100, 0));
    memcpy(strstr(name, "-case"), "-CASE", 5);
    assert_status(shmx_open(&upper, name, 0), SHMX_ENOENT);
    assert_ok(shmx_create(&upper, name, 200, 0));
    assert_int_equal(shmx_size(lower), 100);
    shmx_close(&upper);
    shmx_close(&lower);
}

static void a_hash_like_ending_is_no_way_around(void **state)
{
    (void)state;
    /* The bytes that backends make other names with are not in the grammar. */
    refused_everywhere("abc#1", SHMX_EINVAL);
    refused_everywhere("abc~0aaaaaaaa", SHMX_EINVAL);
}

static void null_at_create_makes_a_random_name(void **state)
{
    (void)state;
    shmx *one, *other, *again;
    assert_ok(shmx_create(&one, NULL, 100, 0));
    assert_ok(shmx_create(&other, NULL, 100, 0));
    assert_memory_equal(shmx_name(one), "shmx_", 5);
    assert_true(strlen(shmx_name(one)) <= 30);
    assert_true(strlen(shmx_name(one)) >= 20);
    assert_int_equal(strspn(shmx_name(one), grammar), strlen(shmx_name(one)));
    assert_string_not_equal(shmx_name(one), shmx_name(other));
    assert_ok(shmx_open(&again, shmx_name(one), 0));
    assert_string_equal(shmx_name(again), shmx_name(one));
    shmx_close(&again);
    shmx_close(&other);
    shmx_close(&one);
}

static void the_name_is_kept_by_value(void **state)
{
    (void)state;
    shmx *shm;
    char name[SHMX_NAME_MAX + 1];
    const char *kept = test_name();
    snprintf(name, sizeof name, "%s", kept);
    assert_ok(shmx_create(&shm, name, 100, 0));
    memset(name, 'z', 5);
    assert_string_equal(shmx_name(shm), kept);
    shmx_close(&shm);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_byte_of_the_grammar_is_accepted),
    cmocka_unit_test(every_other_byte_is_refused),
    cmocka_unit_test(a_slash_is_refused_wherever_it_stands),
    cmocka_unit_test(a_dot_at_the_start_is_refused),
    cmocka_unit_test(empty_is_refused_but_for_create),
    cmocka_unit_test(null_is_refused_but_for_create),
    cmocka_unit_test(the_longest_name_works_in_every_byte),
    cmocka_unit_test(one_byte_more_is_too_long),
    cmocka_unit_test(a_sentence_says_what_is_wrong_with_a_name),
    cmocka_unit_test(the_sentence_and_the_status_agree),
    cmocka_unit_test(names_are_case_sensitive),
    cmocka_unit_test(a_hash_like_ending_is_no_way_around),
    cmocka_unit_test(null_at_create_makes_a_random_name),
    cmocka_unit_test(the_name_is_kept_by_value),
};

TEST_MAIN(tests, no_parts)
