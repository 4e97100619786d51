/* SPDX-License-Identifier: MIT */
/* Sleeping and waking on Windows, where sleepers stand in slots of the control block, and an owner
 * is an event. */
#include <windows.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/control.h"
#include "os.h"
#include "support.h"

#define WORD_AT 64
#define SLEEPERS 3

/* As in src/win32/wait.c. */
#define KIND(state) ((unsigned)((state) % 4))
#define WAITING 2u

static void object_make(struct shmx_attachment *attachment, const char *name)
{
    struct shmx_label label = {.version = SHMX_LAYOUT_VERSION, .byte_order = SHMX_BYTE_ORDER};
    memset(attachment, 0, sizeof *attachment);
    memcpy(label.magic, SHMX_MAGIC, sizeof label.magic);
    label.size = 1000;
    label.name_length = (uint32_t)strlen(name);
    memcpy(label.name, name, label.name_length);
    assert_ok(shmx_os_random(&label.id, sizeof label.id));
    size_t length = shmx_control_length(1000, shmx_os_facts()->page_size);
    assert_ok(shmx_os_create(attachment, name, length, 0, &label));
}

static _Atomic uint32_t *word_of(const struct shmx_attachment *attachment)
{
    return (_Atomic uint32_t *)(attachment->data + WORD_AT);
}

struct sleeper {
    struct shmx_attachment attachment;
    struct test_thread *thread;
    _Atomic int status;
};

static void sleeps(void *context)
{
    struct sleeper *sleeper = context;
    int status =
        shmx_os_wait(&sleeper->attachment, word_of(&sleeper->attachment), 0, SHMX_OS_NEVER);
    atomic_store(&sleeper->status, status);
}

static int sleeping(const struct shmx_attachment *attachment)
{
    int count = 0;
    for (int i = 0; i < SHMX_SLOTS; i++)
        count += KIND(atomic_load(&attachment->control->slots[i].state)) == WAITING;
    return count;
}

/* Each through an attachment of its own, which looks for a slot from the first on. */
static void sleeper_start(struct sleeper *sleeper, const char *name, int others)
{
    memset(sleeper, 0, sizeof *sleeper);
    assert_ok(shmx_os_open(&sleeper->attachment, name, 0, false));
    atomic_init(&sleeper->status, 77);
    sleeper->thread = thread_start(sleeps, sleeper);
    while (sleeping(&sleeper->attachment) != others + 1)
        shmx_os_relax();
}

static void sleeper_end(struct sleeper *sleeper)
{
    thread_join(sleeper->thread);
    assert_ok(atomic_load(&sleeper->status));
    shmx_os_close(&sleeper->attachment);
}

static void the_one_that_came_first_is_woken_first(void **state)
{
    (void)state;
    const char *name = test_name();
    struct shmx_attachment made;
    struct sleeper sleepers[SLEEPERS];
    object_make(&made, name);
    assert_int_equal(shmx_os_wake(&made, word_of(&made), 1), 0);
    for (int i = 0; i < SLEEPERS; i++)
        sleeper_start(&sleepers[i], name, i);
    /* Always the oldest ends and is the youngest then, in the slot that it left. */
    for (int i = 0; i < 5 * SLEEPERS; i++) {
        struct sleeper *oldest = &sleepers[i % SLEEPERS];
        struct shmx_attachment waker = {0}; /* that knows nothing of who was woken before */
        assert_ok(shmx_os_open(&waker, name, 0, false));
        assert_int_equal(shmx_os_wake(&waker, word_of(&waker), 1), 1);
        shmx_os_close(&waker);
        sleeper_end(oldest);
        assert_int_equal(sleeping(&made), SLEEPERS - 1);
        sleeper_start(oldest, name, SLEEPERS - 1);
    }
    assert_int_equal(shmx_os_wake(&made, word_of(&made), SHMX_WAKE_ALL), SLEEPERS);
    for (int i = 0; i < SLEEPERS; i++)
        sleeper_end(&sleepers[i]);
    shmx_os_close(&made);
}

/* Turns are a number that wraps, and that others could write to. */
static void turns_wrap(void **state)
{
    (void)state;
    const char *name = test_name();
    struct shmx_attachment made;
    struct sleeper sleepers[SLEEPERS];
    object_make(&made, name);
    atomic_store(&made.control->last_turn, UINT32_MAX - 1);
    for (int i = 0; i < SLEEPERS; i++)
        sleeper_start(&sleepers[i], name, i);
    for (int i = 0; i < SLEEPERS; i++) {
        assert_int_equal(shmx_os_wake(&made, word_of(&made), 1), 1);
        sleeper_end(&sleepers[i]);
    }
    shmx_os_close(&made);
}

/* A wake is for one that lives, if one does. */
PART(sleeper)
{
    (void)argc;
    struct shmx_attachment attachment = {0};
    must(shmx_os_open(&attachment, argv[1], 0, false) == SHMX_OK);
    say("sleeps");
    must(shmx_os_wait(&attachment, word_of(&attachment), 0, SHMX_OS_NEVER) == SHMX_OK);
    return 0;
}

static void the_dead_take_no_wake_from_the_living(void **state)
{
    (void)state;
    const char *name = test_name();
    struct shmx_attachment made;
    struct sleeper living;
    object_make(&made, name);
    struct test_child *child = child_start("sleeper", name);
    child_expect(child, "sleeps");
    while (sleeping(&made) != 1)
        shmx_os_relax();
    child_kill(child);
    child_wait(child);
    sleeper_start(&living, name, 1);
    assert_int_equal(shmx_os_wake(&made, word_of(&made), 1), 1);
    sleeper_end(&living);
    assert_int_equal(sleeping(&made), 0);
    shmx_os_close(&made);
}

static HANDLE mutex_make(const struct shmx_attachment *attachment, uint32_t token)
{
    char name[100];
    snprintf(name, sizeof name, "Global\\shmx#%016" PRIx64 "#o%" PRIu32, attachment->label.id,
             token);
    HANDLE mutex = CreateMutexA(NULL, FALSE, name);
    assert_non_null(mutex);
    return mutex;
}

/* It has an owner's name: a dead one's is dead all the same, and a new owner takes another. */
static void what_is_no_event_is_no_owner(void **state)
{
    (void)state;
    const char *name = test_name();
    struct shmx_attachment made, other = {0};
    uint32_t token, next;
    bool alive;
    object_make(&made, name);
    assert_ok(shmx_os_open(&other, name, 0, false));
    assert_ok(shmx_os_owner_claim(&other, &token));
    assert_ok(shmx_os_owner_alive(&made, token, &alive));
    assert_true(alive);
    shmx_os_close(&other);
    HANDLE dead = mutex_make(&made, token), coming = mutex_make(&made, token + 1);
    assert_ok(shmx_os_owner_alive(&made, token, &alive));
    assert_false(alive);
    assert_ok(shmx_os_owner_claim(&made, &next));
    assert_true(next != token && next != token + 1);
    CloseHandle(dead);
    CloseHandle(coming);
    shmx_os_close(&made);
}

static const struct test_part parts[] = {{"sleeper", part_sleeper}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_one_that_came_first_is_woken_first),
    cmocka_unit_test(turns_wrap),
    cmocka_unit_test(the_dead_take_no_wake_from_the_living),
    cmocka_unit_test(what_is_no_event_is_no_owner),
};

TEST_MAIN(tests, parts)
