/* SPDX-License-Identifier: MIT */
/* The lines of docs/security.md: a real second user tries what each kind of neighbour can do, and
 * what it cannot. */
#include "support.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

static void become(void)
{
    const char *why;
    must(test_become_other_user(&why));
}

/* A user that is neither root nor the other one. */
static void become_third(void)
{
    must(setgroups(0, NULL) == 0 && setgid(65533) == 0 && setuid(65533) == 0);
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
    child_finish(neighbour("stranger", name));
    assert_true(exists(name));
    shmx_close(&shm);
    assert_false(exists(name));
}

PART(onlooker)
{
    shmx *shm;
    shmx_info info;
    must(argc == 2);
    become();
    must(shmx_stat(argv[1], &info) != SHMX_OK);
    must(shmx_open(&shm, argv[1], SHMX_READ_ONLY) == SHMX_EACCES);
    say(attack_sees(argv[1]) ? "done" : "nothing");
    return 0;
}

/* Nor is anything left behind that would keep the owner from it. */
static void a_stranger_gets_nothing_of_a_raw_one(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    test_needs_root();
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_RAW));
    child_finish(neighbour("stranger", name));
    shmx_close(&shm);
    assert_ok(shmx_open(&shm, name, SHMX_RAW));
    shmx_close(&shm);
    assert_ok(shmx_unlink(name));
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    shmx_close(&shm);
    assert_false(exists(name));
}

static void a_stranger_sees_the_name(void **state)
{
    (void)state;
    test_needs_root();
    const char *name = test_name();
    shmx *shm;
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    struct test_child *child = child_start("onlooker", name);
    const char *said = child_receive(child);
    assert_non_null(said);
    bool sees = strcmp(said, "done") == 0;
    assert_int_equal(child_wait(child), 0);
    shmx_close(&shm);
    if (!sees)
        test_skip("names of objects, and lock files, tell nobody anything there");
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
    child_finish(child);
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    shmx_close(&shm);
}

/* ---- things in a name's place ---- */

static const char *const kinds[] = {"directory", "pipe", "link", "empty file"};
#define PRECIOUS "precious"

static void plant(const char *kind, const char *path, const char *precious)
{
    int fd = -1;
    if (strcmp(kind, "directory") == 0)
        must(mkdir(path, 0777) == 0);
    else if (strcmp(kind, "pipe") == 0)
        must(mkfifo(path, 0666) == 0);
    else if (strcmp(kind, "link") == 0)
        must(symlink(precious, path) == 0);
    else
        fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0666);
    close(fd);
}

PART(planter) /* NAME KIND PATH PRECIOUS */
{
    must(argc == 5);
    become();
    plant(argv[2], argv[3], argv[4]);
    say("done");
    return 0;
}

/* A user of its own, as root may do more. */
PART(planted) /* NAME */
{
    shmx *shm;
    must(argc == 2);
    become_third();
    int status = shmx_create(&shm, argv[1], SIZE, 0);
    must(status == SHMX_OK || status == SHMX_EEXIST || status == SHMX_EACCES);
    shmx_close(&shm);
    status = shmx_open(&shm, argv[1], 0);
    must(status != SHMX_OK && status != SHMX_EIO);
    status = shmx_unlink(argv[1]);
    must(status != SHMX_OK && status != SHMX_EIO);
    must(shmx_prune(NULL) == SHMX_OK);
    say("done");
    return 0;
}

static void plays(struct test_child *child)
{
    child_expect(child, "done");
    assert_int_equal(child_wait(child), 0);
}

static void is_left_alone(const char *kind, int place)
{
    const char *name = test_name();
    char path[400], precious[500], text[16] = "";
    struct stat before, after;
    snprintf(path, sizeof path, "%s", attack_place(name, place));
    if (strcmp(kind, "empty file") == 0 && strstr(path, "/.shmx-n-") != NULL)
        return; /* left by a maker that died, and root cleans up */
    int directory = (int)(strrchr(path, '/') - path);
    snprintf(precious, sizeof precious, "%.*s/%s-" PRECIOUS, directory, path, name);
    int fd = open(precious, O_RDWR | O_CREAT | O_EXCL, 0666);
    must(fd >= 0 && fchmod(fd, 0666) == 0 && write(fd, PRECIOUS, sizeof PRECIOUS - 1) > 0);
    plays(child_start("planter", name, kind, path, precious));
    assert_int_equal(lstat(path, &before), 0);
    plays(child_start("planted", name));
    assert_int_equal(lstat(path, &after), 0);
    assert_true(before.st_ino == after.st_ino && before.st_mode == after.st_mode);
    assert_int_equal(before.st_size, after.st_size);
    assert_int_equal(pread(fd, text, sizeof text - 1, 0), sizeof PRECIOUS - 1);
    assert_string_equal(text, PRECIOUS);
    close(fd);
    assert_int_equal(remove(precious), 0);
    assert_int_equal(remove(path), 0);
}

static void what_a_stranger_plants_is_left_alone(void **state)
{
    (void)state;
    test_needs_root();
    if (attack_place("name", 0) == NULL)
        test_skip("users have directories of their own");
    for (int place = 0; attack_place("name", place) != NULL; place++)
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            is_left_alone(kinds[i], place);
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
    must(shmx_topic_open(&topic, shm, SIZE - QUEUE, QUEUE, 0) == SHMX_OK);
    must(shmx_topic_join(topic, SHMX_SENDER) == SHMX_EACCES);
    shmx_topic_close(&topic);
    must(shmx_presence_enter(shm, 7) == SHMX_OK);
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
    assert_ok(shmx_presence_wait(shm, 7, 1, 0));
    assert_status(shmx_presence_wait(shm, 8, 1, 0), SHMX_ETIMEDOUT);
    shmx_close(&shm);
    assert_true(exists(name)); /* it is a user */
    child_finish(child);
    assert_false(exists(name));
}

PART(locker)
{
    must(argc == 2);
    become();
    attack_locks(argv[1], false);
    return done();
}

static int keep_locks(const char *name, bool users)
{
    become();
    attack_locks(name, users);
    say("done");
    must(hear() != NULL);
    attack_wait();
    return done();
}

PART(user)
{
    must(argc == 2);
    return keep_locks(argv[1], true);
}

PART(marker)
{
    must(argc == 2);
    return keep_locks(argv[1], false);
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

/* Two owners, one of which took its first lock before the reader came and one after: everybody sees
 * both alive. */
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
    child_finish(reader);
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
    struct test_child *owner = neighbour("owner", name);
    if (!before)
        reader = neighbour("locker", name);
    assert_status(shmx_mutex_lock(shm, words_of(shm)->mutex, 60), SHMX_ETIMEDOUT);
    child_end_by_kill(owner);
    assert_status(shmx_mutex_lock(shm, words_of(shm)->mutex, 1000), SHMX_EOWNERDEAD);
    assert_ok(shmx_mutex_unlock(shm, words_of(shm)->mutex));
    child_finish(reader);
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
    struct test_child *second = neighbour("locker", name); /* takes what falls free */
    child_end_by_kill(receiver);
    test_until(shmx_queue_send(queue, "x", 1, 0) == SHMX_EHANGUP);
    shmx_queue_close(&queue);
    shmx_close(&shm);
    child_finish(reader);
    child_finish(second);
}

PART(publisher) /* of a topic */
{
    shmx *shm;
    shmx_topic *topic;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_topic_open(&topic, shm, SIZE - QUEUE, QUEUE, 0) == SHMX_OK);
    must(shmx_topic_join(topic, SHMX_SENDER) == SHMX_OK);
    return done();
}

PART(subscriber) /* it too may only read; the system shows it that nobody publishes */
{
    shmx *shm;
    shmx_topic *topic;
    char text[8];
    size_t size;
    must(argc == 2);
    become_third();
    must(shmx_open(&shm, argv[1], SHMX_READ_ONLY) == SHMX_OK);
    must(shmx_topic_open(&topic, shm, SIZE - QUEUE, QUEUE, 0) == SHMX_OK);
    must(shmx_topic_next(topic, text, sizeof text, &size, NULL, 0) == SHMX_ETIMEDOUT);
    say("done");
    must(hear() != NULL);
    must(shmx_topic_next(topic, text, sizeof text, &size, NULL, SHMX_FOREVER) == SHMX_EHANGUP);
    shmx_topic_close(&topic);
    shmx_close(&shm);
    return 0;
}

/* While it holds the lock of a dead publisher, other readers may wait; when it has gone, or one who
 * may write has asked, they are told. */
static void a_reader_fools_readers_for_a_while(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
    const char *name = test_name();
    shmx *shm;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ));
    struct test_child *publisher = neighbour("publisher", name);
    struct test_child *subscriber = neighbour("subscriber", name);
    struct test_child *reader = neighbour("locker", name);
    child_end_by_kill(publisher);
    child_send(subscriber, "go");
    child_finish(reader);
    assert_int_equal(child_wait(subscriber), 0);
    shmx_close(&shm);
}

PART(present)
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_presence_enter(shm, 7) == SHMX_OK);
    return done();
}

static void a_readers_lock_is_a_presence(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
    const char *name = test_name();
    shmx *shm;
    assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ));
    struct test_child *present = neighbour("present", name);
    struct test_child *reader = neighbour("marker", name);
    child_end_by_kill(present);
    child_send(reader, "go");
    child_expect(reader, "done");
    assert_ok(shmx_presence_wait(shm, 7, 1, 0)); /* of the reader */
    child_finish(reader);
    assert_ok(shmx_presence_wait(shm, 7, 0, 1000));
    shmx_close(&shm);
}

static void a_reader_keeps_no_name(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
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
    child_finish(first);
    child_finish(second);
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
    child_end_by_kill(maker);
    return child;
}

static struct test_child *leave_used(const char *name)
{
    struct test_child *reader = leave_dead(name, "user");
    child_send(reader, "they died");
    child_expect(reader, "done");
    return reader;
}

static void a_reader_keeps_no_dead_ones_name(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
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
    child_finish(first);
    child_finish(second);
    child_finish(third);
    child_finish(fourth);
}

static void a_readers_lock_is_a_use(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
    const char *name = test_name();
    shmx *shm;
    struct test_child *reader = leave_used(name);
    assert_status(shmx_create(&shm, name, SIZE, 0), SHMX_EEXIST);
    assert_ok(shmx_unlink(name)); /* which no user can prevent */
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    shmx_close(&shm);
    child_finish(reader);
    reader = leave_used(name);
    child_finish(reader);
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
}

/* ---- a reader comes as the last user of the owner's goes ---- */

#define RACES 300

PART(visitor) /* NAME: opens it, and says what came of it */
{
    shmx *shm;
    must(argc == 2);
    become();
    while (hear() != NULL) {
        say("%s", shmx_status_name(shmx_open(&shm, argv[1], SHMX_READ_ONLY)));
        must(hear() != NULL);
        must(shm == NULL || words_of(shm)->word == 7);
        shmx_close(&shm);
        say("closed");
    }
    return 0;
}

/* A process that has opened it is a user; any other finds that it is gone. */
static void a_reader_comes_as_the_last_user_goes(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
    const char *name = test_name();
    struct test_child *visitor = child_start("visitor", name);
    int opened = 0;
    for (int i = 0; i < RACES; i++) {
        shmx *shm;
        assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_READ));
        words_of(shm)->word = 7;
        child_send(visitor, "open");
        for (volatile int pause = 0; pause < i * 1000; pause++)
            ;
        shmx_close(&shm);
        const char *said = child_receive(visitor);
        assert_non_null(said);
        bool open = strcmp(said, "SHMX_OK") == 0;
        if (!open)
            assert_string_equal(said, "SHMX_ENOENT");
        opened += open;
        assert_int_equal(exists(name), open);
        child_send(visitor, "close");
        child_expect(visitor, "closed");
        assert_false(exists(name));
    }
    print_message("opened %d of %d times\n", opened, RACES);
    child_finish(visitor);
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
    child_end_by_kill(writer);
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
    child_finish(hog);
    shmx_close(&shm);
}

PART(scribbler) /* writes one byte everywhere, the control block included */
{
    shmx *shm;
    unsigned byte;
    must(argc == 3 && sscanf(argv[2], "%x", &byte) == 1);
    become();
    must(shmx_open(&shm, argv[1], SHMX_RAW) == SHMX_OK);
    memset(shmx_data(shm), (int)byte, shmx_size(shm));
    say("done");
    return 0;
}

/* Uses all there is of a segment in which somebody scribbled: any status will do, no crash, and no
 * call that goes on. */
PART(reader_of_scribble) /* NAME */
{
    shmx *shm, *again;
    shmx_info info;
    shmx_queue *queue;
    char text[64];
    size_t size;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_queue_open(&queue, shm, SIZE - QUEUE, QUEUE) == SHMX_OK);
    must(shmx_queue_send(queue, "x", 1, 0) == SHMX_OK);
    must(shmx_mutex_lock(shm, words_of(shm)->mutex, 0) == SHMX_OK);
    say("done");
    must(hear() != NULL);
    shmx_mutex_lock(shm, &words_of(shm)->mutex[1], 50);
    shmx_mutex_unlock(shm, words_of(shm)->mutex);
    shmx_queue_receive(queue, text, sizeof text, &size, 50);
    shmx_queue_send(queue, "x", 1, 50);
    shmx_queue_close(&queue);
    shmx_wait(shm, &words_of(shm)->word, 0xffffffff, 50);
    shmx_presence_wait(shm, 7, 1, 50);
    shmx_open(&again, argv[1], 0);
    shmx_close(&again);
    shmx_stat(argv[1], &info);
    must(shmx_unlink(argv[1]) == SHMX_OK);
    shmx_close(&shm);
    return 0;
}

static void a_writer_scribbles(void **state)
{
    (void)state;
    test_needs_root();
    test_needs_others();
    static const char *const bytes[] = {"00", "ff", "5a", "01"};
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        const char *name = test_name();
        shmx *shm;
        assert_ok(shmx_create(&shm, name, SIZE, SHMX_OTHERS_WRITE));
        struct test_child *victim = child_start("reader_of_scribble", name);
        child_expect(victim, "done");
        plays(child_start("scribbler", name, bytes[i]));
        child_send(victim, "go");
        assert_int_equal(child_wait(victim), 0);
        shmx_close(&shm);
        assert_false(exists(name));
    }
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

static const struct test_part parts[] = {{"stranger", part_stranger},
                                         {"squatter", part_squatter},
                                         {"reader", part_reader},
                                         {"locker", part_locker},
                                         {"user", part_user},
                                         {"marker", part_marker},
                                         {"owner", part_owner},
                                         {"asker", part_asker},
                                         {"receiver", part_receiver},
                                         {"maker", part_maker},
                                         {"writer", part_writer},
                                         {"hog", part_hog},
                                         {"cutter", part_cutter},
                                         {"victim", part_victim},
                                         {"onlooker", part_onlooker},
                                         {"planter", part_planter},
                                         {"planted", part_planted},
                                         {"present", part_present},
                                         {"visitor", part_visitor},
                                         {"publisher", part_publisher},
                                         {"subscriber", part_subscriber},
                                         {"scribbler", part_scribbler},
                                         {"reader_of_scribble", part_reader_of_scribble},
                                         {NULL, NULL}};

static int pass_on(const shmx_info *info, void *context)
{
    (void)info;
    (void)context;
    return 0;
}

/* A listing may wait for a quarter of a second in all, which 20 times are 5 s. */
static void an_object_without_a_length_delays_no_listing(void **state)
{
    (void)state;
    char path[64];
    shmx_info info;
    const char *name = test_name();
    snprintf(path, sizeof path, "/%s", name);
    int fd = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_status(shmx_stat(name, &info), SHMX_EAGAIN); /* somebody is about to size it */
    int64_t start = test_now_ms();
    for (int i = 0; i < 20; i++)
        assert_ok(shmx_list(pass_on, NULL));
    assert_true(test_now_ms() - start < 4000);
    close(fd);
    assert_int_equal(shm_unlink(path), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_object_without_a_length_delays_no_listing),
    cmocka_unit_test(a_stranger_gets_nothing),
    cmocka_unit_test(a_stranger_gets_nothing_of_a_raw_one),
    cmocka_unit_test(a_stranger_sees_the_name),
    cmocka_unit_test(a_stranger_takes_a_name_first),
    cmocka_unit_test(what_a_stranger_plants_is_left_alone),
    cmocka_unit_test(a_reader_reads_and_stays),
    cmocka_unit_test(a_readers_locks_keep_nobody_from_locking),
    cmocka_unit_test(a_reader_hides_no_owners_death),
    cmocka_unit_test(a_reader_keeps_nobody_from_a_side),
    cmocka_unit_test(a_reader_fools_readers_for_a_while),
    cmocka_unit_test(a_readers_lock_is_a_presence),
    cmocka_unit_test(a_reader_keeps_no_name),
    cmocka_unit_test(a_reader_keeps_no_dead_ones_name),
    cmocka_unit_test(a_readers_lock_is_a_use),
    cmocka_unit_test(a_reader_comes_as_the_last_user_goes),
    cmocka_unit_test(a_writer_blocks_until_the_time_is_over),
    cmocka_unit_test(a_writers_locks_are_soon_told),
    cmocka_unit_test(a_writer_scribbles),
    cmocka_unit_test(a_writer_cuts_it_short),
};

TEST_MAIN(tests, parts)
