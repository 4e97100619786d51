/* SPDX-License-Identifier: MIT */
/* Shared by both demo programs: their options, and four values of one of two types. */
#ifndef DEMO_OPTIONS_H
#define DEMO_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <shmx.h>

#define VALUES 4

/* Any type is bytes: 1 2 3 4 as bytes, or 1.5 2.5 3.5 4.5 as doubles. */
struct type {
    const char *name;
    size_t size;
    const void *values; /* VALUES of them, one after the other */
    void (*print)(const void *value);
};

struct options {
    const char *program;
    const char *name; /* of the segment */
    const struct type *type;
    double wait_seconds;
};

/* True if the program shall run; otherwise *status is what it ends with. `wait`: it has --wait. */
bool options_read(struct options *options, const char *program, bool wait, int argc, char **argv,
                  int *status);

/* Write value `index` (0 to 3) to its place. */
int value_write(shmx *shm, const struct type *type, size_t index);

/* True if value `index` has been written: it is not zero. */
bool value_is_there(const shmx *shm, const struct type *type, size_t index);

/* The word that changes, or may change, when the last value is written. */
uint32_t *value_last_word(const shmx *shm, const struct type *type);

/* Print all four, zeros included: "process_1: 1 0 0 0". */
void values_print(const shmx *shm, const struct options *options);

/* Say on standard error what could not be done, and return the program's status. */
int complain(const struct options *options, const char *what, int status);

#endif
