/* SPDX-License-Identifier: MIT */
#ifndef DEMO_CLOCK_H
#define DEMO_CLOCK_H

#include <stdint.h>

/* Nanoseconds since some moment; never goes back. */
int64_t clock_now(void);

#endif
