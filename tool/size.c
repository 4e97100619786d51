/* SPDX-License-Identifier: MIT */
/* Sizes in words: read, and written. */
#include <string.h>

#include "command.h"

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
    return *text == '\0' || strcmp(text, "B") == 0 || strcmp(text, "iB") == 0;
}

const char *size_short(uint64_t size, char buffer[32])
{
    size_t unit = 0;
    double value = (double)size;
    for (; value >= 1023.5; unit++)
        value /= 1024;
    /* "1.5G", but "64K" and "200M". */
    bool whole = value >= 99.5 || value == (double)(uint64_t)value;
    snprintf(buffer, 32, whole ? "%.0f%.1s" : "%.1f%.1s", value,
             unit > 0 ? &"KMGTPE"[unit - 1] : "");
    return buffer;
}

const char *size_text(uint64_t size, char buffer[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    double value = (double)size;
    for (; value >= 1024 && unit < 6; unit++)
        value /= 1024;
    /* Whole numbers whole: "1000 B", "64 KiB", but "1.5 GiB". */
    bool whole = value == (double)(uint64_t)value;
    snprintf(buffer, 32, whole ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return buffer;
}
