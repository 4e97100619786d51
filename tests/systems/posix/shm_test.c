/* SPDX-License-Identifier: MIT */
/* Tests particular to /dev/shm: other users, what they plant there, and a full one. */
#include "posix/scarce.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHM "/dev/shm"
#define SIZE 4096

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, SHM "/%s", name);
    return path;
}

/* ---- another user ---- */

/* The statuses that another user gets when it opens to read, opens to write, describes, creates,
 * unlinks. */
PART(stranger) /* NAME */
{
    const char *why;
    shmx *shm;
    shmx_info info;
    must(argc == 2);
    if (!test_become_other_user(&why)) {
        say("skip");
        return 0;
    }
    int status = shmx_open(&shm, argv[1], SHMX_READ_ONLY);
    say("read %s", shmx_status_name(status));
    shmx_close(&shm);
    status = shmx_open(&shm, argv[1], 0);
    say("write %s", shmx_status_name(status));
    shmx_close(&shm);
    say("stat %s", shmx_status_name(shmx_stat(argv[1], &info)));
    status = shmx_create(&shm, argv[1], SIZE, 0);
    say("create %s", shmx_status_name(status));
    say("unlink %s", shmx_status_name(shmx_unlink(argv[1])));
    must(shmx_prune(NULL) == SHMX_OK);
    return 0;
}

static void stranger_gets(unsigned flags, mode_t mask, const char *const expected[5])
{
    static const char *const words[] = {"read", "write", "stat", "create", "unlink"};
    const char *name = test_name();
    shmx *shm, *other;
    mode_t before = umask(mask);
    assert_ok(shmx_create(&shm, name, SIZE, flags));
    umask(before);
    struct test_child *child = child_start("stranger", name);
    for (int i = 0; i < 5; i++) {
        char line[64];
        const char *said = child_receive(child);
        assert_non_null(said);
        if (strcmp(said, "skip") == 0) {
            child_wait(child);
            shmx_close(&shm);
            test_skip("only root can become another user");
        }
        snprintf(line, sizeof line, "%s %s", words[i], expected[i]);
        assert_string_equal(said, line);
    }
    assert_int_equal(child_wait(child), 0);
    assert_ok(shmx_open(&other, name, 0)); /* it has done no harm */
    shmx_close(&other);
    shmx_close(&shm);
    assert_status(shmx_open(&other, name, 0), SHMX_ENOENT);
}

static const mode_t masks[] = {0, 022, 077, 0777};

#define MASKS (sizeof masks / sizeof masks[0])

static void the_default_is_the_creating_user_only(void **state)
{
    (void)state;
    static const char *const expected[] = {"SHMX_EACCES", "SHMX_EACCES", "SHMX_EACCES",
                                           "SHMX_EEXIST", "SHMX_EACCES"};
    for (size_t i = 0; i < MASKS; i++)
        stranger_gets(0, masks[i], expected);
}

static void others_may_read_whatever_the_umask(void **state)
{
    (void)state;
    static const char *const expected[] = {"SHMX_OK", "SHMX_EACCES", "SHMX_OK", "SHMX_EEXIST",
                                           "SHMX_EACCES"};
    for (size_t i = 0; i < MASKS; i++)
        stranger_gets(SHMX_OTHERS_READ, masks[i], expected);
}

static void others_may_write_whatever_the_umask(void **state)
{
    (void)state;
    static const char *const expected[] = {"SHMX_OK", "SHMX_OK", "SHMX_OK", "SHMX_EEXIST",
                                           "SHMX_EACCES"};
    for (size_t i = 0; i < MASKS; i++)
        stranger_gets(SHMX_OTHERS_WRITE, masks[i], expected);
}

/* ---- planted ---- */

static int pass(const shmx_info *info, void *context)
{
    (void)info;
    (void)context;
    return 0;
}

/* Each call answers, and what lies there stays as it is. */
static void is_left_alone(const char *name, const char *what)
{
    shmx *shm;
    shmx_info info;
    struct stat before, after;
    assert_int_equal(lstat(path_of(name), &before), 0);
    if (shmx_open(&shm, name, 0) == SHMX_OK || shmx_open(&shm, name, SHMX_READ_ONLY) == SHMX_OK)
        fail_msg("%s was opened", what);
    assert_null(shm);
    if (shmx_stat(name, &info) == SHMX_OK)
        fail_msg("%s was described", what);
    if (shmx_create(&shm, name, SIZE, 0) == SHMX_OK)
        fail_msg("%s was replaced", what);
    if (shmx_open_or_create(&shm, name, SIZE, 0, NULL) == SHMX_OK)
        fail_msg("%s was opened or replaced", what);
    assert_ok(shmx_prune(NULL));
    assert_ok(shmx_list(pass, NULL));
    assert_int_equal(lstat(path_of(name), &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_int_equal(after.st_size, before.st_size);
}

static void a_directory_is_left_alone(void **state)
{
    (void)state;
    const char *name = test_name();
    assert_int_equal(mkdir(path_of(name), 0700), 0);
    is_left_alone(name, "a directory");
    rmdir(path_of(name));
}

static void a_pipe_is_left_alone(void **state)
{
    (void)state;
    const char *name = test_name();
    assert_int_equal(mkfifo(path_of(name), 0600), 0);
    is_left_alone(name, "a pipe");
    unlink(path_of(name));
}

static void a_link_is_not_followed(void **state)
{
    (void)state;
    const char *name = test_name();
    char target[] = "shmx-link-XXXXXX";
    int fd = mkstemp(target);
    assert_true(fd >= 0 && write(fd, "do not touch", 12) == 12);
    char *full = realpath(target, NULL);
    assert_non_null(full);
    assert_int_equal(symlink(full, path_of(name)), 0);
    is_left_alone(name, "a link");
    struct stat facts;
    assert_int_equal(stat(full, &facts), 0);
    assert_int_equal(facts.st_size, 12);
    unlink(path_of(name));
    unlink(full);
    free(full);
    close(fd);
}

static void an_empty_object_is_left_alone(void **state)
{
    (void)state;
    const char *name = test_name();
    int fd = open(path_of(name), O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    is_left_alone(name, "an empty object");
    /* Its maker may be about to size it. */
    shmx *shm;
    int64_t start = test_now_ms();
    assert_status(shmx_open_wait(&shm, name, 0, 50), SHMX_ETIMEDOUT);
    assert_status(shmx_open_wait(&shm, name, 0, 0), SHMX_ETIMEDOUT);
    assert_true(test_now_ms() - start < 500);
    close(fd);
    unlink(path_of(name));
}

/* No process has address space for it: to look is not to map. */
static void a_giant_is_shown(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm;
    shmx_info info;
    int fd = open(path_of(name), O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)1 << 60), 0);
    assert_ok(shmx_stat(name, &info));
    assert_true(info.foreign && info.size == (uint64_t)1 << 60 && info.footprint == 0);
    assert_true(test_there(name)); /* listed, too */
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOMEM);
    assert_ok(shmx_unlink(name));
    close(fd);
}

static void a_device_is_left_alone(void **state)
{
    (void)state;
    const char *name = test_name();
    if (mknod(path_of(name), S_IFCHR | 0600, (1 << 8) | 3) != 0) /* /dev/null */
        test_skip("only root can make devices");
    is_left_alone(name, "a device");
    unlink(path_of(name));
}

/* ---- a full one ---- */

static int fill(const char *name, size_t size, unsigned flags)
{
    shmx *shm;
    int status = shmx_create(&shm, name, size, flags);
    if (status == SHMX_OK) {
        memset(shmx_data(shm), 1, size); /* every page is there: no SIGBUS */
        shmx_close(&shm);
    }
    return status;
}

static uint64_t room(void)
{
    struct statvfs facts;
    must(statvfs(SHM, &facts) == 0);
    return (uint64_t)facts.f_bavail * facts.f_frsize;
}

/* One of another program, with pages that there is no room for. */
static void prefault_of_holes(void)
{
    shmx *shm;
    int fd = open(SHM "/holes", O_RDWR | O_CREAT | O_EXCL, 0600);
    must(fd >= 0 && ftruncate(fd, 4 << 20) == 0);
    must(shmx_open(&shm, "holes", SHMX_PREFAULT) == SHMX_OK);
    shmx_close(&shm);
    must(shmx_open(&shm, "holes", SHMX_PREFAULT | SHMX_READ_ONLY) == SHMX_OK);
    shmx_close(&shm);
    close(fd);
    must(shmx_unlink("holes") == SHMX_OK);
}

/* In a mount name space of its own, where /dev/shm is 1 MiB small. */
PART(squeezed)
{
    (void)argv;
    must(argc == 1);
    must(scarce_mount("size=1m"));
    uint64_t before = room();
    static const unsigned ways[] = {0, SHMX_PREFAULT, SHMX_PERSISTENT, SHMX_RAW};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        must(fill("much", 4 << 20, ways[i]) == SHMX_ENOSPC);
        must(room() == before); /* nothing is left */
        must(shmx_unlink("much") == SHMX_ENOENT);
        must(fill("little", 512 << 10, ways[i]) == SHMX_OK);
        shmx_unlink("little");
        must(room() == before);
    }
    shmx *shm;
    must(shmx_create(&shm, "half", 600 << 10, 0) == SHMX_OK);
    must(fill("half-too", 600 << 10, 0) == SHMX_ENOSPC);
    must(fill("", 600 << 10, 0) == SHMX_ENOSPC);
    memset(shmx_data(shm), 1, shmx_size(shm));
    shmx_close(&shm);
    must(fill("half-too", 600 << 10, 0) == SHMX_OK);
    must(room() == before);
    prefault_of_holes();
    must(room() == before);
    say("good");
    return 0;
}

static void a_full_one_is_enospc_at_create_and_never_a_fault(void **state)
{
    (void)state;
    scarce_needs_mount();
    struct test_child *child = child_start("squeezed");
    child_expect(child, "good");
    assert_int_equal(child_wait(child), 0);
}

/* setrlimit(2): what exceeds it is EFBIG, and a signal that ends the process. */
PART(limited)
{
    (void)argv;
    must(argc == 1);
    (void)!scarce_mount("size=16m"); /* where nobody else uses any */
    const struct rlimit small = {65536, 65536};
    must(setrlimit(RLIMIT_FSIZE, &small) == 0);
    uint64_t before = room();
    must(fill("t-limited", 1 << 20, 0) == SHMX_ENOSPC);
    must(fill("", 1 << 20, 0) == SHMX_ENOSPC);
    must(shmx_unlink("t-limited") == SHMX_ENOENT);
    must(room() + (1 << 20) > before); /* others may use some meanwhile */
    must(fill("", 4096, 0) == SHMX_OK);
    say("good");
    return 0;
}

static void a_limit_on_the_size_of_files_is_enospc(void **state)
{
    (void)state;
    struct test_child *child = child_start("limited");
    child_expect(child, "good");
    assert_int_equal(child_wait(child), 0);
}

/* Where the standard streams are closed, the next descriptors would be theirs, and what a program
 * prints would end up in the segment. */
PART(streamless) /* NAME */
{
    int kept = fcntl(STDOUT_FILENO, F_DUPFD, 10);
    shmx *made, *found;
    must(argc == 2 && kept >= 10);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        close(fd);
    int created = shmx_create(&made, argv[1], 64, 0);
    int opened = shmx_open(&found, argv[1], 0);
    bool apart = true;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        apart = apart && fcntl(fd, F_GETFD) < 0;
    bool zeros = created == SHMX_OK && opened == SHMX_OK;
    for (int i = 0; zeros && i < 64; i++)
        zeros = ((char *)shmx_data(found))[i] == 0;
    shmx_close(&found);
    shmx_close(&made);
    dup2(kept, STDOUT_FILENO);
    say(apart && zeros ? "good" : "bad");
    return 0;
}

static void no_segment_is_a_standard_stream(void **state)
{
    (void)state;
    struct test_child *child = child_start("streamless", test_name());
    child_expect(child, "good");
    assert_int_equal(child_wait(child), 0);
}

/* ---- fork ---- */

static _Atomic bool enough;

static void create_and_close(void *context)
{
    (void)context;
    while (!enough) {
        shmx *shm;
        must(shmx_create(&shm, NULL, 64, 0) == SHMX_OK);
        shmx_close(&shm);
    }
}

static void end_at_once(void *context)
{
    (void)context;
    _exit(0);
}

/* A fork waits for the calls that are under way, and no new one overtakes it for ever. */
static void a_fork_gets_through_between_busy_threads(void **state)
{
    (void)state;
    enum { THREADS = 4, FORKS = 30 };
    struct test_thread *threads[THREADS];
    int64_t longest = 0;
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(create_and_close, NULL);
    for (int i = 0; i < FORKS; i++) {
        int64_t start = test_now_ms();
        struct test_child *child = child_fork(end_at_once, NULL);
        int64_t took = test_now_ms() - start;
        longest = took > longest ? took : longest;
        assert_int_equal(child_wait(child), 0);
    }
    enough = true;
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    assert_ok(shmx_prune(NULL)); /* what a child was the last user of */
    print_message("the longest of %d forks took %d ms\n", FORKS, (int)longest);
    assert_true(longest < 5000);
}

/* Locks, and leaves a child behind that lives until the test has gone. */
PART(leaves_a_child) /* NAME */
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_mutex_lock(shm, shmx_data(shm), 0) == SHMX_OK);
    pid_t child = fork();
    must(child >= 0);
    if (child == 0) {
        say("locked");
        while (hear() != NULL)
            continue;
        _exit(0);
    }
    pause();
    return 0;
}

static void an_owners_death_is_told_while_its_child_lives(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    struct test_child *child = child_start("leaves_a_child", name);
    child_expect(child, "locked");
    child_kill(child);
    assert_status(shmx_mutex_lock(shm, shmx_data(shm), 5000), SHMX_EOWNERDEAD);
    assert_ok(shmx_mutex_unlock(shm, shmx_data(shm)));
    assert_int_equal(child_wait(child), CHILD_KILLED);
    shmx_close(&shm);
    shmx_info info;
    test_until(shmx_stat(name, &info) == SHMX_ENOENT); /* when the child has heard of it */
}

/* ---- looking ---- */

/* Looks at a name again and again. */
PART(looker)
{
    (void)argc;
    (void)argv;
    say("ready");
    const char *name = hear();
    must(name != NULL);
    for (int i = 0; i < 3000; i++) {
        shmx_info info;
        int status = shmx_stat(name, &info);
        must(status == SHMX_OK || status == SHMX_ENOENT || status == SHMX_EAGAIN);
        must(status != SHMX_OK || (info.size == 64 && !info.foreign));
    }
    say("done");
    return 0;
}

/* A process that looks is never the last user, nor in the way of the next. */
static void a_look_at_the_end_changes_nothing(void **state)
{
    (void)state;
    const char *name = test_name();
    struct test_child *child = child_start("looker");
    child_expect(child, "ready");
    child_send(child, name);
    for (int i = 0; i < 1000; i++) {
        shmx *shm;
        assert_ok(shmx_create(&shm, name, 64, 0));
        shmx_close(&shm);
        assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    }
    child_expect(child, "done");
    assert_int_equal(child_wait(child), 0);
}

static const struct test_part parts[] = {{"stranger", part_stranger},
                                         {"squeezed", part_squeezed},
                                         {"limited", part_limited},
                                         {"streamless", part_streamless},
                                         {"looker", part_looker},
                                         {"leaves_a_child", part_leaves_a_child},
                                         {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_default_is_the_creating_user_only),
    cmocka_unit_test(others_may_read_whatever_the_umask),
    cmocka_unit_test(others_may_write_whatever_the_umask),
    cmocka_unit_test(a_directory_is_left_alone),
    cmocka_unit_test(a_pipe_is_left_alone),
    cmocka_unit_test(a_link_is_not_followed),
    cmocka_unit_test(an_empty_object_is_left_alone),
    cmocka_unit_test(a_giant_is_shown),
    cmocka_unit_test(a_device_is_left_alone),
    cmocka_unit_test(a_look_at_the_end_changes_nothing),
    cmocka_unit_test(a_full_one_is_enospc_at_create_and_never_a_fault),
    cmocka_unit_test(a_limit_on_the_size_of_files_is_enospc),
    cmocka_unit_test(no_segment_is_a_standard_stream),
    cmocka_unit_test(an_owners_death_is_told_while_its_child_lives),
    cmocka_unit_test(a_fork_gets_through_between_busy_threads),
};

TEST_MAIN(tests, parts)
