/* SPDX-License-Identifier: MIT */
/*
 * Processes that create, open, stamp, read, unlink and close segments of a few names, and are
 * killed at random; and a judge who knows what each may see. SHMX_TORTURE_SECONDS says for how
 * long.
 *
 * The rules: a board in shared memory tells for each name how often somebody began to unlink
 * it, and for each worker whether it is at it. A worker that saw nobody unlinking before it
 * attached, and sees no more beginnings, has a segment that still has its name: opening it again
 * must give the same one, creating it must be refused. When all workers are gone, all names must be
 * free.
 *
 * Each worker also has a large segment with a name that nobody else ever uses. There is room for
 * those of the living, and of those who just die: so no create may find no room. At the end a few
 * creates leave nothing of all that, without shmx_prune.
 */
#include "support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS 8
#define NAMES 4
#define HELD 4
#define SIZE_LEAST 64
#define SIZE_SPAN 20000
#define LARGE_LEAST 1048576
#define MAGIC UINT64_C(0x73686d7874657374)

enum { NAME_PERSISTENT = NAMES - 1 }; /* the last name is a persistent segment's */

struct board {
    _Atomic uint64_t operations;
    _Atomic uint64_t violations;
    _Atomic uint64_t last_id;
    _Atomic uint32_t begun[NAMES];       /* unlinks of the name */
    _Atomic uint32_t unlinking[WORKERS]; /* name + 1 while it unlinks one */
};

/* At the start of every segment; `check` comes last. */
struct stamp {
    _Atomic uint64_t id;
    _Atomic uint64_t size;
    _Atomic uint64_t check;
};

struct held {
    shmx *shm;
    int name;
    uint64_t id;    /* 0: not stamped yet */
    bool sure;      /* it has its name as long as `begun` stays */
    uint32_t begun; /* the board's number when it was attached to */
};

static struct board *board;
static const char *prefix;
static int self;
static struct held held[HELD];
static shmx *large;

static void violation(const char *what, int name, int status)
{
    atomic_fetch_add(&board->violations, 1);
    fprintf(stderr, "violation: %s: name %d, %s\n", what, name, shmx_status_name(status));
}

static const char *name_of(int name)
{
    static char text[SHMX_NAME_MAX + 1];
    snprintf(text, sizeof text, "%s-%d", prefix, name);
    return text;
}

/* ---- a worker ---- */

static bool nobody_unlinks(int name)
{
    for (int i = 0; i < WORKERS; i++)
        if (atomic_load(&board->unlinking[i]) == (uint32_t)name + 1)
            return false;
    return true;
}

/* Before attaching. An unlink that began before `begun` is read here has ended, if nobody is seen
 * to unlink; one that begins later changes it. */
static void know(struct held *mine, int name)
{
    mine->name = name;
    mine->begun = atomic_load(&board->begun[name]);
    mine->sure = nobody_unlinks(name);
}

/* True if what is held has had its name all the time until now. */
static bool has_name(const struct held *mine)
{
    return mine->shm != NULL && mine->sure && atomic_load(&board->begun[mine->name]) == mine->begun;
}

static uint64_t check_of(uint64_t id, uint64_t size)
{
    return (id * 31 + size) ^ MAGIC;
}

/* 0: not stamped yet. */
static uint64_t stamp_read(const shmx *shm, int name)
{
    struct stamp *stamp = shmx_data(shm);
    uint64_t check = atomic_load(&stamp->check);
    if (check == 0)
        return 0;
    uint64_t id = atomic_load(&stamp->id);
    if (check != check_of(id, atomic_load(&stamp->size)))
        violation("torn contents", name, SHMX_OK);
    if (atomic_load(&stamp->size) != shmx_size(shm))
        violation("another size", name, SHMX_OK);
    return id;
}

static void stamp_write(struct held *mine)
{
    struct stamp *stamp = shmx_data(mine->shm);
    const unsigned char *bytes = shmx_data(mine->shm);
    for (size_t i = 0; i < shmx_size(mine->shm); i++) {
        if (bytes[i] != 0) {
            violation("new and not zero", mine->name, SHMX_OK);
            break;
        }
    }
    mine->id = atomic_fetch_add(&board->last_id, 1) + 1;
    atomic_store(&stamp->id, mine->id);
    atomic_store(&stamp->size, shmx_size(mine->shm));
    atomic_store(&stamp->check, check_of(mine->id, shmx_size(mine->shm)));
}

static struct held *room(void)
{
    struct held *mine = &held[test_random() % HELD];
    if (mine->shm != NULL)
        shmx_close(&mine->shm);
    memset(mine, 0, sizeof *mine);
    return mine;
}

static void do_create(int name)
{
    unsigned flags = name == NAME_PERSISTENT ? SHMX_PERSISTENT : 0;
    struct held *mine = room();
    know(mine, name);
    int status =
        shmx_create(&mine->shm, name_of(name), SIZE_LEAST + test_random() % SIZE_SPAN, flags);
    if (status == SHMX_OK) {
        stamp_write(mine);
    } else if (status != SHMX_EEXIST && status != SHMX_EAGAIN) {
        violation("create", name, status);
    }
}

static void do_open(int name)
{
    struct held *mine = room();
    unsigned flags = test_random() % 4 == 0 ? SHMX_READ_ONLY : 0;
    know(mine, name);
    int status = shmx_open(&mine->shm, name_of(name), flags);
    if (status == SHMX_OK) {
        mine->id = stamp_read(mine->shm, name);
    } else if (status != SHMX_ENOENT && status != SHMX_EAGAIN) {
        violation("open", name, status);
    }
}

static void do_unlink(int name)
{
    atomic_store(&board->unlinking[self], (uint32_t)name + 1);
    atomic_fetch_add(&board->begun[name], 1);
    int status = shmx_unlink(name_of(name));
    atomic_store(&board->unlinking[self], 0);
    if (status != SHMX_OK && status != SHMX_ENOENT && status != SHMX_EAGAIN)
        violation("unlink", name, status);
}

/* The segment held must be the one that the name leads to. */
static void do_compare(void)
{
    struct held *mine = &held[test_random() % HELD];
    shmx *again;
    if (!has_name(mine))
        return;
    int status = shmx_open(&again, name_of(mine->name), 0);
    if (status == SHMX_OK) {
        uint64_t id = stamp_read(again, mine->name);
        if (has_name(mine) && mine->id != 0 && id != mine->id)
            violation("another segment has the name", mine->name, status);
        shmx_close(&again);
    } else if (status != SHMX_EAGAIN && has_name(mine)) {
        violation("the name of a living user is gone", mine->name, status);
    }
}

static void do_create_again(void)
{
    struct held *mine = &held[test_random() % HELD];
    shmx *again;
    if (!has_name(mine))
        return;
    int status = shmx_create(&again, name_of(mine->name), SIZE_LEAST, 0);
    if (status == SHMX_OK && has_name(mine))
        violation("created beside a living one", mine->name, status);
    /* Not stamped: who opens it meanwhile takes it for new. */
    if (status == SHMX_OK)
        shmx_close(&again);
}

static void do_large(void)
{
    static unsigned count;
    char name[SHMX_NAME_MAX + 1];
    shmx_close(&large);
    snprintf(name, sizeof name, "%s-large-%d-%x-%u", prefix, self, (unsigned)test_random(),
             count++);
    int status = shmx_create(&large, name, LARGE_LEAST + test_random() % LARGE_LEAST, 0);
    if (status != SHMX_OK)
        violation("create of a large one", self, status);
}

PART(worker)
{
    shmx *shm;
    must(argc == 4 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    board = shmx_data(shm);
    prefix = argv[2];
    self = atoi(argv[3]);
    say("ready");
    for (;;) {
        int name = (int)(test_random() % NAMES);
        if (test_random() % 64 == 0)
            do_large();
        switch (test_random() % 8) {
        case 0:
        case 1:
            do_create(name);
            break;
        case 2:
        case 3:
            do_open(name);
            break;
        case 4:
            do_unlink(name);
            break;
        case 5:
            do_create_again();
            break;
        case 6:
            do_compare();
            break;
        default:
            room();
        }
        atomic_fetch_add(&board->operations, 1);
    }
}

/* ---- the judge ---- */

struct court {
    struct test_child *workers[WORKERS];
    const char *board_name;
    uint64_t kills;
};

static void hire(struct court *court, int index)
{
    char number[16];
    snprintf(number, sizeof number, "%d", index);
    atomic_store(&board->unlinking[index], 0);
    court->workers[index] = child_start("worker", court->board_name, prefix, number);
}

static void dismiss(struct court *court, int index)
{
    child_end_by_kill(court->workers[index]);
    court->kills++;
}

/* All workers are gone: so are their segments, and the names can be had. */
static void inspect(void)
{
    for (int name = 0; name < NAMES; name++) {
        shmx *shm;
        int status = shmx_open(&shm, name_of(name), 0);
        if (status == SHMX_OK) {
            stamp_read(shm, name);
            shmx_close(&shm);
            if (name != NAME_PERSISTENT)
                violation("left behind", name, status);
            status = shmx_unlink(name_of(name));
            if (status != SHMX_OK)
                violation("cannot be unlinked", name, status);
        } else if (status != SHMX_ENOENT) {
            violation("not free", name, status);
        }
        struct held mine = {.name = name};
        status = shmx_create(&mine.shm, name_of(name), SIZE_LEAST, 0);
        if (status == SHMX_OK)
            stamp_write(&mine);
        else
            violation("cannot be created", name, status);
        shmx_close(&mine.shm);
    }
}

#define CREATES_MOST 4000

/* Creates of any name free the memory of those that were killed, sooner or later. */
static int creates_until_nothing_is_left(void)
{
    int creates = 0;
    for (; creates < CREATES_MOST && test_any_there(prefix); creates++) {
        shmx *shm;
        assert_ok(shmx_create(&shm, test_name(), SIZE_LEAST, 0));
        shmx_close(&shm);
    }
    return creates;
}

/* Some rounds of single kills, then all at once. */
static void one_session(struct court *court)
{
    for (int i = 0; i < WORKERS; i++)
        hire(court, i);
    for (int i = 0; i < WORKERS; i++)
        child_expect(court->workers[i], "ready");
    for (int round = 0; round < 2 * WORKERS; round++) {
        test_sleep_ms((int)(test_random() % 10)); /* wherever they are then */
        int index = (int)(test_random() % WORKERS);
        dismiss(court, index);
        hire(court, index);
    }
    for (int i = 0; i < WORKERS; i++)
        dismiss(court, i);
    inspect();
}

static void nobody_ever_sees_what_must_not_be(void **state)
{
    (void)state;
    shmx *shm;
    struct court court = {.board_name = test_name()};
    const char *seconds = getenv("SHMX_TORTURE_SECONDS");
    prefix = test_name();
    assert_ok(shmx_create(&shm, court.board_name, sizeof *board, 0));
    board = shmx_data(shm);
    int64_t end = test_now_ms() + 1000 * (seconds != NULL ? atoi(seconds) : 3);
    do
        one_session(&court);
    while (test_now_ms() < end);
    int creates = creates_until_nothing_is_left();
    print_message("%llu operations, %llu kills, %llu violations, nothing left after %d creates\n",
                  (unsigned long long)atomic_load(&board->operations),
                  (unsigned long long)court.kills,
                  (unsigned long long)atomic_load(&board->violations), creates);
    assert_true(creates < CREATES_MOST);
    assert_int_equal(atomic_load(&board->violations), 0);
    assert_true(atomic_load(&board->operations) > 100);
    shmx_close(&shm);
}

static const struct test_part parts[] = {{"worker", part_worker}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_ever_sees_what_must_not_be)};

TEST_MAIN(tests, parts)
