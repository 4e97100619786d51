/* SPDX-License-Identifier: MIT */
/* Messages, colours, progress. */
#include <stdarg.h>
#include <stdlib.h>

#include "command.h"
#include "system.h"

#define COLUMNS 80

/* The length of the operand that begins here: a word, or all that is in brackets. */
static int operand_length(const char *text)
{
    int length = 0, depth = 0;
    for (; text[length] != '\0' && (text[length] != ' ' || depth > 0); length++)
        depth += (text[length] == '[') - (text[length] == ']');
    return length;
}

void usage_print(FILE *stream, const struct command *command)
{
    int indent = fprintf(stream, "usage: shmx %s", command->name), column = indent;
    for (const char *at = command->operands; *at != '\0'; at += *at == ' ') {
        int length = operand_length(at);
        if (column + 1 + length > COLUMNS)
            column = fprintf(stream, "\n%*s", indent, "") - 1;
        column += fprintf(stream, " %.*s", length, at);
        at += length;
    }
    fputc('\n', stream);
}

int wrong_use(const struct command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "shmx %s: ", command->name);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    usage_print(stderr, command);
    return STATUS_WRONG_USE;
}

static const char *advice(const char *name, int status)
{
    switch (status) {
    case SHMX_EEXIST:
        return "; \"shmx rm\" removes it, \"shmx stat\" shows who uses it";
    case SHMX_ENOENT:
        return is_dead(name) ? "; its users were killed, \"shmx prune\" frees its memory"
                             : "; \"shmx ls\" shows those that exist";
    case SHMX_EACCES:
        return "; it may be another user's, whose creator did not allow it to others";
    case SHMX_ENOSPC:
        return "; \"shmx doctor\" shows how much room there is and how to get more";
    case SHMX_EMFILE:
        return "; \"shmx doctor\" shows the limit";
    case SHMX_EAGAIN:
        return "; its creator is slow: try again";
    case SHMX_EPROTO:
        return "; \"shmx rm\" removes it";
    case SHMX_ENOTSUP:
        return "; SUPPORT.md says which system can do what";
    default:
        return "";
    }
}

int complain(const char *what, const char *name, int status)
{
    const char *flaw = shmx_name_error(name);
    fprintf(stderr, "shmx: cannot %s \"%s\": %s", what, name,
            flaw != NULL ? flaw : shmx_strerror(status));
    if (status == SHMX_EIO)
        fprintf(stderr, " (system error %d)", shmx_os_error());
    fprintf(stderr, "%s\n", flaw != NULL ? "" : advice(name, status));
    return status == SHMX_EINVAL || status == SHMX_ENAMETOOLONG ? STATUS_WRONG_USE : STATUS_NO;
}

/* ---- colours ---- */

static bool use_colour(FILE *stream)
{
    const char *no_colour = getenv("NO_COLOR");
    return (no_colour == NULL || no_colour[0] == '\0') && system_can_colour(stream);
}

const struct style *style_for(FILE *stream)
{
    static const struct style none = {"", "", "", ""};
    static const struct style colours = {"\033[32m", "\033[31m", "\033[7m", "\033[0m"};
    return use_colour(stream) ? &colours : &none;
}

/* ---- progress ---- */

#define SHOW_AFTER 500000000
#define SHOW_EVERY 100000000

void progress_start(struct progress *progress, const char *what, uint64_t total)
{
    *progress = (struct progress){what, total, system_now(), 0};
}

void progress_show(struct progress *progress, uint64_t done)
{
    int64_t now = system_now();
    if (now - progress->started < SHOW_AFTER || now - progress->shown < SHOW_EVERY ||
        !system_is_terminal(stderr))
        return;
    progress->shown = now;
    char buffer[32], total[32];
    if (progress->total != 0)
        fprintf(stderr, "\r%s %s of %s   ", progress->what, size_text(done, buffer),
                size_text(progress->total, total));
    else
        fprintf(stderr, "\r%s %s   ", progress->what, size_text(done, buffer));
    fflush(stderr);
}

void progress_end(struct progress *progress)
{
    if (progress->shown != 0)
        fprintf(stderr, "\r%60s\r", "");
}

void measuring_show(const char *what)
{
    if (system_is_terminal(stderr))
        fprintf(stderr, "\rmeasuring: %-40s\r", what);
}
