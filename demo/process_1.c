/* SPDX-License-Identifier: MIT */
/*
 * The first of two processes that share memory: make it, write one value, wait until process_2 has
 * written the others.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

#define SIZE 1024
#define ASK_AGAIN_MS 50

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    signal(number, on_signal); /* some systems forget it after the first */
    interrupted = number;
}

static bool all_there(const shmx *shm, const struct type *type)
{
    for (size_t i = 0; i < VALUES; i++)
        if (!value_is_there(shm, type, i))
            return false;
    return true;
}

/* Sleep until process_2 wakes us. Ask now and then all the same: Ctrl-C does not end a wait, and
 * a program that is not process_2 may write without waking anybody. */
static int wait_for_others(shmx *shm, const struct options *options)
{
    double left_ms = options->wait_seconds * 1000;
    uint32_t *word = value_last_word(shm, options->type);
    while (!interrupted && left_ms > 0) {
        uint32_t seen;
        memcpy(&seen, word, sizeof seen);
        if (all_there(shm, options->type))
            break;
        int slice = left_ms < ASK_AGAIN_MS ? (int)left_ms + 1 : ASK_AGAIN_MS;
        int status = shmx_wait(shm, word, seen, slice);
        if (status == SHMX_ETIMEDOUT)
            left_ms -= slice;
        else if (status != SHMX_OK)
            return status;
    }
    return SHMX_OK;
}

static int run(shmx *shm, const struct options *options)
{
    int status = value_write(shm, options->type, 0);
    if (status != SHMX_OK)
        return complain(options, "cannot write to", status);
    values_print(shm, options);
    status = wait_for_others(shm, options);
    if (status != SHMX_OK)
        return complain(options, "cannot wait on", status);
    if (interrupted)
        return 128 + interrupted;
    values_print(shm, options);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options;
    int status;
    if (!options_read(&options, "process_1", true, argc, argv, &status))
        return status;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    shmx *shm;
    status = shmx_create(&shm, options.name, SIZE, 0);
    if (status != SHMX_OK)
        return complain(&options, "cannot create", status);
    status = run(shm, &options);
    /* Unlinked before it is closed: afterwards the name could be another program's. */
    shmx_unlink(options.name);
    shmx_close(&shm);
    return status;
}
