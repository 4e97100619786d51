/* SPDX-License-Identifier: MIT */
/* Patterns of names: * is any run of characters, ? any one. */
#include "command.h"

bool name_matches(const char *name, const char *pattern)
{
    const char *star = NULL, *retry = NULL;
    while (*name != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            retry = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star != NULL) { /* the last star takes one more */
            pattern = star;
            name = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}
