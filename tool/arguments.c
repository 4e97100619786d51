/* SPDX-License-Identifier: MIT */
/* Options, operands, sizes and seconds among them. */
#include <stdlib.h>
#include <string.h>

#include "command.h"

/* "--offset=5" or "--offset": true if the word is this option; *behind is what follows "=". */
static bool is_option(const char *word, const struct option *option, char **behind, char *argument)
{
    size_t length = strlen(option->name);
    if (strncmp(word, option->name, length) != 0)
        return false;
    if (word[length] == '\0')
        return true;
    *behind = argument + length + 1;
    return word[length] == '=' && option->value != NULL;
}

static const struct option *option_find(const struct option *options, char *word, char **behind)
{
    for (; options->name != NULL; options++)
        if (is_option(word, options, behind, word))
            return options;
    return NULL;
}

/* Read the option at argv[*at]; false: it is wrong, and that has been said. */
static bool option_read(const struct command *command, const struct option *options, int argc,
                        char **argv, int *at)
{
    char *value = NULL;
    const struct option *option = option_find(options, argv[*at], &value);
    if (option == NULL) {
        wrong_use(command, "unknown option %s", argv[*at]);
        return false;
    }
    if (option->value == NULL) {
        *option->given = true;
        return true;
    }
    if (value == NULL && *at + 1 < argc)
        value = argv[++*at];
    if (value == NULL)
        wrong_use(command, "%s needs a value", option->name);
    *option->value = value;
    return value != NULL;
}

int arguments_read(const struct command *command, const struct option *options, int argc,
                   char **argv, int least, int most)
{
    int operands = 0;
    bool no_more = false;
    for (int i = 0; i < argc; i++) {
        if (!no_more && strcmp(argv[i], "--") == 0)
            no_more = true;
        else if (no_more || argv[i][0] != '-' || argv[i][1] == '\0')
            argv[operands++] = argv[i];
        else if (!option_read(command, options, argc, argv, &i))
            return -1;
    }
    if (operands < least || operands > most) {
        wrong_use(command, operands < least ? "too few arguments" : "too many arguments");
        return -1;
    }
    return operands;
}

bool size_read(const struct command *command, const char *text, uint64_t *size)
{
    if (size_parse(text, size))
        return true;
    wrong_use(command, "\"%s\" is no size; write bytes, or 64K, 1.5G (K, M, G, T: powers of 1024)",
              text);
    return false;
}

bool seconds_read(const struct command *command, const char *option, const char *text,
                  double *seconds)
{
    if (text == NULL)
        return true;
    char *end;
    *seconds = strtod(text, &end);
    if (end != text && *end == '\0' && *seconds > 0 && *seconds <= 1e6)
        return true;
    wrong_use(command, "%s takes seconds, not \"%s\"", option, text);
    return false;
}
