/* SPDX-License-Identifier: MIT */
/*
 * Death in the topic. First at every step: the library's sources are built here with a hook between
 * each two stores to shared memory, and a child dies at the n-th, for every n; or others publish
 * there, or stop with the lock in hand. Then at random, with publishers, readers and lossless
 * readers that are killed and stopped, and every message checked.
 *
 *     SHMX_TORTURE_SECONDS   how long at random (3)
 */
#include "support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topic/layout.h"

/* ---- dying ---- */

#define DEAD 97

static long die_at;          /* at that step; 0: never */
static uint32_t die_chances; /* else at each step with one chance in so many; 0: none */
static uint32_t chance = 1;
static long steps;

/* Others come at that step, and publish; or they do so once the lock is free, and stop with it in
 * hand. Or this process stops there itself. */
static long come_at;
static long stop_at;
static void come(void);
static long halt_at;
static void others_stop(void);
static void stop_if_held(void);
static void halt(void);

void shmx_step(void)
{
    steps++;
    if (steps == come_at)
        come();
    if (steps == stop_at)
        others_stop();
    if (steps == halt_at)
        halt();
    stop_if_held();
    chance = chance * 1664525u + 1013904223u;
    if (steps == die_at || (die_chances != 0 && (chance >> 8) % die_chances == 0))
        _Exit(DEAD); /* nothing is cleaned up */
}

/* ---- messages that can be told from each other ---- */

#define LONG 1500 /* more than what is copied under the lock */

/* A message: its author, its number there, its length; then bytes that follow from these. */
struct stamp {
    uint32_t author;
    uint32_t number;
    uint32_t size;
};

static void fill(unsigned char *message, const struct stamp *stamp)
{
    uint32_t seed = stamp->author ^ stamp->number << 12;
    memcpy(message, stamp, sizeof *stamp);
    for (size_t i = sizeof *stamp; i < stamp->size; i++)
        message[i] = (unsigned char)((seed += 0x9e3779b9u) >> 24);
}

static bool filled(const unsigned char *message, size_t size, struct stamp *stamp)
{
    unsigned char expected[LONG];
    memcpy(stamp, message, size < sizeof *stamp ? size : sizeof *stamp);
    if (size < sizeof *stamp || size > LONG || stamp->size != size)
        return false;
    fill(expected, stamp);
    return memcmp(message, expected, size) == 0;
}

static shmx_topic *attach(shmx **shm, const char *name, unsigned flags)
{
    shmx_topic *topic;
    must(shmx_open(shm, name, 0) == SHMX_OK);
    must(shmx_topic_open(&topic, *shm, 0, shmx_size(*shm), flags) == SHMX_OK);
    return topic;
}

/* ---- at every step ---- */

enum { REGION = 8192, SMALL = 40, NEW = 1000 };

struct scene {
    const char *name;
    char act[8];   /* what the child does, see act_once */
    int before;    /* messages that are published first, numbered from 1 */
    int gives;     /* so many new ones may be there */
    char victim;   /* another child died before: 'r' with a reservation, 'l' as a lossless reader */
    bool lossless; /* the test has a lossless reader */
    int behind;    /* messages that are published behind the victim's reservation */
};

static const struct scene scenes[] = {
    {.name = "publish the first", .act = "p", .before = 0, .gives = 1},
    {.name = "publish", .act = "p", .before = 2, .gives = 1},
    {.name = "publish over the oldest", .act = "ppp", .before = 301, .gives = 3},
    {.name = "publish a long one", .act = "P", .before = 2, .gives = 1},
    {.name = "publish long ones over the oldest", .act = "PPP", .before = 300, .gives = 3},
    {.name = "publish beside a lossless reader",
     .act = "pp",
     .before = 5,
     .gives = 2,
     .lossless = true},
    {.name = "publish into a full topic", .act = "p", .before = 300, .lossless = true},
    {.name = "reserve, commit", .act = "rc", .before = 2, .gives = 1},
    {.name = "reserve, commit less", .act = "rl", .before = 300, .gives = 1},
    {.name = "reserve, cancel", .act = "rx", .before = 2},
    {.name = "reserve, publish, commit", .act = "rpc", .before = 2, .gives = 2},
    {.name = "reserve, close", .act = "rq", .before = 300},
    {.name = "next", .act = "nn", .before = 3},
    {.name = "next, lossless", .act = "Lnnn", .before = 3},
    {.name = "latest", .act = "t", .before = 3},
    {.name = "open and close, lossless", .act = "Lq", .before = 3},
    {.name = "open, lossless, after another died", .act = "Ln", .before = 3, .victim = 'l'},
    {.name = "publish after a lossless reader died",
     .act = "pp",
     .before = 3,
     .gives = 2,
     .victim = 'l'},
    {.name = "publish behind a dead publisher",
     .act = "pp",
     .before = 3,
     .gives = 2,
     .victim = 'r'},
    {.name = "commit behind a dead publisher",
     .act = "rc",
     .before = 3,
     .gives = 1,
     .victim = 'r',
     .behind = 2},
    {.name = "next behind a dead publisher", .act = "Lnn", .before = 1, .victim = 'r', .behind = 2},
    {.name = "shut nothing, do it all", .act = "Lpnrcnt", .before = 3, .gives = 2},
};

static int publish_number(shmx_topic *topic, int number, size_t size, int limit)
{
    unsigned char message[LONG];
    struct stamp stamp = {1, (uint32_t)number, (uint32_t)size};
    fill(message, &stamp);
    return shmx_topic_publish(topic, message, size, limit);
}

static void act_once(shmx_topic **topic, shmx *shm, char act)
{
    static void *place;
    static int number = NEW;
    unsigned char message[LONG];
    struct stamp stamp = {1, (uint32_t)number, SMALL};
    int status = SHMX_OK;
    switch (act) {
    case 'p':
    case 'P':
        status = publish_number(*topic, number++, act == 'p' ? SMALL : LONG, 0);
        break;
    case 'r':
        status = shmx_topic_reserve(*topic, SMALL + 80, &place, 0);
        break;
    case 'c':
    case 'l':
        stamp.size = act == 'c' ? SMALL + 80 : SMALL;
        fill(place, &stamp);
        number++;
        status = shmx_topic_commit(*topic, stamp.size);
        break;
    case 'x':
        status = shmx_topic_cancel(*topic);
        break;
    case 'n':
        status = shmx_topic_next(*topic, message, LONG, NULL, NULL, 0);
        break;
    case 't':
        status = shmx_topic_latest(*topic, message, LONG, NULL, NULL, 0);
        break;
    case 'L':
        shmx_topic_close(topic);
        status = shmx_topic_open(topic, shm, 0, REGION, SHMX_TOPIC_LOSSLESS | SHMX_TOPIC_OLDEST);
        break;
    default:
        shmx_topic_close(topic);
        break;
    }
    must(status == SHMX_OK || status == SHMX_ETIMEDOUT);
}

/* Play scene S, and die at step N. */
PART(actor)
{
    shmx *shm;
    must(argc == 4);
    shmx_topic *topic = attach(&shm, argv[1], SHMX_TOPIC_OLDEST);
    const struct scene *scene = &scenes[atoi(argv[2])];
    die_at = atol(argv[3]);
    for (const char *act = scene->act; *act != '\0'; act++)
        act_once(&topic, shm, *act);
    die_at = 0;
    shmx_topic_close(&topic);
    shmx_close(&shm);
    return 0;
}

/* Reserve, or be a lossless reader, and die. */
PART(victim)
{
    shmx *shm;
    void *place;
    must(argc == 3);
    bool lossless = argv[2][0] == 'l';
    shmx_topic *topic = attach(&shm, argv[1], lossless ? SHMX_TOPIC_LOSSLESS : 0);
    if (!lossless)
        must(shmx_topic_reserve(topic, 200, &place, 0) == SHMX_OK);
    _Exit(DEAD);
}

/* The messages that a reader has had. */
struct account {
    uint64_t got, lost;
    int last; /* number */
    int gave; /* of the child's */
};

/* Read all that is there: whole, and in order. */
static void read_all(shmx_topic *topic, struct account *account)
{
    unsigned char message[LONG];
    struct stamp stamp;
    size_t size;
    uint64_t lost;
    while (shmx_topic_next(topic, message, LONG, &size, &lost, 0) == SHMX_OK) {
        assert_true(filled(message, size, &stamp));
        account->got++;
        account->lost += lost;
        if (stamp.number >= NEW) {
            assert_in_range(stamp.number, NEW, NEW + 3);
            account->gave++;
            continue;
        }
        assert_true((int)stamp.number > account->last);
        if (lost == 0)
            assert_int_equal(stamp.number, account->last + 1);
        account->last = (int)stamp.number;
    }
}

static uint64_t latest_number(shmx_topic *topic)
{
    unsigned char message[LONG];
    struct stamp stamp;
    size_t size;
    uint64_t number;
    if (shmx_topic_latest(topic, message, LONG, &size, &number, 0) != SHMX_OK)
        return 0;
    assert_true(filled(message, size, &stamp));
    return number;
}

/* Everybody agrees on what there is, and messages go through all the ring. */
static void check(shmx_topic *publisher, shmx_topic *reader, const struct scene *scene, int end)
{
    struct account account = {0};
    read_all(reader, &account);
    uint64_t number = account.got + account.lost;
    assert_int_equal(latest_number(reader), number);
    /* The next one who publishes shows what a dead one did not come to show. */
    assert_ok(publish_number(publisher, end++, SMALL, 1000));
    read_all(reader, &account);
    assert_in_range(account.got + account.lost - number, 1, 2);
    number = account.got + account.lost;
    assert_in_range(number, end - 1, end - 1 + scene->gives);
    assert_int_equal(account.last, end - 1);
    for (int i = 0; i < 500; i++) {
        assert_ok(publish_number(publisher, end + i, i % 7 == 0 ? LONG : SMALL, 1000));
        assert_int_equal(latest_number(publisher), number + (uint64_t)i + 1);
        if (i % 50 == 0)
            read_all(reader, &account);
    }
    read_all(reader, &account);
    assert_int_equal(account.got + account.lost, number + 500);
}

static void check_lossless(shmx_topic *lossless, const struct scene *scene, int end)
{
    struct account account = {0};
    read_all(lossless, &account);
    assert_int_equal(account.lost, 0);
    assert_int_equal(account.last, end - 1);
    assert_in_range(account.gave, 0, scene->gives);
}

/* True if the child died. */
static bool die_in_scene(int index, long step)
{
    const struct scene *scene = &scenes[index];
    const char *name = test_name();
    char number[16], at[24], victim[2] = {scene->victim, '\0'};
    shmx *shm;
    shmx_topic *topic, *reader, *lossless = NULL;
    assert_ok(shmx_create(&shm, name, REGION, 0));
    assert_ok(shmx_topic_open(&topic, shm, 0, REGION, 0));
    assert_ok(shmx_topic_open(&reader, shm, 0, REGION, 0));
    if (scene->lossless)
        assert_ok(shmx_topic_open(&lossless, shm, 0, REGION, SHMX_TOPIC_LOSSLESS));
    int end = 1;
    while (end <= scene->before && publish_number(topic, end, SMALL, 0) == SHMX_OK)
        end++;
    if (scene->victim != 0)
        assert_int_equal(child_wait(child_start("victim", name, victim)), DEAD);
    for (int i = 0; i < scene->behind; i++)
        assert_ok(publish_number(topic, end++, SMALL, 0));
    snprintf(number, sizeof number, "%d", index);
    snprintf(at, sizeof at, "%ld", step);
    int ended = child_wait(child_start("actor", name, number, at));
    assert_true(ended == DEAD || ended == 0);
    if (lossless != NULL)
        check_lossless(lossless, scene, end);
    shmx_topic_close(&lossless);
    check(topic, reader, scene, end);
    shmx_topic_close(&reader);
    shmx_topic_close(&topic);
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
        deaths += step - 1;
    }
    print_message("           %ld deaths, one at each step: nothing torn, none lost untold\n",
                  deaths);
}

/* ---- others come at every step of a reader ---- */

static struct {
    shmx_topic *topic;
    int end; /* number of its next message */
} others;

/* Or it takes its reservation back, and another process begins to publish. */
static struct {
    shmx_topic *topic;
    bool stopped; /* in the middle */
    bool half;    /* there is a record more, which is not shown yet */
} halting;

static void halting_comes(void);

/* Publish over all that the reader lets go. */
static void come(void)
{
    come_at = 0;
    if (halting.topic != NULL) {
        halting_comes();
        return;
    }
    for (int i = 0; i < 300 && publish_number(others.topic, others.end, SMALL, 0) == SHMX_OK; i++)
        others.end++;
}

/* Reserve, and wait to be killed. */
PART(reserver)
{
    shmx *shm;
    void *place;
    must(argc == 2);
    must(shmx_topic_reserve(attach(&shm, argv[1], 0), SMALL, &place, 0) == SHMX_OK);
    say("ready");
    hear();
    return 0;
}

/* Read on: each message's number is that which the reader was told. */
static void read_numbered(shmx_topic *reader, uint64_t *count, int most)
{
    unsigned char message[LONG];
    struct stamp stamp;
    size_t size;
    uint64_t lost;
    while (most-- > 0 && shmx_topic_next(reader, message, LONG, &size, &lost, 0) == SHMX_OK) {
        assert_true(filled(message, size, &stamp));
        *count += lost + 1;
        assert_int_equal(stamp.number, *count);
        assert_true(reader->place == NULL || lost == 0);
    }
}

/* The newest message has the number told, and is none older than `least`. */
static void newest_numbered(shmx_topic *reader, uint64_t least)
{
    unsigned char message[LONG];
    struct stamp stamp;
    size_t size;
    uint64_t number;
    assert_ok(shmx_topic_latest(reader, message, LONG, &size, &number, 0));
    assert_true(filled(message, size, &stamp));
    assert_int_equal(stamp.number, number);
    assert_true(number >= least);
}

/* A reader is behind a dead publisher's reservation that nobody has settled. At the n-th step of
 * its next call it is settled, and overwritten. True if there was such a step. */
static bool come_in_scene(long step, unsigned flags, bool latest)
{
    const char *name = test_name();
    shmx *shm;
    shmx_topic *topic, *reader;
    uint64_t count = 0;
    assert_ok(shmx_create(&shm, name, REGION, 0));
    assert_ok(shmx_topic_open(&topic, shm, 0, REGION, 0));
    assert_ok(shmx_topic_open(&others.topic, shm, 0, REGION, 0));
    assert_ok(shmx_topic_open(&reader, shm, 0, REGION, flags));
    struct test_child *child = child_start("reserver", name);
    child_expect(child, "ready");
    topic->party.ask_at = INT64_MAX; /* it does not settle */
    for (others.end = 1; others.end < 3; others.end++)
        assert_ok(publish_number(topic, others.end, SMALL, 0));
    child_end_by_kill(child);
    read_numbered(reader, &count, 2);
    assert_int_equal(count, 2);
    assert_ok(publish_number(topic, others.end++, SMALL, 0));
    steps = 0;
    come_at = step;
    if (latest)
        newest_numbered(reader, 3);
    else
        read_numbered(reader, &count, 1);
    bool came = come_at == 0;
    come_at = 0;
    newest_numbered(reader, (uint64_t)others.end - 1);
    read_numbered(reader, &count, 1000);
    assert_int_equal(count, others.end - 1);
    shmx_topic_close(&reader);
    shmx_topic_close(&others.topic);
    shmx_topic_close(&topic);
    shmx_close(&shm);
    return came;
}

static void others_come_at_every_step(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        long step = 1;
        while (come_in_scene(step, i == 1 ? SHMX_TOPIC_LOSSLESS : 0, i == 2))
            step++;
        assert_true(step > 1);
    }
}

/* ---- others stop at every step of a publisher ---- */

enum { HELD = NEW + 3 };

static shmx_topic *stops; /* this process stops when it holds the lock of the topic */

static void stop_if_held(void)
{
    if (stops == NULL || (atomic_load(stops->party.lock) & SHMX_OWNER_MASK) !=
                             (shmx_token_known(stops->party.shm) & SHMX_OWNER_MASK))
        return;
    stops = NULL;
    say("held");
    hear();
}

static void halt(void)
{
    halt_at = 0;
    say("held");
    hear();
}

/* Publish when told, and stop with the lock in hand, or at the n-th step if there is one. */
PART(holder)
{
    shmx *shm;
    must(argc == 3);
    shmx_topic *topic = attach(&shm, argv[1], 0);
    say("ready");
    hear();
    steps = 0;
    halt_at = atol(argv[2]);
    if (halt_at == 0)
        stops = topic;
    must(publish_number(topic, HELD, SMALL, 1000) == SHMX_OK);
    if (halt_at != 0)
        say("over");
    halt_at = 0;
    shmx_topic_close(&topic);
    shmx_close(&shm);
    return 0;
}

static struct test_child *holder;

static void others_stop(void)
{
    if ((atomic_load(others.topic->party.lock) & SHMX_OWNER_MASK) != 0) {
        stop_at++; /* at the next one at which the lock is free */
        return;
    }
    child_send(holder, "hold it");
    child_expect(holder, "held");
    stop_at = 0;
}

/* Send a long message, or reserve and end that in a way. True if a message must be there. */
static bool act_beside(shmx_topic **topic, shmx *shm, char act)
{
    void *place;
    struct stamp stamp = {1, NEW, SMALL};
    int status = act == 'P' ? publish_number(*topic, NEW, LONG, 0)
                            : shmx_topic_reserve(*topic, SMALL + 80, &place, 0);
    assert_true(status == SHMX_OK || status == SHMX_ETIMEDOUT);
    if (status == SHMX_OK && act == 'c') {
        fill(place, &stamp);
        assert_ok(shmx_topic_commit(*topic, SMALL));
    } else if (status == SHMX_OK && act == 'x') {
        assert_ok(shmx_topic_cancel(*topic));
    } else if (act == 'q') {
        shmx_topic_close(topic);
        assert_ok(shmx_topic_open(topic, shm, 0, REGION, 0));
    }
    return status == SHMX_OK && (act == 'P' || act == 'c');
}

/* How often is the message of that number there? */
static int times_read(shmx *shm, uint32_t number)
{
    unsigned char message[LONG];
    struct stamp stamp;
    size_t size;
    shmx_topic *reader;
    int times = 0;
    assert_ok(shmx_topic_open(&reader, shm, 0, REGION, SHMX_TOPIC_OLDEST));
    while (shmx_topic_next(reader, message, LONG, &size, NULL, 0) == SHMX_OK) {
        assert_true(filled(message, size, &stamp));
        times += stamp.number == number;
    }
    shmx_topic_close(&reader);
    return times;
}

/* At the n-th step of the act, or the first after it at which the lock is free, another stops with
 * the lock in hand. Later it dies, or goes on. True if there was such a step. */
static bool stop_in_scene(long step, char act, bool dies)
{
    const char *name = test_name();
    static const struct scene scene = {.gives = 2};
    shmx *shm;
    shmx_topic *topic, *reader;
    int end = 1;
    assert_ok(shmx_create(&shm, name, REGION, 0));
    assert_ok(shmx_topic_open(&topic, shm, 0, REGION, 0));
    assert_ok(shmx_topic_open(&others.topic, shm, 0, REGION, 0));
    assert_ok(shmx_topic_open(&reader, shm, 0, REGION, 0));
    while (end <= 2)
        assert_ok(publish_number(topic, end++, SMALL, 0));
    holder = child_start("holder", name, "0");
    child_expect(holder, "ready");
    steps = 0;
    stop_at = step;
    bool there = act_beside(&topic, shm, act);
    bool stopped = stop_at == 0;
    stop_at = 0;
    assert_int_equal(times_read(shm, NEW), there);
    if (dies || !stopped) {
        child_end_by_kill(holder);
    } else {
        child_send(holder, "go on");
        assert_int_equal(child_wait(holder), 0);
    }
    assert_in_range(times_read(shm, HELD), stopped && !dies, stopped);
    assert_int_equal(times_read(shm, NEW), there);
    check(topic, reader, &scene, end);
    shmx_topic_close(&reader);
    shmx_topic_close(&others.topic);
    shmx_topic_close(&topic);
    shmx_close(&shm);
    return stopped;
}

static void others_stop_at_every_step(void **state)
{
    (void)state;
    for (const char *act = "Pcxq"; *act != '\0'; act++) {
        long step = 1;
        while (stop_in_scene(step, *act, step % 2 == 0))
            step++;
        assert_true(step > 3);
    }
}

/* ---- the newest message stays the newest ---- */

static void halting_comes(void)
{
    struct topic_header *header = halting.topic->header;
    must(shmx_topic_cancel(halting.topic) == SHMX_OK);
    halting.topic = NULL;
    child_send(holder, "publish");
    halting.stopped = strcmp(child_receive(holder), "held") == 0;
    halting.half = atomic_load(&header->publishers.tail) != atomic_load(&header->publishers.shown);
}

/* A reader looks behind a reservation. At the n-th step of that all is shown, and another begins to
 * publish and stops at its own step `halts`. What the reader saw then stays the least that `latest`
 * gives. False if there are no such steps. */
static bool newest_in_scene(long step, long halts, bool latest)
{
    const char *name = test_name();
    char number[24];
    unsigned char message[LONG];
    size_t size;
    uint64_t seen;
    void *place;
    shmx *shm;
    shmx_topic *topic, *reader;
    snprintf(number, sizeof number, "%ld", halts);
    assert_ok(shmx_create(&shm, name, REGION, 0));
    assert_ok(shmx_topic_open(&topic, shm, 0, REGION, 0));
    assert_ok(shmx_topic_open(&reader, shm, 0, REGION, 0));
    assert_ok(publish_number(topic, 1, SMALL, 0));
    assert_ok(shmx_topic_next(reader, message, LONG, &size, NULL, 0));
    assert_ok(shmx_topic_reserve(topic, SMALL, &place, 0));
    holder = child_start("holder", name, number);
    child_expect(holder, "ready");
    steps = 0;
    come_at = step;
    halting.topic = topic;
    halting.stopped = halting.half = false;
    if (latest)
        seen = latest_number(reader);
    else
        seen = shmx_topic_next(reader, message, LONG, &size, NULL, 0) == SHMX_OK ? 2 : 1;
    bool stopped = halting.stopped;
    halting.topic = NULL;
    come_at = 0;
    assert_true(latest_number(reader) >= seen);
    child_kill(holder);
    int ended = child_wait(holder);
    assert_true(ended == CHILD_KILLED || (ended == 0 && !stopped));
    assert_true(latest_number(reader) >= seen);
    shmx_topic_close(&reader);
    shmx_topic_close(&topic);
    shmx_close(&shm);
    return stopped;
}

static void latest_never_goes_back(void **state)
{
    (void)state;
    for (int latest = 0; latest < 2; latest++) {
        long most = 0;
        for (long halts = 1; newest_in_scene(1, halts, latest != 0); halts++) {
            long step = 1;
            while (halting.half && newest_in_scene(step + 1, halts, latest != 0))
                step++;
            most = step > most ? step : most;
        }
        assert_true(most > 3);
    }
}

/* ---- at random ---- */

enum { PUBLISHERS = 3, READERS = 5, AUTHORS = 100000, TORTURE_REGION = 32768 };

/* The end comes in steps, each when those of the step before are gone. So there is nothing new for
 * the readers that stay when they look for the last time. */
enum { ALL_GO_ON, PUBLISHERS_END, READERS_END, ALL_END };

/* The notes of everybody, in a segment of its own. Each life of a publisher is an author. */
struct book {
    _Atomic uint32_t ending;
    _Atomic uint32_t authors;
    _Atomic uint32_t damaged;
    _Atomic uint32_t late;
    _Atomic uint32_t sent[AUTHORS]; /* at least so many: their publish has returned */
};

struct torture {
    shmx *shm, *notes;
    shmx_topic *topic;
    struct book *book;
};

static struct torture torture_open(char **argv, unsigned flags)
{
    struct torture torture;
    torture.topic = attach(&torture.shm, argv[1], flags);
    must(shmx_open(&torture.notes, argv[2], 0) == SHMX_OK);
    torture.book = shmx_data(torture.notes);
    chance = (uint32_t)strtoul(argv[3], NULL, 10);
    die_chances = chance % 2 != 0 ? 20000 : 0; /* the others are left to the killer */
    return torture;
}

static void torture_close(struct torture *torture)
{
    die_chances = 0;
    shmx_topic_close(&torture->topic);
    shmx_close(&torture->notes);
    shmx_close(&torture->shm);
}

PART(publisher)
{
    must(argc == 4);
    struct torture torture = torture_open(argv, 0);
    struct book *book = torture.book;
    struct stamp stamp = {atomic_fetch_add(&book->authors, 1), 0, 0};
    unsigned char message[LONG];
    void *place;
    while (atomic_load(&book->ending) == ALL_GO_ON && stamp.author < AUTHORS) {
        stamp.size = stamp.number % 5 != 0 ? 12 + stamp.number % 90 : 12 + stamp.number % 1480;
        fill(message, &stamp);
        int status;
        if (stamp.number % 3 != 0) {
            status = shmx_topic_publish(torture.topic, message, stamp.size, 200);
        } else {
            status = shmx_topic_reserve(torture.topic, LONG, &place, 200);
            if (status == SHMX_OK) {
                memcpy(place, message, stamp.size);
                status = shmx_topic_commit(torture.topic, stamp.size);
            }
        }
        must(status == SHMX_OK || status == SHMX_ETIMEDOUT);
        if (status == SHMX_OK)
            atomic_store(&book->sent[stamp.author], ++stamp.number);
    }
    torture_close(&torture);
    return 0;
}

/* One reader's part of the truth. */
struct log {
    uint32_t next[AUTHORS]; /* number of each author's message that comes next */
    uint64_t got, missed;
    bool lossless, staying;
};

static void note(struct log *log, struct book *book, const unsigned char *message, size_t size,
                 uint64_t lost)
{
    struct stamp stamp;
    log->got++;
    log->missed += lost;
    if (!filled(message, size, &stamp) || stamp.author >= AUTHORS || (log->lossless && lost != 0)) {
        atomic_fetch_add(&book->damaged, 1);
        return;
    }
    uint32_t *next = &log->next[stamp.author];
    bool first = *next == 0 && !log->staying;
    if (stamp.number < *next || (log->lossless && !first && stamp.number != *next))
        atomic_fetch_add(&book->late, 1);
    *next = stamp.number + 1;
}

static void tell(const struct log *log, struct book *book)
{
    uint32_t untold = 0;
    for (uint32_t i = 0; log->lossless && i < atomic_load(&book->authors); i++) {
        uint32_t next = log->next[i], sent = atomic_load(&book->sent[i]);
        if (next < sent)
            fprintf(stderr, "author %u: the reader has %u, %u were sent\n", (unsigned)i,
                    (unsigned)next, (unsigned)sent);
        untold += next < sent;
    }
    say("%llu %llu %u", (unsigned long long)log->got, (unsigned long long)log->missed,
        (unsigned)untold);
}

/* Read until it is time to end and nothing comes any more. */
PART(reader)
{
    must(argc == 5);
    static struct log log;
    log.lossless = argv[4][0] == 'l';
    log.staying = argv[4][1] == 's';
    struct torture torture = torture_open(argv, log.lossless ? SHMX_TOPIC_LOSSLESS : 0);
    if (log.staying)
        die_chances = 0;
    unsigned char message[LONG];
    uint64_t lost;
    size_t size;
    uint32_t end = log.staying ? ALL_END : READERS_END;
    say("ready");
    bool last;
    int status;
    do {
        last = atomic_load(&torture.book->ending) >= end;
        status = shmx_topic_next(torture.topic, message, LONG, &size, &lost, 200);
        must(status == SHMX_OK || status == SHMX_ETIMEDOUT);
        if (status == SHMX_OK)
            note(&log, torture.book, message, size, lost);
    } while (status == SHMX_OK || !last);
    if (log.staying)
        tell(&log, torture.book);
    torture_close(&torture);
    return 0;
}

struct troupe {
    const char *name;
    const char *notes;
    struct test_child *children[PUBLISHERS + READERS];
    bool stopped[PUBLISHERS + READERS];
    bool mortal[PUBLISHERS + READERS]; /* it may die by itself, and then cannot be stopped */
    uint32_t deaths, stops;
};

static struct test_child *cast(struct troupe *troupe, int index, const char *how)
{
    char seed[16];
    uint32_t number = test_random();
    troupe->mortal[index] = number % 2 != 0;
    snprintf(seed, sizeof seed, "%u", (unsigned)number);
    return index < PUBLISHERS ? child_start("publisher", troupe->name, troupe->notes, seed)
                              : child_start("reader", troupe->name, troupe->notes, seed, how);
}

static void troupe_start(struct troupe *troupe, int index)
{
    troupe->children[index] = cast(troupe, index, index % 2 != 0 ? "l" : "w");
    troupe->stopped[index] = false;
}

static void troupe_join(struct troupe *troupe, int index)
{
    int ended = child_wait(troupe->children[index]);
    assert_true(ended == CHILD_KILLED || ended == DEAD || ended == 0);
    troupe->deaths += ended != 0;
}

static void troupe_disturb(struct troupe *troupe)
{
    int index = (int)(test_random() % (PUBLISHERS + READERS));
    test_sleep_ms((int)(test_random() % 20));
    if (troupe->stopped[index]) {
        child_continue(troupe->children[index]);
        troupe->stopped[index] = false;
    } else if (!troupe->mortal[index] && test_random() % 2 == 0 &&
               child_stop(troupe->children[index])) {
        troupe->stopped[index] = true;
        troupe->stops++;
    } else {
        child_kill(troupe->children[index]);
        troupe_join(troupe, index);
        troupe_start(troupe, index);
    }
}

static void troupe_end(struct troupe *troupe, struct book *book)
{
    atomic_store(&book->ending, PUBLISHERS_END);
    for (int i = 0; i < PUBLISHERS + READERS; i++)
        if (troupe->stopped[i])
            child_continue(troupe->children[i]);
    for (int i = 0; i < PUBLISHERS; i++)
        troupe_join(troupe, i);
    atomic_store(&book->ending, READERS_END);
    for (int i = PUBLISHERS; i < PUBLISHERS + READERS; i++)
        troupe_join(troupe, i);
    atomic_store(&book->ending, ALL_END);
}

static int torture_seconds(void)
{
    const char *text = getenv("SHMX_TORTURE_SECONDS");
    int seconds = text != NULL ? atoi(text) : 0;
    return seconds > 1 ? seconds : 3;
}

static void account_for(struct test_child *child, uint64_t number, const char *what)
{
    unsigned long long got = 0, lost = 0;
    unsigned untold = 1;
    const char *line = child_receive(child);
    assert_non_null(line);
    assert_int_equal(sscanf(line, "%llu %llu %u", &got, &lost, &untold), 3);
    print_message("           %s: %llu read, %llu lost and told\n", what, got, lost);
    assert_int_equal(got + lost, number);
    assert_int_equal(untold, 0);
    assert_int_equal(child_wait(child), 0);
}

static void death_at_random(void **state)
{
    (void)state;
    struct troupe troupe = {.name = test_name(), .notes = test_name()};
    shmx *shm, *notes;
    shmx_topic *topic;
    assert_ok(shmx_create(&shm, troupe.name, TORTURE_REGION, 0));
    assert_ok(shmx_create(&notes, troupe.notes, sizeof(struct book), 0));
    struct book *book = shmx_data(notes);
    struct test_child *staying[2];
    for (int i = 0; i < 2; i++) {
        staying[i] = cast(&troupe, PUBLISHERS, i == 0 ? "ls" : "ws");
        child_expect(staying[i], "ready");
    }
    for (int i = 0; i < PUBLISHERS + READERS; i++)
        troupe_start(&troupe, i);
    int64_t end = test_now_ms() + (int64_t)torture_seconds() * 1000;
    while (test_now_ms() < end)
        troupe_disturb(&troupe);
    troupe_end(&troupe, book);
    assert_ok(shmx_topic_open(&topic, shm, 0, TORTURE_REGION, 0));
    uint64_t number = latest_number(topic);
    print_message("           %llu messages, %u died, %u were stopped; %u damaged, %u late\n",
                  (unsigned long long)number, (unsigned)troupe.deaths, (unsigned)troupe.stops,
                  (unsigned)atomic_load(&book->damaged), (unsigned)atomic_load(&book->late));
    account_for(staying[0], number, "lossless");
    account_for(staying[1], number, "the other");
    assert_int_equal(atomic_load(&book->damaged), 0);
    assert_int_equal(atomic_load(&book->late), 0);
    assert_true(number > 0);
    shmx_topic_close(&topic);
    shmx_close(&notes);
    shmx_close(&shm);
}

static const struct test_part parts[] = {{"actor", part_actor},
                                         {"victim", part_victim},
                                         {"reserver", part_reserver},
                                         {"holder", part_holder},
                                         {"publisher", part_publisher},
                                         {"reader", part_reader},
                                         {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(death_at_every_step),       cmocka_unit_test(others_come_at_every_step),
    cmocka_unit_test(others_stop_at_every_step), cmocka_unit_test(latest_never_goes_back),
    cmocka_unit_test(death_at_random),
};

TEST_MAIN(tests, parts)
