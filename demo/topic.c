/* SPDX-License-Identifier: MIT */
#include "topic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool usage(FILE *to, const struct options *options)
{
    fprintf(to,
            "usage: %s [--name NAME] [--self NAME] [--every MS] [--count N] [--oldest] "
            "[--lossless]\n",
            options->program);
    return false;
}

static bool read_number(const char *text, int *number)
{
    char *end;
    long value = text != NULL ? strtol(text, &end, 10) : -1;
    if (value < 0 || value > 1000000000 || end == text || *end != '\0')
        return false;
    *number = (int)value;
    return true;
}

/* Read the option at argv[at]; the number of the next one, 0 if it is wrong. */
static int read_option(struct options *options, int at, char **argv)
{
    const char *option = argv[at], *value = argv[at + 1];
    if (strcmp(option, "--oldest") == 0)
        return options->flags |= SHMX_TOPIC_OLDEST, at + 1;
    if (strcmp(option, "--lossless") == 0)
        return options->flags |= SHMX_TOPIC_LOSSLESS, at + 1;
    if (strcmp(option, "--name") == 0 && value != NULL)
        return options->name = value, at + 2;
    if (strcmp(option, "--self") == 0 && value != NULL)
        return options->self = value, at + 2;
    if (strcmp(option, "--every") == 0)
        return read_number(value, &options->every_ms) ? at + 2 : 0;
    if (strcmp(option, "--count") == 0)
        return read_number(value, &options->count) ? at + 2 : 0;
    return 0;
}

bool topic_options(struct options *options, int argc, char **argv, int *status)
{
    options->name = "MyTopic";
    options->self = options->program;
    options->every_ms = 0;
    options->count = 1000;
    options->flags = 0;
    *status = 0;
    int at = 1;
    while (at != 0 && at < argc) {
        if (strcmp(argv[at], "--help") == 0)
            return usage(stdout, options);
        at = read_option(options, at, argv);
    }
    if (at != 0)
        return true;
    *status = 2;
    return usage(stderr, options);
}

int topic_open(shmx_topic **topic, shmx *shm, unsigned flags)
{
    return shmx_topic_open(topic, shm, 0, shmx_size(shm), flags);
}

void message_fill(struct message *message, uint32_t first)
{
    for (uint32_t i = 0; i < NUMBERS; i++)
        message->numbers[i] = first + i;
}

bool message_whole(const struct message *message)
{
    for (uint32_t i = 0; i < NUMBERS; i++)
        if (message->numbers[i] != message->numbers[0] + i)
            return false;
    return true;
}

/* To wait for what nobody wakes is to sleep, on every system. */
void topic_pause(int ms)
{
    shmx *shm;
    if (ms == 0 || shmx_create(&shm, "", 4, 0) != SHMX_OK)
        return;
    shmx_wait(shm, shmx_data(shm), 0, ms);
    shmx_close(&shm);
}

int topic_complain(const struct options *options, const char *what, int status)
{
    fprintf(stderr, "%s: %s: %s\n", options->self, what, shmx_strerror(status));
    return 1;
}
