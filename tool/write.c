/* SPDX-License-Identifier: MIT */
#include "command.h"
#include "system.h"

static unsigned char buffer[65536];

enum result { DONE, NO_ROOM, NO_INPUT, NO_MEMORY };

/* Copy standard input into the segment at offset, as it comes; *done counts the bytes. */
static enum result copy(shmx *shm, size_t offset, size_t *done)
{
    struct progress progress;
    progress_start(&progress, "written", 0);
    int count = 0;
    enum result result = DONE;
    while (result == DONE && (count = system_read(buffer, sizeof buffer)) > 0) {
        size_t room = shmx_size(shm) - offset - *done;
        size_t fits = (size_t)count < room ? (size_t)count : room;
        if (!segment_write(shm, offset + *done, buffer, fits)) {
            result = NO_MEMORY;
            break;
        }
        *done += fits;
        result = fits < (size_t)count ? NO_ROOM : DONE;
        progress_show(&progress, *done);
    }
    progress_end(&progress);
    return result == DONE && count < 0 ? NO_INPUT : result;
}

static int write_to(shmx *shm, size_t offset)
{
    size_t done = 0;
    switch (copy(shm, offset, &done)) {
    case DONE:
        return STATUS_YES;
    case NO_INPUT:
        fprintf(stderr, "shmx: cannot read standard input; %zu bytes written\n", done);
        break;
    case NO_ROOM:
        fprintf(stderr,
                "shmx: \"%s\" is full: it took the first %zu bytes of the input, which has more\n",
                shmx_name(shm), done);
        break;
    case NO_MEMORY:
        break; /* said already */
    }
    return STATUS_NO;
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
    if (part_read(command, &part, shm, &status))
        status = write_to(shm, part.offset);
    shmx_close(&shm);
    return status;
}

const struct command command_write = {
    "write", "NAME [--offset N]", "Copy standard input into a segment",
    "The bytes behind the end of the input stay as they are. Input that is longer\n"
    "than the segment fills it and is an error.\n\n"
    "  --offset N  start there; bytes, or like 64K\n",
    run};
