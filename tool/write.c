/* SPDX-License-Identifier: MIT */
#include "command.h"

static unsigned char buffer[65536];

/* Copy standard input into the segment at offset; *done counts the bytes. */
static int copy(shmx *shm, size_t offset, size_t *done)
{
    struct progress progress;
    progress_start(&progress, "written", 0);
    int status = SHMX_OK;
    size_t count;
    while (status == SHMX_OK && (count = fread(buffer, 1, sizeof buffer, stdin)) > 0) {
        size_t room = shmx_size(shm) - offset - *done;
        size_t fits = count < room ? count : room;
        status = shmx_write(shm, offset + *done, buffer, fits);
        if (status == SHMX_OK)
            *done += fits;
        if (status == SHMX_OK && fits < count)
            status = SHMX_ERANGE;
        progress_show(&progress, *done);
    }
    progress_end(&progress);
    return status;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct part part = {0};
    const struct option options[] = {{"--offset", NULL, &part.offset_text}, {0}};
    if (arguments_read(command, options, argc, argv, 1, 1) < 0)
        return STATUS_WRONG_USE;
    int status;
    shmx *shm = segment_open(argv[0], 0, &status);
    if (shm == NULL)
        return status;
    size_t done = 0;
    if (part_read(command, &part, shm, &status)) {
        int result = copy(shm, part.offset, &done);
        if (result == SHMX_ERANGE) {
            fprintf(stderr,
                    "shmx: \"%s\" is full: it took the first %zu bytes of the input, which "
                    "has more\n",
                    argv[0], done);
            status = STATUS_NO;
        } else if (result != SHMX_OK) {
            status = complain("write to", argv[0], result);
        } else if (ferror(stdin)) {
            fprintf(stderr, "shmx: cannot read standard input; %zu bytes written\n", done);
            status = STATUS_NO;
        }
    }
    shmx_close(&shm);
    return status;
}

const struct command command_write = {
    "write", "NAME [--offset N]", "Copy standard input into a segment",
    "The bytes behind the end of the input stay as they are. Input that is longer\n"
    "than the segment fills it and is an error.\n\n"
    "  --offset N  start there; bytes, or like 64K\n",
    run};
