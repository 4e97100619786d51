/* SPDX-License-Identifier: MIT */
/*
 * A process is killed before and after each single call of the system that an operation makes.
 * Whatever it was at, the living keep what they have, the name can be had again, and nothing is
 * left when shmx_prune has run. The steps are those that ptrace(2) shows, so none is forgotten when
 * the library changes.
 */
#include "posix/traced.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os.h"
#include "system.h"

/* Far more calls than any operation makes. */
#define STEPS_MAX 1000000

struct scene {
    const char *label;
    void (*act)(const char *name);    /* in the child, until it is killed */
    void (*before)(const char *name); /* NULL: nothing */
    bool (*after)(const char *name);  /* NULL: nobody has it; true: the name must be free now */
    bool long_name;
};

/* ---- the child ---- */

static void play(const void *context, const char *name)
{
    const struct scene *scene = context;
    scene->act(name);
}

/* Run the child until it is killed at its n-th stop. False if it ended before. */
static bool kill_at(const struct scene *scene, const char *name, int n)
{
    pid_t child = traced_start(play, scene, name);
    int status = traced_begin(child);
    for (int i = 0; i < n && WIFSTOPPED(status); i++)
        status = traced_next(child, 0);
    if (!WIFSTOPPED(status))
        return false;
    kill(child, SIGKILL);
    must(waitpid(child, &status, 0) == child);
    return true;
}

/* ---- what must hold afterwards ---- */

static void nothing_is_left(const char *name)
{
    shmx_info info;
    assert_ok(shmx_prune(NULL));
    assert_status(shmx_stat(name, &info), SHMX_ENOENT);
    assert_int_equal(test_leftovers(), 0);
}

static void name_is_free(const char *name)
{
    static const char zeros[5000];
    shmx *shm;
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    assert_ok(shmx_create(&shm, name, sizeof zeros, 0));
    assert_memory_equal(shmx_data(shm), zeros, sizeof zeros);
    shmx_close(&shm);
}

static void run(const struct scene *scene)
{
    int kills = 0;
    /* Every step, but of hundreds fewer and fewer: prune has some for each segment of others. */
    for (int n = 1; n < STEPS_MAX; n += 1 + n / 500) {
        char name[SHMX_NAME_MAX + 1];
        snprintf(name, sizeof name, "%s%s", test_name(),
                 scene->long_name ? "-and-more-than-thirty-bytes" : "");
        if (scene->before != NULL)
            scene->before(name);
        bool killed = kill_at(scene, name, n);
        if (scene->after == NULL || scene->after(name))
            name_is_free(name);
        nothing_is_left(name);
        if (!killed) {
            print_message("%s: killed at %d steps\n", scene->label, kills);
            assert_true(kills > 1);
            return;
        }
        kills++;
    }
    fail_msg("%s never ended", scene->label);
}

/* ---- what the killed one does ---- */

static void act_create(const char *name)
{
    shmx *shm;
    if (shmx_create(&shm, name, 5000, 0) != SHMX_OK)
        _exit(1);
    memset(shmx_data(shm), 1, 5000);
    shmx_close(&shm);
}

static void act_create_raw(const char *name)
{
    shmx *shm;
    if (shmx_create(&shm, name, 5000, SHMX_RAW) != SHMX_OK)
        _exit(1);
}

static void act_create_persistent(const char *name)
{
    shmx *shm;
    if (shmx_create(&shm, name, 5000, SHMX_PERSISTENT) != SHMX_OK)
        _exit(1);
}

static void act_create_open_to_others(const char *name)
{
    shmx *shm;
    if (shmx_create(&shm, name, 5000, SHMX_OTHERS_WRITE | SHMX_PREFAULT) != SHMX_OK)
        _exit(1);
    shmx_close(&shm);
}

static void act_create_nameless(const char *name)
{
    shmx *shm;
    (void)name;
    if (shmx_create(&shm, "", 5000, 0) != SHMX_OK)
        _exit(1);
    shmx_close(&shm);
}

static void act_attach(const char *name)
{
    shmx *shm;
    if (shmx_open(&shm, name, 0) != SHMX_OK)
        _exit(1);
    shmx_close(&shm);
}

static void act_open_dead(const char *name)
{
    shmx *shm;
    shmx_open(&shm, name, 0);
}

static void act_unlink(const char *name)
{
    shmx_unlink(name);
}

static void act_prune(const char *name)
{
    (void)name;
    shmx_prune(NULL);
}

static void act_lock(const char *name)
{
    shmx *shm;
    if (shmx_open(&shm, name, 0) != SHMX_OK)
        _exit(1);
    shmx_mutex_lock(shm, shmx_data(shm), 0);
    shmx_mutex_unlock(shm, shmx_data(shm));
    shmx_close(&shm);
}

/* ---- what the living find ---- */

static bool stays(const char *name)
{
    still_there(name);
    return true;
}

static bool stays_or_is_unlinked(const char *name)
{
    there_or_unlinked(name);
    return true;
}

static bool persistent_there_or_unlinked(const char *name)
{
    shmx_close(&held);
    int status = shmx_unlink(name);
    assert_true(status == SHMX_OK || status == SHMX_ENOENT);
    return true;
}

/* Whole or not at all. */
static bool whole_or_nothing(const char *name, size_t size)
{
    shmx *shm;
    int status = shmx_open(&shm, name, 0);
    if (status == SHMX_OK) {
        assert_in_range(shmx_size(shm), 5000, size);
        shmx_close(&shm);
        assert_ok(shmx_unlink(name));
    }
    assert_true(status == SHMX_OK || status == SHMX_ENOENT);
    return true;
}

static bool persistent_or_nothing(const char *name)
{
    return whole_or_nothing(name, 5000);
}

/* Some systems know an object's length in pages only, and it alone tells a raw one's. */
static bool raw_or_nothing(const char *name)
{
    size_t page = shmx_os_facts()->page_size;
    return whole_or_nothing(name, (5000 + page - 1) / page * page);
}

static bool lock_is_to_be_had(const char *name)
{
    shmx *shm;
    assert_ok(shmx_open(&shm, name, 0));
    int status = shmx_mutex_lock(shm, shmx_data(shm), 5000);
    assert_true(status == SHMX_OK || status == SHMX_EOWNERDEAD);
    assert_ok(shmx_mutex_unlock(shm, shmx_data(shm)));
    shmx_close(&shm);
    shmx_close(&held);
    return true;
}

static const struct scene scenes[] = {
    {"create, close", act_create, NULL, NULL, false},
    {"create, close, long name", act_create, NULL, NULL, true},
    {"create raw", act_create_raw, NULL, raw_or_nothing, false},
    {"create persistent", act_create_persistent, NULL, persistent_or_nothing, false},
    {"create for others", act_create_open_to_others, NULL, NULL, false},
    {"create without a name", act_create_nameless, NULL, NULL, false},
    {"create over a dead one", act_create, leave_dead, NULL, false},
    {"open, close", act_attach, hold, stays, false},
    {"open, close, for others", act_attach, hold_for_others, stays, false},
    {"unlink, for others", act_unlink, hold_for_others, stays_or_is_unlinked, false},
    {"open, close, persistent", act_attach, hold_persistent, persistent_there_or_unlinked, false},
    {"open a dead one", act_open_dead, leave_dead, NULL, false},
    {"unlink", act_unlink, hold, stays_or_is_unlinked, false},
    {"unlink, persistent", act_unlink, hold_persistent, persistent_there_or_unlinked, false},
    {"unlink a dead one", act_unlink, leave_dead, NULL, false},
    {"prune", act_prune, leave_dead, NULL, false},
    {"lock, unlock", act_lock, hold_zeros, lock_is_to_be_had, false},
};

static void whoever_is_killed_harms_nobody(void **state)
{
    (void)state;
    if (!traced_works())
        test_skip("this system does not let us trace a child");
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++)
        run(&scenes[i]);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(whoever_is_killed_harms_nobody)};

TEST_MAIN(tests, no_parts)
