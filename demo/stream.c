/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define CHUNKS 32            /* that may be under way */
#define SHOW_EVERY 200000000 /* ns */
#define FACTOR 0x9e3779b97f4a7c15u

static bool usage(FILE *to, const struct stream *stream)
{
    fprintf(to, "usage: %s [--name NAME] [--wait SECONDS] [--quiet] FILE\n", stream->program);
    return false;
}

static bool read_wait(struct stream *stream, const char *text)
{
    char *end;
    double seconds = text != NULL ? strtod(text, &end) : -1;
    if (!(seconds >= 0 && seconds <= 1e6) || end == text || *end != '\0')
        return false;
    stream->wait_ms = (int)(seconds * 1000);
    return true;
}

/* Read the options at argv[at]; the number of the next one, 0 if it is wrong. */
static int read_option(struct stream *stream, int at, char **argv)
{
    if (strcmp(argv[at], "--quiet") == 0)
        return stream->quiet = true, at + 1;
    if (strcmp(argv[at], "--wait") == 0)
        return read_wait(stream, argv[at + 1]) ? at + 2 : 0;
    if (strcmp(argv[at], "--name") == 0 && argv[at + 1] != NULL)
        return stream->name = argv[at + 1], at + 2;
    if (argv[at][0] == '-' || stream->path != NULL)
        return 0;
    stream->path = argv[at];
    return at + 1;
}

bool stream_options(struct stream *stream, const char *program, int argc, char **argv, int *status)
{
    *stream = (struct stream){
        .program = program, .name = "MyStream", .wait_ms = 10000, .total = {0, FACTOR}};
    *status = 0;
    int at = 1;
    while (at != 0 && at < argc) {
        if (strcmp(argv[at], "--help") == 0)
            return usage(stdout, stream);
        at = read_option(stream, at, argv);
    }
    if (at != 0 && stream->path != NULL)
        return true;
    *status = 2;
    return usage(stderr, stream);
}

int stream_complain(struct stream *stream, const char *what, int status)
{
    const char *hint = status == SHMX_ETIMEDOUT ? "; does the other end run?" : "";
    fprintf(stderr, "%s: %s: %s%s\n", stream->program, what, shmx_strerror(status), hint);
    return 1;
}

int stream_open(struct stream *stream)
{
    size_t size = shmx_queue_size_for(CHUNK, CHUNKS);
    int status = shmx_open_or_create(&stream->shm, stream->name, QUEUE_OFFSET + size, 0, NULL);
    if (status == SHMX_OK)
        status = shmx_queue_open(&stream->queue, stream->shm, QUEUE_OFFSET, size);
    stream->started = stream->shown = clock_now();
    return status == SHMX_OK ? 0 : stream_complain(stream, "cannot open the queue", status);
}

void stream_close(struct stream *stream)
{
    shmx_queue_close(&stream->queue);
    shmx_close(&stream->shm);
}

/* By words: it is to notice damage, and not to be the slowest part. */
static uint64_t checksum(uint64_t sum, const unsigned char *bytes, size_t size)
{
    uint64_t word = 0;
    for (; size >= sizeof word; bytes += sizeof word, size -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        sum = (sum ^ word) * FACTOR;
        sum ^= sum >> 29;
    }
    word = size;
    memcpy(&word, bytes, size);
    return (sum ^ word ^ (uint64_t)size << 56) * FACTOR;
}

static void show(const struct stream *stream, int64_t at, const char *end)
{
    double seconds = (double)(at - stream->started) / 1e9;
    double megabytes = (double)stream->total.bytes / 1e6;
    if (!stream->quiet)
        fprintf(stderr, "\r%s: %.1f MB, %.0f MB/s%s", stream->program, megabytes,
                seconds > 0 ? megabytes / seconds : 0, end);
}

void stream_count(struct stream *stream, const void *chunk, size_t size)
{
    int64_t at = clock_now();
    if (stream->total.bytes == 0)
        stream->started = at; /* not while the other end was waited for */
    stream->total.bytes += size;
    stream->total.checksum = checksum(stream->total.checksum, chunk, size);
    if (at - stream->shown < SHOW_EVERY)
        return;
    stream->shown = at;
    show(stream, at, "");
}

void stream_end(struct stream *stream)
{
    show(stream, clock_now(), "\n");
    printf("%s: %" PRIu64 " bytes, checksum %016" PRIx64 "\n", stream->program, stream->total.bytes,
           stream->total.checksum);
}
