/* SPDX-License-Identifier: MIT */
/*
 * Shared by the subcommands of `shmx`. Each is one file with one struct command; main.c
 * has the list of them.
 */
#ifndef TOOL_COMMAND_H
#define TOOL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <shmx.h>

/* The exit statuses of the program. */
enum { STATUS_YES = 0, STATUS_NO = 1, STATUS_WRONG_USE = 2 };

struct command {
    const char *name;
    const char *operands; /* for the usage line: "NAME [--offset N]" */
    const char *purpose;  /* one line */
    const char *details;  /* for --help: what there is to know, and the options */
    int (*run)(const struct command *command, int argc, char **argv); /* argv[0]: first argument */
};

extern const struct command command_ls, command_stat, command_create, command_write, command_cat,
    command_dump, command_rm, command_prune, command_watch, command_topic, command_doctor,
    command_bench;

/* ---- arguments ---- */

/* A list of them ends with name NULL. */
struct option {
    const char *name;   /* "--json", "-l" */
    bool *given;        /* an option alone */
    const char **value; /* or one with a value: the next word, or what follows "=" */
};

/* Take the options out of argv, so that the operands are left in front, and return the number of
 * these; or, if the use is wrong, say so and return -1. */
int arguments_read(const struct command *command, const struct option *options, int argc,
                   char **argv, int least, int most);

/* Read a size, or say what is wrong with it and return false. */
bool size_read(const struct command *command, const char *text, uint64_t *size);

/* ---- sizes ---- */

/* "64K", "1.5G", "1000": K, M, G, T are powers of 1024, as are KB, KiB and so on. False: it is no
 * size. */
bool size_parse(const char *text, uint64_t *size);

/* "1.5 GiB", "64 KiB", "1000 B"; returns buffer. */
const char *size_text(uint64_t size, char buffer[32]);

/* The same in five characters at most: "1.5G", "64K", "1000"; returns buffer. */
const char *size_short(uint64_t size, char buffer[32]);

/* ---- names ---- */

/* The pattern fits the name: * is any run of characters, ? any one. */
bool name_matches(const char *name, const char *pattern);

/* ---- messages ---- */

/* Print the usage line of a command, in lines that fit a terminal of 80 columns. */
void usage_print(FILE *stream, const struct command *command);

/* Say that what was asked for cannot be had, and return the program's status. */
int wrong_use(const struct command *command, const char *format, ...);

/* "shmx: cannot open "NAME": no such segment; ..." with advice for the status; returns the
 * program's status. */
int complain(const char *what, const char *name, int status);

/* Escape sequences where they are wanted, and nothing elsewhere. */
struct style {
    const char *good, *bad, *mark, *plain;
};
const struct style *style_for(FILE *stream);

/* Long work: how far it is, on a terminal only. */
struct progress {
    const char *what;
    uint64_t total; /* bytes, 0 if it is not known */
    int64_t started, shown;
};
void progress_start(struct progress *progress, const char *what, uint64_t total);
void progress_show(struct progress *progress, uint64_t done);
void progress_end(struct progress *progress);

/* The thing that is measured now, on a terminal only. */
void measuring_show(const char *what);

/* ---- segments ---- */

/* Attach, or complain: then NULL, and *status is the program's. */
shmx *segment_open(const char *name, unsigned flags, int *status);

/* A part of a segment, chosen by --offset and --count. */
struct part {
    const char *offset_text, *count_text; /* NULL: from the start; to the end */
    size_t offset, count;
};
#define PART_OPTIONS(part)                                                                         \
    {"--offset", NULL, &(part).offset_text},                                                       \
    {                                                                                              \
        "--count", NULL, &(part).count_text                                                        \
    }

/* Work out offset and count, or say what is wrong: then *status is the program's. */
bool part_read(const struct command *command, struct part *part, const shmx *shm, int *status);

/* Run a subcommand that reads the part of a segment that its arguments name; visit complains where
 * it returns false. */
int part_visit(const struct command *command, int argc, char **argv,
               bool (*visit)(const shmx *shm, const struct part *part));

/* Copy bytes of a segment out, or into it; false, with a message, if another program has made its
 * memory shorter meanwhile. */
bool segment_read(const shmx *shm, size_t offset, void *bytes, size_t count);
bool segment_write(shmx *shm, size_t offset, const void *bytes, size_t count);

/* A segment whose users were all killed and that nothing has freed yet, or a damaged one. */
struct leftover {
    shmx_info info;
    bool damaged; /* then only name, size and footprint are known */
};
int leftovers_list(void (*visit)(const struct leftover *leftover, void *context), void *context);
bool is_dead(const char *name); /* a leftover that is not damaged */

enum state { STATE_LIVE, STATE_PERSISTENT, STATE_FOREIGN, STATE_DEAD, STATE_DAMAGED };
enum state state_of(const shmx_info *info); /* of one that is no leftover */
const char *state_text(enum state state);
bool state_known(const char *text);

/* "5 min"; "-" if it is not known. */
const char *age_text(uint64_t created, char buffer[32]);

/* "persistent,others-read"; "-" if there are none. */
const char *flags_text(const shmx_info *info, char buffer[128]);

enum creator { CREATOR_UNKNOWN, CREATOR_ALIVE, CREATOR_DEAD };
enum creator creator_look(const shmx_info *info);

/* Call visit with the keys under which somebody is there, and not more than a thousand of them;
 * false: the segment cannot be opened. */
bool present_list(const char *name, int (*visit)(uint32_t key, void *context), void *context);

/* One object; in_full: and the processes that use it, and the keys of those present. */
void info_print_json(const shmx_info *info, enum state state, bool in_full);

/* "--every 60": seconds, more than 0; false, with a message, if it is none. NULL changes nothing.
 */
bool seconds_read(const struct command *command, const char *option, const char *text,
                  double *seconds);

#define HEX_WIDTH 16

/* One line as `hexdump -C` prints it, of 1 to `width` bytes (16, or less where there is no room);
 * changed (or NULL): which to mark. */
void hex_line(FILE *stream, uint64_t offset, const unsigned char *bytes, size_t count, size_t width,
              const bool *changed);

/* A run of lines, in which those equal to the one above are shown as one "*". Start with zeros. */
struct hex_dump {
    unsigned char last[HEX_WIDTH];
    bool any, starred;
};
void hex_next(FILE *stream, struct hex_dump *dump, uint64_t offset, const unsigned char *bytes,
              size_t count);

#endif
