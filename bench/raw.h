/* SPDX-License-Identifier: MIT */
/* The system's bare calls, as a careful programmer without shmx would write them: the floor. */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include <stddef.h>

struct raw {
    void *data;
    size_t size;
    void *handle;
};

/* 0, or -1 */
int raw_create(struct raw *raw, const char *name, size_t size);
int raw_open(struct raw *raw, const char *name, size_t size);
void raw_close(struct raw *raw);
void raw_unlink(const char *name);

#endif
