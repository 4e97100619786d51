/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "command.h"

static void hex_byte(FILE *stream, unsigned byte, bool marked, const struct style *style)
{
    if (marked && style->mark[0] != '\0')
        fprintf(stream, " %s%02x%s", style->mark, byte, style->plain);
    else
        fprintf(stream, " %02x", byte);
}

static void text_byte(FILE *stream, int byte, bool marked, const struct style *style)
{
    int shown = byte >= 32 && byte < 127 ? byte : '.';
    if (marked && style->mark[0] != '\0')
        fprintf(stream, "%s%c%s", style->mark, shown, style->plain);
    else
        fputc(shown, stream);
}

void hex_line(FILE *stream, uint64_t offset, const unsigned char *bytes, size_t count, size_t width,
              const bool *changed)
{
    const struct style *style = style_for(stream);
    fprintf(stream, "%08" PRIx64 " ", offset);
    for (size_t i = 0; i < width; i++) {
        if (i < count)
            hex_byte(stream, bytes[i], changed != NULL && changed[i], style);
        else
            fputs("   ", stream);
        if (i == HEX_WIDTH / 2 - 1)
            fputc(' ', stream);
    }
    fputs("  |", stream);
    for (size_t i = 0; i < count; i++)
        text_byte(stream, bytes[i], changed != NULL && changed[i], style);
    fputs("|\n", stream);
}

void hex_next(FILE *stream, struct hex_dump *dump, uint64_t offset, const unsigned char *bytes,
              size_t count)
{
    if (dump->any && count == HEX_WIDTH && memcmp(bytes, dump->last, HEX_WIDTH) == 0) {
        if (!dump->starred)
            fputs("*\n", stream);
        dump->starred = true;
        return;
    }
    hex_line(stream, offset, bytes, count, HEX_WIDTH, NULL);
    memcpy(dump->last, bytes, count);
    dump->any = true;
    dump->starred = false;
}
