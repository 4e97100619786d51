/* SPDX-License-Identifier: MIT */
/* Two versions of the library meet at one segment. This program is built twice, with the library as
 * it is and with another layout of segments; SHMX_OTHER_VERSION is the other program. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "os.h"

#define SIZE 8192

static struct test_child *other_start(const char *const *words)
{
    const char *program = getenv("SHMX_OTHER_VERSION");
    assert_non_null(program);
    return child_start_program(program, words);
}

/* Have a segment, look after its bytes, and close it. */
PART(holder)
{
    shmx *shm;
    must(argc == 3);
    must(shmx_create(&shm, argv[1], SIZE, (unsigned)atoi(argv[2])) == SHMX_OK);
    unsigned char *bytes = shmx_data(shm);
    memset(bytes, 0x5a, SIZE);
    say("ready");
    const char *line = hear();
    while (line != NULL && strcmp(line, "look") == 0) {
        shmx *again;
        int status = shmx_open(&again, argv[1], 0);
        for (int i = 0; i < SIZE; i++)
            must(bytes[i] == 0x5a);
        say("%s", shmx_status_name(status));
        shmx_close(&again);
        line = hear();
    }
    shmx_close(&shm);
    return 0;
}

static struct test_child *holder_start(const char *name, const char *flags)
{
    const char *const words[] = {"holder", name, flags, NULL};
    struct test_child *child = other_start(words);
    child_expect(child, "ready");
    return child;
}

static void assert_refused(const char *name)
{
    shmx *shm;
    shmx_info info;
    int created = 1;
    assert_status(shmx_open(&shm, name, 0), SHMX_EPROTO);
    assert_null(shm);
    assert_status(shmx_open(&shm, name, SHMX_READ_ONLY), SHMX_EPROTO);
    assert_status(shmx_open_wait(&shm, name, 0, 0), SHMX_EPROTO);
    assert_status(shmx_open_or_create(&shm, name, SIZE, 0, &created), SHMX_EPROTO);
    assert_null(shm);
    assert_status(shmx_create(&shm, name, SIZE, 0), SHMX_EEXIST);
    assert_status(shmx_stat(name, &info), SHMX_EPROTO);
}

static int is_named(const shmx_info *info, void *context)
{
    return strcmp(info->name, context) == 0;
}

static void another_layout_is_refused_and_left_alone(void **state)
{
    (void)state;
    const char *name = test_name();
    struct test_child *holder = holder_start(name, "0");
    for (int i = 0; i < 3; i++) {
        assert_refused(name);
        assert_ok(shmx_prune(NULL));
        assert_int_equal(shmx_list(is_named, (void *)(uintptr_t)name), 0);
        child_send(holder, "look");
        child_expect(holder, "SHMX_OK");
    }
    child_finish(holder);
    shmx *shm;
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    shmx_close(&shm);
}

static void a_persistent_one_is_refused_as_well(void **state)
{
    (void)state;
    const char *name = test_name();
    struct test_child *holder = holder_start(name, "2");
    assert_refused(name);
    child_finish(holder);
    assert_refused(name);
    const char *const words[] = {"remover", name, NULL};
    assert_int_equal(child_wait(other_start(words)), 0);
    shmx *shm;
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
}

PART(remover)
{
    must(argc == 2);
    return shmx_unlink(argv[1]) == SHMX_OK ? 0 : 1;
}

static void its_bytes_can_be_read_as_raw(void **state)
{
    (void)state;
    const char *name = test_name();
    struct test_child *holder = holder_start(name, "0");
    shmx *shm;
    assert_ok(shmx_open(&shm, name, SHMX_READ_ONLY | SHMX_RAW));
    assert_true(shmx_size(shm) >= SIZE);
    assert_int_equal(((unsigned char *)shmx_data(shm))[SIZE - 1], 0x5a);
    shmx_close(&shm);
    child_send(holder, "look");
    child_expect(holder, "SHMX_OK");
    child_finish(holder);
}

/* On Windows an unlink must write into the segment, so it is refused. */
static void its_name_can_be_had(void **state)
{
    (void)state;
    const char *name = test_name();
    struct test_child *holder = holder_start(name, "0");
    bool possible = shmx_os_facts()->raw_unlink;
    shmx *shm = NULL;
    assert_status(shmx_unlink(name), possible ? SHMX_OK : SHMX_EPROTO);
    assert_status(shmx_create(&shm, name, SIZE, 0), possible ? SHMX_OK : SHMX_EEXIST);
    shmx_close(&shm);
    child_finish(holder);
}

static void one_whose_users_died_does_not_hold_the_name_for_ever(void **state)
{
    (void)state;
    const char *name = test_name();
    struct test_child *holder = holder_start(name, "0");
    child_kill(holder);
    child_wait(holder);
    int status;
    test_until((status = shmx_unlink(name)) != SHMX_EPROTO); /* Windows: it goes with the process */
    assert_true(status == SHMX_OK || status == SHMX_ENOENT);
    shmx *shm;
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    shmx_close(&shm);
}

static const struct test_part parts[] = {
    {"holder", part_holder}, {"remover", part_remover}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(another_layout_is_refused_and_left_alone),
    cmocka_unit_test(a_persistent_one_is_refused_as_well),
    cmocka_unit_test(its_bytes_can_be_read_as_raw),
    cmocka_unit_test(its_name_can_be_had),
    cmocka_unit_test(one_whose_users_died_does_not_hold_the_name_for_ever),
};

TEST_MAIN(tests, parts)
