/* SPDX-License-Identifier: MIT */
/* The contract between the portable code and a system, src/os.h, on the system's own backend. */
#include <stdlib.h>
#include <string.h>

#include "base/control.h"
#include "os.h"
#include "support.h"

#define SIZE 1000

static const int64_t millisecond = 1000000;

static void label_make(struct shmx_label *label, const char *name, unsigned flags)
{
    memset(label, 0, sizeof *label);
    memcpy(label->magic, SHMX_MAGIC, sizeof label->magic);
    label->version = SHMX_LAYOUT_VERSION;
    label->byte_order = SHMX_BYTE_ORDER;
    label->size = SIZE;
    label->created = (uint64_t)shmx_os_wall();
    label->creator = (uint64_t)shmx_os_pid();
    label->flags = flags;
    label->name_length = (uint32_t)strlen(name);
    memcpy(label->name, name, label->name_length);
    assert_ok(shmx_os_random(&label->id, sizeof label->id));
}

static size_t length_of(size_t size)
{
    return shmx_control_length(size, shmx_os_facts()->page_size);
}

/* `name` "": none. */
static void object_make(struct shmx_attachment *attachment, const char *name, unsigned flags)
{
    struct shmx_label label;
    memset(attachment, 0, sizeof *attachment);
    label_make(&label, name, flags);
    assert_ok(
        shmx_os_create(attachment, name[0] != '\0' ? name : NULL, length_of(SIZE), flags, &label));
}

static struct shmx_attachment *object_open(const char *name, unsigned flags)
{
    struct shmx_attachment *attachment = calloc(1, sizeof *attachment);
    assert_non_null(attachment);
    assert_ok(shmx_os_open(attachment, name, flags, false));
    return attachment;
}

static void object_close(struct shmx_attachment *attachment)
{
    shmx_os_close(attachment);
    free(attachment);
}

static int open_status(const char *name)
{
    struct shmx_attachment attachment = {0};
    int status = shmx_os_open(&attachment, name, 0, false);
    if (status == SHMX_OK)
        shmx_os_close(&attachment);
    return status;
}

/* ---- facts, time and chance ---- */

static void facts_are_sane(void **state)
{
    (void)state;
    const struct shmx_os_facts *facts = shmx_os_facts();
    assert_true(facts->page_size >= 4096);
    assert_true((facts->page_size & (facts->page_size - 1)) == 0);
    assert_true(facts->processors >= 1);
    assert_true(shmx_os_pid() > 0);
}

static void clocks_go_forward(void **state)
{
    (void)state;
    int64_t last = shmx_os_now();
    for (int i = 0; i < 10000; i++) {
        int64_t now = shmx_os_now();
        assert_true(now >= last);
        last = now;
    }
    assert_true(shmx_os_wall() > INT64_C(1700000000) * 1000 * millisecond);
    int64_t start = shmx_os_now();
    shmx_os_sleep(5 * millisecond);
    assert_true(shmx_os_now() - start >= 5 * millisecond);
}

static void random_bytes_differ(void **state)
{
    (void)state;
    unsigned char a[32], b[32];
    assert_ok(shmx_os_random(a, sizeof a));
    assert_ok(shmx_os_random(b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
}

static void the_error_is_kept(void **state)
{
    (void)state;
    shmx_os_set_error(0);
    assert_status(open_status(test_name()), SHMX_ENOENT);
    assert_int_not_equal(shmx_os_last_error(), 0);
    shmx_os_set_error(0);
    assert_int_equal(shmx_os_last_error(), 0);
}

/* ---- objects ---- */

static void an_object_appears_whole(void **state)
{
    (void)state;
    const char *name = test_name();
    struct shmx_attachment made;
    object_make(&made, name, 0);
    assert_int_equal(made.length, length_of(SIZE));
    for (size_t i = 0; i < SIZE; i++)
        assert_int_equal(made.data[i], 0);
    struct shmx_attachment *opened = object_open(name, 0);
    assert_int_equal(opened->length, made.length);
    assert_memory_equal(&opened->label.id, &made.label.id, sizeof made.label.id);
    assert_string_equal(opened->label.name, name);
    assert_int_equal(opened->control->state, SHMX_STATE_LIVE);
    assert_false(opened->read_only);
    made.data[SIZE - 1] = 7;
    assert_int_equal(opened->data[SIZE - 1], 7);
    object_close(opened);
    shmx_os_close(&made);
    assert_status(open_status(name), SHMX_ENOENT);
}

static void a_name_is_given_once(void **state)
{
    (void)state;
    const char *name = test_name();
    struct shmx_attachment made, other = {0};
    struct shmx_label label;
    object_make(&made, name, 0);
    label_make(&label, name, 0);
    assert_status(shmx_os_create(&other, name, length_of(SIZE), 0, &label), SHMX_EEXIST);
    assert_int_not_equal(shmx_os_last_error(), 0);
    assert_ok(shmx_os_unlink(name));
    assert_status(shmx_os_unlink(name), SHMX_ENOENT);
    assert_ok(shmx_os_create(&other, name, length_of(SIZE), 0, &label));
    shmx_os_close(&made);
    assert_status(open_status(name), SHMX_OK);
    shmx_os_close(&other);
    assert_status(open_status(name), SHMX_ENOENT);
}

static void a_raw_one_has_no_control_block(void **state)
{
    (void)state;
    const char *name = test_name();
    struct shmx_attachment made = {0};
    assert_ok(shmx_os_create(&made, name, SIZE, SHMX_RAW, NULL));
    assert_null(made.control);
    struct shmx_attachment *opened = object_open(name, SHMX_READ_ONLY);
    assert_null(opened->control);
    assert_true(opened->read_only);
    assert_true(opened->length >= SIZE);
    object_close(opened);
    if (shmx_os_facts()->raw_unlink)
        assert_ok(shmx_os_unlink(name));
    else
        assert_status(shmx_os_unlink(name), SHMX_ENOTSUP);
    shmx_os_close(&made);
    assert_status(open_status(name), SHMX_ENOENT);
}

static void a_nameless_one_is_shared_by_token(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX];
    struct shmx_attachment made, adopted = {0};
    object_make(&made, "", 0);
    assert_ok(shmx_os_share(&made, token, sizeof token));
    assert_ok(shmx_os_adopt(&adopted, token, SHMX_READ_ONLY));
    made.data[0] = 9;
    assert_int_equal(adopted.data[0], 9);
    assert_true(adopted.read_only);
    shmx_os_close(&made);
    assert_int_equal(adopted.data[0], 9);
    shmx_os_close(&adopted);
}

struct search {
    const char *name;
    int found;
};

static int search_one(const char *name, void *context)
{
    struct search *search = context;
    search->found += strcmp(name, search->name) == 0;
    return 0;
}

static int stop_at_once(const char *name, void *context)
{
    (void)name;
    ++*(int *)context;
    return 42;
}

static void objects_are_listed_and_measured(void **state)
{
    (void)state;
    struct search search = {test_name(), 0};
    struct shmx_attachment made;
    struct shmx_os_view view;
    int visits = 0;
    object_make(&made, search.name, 0);
    assert_int_equal(shmx_os_list(search_one, &search), 0);
    assert_int_equal(search.found, 1);
    assert_int_equal(shmx_os_list(stop_at_once, &visits), 42);
    assert_int_equal(visits, 1);
    assert_ok(shmx_os_inspect(search.name, &view));
    assert_int_equal(view.kind, SHMX_OS_LIVE);
    assert_true(view.label.id == made.label.id && view.length == made.length);
    assert_true(view.footprint >= SIZE && view.footprint <= 2 * shmx_os_facts()->page_size);
    assert_true(view.users == 1 || view.users == -1);
    shmx_os_close(&made);
    assert_status(shmx_os_inspect(search.name, &view), SHMX_ENOENT);
}

static void the_living_are_not_reaped(void **state)
{
    (void)state;
    const char *name = test_name();
    struct shmx_attachment made;
    bool removed = true;
    object_make(&made, name, 0);
    assert_ok(shmx_os_remove_dead(name, &removed));
    assert_false(removed);
    assert_status(open_status(name), SHMX_OK);
    shmx_os_close(&made);
    assert_ok(shmx_os_remove_dead(name, &removed));
    assert_false(removed);
}

/* ---- waiting ---- */

struct sleeper {
    struct shmx_attachment *attachment;
    _Atomic uint32_t *word;
    _Atomic int status;
};

static void sleeps(void *context)
{
    struct sleeper *sleeper = context;
    int status = SHMX_OK;
    while (status == SHMX_OK && atomic_load(sleeper->word) == 1)
        status = shmx_os_wait(sleeper->attachment, sleeper->word, 1, SHMX_OS_NEVER);
    atomic_store(&sleeper->status, status);
}

static void a_wait_ends(void **state)
{
    (void)state;
    struct shmx_attachment made;
    object_make(&made, test_name(), 0);
    _Atomic uint32_t *word = (_Atomic uint32_t *)(made.data + 64);
    assert_ok(shmx_os_wait(&made, word, 1, SHMX_OS_NEVER)); /* it is 0 */
    int64_t start = shmx_os_now();
    int status;
    do
        status = shmx_os_wait(&made, word, 0, start + 20 * millisecond);
    while (status == SHMX_OK);
    assert_status(status, SHMX_ETIMEDOUT);
    assert_true(shmx_os_now() - start >= 20 * millisecond);
    atomic_store(word, 1);
    struct sleeper sleeper = {&made, word, 77};
    struct test_thread *thread = thread_start(sleeps, &sleeper);
    atomic_store(word, 2);
    while (atomic_load(&sleeper.status) == 77) /* it may not sleep yet */
        assert_true(shmx_os_wake(&made, word, 1) >= 0);
    thread_join(thread);
    assert_status(atomic_load(&sleeper.status), SHMX_OK);
    shmx_os_close(&made);
}

/* ---- owners ---- */

static bool alive(struct shmx_attachment *attachment, uint32_t token)
{
    bool answer = false;
    assert_ok(shmx_os_owner_alive(attachment, token, &answer));
    return answer;
}

static bool has_token(struct shmx_attachment *attachment, void *context)
{
    return atomic_load(&attachment->owner) == *(const uint32_t *)context;
}

static void owners_live_as_long_as_their_attachment(void **state)
{
    (void)state;
    const char *name = test_name();
    struct shmx_attachment made;
    uint32_t first, again, second;
    object_make(&made, name, 0);
    assert_ok(shmx_os_owner_claim(&made, &first));
    assert_ok(shmx_os_owner_claim(&made, &again));
    assert_int_equal(first, again);
    assert_true(first != 0 && (first & ~SHMX_OWNER_MASK) == 0);
    struct shmx_attachment *opened = object_open(name, 0);
    assert_ok(shmx_os_owner_claim(opened, &second));
    assert_int_not_equal(first, second);
    assert_true(alive(&made, first) && alive(&made, second) && alive(opened, first));
    assert_true(shmx_os_find(has_token, &second));
    assert_false(alive(&made, SHMX_OWNER_MASK - 1));
    object_close(opened);
    assert_false(alive(&made, second));
    assert_false(shmx_os_find(has_token, &second));
    assert_true(alive(&made, first));
    shmx_os_close(&made);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(facts_are_sane),
    cmocka_unit_test(clocks_go_forward),
    cmocka_unit_test(random_bytes_differ),
    cmocka_unit_test(the_error_is_kept),
    cmocka_unit_test(an_object_appears_whole),
    cmocka_unit_test(a_name_is_given_once),
    cmocka_unit_test(a_raw_one_has_no_control_block),
    cmocka_unit_test(a_nameless_one_is_shared_by_token),
    cmocka_unit_test(objects_are_listed_and_measured),
    cmocka_unit_test(the_living_are_not_reaped),
    cmocka_unit_test(a_wait_ends),
    cmocka_unit_test(owners_live_as_long_as_their_attachment),
};

TEST_MAIN(tests, no_parts)
