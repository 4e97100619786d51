/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "system.h"

struct list {
    shmx_info *infos;
    size_t count, room;
};

static int list_add(const shmx_info *info, void *context)
{
    struct list *list = context;
    if (list->count == list->room) {
        size_t room = list->room * 2 + 64;
        shmx_info *infos = realloc(list->infos, room * sizeof *infos);
        if (infos == NULL)
            return SHMX_ENOMEM;
        list->infos = infos;
        list->room = room;
    }
    list->infos[list->count++] = *info;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const shmx_info *)a)->name, ((const shmx_info *)b)->name);
}

/* ---- as a table ---- */

static void creator_print(const shmx_info *info)
{
    static const char *const words[] = {"", " alive", " gone"};
    enum creator creator = creator_look(info);
    const struct style *style = style_for(stdout);
    const char *colour = creator == CREATOR_DEAD ? style->bad : "";
    char text[48];
    if (info->creator_pid == 0)
        snprintf(text, sizeof text, "-");
    else
        snprintf(text, sizeof text, "%" PRId64 "%s", info->creator_pid, words[creator]);
    printf("  %s%-14s%s", colour, text, colour[0] != '\0' ? style->plain : "");
}

static void row_print(const shmx_info *info, int width)
{
    char size[32], memory[32], age[32], flags[128], users[16] = "?";
    if (info->users >= 0)
        snprintf(users, sizeof users, "%d", info->users);
    printf("%-*s  %10s  %10s  %5s", width, info->name, size_text(info->size, size),
           size_text(info->footprint, memory), users);
    creator_print(info);
    printf("  %-7s  %s\n", age_text(info->created, age), flags_text(info, flags));
}

static void table_print(const struct list *list)
{
    int width = 4;
    for (size_t i = 0; i < list->count; i++)
        if ((int)strlen(list->infos[i].name) > width)
            width = (int)strlen(list->infos[i].name);
    printf("%-*s  %10s  %10s  %5s  %-14s  %-7s  %s\n", width, "NAME", "SIZE", "MEMORY", "USERS",
           "CREATOR", "AGE", "FLAGS");
    for (size_t i = 0; i < list->count; i++)
        row_print(&list->infos[i], width);
}

static void names_print(const struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        puts(list->infos[i].name);
}

static void json_print(const struct list *list)
{
    putchar('[');
    for (size_t i = 0; i < list->count; i++) {
        fputs(i == 0 ? "\n  " : ",\n  ", stdout);
        info_print_json(&list->infos[i]);
    }
    puts(list->count > 0 ? "\n]" : "]");
}

static int run(const struct command *command, int argc, char **argv)
{
    bool details = false, json = false;
    const struct option options[] = {
        {"-l", &details, NULL}, {"--long", &details, NULL}, {"--json", &json, NULL}, {0}};
    if (arguments_read(command, options, argc, argv, 0, 0) < 0)
        return STATUS_WRONG_USE;
    struct list list = {0};
    int status = shmx_list(list_add, &list);
    if (status != SHMX_OK) {
        free(list.infos);
        fprintf(stderr, "shmx: cannot list segments: %s\n", shmx_strerror(status));
        return STATUS_NO;
    }
    if (list.count > 0)
        qsort(list.infos, list.count, sizeof *list.infos, by_name);
    if (json)
        json_print(&list);
    else if (list.count == 0 && system_is_terminal(stdout))
        fputs("no segments\n", stderr);
    else if (details)
        table_print(&list);
    else
        names_print(&list);
    free(list.infos);
    return STATUS_YES;
}

const struct command command_ls = {
    "ls", "[-l] [--json]", "List the segments that this user may see",
    "One name a line, in order of name.\n\n"
    "  -l, --long  a table: size, memory really used, users (attachments in all\n"
    "              processes), creator and whether it still runs, age, flags\n"
    "  --json      an array of objects with all of it\n",
    run};
