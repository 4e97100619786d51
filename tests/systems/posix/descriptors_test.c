/* SPDX-License-Identifier: MIT */
/* POSIX: no living user or owner loses anything, and no file of the program's own is touched,
 * whatever fork, closefrom(3) and limits do to descriptors. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#define SIZE 8192

/* Run it in a forked process, and return how that ended. */
static int forked(void (*run)(void *context), void *context)
{
    struct test_child *child = child_fork(run, context);
    return child_wait(child);
}

/* ---- a normal end ---- */

PART(goes)
{
    shmx *shm;
    must(argc == 2 && shmx_create(&shm, argv[1], SIZE, 0) == SHMX_OK);
    pthread_exit(NULL); /* the last one */
}

static void the_end_of_the_last_thread_counts_as_closing(void **state)
{
    (void)state;
    const char *name = test_name();
    assert_int_equal(child_wait(child_start("goes", name)), 0);
    assert_false(test_there(name)); /* at once */
}

/* ---- limits ---- */

static void limited_later(void *context)
{
    shmx *shm;
    (void)context;
    must(shmx_create(&shm, NULL, 4096, 0) == SHMX_OK);
    shmx_close(&shm);
    /* Of the second not even a file beside the segment may be written. */
    const struct rlimit small = {4096, 4096}, none = {0, 0};
    must(setrlimit(RLIMIT_FSIZE, &small) == 0);
    must(shmx_create(&shm, NULL, 65536, 0) == SHMX_ENOSPC);
    must(setrlimit(RLIMIT_FSIZE, &none) == 0);
    must(shmx_create(&shm, NULL, 64, 0) == SHMX_ENOSPC);
    must(shmx_create(&shm, "", 64, 0) == SHMX_ENOSPC);
}

PART(reserves)
{
    shmx *shm;
    shmx_topic *topic;
    void *place;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_topic_open(&topic, shm, 0, SIZE, 0) == SHMX_OK);
    must(shmx_topic_reserve(topic, 8, &place, 0) == SHMX_OK);
    say("reserved");
    hear();
    must(shmx_topic_cancel(topic) == SHMX_OK);
    shmx_topic_close(&topic);
    shmx_close(&shm);
    return 0;
}

/* With lock files it takes a descriptor to ask whether the owner of a reservation lives. */
static void commits_without_descriptors(void *context)
{
    shmx *shm;
    shmx_topic *topic, *reader;
    char got[8];
    size_t size;
    void *place;
    must(shmx_create(&shm, context, SIZE, 0) == SHMX_OK);
    must(shmx_topic_open(&topic, shm, 0, SIZE, 0) == SHMX_OK);
    must(shmx_topic_open(&reader, shm, 0, SIZE, 0) == SHMX_OK);
    must(shmx_topic_reserve(topic, 8, &place, 0) == SHMX_OK);
    memcpy(place, "x", 1);
    struct test_child *other = child_start("reserves", context);
    child_expect(other, "reserved");
    struct rlimit limit, none;
    must(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    none = limit;
    none.rlim_cur = 3;
    must(setrlimit(RLIMIT_NOFILE, &none) == 0);
    must(shmx_topic_commit(topic, 1) == SHMX_OK);
    must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    child_send(other, "cancel");
    must(child_wait(other) == 0);
    must(shmx_topic_next(reader, got, sizeof got, &size, NULL, 0) == SHMX_OK && size == 1);
    shmx_topic_close(&reader);
    shmx_topic_close(&topic);
    shmx_close(&shm);
}

static void a_commit_needs_no_descriptor(void **state)
{
    (void)state;
    assert_int_equal(forked(commits_without_descriptors, (void *)test_name()), 0);
}

static void a_limit_of_files_set_later_is_enospc(void **state)
{
    (void)state;
    assert_int_equal(forked(limited_later, NULL), 0);
}

/* What was made goes on to work: no more is written to files. */
static void limited_inside(void *context)
{
    shmx *shm;
    shmx_queue *queue;
    (void)context;
    must(shmx_create(&shm, NULL, 8192, 0) == SHMX_OK);
    shmx_mutex *mutex = shmx_data(shm);
    const struct rlimit none = {0, 0};
    must(setrlimit(RLIMIT_FSIZE, &none) == 0);
    must(shmx_mutex_lock(shm, mutex, 0) == SHMX_OK);
    must(shmx_mutex_unlock(shm, mutex) == SHMX_OK);
    must(shmx_presence_enter(shm, 1) == SHMX_OK);
    must(shmx_queue_open(&queue, shm, 64, 4096) == SHMX_OK);
    must(shmx_queue_join(queue, SHMX_SENDER) == SHMX_OK);
    must(shmx_queue_send(queue, "m", 1, 0) == SHMX_OK);
    shmx_queue_close(&queue);
    shmx_close(&shm);
}

static void a_limit_of_files_keeps_nobody_from_locking(void **state)
{
    (void)state;
    assert_int_equal(forked(limited_inside, NULL), 0);
}

/* ---- descriptors of other threads ---- */

#define FAILURES 2000

static atomic_bool failing;

static void opens_meanwhile(void *context)
{
    (void)context;
    while (failing) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        must(fd >= 0);
        must(close(fd) == 0);
    }
}

/* Room for what leads to a segment, but not for the files of its users, which hold its name. */
static void creates_in_vain(void *context)
{
    char name[SHMX_NAME_MAX + 1] = "";
    shmx *shm;
    const struct rlimit small = {64, 64};
    strncat(name, context, SHMX_NAME_MAX);
    memset(name + strlen(name), 'x', SHMX_NAME_MAX - strlen(name));
    must(setrlimit(RLIMIT_FSIZE, &small) == 0);
    failing = true;
    struct test_thread *thread = thread_start(opens_meanwhile, NULL);
    for (int i = 0; i < FAILURES; i++)
        must(shmx_create(&shm, name, SIZE, 0) == SHMX_ENOSPC);
    failing = false;
    thread_join(thread);
}

static void a_failed_create_closes_nothing_of_others(void **state)
{
    (void)state;
    assert_int_equal(forked(creates_in_vain, (void *)test_name()), 0);
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
    must(!test_there(name));
}

static void a_program_that_closes_all_descriptors(void **state)
{
    (void)state;
    assert_int_equal(forked(closes_all, (void *)test_name()), 0);
}

/* The segment opened anew has the numbers of before, and leads to the same files. */
static void opens_anew(void *context)
{
    shmx *old, *anew;
    must(shmx_create(&old, context, SIZE, 0) == SHMX_OK);
    shmx_mutex *mutex = shmx_data(old);
    must(shmx_mutex_lock(old, mutex + 2, 0) == SHMX_OK);
    struct test_child *user = child_start("holds", context);
    child_expect(user, "SHMX_OK");
    struct stat facts;
    for (int fd = 3; fd < 64; fd++)
        if (fstat(fd, &facts) == 0 && !S_ISFIFO(facts.st_mode))
            close(fd);
    must(shmx_open(&anew, context, 0) == SHMX_OK);
    mutex = shmx_data(anew);
    must(shmx_mutex_lock(anew, mutex + 1, 0) == SHMX_OK);
    shmx_close(&old);
    child_kill(user);
    must(child_wait(user) == CHILD_KILLED);
    struct test_child *looks = child_start("looks", context);
    child_expect(looks, "SHMX_EOWNERDEAD"); /* the one that was killed */
    child_expect(looks, "SHMX_ETIMEDOUT");  /* this one */
    must(child_wait(looks) == 0);
    must(test_there(context));
    shmx_close(&anew);
    must(!test_there(context));
}

static void opened_anew_it_is_a_user(void **state)
{
    (void)state;
    assert_int_equal(forked(opens_anew, (void *)test_name()), 0);
}

/* Another process owns the lock and lives. This process's descriptor is another file's by now: it
 * cannot ask, and must not take that for the owner's death. */
static void asks_through_anothers_file(void *context)
{
    shmx *shm;
    must(shmx_create(&shm, context, SIZE, 0) == SHMX_OK);
    shmx_mutex *mutex = shmx_data(shm);
    must(shmx_mutex_lock(shm, mutex + 1, 0) == SHMX_OK); /* it has a token */
    struct test_child *owner = child_start("holds", context);
    child_expect(owner, "SHMX_OK");
    struct stat facts;
    int null = open("/dev/null", O_RDWR);
    must(null >= 0);
    for (int fd = 3; fd < 64; fd++) { /* the segment's own; not the child's pipes */
        bool pipe = fstat(fd, &facts) != 0 || S_ISFIFO(facts.st_mode) || S_ISCHR(facts.st_mode);
        if (!pipe && fd != null)
            must(dup2(null, fd) == fd);
    }
    int status = shmx_mutex_lock(shm, mutex, 100);
    must(status != SHMX_OK && status != SHMX_EOWNERDEAD);
    must(shmx_presence_wait(shm, 1, 0, 0) != SHMX_OK); /* it is there */
    child_kill(owner);
    must(child_wait(owner) == CHILD_KILLED);
    shmx_close(&shm);
    must(!test_there(context));
}

PART(holds)
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_presence_enter(shm, 1) == SHMX_OK);
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
    shmx_topic *reader, *writer;
};

enum { PARENT = 5, CHILD = 6 }; /* keys */

static shmx_mutex *mutex_of(shmx *shm)
{
    return shmx_data(shm);
}

static void child_of_a_poor_fork(void *context)
{
    struct family *family = context;
    char buffer[8];
    /* It refuses locks, and does not lie. */
    must(shmx_mutex_lock(family->shm, mutex_of(family->shm) + 1, 0) == SHMX_EMFILE);
    must(shmx_presence_enter(family->shm, CHILD) == SHMX_EMFILE);
    must(shmx_presence_enter(family->shm, PARENT) == SHMX_EMFILE);
    must(shmx_presence_leave(family->shm, PARENT) == SHMX_EINVAL);
    must(shmx_presence_wait(family->shm, PARENT, 0, 0) == SHMX_EMFILE);
    must(shmx_topic_next(family->reader, buffer, 8, NULL, NULL, 0) == SHMX_EMFILE);
    shmx_topic_close(&family->reader);
    shmx_close(&family->shm);
}

PART(looks)
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    say("%s", shmx_status_name(shmx_mutex_lock(shm, mutex_of(shm), 0)));
    say("%s", shmx_status_name(shmx_mutex_lock(shm, mutex_of(shm) + 1, 0)));
    say("%s", shmx_status_name(shmx_presence_wait(shm, PARENT, 1, 0)));
    say("%s", shmx_status_name(shmx_presence_wait(shm, CHILD, 0, 0)));
    shmx_close(&shm);
    return 0;
}

/* The parent's, which a child might take for a dead one's: a lock, a presence, a reservation, a
 * side. */
static void family_begin(struct family *family)
{
    void *place;
    must(shmx_create(&family->shm, family->name, SIZE, 0) == SHMX_OK);
    must(shmx_mutex_lock(family->shm, mutex_of(family->shm), 0) == SHMX_OK);
    must(shmx_presence_enter(family->shm, PARENT) == SHMX_OK);
    must(shmx_topic_open(&family->reader, family->shm, 64, SIZE - 64, 0) == SHMX_OK);
    must(shmx_topic_open(&family->writer, family->shm, 64, SIZE - 64, 0) == SHMX_OK);
    must(shmx_topic_join(family->writer, SHMX_SENDER) == SHMX_OK);
    must(shmx_topic_reserve(family->writer, 1, &place, 0) == SHMX_OK);
}

static void without_descriptors(void *context)
{
    struct family family = {.name = context};
    family_begin(&family);
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
    must(test_there(family.name));
    struct test_child *looks = child_start("looks", family.name);
    const char *said = child_receive(looks);
    must(said != NULL && strcmp(said, "SHMX_ETIMEDOUT") == 0); /* the owner lives */
    child_expect(looks, "SHMX_OK");
    child_expect(looks, "SHMX_OK"); /* the parent is there */
    child_expect(looks, "SHMX_OK"); /* the child is not */
    must(child_wait(looks) == 0);
    must(shmx_mutex_unlock(family.shm, mutex_of(family.shm)) == SHMX_OK);
    shmx_topic_close(&family.reader);
    shmx_topic_close(&family.writer);
    shmx_close(&family.shm);
    must(!test_there(family.name));
}

static void fork_without_a_descriptor_harms_nobody(void **state)
{
    (void)state;
    assert_int_equal(forked(without_descriptors, (void *)test_name()), 0);
}

/* ---- few that are free ---- */

#define OTHERS_KEY 7

static void holds(void *context)
{
    shmx *shm;
    shmx_queue *queue;
    must(shmx_open(&shm, context, 0) == SHMX_OK);
    must(shmx_queue_open(&queue, shm, 64, SIZE - 64) == SHMX_OK);
    must(shmx_queue_join(queue, SHMX_SENDER | SHMX_RECEIVER) == SHMX_OK);
    must(shmx_presence_enter(shm, OTHERS_KEY) == SHMX_OK);
    must(shmx_mutex_lock(shm, mutex_of(shm), 0) == SHMX_OK);
    say("ready");
    hear();
    _exit(0);
}

struct shortage {
    const char *name;
    int descriptors; /* so many are free */
};

static void leave_free(int descriptors)
{
    const struct rlimit few = {64, 64};
    int fds[64], count = 0;
    must(setrlimit(RLIMIT_NOFILE, &few) == 0);
    while ((fds[count] = open("/dev/null", O_RDONLY)) >= 0)
        count++;
    must(count >= descriptors);
    for (int i = 0; i < descriptors; i++)
        close(fds[--count]);
}

static int count_key(uint32_t key, void *context)
{
    *(int *)context += key == OTHERS_KEY;
    return 0;
}

#define ENOUGH 2 /* a directory and a file */

/* Is it the truth, or that it cannot be told? */
static bool honest(const struct shortage *shortage, int status, int truth)
{
    return status == truth || (status == SHMX_EMFILE && shortage->descriptors < ENOUGH);
}

static void asks_short(void *context)
{
    const struct shortage *shortage = context;
    shmx *shm;
    shmx_queue *queue;
    char byte;
    size_t size;
    int found = 0;
    must(shmx_open(&shm, shortage->name, 0) == SHMX_OK);
    must(shmx_queue_open(&queue, shm, 64, SIZE - 64) == SHMX_OK);
    must(shmx_mutex_lock(shm, mutex_of(shm), 0) == SHMX_ETIMEDOUT); /* it has a token */
    leave_free(shortage->descriptors);
    must(honest(shortage, shmx_queue_receive(queue, &byte, 1, &size, 0), SHMX_ETIMEDOUT));
    must(honest(shortage, shmx_queue_send(queue, "x", 1, 0), SHMX_OK));
    must(honest(shortage, shmx_presence_wait(shm, OTHERS_KEY, 0, 0), SHMX_ETIMEDOUT));
    must(honest(shortage, shmx_presence_wait(shm, OTHERS_KEY, 1, 0), SHMX_OK));
    int status = shmx_presence_list(shm, count_key, &found);
    must(honest(shortage, status, SHMX_OK) && found == (status == SHMX_OK));
    must(honest(shortage, shmx_mutex_lock(shm, mutex_of(shm), 0), SHMX_ETIMEDOUT));
    _exit(0);
}

static void short_of_descriptors_nobody_seems_gone(void **state)
{
    (void)state;
    struct shortage shortage = {test_name(), 0};
    for (; shortage.descriptors <= ENOUGH; shortage.descriptors++) {
        shmx *shm = test_segment(shortage.name, SIZE);
        struct test_child *holder = child_fork(holds, (void *)shortage.name);
        child_expect(holder, "ready");
        assert_int_equal(forked(asks_short, &shortage), 0);
        child_finish(holder);
        shmx_close(&shm);
    }
}

/* The attachment's numbers are beyond the limit, and the child's own would be below. */
static void below_the_limit(void *context)
{
    enum { LOW = 8 };
    int low[LOW];
    shmx *shm;
    struct rlimit before, less;
    for (int i = 0; i < LOW; i++)
        must((low[i] = open("/dev/null", O_RDONLY)) >= 0);
    must(shmx_create(&shm, context, SIZE, 0) == SHMX_OK);
    must(shmx_mutex_lock(shm, mutex_of(shm), 0) == SHMX_OK);
    for (int i = 0; i < LOW; i++)
        close(low[i]);
    must(getrlimit(RLIMIT_NOFILE, &before) == 0);
    less = before;
    less.rlim_cur = (rlim_t)low[LOW - 1];
    must(setrlimit(RLIMIT_NOFILE, &less) == 0);
    pid_t child = fork();
    if (child == 0) {
        shmx_close(&shm);
        _exit(0);
    }
    int ended;
    must(waitpid(child, &ended, 0) == child && ended == 0);
    must(setrlimit(RLIMIT_NOFILE, &before) == 0);
    struct test_child *looks = child_start("looks", context);
    child_expect(looks, "SHMX_ETIMEDOUT"); /* the owner lives */
    must(child_wait(looks) == 0);
    must(test_there(context));
    shmx_close(&shm);
    must(!test_there(context));
}

static void fork_below_a_limit_harms_nobody(void **state)
{
    (void)state;
    assert_int_equal(forked(below_the_limit, (void *)test_name()), 0);
}

/* The classic prefork server: root makes it, gives up root, and forks. */
static void prefork(void *context)
{
    const char *name = context;
    shmx *shm, *again;
    must(shmx_create(&shm, name, SIZE, 0) == SHMX_OK);
    must(shmx_open(&again, name, 0) == SHMX_OK);
    must(shmx_mutex_lock(shm, mutex_of(shm), 0) == SHMX_OK);
    must(setuid(65534) == 0);
    pid_t child = fork();
    if (child == 0) {
        int status = shmx_mutex_lock(again, mutex_of(again), 0);
        must(status != SHMX_OK && status != SHMX_EOWNERDEAD);
        shmx_close(&again);
        shmx_close(&shm);
        _exit(0);
    }
    int ended;
    must(waitpid(child, &ended, 0) == child && ended == 0);
    /* A first lock may be refused now; an owner that has it lives. */
    say("%s", shmx_status_name(shmx_mutex_lock(again, mutex_of(again) + 1, 0)));
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
    const char *said = child_receive(server);
    assert_non_null(said);
    const char *second = strcmp(said, "SHMX_OK") == 0 ? "SHMX_ETIMEDOUT" : "SHMX_OK";
    struct test_child *looks = child_start("looks", name);
    child_expect(looks, "SHMX_ETIMEDOUT");
    child_expect(looks, second);
    assert_int_equal(child_wait(looks), 0);
    child_end_by_kill(server);
    shmx *successor; /* the dead one makes room */
    assert_ok(shmx_create(&successor, name, SIZE, 0));
    shmx_close(&successor);
    assert_false(test_there(name));
}

static const struct test_part parts[] = {{"goes", part_goes},
                                         {"looks", part_looks},
                                         {"holds", part_holds},
                                         {"reserves", part_reserves},
                                         {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_end_of_the_last_thread_counts_as_closing),
    cmocka_unit_test(a_commit_needs_no_descriptor),
    cmocka_unit_test(a_limit_of_files_set_later_is_enospc),
    cmocka_unit_test(a_limit_of_files_keeps_nobody_from_locking),
    cmocka_unit_test(a_failed_create_closes_nothing_of_others),
    cmocka_unit_test(a_program_that_closes_all_descriptors),
    cmocka_unit_test(opened_anew_it_is_a_user),
    cmocka_unit_test(a_living_owner_is_not_dead_after_closefrom),
    cmocka_unit_test(fork_without_a_descriptor_harms_nobody),
    cmocka_unit_test(short_of_descriptors_nobody_seems_gone),
    cmocka_unit_test(fork_below_a_limit_harms_nobody),
    cmocka_unit_test(fork_after_giving_up_root_harms_nobody),
};

TEST_MAIN(tests, parts)
