/* SPDX-License-Identifier: MIT */
#include <limits.h>

#include "command.h"

static int complain_of(const char *name, int status)
{
    if (status != SHMX_EPROTO)
        return complain("remove", name, status);
    fprintf(stderr,
            "shmx: cannot remove \"%s\": what has that name is no segment, but a link, a directory "
            "or the like; remove it as such\n",
            name);
    return STATUS_NO;
}

static int run(const struct command *command, int argc, char **argv)
{
    bool force = false;
    const struct option options[] = {{"-f", &force, NULL}, {"--force", &force, NULL}, {0}};
    int names = arguments_read(command, options, argc, argv, 1, INT_MAX);
    if (names < 0)
        return STATUS_WRONG_USE;
    int result = STATUS_YES;
    for (int i = 0; i < names; i++) {
        int status = shmx_unlink(argv[i]);
        bool good = status == SHMX_OK || (force && status == SHMX_ENOENT);
        int one = good ? STATUS_YES : complain_of(argv[i], status);
        result = one > result ? one : result;
    }
    return result;
}

const struct command command_rm = {
    "rm", "[-f] NAME...", "Take the names of segments away",
    "Each name is free at once. Programs that use the segment keep it until they\n"
    "close it; then its memory is returned.\n\n"
    "  -f, --force  a name that is not there is no failure\n",
    run};
