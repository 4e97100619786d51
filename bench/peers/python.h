/* SPDX-License-Identifier: MIT */
#ifndef BENCH_PYTHON_H
#define BENCH_PYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* run.py names its Python, and the folder of the scripts, in the environment. */
bool python_is_here(void);

/* `script` (with its first argument) SIZE COUNT prints what one of COUNT takes: that times `times`,
 * or -1. */
int64_t python_ns(const char *script, size_t size, int count, int times);

#endif
