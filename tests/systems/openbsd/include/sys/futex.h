/* SPDX-License-Identifier: MIT */
/* As OpenBSD's header of that name, as far as shmx uses it. */
#ifndef SIM_SYS_FUTEX_H
#define SIM_SYS_FUTEX_H

#include <stdint.h>
#include <time.h>

#define FUTEX_WAIT 1
#define FUTEX_WAKE 2
#define FUTEX_REQUEUE 3
#define FUTEX_PRIVATE_FLAG 128

int futex(volatile uint32_t *word, int operation, int value, const struct timespec *length,
          volatile uint32_t *other);

#endif
