/* SPDX-License-Identifier: MIT */
/*
 * The first of the two processes, on machines that share no memory: it offers 1,024 bytes of its
 * own to the others (a window), writes one value, and waits until process_2 has put the others.
 *
 *     mpirun -n 1 ./mpi_process_1 : -n 1 ./mpi_process_2
 */
#include "window.h"

int main(int argc, char **argv)
{
    struct window window;
    MPI_Init(&argc, &argv);
    window_open(&window, OWNER_BYTES);

    /* The bytes are ours, but others reach them too: only inside a lock are both sides in step. */
    const unsigned char one = 1;
    window_put(&window, 0, &one, 1);
    window_print(&window, "process_1");

    MPI_Barrier(MPI_COMM_WORLD); /* now process_2 may begin */
    MPI_Barrier(MPI_COMM_WORLD); /* now it has ended */

    window_print(&window, "process_1");
    window_close(&window);
    MPI_Finalize();
    return 0;
}
