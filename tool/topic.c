/* SPDX-License-Identifier: MIT */
/* The messages of a topic, as they are published. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "system.h"

#define SLICE_MS 100 /* how soon a request to end is seen */

struct reader {
    const char *name;
    struct part part; /* where the topic lies */
    shmx_topic *topic;
    bool latest;
    uint64_t number; /* latest: of the message that was shown; 0: none yet */
    bool counted;    /* it shall show so many messages: */
    uint64_t left;
    int64_t end;
    unsigned char *buffer;
    size_t capacity;
};

/* ---- messages ---- */

/* Bytes of the character at `at` that may be printed; 0: it may not. */
static size_t character_length(const unsigned char *at, size_t left)
{
    if (*at < 0x80)
        return (*at >= 32 && *at != 127) || *at == '\t' || *at == '\n' || *at == '\r';
    size_t length = *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : *at < 0xf5 ? 4 : 0;
    if (length > left || (*at == 0xc2 && at[1] < 0xa0)) /* U+0080 to U+009F are controls */
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

static bool is_text(const unsigned char *bytes, size_t size)
{
    for (size_t at = 0, length; at < size; at += length) {
        length = character_length(bytes + at, size - at);
        if (length == 0)
            return false;
    }
    return true;
}

static void message_print(const unsigned char *bytes, size_t size)
{
    size_t length = size > 1 && bytes[size - 1] == '\0' ? size - 1 : size; /* a string of C */
    struct hex_dump dump = {0};
    if (is_text(bytes, length)) {
        fwrite(bytes, 1, length, stdout);
        if (length == 0 || bytes[length - 1] != '\n')
            putchar('\n');
    } else {
        for (size_t at = 0; at < size; at += HEX_WIDTH)
            hex_next(stdout, &dump, at, bytes + at, size - at < HEX_WIDTH ? size - at : HEX_WIDTH);
    }
    fflush(stdout);
}

static void lost_print(uint64_t lost)
{
    if (lost != 0)
        fprintf(stderr, "shmx: %" PRIu64 " message%s lost\n", lost, lost == 1 ? "" : "s");
}

/* ---- reading ---- */

/* SHMX_ETIMEDOUT: there is nothing to show yet. */
static int next_take(struct reader *reader, size_t *size)
{
    uint64_t lost;
    int status =
        shmx_topic_next(reader->topic, reader->buffer, reader->capacity, size, &lost, SLICE_MS);
    lost_print(lost);
    return status;
}

static int newest_take(struct reader *reader, size_t *size)
{
    uint64_t number;
    int status =
        shmx_topic_latest(reader->topic, reader->buffer, reader->capacity, size, &number, SLICE_MS);
    if (status != SHMX_OK || number != reader->number) {
        reader->number = number;
        return status;
    }
    /* It was shown. The next one to be read may be older; then the newest is looked at again. */
    status = shmx_topic_next(reader->topic, reader->buffer, reader->capacity, size, NULL, SLICE_MS);
    return status == SHMX_OK ? SHMX_ETIMEDOUT : status;
}

/* Let a message of that size fit. */
static int buffer_grow(struct reader *reader, size_t size)
{
    unsigned char *buffer = realloc(reader->buffer, size);
    if (buffer == NULL)
        return SHMX_ENOMEM;
    reader->buffer = buffer;
    reader->capacity = size;
    return SHMX_OK;
}

static int step(struct reader *reader)
{
    size_t size;
    int status = reader->latest ? newest_take(reader, &size) : next_take(reader, &size);
    if (status == SHMX_EMSGSIZE)
        return buffer_grow(reader, size);
    if (status != SHMX_OK)
        return status == SHMX_ETIMEDOUT ? SHMX_OK : status;
    message_print(reader->buffer, size);
    reader->left -= reader->counted;
    return SHMX_OK;
}

/* SHMX_OK: it has shown what it should, or shall show no more. */
static int read_all(struct reader *reader)
{
    int status = SHMX_OK;
    while (status == SHMX_OK && reader->left > 0 && !system_stopped() && !ferror(stdout) &&
           system_now() < reader->end)
        status = step(reader);
    if (system_stopped())
        clearerr(stdout); /* the request may have come in the middle of a write: no failure */
    return status;
}

/* ---- the command ---- */

/* Say why there is no topic to read, or no more of it; the program's status. */
static int topic_complain(const struct reader *reader, int status)
{
    const struct part *part = &reader->part;
    switch (status) {
    case SHMX_EHANGUP:
        fprintf(stderr, "shmx: the topic has ended: every publisher has gone, or shut it down\n");
        return reader->counted ? STATUS_NO : STATUS_YES;
    case SHMX_EINVAL:
        fprintf(stderr,
                "shmx: no topic lies in %zu bytes at offset %zu: offsets of topics are multiples "
                "of 8, and the smallest has %zu bytes\n",
                part->count, part->offset, shmx_topic_size_for(0, 1));
        return STATUS_NO;
    case SHMX_ERANGE:
        fprintf(stderr,
                "shmx: the topic at offset %zu of \"%s\" has another size than %zu bytes; --size "
                "tells it\n",
                part->offset, reader->name, part->count);
        return STATUS_NO;
    case SHMX_EPROTO:
        fprintf(stderr,
                "shmx: at offset %zu of \"%s\" is something else than a topic, or a damaged one; "
                "--offset tells where it is\n",
                part->offset, reader->name);
        return STATUS_NO;
    default:
        return complain("read the topic in", reader->name, status);
    }
}

static int topic_read(struct reader *reader, shmx *shm, unsigned flags)
{
    const struct part *part = &reader->part;
    int status = shmx_topic_open(&reader->topic, shm, part->offset, part->count, flags);
    if (status == SHMX_OK)
        status = buffer_grow(reader, 4096);
    if (status == SHMX_OK)
        status = read_all(reader);
    int result = status == SHMX_OK ? STATUS_YES : topic_complain(reader, status);
    shmx_topic_close(&reader->topic);
    free(reader->buffer);
    return result;
}

/* How many messages: all, or the newest one, or so many. */
static bool count_read(const struct command *command, const char *text, struct reader *reader)
{
    reader->counted = reader->latest || text != NULL;
    reader->left = 1;
    if (text == NULL || (size_parse(text, &reader->left) && reader->left > 0))
        return true;
    wrong_use(command, "--count takes a number of messages, not \"%s\"", text);
    return false;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct reader reader = {0};
    bool oldest = false;
    const char *count_text = NULL, *end_text = NULL;
    double length = 0;
    const struct option options[] = {{"--offset", NULL, &reader.part.offset_text},
                                     {"--size", NULL, &reader.part.count_text},
                                     {"--oldest", &oldest, NULL},
                                     {"--latest", &reader.latest, NULL},
                                     {"--count", NULL, &count_text},
                                     {"--for", NULL, &end_text},
                                     {0}};
    if (arguments_read(command, options, argc, argv, 1, 1) < 0 ||
        !seconds_read(command, "--for", end_text, &length) ||
        !count_read(command, count_text, &reader))
        return STATUS_WRONG_USE;
    if (oldest && reader.latest)
        return wrong_use(command, "--oldest and --latest: which?");
    reader.name = argv[0];
    reader.end = length > 0 ? system_now() + (int64_t)(length * 1e9) : INT64_MAX;
    int status;
    shmx *shm = segment_open(reader.name, SHMX_READ_ONLY, &status);
    if (shm == NULL)
        return status;
    system_catch_stop();
    if (part_read(command, &reader.part, shm, &status))
        status = topic_read(&reader, shm, oldest ? SHMX_TOPIC_OLDEST : 0);
    shmx_close(&shm);
    return status;
}

const struct command command_topic = {
    "topic", "NAME [--offset N] [--size N] [--oldest | --latest] [--count N] [--for SECONDS]",
    "Show the messages of a topic as they are published",
    "From the next one on, until Ctrl-C or until every publisher that joined has\n"
    "gone: text as it is, a line each, and other bytes in hex. What was overwritten\n"
    "before it was shown is counted on standard error. It only reads, and holds\n"
    "nobody up. It is a user of the segment, which stays for as long.\n\n"
    "  --offset N      where the topic begins in the segment (0)\n"
    "  --size N        its size (to the end of the segment)\n"
    "  --oldest        begin with the oldest message that is still there\n"
    "  --latest        show the newest message and end; with --count N the newest\n"
    "                  ones, each time there is a newer one\n"
    "  --count N       end after N messages\n"
    "  --for SECONDS   stop after that time\n",
    run};
