/* SPDX-License-Identifier: MIT */
/*
 * Threads of 2 to 16 processes that take mutexes, wait on conditions, take and give tokens and run
 * things once, and whose processes are killed, and stopped for a while, at random; and a judge who
 * knows what must hold. SHMX_TORTURE_SECONDS says for how long.
 *
 * The rules: all that a lock protects is plain data that nobody else touches meanwhile. Before
 * it kills a worker the judge says so on the board, and counts the worker's generation up when it
 * has gone. So the mark that a thread leaves in a section shows whether it was killed there.
 */
#include "support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS 16
#define THREADS 3
#define TOKENS 6
#define ROOM 8 /* of the store that the condition is for */
#define ONCE_COUNT 32
#define KILLS_A_SESSION 24
#define PATIENCE 20000 /* ms; whoever waits longer waits for ever */

enum token { TOKEN_NONE, TOKEN_MAYBE, TOKEN_HELD };

/* The data that a mutex protects. */
struct guarded {
    uint32_t mark; /* who is in the section */
    uint32_t first, second;
};

struct board {
    /* of one session */
    shmx_mutex mutex, store_mutex;
    shmx_cond filled, emptied;
    shmx_sem sem;
    shmx_once once[ONCE_COUNT];
    struct guarded guarded, store; /* of the store: put and taken */
    uint32_t running[ONCE_COUNT];
    _Atomic uint32_t completed[ONCE_COUNT];
    _Atomic uint32_t told[2]; /* deaths of the mutexes' owners */
    _Atomic uint32_t token[WORKERS][THREADS];
    _Atomic uint32_t unknown; /* killed when they may have held a token */
    _Atomic uint32_t killed;
    /* of all */
    _Atomic uint32_t generation[WORKERS];
    _Atomic uint32_t doomed[WORKERS]; /* this generation is being killed */
    _Atomic uint64_t violations;
    _Atomic uint64_t locked, stored, tokens, ran;
    _Atomic uint64_t deaths;  /* told by SHMX_EOWNERDEAD */
    _Atomic uint64_t longest; /* wait for the mutex, ms */
};

/* One thread of a worker. */
struct actor {
    shmx *shm;
    struct board *board;
    uint32_t worker, thread;
    uint32_t mark;
    uint32_t seed;
};

static void violation(struct board *board, const char *what, int status)
{
    atomic_fetch_add(&board->violations, 1);
    fprintf(stderr, "violation: %s (%s)\n", what, shmx_status_name(status));
}

static uint32_t mark_of(uint32_t worker, uint32_t thread, uint32_t generation)
{
    return generation << 8 | worker << 4 | (thread + 1);
}

/* Was the thread with that mark killed, or is it about to be? */
static bool is_doomed(struct board *board, uint32_t mark)
{
    uint32_t worker = mark >> 4 & 15;
    return atomic_load(&board->doomed[worker]) >= mark >> 8;
}

static uint32_t dice(struct actor *actor)
{
    actor->seed = actor->seed * 1664525 + 1013904223;
    return actor->seed >> 8;
}

/* Something that takes a while: mostly next to nothing, at times so long that kills meet it. */
static void linger(struct actor *actor)
{
    for (volatile uint32_t i = dice(actor) % 64; i > 0;)
        i--;
    if (dice(actor) % 128 == 0)
        test_sleep_ms(1);
}

/* ---- mutex ---- */

/* The calling thread has the lock, by that status: check what it protects, and set it right. */
static void enter(struct actor *actor, struct guarded *guarded, int which, int status)
{
    struct board *board = actor->board;
    uint32_t before = guarded->mark;
    guarded->mark = actor->mark;
    if (status == SHMX_EOWNERDEAD) {
        atomic_fetch_add(&board->deaths, 1);
        if (atomic_fetch_add(&board->told[which], 1) >= atomic_load(&board->killed))
            violation(board, "a death was told that was none, or twice", status);
        if (before != 0 && !is_doomed(board, before))
            violation(board, "an owner was called dead that lives", status);
    } else if (status != SHMX_OK) {
        violation(board, "the lock was not to be had", status);
    } else if (before != 0) {
        violation(board, is_doomed(board, before) ? "a death was not told" : "two owners", status);
    }
}

static void leave(struct guarded *guarded)
{
    guarded->mark = 0;
}

static void unlock(struct actor *actor, shmx_mutex *mutex)
{
    int status = shmx_mutex_unlock(actor->shm, mutex);
    if (status != SHMX_OK)
        violation(actor->board, "the lock could not be given back", status);
}

static void note_wait(struct board *board, int64_t took)
{
    uint64_t longest = atomic_load(&board->longest);
    while ((uint64_t)took > longest &&
           !atomic_compare_exchange_weak(&board->longest, &longest, (uint64_t)took))
        continue;
}

static void do_mutex(struct actor *actor)
{
    struct board *board = actor->board;
    struct guarded *guarded = &board->guarded;
    int64_t start = test_now_ms();
    int status = shmx_mutex_lock(actor->shm, &board->mutex, PATIENCE);
    note_wait(board, test_now_ms() - start);
    enter(actor, guarded, 0, status);
    if (status == SHMX_EOWNERDEAD)
        guarded->second = guarded->first;
    if (guarded->first != guarded->second)
        violation(board, "the protected is half-done", status);
    guarded->first++;
    linger(actor);
    guarded->second++;
    atomic_fetch_add(&board->locked, 1);
    leave(guarded);
    unlock(actor, &board->mutex);
}

/* ---- condition ---- */

/* Half of the threads put, the others take. */
static void do_store(struct actor *actor)
{
    struct board *board = actor->board;
    struct guarded *store = &board->store;
    bool puts = (actor->worker + actor->thread) % 2 == 0;
    int status = shmx_mutex_lock(actor->shm, &board->store_mutex, PATIENCE);
    enter(actor, store, 1, status);
    while (store->first - store->second == (puts ? ROOM : 0)) {
        leave(store);
        status = shmx_cond_wait(actor->shm, puts ? &board->emptied : &board->filled,
                                &board->store_mutex, PATIENCE);
        if (status == SHMX_ETIMEDOUT)
            violation(board, "nobody came to put or take", status);
        enter(actor, store, 1, status == SHMX_ETIMEDOUT ? SHMX_OK : status);
    }
    if (store->first - store->second > ROOM)
        violation(board, "more is taken than was put", status);
    linger(actor);
    *(puts ? &store->first : &store->second) += 1;
    status = shmx_cond_signal(actor->shm, puts ? &board->filled : &board->emptied);
    if (status != SHMX_OK)
        violation(board, "signal", status);
    atomic_fetch_add(&board->stored, 1);
    leave(store);
    unlock(actor, &board->store_mutex);
}

/* ---- semaphore ---- */

static void do_token(struct actor *actor)
{
    struct board *board = actor->board;
    _Atomic uint32_t *token = &board->token[actor->worker][actor->thread];
    atomic_store(token, TOKEN_MAYBE);
    int status = shmx_sem_wait(actor->shm, &board->sem, PATIENCE);
    atomic_store(token, status == SHMX_OK ? TOKEN_HELD : TOKEN_NONE);
    if (status != SHMX_OK) {
        if (atomic_load(&board->unknown) < TOKENS)
            violation(board, "no token was to be had", status);
        return;
    }
    linger(actor);
    atomic_fetch_add(&board->tokens, 1);
    atomic_store(token, TOKEN_MAYBE);
    status = shmx_sem_post(actor->shm, &board->sem, 1);
    atomic_store(token, TOKEN_NONE);
    if (status != SHMX_OK)
        violation(board, "post", status);
}

/* ---- once ---- */

struct running {
    struct actor *actor;
    uint32_t index;
};

static int run_it(void *context)
{
    struct running *running = context;
    struct board *board = running->actor->board;
    uint32_t *mark = &board->running[running->index];
    if (*mark != 0 && !is_doomed(board, *mark))
        violation(board, "run by two at once", SHMX_OK);
    *mark = running->actor->mark;
    test_sleep_ms(1);
    if (dice(running->actor) % 4 == 0) { /* it fails */
        *mark = 0;
        return 1;
    }
    if (atomic_fetch_add(&board->completed[running->index], 1) > atomic_load(&board->killed))
        violation(board, "run twice", SHMX_OK);
    atomic_fetch_add(&board->ran, 1);
    *mark = 0;
    return 0;
}

static void do_once(struct actor *actor)
{
    struct board *board = actor->board;
    struct running running = {actor, dice(actor) % ONCE_COUNT};
    int status = shmx_once_run(actor->shm, &board->once[running.index], run_it, &running);
    if (status != SHMX_OK && status != 1)
        violation(board, "once", status);
    if (status == SHMX_OK && atomic_load(&board->completed[running.index]) == 0)
        violation(board, "not run, but done", status);
}

/* ---- a worker ---- */

static void act(void *context)
{
    struct actor *actor = context;
    for (;;) {
        switch (dice(actor) % 8) {
        case 0:
        case 1:
        case 2:
            do_mutex(actor);
            break;
        case 3:
        case 4:
            do_store(actor);
            break;
        case 5:
        case 6:
            do_token(actor);
            break;
        default:
            do_once(actor);
        }
    }
}

PART(worker) /* SEGMENT NUMBER */
{
    static struct actor actors[THREADS];
    shmx *shm, *other;
    must(argc == 3 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_open(&other, argv[1], 0) == SHMX_OK);
    uint32_t self = (uint32_t)atoi(argv[2]);
    struct board *board = shmx_data(shm);
    uint32_t threads = 1 + self % THREADS;
    uint32_t generation = atomic_load(&board->generation[self]);
    say("ready");
    for (uint32_t i = 0; i < threads; i++) {
        shmx *own = i == 2 ? other : shm; /* the first two share one */
        actors[i] = (struct actor){
            own, shmx_data(own), self, i, mark_of(self, i, generation), test_random()};
        if (i > 0)
            thread_start(act, &actors[i]);
    }
    act(&actors[0]);
    return 0;
}

/* ---- the judge ---- */

struct court {
    shmx *shm;
    struct board *board;
    const char *name;
    struct test_child *workers[WORKERS];
    uint32_t count; /* of workers */
    uint64_t kills;
};

static void hire(struct court *court, uint32_t index)
{
    char number[16];
    snprintf(number, sizeof number, "%u", (unsigned)index);
    court->workers[index] = child_start("worker", court->name, number);
}

/* The killed one's share of the semaphore goes back to it, as far as that is known. */
static void collect_tokens(struct court *court, uint32_t worker)
{
    struct board *board = court->board;
    for (uint32_t i = 0; i < THREADS; i++) {
        uint32_t token = atomic_exchange(&board->token[worker][i], TOKEN_NONE);
        if (token == TOKEN_HELD)
            assert_ok(shmx_sem_post(court->shm, &board->sem, 1));
        if (token == TOKEN_MAYBE)
            atomic_fetch_add(&board->unknown, 1);
    }
}

static void dismiss(struct court *court, uint32_t worker)
{
    struct board *board = court->board;
    atomic_store(&board->doomed[worker], atomic_load(&board->generation[worker]));
    atomic_fetch_add(&board->killed, 1);
    child_end_by_kill(court->workers[worker]);
    atomic_fetch_add(&board->generation[worker], 1);
    collect_tokens(court, worker);
    court->kills++;
}

/* All workers are gone: each lock can be had, and what it protects is what it must be. */
static void inspect(struct court *court)
{
    struct board *board = court->board;
    struct actor judge = {court->shm, board, WORKERS - 1, THREADS, 0, test_random()};
    judge.mark = mark_of(judge.worker, judge.thread, 0xffffff);
    do_mutex(&judge);
    int status = shmx_mutex_lock(court->shm, &board->store_mutex, PATIENCE);
    enter(&judge, &board->store, 1, status);
    leave(&board->store);
    unlock(&judge, &board->store_mutex);
    uint32_t left = 0;
    while (shmx_sem_wait(court->shm, &board->sem, 0) == SHMX_OK)
        left++;
    if (left > TOKENS)
        violation(board, "tokens were made", SHMX_OK);
    if (left + atomic_load(&board->unknown) < TOKENS)
        violation(board, "tokens were lost", SHMX_OK);
    for (uint32_t i = 0; i < ONCE_COUNT; i++) {
        struct running running = {&judge, i};
        do
            status = shmx_once_run(court->shm, &board->once[i], run_it, &running);
        while (status == 1);
        if (status != SHMX_OK || atomic_load(&board->completed[i]) == 0)
            violation(board, "cannot be run any more", status);
    }
}

static void start_over(struct court *court)
{
    memset(court->board, 0, offsetof(struct board, generation));
    assert_ok(shmx_sem_post(court->shm, &court->board->sem, TOKENS));
    court->count = 2 + test_random() % (WORKERS - 1);
}

static void one_session(struct court *court)
{
    start_over(court);
    for (uint32_t i = 0; i < court->count; i++)
        hire(court, i);
    for (uint32_t i = 0; i < court->count; i++)
        child_expect(court->workers[i], "ready");
    for (int round = 0; round < KILLS_A_SESSION; round++) {
        test_sleep_ms((int)(test_random() % 10)); /* wherever they are then */
        uint32_t index = test_random() % court->count;
        if (test_random() % 8 == 0 && child_stop(court->workers[index])) {
            test_sleep_ms(150); /* it lives, whoever asks meanwhile */
            child_continue(court->workers[index]);
        }
        dismiss(court, index);
        hire(court, index);
    }
    for (uint32_t i = 0; i < court->count; i++)
        dismiss(court, i);
    inspect(court);
}

static unsigned long long figure(_Atomic uint64_t *value)
{
    return (unsigned long long)atomic_load(value);
}

static void locks_keep_their_word_whoever_is_killed(void **state)
{
    (void)state;
    struct court court = {.name = test_name()};
    const char *seconds = getenv("SHMX_TORTURE_SECONDS");
    assert_ok(shmx_create(&court.shm, court.name, sizeof *court.board, 0));
    struct board *board = court.board = shmx_data(court.shm);
    for (int i = 0; i < WORKERS; i++)
        atomic_store(&board->generation[i], 1);
    int64_t end = test_now_ms() + 1000 * (seconds != NULL ? atoi(seconds) : 3);
    do
        one_session(&court);
    while (test_now_ms() < end);
    print_message(
        "%llu sections, %llu puts and takes, %llu tokens, %llu runs, %llu kills, %llu owner "
        "deaths told, %llu violations; the longest wait for a lock took %llu ms\n",
        figure(&board->locked), figure(&board->stored), figure(&board->tokens), figure(&board->ran),
        (unsigned long long)court.kills, figure(&board->deaths), figure(&board->violations),
        figure(&board->longest));
    assert_int_equal(atomic_load(&board->violations), 0);
    assert_true(figure(&board->locked) > 100 && figure(&board->stored) > 100);
    shmx_close(&court.shm);
}

static const struct test_part parts[] = {{"worker", part_worker}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(locks_keep_their_word_whoever_is_killed)};

TEST_MAIN(tests, parts)
