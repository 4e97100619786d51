/* SPDX-License-Identifier: MIT */
/* shmx: look at shared memory, make it, fill it, clean it up. */
#include <string.h>

#include "command.h"
#include "system.h"

static const struct command *const commands[] = {
    &command_ls, &command_stat,  &command_create, &command_write, &command_cat,    &command_dump,
    &command_rm, &command_prune, &command_watch,  &command_topic, &command_doctor, &command_bench,
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static void help_all(FILE *stream)
{
    fprintf(stream, "usage: shmx COMMAND [ARGUMENT...]\n\n"
                    "Look at shared-memory segments, make them, fill them, clean them up.\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(stream, "  %-8s %s\n", commands[i]->name, commands[i]->purpose);
    fprintf(stream, "\nshmx COMMAND --help says more; shmx --version prints the version.\n"
                    "Status: 0 done, 1 it could not be done, 2 wrong use.\n");
}

static void help_one(const struct command *command)
{
    usage_print(stdout, command);
    printf("\n%s.\n", command->purpose);
    if (command->details[0] != '\0')
        printf("\n%s", command->details);
}

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int run(const char *word, int argc, char **argv)
{
    const struct command *command = command_find(word);
    if (command == NULL) {
        fprintf(stderr, "shmx: no command \"%s\"; shmx --help lists them\n", word);
        return STATUS_WRONG_USE;
    }
    if (asks_for_help(argc, argv)) {
        help_one(command);
        return STATUS_YES;
    }
    return command->run(command, argc, argv);
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        help_all(stderr);
        return STATUS_WRONG_USE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("shmx %s\n", shmx_version());
        return STATUS_YES;
    }
    if (strcmp(argv[1], "help") == 0 && argc > 2) {
        char *help[] = {(char[]){"--help"}, NULL};
        return run(argv[2], 1, help);
    }
    if (strcmp(argv[1], "help") == 0 || asks_for_help(1, argv + 1)) {
        help_all(stdout);
        return STATUS_YES;
    }
    return run(argv[1], argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
    system_begin(argv[0]);
    int status = dispatch(argc, argv);
    /* Output that did not arrive is not done. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "shmx: cannot write the output; is the disk full, or the reader gone?\n");
        return STATUS_NO;
    }
    return status;
}
