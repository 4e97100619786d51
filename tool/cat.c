/* SPDX-License-Identifier: MIT */
#include "command.h"
#include "system.h"

static unsigned char buffer[65536];

static bool copy(const shmx *shm, const struct part *part)
{
    struct progress progress;
    bool good = true;
    progress_start(&progress, "read", part->count);
    for (size_t done = 0; done < part->count && !ferror(stdout);) {
        size_t left = part->count - done;
        size_t count = left < sizeof buffer ? left : sizeof buffer;
        good = segment_read(shm, part->offset + done, buffer, count);
        if (!good)
            break;
        fwrite(buffer, 1, count, stdout);
        done += count;
        if (!system_is_terminal(stdout))
            progress_show(&progress, done);
    }
    progress_end(&progress);
    return good;
}

static int run(const struct command *command, int argc, char **argv)
{
    return part_visit(command, argc, argv, copy);
}

const struct command command_cat = {"cat", "NAME [--offset N] [--count N]",
                                    "Copy a segment to standard output",
                                    "  --offset N  start there; bytes, or like 64K\n"
                                    "  --count N   that many bytes; otherwise to the end\n",
                                    run};
