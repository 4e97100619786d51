/* SPDX-License-Identifier: MIT */
/* Linux: the annex, which has the locks that a reader keeps from the object itself. */
#include "support.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attack.h"
#include "base/control.h"

#define SIZE 4096
#define OTHER_READER 65533 /* neither root nor the other user */

static shmx_mutex *mutex_of(shmx *shm)
{
    return shmx_data(shm);
}

#define test_needs_root()                                                                          \
    do {                                                                                           \
        if (geteuid() != 0)                                                                        \
            test_skip("only root can become another user");                                        \
    } while (0)

static const char *annex_path(const char *name)
{
    static char path[64];
    shmx *raw;
    must(shmx_open(&raw, name, SHMX_RAW | SHMX_READ_ONLY) == SHMX_OK);
    struct shmx_control *control = shmx_control_at(shmx_data(raw), shmx_size(raw));
    snprintf(path, sizeof path, "/dev/shm/.shmx-%016" PRIx64, atomic_load(&control->annex));
    shmx_close(&raw);
    return path;
}

static bool there(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0;
}

PART(reader)
{
    must(argc == 2 && setgid(OTHER_READER) == 0 && setuid(OTHER_READER) == 0);
    attack_locks(argv[1], false);
    say("done");
    hear();
    return 0;
}

PART(owner) /* NAME: locks, and is killed; NAME fork: after a fork whose child lives on */
{
    shmx *shm;
    must(shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_mutex_lock(shm, mutex_of(shm), 0) == SHMX_OK);
    if (argc == 3 && fork() == 0) {
        must(shmx_mutex_lock(shm, mutex_of(shm) + 1, 0) == SHMX_OK);
        must(shmx_mutex_unlock(shm, mutex_of(shm) + 1) == SHMX_OK);
        say("done");
        while (hear() != NULL)
            ;
        shmx_close(&shm);
        _exit(0);
    }
    if (argc == 2)
        say("done");
    for (;;)
        pause();
}

static struct test_child *start(const char *part, const char *name, const char *how)
{
    struct test_child *child = child_start(part, name, how);
    child_expect(child, "done");
    return child;
}

static void it_goes_with_its_last_user(void **state)
{
    (void)state;
    test_needs_root();
    const char *name = test_name();
    shmx *shm, *other;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ));
    assert_ok(shmx_open(&other, name, 0));
    struct test_child *reader = start("reader", name, NULL);
    assert_ok(shmx_mutex_lock(shm, mutex_of(shm), 0));
    assert_ok(shmx_mutex_lock(other, mutex_of(other) + 1, 0));
    const char *path = annex_path(name);
    struct stat facts;
    assert_int_equal(lstat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    shmx_close(&shm);
    assert_true(there(path));
    shmx_close(&other);
    assert_false(there(path));
    child_finish(reader);
}

static void one_left_by_the_killed_is_swept(void **state)
{
    (void)state;
    test_needs_root();
    const char *name = test_name();
    shmx *shm;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ));
    struct test_child *reader = start("reader", name, NULL);
    struct test_child *owner = start("owner", name, NULL);
    const char *path = annex_path(name);
    assert_ok(shmx_prune(NULL));
    assert_true(there(path)); /* the owner lives */
    assert_status(shmx_mutex_lock(shm, mutex_of(shm) + 1, 0), SHMX_OK);
    assert_status(shmx_mutex_lock(shm, mutex_of(shm), 60), SHMX_ETIMEDOUT);
    shmx_close(&shm);
    child_end_by_kill(owner);
    assert_ok(shmx_prune(NULL)); /* if another process has not swept it yet */
    assert_false(there(path));
    child_finish(reader);
}

static void a_number_that_a_neighbour_took_is_no_annex(void **state)
{
    (void)state;
    test_needs_root();
    const char *name = test_name();
    shmx *shm, *fresh;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ));
    assert_ok(shmx_open(&fresh, name, 0));
    struct test_child *reader = start("reader", name, NULL);
    assert_ok(shmx_mutex_lock(fresh, mutex_of(fresh), 0));
    shmx_close(&fresh);
    const char *path = annex_path(name);
    assert_false(there(path));
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0 && fchown(fd, OTHER_READER, (gid_t)-1) == 0);
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &all), 0);
    /* It neither makes a dead owner live nor keeps a lock from anybody. */
    assert_status(shmx_mutex_lock(shm, mutex_of(shm), 1000), SHMX_EOWNERDEAD);
    assert_ok(shmx_mutex_unlock(shm, mutex_of(shm)));
    assert_int_equal(unlink(path), 0); /* the path is that of the first annex still */
    close(fd);
    shmx_close(&shm);
    child_finish(reader);
}

static void a_fork_does_not_take_it_along(void **state)
{
    (void)state;
    test_needs_root();
    if (getenv("SHMX_TEST_WRAPPER") != NULL)
        test_skip("the emulator does not know what a child is not to inherit (MADV_DONTFORK)");
    const char *name = test_name();
    shmx *shm;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ));
    struct test_child *reader = start("reader", name, NULL);
    struct test_child *owner = start("owner", name, "fork");
    assert_status(shmx_mutex_lock(shm, mutex_of(shm), 60), SHMX_ETIMEDOUT);
    must(kill((pid_t)child_pid(owner), SIGKILL) == 0);
    /* The owner is dead, though its child lives. */
    assert_status(shmx_mutex_lock(shm, mutex_of(shm), 1000), SHMX_EOWNERDEAD);
    assert_ok(shmx_mutex_unlock(shm, mutex_of(shm)));
    assert_int_equal(child_wait(owner), CHILD_KILLED);
    shmx_close(&shm);
    child_finish(reader);
}

PART(closer) /* closes all its descriptors while it holds a lock */
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_mutex_lock(shm, mutex_of(shm), 0) == SHMX_OK);
    for (int fd = 3; fd < 100; fd++)
        close(fd);
    say("done");
    hear();
    must(shmx_mutex_unlock(shm, mutex_of(shm)) == SHMX_OK);
    shmx_close(&shm);
    return 0;
}

static void who_closes_all_descriptors_lives(void **state)
{
    (void)state;
    test_needs_root();
    const char *name = test_name();
    shmx *shm;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ));
    struct test_child *reader = start("reader", name, NULL);
    struct test_child *closer = start("closer", name, NULL);
    assert_status(shmx_mutex_lock(shm, mutex_of(shm), 60), SHMX_ETIMEDOUT);
    const char *path = annex_path(name);
    child_finish(closer);
    assert_ok(shmx_mutex_lock(shm, mutex_of(shm), 0));
    shmx_close(&shm);
    assert_ok(shmx_prune(NULL));
    assert_false(there(path));
    child_finish(reader);
}

PART(maker) /* another user makes the segment; root and it both lock in it */
{
    shmx *shm;
    const char *why;
    must(argc == 2 && test_become_other_user(&why));
    must(shmx_create(&shm, argv[1], SIZE, SHMX_OTHERS_READ) == SHMX_OK);
    say("done");
    must(hear() != NULL);
    must(shmx_mutex_lock(shm, mutex_of(shm), 60) == SHMX_ETIMEDOUT);
    say("waited");
    must(hear() != NULL);
    must(shmx_mutex_lock(shm, mutex_of(shm), 1000) == SHMX_EOWNERDEAD);
    must(shmx_mutex_unlock(shm, mutex_of(shm)) == SHMX_OK);
    shmx_close(&shm);
    return 0;
}

static void root_makes_it_for_the_owner(void **state)
{
    (void)state;
    test_needs_root();
    const char *name = test_name();
    struct test_child *maker = start("maker", name, NULL);
    struct test_child *reader = start("reader", name, NULL);
    struct test_child *owner = start("owner", name, NULL);
    child_send(maker, "go");
    child_expect(maker, "waited");
    child_end_by_kill(owner);
    child_send(maker, "go");
    assert_int_equal(child_wait(maker), 0);
    child_finish(reader);
}

#define LOCKS 5000

PART(crowd) /* so many locks that the kernel has something to look through */
{
    char path[256];
    must(argc == 2 && setgid(OTHER_READER) == 0 && setuid(OTHER_READER) == 0);
    snprintf(path, sizeof path, "/dev/shm/%s", argv[1]);
    int fd = open(path, O_RDONLY);
    must(fd >= 0);
    for (int i = 0; i < LOCKS; i++) {
        struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 2 * i, .l_len = 1};
        must(fcntl(fd, F_OFD_SETLK, &lock) == 0);
    }
    say("done");
    hear();
    return 0;
}

static void many_locks_only_take_time(void **state)
{
    (void)state;
    test_needs_root();
    const char *name = test_name();
    shmx *shm, *other;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ));
    struct test_child *crowd = start("crowd", name, NULL);
    assert_ok(shmx_open(&other, name, 0));
    assert_ok(shmx_mutex_lock(other, mutex_of(other), 0));
    shmx_close(&other);
    assert_status(shmx_mutex_lock(shm, mutex_of(shm), 1000), SHMX_EOWNERDEAD);
    shmx_close(&shm);
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    child_finish(crowd);
}

static const struct test_part parts[] = {{"reader", part_reader}, {"owner", part_owner},
                                         {"closer", part_closer}, {"maker", part_maker},
                                         {"crowd", part_crowd},   {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(it_goes_with_its_last_user),
    cmocka_unit_test(one_left_by_the_killed_is_swept),
    cmocka_unit_test(a_number_that_a_neighbour_took_is_no_annex),
    cmocka_unit_test(a_fork_does_not_take_it_along),
    cmocka_unit_test(who_closes_all_descriptors_lives),
    cmocka_unit_test(root_makes_it_for_the_owner),
    cmocka_unit_test(many_locks_only_take_time),
};

TEST_MAIN(tests, parts)
