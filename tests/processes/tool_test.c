/* SPDX-License-Identifier: MIT */
/* The shmx command, as a user or a script runs it. SHMX_TOOL is its path. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "system.h"

#define WORDS_MAX 16
#define OUTPUT_MAX 65536

static char in_path[64], out_path[64], err_path[64];
static char out[OUTPUT_MAX + 1], err[OUTPUT_MAX + 1];
static size_t out_size;

/* ---- running it ---- */

static size_t file_read(const char *path, char text[OUTPUT_MAX + 1])
{
    FILE *file = fopen(path, "rb");
    size_t size = file != NULL ? fread(text, 1, OUTPUT_MAX, file) : 0;
    text[size] = '\0';
    if (file != NULL)
        fclose(file);
    return size;
}

static void input(const void *bytes, size_t size)
{
    FILE *file = fopen(in_path, "wb");
    must(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

/* Windows' own text on standard error has \r\n. */
static void carriage_returns_drop(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++)
        if (*from != '\r')
            *to++ = *from;
    *to = '\0';
}

static struct command *start_words(const char *const *words)
{
    const char *all[WORDS_MAX + 2] = {getenv("SHMX_TOOL")};
    must(all[0] != NULL);
    for (int i = 0; i < WORDS_MAX && words[i] != NULL; i++)
        all[i + 1] = words[i];
    return command_start(all, in_path, out_path, err_path);
}

static int run_words(const char *const *words)
{
    int status = command_wait(start_words(words));
    out_size = file_read(out_path, out);
    file_read(err_path, err);
    carriage_returns_drop(err);
    return status;
}

/* Run `shmx WORDS...`: its status; out, out_size and err hold what it said. */
#define run(...) run_words((const char *const[]){__VA_ARGS__, NULL})
#define start(...) start_words((const char *const[]){__VA_ARGS__, NULL})

#define assert_says(text, part) assert_says_at(text, part, __LINE__)
static void assert_says_at(const char *text, const char *part, int line)
{
    if (strstr(text, part) == NULL)
        fail_msg("line %d: \"%s\" does not say \"%s\"", line, text, part);
}

static bool says_line(const char *text, const char *line)
{
    size_t length = strlen(line);
    for (const char *at = text; (at = strstr(at, line)) != NULL; at += length)
        if ((at == text || at[-1] == '\n') && at[length] == '\n')
            return true;
    return false;
}

/* "name  4 KiB" is a line of it. */
static bool says_name(const char *text, const char *name)
{
    char start[SHMX_NAME_MAX + 3];
    int length = snprintf(start, sizeof start, "%s  ", name);
    for (; *text != '\0'; text += strcspn(text, "\n"), text += *text != '\0')
        if (strncmp(text, start, (size_t)length) == 0)
            return true;
    return false;
}

static int files_make(void **state)
{
    (void)state;
    snprintf(in_path, sizeof in_path, "%sin", test_prefix());
    snprintf(out_path, sizeof out_path, "%sout", test_prefix());
    snprintf(err_path, sizeof err_path, "%serr", test_prefix());
    input("", 0);
    return 0;
}

static int files_remove(void **state)
{
    (void)state;
    remove(in_path);
    remove(out_path);
    remove(err_path);
    return 0;
}

/* ---- help and wrong use ---- */

static const char *const commands[] = {"ls", "stat",  "create", "write", "cat",    "dump",
                                       "rm", "prune", "watch",  "topic", "doctor", "bench"};

#define COMMANDS (sizeof commands / sizeof commands[0])

/* In a terminal of 80 columns. */
static void assert_fits(const char *text)
{
    for (size_t length; *text != '\0'; text += length + (text[length] != '\0')) {
        length = strcspn(text, "\n");
        if (length > 80)
            fail_msg("%d columns: %.*s", (int)length, (int)length, text);
    }
}

static void helps(void **state)
{
    (void)state;
    char usage[64];
    assert_int_equal(run("--help"), 0);
    for (size_t i = 0; i < COMMANDS; i++)
        assert_says(out, commands[i]);
    assert_string_equal(err, "");
    for (size_t i = 0; i < COMMANDS; i++) {
        assert_int_equal(run(commands[i], "--help"), 0);
        snprintf(usage, sizeof usage, "usage: shmx %s", commands[i]);
        assert_says(out, usage);
        assert_fits(out);
        assert_int_equal(run("help", commands[i]), 0);
        assert_says(out, usage);
    }
}

static void tells_its_version(void **state)
{
    (void)state;
    assert_int_equal(run("--version"), 0);
    assert_string_equal(out, "shmx " SHMX_VERSION "\n");
    assert_int_equal(run("-V"), 0);
    assert_string_equal(out, "shmx " SHMX_VERSION "\n");
}

static void refuses_wrong_use(void **state)
{
    (void)state;
    assert_int_equal(run_words((const char *const[]){NULL}), 2);
    assert_says(err, "usage: shmx COMMAND");
    assert_int_equal(run("list"), 2);
    assert_says(err, "no command \"list\"");
    for (size_t i = 0; i < COMMANDS; i++) {
        assert_int_equal(run(commands[i], "--no-such-option"), 2);
        assert_says(err, "--no-such-option");
        assert_says(err, "usage: shmx");
        assert_int_equal(out_size, 0);
    }
    assert_int_equal(run("stat"), 2);
    assert_int_equal(run("stat", "a", "b"), 2);
    assert_int_equal(run("cat", "a", "--offset"), 2);
    assert_says(err, "--offset needs a value");
    assert_int_equal(run("create", "a"), 2);
    assert_int_equal(run("create", "a", "1", "--others", "all"), 2);
    assert_int_equal(run("watch", "a", "--for", "soon"), 2);
    assert_int_equal(run("topic", "a", "--count", "few"), 2);
    assert_int_equal(run("topic", "a", "--count", "0"), 2);
    assert_int_equal(run("topic", "a", "--latest", "--oldest"), 2);
}

static void refuses_bad_names(void **state)
{
    (void)state;
    char longest[SHMX_NAME_MAX + 2];
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    const char *const bad[] = {"a/b", ".a", "a b", longest};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(run("create", bad[i], "1", "--persistent"), 2);
        assert_says(err, bad[i]);
        assert_says(err, shmx_name_error(bad[i]));
        assert_int_equal(run("rm", bad[i]), 2);
    }
}

static void knows_what_is_not_there(void **state)
{
    (void)state;
    const char *const words[] = {"stat", "write", "cat", "dump", "rm", "watch", "topic"};
    const char *name = test_name();
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        assert_int_equal(run(words[i], name), 1);
        assert_says(err, name);
        assert_says(err, "no such segment; \"shmx ls\" shows");
        assert_int_equal(out_size, 0);
    }
}

/* ---- create, ls, stat, rm ---- */

static void creates_lists_and_removes(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx_info info;
    assert_int_equal(run("create", name, "64K", "--persistent"), 0);
    assert_true(says_line(out, name));
    assert_ok(shmx_stat(name, &info));
    assert_int_equal(info.size, 65536);
    assert_int_equal(info.flags, SHMX_PERSISTENT);
    assert_int_equal(run("ls"), 0);
    assert_true(says_line(out, name));
    assert_int_equal(run("create", name, "1", "--persistent"), 1);
    assert_says(err, "segment already exists; \"shmx rm\" removes it");
    assert_int_equal(run("rm", name), 0);
    assert_status(shmx_stat(name, &info), SHMX_ENOENT);
    assert_int_equal(run("ls"), 0);
    assert_false(says_line(out, name));
}

static void reads_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t size;
    } good[] = {{"1", 1},           {"1000", 1000},    {"1000B", 1000}, {"1K", 1024},
                {"1.5K", 1536},     {"1.5k", 1536},    {"0.001K", 2},   {"2KiB", 2048},
                {"2KB", 2048},      {"0.25M", 262144}, {"1M", 1048576}, {"1.5M", 1572864},
                {"0.001G", 1073742}};
    const char *name = test_name();
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        shmx_info info;
        assert_int_equal(run("create", name, good[i].text, "--persistent"), 0);
        assert_ok(shmx_stat(name, &info));
        assert_int_equal(info.size, good[i].size);
        assert_ok(shmx_unlink(name));
    }
    const char *const bad[] = {"0",   "-1",  "1.3",    "K", "1X",
                               "1K1", "1.K", "1.5.2K", "",  "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(run("create", name, bad[i], "--persistent"), 2);
    assert_int_equal(run("create", name, "1000000T", "--persistent"), 1);
    assert_says(err, name);
}

static void removing_nothing_may_be_meant(void **state)
{
    (void)state;
    const char *name = test_name();
    assert_int_equal(run("rm", "-f", name), 0);
    assert_string_equal(err, "");
    assert_int_equal(run("rm", "-f", "a/b"), 2);
    assert_int_equal(run("create", name, "1", "--persistent"), 0);
    assert_int_equal(run("rm", "--force", name), 0);
    assert_int_equal(run("rm", name), 1);
}

static int lines_of(const char *text)
{
    int lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static size_t longest_line(const char *text)
{
    size_t longest = 0;
    for (; *text != '\0'; text += strcspn(text, "\n") + 1)
        longest = strcspn(text, "\n") > longest ? strcspn(text, "\n") : longest;
    return longest;
}

static void sorts_and_filters(void **state)
{
    (void)state;
    shmx *small, *large;
    char pattern[64], wanted[2 * SHMX_NAME_MAX + 4];
    char first[SHMX_NAME_MAX + 1], second[SHMX_NAME_MAX + 1];
    snprintf(first, sizeof first, "%s", test_name());
    snprintf(second, sizeof second, "%s", test_name());
    snprintf(pattern, sizeof pattern, "%s*", test_prefix());
    assert_ok(shmx_create(&small, first, 1, 0));
    assert_ok(shmx_create(&large, second, 100000, SHMX_PERSISTENT));
    assert_int_equal(run("ls", "--sort", "size", pattern), 0);
    snprintf(wanted, sizeof wanted, "%s\n%s\n", second, first);
    assert_string_equal(out, wanted);
    assert_int_equal(run("ls", "--sort", "size", "--reverse", first, second), 0);
    snprintf(wanted, sizeof wanted, "%s\n%s\n", first, second);
    assert_string_equal(out, wanted);
    assert_int_equal(run("ls", "--state", "persistent", pattern), 0);
    assert_int_equal(lines_of(out), 1);
    assert_true(says_line(out, second));
    assert_int_equal(run("ls", first, test_name()), 1);
    assert_true(says_line(out, first));
    assert_says(err, "no such segment");
    snprintf(wanted, sizeof wanted, "%s?x*", test_name());
    assert_int_equal(run("ls", wanted), 1);
    assert_says(err, "no segment has a name like");
    assert_int_equal(run("ls", "a/b", wanted), 2);
    assert_says(err, "name has a slash");
    assert_int_equal(run("ls", "-l", pattern), 0);
    assert_int_equal(lines_of(out), 3);
    assert_true(longest_line(out) <= 66 + strlen(second));
    assert_int_equal(run("ls", "--sort", "colour"), 2);
    assert_int_equal(run("ls", "--state", "good"), 2);
    assert_ok(shmx_unlink(second));
    shmx_close(&small);
    shmx_close(&large);
}

static void removes_several(void **state)
{
    (void)state;
    const char *first = test_name(), *missing = test_name(), *last = test_name();
    shmx_info info;
    assert_int_equal(run("create", first, "1", "--persistent"), 0);
    assert_int_equal(run("create", last, "1", "--persistent"), 0);
    assert_int_equal(run("rm", first, missing, last), 1);
    assert_says(err, missing);
    assert_null(strstr(err, first));
    assert_status(shmx_stat(first, &info), SHMX_ENOENT);
    assert_status(shmx_stat(last, &info), SHMX_ENOENT);
}

static void describes(void **state)
{
    (void)state;
    const char *name = test_name();
    char line[256];
    shmx *shm;
    bool others = test_others_allowed();
    assert_ok(shmx_create(&shm, name, 1000, others ? SHMX_OTHERS_READ : 0));
    assert_int_equal(run("stat", name), 0);
    snprintf(line, sizeof line, "name:     %s\nsize:     1000 bytes (1000 B)\n", name);
    assert_says(out, line);
    snprintf(line, sizeof line, "creator:  process %lld (alive)\n", (long long)system_pid());
    assert_says(out, line);
    assert_says(out, others ? "flags:    others-read\n" : "flags:    ");
    assert_int_equal(run("stat", name, "--json"), 0);
    snprintf(line, sizeof line, "{\"name\": \"%s\", \"size\": 1000, \"footprint\": ", name);
    assert_int_equal(strncmp(out, line, strlen(line)), 0);
    snprintf(line, sizeof line, "\"creator_pid\": %lld, \"creator_alive\": true",
             (long long)system_pid());
    assert_says(out, line);
    assert_says(out, "\"state\": \"live\"");
    assert_says(
        out,
        others
            ? "\"flags\": [\"others-read\"], \"foreign\": false, \"present\": [], \"present_by\": "
            : "\"flags\": [], \"foreign\": false, \"present\": [], \"present_by\": ");
    assert_string_equal(out + out_size - 2, "}\n");
    bool told = strstr(out, "\"present_by\": null, \"user_pids\": null}") == NULL;
    assert_int_equal(strstr(out, "\"present_by\": [], ") != NULL, told);
    snprintf(line, sizeof line, "\"user_pids\": [%lld]}\n", (long long)system_pid());
    assert_int_equal(strstr(out, line) != NULL, told);
    assert_ok(shmx_presence_enter(shm, 4711));
    assert_ok(shmx_presence_enter(shm, 7));
    assert_int_equal(run("stat", name, "--json"), 0);
    assert_says(out, ", \"present\": [7, 4711], ");
    long long pid = system_pid();
    snprintf(
        line, sizeof line,
        "[{\"pid\": %lld, \"first\": 7, \"last\": 7}, {\"pid\": %lld, \"first\": 4711, \"last\": "
        "4711}]",
        pid, pid);
    assert_int_equal(strstr(out, line) != NULL, told);
    assert_int_equal(run("stat", name), 0);
    assert_says(out, "\npresent:  7 4711\n");
    snprintf(line, sizeof line, "\nby:       process %lld (7), process %lld (4711)\n", pid, pid);
    assert_int_equal(strstr(out, line) != NULL, told);
    assert_int_equal(run("ls", "--json"), 0);
    assert_int_equal(out[0], '[');
    assert_string_equal(out + out_size - 3, "\n]\n");
    assert_says(out, name);
    shmx_close(&shm);
}

static void knows_a_creator_that_is_gone(void **state)
{
    (void)state;
    const char *name = test_name();
    assert_int_equal(run("create", name, "1", "--persistent"), 0);
    assert_int_equal(run("stat", name), 0);
    assert_says(out, "(gone)\n");
    assert_says(out, "flags:    persistent\n");
    assert_int_equal(run("ls", "-l"), 0);
    assert_says(out, " NAME\n");
    assert_says(out, name);
    assert_says(out, " gone ");
    assert_int_equal(run("rm", name), 0);
}

static void holds_what_is_not_persistent(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx_info info;
    struct command *command = start("create", name, "4K");
    test_until(shmx_stat(name, &info) == SHMX_OK);
    assert_int_equal(info.flags, 0);
    bool gently = command_interrupt(command);
    if (!gently)
        command_kill(command);
    assert_int_equal(command_wait(command), gently ? 0 : COMMAND_STOPPED);
    test_until(shmx_stat(name, &info) == SHMX_ENOENT); /* Windows ends processes in its own time */
    file_read(out_path, out);
    assert_true(says_line(out, name) || !gently);
}

/* ---- contents ---- */

static void copies_bytes_as_they_are(void **state)
{
    (void)state;
    const char *name = test_name();
    char bytes[1024];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7); /* \n, \r, Ctrl-Z and 0 among them */
    assert_int_equal(run("create", name, "2K", "--persistent"), 0);
    input(bytes, sizeof bytes);
    assert_int_equal(run("write", name, "--offset", "1K"), 0);
    assert_int_equal(run("cat", name, "--offset=1024"), 0);
    assert_int_equal(out_size, sizeof bytes);
    assert_memory_equal(out, bytes, sizeof bytes);
    assert_int_equal(run("cat", name, "--offset", "1034", "--count", "5"), 0);
    assert_int_equal(out_size, 5);
    assert_memory_equal(out, bytes + 10, 5);
    assert_int_equal(run("cat", name), 0);
    assert_int_equal(out_size, 2048);
    assert_int_equal(run("cat", name, "--count", "0"), 0);
    assert_int_equal(out_size, 0);
    assert_int_equal(run("cat", name, "--offset", "2K", "--count", "1"), 1);
    assert_says(err, "has 2048 bytes");
    input("", 0);
    assert_ok(shmx_unlink(name));
}

static void tells_when_input_is_too_long(void **state)
{
    (void)state;
    const char *name = test_name();
    assert_int_equal(run("create", name, "4", "--persistent"), 0);
    input("abcdef", 6);
    assert_int_equal(run("write", name), 1);
    assert_says(err, "took the first 4 bytes");
    assert_int_equal(run("cat", name), 0);
    assert_string_equal(out, "abcd");
    input("ab", 2);
    assert_int_equal(run("write", name, "--offset", "2"), 0);
    assert_int_equal(run("cat", name), 0);
    assert_string_equal(out, "abab");
    assert_int_equal(run("write", name, "--offset", "5"), 1);
    input("", 0);
    assert_ok(shmx_unlink(name));
}

static void dumps(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm;
    assert_ok(shmx_create(&shm, name, 83, 0));
    assert_ok(shmx_write(shm, 0, "Hello\n\377~", 8));
    assert_ok(shmx_write(shm, 80, "end", 3));
    assert_int_equal(run("dump", name), 0);
    assert_string_equal(
        out, "00000000  48 65 6c 6c 6f 0a ff 7e  00 00 00 00 00 00 00 00  |Hello..~........|\n"
             "00000010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
             "*\n"
             "00000050  65 6e 64                                          |end|\n"
             "00000053\n");
    assert_int_equal(run("dump", name, "--offset", "1", "--count", "4"), 0);
    assert_string_equal(
        out, "00000001  65 6c 6c 6f                                       |ello|\n00000005\n");
    shmx_close(&shm);
}

static bool out_says(const char *text)
{
    file_read(out_path, out);
    return strstr(out, text) != NULL;
}

static void watches(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm;
    assert_ok(shmx_create(&shm, name, 64, 0));
    struct command *command = start("watch", name, "--interval", "0.005", "--for", "60");
    test_until(out_says("*\n") || out_says("00000000  00"));
    assert_ok(shmx_write(shm, 32, "changed", 7));
    test_until(out_says("00000020  63 68 61 6e 67 65 64 00  00 00 00 00 00 00 00 00  |changed..."));
    assert_null(strchr(out, '\033'));
    bool gently = command_interrupt(command);
    if (!gently)
        command_kill(command);
    assert_int_equal(command_wait(command), gently ? 0 : COMMAND_STOPPED);
    assert_int_equal(run("watch", name, "--for", "0.01"), 0);
    shmx_close(&shm);
}

/* ---- topics ---- */

#define TOPIC_AT 64 /* in the segment */

static shmx_topic *topic_make(shmx **shm, const char *name, size_t message, size_t count)
{
    shmx_topic *topic;
    size_t size = shmx_topic_size_for(message, count);
    must(shmx_create(shm, name, TOPIC_AT + size, 0) == SHMX_OK);
    must(shmx_topic_open(&topic, *shm, TOPIC_AT, size, 0) == SHMX_OK);
    return topic;
}

static void topic_say(shmx_topic *topic, const char *message)
{
    assert_ok(shmx_topic_publish(topic, message, strlen(message), 0));
}

static void shows_a_topic(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm;
    shmx_topic *topic = topic_make(&shm, name, 100, 10);
    topic_say(topic, "one");
    topic_say(topic, "with its end\n");
    topic_say(topic, "");
    topic_say(topic, "\xc3\xa4\tb");
    assert_ok(shmx_topic_publish(topic, "of C", 5, 0));
    topic_say(topic, "\033[2Jof a terminal");
    topic_say(topic, "\xc2\x9b"
                     "2J");
    assert_int_equal(run("topic", name, "--offset", "64", "--oldest", "--count", "7"), 0);
    assert_string_equal(err, "");
    assert_string_equal(
        out, "one\nwith its end\n\n\xc3\xa4\tb\nof C\n"
             "00000000  1b 5b 32 4a 6f 66 20 61  20 74 65 72 6d 69 6e 61  |.[2Jof a termina|\n"
             "00000010  6c                                                |l|\n"
             "00000000  c2 9b 32 4a                                       |..2J|\n");
    assert_int_equal(run("topic", name, "--offset", "64", "--for", "0.01"), 0);
    assert_int_equal(out_size, 0);
    shmx_topic_close(&topic);
    shmx_close(&shm);
}

static void shows_messages_of_any_length(void **state)
{
    (void)state;
    enum { LENGTH = 60000 };
    static char message[LENGTH];
    const char *name = test_name();
    shmx *shm;
    shmx_topic *topic = topic_make(&shm, name, LENGTH, 3);
    memset(message, 'm', LENGTH);
    assert_ok(shmx_topic_publish(topic, message, LENGTH, 0));
    topic_say(topic, "the last");
    assert_int_equal(run("topic", name, "--offset", "64", "--oldest", "--count", "2"), 0);
    assert_int_equal(out_size, LENGTH + 10);
    assert_memory_equal(out, message, LENGTH);
    assert_string_equal(out + LENGTH, "\nthe last\n");
    shmx_topic_close(&topic);
    shmx_close(&shm);
}

static void shows_the_newest_of_a_topic(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm;
    shmx_topic *topic = topic_make(&shm, name, 16, 3);
    topic_say(topic, "old");
    topic_say(topic, "new");
    assert_int_equal(run("topic", name, "--offset", "64", "--latest"), 0);
    assert_string_equal(out, "new\n");
    struct command *command =
        start("topic", name, "--offset", "64", "--latest", "--count", "3", "--for", "60");
    test_until(out_says("new\n"));
    topic_say(topic, "newer");
    test_until(out_says("new\nnewer\n"));
    topic_say(topic, "newest");
    assert_int_equal(command_wait(command), 0);
    file_read(out_path, out);
    assert_string_equal(out, "new\nnewer\nnewest\n");
    shmx_topic_close(&topic);
    shmx_close(&shm);
}

static void tells_the_end_of_a_topic(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm;
    shmx_topic *topic = topic_make(&shm, name, 16, 3);
    assert_ok(shmx_topic_join(topic, SHMX_SENDER));
    topic_say(topic, "last words");
    struct command *command = start("topic", name, "--offset", "64", "--oldest");
    test_until(out_says("last words\n"));
    shmx_topic_close(&topic);
    assert_int_equal(command_wait(command), 0);
    file_read(err_path, err);
    carriage_returns_drop(err);
    assert_string_equal(err,
                        "shmx: the topic has ended: every publisher has gone, or shut it down\n");
    assert_int_equal(run("topic", name, "--offset", "64", "--oldest", "--count", "1"), 0);
    assert_int_equal(run("topic", name, "--offset", "64", "--oldest", "--count", "2"), 1);
    assert_string_equal(out, "last words\n");
    shmx_close(&shm);
}

/* It is stopped in no way: it loses what is published faster than a process can print. */
static void counts_what_it_could_not_show(void **state)
{
    (void)state;
    const char *name = test_name();
    char line[64];
    shmx *shm;
    shmx_topic *topic = topic_make(&shm, name, 8, 3);
    topic_say(topic, "first");
    struct command *command = start("topic", name, "--offset", "64", "--oldest");
    test_until(out_says("first\n"));
    bool lost = false;
    for (int i = 0; !lost && i < 100000000; i++) {
        topic_say(topic, "again");
        if (i % 100000 == 0) {
            file_read(err_path, err);
            lost = err[0] != '\0';
        }
    }
    assert_ok(shmx_topic_shutdown(topic));
    assert_int_equal(command_wait(command), 0);
    file_read(err_path, err);
    unsigned long long count = 0;
    assert_int_equal(sscanf(err, "shmx: %llu message", &count), 1);
    snprintf(line, sizeof line, "shmx: %llu message%s lost", count, count == 1 ? "" : "s");
    assert_int_equal(strncmp(err, line, strlen(line)), 0);
    assert_true(count > 0);
    shmx_topic_close(&topic);
    shmx_close(&shm);
}

static void knows_what_is_no_topic(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm;
    shmx_queue *queue;
    shmx_topic *topic = topic_make(&shm, name, 1000, 10);
    assert_int_equal(run("topic", name, "--offset", "64", "--size", "4K"), 1);
    assert_says(err, "has another size than 4096 bytes; --size tells it");
    assert_int_equal(run("topic", name, "--offset", "63"), 1);
    assert_says(err, "multiples of 8");
    assert_int_equal(run("topic", name, "--size", "8"), 1);
    assert_says(err, "no topic lies in 8 bytes at offset 0");
    assert_int_equal(run("topic", name, "--size", "1G"), 1);
    assert_says(err, "there are only ");
    shmx_topic_close(&topic);
    memset(shmx_data(shm), 0, shmx_size(shm));
    assert_ok(shmx_queue_open(&queue, shm, 0, shmx_size(shm)));
    assert_int_equal(run("topic", name), 1);
    assert_says(err, "is something else than a topic");
    assert_int_equal(out_size, 0);
    shmx_queue_close(&queue);
    shmx_close(&shm);
}

/* ---- leftovers, doctor, bench ---- */

static void found(const char *name, void *context)
{
    if (strcmp(name, context) == 0)
        *(char *)context = '\0';
}

/* Not on every system does a killed user leave a name. */
static bool leaves_name(const char *name)
{
    char wanted[SHMX_NAME_MAX + 1];
    snprintf(wanted, sizeof wanted, "%s", name);
    system_leftovers(test_prefix(), found, wanted);
    return wanted[0] == '\0';
}

static void prunes_what_killed_users_left(void **state)
{
    (void)state;
    const char *name = test_name(), *used = test_name();
    shmx_info info;
    shmx *shm;
    assert_ok(shmx_create(&shm, used, 1, 0));
    struct command *command = start("create", name, "4K");
    test_until(shmx_stat(name, &info) == SHMX_OK);
    command_kill(command);
    assert_int_equal(command_wait(command), COMMAND_STOPPED);
    assert_int_equal(run("ls"), 0);
    assert_true(says_line(out, used));
    bool left = leaves_name(name);
    bool seen = run("ls", "-l", name) == 0;
    assert_int_equal(strncmp(out, "STATE", 5) == 0 && strstr(out, "\ndead ") != NULL, seen);
    /* A create elsewhere may free it at any time. */
    assert_true(seen ? left : !leaves_name(name));
    left = leaves_name(name);
    assert_int_equal(run("stat", name), 1);
    assert_true(strstr(err, "were killed") != NULL ? left : !leaves_name(name));
    for (int i = 0; i < 2; i++) {
        left = leaves_name(name);
        assert_int_equal(run("prune", "--dry-run"), 0);
        assert_true(says_name(out, name) ? left : !leaves_name(name));
        assert_false(says_name(out, used));
    }
    assert_int_equal(run("prune"), 0);
    assert_says(out, " freed\n");
    assert_false(leaves_name(name));
    assert_int_equal(run("prune", "--dry-run"), 0);
    assert_false(says_name(out, name));
    assert_ok(shmx_stat(used, &info));
    shmx_close(&shm);
}

static void examines_the_system(void **state)
{
    (void)state;
    int status = run("doctor");
    assert_true(status == 0 || status == 1);
    assert_says(out, "ok    a segment can be created, opened and waited on\n");
    assert_int_equal(status, strstr(out, "\nlook") != NULL || strstr(out, "\nbad") != NULL);
    assert_null(strchr(out, '\033'));
    status = run("doctor", "--json"); /* other tests' dead ones come and go */
    assert_int_equal(status, strstr(out, "\"look\"") != NULL || strstr(out, "\"bad\"") != NULL);
    assert_int_equal(strncmp(out, "[\n  {\"verdict\": \"", 16), 0);
    assert_string_equal(out + out_size - 4, "}\n]\n");
}

static void prunes_again_and_again(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx_info info;
    struct command *holder = start("create", name, "4K");
    test_until(shmx_stat(name, &info) == SHMX_OK);
    struct command *pruner = start("prune", "--every", "0.01");
    test_until(out_says(" freed\n")); /* it is at work: a signal ends it gently */
    command_kill(holder);
    assert_int_equal(command_wait(holder), COMMAND_STOPPED);
    test_until(!leaves_name(name));
    bool gently = command_interrupt(pruner);
    if (!gently)
        command_kill(pruner);
    assert_int_equal(command_wait(pruner), gently ? 0 : COMMAND_STOPPED);
    assert_int_equal(run("prune", "--every", "0"), 2);
}

static void measures(void **state)
{
    (void)state;
    if (getenv("SHMX_TEST_WRAPPER") != NULL)
        test_skip("it starts itself, which needs the emulator");
    assert_int_equal(run("bench", "--quick"), 0);
    assert_says(out, "shmx: create, write, close");
    assert_says(out, "shmx_mutex: lock and unlock");
    assert_says(out, "shmx_queue: send and receive");
    assert_says(out, "shmx_queue: 4 KiB");
    assert_null(strstr(out, "failed"));
    assert_string_equal(err, "");
}

static void measures_for_programs(void **state)
{
    (void)state;
    if (getenv("SHMX_TEST_WRAPPER") != NULL)
        test_skip("it starts itself, which needs the emulator");
    assert_int_equal(run("bench", "--quick", "--json"), 0);
    assert_int_equal(out[0], '{');
    assert_says(out, "\"unit\": \"ns\"");
    assert_says(out, "\"optimised\": ");
    assert_says(out, "{\"name\": \"shmx: create, write, close\", \"ns\": ");
    assert_null(strstr(out, "null"));
    assert_null(strstr(out, "medians"));
}

static int bench_counted(const shmx_info *info, void *count)
{
    *(int *)count += strncmp(info->name, "shmx-b", 6) == 0;
    return 0;
}

static int bench_segments(void)
{
    int count = 0;
    assert_ok(shmx_list(bench_counted, &count));
    return count;
}

static void stops_measuring(void **state)
{
    (void)state;
    if (getenv("SHMX_TEST_WRAPPER") != NULL)
        test_skip("it starts itself, which needs the emulator");
    int before = bench_segments();
    struct command *command = start("bench");
    test_until(out_says("shmx: create, write, close"));
    bool gently = command_interrupt(command);
    if (!gently)
        command_kill(command);
    assert_int_equal(command_wait(command), gently ? 1 : COMMAND_STOPPED);
    file_read(err_path, err);
    assert_true(!gently || says_line(err, "shmx: stopped"));
    assert_false(out_says("shmx_queue"));
    test_until(bench_segments() <= before);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(helps),
    cmocka_unit_test(tells_its_version),
    cmocka_unit_test(refuses_wrong_use),
    cmocka_unit_test(refuses_bad_names),
    cmocka_unit_test(knows_what_is_not_there),
    cmocka_unit_test(creates_lists_and_removes),
    cmocka_unit_test(reads_sizes),
    cmocka_unit_test(removing_nothing_may_be_meant),
    cmocka_unit_test(sorts_and_filters),
    cmocka_unit_test(removes_several),
    cmocka_unit_test(describes),
    cmocka_unit_test(knows_a_creator_that_is_gone),
    cmocka_unit_test(holds_what_is_not_persistent),
    cmocka_unit_test(copies_bytes_as_they_are),
    cmocka_unit_test(tells_when_input_is_too_long),
    cmocka_unit_test(dumps),
    cmocka_unit_test(watches),
    cmocka_unit_test(shows_a_topic),
    cmocka_unit_test(shows_messages_of_any_length),
    cmocka_unit_test(shows_the_newest_of_a_topic),
    cmocka_unit_test(tells_the_end_of_a_topic),
    cmocka_unit_test(counts_what_it_could_not_show),
    cmocka_unit_test(knows_what_is_no_topic),
    cmocka_unit_test(prunes_what_killed_users_left),
    cmocka_unit_test(prunes_again_and_again),
    cmocka_unit_test(examines_the_system),
    cmocka_unit_test(measures),
    cmocka_unit_test(measures_for_programs),
    cmocka_unit_test(stops_measuring),
};

int main(int argc, char **argv)
{
    int status;
    if (test_begin(argc, argv, no_parts, &status))
        return status;
    return test_end(cmocka_run_group_tests(tests, files_make, files_remove));
}
