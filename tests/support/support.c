/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segment.h"
#include "system.h"

#define RUN_VARIABLE "SHMX_TEST_RUN"
#define PREFIX_MAX 24

const struct test_part no_parts[] = {{NULL, NULL}};
const char *system_program;

static uint32_t seed;
static char prefix[PREFIX_MAX];

/* ---- names ---- */

struct name {
    struct name *next;
    char text[SHMX_NAME_MAX + 1];
};

static struct name *names; /* kept until the end, so that tests need not free them */

static void names_free(void)
{
    while (names != NULL) {
        struct name *next = names->next;
        free(names);
        names = next;
    }
}

const char *test_name(void)
{
    static unsigned counter;
    struct name *name = malloc(sizeof *name);
    must(name != NULL);
    snprintf(name->text, sizeof name->text, "%s%x-%u", prefix, (unsigned)system_pid(), counter++);
    name->next = names;
    names = name;
    return name->text;
}

const char *test_prefix(void)
{
    return prefix;
}

/* ---- segments ---- */

shmx *test_segment(const char *name, size_t size)
{
    shmx *shm;
    assert_ok(shmx_create(&shm, name, size, 0));
    return shm;
}

/* ---- what is left ---- */

struct leftovers {
    FILE *told; /* NULL: they are only counted */
    int count;
};

static void leftover(const char *name, void *context)
{
    struct leftovers *leftovers = context;
    if (leftovers->told != NULL)
        fprintf(leftovers->told, "left behind: %s\n", name);
    leftovers->count++;
}

static int leftover_listed(const shmx_info *info, void *context)
{
    if (strncmp(info->name, prefix, strlen(prefix)) == 0)
        leftover(info->name, context);
    return 0;
}

static int leftovers(FILE *told)
{
    struct leftovers found = {told, 0};
    if (shmx_list(leftover_listed, &found) != SHMX_OK)
        leftover("(shmx_list failed)", &found);
    system_leftovers(prefix, leftover, &found);
    return found.count;
}

int test_leftovers(void)
{
    return leftovers(stderr);
}

struct thing {
    const char *start;
    bool whole; /* it is the name, and no more */
    bool found;
};

static void same_thing(const char *name, void *context)
{
    struct thing *thing = context;
    thing->found |= !thing->whole || strcmp(name, thing->start) == 0;
}

static int same_thing_listed(const shmx_info *info, void *context)
{
    struct thing *thing = context;
    if (strncmp(info->name, thing->start, strlen(thing->start)) == 0)
        same_thing(info->name, thing);
    return 0;
}

static bool is_there(struct thing thing)
{
    if (shmx_list(same_thing_listed, &thing) != SHMX_OK)
        return true;
    system_leftovers(thing.start, same_thing, &thing);
    return thing.found;
}

bool test_there(const char *name)
{
    return is_there((struct thing){name, true, false});
}

bool test_any_there(const char *start)
{
    return is_there((struct thing){start, false, false});
}

#define LOOKS_MOST 100

/* ---- the program ---- */

void test_fail_hard(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: not true: %s (os error %d)\n", file, line, what, shmx_os_error());
    fflush(NULL);
    exit(98);
}

static int play(int argc, char **argv, const struct test_part *parts)
{
    for (; parts->name != NULL; parts++)
        if (strcmp(parts->name, argv[0]) == 0)
            return parts->run(argc, argv);
    fprintf(stderr, "no such part: %s\n", argv[0]);
    return 99;
}

static void prefix_choose(void)
{
    const char *inherited = getenv(RUN_VARIABLE);
    if (inherited != NULL && strlen(inherited) < PREFIX_MAX)
        memcpy(prefix, inherited, strlen(inherited) + 1);
    else
        snprintf(prefix, sizeof prefix, "t-%08x-", (unsigned)test_random());
}

bool test_begin(int argc, char **argv, const struct test_part *parts, int *status)
{
    bool part = argc > 2 && strcmp(argv[1], "--part") == 0;
    system_program = argv[0];
    seed = system_seed();
    system_begin(part);
    if (part) {
        prefix_choose();
        *status = play(argc - 2, argv + 2, parts);
        fflush(NULL);
        names_free();
        return true;
    }
    system_setenv(RUN_VARIABLE, "too long for a prefix: choose one");
    prefix_choose();
    system_setenv(RUN_VARIABLE, prefix);
    return false;
}

int test_end(int failed)
{
    system_end_children();
    /* A process that has ended may hold its handles for a moment longer. */
    for (int looks = 0; failed == 0 && looks < LOOKS_MOST && leftovers(NULL) != 0; looks++)
        test_sleep_ms(10);
    if (failed == 0 && test_leftovers() != 0)
        failed = 1;
    names_free();
    return failed;
}

/* ---- a part's lines ---- */

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

const char *hear(void)
{
    static char line[4096];
    if (fgets(line, sizeof line, stdin) == NULL)
        return NULL;
    line[strcspn(line, "\r\n")] = '\0';
    return line;
}

/* ---- children ---- */

void child_expect_at(struct test_child *child, const char *line, const char *file, int line_number)
{
    const char *heard = child_receive(child);
    if (heard != NULL && strcmp(heard, line) == 0)
        return;
    print_error("%s:%d: child said \"%s\" instead of \"%s\"\n", file, line_number,
                heard != NULL ? heard : "(nothing more)", line);
    fail();
}

/* ---- the system ---- */

bool test_others_allowed(void)
{
    shmx *shm;
    int status = shmx_create(&shm, NULL, 1, SHMX_OTHERS_READ);
    shmx_close(&shm);
    return status != SHMX_ENOTSUP;
}

/* ---- chance ---- */

uint32_t test_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

uint32_t test_sleepers(const shmx *shm, const volatile void *word)
{
    size_t offset = (size_t)((const volatile unsigned char *)word - shm->attachment.data);
    return atomic_load(&shm->attachment.control->sleepers[offset / 4 % SHMX_BUCKETS]);
}

uint32_t test_presence_sleepers(const shmx *shm)
{
    return test_sleepers(shm, &shm->attachment.control->presence);
}

/* ---- other processes ---- */

struct test_child *child_start_program(const char *program, const char *const *words)
{
    const char *own = system_program;
    system_program = program;
    struct test_child *child = child_start_words(words);
    system_program = own;
    return child;
}
