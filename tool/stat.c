/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <time.h>

#include "command.h"
#include "system.h"

static void time_print(uint64_t created)
{
    char text[64] = "-", age[32];
    time_t seconds = (time_t)(created / 1000000000);
    const struct tm *utc = created != 0 ? gmtime(&seconds) : NULL;
    if (utc != NULL)
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", utc);
    printf("created:  %s", text);
    if (utc != NULL)
        printf(" (%s ago)", age_text(created, age));
    putchar('\n');
}

static void owner_print(const shmx_info *info)
{
    static const char *const words[] = {"", ": nothing", ": read", ": read and write"};
    char owner[32];
    enum access others = system_owner(info, owner);
    if (others != ACCESS_UNKNOWN)
        printf("owner:    %s (others%s)\n", owner, words[others]);
}

static void user_print(int64_t pid, void *context)
{
    int *count = context;
    printf(++*count == 1 ? "used by:  %" PRId64 : " %" PRId64, pid);
}

static void users_print(const char *name)
{
    int count = 0;
    if (system_users(name, user_print, &count) && count > 0)
        putchar('\n');
}

static int key_print(uint32_t key, void *context)
{
    int *count = context;
    printf(++*count == 1 ? "present:  %" PRIu32 : " %" PRIu32, key);
    return 0;
}

static void present_print(const char *name)
{
    int count = 0;
    present_list(name, key_print, &count);
    if (count > 0)
        putchar('\n');
}

static void holder_print(int64_t pid, uint32_t first, uint32_t last, void *context)
{
    int *count = context;
    printf(++*count == 1 ? "by:       " : ", ");
    printf("process %" PRId64 " (%" PRIu32, pid, first);
    printf(last == first ? ")" : "-%" PRIu32 ")", last);
}

static void holders_print(const char *name)
{
    int count = 0;
    if (system_present(name, holder_print, &count) && count > 0)
        putchar('\n');
}

static void info_print(const shmx_info *info)
{
    static const char *const words[] = {"", " (alive)", " (gone)"};
    char text[32], flags[128];
    printf("name:     %s\n", info->name);
    printf("size:     %" PRIu64 " bytes (%s)\n", info->size, size_text(info->size, text));
    printf("memory:   %" PRIu64 " bytes really used (%s)\n", info->footprint,
           size_text(info->footprint, text));
    if (info->users >= 0)
        printf("users:    %d\n", info->users);
    else
        printf("users:    unknown\n");
    if (info->creator_pid != 0)
        printf("creator:  process %" PRId64 "%s\n", info->creator_pid, words[creator_look(info)]);
    else
        printf("creator:  unknown\n");
    time_print(info->created);
    printf("flags:    %s\n", flags_text(info, flags));
    owner_print(info);
    users_print(info->name);
    present_print(info->name);
    holders_print(info->name);
}

static int run(const struct command *command, int argc, char **argv)
{
    bool json = false;
    const struct option options[] = {{"--json", &json, NULL}, {0}};
    if (arguments_read(command, options, argc, argv, 1, 1) < 0)
        return STATUS_WRONG_USE;
    shmx_info info;
    int status = shmx_stat(argv[0], &info);
    if (status != SHMX_OK)
        return complain("describe", argv[0], status);
    if (json) {
        info_print_json(&info, state_of(&info), true);
        putchar('\n');
    } else {
        info_print(&info);
    }
    return STATUS_YES;
}

const struct command command_stat = {
    "stat", "NAME [--json]", "Describe one segment",
    "Where the system tells (Linux), the processes that use it and that this user may\n"
    "look at are listed. \"present\" are the keys under which somebody is there\n"
    "(shmx_presence_enter), \"by\" the processes that entered them.\n\n"
    "  --json      one object, as in shmx ls --json\n",
    run};
