/* SPDX-License-Identifier: MIT */
/* The mutex keeps its word: owners that die, stop, fork and exec, and callers that are wrong. */
#include "support.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 4096
#define TRIES 5 /* of what must be quick, on a machine that may be busy */

struct layout {
    shmx_mutex mutex;
    shmx_mutex other;
    uint32_t counter;
};

static struct layout *layout_of(shmx *shm)
{
    return (struct layout *)shmx_data(shm);
}

/* Lock, say how it went, and do what the test says: "unlock", or end holding it. */
PART(owner)
{
    shmx *shm;
    must(argc == 3 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    shmx_mutex *mutex = &layout_of(shm)->mutex;
    say("%s", shmx_status_name(shmx_mutex_lock(shm, mutex, atoi(argv[2]))));
    const char *line = hear();
    if (line != NULL && strcmp(line, "unlock") == 0) {
        say("%s", shmx_status_name(shmx_mutex_unlock(shm, mutex)));
        hear();
    }
    return 0;
}

/* Lock, and become a process that keeps the segment open without knowing of the lock. */
PART(execs)
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    must(shmx_mutex_lock(shm, &layout_of(shm)->mutex, 0) == SHMX_OK);
    if (!test_exec((const char *const[]){"stays", argv[1], NULL}))
        say("cannot");
    return 0;
}

PART(stays)
{
    shmx *shm;
    must(argc == 2 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    say("became another");
    hear();
    shmx_close(&shm);
    return 0;
}

/* Add to a counter that only the mutex protects, again and again. */
PART(adder)
{
    shmx *shm;
    must(argc == 3 && shmx_open(&shm, argv[1], 0) == SHMX_OK);
    struct layout *layout = layout_of(shm);
    say("ready");
    hear();
    for (int i = atoi(argv[2]); i > 0; i--) {
        must(shmx_mutex_lock(shm, &layout->mutex, SHMX_FOREVER) == SHMX_OK);
        layout->counter++;
        must(shmx_mutex_unlock(shm, &layout->mutex) == SHMX_OK);
    }
    shmx_close(&shm);
    return 0;
}

static void a_zeroed_one_is_ready(void **state)
{
    (void)state;
    shmx *shm = test_segment(test_name(), SIZE);
    shmx_mutex *mutex = &layout_of(shm)->mutex;
    for (int i = 0; i < 3; i++) {
        assert_ok(shmx_mutex_lock(shm, mutex, i - 1));
        assert_ok(shmx_mutex_unlock(shm, mutex));
    }
    static const shmx_mutex zeroed;
    assert_memory_equal(mutex, &zeroed, sizeof zeroed);
    shmx_close(&shm);
}

static void locking_twice_is_told(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE), *again;
    assert_ok(shmx_open(&again, name, 0));
    shmx_mutex *mutex = &layout_of(shm)->mutex;
    assert_ok(shmx_mutex_lock(shm, mutex, 0));
    assert_status(shmx_mutex_lock(shm, mutex, 0), SHMX_EDEADLK);
    assert_status(shmx_mutex_lock(shm, mutex, SHMX_FOREVER), SHMX_EDEADLK);
    assert_int_equal(shmx_os_error(), 0);
    assert_status(shmx_mutex_lock(again, &layout_of(again)->mutex, SHMX_FOREVER), SHMX_EDEADLK);
    assert_status(shmx_mutex_unlock(again, &layout_of(again)->mutex), SHMX_EPERM);
    assert_ok(shmx_mutex_unlock(shm, mutex));
    assert_ok(shmx_mutex_lock(again, &layout_of(again)->mutex, 0));
    assert_status(shmx_mutex_unlock(shm, mutex), SHMX_EPERM);
    assert_ok(shmx_mutex_unlock(again, &layout_of(again)->mutex));
    shmx_close(&again);
    shmx_close(&shm);
}

struct thread_context {
    shmx *shm;
    int locked;
    int unlocked;
    int limit;
    int64_t done_at;
    _Atomic int stage;
};

static void tries_in_a_thread(void *context)
{
    struct thread_context *thread = context;
    shmx_mutex *mutex = &layout_of(thread->shm)->mutex;
    thread->unlocked = shmx_mutex_unlock(thread->shm, mutex);
    thread->locked = shmx_mutex_lock(thread->shm, mutex, 10);
}

static void only_the_owner_unlocks(void **state)
{
    (void)state;
    const char *name = test_name();
    struct thread_context thread = {.shm = test_segment(name, SIZE)};
    shmx_mutex *mutex = &layout_of(thread.shm)->mutex;
    assert_status(shmx_mutex_unlock(thread.shm, mutex), SHMX_EPERM);
    assert_ok(shmx_mutex_lock(thread.shm, mutex, 0));
    thread_join(thread_start(tries_in_a_thread, &thread));
    assert_status(thread.unlocked, SHMX_EPERM);
    assert_status(thread.locked, SHMX_ETIMEDOUT);
    struct test_child *child = child_start("owner", name, "0");
    child_expect(child, "SHMX_ETIMEDOUT");
    child_send(child, "unlock");
    child_expect(child, "SHMX_EPERM");
    assert_int_equal(child_wait(child), 0);
    assert_ok(shmx_mutex_unlock(thread.shm, mutex));
    shmx_close(&thread.shm);
}

static void locks_and_goes(void *context)
{
    shmx *shm = context;
    must(shmx_mutex_lock(shm, &layout_of(shm)->mutex, 0) == SHMX_OK);
}

static void a_thread_that_ends_is_a_dead_owner(void **state)
{
    (void)state;
    shmx *shm = test_segment(test_name(), SIZE);
    shmx_mutex *mutex = &layout_of(shm)->mutex;
    for (int i = 0; i < 3; i++) {
        thread_join(thread_start(locks_and_goes, shm));
        assert_status(shmx_mutex_unlock(shm, mutex), SHMX_EPERM);
        assert_status(shmx_mutex_lock(shm, mutex, 0), SHMX_EOWNERDEAD);
        assert_ok(shmx_mutex_unlock(shm, mutex));
        assert_ok(shmx_mutex_lock(shm, mutex, 0));
        assert_ok(shmx_mutex_unlock(shm, mutex));
    }
    shmx_close(&shm);
}

enum { MANY_LOCKS = 40 };

static void locks_many_and_goes(void *context)
{
    shmx *shm = context;
    shmx_mutex *mutexes = shmx_data(shm);
    for (int i = 0; i < MANY_LOCKS; i++)
        must(shmx_mutex_lock(shm, &mutexes[i], 0) == SHMX_OK);
    for (int i = 0; i < MANY_LOCKS; i += 2) /* not in the order of locking */
        must(shmx_mutex_unlock(shm, &mutexes[i]) == SHMX_OK);
}

static void all_locks_of_a_thread_end_with_it(void **state)
{
    (void)state;
    shmx *shm;
    assert_ok(shmx_create(&shm, test_name(), MANY_LOCKS * sizeof(shmx_mutex), 0));
    thread_join(thread_start(locks_many_and_goes, shm));
    shmx_mutex *mutexes = shmx_data(shm);
    for (int i = 0; i < MANY_LOCKS; i++)
        assert_status(shmx_mutex_lock(shm, &mutexes[i], 0), i % 2 == 0 ? SHMX_OK : SHMX_EOWNERDEAD);
    shmx_close(&shm);
}

static void locks_in_a_closed_one_and_goes(void *context)
{
    shmx *shm;
    must(shmx_open(&shm, context, 0) == SHMX_OK);
    must(shmx_mutex_lock(shm, &layout_of(shm)->mutex, 0) == SHMX_OK);
    shmx_close(&shm);
}

static void a_thread_ends_after_its_attachment(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    thread_join(thread_start(locks_in_a_closed_one_and_goes, (void *)name));
    assert_status(shmx_mutex_lock(shm, &layout_of(shm)->mutex, 0), SHMX_EOWNERDEAD);
    shmx_close(&shm);
}

static void locks_waits_and_goes(void *context)
{
    struct thread_context *thread = context;
    must(shmx_mutex_lock(thread->shm, &layout_of(thread->shm)->mutex, 0) == SHMX_OK);
    atomic_store(&thread->stage, 1);
    test_until(atomic_load(&thread->stage) == 2);
}

/* Somebody sleeps on the mutex. */
static void wait_for_a_waiter(shmx *shm)
{
    const _Atomic uint32_t *word = (const _Atomic uint32_t *)&layout_of(shm)->mutex.word;
    test_until((atomic_load(word) & 0x80000000u) != 0);
}

static void a_waiter_learns_of_a_thread_that_ends(void **state)
{
    (void)state;
    const char *name = test_name();
    struct thread_context thread = {.shm = test_segment(name, SIZE)};
    struct test_thread *owner = thread_start(locks_waits_and_goes, &thread);
    test_until(atomic_load(&thread.stage) == 1);
    struct test_child *waiter = child_start("owner", name, "-1");
    wait_for_a_waiter(thread.shm);
    atomic_store(&thread.stage, 2);
    thread_join(owner);
    child_expect(waiter, "SHMX_EOWNERDEAD");
    child_send(waiter, "unlock");
    child_expect(waiter, "SHMX_OK");
    assert_int_equal(child_wait(waiter), 0);
    shmx_close(&thread.shm);
}

static void locks_in_time_and_unlocks(void *context)
{
    struct thread_context *thread = context;
    shmx_mutex *mutex = &layout_of(thread->shm)->mutex;
    atomic_store(&thread->stage, 1);
    thread->locked = shmx_mutex_lock(thread->shm, mutex, thread->limit);
    thread->done_at = test_now_ms();
    if (thread->locked == SHMX_OK)
        must(shmx_mutex_unlock(thread->shm, mutex) == SHMX_OK);
}

/* The wake of an unlock goes to a waiter whose time runs out at that moment, and a newcomer takes
 * the lock: its unlock wakes the other waiter. Many rounds, as the moment cannot be made. */
static void a_time_out_takes_no_wake_with_it(void **state)
{
    (void)state;
    enum { ROUNDS = 30, LIMIT = 20, LATE = 15 };
    shmx *shm = test_segment(test_name(), SIZE);
    shmx_mutex *mutex = &layout_of(shm)->mutex;
    int late = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct thread_context brief = {.shm = shm, .limit = LIMIT};
        struct thread_context patient = {.shm = shm, .limit = SHMX_FOREVER};
        assert_ok(shmx_mutex_lock(shm, mutex, 0));
        struct test_thread *one = thread_start(locks_in_time_and_unlocks, &brief);
        test_until(atomic_load(&brief.stage) == 1);
        int64_t end = test_now_ms() + LIMIT;
        struct test_thread *other = thread_start(locks_in_time_and_unlocks, &patient);
        wait_for_a_waiter(shm);
        while (test_now_ms() < end)
            ;
        assert_ok(shmx_mutex_unlock(shm, mutex));
        assert_ok(shmx_mutex_lock(shm, mutex, SHMX_FOREVER));
        thread_join(one);
        int64_t freed = test_now_ms();
        assert_ok(shmx_mutex_unlock(shm, mutex));
        thread_join(other);
        assert_ok(patient.locked);
        assert_true(brief.locked == SHMX_OK || brief.locked == SHMX_ETIMEDOUT);
        late += patient.done_at - freed > LATE;
    }
    print_message("late in %d of %d rounds\n", late, ROUNDS);
    assert_true(late <= ROUNDS / 10); /* a busy machine is late by itself now and then */
    shmx_close(&shm);
}

static void time_limits_are_kept(void **state)
{
    (void)state;
    static const int limits[] = {1, 49, 50, 51, 130};
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    shmx_mutex *mutex = &layout_of(shm)->mutex;
    assert_status(shmx_mutex_lock(shm, mutex, -2), SHMX_EINVAL);
    assert_status(shmx_mutex_lock(shm, mutex, INT32_MIN), SHMX_EINVAL);
    struct test_child *child = child_start("owner", name, "0");
    child_expect(child, "SHMX_OK");
    assert_status(shmx_mutex_lock(shm, mutex, -2), SHMX_EINVAL);
    assert_status(shmx_mutex_lock(shm, mutex, 0), SHMX_ETIMEDOUT);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        int64_t start = test_now_ms();
        assert_status(shmx_mutex_lock(shm, mutex, limits[i]), SHMX_ETIMEDOUT);
        assert_true(test_now_ms() - start >= limits[i] - 16); /* the test's clock may tick by 16 */
    }
    child_send(child, "unlock");
    child_expect(child, "SHMX_OK");
    assert_ok(shmx_mutex_lock(shm, mutex, INT32_MAX));
    assert_ok(shmx_mutex_unlock(shm, mutex));
    assert_int_equal(child_wait(child), 0);
    shmx_close(&shm);
}

static void places_that_are_wrong(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE), *reader;
    unsigned char *bytes = shmx_data(shm);
    shmx_mutex outside = {0};
    assert_ok(shmx_mutex_lock(shm, (shmx_mutex *)bytes, 0)); /* the quick way is open from now on */
    unsigned char *wrong[] = {NULL,         bytes + 1,           bytes + 2,
                              bytes - 4,    bytes - 16,          bytes + SIZE - 12,
                              bytes + SIZE, bytes + SIZE + 4096, (unsigned char *)&outside};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_status(shmx_mutex_lock(shm, (shmx_mutex *)(void *)wrong[i], 0), SHMX_EINVAL);
        assert_status(shmx_mutex_unlock(shm, (shmx_mutex *)(void *)wrong[i]), SHMX_EINVAL);
    }
    assert_status(shmx_mutex_lock(NULL, (shmx_mutex *)bytes, 0), SHMX_EINVAL);
    assert_status(shmx_mutex_unlock(NULL, (shmx_mutex *)bytes), SHMX_EINVAL);
    assert_ok(shmx_mutex_lock(shm, (shmx_mutex *)(bytes + SIZE - 16), 0));
    assert_ok(shmx_mutex_unlock(shm, (shmx_mutex *)(bytes + SIZE - 16)));
    assert_ok(shmx_mutex_unlock(shm, (shmx_mutex *)bytes));
    assert_ok(shmx_open(&reader, name, SHMX_READ_ONLY));
    assert_status(shmx_mutex_lock(reader, shmx_data(reader), 0), SHMX_EACCES);
    assert_status(shmx_mutex_unlock(reader, shmx_data(reader)), SHMX_EACCES);
    shmx_close(&reader);
    shmx_close(&shm);
}

/* A child holds the mutex and is killed. */
static void kill_an_owner(const char *name)
{
    struct test_child *child = child_start("owner", name, "-1");
    child_expect(child, "SHMX_OK");
    child_end_by_kill(child);
}

static void a_newcomer_is_told_at_once(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    shmx_mutex *mutex = &layout_of(shm)->mutex;
    for (int i = 0; i < 2; i++) {
        kill_an_owner(name);
        assert_status(shmx_mutex_lock(shm, mutex, 0), SHMX_EOWNERDEAD);
        assert_status(shmx_mutex_lock(shm, mutex, 0), SHMX_EDEADLK);
        assert_ok(shmx_mutex_unlock(shm, mutex));
        assert_ok(shmx_mutex_lock(shm, mutex, 0));
        assert_ok(shmx_mutex_unlock(shm, mutex));
    }
    shmx_close(&shm);
}

static void exactly_one_successor_is_told(void **state)
{
    (void)state;
    enum { WAITERS = 4 };
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct test_child *owner = child_start("owner", name, "0");
    child_expect(owner, "SHMX_OK");
    struct test_child *waiters[WAITERS];
    for (int i = 0; i < WAITERS; i++)
        waiters[i] = child_start("owner", name, "-1");
    child_end_by_kill(owner);
    int told = 0;
    for (int i = 0; i < WAITERS; i++)
        child_send(waiters[i], "unlock");
    for (int i = 0; i < WAITERS; i++) {
        const char *line = child_receive(waiters[i]);
        assert_non_null(line);
        if (strcmp(line, "SHMX_EOWNERDEAD") == 0)
            told++;
        else
            assert_string_equal(line, "SHMX_OK");
        child_expect(waiters[i], "SHMX_OK");
    }
    assert_int_equal(told, 1);
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(child_wait(waiters[i]), 0);
    assert_ok(shmx_mutex_lock(shm, &layout_of(shm)->mutex, 0));
    assert_ok(shmx_mutex_unlock(shm, &layout_of(shm)->mutex));
    shmx_close(&shm);
}

struct waiting {
    shmx *shm;
    int64_t locked_at;
    int status;
};

static void waits_in_a_thread(void *context)
{
    struct waiting *waiting = context;
    shmx_mutex *mutex = &layout_of(waiting->shm)->mutex;
    waiting->status = shmx_mutex_lock(waiting->shm, mutex, SHMX_FOREVER);
    waiting->locked_at = test_now_ms();
    must(shmx_mutex_unlock(waiting->shm, mutex) == SHMX_OK);
}

/* Milliseconds from the end of the owner's process to its successor's lock. */
static int64_t successor_delay(shmx *shm, const char *name, int64_t waited)
{
    struct waiting waiting = {.shm = shm};
    struct test_child *owner = child_start("owner", name, "0");
    child_expect(owner, "SHMX_OK");
    struct test_thread *thread = thread_start(waits_in_a_thread, &waiting);
    _Atomic uint32_t *word = (_Atomic uint32_t *)&layout_of(shm)->mutex.word;
    test_until((atomic_load(word) & 0x80000000u) != 0); /* it sleeps, or is about to */
    int64_t asleep_at = test_now_ms();
    test_until(test_now_ms() - asleep_at >= waited);
    child_end_by_kill(owner);
    int64_t killed_at = test_now_ms();
    thread_join(thread);
    assert_status(waiting.status, SHMX_EOWNERDEAD);
    return waiting.locked_at - killed_at;
}

static void assert_told_within(int64_t most, int64_t waited)
{
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    int64_t delay = successor_delay(shm, name, waited);
    for (int i = 1; i < TRIES && delay > most; i++)
        delay = successor_delay(shm, name, waited);
    print_message("owner's death noticed after %d ms\n", (int)delay);
    assert_true(delay <= most);
    shmx_close(&shm);
}

static void a_waiter_is_told_within_100_ms(void **state)
{
    (void)state;
    assert_told_within(100, 0);
}

static void one_that_has_waited_long_is_told_within_200_ms(void **state)
{
    (void)state;
    assert_told_within(200, 1500);
}

static void a_stopped_owner_is_alive(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    shmx_mutex *mutex = &layout_of(shm)->mutex;
    struct test_child *child = child_start("owner", name, "0");
    child_expect(child, "SHMX_OK");
    if (!child_stop(child))
        test_skip("this system cannot stop a process");
    /* How long does not matter: it is the kernel that is asked, as often as here. */
    for (int i = 0; i < 50; i++)
        assert_status(shmx_mutex_lock(shm, mutex, 0), SHMX_ETIMEDOUT);
    assert_status(shmx_mutex_lock(shm, mutex, 400), SHMX_ETIMEDOUT);
    child_continue(child);
    child_send(child, "unlock");
    child_expect(child, "SHMX_OK");
    assert_ok(shmx_mutex_lock(shm, mutex, SHMX_FOREVER));
    assert_ok(shmx_mutex_unlock(shm, mutex));
    assert_int_equal(child_wait(child), 0);
    shmx_close(&shm);
}

static void an_owner_that_execs_is_dead(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct test_child *child = child_start("execs", name);
    const char *line = child_receive(child);
    assert_non_null(line);
    bool became = strcmp(line, "became another") == 0;
    if (became) {
        assert_status(shmx_mutex_lock(shm, &layout_of(shm)->mutex, 0), SHMX_EOWNERDEAD);
        assert_ok(shmx_mutex_unlock(shm, &layout_of(shm)->mutex));
    }
    assert_int_equal(child_wait(child), 0);
    shmx_close(&shm);
    if (!became)
        test_skip("this system cannot replace a process");
}

/* Known to the forked child and its parent. */
struct forked {
    shmx *shm;
};

static void finds_the_parents_lock(void *context)
{
    const struct forked *forked = context;
    struct layout *layout = layout_of(forked->shm);
    must(shmx_mutex_unlock(forked->shm, &layout->mutex) == SHMX_EPERM);
    must(shmx_mutex_lock(forked->shm, &layout->mutex, 0) == SHMX_ETIMEDOUT);
    must(shmx_mutex_lock(forked->shm, &layout->mutex, 120) == SHMX_ETIMEDOUT);
    must(shmx_mutex_lock(forked->shm, &layout->other, 0) == SHMX_OK);
    say("holds the other");
    must(hear() != NULL);
    must(shmx_mutex_lock(forked->shm, &layout->mutex, 0) == SHMX_OK);
    must(shmx_mutex_unlock(forked->shm, &layout->mutex) == SHMX_OK);
}

static void a_forked_child_owns_nothing(void **state)
{
    (void)state;
    struct forked forked = {.shm = test_segment(test_name(), SIZE)};
    struct layout *layout = layout_of(forked.shm);
    assert_ok(shmx_mutex_lock(forked.shm, &layout->mutex, 0));
    struct test_child *child = child_fork(finds_the_parents_lock, &forked);
    if (child != NULL) {
        child_expect(child, "holds the other");
        assert_status(shmx_mutex_lock(forked.shm, &layout->other, 0), SHMX_ETIMEDOUT);
        assert_ok(shmx_mutex_unlock(forked.shm, &layout->mutex));
        child_send(child, "free");
        assert_int_equal(child_wait(child), 0);
        assert_status(shmx_mutex_lock(forked.shm, &layout->other, 0), SHMX_EOWNERDEAD);
        assert_ok(shmx_mutex_unlock(forked.shm, &layout->other));
    }
    shmx_close(&forked.shm);
    if (child == NULL)
        test_skip("this system has no fork");
}

static void ends_at_once(void *context)
{
    (void)context;
}

static void a_childs_end_does_not_end_its_parent(void **state)
{
    (void)state;
    const char *name = test_name();
    struct forked forked = {.shm = test_segment(name, SIZE)};
    shmx_mutex *mutex = &layout_of(forked.shm)->mutex;
    assert_ok(shmx_mutex_lock(forked.shm, mutex, 0));
    struct test_child *child = child_fork(ends_at_once, &forked);
    if (child != NULL)
        assert_int_equal(child_wait(child), 0);
    struct test_child *other = child_start("owner", name, "0");
    child_expect(other, "SHMX_ETIMEDOUT");
    assert_int_equal(child_wait(other), 0);
    assert_ok(shmx_mutex_unlock(forked.shm, mutex));
    shmx_close(&forked.shm);
    if (child == NULL)
        test_skip("this system has no fork");
}

/* Each is the first thread of its process, and still another one: a thread that looks at the word
 * while the lock goes from one process to the other must not take the other's thread for itself. */
static void threads_of_two_processes_are_told_apart(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE);
    struct layout *layout = layout_of(shm);
    assert_ok(shmx_mutex_lock(shm, &layout->mutex, 0));
    uint32_t own = layout->mutex.thread;
    assert_ok(shmx_mutex_unlock(shm, &layout->mutex));
    struct test_child *child = child_start("owner", name, "0");
    child_expect(child, "SHMX_OK");
    assert_int_not_equal(layout->mutex.thread, own);
    assert_int_not_equal(layout->mutex.thread, 0);
    child_send(child, "unlock");
    child_expect(child, "SHMX_OK");
    child_finish(child);
    shmx_close(&shm);
}

static void closing_while_holding_is_a_death(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = test_segment(name, SIZE), *again;
    assert_ok(shmx_open(&again, name, 0));
    assert_ok(shmx_mutex_lock(again, &layout_of(again)->mutex, 0));
    shmx_close(&again);
    assert_status(shmx_mutex_lock(shm, &layout_of(shm)->mutex, 0), SHMX_EOWNERDEAD);
    assert_ok(shmx_mutex_unlock(shm, &layout_of(shm)->mutex));
    shmx_close(&shm);
}

/* Whatever the object holds, a caller with a time limit comes back. */
static void garbage_never_hangs(void **state)
{
    (void)state;
    shmx *shm = test_segment(test_name(), SIZE);
    shmx_mutex *mutex = &layout_of(shm)->mutex;
    for (int i = 0; i < 3000; i++) {
        uint32_t words[4] = {test_random(), test_random(), test_random(), test_random()};
        for (int j = 0; j < 4; j++) /* small numbers are those that tokens and threads have */
            words[j] = (i >> j & 1) != 0 ? words[j] & 0xc0000007u : words[j];
        memcpy(mutex, words, sizeof words);
        int status = shmx_mutex_lock(shm, mutex, i % 16 == 0 ? 1 : 0);
        bool held = status == SHMX_OK || status == SHMX_EOWNERDEAD;
        assert_true(held || status == SHMX_ETIMEDOUT || status == SHMX_EDEADLK);
        if (held)
            assert_ok(shmx_mutex_unlock(shm, mutex));
        else
            shmx_mutex_unlock(shm, mutex);
    }
    memset(mutex, 0, sizeof *mutex);
    assert_ok(shmx_mutex_lock(shm, mutex, 0));
    assert_ok(shmx_mutex_unlock(shm, mutex));
    shmx_close(&shm);
}

/* Words that another writes there do not make a thread that never locked an owner. */
static void forges_in_a_thread(void *context)
{
    struct thread_context *thread = context;
    struct layout *layout = layout_of(thread->shm);
    layout->other = layout->mutex;
    layout->other.thread = layout->mutex.word * 0x9E3779B1u; /* as if this thread had number 0 */
    thread->unlocked = shmx_mutex_unlock(thread->shm, &layout->other);
}

static void forged_words_make_no_owner(void **state)
{
    (void)state;
    struct thread_context thread = {.shm = test_segment(test_name(), SIZE)};
    struct layout *layout = layout_of(thread.shm);
    assert_ok(shmx_mutex_lock(thread.shm, &layout->mutex, 0));
    thread_join(thread_start(forges_in_a_thread, &thread));
    assert_status(thread.unlocked, SHMX_EPERM);
    assert_ok(shmx_mutex_unlock(thread.shm, &layout->mutex));
    shmx_close(&thread.shm);
}

struct adding {
    shmx *shm;
    int times;
};

static void adds_in_a_thread(void *context)
{
    struct adding *adding = context;
    struct layout *layout = layout_of(adding->shm);
    for (int i = 0; i < adding->times; i++) {
        must(shmx_mutex_lock(adding->shm, &layout->mutex, SHMX_FOREVER) == SHMX_OK);
        layout->counter++;
        must(shmx_mutex_unlock(adding->shm, &layout->mutex) == SHMX_OK);
    }
}

static void nothing_is_lost_between_threads_and_processes(void **state)
{
    (void)state;
    enum { EACH = 2, TIMES = 20000 };
    const char *name = test_name();
    struct adding adding = {test_segment(name, SIZE), TIMES};
    struct test_child *children[EACH];
    struct test_thread *threads[EACH];
    for (int i = 0; i < EACH; i++)
        children[i] = child_start("adder", name, "20000");
    for (int i = 0; i < EACH; i++)
        child_expect(children[i], "ready");
    for (int i = 0; i < EACH; i++)
        threads[i] = thread_start(adds_in_a_thread, &adding);
    for (int i = 0; i < EACH; i++)
        child_send(children[i], "go");
    for (int i = 0; i < EACH; i++)
        thread_join(threads[i]);
    for (int i = 0; i < EACH; i++)
        assert_int_equal(child_wait(children[i]), 0);
    assert_int_equal(layout_of(adding.shm)->counter, 2 * EACH * TIMES);
    shmx_close(&adding.shm);
}

static const struct test_part parts[] = {{"owner", part_owner},
                                         {"execs", part_execs},
                                         {"stays", part_stays},
                                         {"adder", part_adder},
                                         {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_zeroed_one_is_ready),
    cmocka_unit_test(locking_twice_is_told),
    cmocka_unit_test(only_the_owner_unlocks),
    cmocka_unit_test(a_thread_that_ends_is_a_dead_owner),
    cmocka_unit_test(all_locks_of_a_thread_end_with_it),
    cmocka_unit_test(a_thread_ends_after_its_attachment),
    cmocka_unit_test(a_waiter_learns_of_a_thread_that_ends),
    cmocka_unit_test(a_time_out_takes_no_wake_with_it),
    cmocka_unit_test(time_limits_are_kept),
    cmocka_unit_test(places_that_are_wrong),
    cmocka_unit_test(a_newcomer_is_told_at_once),
    cmocka_unit_test(exactly_one_successor_is_told),
    cmocka_unit_test(a_waiter_is_told_within_100_ms),
    cmocka_unit_test(one_that_has_waited_long_is_told_within_200_ms),
    cmocka_unit_test(a_stopped_owner_is_alive),
    cmocka_unit_test(an_owner_that_execs_is_dead),
    cmocka_unit_test(a_forked_child_owns_nothing),
    cmocka_unit_test(a_childs_end_does_not_end_its_parent),
    cmocka_unit_test(threads_of_two_processes_are_told_apart),
    cmocka_unit_test(closing_while_holding_is_a_death),
    cmocka_unit_test(garbage_never_hangs),
    cmocka_unit_test(forged_words_make_no_owner),
    cmocka_unit_test(nothing_is_lost_between_threads_and_processes),
};

TEST_MAIN(tests, parts)
