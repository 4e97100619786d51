/* SPDX-License-Identifier: MIT */
#include "command.h"
#include "system.h"

static void print(const struct leftover *leftover, void *context)
{
    char size[32];
    (void)context;
    if (!leftover->damaged)
        printf("%s  %s\n", leftover->info.name, size_text(leftover->info.footprint, size));
}

static int failed(int status)
{
    fprintf(stderr, "shmx: cannot look for leftovers: %s\n", shmx_strerror(status));
    return STATUS_NO;
}

/* quiet: what freed nothing is not worth a line. */
static int prune(bool quiet)
{
    int removed;
    int status = shmx_prune(&removed);
    if (status != SHMX_OK)
        return failed(status);
    if (removed > 0 || !quiet)
        printf("%d segment%s freed\n", removed, removed == 1 ? "" : "s");
    fflush(stdout);
    return STATUS_YES;
}

static int prune_for_ever(double seconds)
{
    system_catch_stop();
    int status = prune(false); /* which says that it is at work */
    system_pause(seconds);
    while (!system_stopped() && !ferror(stdout)) {
        status = prune(true);
        system_pause(seconds);
    }
    return status;
}

static int run(const struct command *command, int argc, char **argv)
{
    bool dry = false;
    double seconds = 0;
    const char *every = NULL;
    const struct option options[] = {
        {"--dry-run", &dry, NULL}, {"-n", &dry, NULL}, {"--every", NULL, &every}, {0}};
    if (arguments_read(command, options, argc, argv, 0, 0) < 0 ||
        !seconds_read(command, "--every", every, &seconds))
        return STATUS_WRONG_USE;
    if (dry && every != NULL)
        return wrong_use(command, "--dry-run is done once: no --every");
    if (every != NULL)
        return prune_for_ever(seconds);
    if (!dry)
        return prune(false);
    int status = leftovers_list(print, NULL);
    return status == SHMX_OK ? STATUS_YES : failed(status);
}

const struct command command_prune = {
    "prune", "[--dry-run | --every SECONDS]", "Free the segments whose users were all killed",
    "Segments in use, persistent ones and those of other programs are never\n"
    "touched. Nobody has to run this: the next to create or open such a name frees\n"
    "it too.\n\n"
    "  -n, --dry-run    print names and memory of what would be freed; free nothing\n"
    "  --every SECONDS  again and again until it is interrupted; say what was freed\n",
    run};
