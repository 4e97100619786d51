/* SPDX-License-Identifier: MIT */
/* Every public function over a backend whose n-th call fails, for every n: the status is the right
 * one, nothing is leaked and nothing left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake.h"
#include "shmx.h"

#define SIZE 8192
#define NAME "fake"

static shmx *base;            /* attached before the call under test */
static unsigned char *memory; /* its bytes */
static shmx *made;            /* by the call under test */
static shmx_queue *queue;
static shmx_topic *topic;
static char token[64];

/* ---- the calls ---- */

static int create_named(void)
{
    return shmx_create(&made, "other", SIZE, SHMX_OTHERS_READ | SHMX_PERSISTENT);
}

static int create_random(void)
{
    return shmx_create(&made, NULL, SIZE, 0);
}

static int create_nameless(void)
{
    return shmx_create(&made, "", SIZE, 0);
}

static int create_raw(void)
{
    return shmx_create(&made, "other", SIZE, SHMX_RAW);
}

static int open_it(void)
{
    return shmx_open(&made, NAME, 0);
}

static int open_read_only(void)
{
    return shmx_open(&made, NAME, SHMX_READ_ONLY | SHMX_PREFAULT);
}

static int open_or_create_opens(void)
{
    int created = 7;
    int status = shmx_open_or_create(&made, NAME, SIZE, 0, &created);
    assert_int_equal(created, 0);
    return status;
}

static int open_or_create_creates(void)
{
    int created = 7;
    int status = shmx_open_or_create(&made, "other", SIZE, 0, &created);
    assert_int_equal(created, status == SHMX_OK);
    return status;
}

static int unlink_it(void)
{
    return shmx_unlink(NAME);
}

static int share_it(void)
{
    return shmx_share(base, token, sizeof token);
}

static int adopt_it(void)
{
    return shmx_adopt(&made, token, SHMX_READ_ONLY);
}

static int stat_it(void)
{
    shmx_info info;
    return shmx_stat(NAME, &info);
}

static int count_one(const shmx_info *info, void *context)
{
    ++*(int *)context;
    assert_string_equal(info->name, NAME);
    return 0;
}

static int list_all(void)
{
    int count = 0;
    return shmx_list(count_one, &count);
}

static int prune_all(void)
{
    return shmx_prune(NULL);
}

static int lock_and_unlock(void)
{
    shmx_mutex *mutex = (shmx_mutex *)memory;
    int status = shmx_mutex_lock(base, mutex, 100);
    return status == SHMX_OK ? shmx_mutex_unlock(base, mutex) : status;
}

/* A dead owner's token stands in the word. */
static int lock_after_death(void)
{
    shmx_mutex *mutex = (shmx_mutex *)memory;
    mutex->word = 0x2fffffff;
    int status = shmx_mutex_lock(base, mutex, 100);
    if (status != SHMX_EOWNERDEAD)
        return status;
    return shmx_mutex_unlock(base, mutex);
}

static int wait_for_signal(void)
{
    shmx_mutex *mutex = (shmx_mutex *)memory;
    shmx_cond *cond = (shmx_cond *)(memory + 64);
    int status = shmx_mutex_lock(base, mutex, 100);
    if (status != SHMX_OK)
        return status;
    status = shmx_cond_wait(base, cond, mutex, 100);
    int unlocked = shmx_mutex_unlock(base, mutex);
    assert_int_equal(unlocked, SHMX_OK); /* it holds the mutex again, however the wait went */
    return status == SHMX_ETIMEDOUT ? SHMX_OK : status;
}

static int signal_waiter(void)
{
    shmx_cond *cond = (shmx_cond *)(memory + 64);
    cond->event = 1; /* armed */
    return shmx_cond_signal(base, cond);
}

static int post_to_waiter(void)
{
    shmx_sem *sem = (shmx_sem *)memory;
    sem->event = 1; /* armed */
    int status = shmx_sem_post(base, sem, 3);
    assert_int_equal(sem->count, 3); /* the tokens are there in any case */
    return status;
}

static int wait_for_post(void)
{
    int status = shmx_sem_wait(base, (shmx_sem *)memory, 100);
    return status == SHMX_ETIMEDOUT ? SHMX_OK : status;
}

static int init_counts(void *context)
{
    ++*(int *)context;
    return 0;
}

static int run_once(void)
{
    int count = 0;
    int status = shmx_once_run(base, (shmx_once *)memory, init_counts, &count);
    assert_int_equal(count, status == SHMX_OK);
    return status;
}

static int wait_for_word(void)
{
    int status = shmx_wait(base, (uint32_t *)(memory + 128), 0, 100);
    return status == SHMX_ETIMEDOUT ? SHMX_OK : status;
}

static int open_queue(void)
{
    return shmx_queue_open(&queue, base, 0, SIZE);
}

static int use_queue(void)
{
    char text[8];
    size_t size;
    int status = shmx_queue_open(&queue, base, 0, SIZE);
    if (status == SHMX_OK)
        status = shmx_queue_send(queue, "hello", 5, 100);
    if (status == SHMX_OK)
        status = shmx_queue_receive(queue, text, sizeof text, &size, 100);
    if (status == SHMX_OK)
        assert_int_equal(size, 5);
    return status;
}

static int receive_nothing(void)
{
    char text[8];
    size_t size;
    int status = shmx_queue_open(&queue, base, 0, SIZE);
    if (status == SHMX_OK)
        status = shmx_queue_receive(queue, text, sizeof text, &size, 100);
    return status == SHMX_ETIMEDOUT ? SHMX_OK : status;
}

static int open_topic(void)
{
    return shmx_topic_open(&topic, base, 0, SIZE, SHMX_TOPIC_LOSSLESS);
}

static int use_topic(void)
{
    char text[8];
    size_t size;
    void *place;
    int status = shmx_topic_open(&topic, base, 0, SIZE, 0);
    if (status == SHMX_OK)
        status = shmx_topic_reserve(topic, 5, &place, 100);
    if (status == SHMX_OK)
        status = shmx_topic_commit(topic, 5);
    if (status == SHMX_OK)
        status = shmx_topic_next(topic, text, sizeof text, &size, NULL, 100);
    if (status == SHMX_OK)
        assert_int_equal(size, 5);
    return status;
}

static int read_nothing(void)
{
    char text[8];
    size_t size;
    int status = shmx_topic_open(&topic, base, 0, SIZE, 0);
    if (status == SHMX_OK)
        status = shmx_topic_next(topic, text, sizeof text, &size, NULL, 100);
    return status == SHMX_ETIMEDOUT ? SHMX_OK : status;
}

/* A lossless reader is in the way, and is asked about. */
static int publish_in_vain(void)
{
    int status = shmx_topic_open(&topic, base, 0, SIZE, SHMX_TOPIC_LOSSLESS);
    while (status == SHMX_OK)
        status = shmx_topic_publish(topic, "message", 7, 1);
    return status == SHMX_ETIMEDOUT ? SHMX_OK : status;
}

static int join_topic(void)
{
    int status = shmx_topic_open(&topic, base, 0, SIZE, 0);
    return status == SHMX_OK ? shmx_topic_join(topic, SHMX_SENDER | SHMX_RECEIVER) : status;
}

/* ---- one call, failing at each place ---- */

struct call {
    const char *name;
    int (*run)(void);
    bool forgiving; /* some failures do not matter to the caller */
};

#define CALL(function)                                                                             \
    {                                                                                              \
#function, function, false                                                                 \
    }

static const struct call calls[] = {
    {"create_named", create_named, true},       /* without room it tries again */
    {"create_random", create_random, true},     /* without room it tries again */
    {"create_nameless", create_nameless, true}, /* without room it tries again */
    {"create_raw", create_raw, true},           /* without room it tries again */
    CALL(open_it),
    CALL(open_read_only),
    CALL(open_or_create_opens),
    {"open_or_create_creates", open_or_create_creates, true}, /* without room it tries again */
    CALL(unlink_it),
    CALL(share_it),
    CALL(adopt_it),
    {"stat_it", stat_it, true},     /* what is being made is looked at again */
    {"list_all", list_all, true},   /* what cannot be described is left out */
    {"prune_all", prune_all, true}, /* one that cannot be removed does not keep the rest from it */
    CALL(lock_and_unlock),
    {"lock_after_death", lock_after_death, true}, /* nor does a wake that fails matter */
    CALL(wait_for_signal),
    CALL(signal_waiter),
    CALL(post_to_waiter),
    CALL(wait_for_post),
    CALL(run_once),
    CALL(wait_for_word),
    CALL(open_queue),
    {"use_queue", use_queue, true},
    {"receive_nothing", receive_nothing, true}, /* a wake that fails does not matter */
    CALL(open_topic),
    {"use_topic", use_topic, true},
    {"read_nothing", read_nothing, true},
    {"publish_in_vain", publish_in_vain, true},
    CALL(join_topic),
};

static void begin(void)
{
    fake_fail(0, 0);
    assert_int_equal(shmx_create(&base, NAME, SIZE, SHMX_PERSISTENT), SHMX_OK);
    memory = shmx_data(base);
    assert_int_equal(shmx_share(base, token, sizeof token), SHMX_OK);
    made = (shmx *)&made; /* to see that it is set to NULL */
    queue = NULL;
    topic = NULL;
}

static void check_failure(const struct call *call, int n, int status, int planned)
{
    int expected = fake_heap_failed() ? SHMX_ENOMEM : planned;
    bool good = status == expected || (call->forgiving && status == SHMX_OK);
    if (!good)
        fail_msg("%s, call %d: %s instead of %s", call->name, n, shmx_status_name(status),
                 shmx_status_name(expected));
    if (status == planned && !fake_heap_failed() && shmx_os_error() != FAKE_ERROR)
        fail_msg("%s, call %d: os_error is %d", call->name, n, shmx_os_error());
    if (status != SHMX_OK && made != (shmx *)&made)
        assert_null(made);
}

static void end(void)
{
    fake_fail(0, 0);
    if (made != (shmx *)&made)
        shmx_close(&made);
    shmx_queue_close(&queue);
    shmx_topic_close(&topic);
    shmx_unlink("other");
    shmx_close(&base);
    shmx_unlink(NAME);
    fake_thread_end();
    assert_int_equal(fake_attachments(), 0);
    assert_int_equal(fake_names(), 0);
    assert_int_equal(fake_heap(), 0);
    fake_clear();
}

/* Return how many calls of the backend the function makes. */
static int fail_everywhere(const struct call *call, int planned)
{
    for (int n = 1;; n++) {
        begin();
        int names = fake_names();
        fake_fail(n, planned);
        int status = call->run();
        if (fake_failed()) {
            check_failure(call, n, status, planned);
            if (status != SHMX_OK)
                assert_true(fake_names() <= names && fake_attachments() == 1);
        } else {
            assert_int_equal(status, SHMX_OK);
        }
        bool over = !fake_failed();
        end();
        if (over)
            return n - 1;
    }
}

static void every_failure_is_reported_and_leaves_nothing(void **state)
{
    static const int planned[] = {SHMX_EACCES, SHMX_ENOSPC, SHMX_EMFILE,
                                  SHMX_ENOMEM, SHMX_EIO,    SHMX_EAGAIN};
    (void)state;
    int failures = 0;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        for (size_t j = 0; j < sizeof planned / sizeof *planned; j++)
            failures += fail_everywhere(&calls[i], planned[j]);
    print_message("%d failures\n", failures);
    assert_true(failures > 200);
}

/* The segment that the failing call was about to remove is another's. */
static void a_failed_open_removes_nothing(void **state)
{
    (void)state;
    for (int n = 1; n < 10; n++) {
        begin();
        memory[0] = 77;
        fake_fail(n, SHMX_EIO);
        open_it();
        if (made != NULL)
            shmx_close(&made);
        fake_fail(0, 0);
        assert_int_equal(shmx_open(&made, NAME, 0), SHMX_OK);
        assert_int_equal(*(unsigned char *)shmx_data(made), 77);
        end();
    }
}

/* Another process looks at it for longer than a backend waits. */
static void what_another_looks_at_is_listed(void **state)
{
    (void)state;
    int count = 0;
    begin();
    fake_fail(2, SHMX_EAGAIN); /* the listing, and then the look */
    assert_int_equal(shmx_list(count_one, &count), SHMX_OK);
    assert_true(fake_failed());
    assert_int_equal(count, 1);
    end();
}

static int sweeps_of(int creates, long long pause)
{
    int before = fake_sweeps();
    for (int i = 0; i < creates; i++) {
        assert_int_equal(shmx_create(&made, NAME, SIZE, 0), SHMX_OK);
        shmx_close(&made);
        fake_clock_pass(pause);
    }
    return fake_sweeps() - before;
}

/* The first create, and then one in 20 ms: a loop of creates hardly ever. */
static void creates_look_for_the_dead_now_and_then(void **state)
{
    (void)state;
    fake_fail(0, 0);
    fake_clock_pass(1000000000);
    assert_int_equal(sweeps_of(80, 3000000), 12);
    fake_clock_pass(1000000000);
    assert_int_equal(sweeps_of(10, 30000000), 10);
    fake_clock_pass(1000000000);
    assert_int_equal(sweeps_of(80, 1000), 1);
    fake_clear();
}

/* ---- an owner that ends normally while it is asked about ---- */

static shmx_queue *ending; /* of the other attachment */

static void release_and_end(void)
{
    assert_int_equal(shmx_queue_release(ending), SHMX_OK);
}

static void commit_and_end(void)
{
    assert_int_equal(shmx_queue_commit(ending, 5), SHMX_OK);
}

static void begin_ending(void)
{
    begin();
    assert_int_equal(shmx_open(&made, NAME, 0), SHMX_OK);
    assert_int_equal(shmx_queue_open(&queue, base, 0, SIZE), SHMX_OK);
    assert_int_equal(shmx_queue_open(&ending, made, 0, SIZE), SHMX_OK);
}

static void end_ending(void)
{
    shmx_queue_close(&ending);
    end();
}

/* What a receive without waiting reports while `last` is done. */
static int receive_meanwhile(void (*last)(void))
{
    char text[8];
    fake_owner_dies(last);
    int status = shmx_queue_receive(queue, text, sizeof text, NULL, 0);
    fake_owner_dies(NULL);
    return status;
}

/* The message is the oldest one, or lies behind another one that is being read. */
static void read_once(bool behind)
{
    const void *place;
    shmx_queue *beside;
    begin_ending();
    assert_int_equal(shmx_queue_open(&beside, base, 0, SIZE), SHMX_OK);
    if (behind) {
        assert_int_equal(shmx_queue_send(queue, "first", 5, 0), SHMX_OK);
        assert_int_equal(shmx_queue_peek(beside, &place, NULL, 0), SHMX_OK);
    }
    assert_int_equal(shmx_queue_send(queue, "hello", 5, 0), SHMX_OK);
    assert_int_equal(shmx_queue_peek(ending, &place, NULL, 0), SHMX_OK);
    assert_int_equal(receive_meanwhile(release_and_end), SHMX_ETIMEDOUT);
    assert_int_equal(receive_meanwhile(NULL), SHMX_ETIMEDOUT);
    shmx_queue_close(&beside);
    end_ending();
}

static void a_message_that_was_released_does_not_come_back(void **state)
{
    (void)state;
    read_once(false);
    read_once(true);
}

static void a_message_that_was_committed_stays(void **state)
{
    void *place;
    (void)state;
    begin_ending();
    assert_int_equal(shmx_queue_reserve(ending, 5, &place, 0), SHMX_OK);
    assert_int_equal(receive_meanwhile(commit_and_end), SHMX_OK);
    end_ending();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failure_is_reported_and_leaves_nothing),
        cmocka_unit_test(a_failed_open_removes_nothing),
        cmocka_unit_test(what_another_looks_at_is_listed),
        cmocka_unit_test(creates_look_for_the_dead_now_and_then),
        cmocka_unit_test(a_message_that_was_released_does_not_come_back),
        cmocka_unit_test(a_message_that_was_committed_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
