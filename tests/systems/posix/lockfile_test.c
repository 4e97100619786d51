/* SPDX-License-Identifier: MIT */
/* Tests particular to the lock-file variant: condensed names that collide, lock files that
 * somebody has taken away or put there. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lockfile/lockfile.h"

#define SHM "/dev/shm"

/* ---- paths ---- */

static const char *name_file(const char *name)
{
    static char path[LOCKFILE_PATH_MAX];
    shmx_lockfile_path_name(path, name);
    return path;
}

static bool is_there(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0;
}

/* The users file of the segment: the record in its name file tells the id. */
static const char *users_file(const char *name)
{
    static char path[LOCKFILE_PATH_MAX];
    struct shmx_lockfile_record record;
    int fd = open(name_file(name), O_RDONLY);
    must(fd >= 0 && pread(fd, &record, sizeof record, 0) == (ssize_t)sizeof record);
    close(fd);
    shmx_lockfile_path_users(path, record.id);
    return path;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
    must(fd >= 0 && fchmod(fd, mode) == 0);
    must(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void file_says(const char *path, const char *text)
{
    char found[64] = "";
    int fd = open(path, O_RDONLY);
    must(fd >= 0 && read(fd, found, sizeof found - 1) >= 0);
    close(fd);
    assert_string_equal(found, text);
}

static void expect_gone(const char *name)
{
    shmx *shm;
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    assert_false(is_there(name_file(name)));
}

/* ---- condensed names ---- */

static void condensed(char out[SHMX_NAME_MAX + 1], const char *name)
{
    shmx_name_condense(out, name, shmx_system.name_limit, 0);
}

struct twin {
    uint64_t hash;
    uint32_t number;
};

static int by_hash(const void *a, const void *b)
{
    const struct twin *one = a, *other = b;
    return one->hash < other->hash ? -1 : one->hash > other->hash;
}

static void twin_name(char out[SHMX_NAME_MAX + 1], const char *start, uint32_t number)
{
    snprintf(out, SHMX_NAME_MAX + 1, "%s-is-one-of-many-that-look-alike-%08x", start,
             (unsigned)number);
}

/* The eight characters of the hash, as a number. */
static uint64_t hash_of(const char *name)
{
    char out[SHMX_NAME_MAX + 1];
    uint64_t hash = 0;
    condensed(out, name);
    size_t length = strlen(out);
    for (size_t i = length - 8; i < length; i++)
        hash = hash << 8 | (unsigned char)out[i];
    return hash;
}

/* Find two names of this run with the same 40-bit hash: among 4 million that is all but certain. */
static bool find_twins(char one[SHMX_NAME_MAX + 1], char other[SHMX_NAME_MAX + 1])
{
    static const uint32_t count = 4u << 20;
    const char *start = test_name();
    bool found = false;
    struct twin *twins = malloc(count * sizeof *twins);
    must(twins != NULL);
    for (uint32_t i = 0; i < count; i++) {
        twin_name(one, start, i);
        twins[i] = (struct twin){hash_of(one), i};
    }
    qsort(twins, count, sizeof *twins, by_hash);
    for (uint32_t i = 1; i < count && !found; i++)
        if (twins[i].hash == twins[i - 1].hash) {
            twin_name(one, start, twins[i - 1].number);
            twin_name(other, start, twins[i].number);
            found = true;
        }
    free(twins);
    return found;
}

static void expect_mark(const char *name, char mark)
{
    shmx *shm;
    assert_ok(shmx_open(&shm, name, 0));
    assert_string_equal(shmx_name(shm), name);
    assert_int_equal(((char *)shmx_data(shm))[0], mark);
    shmx_close(&shm);
}

static int count_twins(const shmx_info *info, void *context)
{
    *(int *)context += strstr(info->name, "-look-alike-") != NULL;
    return 0;
}

static void names_with_the_same_hash_are_told_apart(void **state)
{
    (void)state;
    char one[SHMX_NAME_MAX + 1], other[SHMX_NAME_MAX + 1];
    char short_one[SHMX_NAME_MAX + 1], short_other[SHMX_NAME_MAX + 1];
    shmx *a, *b;
    int count = 0;
    if (shmx_system.name_limit == 0)
        test_skip("names are not condensed");
    assert_true(find_twins(one, other));
    condensed(short_one, one);
    condensed(short_other, other);
    assert_string_equal(short_one, short_other);
    assert_ok(shmx_create(&a, one, 100, 0));
    ((char *)shmx_data(a))[0] = 'a';
    assert_status(shmx_open(&b, other, 0), SHMX_ENOENT);
    assert_status(shmx_unlink(other), SHMX_ENOENT);
    assert_ok(shmx_create(&b, other, 200, 0));
    ((char *)shmx_data(b))[0] = 'b';
    expect_mark(one, 'a');
    expect_mark(other, 'b');
    assert_ok(shmx_list(count_twins, &count));
    assert_int_equal(count, 2);
    shmx_close(&a); /* the first place is free, the second taken */
    assert_status(shmx_open(&a, one, 0), SHMX_ENOENT);
    expect_mark(other, 'b');
    assert_status(shmx_create(&a, other, 100, 0), SHMX_EEXIST);
    assert_ok(shmx_create(&a, one, 100, SHMX_PERSISTENT));
    ((char *)shmx_data(a))[0] = 'A';
    assert_ok(shmx_unlink(other));
    assert_ok(shmx_create(&b, other, 200, 0));
    ((char *)shmx_data(b))[0] = 'B';
    expect_mark(one, 'A');
    expect_mark(other, 'B');
    unlink(name_file(one)); /* without its file it is found all the same */
    unlink(name_file(other));
    expect_mark(one, 'A');
    expect_mark(other, 'B');
    shmx_close(&b);
    assert_status(shmx_open(&b, other, 0), SHMX_ENOENT);
    shmx_close(&a);
    expect_mark(one, 'A');
    assert_ok(shmx_unlink(one));
    expect_gone(one);
    expect_gone(other);
}

static void all_places_taken_is_eexist(void **state)
{
    (void)state;
    char name[SHMX_NAME_MAX + 1], place[SHMX_NAME_MAX + 1], path[SHMX_NAME_MAX + 2];
    shmx *shm;
    if (shmx_system.name_limit == 0)
        test_skip("names are not condensed");
    twin_name(name, test_name(), 1);
    for (int probe = 0; probe < SHMX_NAME_PROBES; probe++) {
        shmx_name_condense(place, name, shmx_system.name_limit, probe);
        snprintf(path, sizeof path, "/%s", place);
        int fd = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
        must(fd >= 0 && ftruncate(fd, 100) == 0);
        close(fd);
    }
    assert_status(shmx_create(&shm, name, 100, 0), SHMX_EEXIST);
    assert_false(is_there(name_file(name)));
    for (int probe = 0; probe < SHMX_NAME_PROBES; probe++) {
        shmx_name_condense(place, name, shmx_system.name_limit, probe);
        snprintf(path, sizeof path, "/%s", place);
        assert_int_equal(shm_unlink(path), 0);
    }
    assert_ok(shmx_create(&shm, name, 100, 0));
    shmx_close(&shm);
}

/* ---- lock files that were taken away ---- */

static void without_its_name_file_a_segment_lives_and_ends(void **state)
{
    (void)state;
    shmx *shm, *other;
    const char *name = test_name();
    assert_ok(shmx_create(&shm, name, 100, 0));
    ((char *)shmx_data(shm))[0] = 5;
    assert_int_equal(unlink(name_file(name)), 0);
    expect_mark(name, 5);
    assert_status(shmx_create(&other, name, 100, 0), SHMX_EEXIST);
    assert_ok(shmx_prune(NULL));
    expect_mark(name, 5);
    assert_ok(shmx_open(&other, name, 0));
    shmx_close(&shm);
    expect_mark(name, 5);
    shmx_close(&other);
    expect_gone(name);
}

static void hold_and_wait(void *context)
{
    shmx *shm;
    must(shmx_create(&shm, context, 100, 0) == SHMX_OK);
    say("ready");
    hear();
    _exit(0);
}

static void without_its_name_file_a_dead_segment_makes_room(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    struct test_child *child = child_fork(hold_and_wait, (void *)name);
    child_expect(child, "ready");
    assert_int_equal(unlink(name_file(name)), 0);
    child_end_by_kill(child);
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    assert_ok(shmx_create(&shm, name, 100, 0));
    shmx_close(&shm);
    expect_gone(name);
}

static void without_its_users_file_a_segment_is_never_removed_but_by_unlink(void **state)
{
    (void)state;
    shmx *shm, *other;
    const char *name = test_name();
    assert_ok(shmx_create(&shm, name, 100, 0));
    ((char *)shmx_data(shm))[0] = 5;
    assert_int_equal(unlink(users_file(name)), 0);
    assert_ok(shmx_prune(NULL));
    expect_mark(name, 5);
    assert_status(shmx_create(&other, name, 100, 0), SHMX_EEXIST);
    assert_ok(shmx_open(&other, name, 0));
    shmx_close(&other);
    expect_mark(name, 5);
    assert_ok(shmx_unlink(name));
    shmx_close(&shm);
    expect_gone(name);
}

/* ---- lock files that somebody has put there ---- */

static void links_and_pipes_in_a_name_files_place_are_left_alone(void **state)
{
    (void)state;
    shmx *shm;
    char precious[300];
    shmx_posix_lock_directory(precious);
    snprintf(precious + strlen(precious), sizeof precious - strlen(precious), "/%s", test_name());
    write_file(precious, "precious", 0600);
    for (int kind = 0; kind < 3; kind++) {
        const char *name = test_name();
        const char *path = name_file(name);
        if (kind == 0)
            assert_int_equal(symlink(precious, path), 0);
        else if (kind == 1)
            assert_int_equal(mkfifo(path, 0666), 0);
        else
            assert_int_equal(mkdir(path, 0777), 0);
        assert_status(shmx_create(&shm, name, 100, 0), SHMX_EEXIST);
        assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
        assert_status(shmx_unlink(name), SHMX_ENOENT);
        assert_ok(shmx_prune(NULL));
        assert_true(is_there(path));
        assert_int_equal(remove(path), 0);
    }
    file_says(precious, "precious");
    unlink(precious);
}

static void a_hard_link_in_a_name_files_place_harms_nothing(void **state)
{
    (void)state;
    shmx *shm;
    char precious[300];
    const char *name = test_name();
    shmx_posix_lock_directory(precious);
    snprintf(precious + strlen(precious), sizeof precious - strlen(precious), "/%s", test_name());
    write_file(precious, "precious", 0600);
    assert_int_equal(link(precious, name_file(name)), 0);
    assert_ok(shmx_create(&shm, name, 100, 0));
    file_says(precious, "precious");
    shmx_close(&shm);
    expect_gone(name);
    unlink(precious);
}

static void garbage_in_a_name_file_is_a_leftover(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "x", "shmx\r\nN\n", "shmx\r\nN\nabcdefghabcdefgh",
                                        "not at all what it should be, but rather long"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        shmx *shm;
        const char *name = test_name();
        write_file(name_file(name), texts[i], 0600);
        assert_ok(shmx_create(&shm, name, 100, 0));
        shmx_close(&shm);
        write_file(name_file(name), texts[i], 0600);
        assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
        write_file(name_file(name), texts[i], 0600);
        assert_ok(shmx_prune(NULL));
        assert_false(is_there(name_file(name)));
    }
}

/* ---- a neighbour who holds the lock ---- */

static void a_lock_that_is_held_for_ever_is_eagain(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    write_file(name_file(name), "", 0600);
    int fd = open(name_file(name), O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    int64_t before = test_now_ms();
    assert_status(shmx_create(&shm, name, 100, 0), SHMX_EAGAIN);
    assert_status(shmx_open(&shm, name, 0), SHMX_EAGAIN);
    assert_status(shmx_unlink(name), SHMX_EAGAIN);
    int64_t start = test_now_ms();
    assert_status(shmx_open_wait(&shm, name, 0, 50), SHMX_ETIMEDOUT);
    assert_true(test_now_ms() - start < 500);
    assert_true(test_now_ms() - before < 30000);
    assert_ok(shmx_prune(NULL));
    close(fd);
    assert_ok(shmx_create(&shm, name, 100, 0));
    shmx_close(&shm);
}

static void forks_on(void *context)
{
    (void)context;
    for (;;) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        must(pid > 0 && waitpid(pid, NULL, 0) == pid);
    }
}

PART(exits_while_it_forks)
{
    shmx *shm;
    must(argc == 2 && shmx_create(&shm, argv[1], 100, 0) == SHMX_OK);
    say("ready");
    must(hear() != NULL);
    alarm(20);                          /* rather than to hang */
    static struct test_thread *forking; /* never joined, and no leak */
    forking = thread_start(forks_on, NULL);
    return forking == NULL;
}

/* The last user waits for the name file while the process ends, and forks wait for that end. */
static void a_lock_that_is_held_for_ever_ends_with_exit(void **state)
{
    (void)state;
    const char *name = test_name();
    struct test_child *child = child_start("exits_while_it_forks", name);
    child_expect(child, "ready");
    int fd = open(name_file(name), O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    child_send(child, "go");
    assert_int_equal(child_wait(child), 0);
    close(fd);
    expect_gone(name);
}

/* As one that sweeps, which finds a new file before its maker has locked it, and is slow. */
static void locks_again_and_again(void *path)
{
    for (;;) {
        int fd = open(path, O_RDONLY);
        if (fd >= 0) {
            flock(fd, LOCK_EX | LOCK_NB);
            close(fd);
        }
    }
}

#define MEETINGS 5
#define TRIES 20000

static void one_who_sweeps_is_met_again(void **state)
{
    (void)state;
    const uint64_t id = 0xfedcba9800000000u + (uint32_t)getpid();
    char path[LOCKFILE_PATH_MAX];
    int fd, met = 0;
    shmx_lockfile_path_users(path, id);
    struct test_child *child = child_fork(locks_again_and_again, path);
    for (int i = 0; i < TRIES && met < MEETINGS; i++) {
        int status = shmx_lockfile_users_make(id, test_prefix(), &fd);
        if (status == SHMX_OK) {
            shmx_lockfile_users_remove(id, geteuid());
            close(fd);
        } else {
            assert_status(status, SHMX_EAGAIN); /* and so the next time */
            met++;
        }
    }
    child_end_by_kill(child);
    assert_false(is_there(path));
}

/* As a sweep, which has the lock of a users file without users for a moment. */
static void sweeps(void *path)
{
    for (;;) {
        int fd = open(path, O_RDONLY);
        must(fd >= 0);
        flock(fd, LOCK_EX | LOCK_NB);
        close(fd);
        shmx_os_sleep(200000);
    }
}

#define ASKING_MS 500
#define LIVE_MOST                                                                                  \
    2 /* where the sweep is held up while it has the lock; without a second look: 145 */

static void one_who_sweeps_is_no_user(void **state)
{
    (void)state;
    const uint64_t id = 0xfedcba9700000000u + (uint32_t)getpid();
    char path[LOCKFILE_PATH_MAX];
    int fd, live = 0;
    assert_ok(shmx_lockfile_users_make(id, test_prefix(), &fd));
    close(fd);
    shmx_lockfile_path_users(path, id);
    struct test_child *child = child_fork(sweeps, path);
    for (int64_t end = test_now_ms() + ASKING_MS; test_now_ms() < end;) {
        int status = shmx_lockfile_users_join(id, geteuid(), &fd);
        live += status == SHMX_OK;
        shmx_lockfile_close(&fd);
    }
    child_end_by_kill(child);
    shmx_lockfile_users_remove(id, geteuid());
    assert_true(live <= LIVE_MOST);
}

/* ---- another user ---- */

static void become_other(void)
{
    const char *why;
    if (!test_become_other_user(&why)) {
        say("%s", why);
        _exit(0);
    }
}

/* Run it as another user; false if this cannot be done. */
static bool as_other(void (*run)(void *context), const char *name)
{
    struct test_child *child = child_fork(run, (void *)name);
    const char *line = child_receive(child);
    bool done = line != NULL && strcmp(line, "done") == 0;
    if (!done)
        print_message("%s\n", line != NULL ? line : "(nothing)");
    assert_int_equal(child_wait(child), 0);
    return done;
}

static void may_not_touch(void *context)
{
    shmx *shm;
    become_other();
    must(shmx_open(&shm, context, 0) == SHMX_ENOENT);
    must(shmx_unlink(context) == SHMX_ENOENT);
    must(shmx_prune(NULL) == SHMX_OK);
    must(shmx_create(&shm, context, 100, 0) == SHMX_OK); /* nor does it block the name */
    must(shmx_unlink(context) == SHMX_OK);
    shmx_close(&shm);
    must(shmx_create(&shm, context, 100, 0) == SHMX_OK);
    shmx_close(&shm);
    must(shmx_open(&shm, context, 0) == SHMX_ENOENT);
    say("done");
}

static void anothers_name_file_is_no_segment(void **state)
{
    (void)state;
    test_needs_others();
    static const char *const texts[] = {"", "shmx\r\nN\nabcdefgh\3\0\0\0\0\0\0\0"};
    for (int i = 0; i < 4; i++) {
        const char *name = test_name();
        write_file(name_file(name), texts[i % 2], i < 2 ? 0644 : 0600);
        if (!as_other(may_not_touch, name)) {
            unlink(name_file(name));
            test_skip("needs another user");
        }
        assert_int_equal(unlink(name_file(name)), 0);
    }
}

static void is_refused(void *context)
{
    shmx *shm;
    become_other();
    must(shmx_open(&shm, context, 0) == SHMX_EACCES);
    must(shmx_open(&shm, context, SHMX_READ_ONLY) == SHMX_EACCES);
    must(shmx_create(&shm, context, 100, 0) == SHMX_EEXIST);
    must(shmx_unlink(context) == SHMX_EACCES);
    must(shmx_prune(NULL) == SHMX_OK);
    say("done");
}

static void an_owners_segment_is_the_owners(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    assert_ok(shmx_create(&shm, name, 100, 0));
    ((char *)shmx_data(shm))[0] = 5;
    bool done = as_other(is_refused, name);
    expect_mark(name, 5);
    shmx_close(&shm);
    expect_gone(name);
    if (!done)
        test_skip("needs another user");
}

static shmx *held;

static void asks_who_is_there(void *context)
{
    (void)context;
    become_other();
    must(shmx_presence_wait(held, 1, 1, 0) == SHMX_EACCES);
    must(shmx_presence_wait(held, 1, 0, 0) == SHMX_EACCES);
    say("done");
}

static void one_that_became_another_user_sees_nobody_gone(void **state)
{
    (void)state;
    const char *name = test_name();
    assert_ok(shmx_create(&held, name, 100, 0));
    assert_ok(shmx_presence_enter(held, 1));
    bool done = as_other(asks_who_is_there, name);
    shmx_close(&held);
    if (!done)
        test_skip("needs another user");
}

static void reads(void *context)
{
    shmx *shm;
    become_other();
    shmx_close(&held); /* what it has inherited */
    must(shmx_open(&shm, context, 0) == SHMX_EACCES);
    must(shmx_open(&shm, context, SHMX_READ_ONLY) == SHMX_OK);
    must(((char *)shmx_data(shm))[0] == 5);
    must(shmx_unlink(context) == SHMX_EACCES);
    say("done");
    must(hear() != NULL);
    must(((char *)shmx_data(shm))[0] == 5);
    shmx_close(&shm);
    must(shmx_open(&shm, context, SHMX_READ_ONLY) == SHMX_ENOENT);
    say("closed");
}

static void another_user_keeps_a_segment_alive(void **state)
{
    (void)state;
    test_needs_others();
    const char *name = test_name();
    mode_t before = umask(0777);
    int status = shmx_create(&held, name, 100, SHMX_OTHERS_READ);
    umask(before);
    assert_ok(status);
    ((char *)shmx_data(held))[0] = 5;
    struct test_child *child = child_fork(reads, (void *)name);
    const char *line = child_receive(child);
    bool done = line != NULL && strcmp(line, "done") == 0;
    shmx_close(&held);
    if (!done) {
        child_wait(child);
        test_skip("needs another user");
    }
    expect_mark(name, 5);
    assert_ok(shmx_prune(NULL));
    expect_mark(name, 5);
    child_send(child, "go");
    child_expect(child, "closed");
    assert_int_equal(child_wait(child), 0);
    expect_gone(name); /* the other user may not take it away, but it is dead */
}

/* ---- segments that are open to others ---- */

static void comes(void *context)
{
    shmx *shm;
    become_other();
    say("done");
    while (hear() != NULL) {
        say("%s", shmx_status_name(shmx_open(&shm, context, SHMX_READ_ONLY)));
        shmx_close(&shm);
    }
}

static void expect_mode(const char *name, mode_t mode)
{
    struct stat facts;
    assert_int_equal(stat(name_file(name), &facts), 0);
    assert_int_equal(facts.st_mode & 0777, mode);
}

/* One that wanted to remove it, and was killed before it saw that somebody uses it. */
static void one_left_shut_is_opened_by_its_owner(void **state)
{
    (void)state;
    test_needs_others();
    const char *name = test_name();
    shmx *shm;
    assert_ok(shmx_create(&shm, name, 100, SHMX_OTHERS_READ));
    ((char *)shmx_data(shm))[0] = 5;
    struct test_child *child = child_fork(comes, (void *)name);
    const char *line = child_receive(child);
    if (line == NULL || strcmp(line, "done") != 0) {
        child_close_input(child);
        child_wait(child);
        shmx_close(&shm);
        test_skip("needs another user");
    }
    expect_mode(name, 0400);
    child_send(child, "open");
    child_expect(child, "SHMX_OK");
    assert_int_equal(chmod(name_file(name), 0600), 0);
    child_send(child, "open");
    child_expect(child, "SHMX_EAGAIN");
    expect_mark(name, 5);
    expect_mode(name, 0400);
    child_send(child, "open");
    child_expect(child, "SHMX_OK");
    child_close_input(child);
    assert_int_equal(child_wait(child), 0);
    shmx_close(&shm);
    expect_gone(name);
}

static void read_and_close(void *context)
{
    shmx **shm = context;
    must(hear() != NULL);
    must(((char *)shmx_data(*shm))[0] == 5);
    shmx_close(shm);
    say("closed");
}

static void ends(void *context)
{
    shmx **shm = context;
    must(((char *)shmx_data(*shm))[0] == 5);
    shmx_close(shm);
}

/* The seat that a child shares is there until both have gone. */
static void seats_go_with_their_last_user(void **state)
{
    (void)state;
    test_needs_others();
    char token[SHMX_TOKEN_MAX];
    const char *name = test_name();
    shmx *shm, *adopted;
    assert_ok(shmx_create(&shm, name, 100, SHMX_OTHERS_WRITE));
    ((char *)shmx_data(shm))[0] = 5;
    assert_int_equal(child_wait(child_fork(ends, &shm)), 0);
    expect_mark(name, 5);
    struct test_child *child = child_fork(read_and_close, &shm);
    assert_ok(shmx_share(shm, token, sizeof token));
    assert_ok(shmx_adopt(&adopted, token, 0));
    shmx_close(&shm);
    shmx_close(&adopted);
    expect_mark(name, 5);
    child_send(child, "go");
    child_expect(child, "closed");
    assert_int_equal(child_wait(child), 0);
    expect_gone(name);
    assert_int_equal(test_leftovers(), 0);
}

static void pretends(void *context)
{
    uint64_t id;
    must(sscanf(context, "%" SCNx64, &id) == 1);
    become_other();
    for (int space = SHMX_OS_PRESENT; space <= SHMX_OS_JOINED; space++) {
        char path[LOCKFILE_PATH_MAX];
        struct shmx_posix_mark mark = {.space = (enum shmx_os_space)space, .key = 7, .number = 1};
        shmx_lockfile_path_mark(path, id, &mark);
        write_file(path, "", 0644);
        int fd = open(path, O_RDONLY);
        must(fd >= 0 && flock(fd, LOCK_EX) == 0);
    }
    say("done");
    while (hear() != NULL)
        ;
}

static void a_stranger_pretends_in_vain(void **state)
{
    (void)state;
    char text[20];
    const char *name = test_name();
    struct shmx_lockfile_record record;
    shmx *shm;
    assert_ok(shmx_create(&shm, name, 100, 0));
    int fd = open(name_file(name), O_RDONLY);
    must(fd >= 0 && pread(fd, &record, sizeof record, 0) == (ssize_t)sizeof record);
    close(fd);
    snprintf(text, sizeof text, "%" PRIx64, record.id);
    struct test_child *child = child_fork(pretends, text);
    const char *line = child_receive(child);
    bool done = line != NULL && strcmp(line, "done") == 0;
    if (done)
        assert_status(shmx_presence_wait(shm, 7, 1, 0), SHMX_ETIMEDOUT);
    child_close_input(child);
    assert_int_equal(child_wait(child), 0);
    assert_ok(shmx_prune(NULL));
    shmx_close(&shm);
    if (!done)
        test_skip("needs another user");
}

/* ---- access ---- */

static void access_is_exact_whatever_the_umask(void **state)
{
    (void)state;
    test_needs_others();
    static const mode_t masks[] = {0, 022, 077, 0777};
    static const unsigned flags[] = {0, SHMX_OTHERS_READ, SHMX_OTHERS_WRITE};
    static const mode_t modes[] = {0600, 0644, 0666};
    for (size_t i = 0; i < 12; i++) {
        shmx *shm;
        struct stat facts;
        char path[300];
        const char *name = test_name();
        mode_t before = umask(masks[i / 3]);
        int status = shmx_create(&shm, name, 100, flags[i % 3]);
        assert_int_equal(umask(before), masks[i / 3]);
        assert_ok(status);
        snprintf(path, sizeof path, SHM "/%s", name);
        if (stat(path, &facts) == 0)
            assert_int_equal(facts.st_mode & 0777, modes[i % 3]);
        shmx_close(&shm);
    }
}

/* ---- other programs ---- */

static void anothers_object_of_the_same_name_is_left_alone(void **state)
{
    (void)state;
    shmx *shm, *other;
    const char *name = test_name();
    char path[300];
    snprintf(path, sizeof path, "/%s", name);
    assert_ok(shmx_create(&shm, name, 100, 0));
    assert_int_equal(shm_unlink(path), 0);
    int fd = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    must(fd >= 0 && ftruncate(fd, 50) == 0);
    char *theirs = mmap(NULL, 50, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(theirs != MAP_FAILED);
    memcpy(theirs, "theirs", 6);
    munmap(theirs, 50);
    assert_ok(shmx_open(&other, name, 0));
    assert_memory_equal(shmx_data(other), "theirs", 6);
    shmx_close(&other);
    assert_status(shmx_create(&other, name, 100, 0), SHMX_EEXIST);
    assert_ok(shmx_prune(NULL));
    shmx_close(&shm);
    assert_ok(shmx_open(&other, name, 0));
    assert_memory_equal(shmx_data(other), "theirs", 6);
    shmx_close(&other);
    close(fd);
    assert_ok(shmx_unlink(name));
    expect_gone(name);
}

/* ---- fork without descriptors ---- */

/* Leave no descriptor for the child's own lock. */
static void forked_without_descriptors_the_two_share_one(void **state)
{
    (void)state;
    shmx *shm;
    struct rlimit limit, less;
    const char *name = test_name();
    assert_ok(shmx_create(&shm, name, 100, 0));
    ((char *)shmx_data(shm))[0] = 5;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int pipes[4]; /* to the child and back: these must be to be had */
    for (int i = 0; i < 4; i++)
        pipes[i] = dup(0);
    for (int i = 0; i < 4; i++)
        close(pipes[i]);
    less = limit;
    less.rlim_cur = (rlim_t)pipes[3] + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
    struct test_child *child = child_fork(read_and_close, &shm);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    shmx_close(&shm);
    expect_mark(name, 5);
    child_send(child, "go");
    child_expect(child, "closed");
    assert_int_equal(child_wait(child), 0);
    expect_gone(name);
}

/* ---- the last user is short of something ---- */

#ifndef RLIMIT_AS /* OpenBSD limits private memory only */
#define RLIMIT_AS RLIMIT_DATA
#endif

struct shortage {
    const char *name;
    int descriptors; /* so many are free; -1: address space is short, and the process ends */
};

static void leave_short(void *context)
{
    const struct shortage *shortage = context;
    const struct rlimit none = {0, 0}, few = {64, 64};
    int fds[64], count = 0;
    shmx *shm;
    must(shmx_create(&shm, shortage->name, 5000, 0) == SHMX_OK);
    if (shortage->descriptors < 0) {
        must(setrlimit(RLIMIT_AS, &none) == 0);
        exit(0);
    }
    must(setrlimit(RLIMIT_NOFILE, &few) == 0);
    while ((fds[count] = open("/dev/null", O_RDONLY)) >= 0)
        count++;
    for (int i = 0; i < shortage->descriptors; i++)
        close(fds[--count]);
    shmx_close(&shm);
    _exit(0);
}

/* As if it had been killed. */
static void a_last_user_short_of_anything_makes_room(void **state)
{
    (void)state;
    struct shortage shortage = {test_name(), -1};
    for (; shortage.descriptors < 4; shortage.descriptors++) {
        shmx *shm;
        struct test_child *child = child_fork(leave_short, &shortage);
        assert_int_equal(child_wait(child), 0);
        assert_status(shmx_open(&shm, shortage.name, 0), SHMX_ENOENT);
        assert_ok(shmx_create(&shm, shortage.name, 100, 0));
        shmx_close(&shm);
        expect_gone(shortage.name);
    }
}

static void look_short(void *context)
{
    const struct rlimit none = {0, 0};
    shmx_info info;
    must(setrlimit(RLIMIT_AS, &none) == 0);
    /* Where a label is read and not mapped, no memory is wanted. */
    int status = shmx_stat(context, &info);
    _exit(status == SHMX_OK || status == SHMX_ENOMEM ? 0 : 1);
}

static void short_of_memory_nothing_seems_damaged(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, 5000);
    assert_int_equal(child_wait(child_fork(look_short, (void *)name)), 0);
    shmx_close(&shm);
    expect_gone(name);
}

static const struct test_part parts[] = {
    {"exits_while_it_forks", part_exits_while_it_forks},
    {NULL, NULL},
};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(names_with_the_same_hash_are_told_apart),
    cmocka_unit_test(all_places_taken_is_eexist),
    cmocka_unit_test(without_its_name_file_a_segment_lives_and_ends),
    cmocka_unit_test(without_its_name_file_a_dead_segment_makes_room),
    cmocka_unit_test(without_its_users_file_a_segment_is_never_removed_but_by_unlink),
    cmocka_unit_test(links_and_pipes_in_a_name_files_place_are_left_alone),
    cmocka_unit_test(a_hard_link_in_a_name_files_place_harms_nothing),
    cmocka_unit_test(garbage_in_a_name_file_is_a_leftover),
    cmocka_unit_test(a_lock_that_is_held_for_ever_is_eagain),
    cmocka_unit_test(a_lock_that_is_held_for_ever_ends_with_exit),
    cmocka_unit_test(one_who_sweeps_is_met_again),
    cmocka_unit_test(one_who_sweeps_is_no_user),
    cmocka_unit_test(anothers_name_file_is_no_segment),
    cmocka_unit_test(an_owners_segment_is_the_owners),
    cmocka_unit_test(one_that_became_another_user_sees_nobody_gone),
    cmocka_unit_test(another_user_keeps_a_segment_alive),
    cmocka_unit_test(one_left_shut_is_opened_by_its_owner),
    cmocka_unit_test(seats_go_with_their_last_user),
    cmocka_unit_test(a_stranger_pretends_in_vain),
    cmocka_unit_test(access_is_exact_whatever_the_umask),
    cmocka_unit_test(anothers_object_of_the_same_name_is_left_alone),
    cmocka_unit_test(forked_without_descriptors_the_two_share_one),
    cmocka_unit_test(a_last_user_short_of_anything_makes_room),
    cmocka_unit_test(short_of_memory_nothing_seems_damaged),
};

TEST_MAIN(tests, parts)
