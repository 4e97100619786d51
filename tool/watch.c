/* SPDX-License-Identifier: MIT */
/* A live view: on a terminal one screen of bytes, elsewhere a line for each that changed. */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "system.h"

#define WINDOW_MAX 65536
#define FRESH_NS 1000000000 /* how long a changed byte stays marked */
#define OTHER_LINES 2       /* of a screen: title and help */

struct view {
    shmx *shm;
    struct part part; /* what is watched */
    size_t at, count; /* what is shown of it; count <= WINDOW_MAX */
    int interval_ms;
    int64_t end;
    bool screen;
    int rows, columns;
    bool gone;    /* the memory, by another program */
    size_t width; /* bytes a line */
};

static unsigned char now_bytes[WINDOW_MAX], old_bytes[WINDOW_MAX];
static int64_t changed_at[WINDOW_MAX]; /* 0: never */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- looking ---- */

static void window_set(struct view *view, size_t at)
{
    size_t page = WINDOW_MAX;
    view->width = HEX_WIDTH;
    if (view->screen) {
        system_screen_size(&view->rows, &view->columns);
        view->width = view->columns >= 79 ? HEX_WIDTH : view->columns >= 47 ? 8 : 4;
        size_t lines = (size_t)(view->rows > OTHER_LINES ? view->rows - OTHER_LINES : 1);
        page = smaller(WINDOW_MAX, lines * view->width);
    }
    view->at = at;
    view->count = smaller(page, view->part.offset + view->part.count - at);
}

static void look(struct view *view)
{
    view->gone = !segment_read(view->shm, view->at, now_bytes, view->count);
}

static void start_over(struct view *view, size_t at)
{
    window_set(view, at);
    look(view);
    memcpy(old_bytes, now_bytes, view->count);
    memset(changed_at, 0, sizeof changed_at);
}

/* Returns true if something changed. */
static bool compare(const struct view *view, int64_t now)
{
    if (memcmp(now_bytes, old_bytes, view->count) == 0)
        return false;
    for (size_t i = 0; i < view->count; i++)
        if (now_bytes[i] != old_bytes[i])
            changed_at[i] = now;
    memcpy(old_bytes, now_bytes, view->count);
    return true;
}

/* ---- on a terminal ---- */

static void line_show(const struct view *view, size_t line, int64_t now, int64_t fresh)
{
    bool changed[HEX_WIDTH];
    size_t from = line * view->width;
    size_t count = smaller(view->width, view->count - from);
    for (size_t i = 0; i < count; i++)
        changed[i] = changed_at[from + i] != 0 && now - changed_at[from + i] <= fresh;
    hex_line(stdout, view->at + from, now_bytes + from, count, view->width, changed);
}

static void title_show(const struct view *view)
{
    shmx_info info;
    char size[32];
    int status = shmx_stat(shmx_name(view->shm), &info);
    printf("%s  %s", shmx_name(view->shm), size_text(shmx_size(view->shm), size));
    if (status == SHMX_ENOENT)
        printf("  (its name was taken away)");
    else if (status == SHMX_OK && info.users > 0)
        printf("  %d other user%s", info.users - 1, info.users == 2 ? "" : "s");
    printf("\033[K\n");
}

/* The user may have made the window larger or smaller. */
static void window_follow(struct view *view)
{
    int rows, columns;
    system_screen_size(&rows, &columns);
    if (rows == view->rows && columns == view->columns)
        return;
    fputs("\033[2J", stdout);
    start_over(view, view->at);
}

/* Lines that are too long for the window are cut. */
static void screen_show(const struct view *view, int64_t now)
{
    printf("\033[?7l\033[H");
    title_show(view);
    for (size_t line = 0; line * view->width < view->count; line++)
        line_show(view, line, now, FRESH_NS);
    printf("\033[J%s\033[K\033[?7h", view->width == HEX_WIDTH
                                         ? "space, b: next, last page   q: quit"
                                         : "space, b: page  q: quit");
    fflush(stdout);
}

/* False: quit. */
static bool key_obey(struct view *view, int key)
{
    size_t last = view->part.offset + view->part.count;
    switch (key) {
    case 'q':
    case 'Q':
    case 3: /* Ctrl-C */
    case 4: /* Ctrl-D */
    case KEY_END:
        return false;
    case ' ':
        if (view->at + view->count < last)
            start_over(view, view->at + view->count);
        break;
    case 'b': {
        size_t before = view->at - view->part.offset;
        start_over(view, view->at - smaller(before, view->count));
        break;
    }
    default:
        break;
    }
    return true;
}

/* ---- elsewhere ---- */

static void changes_print(const struct view *view, int64_t now)
{
    for (size_t line = 0; line * HEX_WIDTH < view->count; line++) {
        bool changed = false;
        for (size_t i = line * HEX_WIDTH; i < (line + 1) * HEX_WIDTH && i < view->count; i++)
            changed |= changed_at[i] == now;
        if (changed)
            line_show(view, line, now, 0);
    }
    fflush(stdout);
}

static void all_print(const struct view *view)
{
    struct hex_dump state = {0};
    for (size_t from = 0; from < view->count; from += HEX_WIDTH)
        hex_next(stdout, &state, view->at + from, now_bytes + from,
                 smaller(HEX_WIDTH, view->count - from));
    fflush(stdout);
}

/* ---- the loop ---- */

static void watch(struct view *view)
{
    bool keys = view->screen && system_keys_begin();
    start_over(view, view->part.offset);
    if (!view->screen && !view->gone)
        all_print(view);
    int key = KEY_NONE;
    while (!view->gone && !system_stopped() && !ferror(stdout) && (!keys || key_obey(view, key))) {
        int64_t now = system_now();
        if (now >= view->end)
            break;
        if (view->screen)
            window_follow(view);
        look(view);
        if (view->gone)
            break;
        bool changed = compare(view, now);
        if (view->screen)
            screen_show(view, now);
        else if (changed)
            changes_print(view, now);
        key = system_key(view->interval_ms);
    }
    if (keys)
        system_keys_end();
    if (system_stopped())
        clearerr(stdout); /* the request may have come in the middle of a write: no failure */
    if (view->screen)
        putchar('\n');
}

static int run(const struct command *command, int argc, char **argv)
{
    struct view view = {0};
    const char *interval_text = NULL, *end_text = NULL;
    double interval = 0.1, length = 0;
    const struct option options[] = {PART_OPTIONS(view.part),
                                     {"--interval", NULL, &interval_text},
                                     {"--for", NULL, &end_text},
                                     {0}};
    if (arguments_read(command, options, argc, argv, 1, 1) < 0 ||
        !seconds_read(command, "--interval", interval_text, &interval) ||
        !seconds_read(command, "--for", end_text, &length))
        return STATUS_WRONG_USE;
    view.interval_ms = interval < 1000 ? (int)(interval * 1000 + 0.5) : 1000000;
    view.end = length > 0 ? system_now() + (int64_t)(length * 1e9) : INT64_MAX;
    view.screen = system_can_colour(stdout);
    int status;
    view.shm = segment_open(argv[0], SHMX_READ_ONLY, &status);
    if (view.shm == NULL)
        return status;
    system_catch_stop();
    if (part_read(command, &view.part, view.shm, &status))
        watch(&view);
    if (view.gone)
        status = STATUS_NO;
    shmx_close(&view.shm);
    return status;
}

const struct command command_watch = {
    "watch", "NAME [--offset N] [--count N] [--interval SECONDS] [--for SECONDS]",
    "Show the bytes of a segment as they change",
    "On a terminal one screen; what changed within the last second is marked; space\n"
    "and b turn pages, q quits. Elsewhere the first 64 KiB (from --offset) once, then\n"
    "each line of 16 bytes that changed, until Ctrl-C.\n"
    "The watcher is a user: the segment stays for as long as it is watched.\n\n"
    "  --offset N, --count N   a part of it; bytes, or like 64K\n"
    "  --interval SECONDS      how often to look (0.1)\n"
    "  --for SECONDS           stop after that time\n",
    run};
