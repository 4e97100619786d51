/* SPDX-License-Identifier: MIT */
#include "command.h"

static void print(const char *name, void *context)
{
    (void)context;
    puts(name);
}

static int failed(int status)
{
    fprintf(stderr, "shmx: cannot look for leftovers: %s\n", shmx_strerror(status));
    return STATUS_NO;
}

static int run(const struct command *command, int argc, char **argv)
{
    bool dry = false;
    const struct option options[] = {{"--dry-run", &dry, NULL}, {"-n", &dry, NULL}, {0}};
    if (arguments_read(command, options, argc, argv, 0, 0) < 0)
        return STATUS_WRONG_USE;
    int status;
    if (dry) {
        status = leftovers_list(print, NULL);
        return status == SHMX_OK ? STATUS_YES : failed(status);
    }
    int removed;
    status = shmx_prune(&removed);
    if (status != SHMX_OK)
        return failed(status);
    printf("%d segment%s freed\n", removed, removed == 1 ? "" : "s");
    return STATUS_YES;
}

const struct command command_prune = {
    "prune", "[--dry-run]", "Free the segments whose users were all killed",
    "What somebody uses, persistent segments and those of other programs are never\n"
    "touched. Nobody has to run this: the next to create or open such a name frees\n"
    "it too.\n\n"
    "  -n, --dry-run  print the names of what would be freed, and free nothing\n",
    run};
