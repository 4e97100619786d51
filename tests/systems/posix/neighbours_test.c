/* SPDX-License-Identifier: MIT */
/* What each kind of neighbour can and cannot do: the lines of docs/security.md, with a real second
 * user. */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attack.h"

#define SIZE 20000
#define QUEUE 8192

struct words {
    shmx_mutex mutex[4];
    uint32_t word;
};

static struct words *words_of(shmx *shm)
{
    return shmx_data(shm);
}

#define test_needs_root()                                                                          \
    do {                                                                                           \
        if (geteuid() != 0)                                                                        \
            test_skip("only root can become another user");                                        \
    } while (0)

static bool exists(const char *name)
{
    shmx *shm;
    int status = shmx_open(&shm, name, SHMX_READ_ONLY);
    shmx_close(&shm);
    return status != SHMX_ENOENT;
}

/* Start a part that becomes the other user, and wait until it has done its work. */
static struct test_child *neighbour(const char *part, const char *name)
{
    struct test_child *child = child_start(part, name);
    child_expect(child, "done");
    return child;
}

static void neighbour_goes(struct test_child *child)
{
    child_close_input(child);
    assert_int_equal(child_wait(child), 0);
}

static void become(void)
{
    const char *why;
    must(test_become_other_user(&why));
}

static int done(void)
{
    say("done");
    hear();
    return 0;
}

/* ---- the segment is not open to others ---- */

PART(stranger)
{
    shmx *shm;
    must(argc == 2);
    become();
    must(shmx_open(&shm, argv[1], 0) == SHMX_EACCES);
    must(shmx_open(&shm, argv[1], SHMX_READ_ONLY) == SHMX_EACCES);
    must(shmx_create(&shm, argv[1], SIZE, 0) == SHMX_EEXIST);
    must(shmx_unlink(argv[1]) == SHMX_EACCES);
    must(shmx_prune(NULL) == SHMX_OK);
    return done();
}

static void a_stranger_gets_nothing(void **state)
{
    (void)state;
    test_needs_root();
    const char *name = test_name();
    shmx *shm;
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    neighbour_goes(neighbour("stranger", name));
    assert_true(exists(name));
    shmx_close(&shm);
    assert_false(exists(name));
}

PART(squatter)
{
    shmx *shm;
    must(argc == 2);
    become();
    must(shmx_create(&shm, argv[1], SIZE, 0) == SHMX_OK);
    done();
    shmx_close(&shm);
    return 0;
}

static void a_stranger_takes_a_name_first(void **state)
{
    (void)state;
    test_needs_root();
    const char *name = test_name();
    shmx *shm;
    struct test_child *child = neighbour("squatter", name);
    assert_status(shmx_create(&shm, name, SIZE, 0), SHMX_EEXIST);
    neighbour_goes(child);
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    shmx_close(&shm);
}

/* ---- others may read ---- */

PART(reader)
{
    shmx *shm;
    shmx_topic *topic;
    shmx_queue *queue;
    must(argc == 2);
    become();
    must(shmx_open(&shm, argv[1], 0) == SHMX_EACCES);
    must(shmx_open(&shm, argv[1], SHMX_READ_ONLY) == SHMX_OK);
    must(words_of(shm)->word == 7);
    must(shmx_write(shm, 0, "x", 1) == SHMX_EACCES);
    must(shmx_mutex_lock(shm, words_of(shm)->mutex, 0) == SHMX_EACCES);
    must(shmx_queue_open(&queue, shm, SIZE - QUEUE, QUEUE) == SHMX_EACCES);
    must(shmx_topic_open(&topic, shm, SIZE - QUEUE, QUEUE, SHMX_TOPIC_LOSSLESS) == SHMX_EACCES);
    must(shmx_unlink(argv[1]) == SHMX_EACCES);
    done();
    shmx_close(&shm);
    return 0;
}

static void a_reader_reads_and_stays(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
    const char *name = test_name();
    shmx *shm;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ));
    words_of(shm)->word = 7;
    struct test_child *child = neighbour("reader", name);
    shmx_close(&shm);
    assert_true(exists(name)); /* it is a user */
    neighbour_goes(child);
    assert_false(exists(name));
}

PART(locker)
{
    must(argc == 2);
    become();
    attack_locks(argv[1], false);
    return done();
}

PART(user)
{
    must(argc == 2);
    become();
    attack_locks(argv[1], true);
    return done();
}

PART(asker) /* tries two locks */
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    say("ready");
    must(hear() != NULL);
    must(shmx_mutex_lock(shm, &words_of(shm)->mutex[2], 1000) == SHMX_OK);
    must(shmx_mutex_lock(shm, &words_of(shm)->mutex[0], 120) == SHMX_ETIMEDOUT);
    must(shmx_mutex_lock(shm, &words_of(shm)->mutex[1], 120) == SHMX_ETIMEDOUT);
    shmx_close(&shm);
    return 0;
}

/* Who took its first lock before the reader came, and who did after, both live for everybody. */
static void a_readers_locks_keep_nobody_from_locking(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
    const char *name = test_name();
    shmx *shm, *fresh;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ));
    assert_ok(shmx_mutex_lock(shm, &words_of(shm)->mutex[0], 0));
    assert_ok(shmx_open(&fresh, name, 0));
    struct test_child *late = child_start("asker", name);
    child_expect(late, "ready");
    struct test_child *reader = neighbour("locker", name);
    int64_t start = test_now_ms();
    assert_ok(shmx_mutex_lock(fresh, &words_of(fresh)->mutex[1], 0));
    assert_true(test_now_ms() - start < 1000);
    child_send(late, "go");
    assert_int_equal(child_wait(late), 0);
    assert_ok(shmx_mutex_unlock(fresh, &words_of(fresh)->mutex[1]));
    shmx_close(&fresh);
    shmx_close(&shm);
    neighbour_goes(reader);
}

PART(owner) /* takes a lock, and is killed or closes */
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_mutex_lock(shm, words_of(shm)->mutex, 0) == SHMX_OK);
    return done();
}

/* The owner dies while the reader holds all that it gets, taken before the owner came or after. */
static void dies(bool before)
{
    const char *name = test_name();
    shmx *shm;
    struct test_child *reader = NULL;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ));
    if (before)
        reader = neighbour("locker", name);
    struct test_child *owner = NULL;
    if (!before || !attack_keeps_names())
        owner = neighbour("owner", name);
    if (!before)
        reader = neighbour("locker", name);
    if (owner != NULL) {
        assert_status(shmx_mutex_lock(shm, words_of(shm)->mutex, 60), SHMX_ETIMEDOUT);
        child_kill(owner);
        assert_int_equal(child_wait(owner), CHILD_KILLED);
        assert_status(shmx_mutex_lock(shm, words_of(shm)->mutex, 1000), SHMX_EOWNERDEAD);
        assert_ok(shmx_mutex_unlock(shm, words_of(shm)->mutex));
    }
    neighbour_goes(reader);
    shmx_close(&shm);
    assert_false(exists(name));
}

static void a_reader_hides_no_owners_death(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
    dies(false);
    dies(true);
}

PART(receiver)
{
    shmx *shm;
    shmx_queue *queue;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_queue_open(&queue, shm, SIZE - QUEUE, QUEUE) == SHMX_OK);
    say("opened");
    must(hear() != NULL);
    must(shmx_queue_join(queue, SHMX_RECEIVER) == SHMX_OK);
    return done();
}

static void a_reader_keeps_nobody_from_a_side(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
    const char *name = test_name();
    shmx *shm;
    shmx_queue *queue;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ));
    assert_ok(shmx_queue_open(&queue, shm, SIZE - QUEUE, QUEUE));
    struct test_child *receiver = child_start("receiver", name);
    child_expect(receiver, "opened");
    struct test_child *reader = neighbour("locker", name);
    child_send(receiver, "go");
    child_expect(receiver, "done");
    assert_ok(shmx_queue_join(queue, SHMX_SENDER));
    assert_ok(shmx_queue_send(queue, "x", 1, 0));
    child_kill(receiver);
    assert_int_equal(child_wait(receiver), CHILD_KILLED);
    test_until(shmx_queue_send(queue, "x", 1, 0) == SHMX_EHANGUP);
    shmx_queue_close(&queue);
    shmx_close(&shm);
    neighbour_goes(reader);
}

/* Where readers may lock the files of names: as long as they do, and no longer. */
static void a_reader_keeps_a_name_while_it_lives(void)
{
    const char *name = test_name();
    shmx *shm, *other;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ));
    struct test_child *reader = neighbour("locker", name);
    assert_status(shmx_open(&other, name, 0), SHMX_EAGAIN);
    assert_status(shmx_create(&other, name, SIZE, 0), SHMX_EAGAIN);
    assert_status(shmx_unlink(name), SHMX_EAGAIN);
    shmx_close(&shm); /* in a second or so */
    neighbour_goes(reader);
    assert_status(shmx_open(&other, name, 0), SHMX_ENOENT);
    assert_ok(shmx_create(&other, name, SIZE, 0));
    shmx_close(&other);
}

static void a_reader_keeps_no_name(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
    if (attack_keeps_names()) {
        a_reader_keeps_a_name_while_it_lives();
        return;
    }
    const char *name = test_name();
    shmx *shm, *next;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ));
    struct test_child *first = neighbour("locker", name);
    assert_ok(shmx_unlink(name)); /* in use */
    assert_ok(shmx_create(&next, name, SIZE, SHMX_OTHERS_READ));
    struct test_child *second = neighbour("locker", name);
    shmx_close(&shm);
    shmx_close(&next); /* the last one takes it away */
    assert_false(exists(name));
    neighbour_goes(first);
    neighbour_goes(second);
}

PART(maker) /* makes it, and is killed */
{
    shmx *shm;
    must(argc == 2 && shmx_create(&shm, argv[1], SIZE, SHMX_OTHERS_READ) == SHMX_OK);
    return done();
}

/* The last user of a segment is killed while a reader holds what it gets of it. */
static struct test_child *leave_dead(const char *name, const char *reader)
{
    struct test_child *maker = neighbour("maker", name);
    struct test_child *child = neighbour(reader, name);
    child_kill(maker);
    assert_int_equal(child_wait(maker), CHILD_KILLED);
    return child;
}

static void a_reader_keeps_no_dead_ones_name(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
    if (attack_keeps_names())
        test_skip("a_reader_keeps_no_name shows what readers can do there");
    const char *name = test_name();
    shmx *shm;
    struct test_child *first = leave_dead(name, "locker");
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    shmx_close(&shm);
    struct test_child *second = leave_dead(name, "locker");
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    struct test_child *third = leave_dead(name, "locker");
    assert_status(shmx_unlink(name), SHMX_ENOENT);
    struct test_child *fourth = leave_dead(name, "locker");
    assert_ok(shmx_prune(NULL));
    assert_false(exists(name));
    neighbour_goes(first);
    neighbour_goes(second);
    neighbour_goes(third);
    neighbour_goes(fourth);
}

static void a_readers_lock_is_a_use(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
    if (attack_keeps_names())
        test_skip("a_reader_keeps_no_name shows what readers can do there");
    const char *name = test_name();
    shmx *shm;
    struct test_child *reader = leave_dead(name, "user");
    assert_status(shmx_create(&shm, name, SIZE, 0), SHMX_EEXIST);
    assert_ok(shmx_unlink(name)); /* which no user can prevent */
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    shmx_close(&shm);
    neighbour_goes(reader);
    reader = leave_dead(name, "user");
    neighbour_goes(reader);
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
}

/* ---- others may write ---- */

PART(writer)
{
    shmx *shm;
    must(argc == 2);
    become();
    must(shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_unlink(argv[1]) == SHMX_EACCES);
    must(shmx_mutex_lock(shm, words_of(shm)->mutex, 0) == SHMX_OK);
    return done();
}

static void a_writer_blocks_until_the_time_is_over(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
    const char *name = test_name();
    shmx *shm;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_WRITE));
    struct test_child *writer = neighbour("writer", name);
    assert_status(shmx_mutex_lock(shm, words_of(shm)->mutex, 60), SHMX_ETIMEDOUT);
    child_kill(writer);
    assert_int_equal(child_wait(writer), CHILD_KILLED);
    assert_status(shmx_mutex_lock(shm, words_of(shm)->mutex, 1000), SHMX_EOWNERDEAD);
    shmx_close(&shm);
    assert_false(exists(name));
}

PART(hog) /* holds what locks it gets of one that it may write to */
{
    must(argc == 2);
    become();
    attack_locks(argv[1], false);
    return done();
}

/* A writer may block others, but nobody waits for ever. */
static void a_writers_locks_are_soon_told(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
    const char *name = test_name();
    shmx *shm;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_WRITE));
    struct test_child *hog = neighbour("hog", name);
    int64_t start = test_now_ms();
    int status = shmx_mutex_lock(shm, words_of(shm)->mutex, 100);
    assert_true(status == SHMX_OK || status == SHMX_EACCES);
    assert_true(test_now_ms() - start < 2000);
    neighbour_goes(hog);
    shmx_close(&shm);
}

PART(cutter)
{
    must(argc == 2);
    become();
    say(attack_cut(argv[1]) ? "done" : "refused");
    return 0;
}

/* It has the segment, which is then cut short, and does one thing with it. */
PART(victim) /* NAME WHAT */
{
    shmx *shm, *again;
    shmx_info info;
    must(argc == 3 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    say("done");
    must(hear() != NULL);
    if (strcmp(argv[2], "touch") == 0)
        *(volatile unsigned char *)shmx_data(shm) = 1;
    must(shmx_open(&again, argv[1], 0) != SHMX_OK);
    must(shmx_stat(argv[1], &info) != SHMX_OK);
    must(shmx_unlink(argv[1]) == SHMX_OK);
    shmx_close(&shm);
    return 0;
}

static int cut_under(const char *what)
{
    const char *name = test_name();
    shmx *shm;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_WRITE));
    struct test_child *victim = child_start("victim", name, what);
    child_expect(victim, "done");
    struct test_child *cutter = child_start("cutter", name);
    const char *said = child_receive(cutter);
    bool cut = said != NULL && strcmp(said, "done") == 0;
    assert_int_equal(child_wait(cutter), 0);
    if (!cut) {
        child_kill(victim);
        child_wait(victim);
        shmx_close(&shm);
        return -1;
    }
    child_send(victim, "go");
    int ended = child_wait(victim);
    shmx_unlink(name);
    shmx_close(&shm);
    return ended;
}

static void a_writer_cuts_it_short(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
    int ended = cut_under("touch");
    if (ended < 0)
        test_skip("the system lets nobody change a length that is set");
    assert_int_equal(ended, CHILD_FAULT); /* SIGBUS */
    assert_int_equal(cut_under("leave"), 0);
}

static const struct test_part parts[] = {{"stranger", part_stranger}, {"squatter", part_squatter},
                                         {"reader", part_reader},     {"locker", part_locker},
                                         {"user", part_user},         {"owner", part_owner},
                                         {"asker", part_asker},       {"receiver", part_receiver},
                                         {"maker", part_maker},       {"writer", part_writer},
                                         {"hog", part_hog},           {"cutter", part_cutter},
                                         {"victim", part_victim},     {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_stranger_gets_nothing),
    cmocka_unit_test(a_stranger_takes_a_name_first),
    cmocka_unit_test(a_reader_reads_and_stays),
    cmocka_unit_test(a_readers_locks_keep_nobody_from_locking),
    cmocka_unit_test(a_reader_hides_no_owners_death),
    cmocka_unit_test(a_reader_keeps_nobody_from_a_side),
    cmocka_unit_test(a_reader_keeps_no_name),
    cmocka_unit_test(a_reader_keeps_no_dead_ones_name),
    cmocka_unit_test(a_readers_lock_is_a_use),
    cmocka_unit_test(a_writer_blocks_until_the_time_is_over),
    cmocka_unit_test(a_writers_locks_are_soon_told),
    cmocka_unit_test(a_writer_cuts_it_short),
};

TEST_MAIN(tests, parts)
