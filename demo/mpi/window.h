/* SPDX-License-Identifier: MIT */
/* Memory of one process that all processes of an MPI program reach by put and get. */
#ifndef DEMO_MPI_WINDOW_H
#define DEMO_MPI_WINDOW_H

#include <mpi.h>

#define OWNER 0 /* the process whose memory it is */
#define OWNER_BYTES 1024

struct window {
    MPI_Win win;
    unsigned char *bytes;
};

/* All processes call it, each with the bytes that it offers. */
void window_open(struct window *window, int bytes);
void window_close(struct window *window);

void window_put(struct window *window, int offset, const unsigned char *values, int count);

/* Print the first four bytes: "process_1: 1 0 0 0". */
void window_print(struct window *window, const char *program);

#endif
