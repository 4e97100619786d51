/* SPDX-License-Identifier: MIT */
#include "window.h"

#include <stdio.h>
#include <string.h>

#define VALUES 4

void window_open(struct window *window, int bytes)
{
    MPI_Win_allocate(bytes, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &window->bytes, &window->win);
    /* Unlike a fresh segment, a window is not zeroed. */
    MPI_Win_lock_all(0, window->win);
    memset(window->bytes, 0, (size_t)bytes);
    MPI_Win_sync(window->win);
    MPI_Win_unlock_all(window->win);
    MPI_Barrier(MPI_COMM_WORLD);
}

void window_close(struct window *window)
{
    MPI_Win_free(&window->win);
}

void window_put(struct window *window, int offset, const unsigned char *values, int count)
{
    MPI_Win_lock(MPI_LOCK_EXCLUSIVE, OWNER, 0, window->win);
    MPI_Put(values, count, MPI_BYTE, OWNER, offset, count, MPI_BYTE, window->win);
    MPI_Win_unlock(OWNER, window->win); /* the bytes have arrived when it returns */
}

void window_print(struct window *window, const char *program)
{
    unsigned char values[VALUES];
    MPI_Win_lock(MPI_LOCK_SHARED, OWNER, 0, window->win);
    MPI_Get(values, VALUES, MPI_BYTE, OWNER, 0, VALUES, MPI_BYTE, window->win);
    MPI_Win_unlock(OWNER, window->win);
    printf("%s: %d %d %d %d\n", program, values[0], values[1], values[2], values[3]);
    fflush(stdout);
}
