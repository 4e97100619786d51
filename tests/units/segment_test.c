/* SPDX-License-Identifier: MIT */
/* Segments in one process: create, open, open_or_create, read, write, sizes, flags, bad input. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#define ALL_CREATE_FLAGS                                                                           \
    (SHMX_PERSISTENT | SHMX_RAW | SHMX_OTHERS_READ | SHMX_OTHERS_WRITE | SHMX_MACHINE_WIDE |       \
     SHMX_PREFAULT)

/* ---- create ---- */

static void create_gives_zeros_of_exactly_the_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {1,    2,    1023,  1024,  2047,  2048,  2049,   4095,
                                   4096, 4097, 80000, 65535, 65536, 65537, 1000001};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        shmx *shm;
        assert_ok(shmx_create(&shm, test_name(), sizes[i], 0));
        assert_int_equal(shmx_size(shm), sizes[i]);
        const unsigned char *bytes = shmx_data(shm);
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(bytes[j], 0);
        shmx_close(&shm);
    }
}

static void data_is_page_aligned(void **state)
{
    (void)state;
    shmx *shm;
    assert_ok(shmx_create(&shm, test_name(), 100, 0));
    assert_int_equal((uintptr_t)shmx_data(shm) % 4096, 0);
    shmx_close(&shm);
}

static void every_byte_can_be_written(void **state)
{
    (void)state;
    shmx *shm, *other;
    const char *name = test_name();
    assert_ok(shmx_create(&shm, name, 10000, 0));
    memset(shmx_data(shm), 0xff, 10000);
    assert_ok(shmx_open(&other, name, 0));
    assert_int_equal(shmx_size(other), 10000);
    assert_memory_equal(shmx_data(other), shmx_data(shm), 10000);
    shmx_close(&other);
    shmx_close(&shm);
}

static void create_of_what_is_there_is_eexist(void **state)
{
    (void)state;
    shmx *shm, *other;
    const char *name = test_name();
    assert_ok(shmx_create(&shm, name, 100, 0));
    memset(shmx_data(shm), 7, 100);
    other = shm;
    assert_status(shmx_create(&other, name, 100, 0), SHMX_EEXIST);
    assert_null(other);
    assert_int_equal(((unsigned char *)shmx_data(shm))[99], 7);
    assert_ok(shmx_open(&other, name, 0));
    shmx_close(&other);
    shmx_close(&shm);
}

static void size_zero_is_refused(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    assert_status(shmx_create(&shm, name, 0, 0), SHMX_EINVAL);
    assert_null(shm);
    assert_status(shmx_create(&shm, NULL, 0, 0), SHMX_EINVAL);
    assert_status(shmx_create(&shm, "", 0, 0), SHMX_EINVAL);
    assert_status(shmx_open_or_create(&shm, name, 0, 0, NULL), SHMX_EINVAL);
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
}

/* More than any machine has: no room, at create, and nothing stays. With 32 bits it is the address
 * space that lacks, as the machine may have more memory. */
static void is_beyond_the_machine(int status)
{
    assert_true(status == SHMX_ENOSPC || (SIZE_MAX == UINT32_MAX && status == SHMX_ENOMEM));
}

static void sizes_beyond_the_machine_are_refused(void **state)
{
    (void)state;
    static const int shifts[] = {1, 2, 8, 12, 16};
    for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++) {
        shmx *shm;
        const char *name = test_name();
        size_t size = SIZE_MAX >> shifts[i];
        is_beyond_the_machine(shmx_create(&shm, name, size, 0));
        assert_null(shm);
        assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
        if (sizeof size == 4)
            return; /* half the address space is absurd, less is not */
    }
}

static void sizes_at_the_end_of_size_t_are_refused(void **state)
{
    (void)state;
    for (size_t less = 0; less < 9000; less += less < 4100 ? 1 : 97) {
        shmx *shm;
        is_beyond_the_machine(shmx_create(&shm, "never-made", SIZE_MAX - less, 0));
        is_beyond_the_machine(shmx_create(&shm, "never-made", SIZE_MAX - less, SHMX_RAW));
    }
}

/* ---- flags and NULL ---- */

static void unknown_flags_are_refused(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    for (unsigned bit = 1; bit != 0; bit <<= 1) {
        if ((bit & (ALL_CREATE_FLAGS | SHMX_READ_ONLY)) != 0)
            continue;
        assert_status(shmx_create(&shm, name, 100, bit), SHMX_EINVAL);
        assert_status(shmx_open(&shm, name, bit), SHMX_EINVAL);
        assert_status(shmx_open_or_create(&shm, name, 100, bit, NULL), SHMX_EINVAL);
        assert_status(shmx_adopt(&shm, "x", bit), SHMX_EINVAL);
        assert_null(shm);
    }
}

static void flags_of_another_call_are_refused(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    static const unsigned create_only[] = {SHMX_PERSISTENT, SHMX_OTHERS_READ, SHMX_OTHERS_WRITE,
                                           SHMX_MACHINE_WIDE};
    assert_status(shmx_create(&shm, name, 100, SHMX_READ_ONLY), SHMX_EINVAL);
    assert_status(shmx_open_or_create(&shm, name, 100, SHMX_READ_ONLY, NULL), SHMX_EINVAL);
    for (size_t i = 0; i < sizeof create_only / sizeof create_only[0]; i++) {
        assert_status(shmx_open(&shm, name, create_only[i]), SHMX_EINVAL);
        assert_status(shmx_adopt(&shm, "x", create_only[i]), SHMX_EINVAL);
    }
    assert_status(shmx_adopt(&shm, "x", SHMX_RAW), SHMX_EINVAL);
}

static void contradictory_flags_are_refused(void **state)
{
    (void)state;
    shmx *shm;
    assert_status(shmx_create(&shm, test_name(), 100, SHMX_RAW | SHMX_PERSISTENT), SHMX_EINVAL);
    assert_status(shmx_create(&shm, "", 100, SHMX_PERSISTENT), SHMX_EINVAL);
}

static void null_out_parameters_are_refused(void **state)
{
    (void)state;
    const char *name = test_name();
    char token[SHMX_TOKEN_MAX];
    assert_status(shmx_create(NULL, name, 100, 0), SHMX_EINVAL);
    assert_status(shmx_open(NULL, name, 0), SHMX_EINVAL);
    assert_status(shmx_open_or_create(NULL, name, 100, 0, NULL), SHMX_EINVAL);
    assert_status(shmx_adopt(NULL, "token", 0), SHMX_EINVAL);
    assert_status(shmx_stat(name, NULL), SHMX_EINVAL);
    assert_status(shmx_list(NULL, NULL), SHMX_EINVAL);
    assert_status(shmx_share(NULL, token, sizeof token), SHMX_EINVAL);
    shmx *shm;
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
}

static void null_handles_are_harmless(void **state)
{
    (void)state;
    char byte;
    shmx *shm = NULL;
    shmx_close(NULL);
    shmx_close(&shm);
    assert_null(shmx_data(NULL));
    assert_int_equal(shmx_size(NULL), 0);
    assert_string_equal(shmx_name(NULL), "");
    assert_status(shmx_read(NULL, 0, &byte, 1), SHMX_EINVAL);
    assert_status(shmx_write(NULL, 0, &byte, 1), SHMX_EINVAL);
}

static void close_sets_the_handle_to_null(void **state)
{
    (void)state;
    shmx *shm;
    assert_ok(shmx_create(&shm, test_name(), 100, 0));
    shmx_close(&shm);
    assert_null(shm);
    shmx_close(&shm);
}

/* ---- open ---- */

static void open_of_nothing_is_enoent(void **state)
{
    (void)state;
    int something = 0;
    shmx *shm = (shmx *)&something;
    const char *name = test_name();
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    assert_null(shm);
    assert_status(shmx_open(&shm, name, SHMX_READ_ONLY), SHMX_ENOENT);
    assert_status(shmx_open(&shm, name, SHMX_RAW), SHMX_ENOENT);
    assert_status(shmx_unlink(name), SHMX_ENOENT);
}

static void a_failed_open_leaves_nothing(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    assert_ok(shmx_create(&shm, name, 10, 0));
    shmx_close(&shm);
}

static void two_handles_are_one_memory(void **state)
{
    (void)state;
    shmx *one, *other;
    const char *name = test_name();
    assert_ok(shmx_create(&one, name, 100, 0));
    assert_ok(shmx_open(&other, name, 0));
    ((unsigned char *)shmx_data(one))[50] = 1;
    assert_int_equal(((unsigned char *)shmx_data(other))[50], 1);
    ((unsigned char *)shmx_data(other))[51] = 2;
    assert_int_equal(((unsigned char *)shmx_data(one))[51], 2);
    assert_string_equal(shmx_name(one), name);
    assert_string_equal(shmx_name(other), name);
    shmx_close(&one);
    shmx_close(&other);
}

/* ---- open_or_create ---- */

static void open_or_create_creates_where_nothing_is(void **state)
{
    (void)state;
    shmx *shm;
    int created = 7;
    assert_ok(shmx_open_or_create(&shm, test_name(), 100, 0, &created));
    assert_int_equal(created, 1);
    assert_int_equal(shmx_size(shm), 100);
    shmx_close(&shm);
}

static void open_or_create_opens_what_is_there(void **state)
{
    (void)state;
    shmx *one, *other;
    int created = 7;
    const char *name = test_name();
    assert_ok(shmx_create(&one, name, 100, 0));
    memset(shmx_data(one), 9, 100);
    assert_ok(shmx_open_or_create(&other, name, 100, 0, &created));
    assert_int_equal(created, 0);
    assert_int_equal(((unsigned char *)shmx_data(other))[99], 9);
    shmx_close(&other);
    assert_ok(shmx_open_or_create(&other, name, 100, 0, NULL));
    shmx_close(&other);
    shmx_close(&one);
}

static void open_or_create_opens_a_larger_one_as_it_is(void **state)
{
    (void)state;
    shmx *one, *other;
    int created = 7;
    const char *name = test_name();
    assert_ok(shmx_create(&one, name, 100, 0));
    assert_ok(shmx_open_or_create(&other, name, 99, 0, &created));
    assert_int_equal(created, 0);
    assert_int_equal(shmx_size(other), 100);
    shmx_close(&other);
    shmx_close(&one);
}

static void open_or_create_of_a_smaller_one_is_erange(void **state)
{
    (void)state;
    shmx *one, *other;
    int created = 7;
    const char *name = test_name();
    assert_ok(shmx_create(&one, name, 100, 0));
    assert_status(shmx_open_or_create(&other, name, 101, 0, &created), SHMX_ERANGE);
    assert_null(other);
    assert_int_equal(created, 0);
    assert_ok(shmx_open(&other, name, 0));
    assert_int_equal(shmx_size(other), 100);
    shmx_close(&other);
    shmx_close(&one);
}

static void open_or_create_takes_every_create_flag(void **state)
{
    (void)state;
    static const unsigned flags[] = {SHMX_PERSISTENT, SHMX_OTHERS_READ, SHMX_OTHERS_WRITE,
                                     SHMX_MACHINE_WIDE, SHMX_PREFAULT};
    const unsigned others = SHMX_OTHERS_READ | SHMX_OTHERS_WRITE;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        shmx *one, *other;
        int created;
        const char *name = test_name();
        if ((flags[i] & others) != 0 && !test_others_allowed()) {
            assert_status(shmx_open_or_create(&one, name, 100, flags[i], &created), SHMX_ENOTSUP);
            continue;
        }
        assert_ok(shmx_open_or_create(&one, name, 100, flags[i], &created));
        assert_int_equal(created, 1);
        assert_ok(shmx_open_or_create(&other, name, 100, flags[i], &created));
        assert_int_equal(created, 0);
        assert_ok(shmx_unlink(name));
        shmx_close(&other);
        shmx_close(&one);
    }
}

/* ---- read and write ---- */

static void read_and_write_copy_at_an_offset(void **state)
{
    (void)state;
    shmx *shm;
    char text[6] = "";
    assert_ok(shmx_create(&shm, test_name(), 100, 0));
    assert_ok(shmx_write(shm, 95, "hello", 5));
    assert_ok(shmx_read(shm, 95, text, 5));
    assert_string_equal(text, "hello");
    assert_memory_equal((char *)shmx_data(shm) + 95, "hello", 5);
    shmx_close(&shm);
}

static void read_and_write_of_nothing_are_checked_too(void **state)
{
    (void)state;
    shmx *shm;
    char byte = 5;
    assert_ok(shmx_create(&shm, test_name(), 100, 0));
    assert_ok(shmx_read(shm, 100, &byte, 0));
    assert_ok(shmx_write(shm, 100, &byte, 0));
    assert_status(shmx_read(shm, 101, &byte, 0), SHMX_ERANGE);
    assert_status(shmx_write(shm, 101, &byte, 0), SHMX_ERANGE);
    assert_status(shmx_read(shm, 0, NULL, 0), SHMX_EINVAL);
    assert_int_equal(byte, 5);
    shmx_close(&shm);
}

static void read_and_write_beyond_the_end_are_erange_and_copy_nothing(void **state)
{
    (void)state;
    shmx *shm;
    char bytes[200];
    memset(bytes, 5, sizeof bytes);
    assert_ok(shmx_create(&shm, test_name(), 100, 0));
    assert_status(shmx_read(shm, 1, bytes, 100), SHMX_ERANGE);
    assert_status(shmx_write(shm, 1, bytes, 100), SHMX_ERANGE);
    assert_status(shmx_read(shm, 100, bytes, 1), SHMX_ERANGE);
    assert_status(shmx_write(shm, 100, bytes, 1), SHMX_ERANGE);
    assert_status(shmx_read(shm, 0, bytes, 101), SHMX_ERANGE);
    for (size_t i = 0; i < sizeof bytes; i++)
        assert_int_equal(bytes[i], 5);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(((char *)shmx_data(shm))[i], 0);
    shmx_close(&shm);
}

static void offset_plus_count_does_not_wrap(void **state)
{
    (void)state;
    shmx *shm;
    char byte = 5;
    assert_ok(shmx_create(&shm, test_name(), 100, 0));
    static const size_t pairs[][2] = {{SIZE_MAX, 1},
                                      {1, SIZE_MAX},
                                      {SIZE_MAX, SIZE_MAX},
                                      {50, SIZE_MAX - 49},
                                      {50, SIZE_MAX - 10},
                                      {SIZE_MAX - 49, 50},
                                      {SIZE_MAX / 2 + 1, SIZE_MAX / 2 + 1}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        assert_status(shmx_read(shm, pairs[i][0], &byte, pairs[i][1]), SHMX_ERANGE);
        assert_status(shmx_write(shm, pairs[i][0], &byte, pairs[i][1]), SHMX_ERANGE);
    }
    shmx_close(&shm);
}

static void read_and_write_of_null_are_refused(void **state)
{
    (void)state;
    shmx *shm;
    assert_ok(shmx_create(&shm, test_name(), 100, 0));
    assert_status(shmx_read(shm, 0, NULL, 1), SHMX_EINVAL);
    assert_status(shmx_write(shm, 0, NULL, 1), SHMX_EINVAL);
    shmx_close(&shm);
}

/* ---- read-only ---- */

static void read_only_reads_and_refuses_to_write(void **state)
{
    (void)state;
    shmx *shm, *reader;
    char text[6] = "";
    const char *name = test_name();
    assert_ok(shmx_create(&shm, name, 100, 0));
    assert_ok(shmx_write(shm, 0, "hello", 6));
    assert_ok(shmx_open(&reader, name, SHMX_READ_ONLY));
    assert_ok(shmx_read(reader, 0, text, 6));
    assert_string_equal(text, "hello");
    assert_status(shmx_write(reader, 0, "other", 6), SHMX_EACCES);
    assert_status(shmx_write(reader, 0, "other", 0), SHMX_EACCES);
    assert_ok(shmx_read(shm, 0, text, 6));
    assert_string_equal(text, "hello");
    shmx_close(&reader);
    shmx_close(&shm);
}

PART(write_through_read_only)
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], SHMX_READ_ONLY) == SHMX_OK);
    volatile char *bytes = shmx_data(shm);
    must(bytes[0] == 1);
    say("ready");
    bytes[0] = 2;
    say("alive");
    return 0;
}

static void the_system_stops_a_write_through_read_only(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    assert_ok(shmx_create(&shm, name, 100, 0));
    ((char *)shmx_data(shm))[0] = 1;
    struct test_child *child = child_start("write_through_read_only", name);
    child_expect(child, "ready");
    assert_null(child_receive(child));
    assert_int_equal(child_wait(child), CHILD_FAULT);
    assert_int_equal(((char *)shmx_data(shm))[0], 1);
    shmx_close(&shm);
}

/* ---- prefault ---- */

static void prefault_gives_ordinary_memory(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 4096, 100000, 2097152, 5000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        shmx *one, *other;
        const char *name = test_name();
        assert_ok(shmx_create(&one, name, sizes[i], SHMX_PREFAULT));
        const unsigned char *bytes = shmx_data(one);
        for (size_t j = 0; j < sizes[i]; j++)
            if (bytes[j] != 0)
                fail();
        memset(shmx_data(one), 3, sizes[i]);
        assert_ok(shmx_open(&other, name, SHMX_PREFAULT));
        assert_memory_equal(shmx_data(other), shmx_data(one), sizes[i]);
        shmx_close(&other);
        assert_ok(shmx_open(&other, name, SHMX_PREFAULT | SHMX_READ_ONLY));
        assert_memory_equal(shmx_data(other), shmx_data(one), sizes[i]);
        shmx_close(&other);
        shmx_close(&one);
    }
}

/* ---- nothing leaks ---- */

static void use_all_calls(void)
{
    shmx *one, *other;
    const char *name = test_name();
    assert_ok(shmx_create(&one, name, 100, 0));
    assert_ok(shmx_open(&other, name, 0));
    shmx_close(&other);
    assert_ok(shmx_open(&other, name, SHMX_READ_ONLY));
    shmx_close(&other);
    assert_status(shmx_create(&other, name, 100, 0), SHMX_EEXIST);
    assert_status(shmx_open_or_create(&other, name, 101, 0, NULL), SHMX_ERANGE);
    assert_ok(shmx_unlink(name));
    assert_status(shmx_open(&other, name, 0), SHMX_ENOENT);
    assert_ok(shmx_create(&other, name, 100, SHMX_PERSISTENT));
    shmx_close(&other);
    assert_ok(shmx_unlink(name));
    shmx_close(&one);
    assert_ok(shmx_create(&one, "", 100, 0));
    shmx_close(&one);
}

static void no_descriptor_or_handle_is_left(void **state)
{
    (void)state;
    use_all_calls(); /* what is opened once for the whole process */
    int before = test_open_handles();
    for (int i = 0; i < 50; i++)
        use_all_calls();
    assert_int_equal(test_open_handles(), before);
}

static void no_mapping_is_left(void **state)
{
    (void)state;
    /* Far more address space than a 32-bit process has, little by little. */
    for (int i = 0; i < 200; i++) {
        shmx *shm;
        assert_ok(shmx_create(&shm, test_name(), (size_t)32 << 20, 0));
        shmx_close(&shm);
    }
}

static const struct test_part parts[] = {{"write_through_read_only", part_write_through_read_only},
                                         {NULL, NULL}};

struct late_maker {
    const char *name;
    int64_t made_at;
    shmx *shm;
};

static void makes_it_late(void *context)
{
    struct late_maker *maker = context;
    test_sleep_ms(60); /* so that the other has waited for a while; right without */
    must(shmx_create(&maker->shm, maker->name, 100, 0) == SHMX_OK);
    maker->made_at = test_now_ms();
}

static void open_wait_waits_until_it_is_there(void **state)
{
    (void)state;
    enum { TRIES = 5, SOON = 40 };
    int soon = 0;
    for (int i = 0; i < TRIES; i++) {
        struct late_maker maker = {test_name(), 0, NULL};
        struct test_thread *thread = thread_start(makes_it_late, &maker);
        shmx *shm;
        assert_ok(shmx_open_wait(&shm, maker.name, 0, SHMX_FOREVER));
        int64_t opened_at = test_now_ms();
        thread_join(thread);
        soon += opened_at - maker.made_at < SOON;
        shmx_close(&shm);
        shmx_close(&maker.shm);
    }
    assert_true(soon > 0); /* 20 ms, on a machine that may be busy */
}

static void open_wait_ends_in_time(void **state)
{
    (void)state;
    shmx *shm = (shmx *)&shm;
    const char *name = test_name();
    int64_t start = test_now_ms();
    assert_status(shmx_open_wait(&shm, name, 0, 50), SHMX_ETIMEDOUT);
    assert_true(test_now_ms() - start >= 50 - 16); /* the test's clock may tick by 16 */
    assert_null(shm);
    assert_status(shmx_open_wait(&shm, name, 0, 0), SHMX_ETIMEDOUT);
    assert_status(shmx_open_wait(&shm, name, 0, -2), SHMX_EINVAL);
    assert_status(shmx_open_wait(&shm, "a/b", 0, 0), SHMX_EINVAL);
    assert_status(shmx_open_wait(&shm, name, SHMX_PERSISTENT, 0), SHMX_EINVAL);
    assert_status(shmx_open_wait(NULL, name, 0, 0), SHMX_EINVAL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(open_wait_waits_until_it_is_there),
    cmocka_unit_test(open_wait_ends_in_time),
    cmocka_unit_test(create_gives_zeros_of_exactly_the_size),
    cmocka_unit_test(data_is_page_aligned),
    cmocka_unit_test(every_byte_can_be_written),
    cmocka_unit_test(create_of_what_is_there_is_eexist),
    cmocka_unit_test(size_zero_is_refused),
    cmocka_unit_test(sizes_beyond_the_machine_are_refused),
    cmocka_unit_test(sizes_at_the_end_of_size_t_are_refused),
    cmocka_unit_test(unknown_flags_are_refused),
    cmocka_unit_test(flags_of_another_call_are_refused),
    cmocka_unit_test(contradictory_flags_are_refused),
    cmocka_unit_test(null_out_parameters_are_refused),
    cmocka_unit_test(null_handles_are_harmless),
    cmocka_unit_test(close_sets_the_handle_to_null),
    cmocka_unit_test(open_of_nothing_is_enoent),
    cmocka_unit_test(a_failed_open_leaves_nothing),
    cmocka_unit_test(two_handles_are_one_memory),
    cmocka_unit_test(open_or_create_creates_where_nothing_is),
    cmocka_unit_test(open_or_create_opens_what_is_there),
    cmocka_unit_test(open_or_create_opens_a_larger_one_as_it_is),
    cmocka_unit_test(open_or_create_of_a_smaller_one_is_erange),
    cmocka_unit_test(open_or_create_takes_every_create_flag),
    cmocka_unit_test(read_and_write_copy_at_an_offset),
    cmocka_unit_test(read_and_write_of_nothing_are_checked_too),
    cmocka_unit_test(read_and_write_beyond_the_end_are_erange_and_copy_nothing),
    cmocka_unit_test(offset_plus_count_does_not_wrap),
    cmocka_unit_test(read_and_write_of_null_are_refused),
    cmocka_unit_test(read_only_reads_and_refuses_to_write),
    cmocka_unit_test(the_system_stops_a_write_through_read_only),
    cmocka_unit_test(prefault_gives_ordinary_memory),
    cmocka_unit_test(no_descriptor_or_handle_is_left),
    cmocka_unit_test(no_mapping_is_left),
};

TEST_MAIN(tests, parts)
