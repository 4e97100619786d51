/* SPDX-License-Identifier: MIT */
/*
 * The shared library is loaded at run time, used, and unloaded: its functions that fork and the
 * ends of threads and of the process call do not outlive it, and nothing stays behind. SHMX_LIBRARY
 * says where it is. Where dlclose(3) unloads nothing (musl; macOS, NetBSD and
 * OpenBSD, see src/posix/system/stay.c) the same holds, and there is less to see.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

#define ROUNDS 100
#define QUEUE_AT 64
#define TOPIC_AT 8192
#define SIZE 16384

/* ---- the library that was loaded ---- */

#define FUNCTIONS(X)                                                                               \
    X(shmx_create);                                                                                \
    X(shmx_open);                                                                                  \
    X(shmx_close);                                                                                 \
    X(shmx_data);                                                                                  \
    X(shmx_mutex_lock);                                                                            \
    X(shmx_mutex_unlock);                                                                          \
    X(shmx_queue_open);                                                                            \
    X(shmx_queue_close);                                                                           \
    X(shmx_queue_send);                                                                            \
    X(shmx_queue_receive);                                                                         \
    X(shmx_topic_open);                                                                            \
    X(shmx_topic_close);                                                                           \
    X(shmx_topic_publish);                                                                         \
    X(shmx_topic_next);

#define DECLARE(name) __typeof__(name) *name
static struct {
    void *handle;
    FUNCTIONS(DECLARE)
} lib;

/* C has no cast from an object's address to a function's. */
static void find(const char *name, void *function)
{
    *(void **)function = dlsym(lib.handle, name);
    must(*(void **)function != NULL);
}

static void load(void)
{
    lib.handle = dlopen(getenv("SHMX_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
    if (lib.handle == NULL)
        fprintf(stderr, "%s\n", dlerror());
    must(lib.handle != NULL);
#define FIND(name) find(#name, (void *)&lib.name)
    FUNCTIONS(FIND)
}

static void unload(void)
{
    must(dlclose(lib.handle) == 0);
}

/* Does dlclose unload it? */
static bool gone(void)
{
    void *handle = dlopen(getenv("SHMX_LIBRARY"), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    if (handle != NULL)
        dlclose(handle);
    return handle == NULL;
}

/* ---- using it ---- */

static shmx *attach(const char *name, bool create)
{
    shmx *shm;
    must((create ? lib.shmx_create(&shm, name, SIZE, 0) : lib.shmx_open(&shm, name, 0)) == SHMX_OK);
    return shm;
}

static void use_lock(shmx *shm)
{
    must(lib.shmx_mutex_lock(shm, lib.shmx_data(shm), SHMX_FOREVER) == SHMX_OK);
    must(lib.shmx_mutex_unlock(shm, lib.shmx_data(shm)) == SHMX_OK);
}

static void use_queue(shmx *shm)
{
    shmx_queue *queue;
    char word[8];
    must(lib.shmx_queue_open(&queue, shm, QUEUE_AT, TOPIC_AT - QUEUE_AT) == SHMX_OK);
    must(lib.shmx_queue_send(queue, "word", 5, 0) == SHMX_OK);
    must(lib.shmx_queue_receive(queue, word, sizeof word, NULL, 0) == SHMX_OK);
    must(strcmp(word, "word") == 0);
    lib.shmx_queue_close(&queue);
}

static void use_topic(shmx *shm)
{
    shmx_topic *topic;
    char word[8];
    must(lib.shmx_topic_open(&topic, shm, TOPIC_AT, SIZE - TOPIC_AT, 0) == SHMX_OK);
    must(lib.shmx_topic_publish(topic, "news", 5, 0) == SHMX_OK);
    must(lib.shmx_topic_next(topic, word, sizeof word, NULL, NULL, 0) == SHMX_OK);
    must(strcmp(word, "news") == 0);
    lib.shmx_topic_close(&topic);
}

static void use_all(shmx *shm)
{
    use_lock(shm);
    use_queue(shm);
    use_topic(shm);
}

static void in_the_child(void *name)
{
    shmx *shm = attach(name, false);
    use_all(shm);
    lib.shmx_close(&shm);
}

static void after_it_has_gone(void *context)
{
    (void)context;
}

static void use_and_fork(void)
{
    const char *name = test_name();
    shmx *shm = attach(name, true);
    use_all(shm);
    struct test_child *child = child_fork(in_the_child, (void *)(uintptr_t)name);
    assert_int_equal(child_wait(child), 0);
    lib.shmx_close(&shm);
}

/* ---- what stays behind ---- */

/* KiB that are mapped, but for the heap and the stack; 0 where it cannot be told, or where a
 * sanitizer maps what it likes, which looks for leaks itself. */
static long mapped(void)
{
    char line[512];
    unsigned long first, end, sum = 0;
    bool sanitized =
        dlsym(RTLD_DEFAULT, "__asan_init") != NULL || dlsym(RTLD_DEFAULT, "__tsan_init") != NULL;
    FILE *maps = sanitized ? NULL : fopen("/proc/self/maps", "r");
    if (maps == NULL)
        return 0;
    while (fgets(line, sizeof line, maps) != NULL)
        if (strchr(line, '[') == NULL && sscanf(line, "%lx-%lx", &first, &end) == 2)
            sum += end - first;
    fclose(maps);
    return (long)(sum / 1024);
}

static void loaded_used_unloaded_and_forked(void **state)
{
    (void)state;
    int handles = 0;
    long before = 0;
    for (int round = 0; round < ROUNDS; round++) {
        load();
        use_and_fork();
        unload();
        assert_int_equal(child_wait(child_fork(after_it_has_gone, NULL)), 0);
        if (round == 0) {
            handles = test_open_handles();
            before = mapped();
        }
    }
    assert_int_equal(test_open_handles(), handles);
    /* The C library's heap may have grown a little; a page each time would be a leak. */
    assert_in_range(mapped(), 0, before + 2 * ROUNDS);
}

/* ---- threads that outlive it ---- */

enum { THREADS = 4 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int used;  /* threads that have used it */
    bool gone; /* they may end */
    shmx *shm;
} scene = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false, NULL};

/* A thread that has locked and lives on has 72 bytes, which are lost when the library goes. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:uses_and_outlives\n";
}

/* The last one ends with a lock that it holds. */
static void uses_and_outlives(void *context)
{
    const char *mine = (const char *)lib.shmx_data(scene.shm) + 64 * *(const int *)context;
    shmx_mutex *mutex = (shmx_mutex *)(uintptr_t)mine;
    must(lib.shmx_mutex_lock(scene.shm, mutex, SHMX_FOREVER) == SHMX_OK);
    if (*(const int *)context != THREADS - 1)
        must(lib.shmx_mutex_unlock(scene.shm, mutex) == SHMX_OK);
    pthread_mutex_lock(&scene.lock);
    scene.used++;
    pthread_cond_broadcast(&scene.changed);
    while (!scene.gone)
        pthread_cond_wait(&scene.changed, &scene.lock);
    pthread_mutex_unlock(&scene.lock);
}

static void threads_outlive_it(void)
{
    struct test_thread *threads[THREADS];
    int numbers[THREADS];
    load();
    scene.shm = attach(test_name(), true);
    scene.used = 0;
    scene.gone = false;
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        threads[i] = thread_start(uses_and_outlives, &numbers[i]);
    }
    pthread_mutex_lock(&scene.lock);
    while (scene.used != THREADS)
        pthread_cond_wait(&scene.changed, &scene.lock);
    lib.shmx_close(&scene.shm);
    unload();
    scene.gone = true;
    pthread_cond_broadcast(&scene.changed);
    pthread_mutex_unlock(&scene.lock);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
}

static void threads_end_after_it(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++)
        threads_outlive_it();
}

/* ---- unloading is a normal end ---- */

PART(leaves_it_open)
{
    static shmx *left; /* the program's to forget */
    must(argc == 2);
    load();
    left = attach(argv[1], true);
    must(left != NULL);
    unload();
    say(gone() ? "gone" : "stays");
    hear();
    return 0;
}

static void what_was_open_is_closed(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    struct test_child *child = child_start("leaves_it_open", name);
    const char *said = child_receive(child);
    assert_non_null(said);
    bool unloaded = strcmp(said, "gone") == 0;
    if (unloaded)
        assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    child_finish(child);
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    if (!unloaded)
        test_skip("dlclose unloads nothing here, so only the process's end closes");
}

static const struct test_part parts[] = {{"leaves_it_open", part_leaves_it_open}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(loaded_used_unloaded_and_forked),
    cmocka_unit_test(threads_end_after_it),
    cmocka_unit_test(what_was_open_is_closed),
};

TEST_MAIN(tests, parts)
