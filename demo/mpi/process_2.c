/* SPDX-License-Identifier: MIT */
/*
 * The second of the two processes: it puts its values into process_1's memory, on whichever machine
 * that is, without process_1 taking part.
 */
#include "window.h"

int main(int argc, char **argv)
{
    struct window window;
    MPI_Init(&argc, &argv);
    window_open(&window, 0);
    MPI_Barrier(MPI_COMM_WORLD);

    const unsigned char values[] = {2, 3, 4};
    window_put(&window, 1, values, 3);
    window_print(&window, "process_2");

    MPI_Barrier(MPI_COMM_WORLD);
    window_close(&window);
    MPI_Finalize();
    return 0;
}
