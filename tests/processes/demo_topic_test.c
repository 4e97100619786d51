/* SPDX-License-Identifier: MIT */
/* The demo of a topic, as a user runs it. SHMX_TOPIC_PUBLISH and SHMX_TOPIC_READ are the paths of
 * its programs. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

#define WORDS_MAX 12
#define TEXT_MAX 1024

/* One publisher or reader, and what it said. */
struct player {
    char in[80], out[80], err[80];
    struct command *command;
    char said[TEXT_MAX], complained[TEXT_MAX];
};

static void text_read(const char *path, char text[TEXT_MAX])
{
    FILE *file = fopen(path, "rb");
    size_t size = file != NULL ? fread(text, 1, TEXT_MAX - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[size] = '\0';
    char *to = text; /* Windows ends lines with \r\n */
    for (const char *from = text; *from != '\0'; from++)
        if (*from != '\r')
            *to++ = *from;
    *to = '\0';
}

static void player_start(struct player *player, const char *variable, const char *const *words)
{
    static int number;
    const char *all[WORDS_MAX + 2] = {getenv(variable)};
    must(all[0] != NULL);
    for (int i = 0; i < WORDS_MAX && words[i] != NULL; i++)
        all[i + 1] = words[i];
    number++;
    snprintf(player->in, sizeof player->in, "%splay%d-in", test_prefix(), number);
    snprintf(player->out, sizeof player->out, "%splay%d-out", test_prefix(), number);
    snprintf(player->err, sizeof player->err, "%splay%d-err", test_prefix(), number);
    FILE *file = fopen(player->in, "wb");
    must(file != NULL && fclose(file) == 0);
    player->command = command_start(all, player->in, player->out, player->err);
}

#define publish(player, ...)                                                                       \
    player_start(player, "SHMX_TOPIC_PUBLISH", (const char *const[]){__VA_ARGS__, NULL})
#define read_it(player, ...)                                                                       \
    player_start(player, "SHMX_TOPIC_READ", (const char *const[]){__VA_ARGS__, NULL})

static bool begins(struct player *player)
{
    text_read(player->out, player->said);
    return strstr(player->said, ": begins\n") != NULL;
}

static int player_join(struct player *player)
{
    int status = command_wait(player->command);
    text_read(player->out, player->said);
    text_read(player->err, player->complained);
    remove(player->in);
    remove(player->out);
    remove(player->err);
    return status;
}

static void player_kill(struct player *player)
{
    command_kill(player->command);
    assert_int_equal(player_join(player), COMMAND_STOPPED);
    assert_string_equal(player->complained, "");
}

/* "self: begins", and then what it got and missed. */
static void reader_join(struct player *player, unsigned long long *got, unsigned long long *missed)
{
    assert_int_equal(player_join(player), 0);
    assert_string_equal(player->complained, "");
    const char *line = strchr(player->said, '\n');
    assert_non_null(line);
    assert_int_equal(sscanf(line, "\n%*[^:]: %llu messages, all whole; %llu missed", got, missed),
                     2);
}

static void others_go_on_when_some_are_killed(void **state)
{
    (void)state;
    const char *name = test_name();
    struct player one, two, reader, slow, lossless, killed;
    unsigned long long got, missed;
    publish(&one, "--name", name, "--self", "one", "--count", "400", "--every", "2");
    publish(&two, "--name", name, "--self", "two", "--count", "1000000", "--every", "2");
    read_it(&reader, "--name", name, "--self", "reader");
    read_it(&slow, "--name", name, "--self", "slow", "--oldest", "--every", "40");
    read_it(&lossless, "--name", name, "--self", "lossless", "--lossless");
    read_it(&killed, "--name", name, "--self", "killed", "--lossless");
    struct player *all[] = {&one, &two, &reader, &slow, &lossless, &killed};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        test_until(begins(all[i]));
    player_kill(&killed);
    player_kill(&two);
    assert_int_equal(player_join(&one), 0);
    assert_string_equal(one.said, "one: begins\none: 400 messages published\n");
    reader_join(&reader, &got, &missed);
    assert_true(got > 0);
    reader_join(&slow, &got, &missed);
    assert_true(got > 0);
    reader_join(&lossless, &got, &missed);
    assert_true(got > 0);
    assert_int_equal(missed, 0);
    shmx_info info;
    assert_status(shmx_stat(name, &info), SHMX_ENOENT);
}

static void a_topic_ends_with_its_last_publisher(void **state)
{
    (void)state;
    const char *name = test_name();
    struct player publisher, reader;
    publish(&publisher, "--name", name, "--self", "publisher", "--every", "2");
    read_it(&reader, "--name", name, "--self", "reader");
    test_until(begins(&publisher) && begins(&reader));
    player_kill(&publisher);
    unsigned long long got, missed;
    reader_join(&reader, &got, &missed);
    assert_true(got > 0);
}

static void wrong_use_is_told(void **state)
{
    (void)state;
    struct player player;
    publish(&player, "--count", "many");
    assert_int_equal(player_join(&player), 2);
    assert_non_null(strstr(player.complained, "usage: topic_publish "));
    read_it(&player, "--name");
    assert_int_equal(player_join(&player), 2);
    assert_non_null(strstr(player.complained, "usage: topic_read "));
    read_it(&player, "--help");
    assert_int_equal(player_join(&player), 0);
    assert_non_null(strstr(player.said, "usage: topic_read "));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(others_go_on_when_some_are_killed),
    cmocka_unit_test(a_topic_ends_with_its_last_publisher),
    cmocka_unit_test(wrong_use_is_told),
};

TEST_MAIN(tests, no_parts)
