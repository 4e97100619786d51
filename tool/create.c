/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "command.h"
#include "system.h"

static bool others_read(const struct command *command, const char *text, unsigned *flags)
{
    if (text == NULL)
        return true;
    if (strcmp(text, "read") == 0) {
        *flags |= SHMX_OTHERS_READ;
        return true;
    }
    if (strcmp(text, "write") == 0) {
        *flags |= SHMX_OTHERS_WRITE;
        return true;
    }
    wrong_use(command, "--others takes read or write, not \"%s\"", text);
    return false;
}

/* A segment lives as long as its users, and this command is its first. */
static void hold(const shmx *shm)
{
    fprintf(stderr,
            "shmx: \"%s\" is held until this command ends (Ctrl-C); with --persistent it would "
            "stay\n",
            shmx_name(shm));
    system_await_stop();
}

static int run(const struct command *command, int argc, char **argv)
{
    bool persistent = false, machine_wide = false;
    const char *others = NULL;
    const struct option options[] = {{"--persistent", &persistent, NULL},
                                     {"--machine-wide", &machine_wide, NULL},
                                     {"--others", NULL, &others},
                                     {0}};
    uint64_t size;
    unsigned flags = 0;
    if (arguments_read(command, options, argc, argv, 2, 2) < 0 ||
        !size_read(command, argv[1], &size) || !others_read(command, others, &flags))
        return STATUS_WRONG_USE;
    if (size == 0)
        return wrong_use(command, "a segment has at least 1 byte");
    if (argv[0][0] == '\0')
        return complain("create", argv[0], SHMX_EINVAL);
    if (size > SIZE_MAX)
        return complain("create", argv[0], SHMX_ENOMEM);
    flags |= (persistent ? SHMX_PERSISTENT : 0) | (machine_wide ? SHMX_MACHINE_WIDE : 0);
    system_catch_stop();
    shmx *shm;
    int status = shmx_create(&shm, argv[0], (size_t)size, flags);
    if (status != SHMX_OK)
        return complain("create", argv[0], status);
    puts(shmx_name(shm));
    bool told = fflush(stdout) == 0; /* else main complains, and nothing stays */
    if (!told)
        shmx_unlink(shmx_name(shm));
    else if (!persistent)
        hold(shm);
    shmx_close(&shm);
    return STATUS_YES;
}

const struct command command_create = {
    "create", "NAME SIZE [--persistent] [--others read|write] [--machine-wide]",
    "Create a segment of zeros and print its name",
    "SIZE is in bytes, or like 64K, 1.5G (K, M, G, T: powers of 1024).\n\n"
    "A segment lives as long as its users. Without --persistent this command is\n"
    "the first of them: it prints the name and stays until it is interrupted\n"
    "(Ctrl-C) or ended; the segment then stays for as long as others use it.\n\n"
    "  --persistent    end at once; the segment stays until it is removed\n"
    "                  (shmx rm) or the machine restarts\n"
    "  --others read   other users of the machine may read it\n"
    "  --others write  other users may read and write it\n"
    "  --machine-wide  Windows: visible in all login sessions\n",
    run};
