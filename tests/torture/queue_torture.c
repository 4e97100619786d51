/* SPDX-License-Identifier: MIT */
/*
 * Death in the queue. First at every step: the library's sources are built here with a hook between
 * each two stores to shared memory, and a child dies at the n-th, for every n. Then at random, many
 * times a second, with every message numbered and checked.
 *
 *     SHMX_TORTURE_SECONDS   how long at random (3)
 */
#include "support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/layout.h"

/* ---- dying ---- */

#define DEAD 97

static long die_at;          /* at that step; 0: never */
static uint32_t die_chances; /* else at each step with one chance in so many; 0: none */
static _Thread_local uint32_t chance = 1;
static _Thread_local long steps;
static uint32_t bystander; /* the token of the test, which lives */

void shmx_step(void)
{
    steps++;
    chance = chance * 1664525u + 1013904223u;
    if (steps == die_at || (die_chances != 0 && (chance >> 8) % die_chances == 0))
        _Exit(DEAD); /* nothing is cleaned up */
}

/* ---- messages that can be told from each other ---- */

#define LONG 1500 /* more than what is copied under the lock */

static void fill(unsigned char *message, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++)
        message[i] = (unsigned char)((seed += 0x9e3779b9u) >> 24);
}

static bool filled(const unsigned char *message, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++)
        if (message[i] != (unsigned char)((seed += 0x9e3779b9u) >> 24))
            return false;
    return true;
}

/* ---- at every step ---- */

enum { REGION = 8192, SMALL = 40 };

struct scene {
    const char *name;
    char act[8];      /* what the child does, see act_once */
    size_t room;      /* how far from the end of the ring the tail is at first; 0: wherever */
    int before;       /* messages in the queue, numbered from 1 */
    bool full;        /* and so many more that there is no room */
    bool peeked;      /* the test holds the first one */
    bool reserved;    /* another child reserved one after them, and died */
    bool returned;    /* another child had peeked the first one, and died */
    int takes, gives; /* so many may be gone, so many new ones may be there */
};

static const struct scene scenes[] = {
    {.name = "send", .act = "s", .before = 2, .gives = 1},
    {.name = "send at the end of the ring", .act = "s", .room = 120, .before = 2, .gives = 1},
    {.name = "send a long one", .act = "S", .before = 2, .gives = 1},
    {.name = "send a long one at the end", .act = "S", .room = 900, .before = 2, .gives = 1},
    {.name = "send into a full queue", .act = "s", .before = 1, .full = true},
    {.name = "reserve, commit", .act = "rc", .before = 2, .gives = 1},
    {.name = "reserve, commit less", .act = "rl", .before = 2, .gives = 1},
    {.name = "reserve, cancel", .act = "rx", .before = 2},
    {.name = "reserve, close", .act = "rq", .before = 2},
    {.name = "receive", .act = "g", .before = 3, .takes = 1},
    {.name = "receive across the end", .act = "g", .room = 24, .before = 4, .takes = 1},
    {.name = "receive a long one", .act = "G", .before = 3, .takes = 1},
    {.name = "receive beside a peeked one", .act = "g", .before = 3, .peeked = true, .takes = 1},
    {.name = "receive from an empty queue", .act = "g", .before = 0},
    {.name = "receive behind a dead producer", .act = "g", .before = 0, .reserved = true},
    {.name = "receive after a dead consumer",
     .act = "g",
     .before = 3,
     .returned = true,
     .takes = 1},
    {.name = "peek, release", .act = "pf", .before = 3, .takes = 1},
    {.name = "peek, release beside a peeked one",
     .act = "pf",
     .before = 3,
     .peeked = true,
     .takes = 1},
    {.name = "peek, release beside one at work", .act = "pbf", .before = 3, .takes = 1},
    {.name = "peek, release beside a peeked one and one at work",
     .act = "pbf",
     .before = 3,
     .peeked = true,
     .takes = 1},
    {.name = "peek, close", .act = "pq", .before = 3},
    {.name = "send with a dead producer's in the way",
     .act = "s",
     .before = 1,
     .reserved = true,
     .gives = 1},
    {.name = "all of it", .act = "spfrcg", .before = 3, .takes = 2, .gives = 2},
};

#define NEW 1000 /* number of what the child sends */

static size_t size_of(const struct scene *scene, int number)
{
    bool is_long = (strchr(scene->act, 'G') != NULL && number == 1) ||
                   (strchr(scene->act, 'S') != NULL && number >= NEW);
    return is_long ? LONG : SMALL;
}

static int send_number(shmx_queue *queue, const struct scene *scene, int number, int limit)
{
    unsigned char message[LONG];
    size_t size = size_of(scene, number);
    fill(message + 4, size - 4, (uint32_t)number);
    memcpy(message, &(uint32_t){(uint32_t)number}, 4);
    return shmx_queue_send(queue, message, size, limit);
}

/* The number of the next message; 0 if there is none. */
static int receive_number(shmx_queue *queue, const struct scene *scene, int limit)
{
    unsigned char message[LONG];
    size_t size;
    uint32_t number;
    int status = shmx_queue_receive(queue, message, sizeof message, &size, limit);
    if (status == SHMX_ETIMEDOUT)
        return 0;
    must(status == SHMX_OK && size >= 4);
    memcpy(&number, message, 4);
    must(size == size_of(scene, (int)number) && filled(message + 4, size - 4, number));
    return (int)number;
}

static void write_new(unsigned char *place)
{
    memcpy(place, &(uint32_t){NEW}, 4);
    fill(place + 4, SMALL - 4, NEW);
}

/* Give the consumers' lock from `from` to `to`, each a token or 0. */
static void lock_pass(shmx_queue *queue, uint32_t from, uint32_t to)
{
    atomic_compare_exchange_strong(&queue->header->consumers.lock, &from, to);
}

static void act_once(shmx_queue **queue, const struct scene *scene, char act)
{
    static void *place;
    const void *seen;
    int status = SHMX_OK;
    switch (act) {
    case 's':
    case 'S':
        status = send_number(*queue, scene, NEW, 0);
        break;
    case 'r':
        status = shmx_queue_reserve(*queue, SMALL + 80, &place, 0);
        break;
    case 'c':
    case 'l':
        write_new(place);
        status = shmx_queue_commit(*queue, SMALL);
        break;
    case 'x':
        status = shmx_queue_cancel(*queue);
        break;
    case 'g':
    case 'G':
        receive_number(*queue, scene, 0);
        break;
    case 'p':
        status = shmx_queue_peek(*queue, &seen, NULL, 0);
        break;
    case 'b': /* another consumer is at work from now on */
        lock_pass(*queue, 0, bystander);
        break;
    case 'f':
        status = shmx_queue_release(*queue);
        break;
    default:
        shmx_queue_close(queue);
        break;
    }
    must(status == SHMX_OK || status == SHMX_ETIMEDOUT);
}

/* Play scene S, and die at step N. */
PART(actor)
{
    shmx *shm;
    shmx_queue *queue;
    must(argc == 5 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_queue_open(&queue, shm, 0, REGION) == SHMX_OK);
    const struct scene *scene = &scenes[atoi(argv[2])];
    die_at = atol(argv[3]);
    bystander = (uint32_t)strtoul(argv[4], NULL, 10);
    for (const char *act = scene->act; *act != '\0'; act++)
        act_once(&queue, scene, *act);
    die_at = 0;
    shmx_queue_close(&queue);
    shmx_close(&shm);
    return 0;
}

/* Reserve or peek, and die. */
PART(victim)
{
    shmx *shm;
    shmx_queue *queue;
    void *place;
    const void *seen;
    must(argc == 3 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_queue_open(&queue, shm, 0, REGION) == SHMX_OK);
    if (argv[2][0] == 'r')
        must(shmx_queue_reserve(queue, 200, &place, 0) == SHMX_OK);
    else
        must(shmx_queue_peek(queue, &seen, NULL, 0) == SHMX_OK);
    _Exit(DEAD);
}

/* Move the tail to `room` units before the end of the ring. */
static void move_tail(shmx_queue *queue, size_t room)
{
    unsigned char message[800] = {0};
    struct queue_header *header = queue->header;
    while (room != 0) {
        size_t left = queue->capacity - atomic_load(&header->producers.place);
        if (left == room / 8)
            return;
        /* Go round first if it is too near already. */
        size_t units = left > room / 8 ? left - room / 8 : left + 1;
        size_t size = units > 101 ? 800 : units > 1 ? (units - 1) * 8 : 0;
        assert_ok(shmx_queue_send(queue, message, size, 0));
        assert_ok(shmx_queue_receive(queue, message, sizeof message, NULL, 0));
    }
}

static int fill_up(shmx_queue *queue, const struct scene *scene, int number)
{
    while (send_number(queue, scene, number, 0) == SHMX_OK)
        number++;
    return number;
}

static void victim_dies(const char *name, const char *how)
{
    assert_int_equal(child_wait(child_start("victim", name, how)), DEAD);
}

/* Every message sent before is there, but for what the child took, once each and in order, but for
 * what dead consumers had held; what the child sent may be there. */
static void check_messages(shmx_queue *queue, const struct scene *scene, int first, int end)
{
    bool seen[512] = {false};
    int got, last = 0, missing = 0, late = 0, gave = 0;
    while ((got = receive_number(queue, scene, 0)) != 0) {
        if (got == NEW) {
            gave++;
            continue;
        }
        assert_true(got >= first && got < end && !seen[got]);
        seen[got] = true;
        late += got < last;
        last = got;
    }
    for (int number = first; number < end; number++)
        missing += !seen[number];
    assert_true(missing <= scene->takes && gave <= scene->gives && late <= 1);
}

/* The room is what it is in a fresh queue, and messages go through it. */
static void check_room(shmx_queue *queue, const struct scene *scene, int fresh)
{
    int count = fill_up(queue, scene, 1) - 1;
    assert_true(count >= fresh - 2);
    for (int i = 1; i <= count; i++)
        assert_int_equal(receive_number(queue, scene, 0), i);
    assert_int_equal(receive_number(queue, scene, 0), 0);
}

/* True if the child died. */
static bool die_in_scene(int index, long step)
{
    static const struct scene plain = {.act = ""};
    const struct scene *scene = &scenes[index];
    const char *name = test_name();
    char number[16], at[24], token[16];
    const void *seen;
    shmx *shm;
    shmx_queue *queue, *other;
    assert_ok(shmx_create(&shm, name, REGION, 0));
    assert_ok(shmx_queue_open(&queue, shm, 0, REGION));
    assert_ok(shmx_queue_open(&other, shm, 0, REGION));
    int fresh = fill_up(queue, &plain, 1) - 1;
    while (receive_number(queue, &plain, 0) != 0)
        ;
    move_tail(queue, scene->room);
    int end = 1;
    for (; end <= scene->before; end++)
        assert_ok(send_number(queue, scene, end, 0));
    if (scene->full)
        end = fill_up(queue, scene, end);
    if (scene->peeked)
        assert_ok(shmx_queue_peek(other, &seen, NULL, 0));
    if (scene->reserved)
        victim_dies(name, "r");
    if (scene->returned)
        victim_dies(name, "p");
    snprintf(number, sizeof number, "%d", index);
    snprintf(at, sizeof at, "%ld", step);
    snprintf(token, sizeof token, "%u", (unsigned)shmx_token_known(shm));
    int ended = child_wait(child_start("actor", name, number, at, token));
    assert_true(ended == DEAD || ended == 0);
    lock_pass(queue, shmx_token_known(shm), 0);
    check_messages(queue, scene, scene->peeked ? 2 : 1, end);
    if (scene->peeked)
        assert_ok(shmx_queue_release(other));
    check_room(queue, &plain, fresh);
    shmx_queue_close(&other);
    shmx_queue_close(&queue);
    shmx_close(&shm);
    return ended == DEAD;
}

static void death_at_every_step(void **state)
{
    (void)state;
    long deaths = 0;
    for (int i = 0; i < (int)(sizeof scenes / sizeof *scenes); i++) {
        long step = 1;
        while (die_in_scene(i, step))
            step++;
        print_message("           %3ld steps: %s\n", step - 1, scenes[i].name);
        assert_true(step > 1);
        deaths += step - 1;
    }
    print_message(
        "           %ld deaths, one at each step: no message lost or damaged, no room lost\n",
        deaths);
}

/* ---- while joining ---- */

#define TOLD_MS (100 + 100) /* now and then a busy machine adds more, but not each time */

struct asleep {
    shmx_queue *queue;
    unsigned other; /* the side that is waited for */
    int status;
};

static void waits_for_ever(void *context)
{
    struct asleep *asleep = context;
    char message[8];
    asleep->status = asleep->other == SHMX_SENDER
                         ? shmx_queue_receive(asleep->queue, message, 8, NULL, SHMX_FOREVER)
                         : shmx_queue_send(asleep->queue, "m", 1, SHMX_FOREVER);
}

/* Join that side, and die at step N. */
PART(joiner)
{
    shmx *shm;
    shmx_queue *queue;
    must(argc == 4 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_queue_open(&queue, shm, 0, REGION) == SHMX_OK);
    say("ready");
    must(hear() != NULL);
    steps = 0;
    die_at = atol(argv[3]);
    must(shmx_queue_join(queue, (unsigned)atoi(argv[2])) == SHMX_OK);
    die_at = 0;
    _Exit(0);
}

/* One sleeps already when another joins and dies at that step, if it comes so far. How many ms
 * later is that told? If nobody has joined by then, it is not. */
static int64_t joiner_dies(unsigned side, long step, bool *died)
{
    const char *name = test_name();
    char at[24], number[] = {(char)('0' + side), '\0'};
    shmx *shm;
    struct asleep asleep = {NULL, side, 1};
    assert_ok(shmx_create(&shm, name, REGION, 0));
    assert_ok(shmx_queue_open(&asleep.queue, shm, 0, REGION));
    while (side == SHMX_RECEIVER && shmx_queue_send(asleep.queue, "m", 1, 0) == SHMX_OK)
        ;
    const struct shmx_party *party = &asleep.queue->party;
    snprintf(at, sizeof at, "%ld", step);
    struct test_child *child = child_start("joiner", name, number, at);
    child_expect(child, "ready");
    struct test_thread *thread = thread_start(waits_for_ever, &asleep);
    test_until(test_sleepers(shm, side == SHMX_SENDER ? party->sent : party->received) != 0);
    child_send(child, "join");
    int ended = child_wait(child);
    int64_t start = test_now_ms();
    assert_true(ended == DEAD || ended == 0);
    *died = ended == DEAD;
    if ((atomic_load(&party->shared->flags) & side) == 0)
        assert_ok(shmx_queue_shutdown(asleep.queue));
    thread_join(thread);
    assert_status(asleep.status, SHMX_EHANGUP);
    shmx_queue_close(&asleep.queue);
    shmx_close(&shm);
    return test_now_ms() - start;
}

static void death_while_joining(void **state)
{
    (void)state;
    for (unsigned side = SHMX_SENDER; side <= SHMX_RECEIVER; side *= 2) {
        long step = 0;
        for (bool died = true; died;) {
            int64_t told = TEST_PATIENCE_MS;
            step++;
            for (int tries = 0; tries < 8 && told > TOLD_MS; tries++)
                told = joiner_dies(side, step, &died);
            print_message("           step %ld: told after %d ms\n", step, (int)told);
            assert_true(told <= TOLD_MS);
        }
        assert_true(step > 3);
    }
}

/* ---- at random ---- */

enum { BLOCK = 4096, PRODUCERS = 4, CONSUMERS = 4, LONGEST = 2500, TORTURE_REGION = 16384 };

/* The consumers go on until all producers are gone: those may be waiting for room. */
enum { ALL_GO_ON, PRODUCERS_END, ALL_END };

/* The notes of everybody, in a segment of its own. A producer numbers its messages within
 * blocks that only it uses. */
struct book {
    _Atomic uint32_t ending;
    _Atomic uint32_t blocks_used;
    _Atomic uint32_t damaged;
    _Atomic uint32_t late; /* older than one that the same consumer had from the same block */
    uint32_t blocks;
    uint32_t reserved[3];
    struct {
        _Atomic uint32_t sent; /* at least so many: their send has returned */
    } block[];
};

static _Atomic uint8_t *delivered(struct book *book, uint32_t block, uint32_t number)
{
    return (_Atomic uint8_t *)(void *)&book->block[book->blocks] + (size_t)block * BLOCK + number;
}

static size_t book_size(uint32_t blocks)
{
    return sizeof(struct book) + (size_t)blocks * (sizeof(uint32_t) + BLOCK);
}

struct stamp {
    uint32_t block;
    uint32_t number;
    uint32_t size;
};

static void send_stamped(shmx_queue *queue, const struct stamp *stamp)
{
    unsigned char message[LONGEST];
    void *place;
    memcpy(message, stamp, sizeof *stamp);
    fill(message + sizeof *stamp, stamp->size - sizeof *stamp, stamp->block ^ stamp->number << 12);
    if (stamp->number % 3 != 0) {
        must(shmx_queue_send(queue, message, stamp->size, SHMX_FOREVER) == SHMX_OK);
        return;
    }
    must(shmx_queue_reserve(queue, LONGEST, &place, SHMX_FOREVER) == SHMX_OK);
    memcpy(place, message, stamp->size);
    must(shmx_queue_commit(queue, stamp->size) == SHMX_OK);
}

struct torture {
    shmx *shm, *notes;
    shmx_queue *queue;
    struct book *book;
};

static struct torture torture_open(char **argv)
{
    struct torture torture;
    must(shmx_open(&torture.shm, argv[1], 0) == SHMX_OK);
    must(shmx_open(&torture.notes, argv[2], 0) == SHMX_OK);
    must(shmx_queue_open(&torture.queue, torture.shm, 0, TORTURE_REGION) == SHMX_OK);
    torture.book = shmx_data(torture.notes);
    chance = (uint32_t)strtoul(argv[3], NULL, 10);
    die_chances = chance % 2 != 0 ? 20000 : 0; /* the others are left to the killer */
    return torture;
}

static void torture_close(struct torture *torture)
{
    die_chances = 0;
    shmx_queue_close(&torture->queue);
    shmx_close(&torture->notes);
    shmx_close(&torture->shm);
}

PART(producer)
{
    must(argc == 4);
    struct torture torture = torture_open(argv);
    struct book *book = torture.book;
    struct stamp stamp = {0, BLOCK, 0};
    while (atomic_load(&book->ending) == ALL_GO_ON) {
        if (stamp.number == BLOCK) {
            stamp.block = atomic_fetch_add(&book->blocks_used, 1);
            stamp.number = 0;
        }
        if (stamp.block >= book->blocks)
            break; /* the book is full */
        stamp.size = (uint32_t)sizeof stamp +
                     (stamp.number * 2654435761u >> 10) % (LONGEST - (uint32_t)sizeof stamp + 1);
        stamp.size = stamp.number % 4 != 0 ? stamp.size % 100 + 12 : stamp.size;
        send_stamped(torture.queue, &stamp);
        atomic_store(&book->block[stamp.block].sent, ++stamp.number);
    }
    torture_close(&torture);
    return 0;
}

static void note(struct book *book, const unsigned char *message, size_t size)
{
    static struct stamp last;
    struct stamp stamp;
    memcpy(&stamp, message, size < sizeof stamp ? size : sizeof stamp);
    if (size < sizeof stamp || stamp.size != size || stamp.block >= book->blocks ||
        stamp.number >= BLOCK ||
        !filled(message + sizeof stamp, size - sizeof stamp, stamp.block ^ stamp.number << 12)) {
        atomic_fetch_add(&book->damaged, 1);
        return;
    }
    if (stamp.block == last.block && stamp.number < last.number)
        atomic_fetch_add(&book->late, 1);
    last = stamp;
    atomic_fetch_add(delivered(book, stamp.block, stamp.number), 1);
}

/* Until it is time to end and nothing comes any more. */
PART(consumer)
{
    must(argc == 5);
    struct torture torture = torture_open(argv);
    unsigned char message[LONGEST];
    const void *place;
    size_t size;
    bool copies = argv[4][0] == 'c';
    for (;;) {
        bool last = atomic_load(&torture.book->ending) == ALL_END;
        int status = copies ? shmx_queue_receive(torture.queue, message, LONGEST, &size, 200)
                            : shmx_queue_peek(torture.queue, &place, &size, 200);
        if (status == SHMX_ETIMEDOUT && last)
            break;
        if (status == SHMX_ETIMEDOUT)
            continue;
        must(status == SHMX_OK);
        note(torture.book, copies ? message : place, size);
        if (!copies)
            must(shmx_queue_release(torture.queue) == SHMX_OK);
    }
    torture_close(&torture);
    return 0;
}

struct troupe {
    const char *name;
    const char *notes;
    const char *how; /* consumers: copy or peek */
    struct test_child *children[PRODUCERS + CONSUMERS];
    uint32_t deaths[2]; /* of consumers, of producers */
};

/* A child with an even seed does not die by itself. */
static void troupe_start_with(struct troupe *troupe, int index, uint32_t number)
{
    char seed[16];
    snprintf(seed, sizeof seed, "%u", (unsigned)number);
    troupe->children[index] =
        index < PRODUCERS ? child_start("producer", troupe->name, troupe->notes, seed)
                          : child_start("consumer", troupe->name, troupe->notes, seed, troupe->how);
}

static void troupe_start(struct troupe *troupe, int index)
{
    troupe_start_with(troupe, index, test_random());
}

static void troupe_join(struct troupe *troupe, int index)
{
    int ended = child_wait(troupe->children[index]);
    assert_true(ended == CHILD_KILLED || ended == DEAD || ended == 0);
    troupe->deaths[index < PRODUCERS] += ended != 0;
}

struct verdict {
    uint64_t sent, twice, lost, more;
};

static struct verdict judge(struct book *book)
{
    struct verdict verdict = {0};
    uint32_t used = atomic_load(&book->blocks_used);
    for (uint32_t block = 0; block < used && block < book->blocks; block++) {
        uint32_t sent = atomic_load(&book->block[block].sent);
        verdict.sent += sent;
        for (uint32_t number = 0; number < BLOCK; number++) {
            uint32_t count = atomic_load(delivered(book, block, number));
            verdict.lost += number < sent && count == 0;
            verdict.twice += count > 1 ? count - 1 : 0;
            /* One may have been sent whose sender died before it wrote that down. */
            verdict.more += number > sent && count > 0;
        }
    }
    return verdict;
}

static void torture_end(struct troupe *troupe, struct book *book)
{
    atomic_store(&book->ending, PRODUCERS_END);
    /* The producers may all be waiting for room, and the consumers all be dead by now. */
    child_kill(troupe->children[PRODUCERS]);
    troupe_join(troupe, PRODUCERS);
    troupe_start_with(troupe, PRODUCERS, 0);
    for (int i = 0; i < PRODUCERS; i++)
        troupe_join(troupe, i);
    atomic_store(&book->ending, ALL_END);
    for (int i = PRODUCERS; i < PRODUCERS + CONSUMERS; i++)
        troupe_join(troupe, i);
    /* What those left who died meanwhile. */
    troupe_start_with(troupe, PRODUCERS, 0);
    assert_int_equal(child_wait(troupe->children[PRODUCERS]), 0);
}

static void torture_run(const char *how, int seconds)
{
    struct troupe troupe = {test_name(), test_name(), how, {NULL}, {0, 0}};
    shmx *shm, *notes;
    uint32_t blocks = 400 * (uint32_t)seconds;
    assert_ok(shmx_create(&shm, troupe.name, TORTURE_REGION, 0));
    assert_ok(shmx_create(&notes, troupe.notes, book_size(blocks), 0));
    struct book *book = shmx_data(notes);
    book->blocks = blocks;
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        troupe_start(&troupe, i);
    int64_t end = test_now_ms() + (int64_t)seconds * 1000;
    while (test_now_ms() < end) {
        int index = (int)(test_random() % (PRODUCERS + CONSUMERS));
        test_sleep_ms((int)(test_random() % 20));
        child_kill(troupe.children[index]);
        troupe_join(&troupe, index);
        troupe_start(&troupe, index);
    }
    torture_end(&troupe, book);
    struct verdict verdict = judge(book);
    print_message(
        "           %s: %llu messages, %u producers and %u consumers died; %llu delivered "
        "twice, %u late, %llu lost, %llu from nowhere, %u damaged\n",
        how, (unsigned long long)verdict.sent, (unsigned)troupe.deaths[1],
        (unsigned)troupe.deaths[0], (unsigned long long)verdict.twice,
        (unsigned)atomic_load(&book->late), (unsigned long long)verdict.lost,
        (unsigned long long)verdict.more, (unsigned)atomic_load(&book->damaged));
    assert_int_equal(atomic_load(&book->damaged), 0);
    assert_int_equal(verdict.more, 0);
    assert_true(verdict.twice <= troupe.deaths[0]);
    assert_true(atomic_load(&book->late) <= troupe.deaths[0]);
    /* A message that was received had been delivered when its consumer died. */
    assert_true(verdict.lost <= (how[0] == 'c' ? troupe.deaths[0] : 0));
    assert_true(verdict.sent > 0);
    shmx_close(&notes);
    shmx_close(&shm);
}

static int torture_seconds(void)
{
    const char *text = getenv("SHMX_TORTURE_SECONDS");
    int seconds = text != NULL ? atoi(text) : 0;
    return seconds > 1 ? seconds : 3;
}

static void death_at_random_while_peeking(void **state)
{
    (void)state;
    torture_run("peek", (torture_seconds() + 1) / 2);
}

static void death_at_random_while_copying(void **state)
{
    (void)state;
    torture_run("copy", torture_seconds() / 2);
}

static const struct test_part parts[] = {{"actor", part_actor},       {"victim", part_victim},
                                         {"joiner", part_joiner},     {"producer", part_producer},
                                         {"consumer", part_consumer}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(death_at_every_step),
    cmocka_unit_test(death_while_joining),
    cmocka_unit_test(death_at_random_while_peeking),
    cmocka_unit_test(death_at_random_while_copying),
};

TEST_MAIN(tests, parts)
