/* SPDX-License-Identifier: MIT */
#include "command.h"
#include "system.h"

static unsigned char buffer[65536];

/* Copy standard input into the segment at offset, as it comes; *done counts the bytes, *more is
 * true if there were more than fit. Returns false if the input cannot be read. */
static bool copy(shmx *shm, size_t offset, size_t *done, bool *more)
{
    struct progress progress;
    progress_start(&progress, "written", 0);
    int count;
    while (!*more && (count = system_read(buffer, sizeof buffer)) > 0) {
        size_t room = shmx_size(shm) - offset - *done;
        size_t fits = (size_t)count < room ? (size_t)count : room;
        shmx_write(shm, offset + *done, buffer, fits);
        *done += fits;
        *more = fits < (size_t)count;
        progress_show(&progress, *done);
    }
    progress_end(&progress);
    return *more || count == 0;
}

static int write_to(shmx *shm, size_t offset)
{
    size_t done = 0;
    bool more = false;
    if (!copy(shm, offset, &done, &more)) {
        fprintf(stderr, "shmx: cannot read standard input; %zu bytes written\n", done);
        return STATUS_NO;
    }
    if (more) {
        fprintf(stderr,
                "shmx: \"%s\" is full: it took the first %zu bytes of the input, which has more\n",
                shmx_name(shm), done);
        return STATUS_NO;
    }
    return STATUS_YES;
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
