/* SPDX-License-Identifier: MIT */
/* Linux: nothing is left over whatever processes die of, and no living user or owner loses anything
 * by what fork, closefrom or a neighbour does. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

static shmx *create(const char *name)
{
    shmx *shm;
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    return shm;
}

/* ---- nothing is left over ---- */

PART(goes)
{
    shmx *shm;
    must(argc == 3 && shmx_create(&shm, argv[1], SIZE, 0) == SHMX_OK);
    if (strcmp(argv[2], "return") == 0)
        return 0;
    if (strcmp(argv[2], "exit") == 0)
        exit(0);
    if (strcmp(argv[2], "thread") == 0)
        pthread_exit(NULL); /* the last one */
    say("here");
    hear();
    return 0;
}

static void a_normal_end_counts_as_closing(void **state)
{
    (void)state;
    static const char *const ways[] = {"return", "exit", "thread"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const char *name = test_name();
        assert_int_equal(child_wait(child_start("goes", name, ways[i])), 0);
        assert_false(exists(name)); /* at once */
    }
}

static void exits_with_it(void *context)
{
    must(*(unsigned char *)shmx_data(context) == 7);
    exit(0);
}

static void a_forked_child_ends_normally(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = create(name);
    *(unsigned char *)shmx_data(shm) = 7;
    assert_int_equal(forked(exits_with_it, shm), 0);
    assert_true(exists(name)); /* the parent uses it */
    shmx_close(&shm);
    assert_false(exists(name));
}

static void killed_ones_are_swept(void **state)
{
    (void)state;
    enum { KILLED = 5, CREATES = 64 };
    const char *names[KILLED];
    for (int i = 0; i < KILLED; i++) {
        names[i] = test_name();
        struct test_child *child = child_start("goes", names[i], "stay");
        child_expect(child, "here");
        child_kill(child);
        assert_int_equal(child_wait(child), CHILD_KILLED);
    }
    int left = KILLED;
    for (int i = 0; left > 0 && i < CREATES; i++) {
        shmx *shm = create(test_name());
        shmx_close(&shm);
        left = 0;
        for (int k = 0; k < KILLED; k++)
            left += exists(names[k]);
    }
    assert_int_equal(left, 0);
}

/* In a mount name space of its own, where /dev/shm is small. */
static bool small_shm(const char *options)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", "/dev/shm", "tmpfs", 0, options) == 0;
}

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
    must(small_shm("size=16m"));
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
    must(small_shm("size=1m"));
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
    if (geteuid() != 0)
        test_skip("only root can mount a small /dev/shm");
    assert_int_equal(forked(loops_in_a_small_one, NULL), 0);
    assert_int_equal(forked(dies_in_a_full_one, NULL), 0);
}

/* ---- limits ---- */

static void limited_later(void *context)
{
    shmx *shm;
    (void)context;
    must(shmx_create(&shm, NULL, 4096, 0) == SHMX_OK);
    shmx_close(&shm);
    const struct rlimit small = {4096, 4096};
    must(setrlimit(RLIMIT_FSIZE, &small) == 0);
    must(shmx_create(&shm, NULL, 65536, 0) == SHMX_ENOSPC);
}

static void a_limit_of_files_set_later_is_enospc(void **state)
{
    (void)state;
    assert_int_equal(forked(limited_later, NULL), 0);
}

static bool write_to(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return good;
}

static void in_the_group(void *context)
{
    char path[256], pid[16];
    shmx *shm;
    snprintf(path, sizeof path, "%s/cgroup.procs", (const char *)context);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    must(write_to(path, pid));
    must(shmx_create(&shm, NULL, 128 * MIB, 0) == SHMX_ENOSPC);
    must(shmx_create(&shm, NULL, 8 * MIB, 0) == SHMX_OK);
    shmx_close(&shm);
}

static void a_control_groups_limit_is_enospc(void **state)
{
    (void)state;
    char group[128], limit[160];
    const char *file = "memory.limit_in_bytes";
    snprintf(group, sizeof group, "/sys/fs/cgroup/memory/shmx-%d", (int)getpid());
    if (mkdir(group, 0755) != 0) {
        snprintf(group, sizeof group, "/sys/fs/cgroup/shmx-%d", (int)getpid());
        file = "memory.max";
        if (mkdir(group, 0755) != 0)
            test_skip("no control group can be made");
    }
    snprintf(limit, sizeof limit, "%s/%s", group, file);
    bool limited = write_to(limit, "67108864");
    int ended = limited ? forked(in_the_group, group) : 0;
    rmdir(group);
    if (!limited)
        test_skip("no control group's memory can be limited");
    assert_int_equal(ended, 0);
}

/* ---- names that lead elsewhere ---- */

static void a_renamed_ones_old_name_is_anothers(void **state)
{
    (void)state;
    const char *name = test_name(), *moved = test_name();
    char from[256], to[256];
    shmx *old = create(name);
    snprintf(from, sizeof from, SHM "%s", name);
    snprintf(to, sizeof to, SHM "%s", moved);
    assert_int_equal(rename(from, to), 0);
    shmx *successor = create(name);
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
    must(small_shm("size=4m"));
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
    if (geteuid() != 0)
        test_skip("only root can mount another /dev/shm");
    assert_int_equal(forked(another_mount, NULL), 0);
}

/* ---- descriptors that changed hands ---- */

static void closes_all(void *context)
{
    const char *name = context;
    shmx *shm;
    must(shmx_create(&shm, name, SIZE, 0) == SHMX_OK);
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    char path[] = "/tmp/shmx-own-XXXXXX";
    int fds[8];
    for (int i = 0; i < 8; i++) {
        strcpy(path + sizeof path - 7, "XXXXXX");
        fds[i] = mkstemp(path);
        must(fds[i] >= 0 && unlink(path) == 0 && write(fds[i], "own", 3) == 3);
    }
    pid_t child = fork();
    if (child == 0) { /* its mapping is still the segment's */
        memset(shmx_data(shm), 'x', SIZE);
        shmx_close(&shm);
        _exit(0);
    }
    must(waitpid(child, NULL, 0) == child);
    must(*(char *)shmx_data(shm) == 'x');
    shmx_close(&shm);
    for (int i = 0; i < 8; i++) {
        char text[4] = "";
        must(pread(fds[i], text, 3, 0) == 3 && strcmp(text, "own") == 0);
    }
    must(!exists(name));
}

static void a_program_that_closes_all_descriptors(void **state)
{
    (void)state;
    assert_int_equal(forked(closes_all, (void *)test_name()), 0);
}

/* Another process owns the lock and lives. Whose descriptor is another file's by now cannot ask,
 * and must not take the silence for a death. */
static void asks_through_anothers_file(void *context)
{
    shmx *shm;
    must(shmx_create(&shm, context, SIZE, 0) == SHMX_OK);
    shmx_mutex *mutex = shmx_data(shm);
    must(shmx_mutex_lock(shm, mutex + 1, 0) == SHMX_OK); /* it has a token */
    struct test_child *owner = child_start("holds", context);
    child_expect(owner, "SHMX_OK");
    struct stat facts;
    for (int fd = 3; fd < 64; fd++) { /* the segment's own; not the child's pipes */
        if (fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode)) {
            close(fd);
            must(open("/dev/null", O_RDWR) == fd);
        }
    }
    int status = shmx_mutex_lock(shm, mutex, 100);
    must(status != SHMX_OK && status != SHMX_EOWNERDEAD);
    must(shmx_presence_enter(shm, 1) != SHMX_OK);
    must(shmx_presence_wait(shm, 1, 0, 0) != SHMX_OK);
    child_kill(owner);
    must(child_wait(owner) == CHILD_KILLED);
    shmx_close(&shm);
    must(!exists(context));
}

PART(holds)
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    say("%s", shmx_status_name(shmx_mutex_lock(shm, shmx_data(shm), 0)));
    hear();
    return 0;
}

static void a_living_owner_is_not_dead_after_closefrom(void **state)
{
    (void)state;
    assert_int_equal(forked(asks_through_anothers_file, (void *)test_name()), 0);
}

/* ---- fork that cannot do its part ---- */

struct family {
    const char *name;
    shmx *shm;
};

static shmx_mutex *mutex_of(shmx *shm)
{
    return shmx_data(shm);
}

static void child_of_a_poor_fork(void *context)
{
    struct family *family = context;
    /* It refuses locks, and does not lie. */
    must(shmx_mutex_lock(family->shm, mutex_of(family->shm) + 1, 0) == SHMX_EMFILE);
    shmx_close(&family->shm);
}

PART(looks)
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    say("%s", shmx_status_name(shmx_mutex_lock(shm, mutex_of(shm), 0)));
    shmx_close(&shm);
    return 0;
}

static void without_descriptors(void *context)
{
    struct family family = {context, NULL};
    must(shmx_create(&family.shm, family.name, SIZE, 0) == SHMX_OK);
    must(shmx_mutex_lock(family.shm, mutex_of(family.shm), 0) == SHMX_OK);
    struct rlimit before, none;
    must(getrlimit(RLIMIT_NOFILE, &before) == 0);
    none = before;
    none.rlim_cur = 3;
    must(setrlimit(RLIMIT_NOFILE, &none) == 0);
    pid_t child = fork();
    if (child == 0) {
        child_of_a_poor_fork(&family);
        _exit(0);
    }
    int ended;
    must(waitpid(child, &ended, 0) == child && ended == 0);
    must(setrlimit(RLIMIT_NOFILE, &before) == 0);
    must(exists(family.name));
    struct test_child *looks = child_start("looks", family.name);
    const char *said = child_receive(looks);
    must(said != NULL && strcmp(said, "SHMX_ETIMEDOUT") == 0); /* the owner lives */
    must(child_wait(looks) == 0);
    must(shmx_mutex_unlock(family.shm, mutex_of(family.shm)) == SHMX_OK);
    shmx_close(&family.shm);
    must(!exists(family.name));
}

static void fork_without_a_descriptor_harms_nobody(void **state)
{
    (void)state;
    assert_int_equal(forked(without_descriptors, (void *)test_name()), 0);
}

/* The classic prefork server: root makes it, gives up root, and forks. */
static void prefork(void *context)
{
    const char *name = context;
    shmx *shm;
    must(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ) == SHMX_OK);
    must(shmx_mutex_lock(shm, mutex_of(shm), 0) == SHMX_OK);
    must(setuid(65534) == 0);
    pid_t child = fork();
    if (child == 0) {
        shmx_close(&shm);
        _exit(0);
    }
    int ended;
    must(waitpid(child, &ended, 0) == child && ended == 0);
    must(exists(name));
    say("forked");
    hear();
    _exit(0);
}

static void fork_after_giving_up_root_harms_nobody(void **state)
{
    (void)state;
    if (geteuid() != 0)
        test_skip("only root can give up root");
    const char *name = test_name();
    struct test_child *server = child_fork(prefork, (void *)name);
    child_expect(server, "forked");
    struct test_child *looks = child_start("looks", name);
    child_expect(looks, "SHMX_ETIMEDOUT");
    assert_int_equal(child_wait(looks), 0);
    child_kill(server);
    assert_int_equal(child_wait(server), CHILD_KILLED);
    looks = child_start("goes", name, "return"); /* the dead one makes room */
    assert_int_equal(child_wait(looks), 0);
    assert_false(exists(name));
}

/* ---- a token is a user ---- */

PART(heir)
{
    shmx *shm;
    must(argc == 2);
    say("ready");
    hear();
    must(shmx_adopt(&shm, argv[1], 0) == SHMX_OK);
    must(*(unsigned char *)shmx_data(shm) == 9);
    say("%s", shmx_name(shm));
    shmx_close(&shm);
    return 0;
}

PART(giver)
{
    shmx *shm;
    char token[SHMX_TOKEN_MAX];
    must(argc == 2 && shmx_create(&shm, argv[1], SIZE, 0) == SHMX_OK);
    *(unsigned char *)shmx_data(shm) = 9;
    must(shmx_share(shm, token, sizeof token) == SHMX_OK);
    struct test_child *heir = child_start("heir", token);
    child_expect(heir, "ready");
    shmx_close(&shm);
    must(exists(argv[1])); /* the child's token is a user */
    child_send(heir, "go");
    child_expect(heir, argv[1]);
    must(child_wait(heir) == 0);
    must(!exists(argv[1]));
    return 0;
}

static void an_inherited_token_is_a_user(void **state)
{
    (void)state;
    assert_int_equal(child_wait(child_start("giver", test_name())), 0);
}

/* ---- neighbours who may only read ---- */

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
    child_close_input(reader);
    assert_int_equal(child_wait(reader), 0);
    assert_status(shmx_mutex_lock(fresh, mutex_of(fresh), 0), SHMX_EOWNERDEAD);
    shmx_close(&fresh);
}

static const struct test_part parts[] = {{"goes", part_goes},   {"looks", part_looks},
                                         {"heir", part_heir},   {"holds", part_holds},
                                         {"giver", part_giver}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_normal_end_counts_as_closing),
    cmocka_unit_test(a_forked_child_ends_normally),
    cmocka_unit_test(killed_ones_are_swept),
    cmocka_unit_test(a_crash_loop_runs_for_ever),
    cmocka_unit_test(a_limit_of_files_set_later_is_enospc),
    cmocka_unit_test(a_control_groups_limit_is_enospc),
    cmocka_unit_test(a_renamed_ones_old_name_is_anothers),
    cmocka_unit_test(another_file_system_since),
    cmocka_unit_test(a_program_that_closes_all_descriptors),
    cmocka_unit_test(a_living_owner_is_not_dead_after_closefrom),
    cmocka_unit_test(fork_without_a_descriptor_harms_nobody),
    cmocka_unit_test(fork_after_giving_up_root_harms_nobody),
    cmocka_unit_test(an_inherited_token_is_a_user),
    cmocka_unit_test(a_reader_hides_no_death_and_hangs_nobody),
};

TEST_MAIN(tests, parts)
