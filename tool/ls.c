/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "system.h"

struct row {
    shmx_info info;
    enum state state;
};

struct list {
    struct row *rows;
    size_t count, room;
    char **patterns; /* of operands; none: all */
    int pattern_count;
    bool *matched;
    const char *state; /* --state, or NULL */
    int status;        /* of adding leftovers */
};

/* ---- collecting ---- */

static bool wanted(struct list *list, const shmx_info *info, enum state state)
{
    bool match = list->pattern_count == 0;
    for (int i = 0; i < list->pattern_count; i++) {
        if (!name_matches(info->name, list->patterns[i]))
            continue;
        list->matched[i] = true;
        match = true;
    }
    return match && (list->state == NULL || strcmp(list->state, state_text(state)) == 0);
}

static int list_add(struct list *list, const shmx_info *info, enum state state)
{
    if (!wanted(list, info, state))
        return 0;
    if (list->count == list->room) {
        size_t room = list->room * 2 + 64;
        struct row *rows = realloc(list->rows, room * sizeof *rows);
        if (rows == NULL)
            return SHMX_ENOMEM;
        list->rows = rows;
        list->room = room;
    }
    list->rows[list->count++] = (struct row){*info, state};
    return 0;
}

static int add_living(const shmx_info *info, void *context)
{
    return list_add(context, info, state_of(info));
}

static void add_leftover(const struct leftover *leftover, void *context)
{
    struct list *list = context;
    int status = list_add(list, &leftover->info, leftover->damaged ? STATE_DAMAGED : STATE_DEAD);
    if (status != 0)
        list->status = status;
}

static int list_fill(struct list *list, bool leftovers)
{
    int status = shmx_list(add_living, list);
    if (status == SHMX_OK && leftovers)
        status = leftovers_list(add_leftover, list);
    return status != SHMX_OK ? status : list->status;
}

/* ---- order ---- */

static int by_name(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return strcmp(x->info.name, y->info.name);
}

/* The larger, or newer, first; then by name. */
static int by_number(const void *a, const void *b, uint64_t x, uint64_t y)
{
    return x != y ? (x < y) - (x > y) : by_name(a, b);
}

static int by_size(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return by_number(a, b, x->info.size, y->info.size);
}

static int by_memory(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return by_number(a, b, x->info.footprint, y->info.footprint);
}

static int by_users(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return by_number(a, b, (uint64_t)x->info.users + 1, (uint64_t)y->info.users + 1);
}

static int by_age(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return by_number(a, b, x->info.created, y->info.created);
}

static const struct order {
    const char *name;
    int (*compare)(const void *a, const void *b);
} orders[] = {{"name", by_name},   {"size", by_size}, {"memory", by_memory},
              {"users", by_users}, {"age", by_age},   {NULL, NULL}};

static const struct order *order_find(const char *name)
{
    const struct order *order = orders;
    while (name != NULL && order->name != NULL && strcmp(order->name, name) != 0)
        order++;
    return order;
}

static void reverse(struct list *list)
{
    for (size_t i = 0, j = list->count; i + 1 < j; i++) {
        struct row row = list->rows[--j];
        list->rows[j] = list->rows[i];
        list->rows[i] = row;
    }
}

/* ---- as a table ---- */

static void creator_print(const shmx_info *info)
{
    static const char *const words[] = {"", "", " gone"};
    char text[48] = "-";
    if (info->creator_pid != 0)
        snprintf(text, sizeof text, "%" PRId64 "%s", info->creator_pid, words[creator_look(info)]);
    printf(" %-12s", text);
}

static void row_print(const struct row *row)
{
    static const char *const access_words[] = {"-", "owner", "read", "write"};
    const shmx_info *info = &row->info;
    const struct style *style = style_for(stdout);
    const char *colour = row->state >= STATE_DEAD ? style->bad : "";
    char size[32], memory[32], age[32], owner[32], users[16] = "?";
    if (info->users >= 0)
        snprintf(users, sizeof users, "%d", info->users);
    enum access others = system_owner(info, owner);
    printf("%s%-10s%s %-8s %-6s %5s %6s %5s", colour, state_text(row->state),
           colour[0] != '\0' ? style->plain : "", owner, access_words[others],
           size_short(info->size, size), size_short(info->footprint, memory), users);
    creator_print(info);
    printf(" %-6s %s\n", age_text(info->created, age), info->name);
}

static void table_print(const struct list *list)
{
    printf("%-10s %-8s %-6s %5s %6s %5s %-12s %-6s %s\n", "STATE", "OWNER", "OTHERS", "SIZE",
           "MEMORY", "USERS", "CREATOR", "AGE", "NAME");
    for (size_t i = 0; i < list->count; i++)
        row_print(&list->rows[i]);
}

static void names_print(const struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        puts(list->rows[i].info.name);
}

static void json_print(const struct list *list)
{
    putchar('[');
    for (size_t i = 0; i < list->count; i++) {
        fputs(i == 0 ? "\n  " : ",\n  ", stdout);
        info_print_json(&list->rows[i].info, list->rows[i].state, false);
    }
    puts(list->count > 0 ? "\n]" : "]");
}

/* ---- the command ---- */

static int misses(const char *pattern)
{
    if (strpbrk(pattern, "*?") == NULL)
        return complain("list", pattern,
                        shmx_name_error(pattern) != NULL ? SHMX_EINVAL : SHMX_ENOENT);
    fprintf(stderr, "shmx: no segment has a name like \"%s\"\n", pattern);
    return STATUS_NO;
}

/* Say which operands nothing fits. */
static int missing_tell(const struct list *list)
{
    int worst = STATUS_YES;
    for (int i = 0; i < list->pattern_count; i++) {
        int status = list->matched[i] ? STATUS_YES : misses(list->patterns[i]);
        worst = status > worst ? status : worst;
    }
    return worst;
}

static int show(struct list *list, const struct order *order, bool backwards, bool details,
                bool json)
{
    int status = list_fill(list, details || json || list->state != NULL || list->pattern_count > 0);
    if (status != SHMX_OK) {
        fprintf(stderr, "shmx: cannot list segments: %s\n", shmx_strerror(status));
        return STATUS_NO;
    }
    if (list->count > 0)
        qsort(list->rows, list->count, sizeof *list->rows, order->compare);
    if (backwards)
        reverse(list);
    if (json)
        json_print(list);
    else if (list->count == 0 && list->pattern_count == 0 && system_is_terminal(stdout))
        fputs("no segments\n", stderr);
    else if (details && list->count > 0)
        table_print(list);
    else
        names_print(list);
    return missing_tell(list);
}

static int run(const struct command *command, int argc, char **argv)
{
    bool details = false, json = false, backwards = false;
    struct list list = {.patterns = argv};
    const char *sort = "name";
    const struct option options[] = {{"-l", &details, NULL},
                                     {"--long", &details, NULL},
                                     {"--json", &json, NULL},
                                     {"--reverse", &backwards, NULL},
                                     {"--sort", NULL, &sort},
                                     {"--state", NULL, &list.state},
                                     {0}};
    list.pattern_count = arguments_read(command, options, argc, argv, 0, INT_MAX);
    if (list.pattern_count < 0)
        return STATUS_WRONG_USE;
    const struct order *order = order_find(sort);
    if (order->name == NULL)
        return wrong_use(command, "--sort takes name, size, memory, users or age, not \"%s\"",
                         sort);
    if (list.state != NULL && !state_known(list.state))
        return wrong_use(command,
                         "--state takes live, persistent, foreign, dead or damaged, not \"%s\"",
                         list.state);
    list.matched = calloc((size_t)list.pattern_count + 1, sizeof *list.matched);
    if (list.matched == NULL)
        return complain("list", "", SHMX_ENOMEM);
    int status = show(&list, order, backwards, details, json);
    free(list.rows);
    free(list.matched);
    return status;
}

const struct command command_ls = {
    "ls", "[-l] [--json] [--sort KEY] [--reverse] [--state STATE] [NAME...]",
    "List the segments that this user may see",
    "One name a line. A NAME may be a pattern: * is any run of characters, ? any one.\n\n"
    "  -l, --long     a table: state, owner, what other users may do, size, memory\n"
    "                 really used, users (attachments in all processes), creator, age\n"
    "  --json         an array of objects with all of it\n"
    "  --sort KEY     name, size, memory, users or age; the largest or newest first\n"
    "  --reverse      the other way round\n"
    "  --state STATE  only live, persistent, foreign, dead or damaged ones\n\n"
    "A segment is dead when all of its users were killed: shmx prune frees it. It is\n"
    "damaged when its control block cannot be believed: shmx rm takes its name away.\n"
    "Both are shown by -l, --json and --state, and when their name is given.\n",
    run};
