/* SPDX-License-Identifier: MIT */
/* Linux: nothing is left in a /dev/shm that is small, limits are ENOSPC, names that lead elsewhere
 * are left alone, and a neighbour who may only read hides no death. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix/scarce.h"
#include "support.h"

#define SHM "/dev/shm/"
#define SIZE 8192
#define MIB ((size_t)1 << 20)

static bool exists(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, SHM "%s", name);
    return access(path, F_OK) == 0;
}

/* Run it in a forked process, and return how that ended. */
static int forked(void (*run)(void *context), void *context)
{
    struct test_child *child = child_fork(run, context);
    return child_wait(child);
}

/* ---- nothing is left over ---- */

static void create_and_die(void *context)
{
    shmx *shm;
    must(shmx_create(&shm, context, 6 * MIB, 0) == SHMX_OK);
    *(unsigned char *)shmx_data(shm) = 1;
    raise(SIGKILL);
}

static void loops_in_a_small_one(void *context)
{
    (void)context;
    must(scarce_mount("size=16m"));
    for (int i = 0; i < 20; i++)
        must(forked(create_and_die, NULL) == CHILD_KILLED);
    must(shmx_prune(NULL) == SHMX_OK);
}

static void create_again_and_die(void *context)
{
    shmx *shm;
    must(shmx_create(&shm, context, 8192, 0) == SHMX_OK);
    raise(SIGKILL);
}

/* There is room for one of that size only, which a dead one takes. */
static void dies_in_a_full_one(void *context)
{
    shmx *shm, *rest;
    size_t size = MIB;
    (void)context;
    must(scarce_mount("size=1m"));
    while (shmx_create(&rest, "rest", size, 0) == SHMX_ENOSPC)
        size -= 4096;
    shmx_close(&rest);
    must(shmx_create(&rest, "rest", size - 12288, 0) == SHMX_OK);
    for (int i = 0; i < 3; i++)
        must(forked(create_again_and_die, "again") == CHILD_KILLED);
    must(shmx_create(&shm, "again", 8192, 0) == SHMX_OK);
    shmx_close(&shm);
    shmx_close(&rest);
}

static void a_crash_loop_runs_for_ever(void **state)
{
    (void)state;
    scarce_needs_mount();
    assert_int_equal(forked(loops_in_a_small_one, NULL), 0);
    assert_int_equal(forked(dies_in_a_full_one, NULL), 0);
}

/* Each child inherits what its parent knows of its own creates, and makes only one. */
static void children_die_in_a_large_one(void *context)
{
    shmx *shm;
    int tries = 0;
    (void)context;
    must(scarce_mount("size=64m"));
    must(shmx_create(&shm, NULL, SIZE, 0) == SHMX_OK);
    shmx_close(&shm);
    must(forked(create_again_and_die, "first") == CHILD_KILLED);
    while (exists("first") && ++tries < 1000)
        must(forked(create_again_and_die, NULL) == CHILD_KILLED);
    must(tries < 1000);
    must(shmx_prune(NULL) == SHMX_OK);
}

static void forked_children_free_the_dead(void **state)
{
    (void)state;
    scarce_needs_mount();
    assert_int_equal(forked(children_die_in_a_large_one, NULL), 0);
}

/* ---- limits ---- */

static void in_the_group(void *context)
{
    shmx *shm;
    must(scarce_group_enter(context));
    must(shmx_create(&shm, NULL, 128 * MIB, 0) == SHMX_ENOSPC);
    must(shmx_create(&shm, NULL, 8 * MIB, 0) == SHMX_OK);
    shmx_close(&shm);
}

static void a_control_groups_limit_is_enospc(void **state)
{
    (void)state;
    char group[SCARCE_GROUP_MAX];
    if (!scarce_group_make(group, "67108864"))
        test_skip("no control group's memory can be limited");
    int ended = forked(in_the_group, group);
    scarce_group_remove(group);
    assert_int_equal(ended, 0);
}

/* ---- descriptors that lead elsewhere ---- */

/* A set of descriptors: a bit for each. */
#define WATCHED 64

static uint64_t descriptors(void)
{
    uint64_t there = 0;
    for (int fd = 0; fd < WATCHED; fd++)
        there |= (uint64_t)(fcntl(fd, F_GETFD) >= 0) << fd;
    return there;
}

static int lowest(uint64_t *set)
{
    int fd = 0;
    while ((*set >> fd & 1) == 0)
        fd++;
    *set &= *set - 1;
    return fd;
}

/* One attachment's numbers lead to where the other's do. Closing it takes nothing from the other,
 * whichever came first. */
static void has_anothers_numbers(void *context)
{
    for (int first = 0; first < 2; first++) {
        shmx *shms[2];
        shmx_info info;
        uint64_t before = descriptors(), sets[2];
        must(shmx_create(&shms[0], context, SIZE, 0) == SHMX_OK);
        sets[0] = descriptors() & ~before;
        must(shmx_open(&shms[1], context, 0) == SHMX_OK);
        sets[1] = descriptors() & ~before & ~sets[0];
        uint64_t from = sets[!first], taken = 0;
        for (uint64_t to = sets[first]; from != 0 && to != 0;) {
            int fd = lowest(&to);
            must(dup2(lowest(&from), fd) == fd);
            taken |= (uint64_t)1 << fd;
        }
        shmx_close(&shms[first]);
        must((descriptors() & taken) == taken);
        must(shmx_stat(context, &info) == SHMX_OK && info.users == 1);
        while (taken != 0)
            close(lowest(&taken));
        shmx_close(&shms[!first]);
        must(!test_there(context));
    }
}

static void anothers_descriptors_are_left_alone(void **state)
{
    (void)state;
    assert_int_equal(forked(has_anothers_numbers, (void *)test_name()), 0);
}

/* ---- names that lead elsewhere ---- */

static void a_renamed_ones_old_name_is_anothers(void **state)
{
    (void)state;
    const char *name = test_name(), *moved = test_name();
    char from[256], to[256];
    shmx *old = test_segment(name, SIZE);
    snprintf(from, sizeof from, SHM "%s", name);
    snprintf(to, sizeof to, SHM "%s", moved);
    assert_int_equal(rename(from, to), 0);
    shmx *successor = test_segment(name, SIZE);
    shmx_close(&old);
    assert_true(exists(name)); /* a living successor */
    shmx_close(&successor);
    assert_false(exists(name));
    unlink(to);
}

static void another_mount(void *context)
{
    (void)context;
    shmx *old, *successor;
    must(shmx_create(&old, "twice", SIZE, 0) == SHMX_OK);
    must(scarce_mount("size=4m"));
    must(shmx_create(&successor, "twice", SIZE, 0) == SHMX_OK);
    shmx_close(&old);
    must(exists("twice"));
    shmx_close(&successor);
    must(!exists("twice"));
    must(umount("/dev/shm") == 0);
    must(shmx_prune(NULL) == SHMX_OK);
}

static void another_file_system_since(void **state)
{
    (void)state;
    scarce_needs_mount();
    assert_int_equal(forked(another_mount, NULL), 0);
}

/* ---- neighbours who may only read ---- */

static shmx_mutex *mutex_of(shmx *shm)
{
    return shmx_data(shm);
}

static void holds_read_locks(void *context)
{
    const char *why, *name = context;
    char path[256];
    snprintf(path, sizeof path, SHM "%s", name);
    must(test_become_other_user(&why));
    int fd = open(path, O_RDONLY);
    must(fd >= 0);
    /* On all that nobody holds: behind the first few owners' bytes, to the end. */
    struct flock all = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 0};
    all.l_start = ((off_t)1 << 61) + 2;
    must(fcntl(fd, F_OFD_SETLK, &all) == 0);
    say("holds");
    hear();
    _exit(0);
}

static void a_reader_hides_no_death_and_hangs_nobody(void **state)
{
    (void)state;
    const char *name = test_name();
    if (geteuid() != 0)
        test_skip("only root can become another user");
    shmx *shm, *fresh;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ));
    assert_ok(shmx_mutex_lock(shm, mutex_of(shm), 0));
    struct test_child *reader = child_fork(holds_read_locks, (void *)name);
    child_expect(reader, "holds");
    /* Neither a user that has a token already is disturbed nor a new one. */
    assert_ok(shmx_mutex_unlock(shm, mutex_of(shm)));
    assert_ok(shmx_mutex_lock(shm, mutex_of(shm), 0));
    assert_ok(shmx_open(&fresh, name, 0));
    int64_t start = test_now_ms();
    int status = shmx_mutex_lock(fresh, mutex_of(fresh) + 1, 100);
    assert_true(status == SHMX_OK && test_now_ms() - start < 1000);
    /* The reader's lock does not hide that the owner is gone. */
    shmx_close(&shm);
    child_finish(reader);
    assert_status(shmx_mutex_lock(fresh, mutex_of(fresh), 0), SHMX_EOWNERDEAD);
    shmx_close(&fresh);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_crash_loop_runs_for_ever),
    cmocka_unit_test(forked_children_free_the_dead),
    cmocka_unit_test(a_control_groups_limit_is_enospc),
    cmocka_unit_test(anothers_descriptors_are_left_alone),
    cmocka_unit_test(a_renamed_ones_old_name_is_anothers),
    cmocka_unit_test(another_file_system_since),
    cmocka_unit_test(a_reader_hides_no_death_and_hangs_nobody),
};

TEST_MAIN(tests, no_parts)
