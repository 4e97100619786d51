/* SPDX-License-Identifier: MIT */
/* Shared by several subcommands: dealings with a segment. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "system.h"

shmx *segment_open(const char *name, unsigned flags, int *status)
{
    shmx *shm;
    int result = shmx_open(&shm, name, flags);
    *status = result == SHMX_OK ? STATUS_YES : complain("open", name, result);
    return shm;
}

bool part_read(const struct command *command, struct part *part, const shmx *shm, int *status)
{
    uint64_t offset = 0, count = 0;
    *status = STATUS_WRONG_USE;
    if (part->offset_text != NULL && !size_read(command, part->offset_text, &offset))
        return false;
    if (part->count_text != NULL && !size_read(command, part->count_text, &count))
        return false;
    *status = STATUS_NO;
    size_t size = shmx_size(shm);
    if (offset > size) {
        fprintf(stderr, "shmx: \"%s\" has %zu bytes: offset %" PRIu64 " is behind its end\n",
                shmx_name(shm), size, offset);
        return false;
    }
    if (count > size - offset) {
        fprintf(stderr,
                "shmx: \"%s\" has %zu bytes: there are only %" PRIu64 " from offset %" PRIu64
                " on, not %" PRIu64 "\n",
                shmx_name(shm), size, size - offset, offset, count);
        return false;
    }
    part->offset = (size_t)offset;
    part->count = part->count_text != NULL ? (size_t)count : size - part->offset;
    *status = STATUS_YES;
    return true;
}

int part_visit(const struct command *command, int argc, char **argv,
               bool (*visit)(const shmx *shm, const struct part *part))
{
    struct part part = {0};
    const struct option options[] = {PART_OPTIONS(part), {0}};
    if (arguments_read(command, options, argc, argv, 1, 1) < 0)
        return STATUS_WRONG_USE;
    int status;
    shmx *shm = segment_open(argv[0], SHMX_READ_ONLY, &status);
    if (shm == NULL)
        return status;
    if (part_read(command, &part, shm, &status) && !visit(shm, &part))
        status = STATUS_NO;
    shmx_close(&shm);
    return status;
}

static bool cut_short(const shmx *shm)
{
    fprintf(stderr, "shmx: \"%s\" was made shorter by another program: its memory ends early\n",
            shmx_name(shm));
    return false;
}

bool segment_read(const shmx *shm, size_t offset, void *bytes, size_t count)
{
    const unsigned char *data = shmx_data(shm);
    return system_copy(bytes, data + offset, count) || cut_short(shm);
}

bool segment_write(shmx *shm, size_t offset, const void *bytes, size_t count)
{
    unsigned char *data = shmx_data(shm);
    return system_copy(data + offset, bytes, count) || cut_short(shm);
}

/* ---- in words ---- */

static const char *const state_names[] = {"live", "persistent", "foreign", "dead", "damaged"};

enum state state_of(const shmx_info *info)
{
    return info->foreign                          ? STATE_FOREIGN
           : (info->flags & SHMX_PERSISTENT) != 0 ? STATE_PERSISTENT
                                                  : STATE_LIVE;
}

const char *state_text(enum state state)
{
    return state_names[state];
}

bool state_known(const char *text)
{
    for (size_t i = 0; i < sizeof state_names / sizeof state_names[0]; i++)
        if (strcmp(state_names[i], text) == 0)
            return true;
    return false;
}

const char *age_text(uint64_t created, char buffer[32])
{
    static const struct {
        unsigned seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    if (created == 0)
        return "-";
    double age = difftime(time(NULL), (time_t)(created / 1000000000));
    uint64_t seconds = age > 0 ? (uint64_t)age : 0;
    size_t i = 0;
    while (i < 3 && seconds < units[i].seconds)
        i++;
    snprintf(buffer, 32, "%" PRIu64 " %s", seconds / units[i].seconds, units[i].unit);
    return buffer;
}

static const struct {
    unsigned bit;
    const char *name;
} flag_names[] = {
    {SHMX_PERSISTENT, "persistent"},
    {SHMX_OTHERS_READ, "others-read"},
    {SHMX_OTHERS_WRITE, "others-write"},
    {SHMX_MACHINE_WIDE, "machine-wide"},
};

#define FLAG_NAMES (sizeof flag_names / sizeof flag_names[0])

const char *flags_text(const shmx_info *info, char buffer[128])
{
    int used = 0;
    for (size_t i = 0; i < FLAG_NAMES; i++)
        if ((info->flags & flag_names[i].bit) != 0)
            used += snprintf(buffer + used, 128 - (size_t)used, "%s%s", used > 0 ? "," : "",
                             flag_names[i].name);
    if (info->foreign)
        used += snprintf(buffer + used, 128 - (size_t)used, "%sforeign", used > 0 ? "," : "");
    return used > 0 ? buffer : "-";
}

enum creator creator_look(const shmx_info *info)
{
    if (info->foreign || info->creator_pid == 0)
        return CREATOR_UNKNOWN;
    int alive = system_process_alive(info->creator_pid, info->created);
    return alive < 0 ? CREATOR_UNKNOWN : alive ? CREATOR_ALIVE : CREATOR_DEAD;
}

#define KEYS_MOST 1000 /* a reader of a segment may be there under as many as it likes */

struct present {
    int (*visit)(uint32_t key, void *context);
    void *context;
    int count;
};

static int present_count(uint32_t key, void *context)
{
    struct present *present = context;
    present->visit(key, present->context);
    return ++present->count == KEYS_MOST;
}

bool present_list(const char *name, int (*visit)(uint32_t key, void *context), void *context)
{
    shmx *shm;
    struct present present = {visit, context, 0};
    if (shmx_open(&shm, name, SHMX_READ_ONLY) != SHMX_OK)
        return false;
    bool good = shmx_presence_list(shm, present_count, &present) >= 0;
    shmx_close(&shm);
    return good;
}

static int key_print_json(uint32_t key, void *context)
{
    const char **comma = context;
    printf("%s%" PRIu32, *comma, key);
    *comma = ", ";
    return 0;
}

static void present_print_json(const char *name)
{
    const char *comma = "";
    printf(", \"present\": [");
    present_list(name, key_print_json, &comma);
    putchar(']');
}

/* Names have no character that JSON would want escaped. */
static void pid_print_json(int64_t pid, void *context)
{
    const char **comma = context;
    printf("%s%" PRId64, *comma, pid);
    *comma = ", ";
}

static void pids_print_json(const char *name)
{
    const char *comma = "";
    printf(", \"user_pids\": ");
    if (!system_users(name, NULL, NULL)) {
        printf("null");
        return;
    }
    putchar('[');
    system_users(name, pid_print_json, &comma);
    putchar(']');
}

static void holder_print_json(int64_t pid, uint32_t first, uint32_t last, void *context)
{
    const char **comma = context;
    printf("%s{\"pid\": %" PRId64 ", \"first\": %" PRIu32 ", \"last\": %" PRIu32 "}", *comma, pid,
           first, last);
    *comma = ", ";
}

static void holders_print_json(const char *name)
{
    const char *comma = "";
    printf(", \"present_by\": ");
    if (!system_present(name, NULL, NULL)) {
        printf("null");
        return;
    }
    putchar('[');
    system_present(name, holder_print_json, &comma);
    putchar(']');
}

void info_print_json(const shmx_info *info, enum state state, bool in_full)
{
    static const char *const alive[] = {"null", "true", "false"};
    printf("{\"name\": \"%s\", \"size\": %" PRIu64 ", \"footprint\": %" PRIu64
           ", \"state\": \"%s\"",
           info->name, info->size, info->footprint, state_text(state));
    if (info->users >= 0)
        printf(", \"users\": %d", info->users);
    else
        printf(", \"users\": null");
    printf(", \"creator_pid\": %" PRId64 ", \"creator_alive\": %s, \"created_ns\": %" PRIu64
           ", \"flags\": [",
           info->creator_pid, alive[creator_look(info)], info->created);
    const char *comma = "";
    for (size_t i = 0; i < FLAG_NAMES; i++) {
        if ((info->flags & flag_names[i].bit) == 0)
            continue;
        printf("%s\"%s\"", comma, flag_names[i].name);
        comma = ", ";
    }
    printf("], \"foreign\": %s", info->foreign ? "true" : "false");
    if (in_full) {
        present_print_json(info->name);
        holders_print_json(info->name);
        pids_print_json(info->name);
    }
    putchar('}');
}
