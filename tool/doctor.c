/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <string.h>

#include "command.h"
#include "system.h"

#define PLURAL(count) (count), (count) == 1 ? "" : "s"
#define TEXT_MAX 1024

static int findings, lines;
static bool json;

static void string_print(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        if ((unsigned char)*text >= ' ')
            putchar(*text);
    }
    putchar('"');
}

static void line_print_json(const char *verdict, const char *text, const char *advice)
{
    printf("%s  {\"verdict\": \"%s\", \"text\": ", lines++ > 0 ? ",\n" : "", verdict);
    string_print(text);
    printf(", \"advice\": ");
    if (advice != NULL)
        string_print(advice);
    else
        printf("null");
    putchar('}');
}

static void line_print(const char *verdict, const char *colour, const char *text,
                       const char *advice)
{
    printf("%s%-4s%s  %s\n", colour, verdict, style_for(stdout)->plain, text);
    if (advice != NULL)
        printf("      -> %s\n", advice);
}

void doctor_say(enum verdict verdict, const char *advice, const char *format, ...)
{
    static const char *const words[] = {"ok", "look", "bad"};
    const struct style *style = style_for(stdout);
    const char *const colours[] = {style->good, style->mark, style->bad};
    findings += verdict != VERDICT_GOOD;
    char text[TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (json)
        line_print_json(words[verdict], text, advice);
    else
        line_print(words[verdict], colours[verdict], text, advice);
}

/* ---- does it work at all ---- */

static int try_segment(void)
{
    shmx *shm, *again;
    int status = shmx_create(&shm, NULL, 4096, 0);
    if (status != SHMX_OK)
        return status;
    status = shmx_open(&again, shmx_name(shm), SHMX_READ_ONLY);
    if (status == SHMX_OK)
        status = shmx_wake(shm, shmx_data(shm), 1);
    shmx_close(&again);
    shmx_close(&shm);
    return status;
}

static void check_segment(void)
{
    int status = try_segment();
    if (status == SHMX_OK)
        doctor_say(VERDICT_GOOD, NULL, "a segment can be created, opened and waited on");
    else
        doctor_say(VERDICT_BAD,
                   "look at the lines below; without a working segment nothing else will do",
                   "a segment cannot be created and opened: %s (system error %d)",
                   shmx_strerror(status), shmx_os_error());
}

/* ---- what is there ---- */

struct count {
    unsigned ours, foreign, unused;
    uint64_t memory;
};

static int count_one(const shmx_info *info, void *context)
{
    struct count *count = context;
    count->ours += !info->foreign;
    count->foreign += info->foreign != 0;
    count->unused += !info->foreign && info->users == 0;
    count->memory += info->footprint;
    return 0;
}

static void check_segments(void)
{
    struct count count = {0};
    char memory[32];
    int status = shmx_list(count_one, &count);
    if (status != SHMX_OK) {
        doctor_say(VERDICT_BAD, "see the lines below", "segments cannot be listed: %s",
                   shmx_strerror(status));
        return;
    }
    doctor_say(VERDICT_GOOD, NULL, "%u segment%s of shmx and %u of other programs, in %s of memory",
               PLURAL(count.ours), count.foreign, size_text(count.memory, memory));
    if (count.unused > 0)
        doctor_say(VERDICT_LOOK,
                   "if nobody will come back for them: shmx ls -l shows which, shmx rm removes",
                   "%u persistent segment%s that nobody uses now", PLURAL(count.unused));
}

static void count_leftover(const struct leftover *leftover, void *context)
{
    ++((unsigned *)context)[leftover->damaged ? 1 : 0];
}

static void check_leftovers(void)
{
    unsigned counts[2] = {0}; /* dead, damaged */
    if (leftovers_list(count_leftover, counts) != SHMX_OK)
        return;
    if (counts[1] > 0)
        doctor_say(VERDICT_LOOK, "shmx ls -l --state damaged shows which; shmx rm removes them",
                   "%u damaged segment%s", PLURAL(counts[1]));
    if (counts[0] == 0)
        doctor_say(VERDICT_GOOD, NULL, "no segments left by killed processes");
    else
        doctor_say(VERDICT_LOOK, "shmx prune frees them; shmx prune --dry-run shows them",
                   "%u segment%s left by killed processes", PLURAL(counts[0]));
}

static int run(const struct command *command, int argc, char **argv)
{
    const struct option options[] = {{"--json", &json, NULL}, {0}};
    if (arguments_read(command, options, argc, argv, 0, 0) < 0)
        return STATUS_WRONG_USE;
    if (json)
        puts("[");
    check_segment();
    check_segments();
    check_leftovers();
    system_doctor();
    if (json)
        puts("\n]");
    return findings == 0 ? STATUS_YES : STATUS_NO;
}

const struct command command_doctor = {
    "doctor", "[--json]", "Tell what would surprise a user of shared memory here",
    "One line each, and below it what to do. Status 0: nothing to do; 1: something.\n\n"
    "  --json  an array of objects: verdict (ok, look, bad), text, advice or null\n",
    run};
