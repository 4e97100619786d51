/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "command.h"

static bool dump(const shmx *shm, const struct part *part)
{
    unsigned char line[HEX_WIDTH];
    struct hex_dump state = {0};
    for (size_t done = 0; done < part->count && !ferror(stdout); done += HEX_WIDTH) {
        size_t left = part->count - done;
        size_t count = left < HEX_WIDTH ? left : HEX_WIDTH;
        if (!segment_read(shm, part->offset + done, line, count))
            return false;
        hex_next(stdout, &state, part->offset + done, line, count);
    }
    printf("%08" PRIx64 "\n", (uint64_t)part->offset + part->count);
    return true;
}

static int run(const struct command *command, int argc, char **argv)
{
    return part_visit(command, argc, argv, dump);
}

const struct command command_dump = {
    "dump", "NAME [--offset N] [--count N]", "Show a segment in hex and text",
    "Like hexdump -C. Lines equal to the one above are shown as one *.\n\n"
    "  --offset N  start there; bytes, or like 64K\n"
    "  --count N   that many bytes; otherwise to the end\n",
    run};
