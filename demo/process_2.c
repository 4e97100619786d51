/* SPDX-License-Identifier: MIT */
/* The second of two processes that share memory: attach to it, write the other three values. */
#include "options.h"

static int run(shmx *shm, const struct options *options)
{
    for (size_t i = 1; i < VALUES; i++) {
        int status = value_write(shm, options->type, i);
        if (status != SHMX_OK)
            return complain(options, "cannot write to", status);
    }
    values_print(shm, options);
    /* Where it cannot wake (a segment of another program, on Windows) process_1 looks by itself. */
    shmx_wake(shm, value_last_word(shm, options->type), SHMX_WAKE_ALL);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options;
    int status;
    if (!options_read(&options, "process_2", false, argc, argv, &status))
        return status;
    shmx *shm;
    status = shmx_open(&shm, options.name, 0);
    if (status != SHMX_OK)
        return complain(&options, "cannot attach to", status);
    status = run(shm, &options);
    shmx_close(&shm);
    return status;
}
