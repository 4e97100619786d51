/* SPDX-License-Identifier: MIT */
/* Handing a segment on without a name: from a process to those it starts. */
#include "support.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SIZE 100

/* Attaches by each token that it hears, and says what came of it. */
PART(adopter) /* [read-only] */
{
    (void)argv;
    unsigned flags = argc > 1 ? SHMX_READ_ONLY : 0;
    const char *token;
    say("ready");
    while ((token = hear()) != NULL) {
        shmx *shm;
        int status = shmx_adopt(&shm, token, flags);
        if (status != SHMX_OK) {
            must(shm == NULL);
            say("%s", shmx_status_name(status));
            continue;
        }
        unsigned char *bytes = shmx_data(shm);
        say("%zu %s %d %s", shmx_size(shm), shmx_name(shm)[0] != '\0' ? "named" : "nameless",
            bytes[0], shmx_status_name(shmx_write(shm, 1, "\5", 1)));
        hear(); /* or its end: close */
        if (flags == 0)
            shmx_wake(shm, (uint32_t *)shmx_data(shm) + 1, SHMX_WAKE_ALL);
        shmx_close(&shm);
        say("closed");
    }
    return 0;
}

static struct test_child *adopter_start(void)
{
    struct test_child *child = child_start("adopter");
    child_expect(child, "ready");
    return child;
}

static shmx *nameless(char token[SHMX_TOKEN_MAX])
{
    shmx *shm;
    assert_ok(shmx_create(&shm, "", SIZE, 0));
    assert_ok(shmx_share(shm, token, SHMX_TOKEN_MAX));
    *(unsigned char *)shmx_data(shm) = 7;
    return shm;
}

/* ---- tests ---- */

static void a_child_attaches_by_the_token(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX];
    shmx *shm = nameless(token);
    assert_string_equal(shmx_name(shm), "");
    assert_int_equal(shmx_size(shm), SIZE);
    struct test_child *child = adopter_start();
    child_send(child, token);
    child_expect(child, "100 nameless 7 SHMX_OK");
    assert_int_equal(((unsigned char *)shmx_data(shm))[1], 5);
    child_send(child, "close");
    child_expect(child, "closed");
    child_finish(child);
    shmx_close(&shm);
}

static void several_children_do(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX];
    shmx *shm = nameless(token);
    struct test_child *children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = adopter_start();
        child_send(children[i], token);
        child_expect(children[i], "100 nameless 7 SHMX_OK");
    }
    for (int i = 0; i < 3; i++)
        child_finish(children[i]);
    shmx_close(&shm);
}

static void it_lives_on_in_the_child(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX];
    shmx *shm = nameless(token);
    struct test_child *child = adopter_start();
    shmx_close(&shm); /* the child has inherited it already */
    child_send(child, token);
    child_expect(child, "100 nameless 7 SHMX_OK");
    child_finish(child);
}

static void tokens_are_short_text_and_stay_the_same(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX], again[SHMX_TOKEN_MAX], little[4];
    shmx *shm = nameless(token);
    assert_true(strlen(token) > 0 && strlen(token) < SHMX_TOKEN_MAX);
    for (const char *at = token; *at != '\0'; at++)
        assert_true(*at > ' ' && *at < 127);
    assert_ok(shmx_share(shm, again, sizeof again));
    assert_string_equal(again, token);
    assert_status(shmx_share(shm, little, sizeof little), SHMX_ERANGE);
    assert_status(shmx_share(shm, NULL, SHMX_TOKEN_MAX), SHMX_EINVAL);
    assert_status(shmx_share(NULL, token, sizeof token), SHMX_EINVAL);
    shmx_close(&shm);
}

static void an_adopted_one_can_be_read_only(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX];
    shmx *shm = nameless(token);
    struct test_child *child = child_start("adopter", "read-only");
    child_expect(child, "ready");
    child_send(child, token);
    child_expect(child, "100 nameless 7 SHMX_EACCES");
    child_finish(child);
    shmx_close(&shm);
}

static void a_named_one_can_be_shared_too(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX];
    const char *name = test_name();
    shmx *shm, *other;
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    *(unsigned char *)shmx_data(shm) = 7;
    assert_ok(shmx_share(shm, token, sizeof token));
    struct test_child *child = adopter_start();
    child_send(child, token);
    child_expect(child, "100 named 7 SHMX_OK");
    shmx_close(&shm);
    assert_ok(shmx_open(&other, name, 0)); /* the child is a user */
    shmx_close(&other);
    child_finish(child);
    assert_status(shmx_open(&other, name, 0), SHMX_ENOENT);
}

static void an_unlinked_one_can_be_shared_too(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX];
    const char *name = test_name();
    shmx *shm, *successor;
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    *(unsigned char *)shmx_data(shm) = 7;
    assert_ok(shmx_share(shm, token, sizeof token));
    struct test_child *child = adopter_start();
    assert_ok(shmx_unlink(name));
    assert_ok(shmx_create(&successor, name, SIZE, 0));
    child_send(child, token);
    child_expect(child, "100 named 7 SHMX_OK"); /* as it was made, like the parent's */
    assert_string_equal(shmx_name(shm), name);
    child_finish(child);
    shmx_close(&shm);
    assert_ok(shmx_open(&shm, name, 0)); /* the successor */
    shmx_close(&shm);
    shmx_close(&successor);
}

static void who_has_not_inherited_it_cannot(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX];
    struct test_child *child = adopter_start();
    shmx *shm = nameless(token);
    child_send(child, token);
    child_expect(child, "SHMX_ENOENT");
    child_finish(child);
    shmx_close(&shm);
}

static void a_token_is_good_once_in_a_process(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX];
    shmx *shm = nameless(token);
    struct test_child *child = adopter_start();
    child_send(child, token);
    child_expect(child, "100 nameless 7 SHMX_OK");
    child_send(child, "close");
    child_expect(child, "closed");
    child_send(child, token);
    child_expect(child, "SHMX_ENOENT");
    child_finish(child);
    shmx_close(&shm);
}

static void what_is_no_token_is_refused(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX], long_one[4 * SHMX_TOKEN_MAX];
    shmx *shm = nameless(token), *other;
    memset(long_one, '1', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    const char *const wrong[] = {"", "token", "1", "-1", " ", long_one};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_status(shmx_adopt(&other, wrong[i], 0), SHMX_EINVAL);
        assert_null(other);
    }
    assert_status(shmx_adopt(&other, NULL, 0), SHMX_EINVAL);
    assert_status(shmx_adopt(NULL, token, 0), SHMX_EINVAL);
    assert_status(shmx_adopt(&other, token, SHMX_PERSISTENT), SHMX_EINVAL);
    shmx_close(&shm);
}

/* It leads to the same segment, where that digit did not matter, or nowhere; never elsewhere. */
static void a_changed_token_leads_nowhere_else(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX];
    shmx *shm = nameless(token);
    for (size_t i = 0; i < strlen(token); i++) {
        char changed[SHMX_TOKEN_MAX];
        memcpy(changed, token, sizeof changed);
        bool digit = isdigit((unsigned char)changed[i]) != 0;
        changed[i] = digit ? (char)('0' + (changed[i] - '0' + 1) % 10) : '~';
        struct test_child *child = adopter_start();
        child_send(child, changed);
        const char *said = child_receive(child);
        assert_non_null(said);
        if (strcmp(said, "100 nameless 7 SHMX_OK") != 0 && strcmp(said, "SHMX_EINVAL") != 0 &&
            strcmp(said, "SHMX_ENOENT") != 0)
            fail_msg("%s instead of %s: %s", changed, token, said);
        child_finish(child);
    }
    shmx_close(&shm);
}

static int count_one(const shmx_info *info, void *context)
{
    *(int *)context += info->name[0] == '\0';
    return 0;
}

static void it_is_on_no_list(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX];
    shmx *shm = nameless(token);
    int count = 0;
    assert_ok(shmx_list(count_one, &count));
    assert_int_equal(count, 0);
    shmx_close(&shm);
}

static void both_can_wait_on_it(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX];
    shmx *shm = nameless(token);
    struct test_child *child = adopter_start();
    child_send(child, token);
    child_expect(child, "100 nameless 7 SHMX_OK");
    child_send(child, "wake");
    uint32_t *word = (uint32_t *)shmx_data(shm) + 1;
    int status = shmx_wait(shm, word, 0, 50); /* woken, early, or too late: all of them are right */
    assert_true(status == SHMX_OK || status == SHMX_ETIMEDOUT);
    child_expect(child, "closed");
    child_finish(child);
    shmx_close(&shm);
}

static const struct test_part parts[] = {{"adopter", part_adopter}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_child_attaches_by_the_token),
    cmocka_unit_test(several_children_do),
    cmocka_unit_test(it_lives_on_in_the_child),
    cmocka_unit_test(tokens_are_short_text_and_stay_the_same),
    cmocka_unit_test(an_adopted_one_can_be_read_only),
    cmocka_unit_test(a_named_one_can_be_shared_too),
    cmocka_unit_test(an_unlinked_one_can_be_shared_too),
    cmocka_unit_test(who_has_not_inherited_it_cannot),
    cmocka_unit_test(a_token_is_good_once_in_a_process),
    cmocka_unit_test(what_is_no_token_is_refused),
    cmocka_unit_test(a_changed_token_leads_nowhere_else),
    cmocka_unit_test(it_is_on_no_list),
    cmocka_unit_test(both_can_wait_on_it),
};

TEST_MAIN(tests, parts)
