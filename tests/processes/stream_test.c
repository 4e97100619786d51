/* SPDX-License-Identifier: MIT */
/* The demo that streams a file, as a user runs it. SHMX_STREAM_SEND and SHMX_STREAM_RECEIVE are the
 * paths of its programs. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

#define NAME_SIZE 80
#define TEXT_MAX 1024

struct end {
    const char *variable;
    char in[NAME_SIZE], out[NAME_SIZE], err[NAME_SIZE];
    struct command *command;
    char said[TEXT_MAX], complained[TEXT_MAX];
};

static struct end sender = {.variable = "SHMX_STREAM_SEND"};
static struct end receiver = {.variable = "SHMX_STREAM_RECEIVE"};
static char source[NAME_SIZE], copy[NAME_SIZE];

static size_t file_read(const char *path, char *text, size_t most)
{
    FILE *file = fopen(path, "rb");
    size_t size = file != NULL ? fread(text, 1, most, file) : 0;
    if (file != NULL)
        fclose(file);
    return size;
}

static void text_read(const char *path, char text[TEXT_MAX])
{
    text[file_read(path, text, TEXT_MAX - 1)] = '\0';
    text[strcspn(text, "\r\n")] = '\0'; /* one line, however the system ends it */
}

static void end_start_words(struct end *end, const char *const *words)
{
    const char *all[10] = {getenv(end->variable)};
    must(all[0] != NULL);
    for (int i = 0; i < 8 && words[i] != NULL; i++)
        all[i + 1] = words[i];
    end->command = command_start(all, end->in, end->out, end->err);
}

#define end_start(end, ...) end_start_words(end, (const char *const[]){__VA_ARGS__, NULL})

static int end_join(struct end *end)
{
    int status = command_wait(end->command);
    text_read(end->out, end->said);
    text_read(end->err, end->complained);
    return status;
}

static void end_name(struct end *end, const char *word)
{
    snprintf(end->in, sizeof end->in, "%s%s-in", test_prefix(), word);
    snprintf(end->out, sizeof end->out, "%s%s-out", test_prefix(), word);
    snprintf(end->err, sizeof end->err, "%s%s-err", test_prefix(), word);
    FILE *file = fopen(end->in, "wb");
    must(file != NULL && fclose(file) == 0);
}

static int files_make(void **state)
{
    (void)state;
    end_name(&sender, "send");
    end_name(&receiver, "receive");
    snprintf(source, sizeof source, "%ssource", test_prefix());
    snprintf(copy, sizeof copy, "%scopy", test_prefix());
    return 0;
}

static int files_remove(void **state)
{
    (void)state;
    const char *paths[] = {sender.in,    sender.out,   sender.err, receiver.in,
                           receiver.out, receiver.err, source,     copy};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        remove(paths[i]);
    return 0;
}

static char *source_make(size_t size)
{
    char *bytes = malloc(size + 1);
    FILE *file = fopen(source, "wb");
    must(bytes != NULL && file != NULL);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)test_random();
    must(fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
    return bytes;
}

static void stream(size_t size, bool sender_first)
{
    const char *name = test_name();
    char *sent = source_make(size), *got = malloc(size + 1);
    for (int i = 0; i < 2; i++) {
        if ((i == 0) == sender_first)
            end_start(&sender, "--quiet", "--name", name, source);
        else
            end_start(&receiver, "--quiet", "--name", name, copy);
    }
    assert_int_equal(end_join(&sender), 0);
    assert_int_equal(end_join(&receiver), 0);
    assert_non_null(got);
    assert_int_equal(file_read(copy, got, size + 1), size);
    assert_memory_equal(got, sent, size);
    char expected[64];
    snprintf(expected, sizeof expected, ": %zu bytes, checksum ", size);
    assert_non_null(strstr(sender.said, expected));
    assert_string_equal(strchr(sender.said, ':'), strchr(receiver.said, ':'));
    assert_string_equal(sender.complained, "");
    assert_string_equal(receiver.complained, "");
    free(sent);
    free(got);
}

static void files_of_any_length_arrive(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 7000001};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        stream(sizes[i], i % 2 != 0);
}

static void it_shows_how_far_it_is(void **state)
{
    (void)state;
    const char *name = test_name();
    free(source_make(100000));
    end_start(&sender, "--name", name, source);
    end_start(&receiver, "--name", name, copy);
    assert_int_equal(end_join(&sender), 0);
    assert_int_equal(end_join(&receiver), 0);
    char text[TEXT_MAX] = "";
    file_read(sender.err, text, TEXT_MAX - 1);
    assert_non_null(strstr(text, "stream_send: 0.1 MB, "));
    assert_non_null(strstr(text, " MB/s"));
}

static void alone_it_says_so(void **state)
{
    (void)state;
    end_start(&receiver, "--name", test_name(), "--wait", "0.1", copy);
    assert_int_equal(end_join(&receiver), 1);
    assert_string_equal(receiver.complained,
                        "stream_receive: nothing came: time ran out; does the other end run?");
    free(source_make(10));
    end_start(&sender, "--name", test_name(), "--wait", "0.1", source);
    assert_int_equal(end_join(&sender), 1);
    assert_non_null(strstr(sender.complained, "time ran out; does the other end run?"));
    assert_string_equal(sender.said, "");
}

static void wrong_use_is_told(void **state)
{
    (void)state;
    static const char *const wrong[][4] = {{"--wait", "x", "f", NULL},
                                           {"--name", NULL},
                                           {"--other", "f", NULL},
                                           {"a", "b", NULL},
                                           {NULL}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        end_start_words(&sender, wrong[i]);
        assert_int_equal(end_join(&sender), 2);
        assert_string_equal(sender.complained,
                            "usage: stream_send [--name NAME] [--wait SECONDS] [--quiet] FILE");
    }
    end_start(&sender, "there/is/no/such/file");
    assert_int_equal(end_join(&sender), 1);
    end_start(&receiver, "--help");
    assert_int_equal(end_join(&receiver), 0);
    assert_string_equal(receiver.said,
                        "usage: stream_receive [--name NAME] [--wait SECONDS] [--quiet] FILE");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(files_of_any_length_arrive, files_make, files_remove),
    cmocka_unit_test_setup_teardown(it_shows_how_far_it_is, files_make, files_remove),
    cmocka_unit_test_setup_teardown(alone_it_says_so, files_make, files_remove),
    cmocka_unit_test_setup_teardown(wrong_use_is_told, files_make, files_remove),
};

TEST_MAIN(tests, no_parts)
