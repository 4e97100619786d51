/* SPDX-License-Identifier: MIT */
/* As FreeBSD's header of that name, as far as shmx uses it. */
#ifndef SIM_SYS_UMTX_H
#define SIM_SYS_UMTX_H

#include <stdint.h>
#include <time.h>

struct _umtx_time {
    struct timespec _timeout;
    uint32_t _flags;
    uint32_t _clockid;
};

#define UMTX_ABSTIME 0x01

#define UMTX_OP_WAIT 2
#define UMTX_OP_WAKE 3
#define UMTX_OP_WAIT_UINT 11
#define UMTX_OP_WAIT_UINT_PRIVATE 15
#define UMTX_OP_WAKE_PRIVATE 16

int _umtx_op(void *object, int operation, unsigned long value, void *address, void *address2);

#endif
