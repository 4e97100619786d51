/* SPDX-License-Identifier: MIT */
/* A control block that somebody has written over, byte by byte and at random: nobody crashes, hangs
 * or leaves the mapping, and what is plainly wrong is SHMX_EPROTO. */
#include "support.h"

#include <stddef.h>
#include <string.h>

#include "base/control.h"

#define SIZE 5000
#define ROUNDS 300

struct victim {
    const char *name;
    shmx *shm; /* keeps it alive */
    shmx *raw; /* shows the control block, to be damaged */
    struct shmx_control *control;
    unsigned char good[SHMX_CONTROL_SIZE];
};

static struct victim victim;

static int setup(void **state)
{
    (void)state;
    victim.name = test_name();
    must(shmx_create(&victim.shm, victim.name, SIZE, 0) == SHMX_OK);
    must(shmx_open(&victim.raw, victim.name, SHMX_RAW) == SHMX_OK);
    unsigned char *end = (unsigned char *)shmx_data(victim.raw) + shmx_size(victim.raw);
    victim.control = (struct shmx_control *)(end - SHMX_CONTROL_SIZE);
    must(memcmp(victim.control->label.magic, SHMX_MAGIC, 8) == 0);
    memcpy(victim.good, victim.control, sizeof victim.good);
    return 0;
}

static void restore(void)
{
    memcpy(victim.control, victim.good, sizeof victim.good);
}

static int teardown(void **state)
{
    (void)state;
    shmx *shm;
    restore();
    must(shmx_open(&shm, victim.name, 0) == SHMX_OK);
    must(shmx_size(shm) == SIZE);
    shmx_close(&shm);
    shmx_close(&victim.raw);
    shmx_close(&victim.shm);
    must(shmx_open(&shm, victim.name, 0) == SHMX_ENOENT);
    return 0;
}

/* ---- a visitor ---- */

static bool is_any_of(int status, const int *list)
{
    for (; *list != 1; list++)
        if (status == *list)
            return true;
    return false;
}

#define assert_any_of(call, ...)                                                                   \
    do {                                                                                           \
        int status_ = (call);                                                                      \
        if (!is_any_of(status_, (const int[]){__VA_ARGS__, 1}))                                    \
            fail_msg("line %d: %s", __LINE__, shmx_status_name(status_));                          \
    } while (0)

/* Touch the ends of what is said to be ours, and use the objects. */
static void use(shmx *shm)
{
    volatile unsigned char *bytes = shmx_data(shm);
    assert_in_range(shmx_size(shm), 1, shmx_size(victim.raw));
    bytes[shmx_size(shm) - 1] = bytes[0];
    if (shmx_size(shm) < SIZE)
        return;
    shmx_mutex *mutex = (shmx_mutex *)((char *)shmx_data(shm) + 64);
    uint32_t *word = (uint32_t *)((char *)shmx_data(shm) + 128);
    int status = shmx_mutex_lock(shm, mutex, 0);
    if (status == SHMX_OK || status == SHMX_EOWNERDEAD)
        assert_any_of(shmx_mutex_unlock(shm, mutex), SHMX_OK, SHMX_EPERM);
    memset(mutex, 0, sizeof *mutex);
    assert_any_of(shmx_wait(shm, word, 0, 0), SHMX_OK, SHMX_ETIMEDOUT, SHMX_ENOTSUP);
    assert_any_of(shmx_wake(shm, word, SHMX_WAKE_ALL), SHMX_OK, SHMX_ENOTSUP);
}

static int visit(void)
{
    shmx *shm;
    shmx_info info;
    int status = shmx_open(&shm, victim.name, 0);
    if (status == SHMX_OK)
        use(shm);
    else
        assert_null(shm);
    shmx_close(&shm);
    assert_any_of(status, SHMX_OK, SHMX_EPROTO, SHMX_ENOENT, SHMX_EAGAIN);
    assert_any_of(shmx_stat(victim.name, &info), SHMX_OK, SHMX_EPROTO, SHMX_ENOENT, SHMX_EAGAIN);
    return status;
}

/* ---- what is plainly wrong ---- */

/* A lie that is in itself consistent, then one that is not. */
static void assert_lie_is_told(void)
{
    struct shmx_label *label = &victim.control->label;
    assert_status(visit(), SHMX_EPROTO);
    label->check = shmx_label_sum(label);
    assert_status(visit(), SHMX_EPROTO);
    restore();
}

static void a_wrong_label_is_told(void **state)
{
    (void)state;
    struct shmx_label *label = &victim.control->label;
    label->version++;
    assert_lie_is_told();
    label->byte_order = 0x04030201;
    assert_lie_is_told();
    const uint64_t sizes[] = {0, SIZE + 65536, UINT64_MAX, UINT64_MAX - SHMX_CONTROL_SIZE,
                              (uint64_t)1 << 63};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        label->size = sizes[i];
        assert_lie_is_told();
    }
    label->name[0] ^= 1;
    assert_lie_is_told();
    label->name_length = 137;
    assert_lie_is_told();
    label->flags = 0x80000000;
    assert_lie_is_told();
}

static void every_damaged_bit_is_told(void **state)
{
    (void)state;
    shmx *shm;
    unsigned char *bytes = (unsigned char *)&victim.control->label;
    for (size_t i = 0; i < 8 * sizeof victim.control->label; i++) {
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        assert_status(shmx_open(&shm, victim.name, 0), SHMX_EPROTO);
        assert_null(shm);
        restore();
    }
}

static void without_a_label_it_is_foreign(void **state)
{
    (void)state;
    shmx *shm;
    memset(&victim.control->label, 0, sizeof victim.control->label);
    assert_ok(shmx_open(&shm, victim.name, 0));
    assert_int_equal(shmx_size(shm), shmx_size(victim.raw));
    shmx_close(&shm);
    restore();
}

/* ---- anything ---- */

static void every_byte_of_it_may_be_wrong(void **state)
{
    (void)state;
    unsigned char *bytes = (unsigned char *)victim.control;
    for (size_t i = 0; i < SHMX_CONTROL_SIZE; i += i < 256 ? 1 : 13) {
        const unsigned char wrong[] = {(unsigned char)~victim.good[i],
                                       (unsigned char)(victim.good[i] + 1)};
        for (size_t j = 0; j < sizeof wrong; j++) {
            bytes[i] = wrong[j];
            visit();
            restore();
        }
    }
}

static void all_of_it_may_be_wrong(void **state)
{
    (void)state;
    unsigned char *bytes = (unsigned char *)victim.control;
    for (int round = 0; round < ROUNDS; round++) {
        /* Behind a good label, behind a good mark, or all of it. */
        size_t from = round % 3 == 0 ? sizeof(struct shmx_label) : round % 3 == 1 ? 8 : 0;
        for (size_t i = from; i < SHMX_CONTROL_SIZE; i++)
            bytes[i] = (unsigned char)test_random();
        visit();
        restore();
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_wrong_label_is_told, setup, teardown),
    cmocka_unit_test_setup_teardown(every_damaged_bit_is_told, setup, teardown),
    cmocka_unit_test_setup_teardown(without_a_label_it_is_foreign, setup, teardown),
    cmocka_unit_test_setup_teardown(every_byte_of_it_may_be_wrong, setup, teardown),
    cmocka_unit_test_setup_teardown(all_of_it_may_be_wrong, setup, teardown),
};

TEST_MAIN(tests, no_parts)
