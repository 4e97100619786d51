/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 8 /* bytes of the largest type */
#define WAIT_MAX 1e6

static void print_byte(const void *value)
{
    printf("%d", *(const unsigned char *)value);
}

static void print_double(const void *value)
{
    double number;
    memcpy(&number, value, sizeof number);
    printf("%.1f", number);
}

static const unsigned char bytes[VALUES] = {1, 2, 3, 4};
static const double doubles[VALUES] = {1.5, 2.5, 3.5, 4.5};

static const struct type types[] = {
    {"uint8", sizeof bytes[0], bytes, print_byte},
    {"float64", sizeof doubles[0], doubles, print_double},
};

static void usage(FILE *stream, const struct options *options, bool wait)
{
    fprintf(stream, "usage: %s [--name NAME] [--type uint8|float64]%s [--help]\n", options->program,
            wait ? " [--wait SECONDS]" : "");
}

static bool read_type(struct options *options, const char *text)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].name, text) == 0) {
            options->type = &types[i];
            return true;
        }
    }
    return false;
}

static bool read_seconds(struct options *options, const char *text)
{
    char *end;
    options->wait_seconds = strtod(text, &end);
    return end != text && *end == '\0' && options->wait_seconds >= 0 &&
           options->wait_seconds <= WAIT_MAX;
}

static bool read_option(struct options *options, bool wait, const char *option, const char *value)
{
    if (value == NULL)
        return false;
    if (strcmp(option, "--name") == 0) {
        options->name = value;
        return true;
    }
    if (strcmp(option, "--type") == 0)
        return read_type(options, value);
    return wait && strcmp(option, "--wait") == 0 && read_seconds(options, value);
}

bool options_read(struct options *options, const char *program, bool wait, int argc, char **argv,
                  int *status)
{
    *options = (struct options){program, "MyMemory", &types[0], 10};
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0) {
            usage(stdout, options, wait);
            *status = 0;
            return false;
        }
        if (!read_option(options, wait, argv[i], argv[i + 1])) {
            usage(stderr, options, wait);
            *status = 2;
            return false;
        }
    }
    return true;
}

int value_write(shmx *shm, const struct type *type, size_t index)
{
    const unsigned char *value = (const unsigned char *)type->values + index * type->size;
    return shmx_write(shm, index * type->size, value, type->size);
}

bool value_is_there(const shmx *shm, const struct type *type, size_t index)
{
    static const unsigned char nothing[VALUE_MAX];
    unsigned char value[VALUE_MAX];
    return shmx_read(shm, index * type->size, value, type->size) == SHMX_OK &&
           memcmp(value, nothing, type->size) != 0;
}

uint32_t *value_last_word(const shmx *shm, const struct type *type)
{
    return (uint32_t *)shmx_data(shm) + (VALUES - 1) * type->size / sizeof(uint32_t);
}

void values_print(const shmx *shm, const struct options *options)
{
    const unsigned char *values = shmx_data(shm);
    printf("%s:", options->program);
    for (size_t i = 0; i < VALUES; i++) {
        putchar(' ');
        options->type->print(values + i * options->type->size);
    }
    putchar('\n');
    fflush(stdout); /* who reads it through a pipe sees it at once */
}

int complain(const struct options *options, const char *what, int status)
{
    fprintf(stderr, "%s: %s \"%s\": %s%s\n", options->program, what, options->name,
            shmx_strerror(status), status == SHMX_ENOENT ? "; start process_1 first" : "");
    return 1;
}
