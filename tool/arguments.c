/* SPDX-License-Identifier: MIT */
/* Options, operands and sizes. */
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

/* ---- sizes ---- */

/* Digits with an optional fraction, in units of `unit`; fractions of a byte count as one. */
static bool number_read(const char **text, uint64_t unit, uint64_t *result)
{
    const char *at = *text;
    uint64_t whole = 0, part = 0, scale = 1;
    if (*at < '0' || *at > '9')
        return false;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (whole > (UINT64_MAX - 9) / 10)
            return false;
        whole = whole * 10 + (uint64_t)(*at - '0');
    }
    if (*at == '.') {
        if (*++at < '0' || *at > '9')
            return false;
        for (; *at >= '0' && *at <= '9' && scale < 1000000; at++, scale *= 10)
            part = part * 10 + (uint64_t)(*at - '0');
    }
    *text = at;
    if (whole > UINT64_MAX / unit)
        return false;
    uint64_t fraction = (part * unit + scale - 1) / scale;
    *result = whole * unit + fraction;
    return *result >= fraction;
}

static uint64_t unit_of(char letter)
{
    switch (letter) {
    case 'k':
    case 'K':
        return UINT64_C(1) << 10;
    case 'm':
    case 'M':
        return UINT64_C(1) << 20;
    case 'g':
    case 'G':
        return UINT64_C(1) << 30;
    case 't':
    case 'T':
        return UINT64_C(1) << 40;
    default:
        return 1;
    }
}

bool size_parse(const char *text, uint64_t *size)
{
    size_t digits = strspn(text, "0123456789.");
    uint64_t unit = unit_of(text[digits]);
    if (unit == 1 && strchr(text, '.') != NULL)
        return false; /* half a byte */
    if (!number_read(&text, unit, size))
        return false;
    if (unit == 1)
        return *text == '\0' || strcmp(text, "B") == 0;
    text++;
    return *text == '\0' || strcmp(text, "iB") == 0;
}

bool size_read(const struct command *command, const char *text, uint64_t *size)
{
    if (size_parse(text, size))
        return true;
    wrong_use(command, "\"%s\" is no size; write bytes, or 64K, 1.5G (K, M, G, T: powers of 1024)",
              text);
    return false;
}
