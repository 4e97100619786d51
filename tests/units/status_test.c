/* SPDX-License-Identifier: MIT */
/* Statuses: their sentences, their names, the system's number behind them, the version. */
#include "support.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const struct status {
    int number;
    const char *name;
} statuses[] = {
    {SHMX_OK, "SHMX_OK"},
    {SHMX_EINVAL, "SHMX_EINVAL"},
    {SHMX_ENAMETOOLONG, "SHMX_ENAMETOOLONG"},
    {SHMX_EEXIST, "SHMX_EEXIST"},
    {SHMX_ENOENT, "SHMX_ENOENT"},
    {SHMX_EACCES, "SHMX_EACCES"},
    {SHMX_ENOSPC, "SHMX_ENOSPC"},
    {SHMX_ENOMEM, "SHMX_ENOMEM"},
    {SHMX_EMFILE, "SHMX_EMFILE"},
    {SHMX_EAGAIN, "SHMX_EAGAIN"},
    {SHMX_EPROTO, "SHMX_EPROTO"},
    {SHMX_ERANGE, "SHMX_ERANGE"},
    {SHMX_ETIMEDOUT, "SHMX_ETIMEDOUT"},
    {SHMX_EOWNERDEAD, "SHMX_EOWNERDEAD"},
    {SHMX_EDEADLK, "SHMX_EDEADLK"},
    {SHMX_EPERM, "SHMX_EPERM"},
    {SHMX_EOVERFLOW, "SHMX_EOVERFLOW"},
    {SHMX_EMSGSIZE, "SHMX_EMSGSIZE"},
    {SHMX_ENOTSUP, "SHMX_ENOTSUP"},
    {SHMX_EIO, "SHMX_EIO"},
};

#define STATUSES (sizeof statuses / sizeof statuses[0])

static void ok_is_zero_and_all_others_are_negative_and_different(void **state)
{
    (void)state;
    assert_int_equal(SHMX_OK, 0);
    for (size_t i = 1; i < STATUSES; i++) {
        assert_true(statuses[i].number < 0);
        for (size_t j = 1; j < i; j++)
            assert_int_not_equal(statuses[i].number, statuses[j].number);
    }
}

static void every_status_has_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < STATUSES; i++)
        assert_string_equal(shmx_status_name(statuses[i].number), statuses[i].name);
}

static void every_status_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < STATUSES; i++) {
        const char *sentence = shmx_strerror(statuses[i].number);
        size_t length = strlen(sentence);
        assert_true(length > 0);
        assert_true(sentence[length - 1] != '.');
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(sentence, shmx_strerror(statuses[j].number));
    }
}

static void the_promised_sentences(void **state)
{
    (void)state;
    assert_string_equal(shmx_strerror(SHMX_EEXIST), "segment already exists");
    assert_string_equal(shmx_strerror(SHMX_ENOENT), "no such segment");
    assert_memory_equal(shmx_strerror(SHMX_EINVAL), "invalid", 7);
}

static void numbers_that_are_no_status_have_texts_too(void **state)
{
    (void)state;
    static const int numbers[] = {1, 7, -20, -1000, INT_MIN, INT_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_non_null(shmx_strerror(numbers[i]));
        assert_non_null(shmx_status_name(numbers[i]));
        for (size_t j = 0; j < STATUSES; j++)
            assert_string_not_equal(shmx_status_name(numbers[i]), statuses[j].name);
    }
}

static void texts_are_constant(void **state)
{
    (void)state;
    assert_ptr_equal(shmx_strerror(SHMX_EIO), shmx_strerror(SHMX_EIO));
    assert_ptr_equal(shmx_status_name(-1234), shmx_status_name(-1234));
}

static void version_is_that_of_the_header(void **state)
{
    (void)state;
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", SHMX_VERSION_MAJOR, SHMX_VERSION_MINOR,
             SHMX_VERSION_PATCH);
    assert_string_equal(SHMX_VERSION, text);
    assert_string_equal(shmx_version(), SHMX_VERSION);
}

static void os_error_is_the_systems_number_of_the_last_failure(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    assert_int_not_equal(shmx_os_error(), 0);
    assert_status(shmx_open(&shm, "a/b", 0), SHMX_EINVAL);
    assert_int_equal(shmx_os_error(), 0);
}

static void success_leaves_os_error_as_it_was(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    int number = shmx_os_error();
    assert_ok(shmx_create(&shm, name, 100, 0));
    assert_int_equal(shmx_os_error(), number);
    shmx_close(&shm);
}

static void failing_thread(void *context)
{
    shmx *shm;
    int *number = context;
    number[0] = shmx_os_error();
    must(shmx_open(&shm, "nobody-ever-made-this", 0) == SHMX_ENOENT);
    number[1] = shmx_os_error();
}

static void each_thread_has_an_os_error_of_its_own(void **state)
{
    (void)state;
    shmx *shm;
    int number[2] = {-1, -1};
    assert_status(shmx_open(&shm, "a/b", 0), SHMX_EINVAL);
    thread_join(thread_start(failing_thread, number));
    assert_int_equal(number[0], 0);
    assert_int_not_equal(number[1], 0);
    assert_int_equal(shmx_os_error(), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(ok_is_zero_and_all_others_are_negative_and_different),
    cmocka_unit_test(every_status_has_its_name),
    cmocka_unit_test(every_status_has_a_sentence_of_its_own),
    cmocka_unit_test(the_promised_sentences),
    cmocka_unit_test(numbers_that_are_no_status_have_texts_too),
    cmocka_unit_test(texts_are_constant),
    cmocka_unit_test(version_is_that_of_the_header),
    cmocka_unit_test(os_error_is_the_systems_number_of_the_last_failure),
    cmocka_unit_test(success_leaves_os_error_as_it_was),
    cmocka_unit_test(each_thread_has_an_os_error_of_its_own),
};

TEST_MAIN(tests, no_parts)
