/* SPDX-License-Identifier: MIT */
/*
 * Each single call of the system that an operation makes fails, with every error that is plausible
 * for it. Whatever it is, the operation ends with a status, what it says is true, nothing leaks,
 * the living keep what they have, and the name can be had again. The calls are those that ptrace(2)
 * shows, so none is forgotten when the library changes: one that is in neither of the tables below
 * fails the test.
 */
#include "posix/scarce.h"
#include "posix/traced.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHM "/dev/shm"
#define SIZE HELD_SIZE
#define LARGE ((size_t)2 << 20)
#define SYSGOOD (SIGTRAP | 0x80)
/* Far more calls than any operation makes. */
#define CALLS_MAX 1000000

/* ---- which calls fail, and how ---- */

struct rule {
    long call;
    int command; /* of fcntl; -1: any */
    int errors[9];
};

static const struct rule rules[] = {
    {SYS_open, -1, {EMFILE, ENFILE, ENOMEM, EACCES, EINTR, EIO, ENOENT}},
    {SYS_openat, -1, {EMFILE, ENFILE, ENOMEM, EACCES, EINTR, EIO, ENOENT}},
    {SYS_close, -1, {EINTR, EIO}}, /* it is made all the same, as Linux does */
    {SYS_stat, -1, {ENOMEM, EACCES, EIO}},
    {SYS_lstat, -1, {ENOMEM, EACCES, EIO}},
    {SYS_fstat, -1, {ENOMEM, EIO}},
    {SYS_newfstatat, -1, {ENOMEM, EIO}},
    {SYS_statx, -1, {ENOMEM, EIO, ENOSYS, EPERM}},
    {SYS_statfs, -1, {EINTR, ENOMEM, ENOSYS, EIO}},
    {SYS_fstatfs, -1, {EINTR, ENOMEM, ENOSYS, EIO}},
    {SYS_fcntl, F_OFD_SETLK, {EINTR, ENOLCK, EAGAIN, EIO}},
    {SYS_fcntl, F_OFD_GETLK, {EINTR, ENOLCK, EIO}},
    {SYS_fcntl, F_DUPFD_CLOEXEC, {EMFILE}},
    {SYS_mmap, -1, {ENOMEM, EAGAIN, ENFILE}},
    {SYS_mprotect, -1, {ENOMEM}},
    {SYS_mremap, -1, {ENOMEM}},
    {SYS_linkat, -1, {EACCES, EPERM, ENOENT, EIO, ENOMEM, ENOSPC, EROFS}},
    {SYS_unlink, -1, {EACCES, EPERM, EIO, ENOMEM, EROFS}},
    {SYS_unlinkat, -1, {EACCES, EPERM, EIO, ENOMEM, EROFS}},
    {SYS_ftruncate, -1, {EINTR, EFBIG, EIO, ENOMEM, EPERM}},
    {SYS_fallocate, -1, {EINTR, ENOSPC, EOPNOTSUPP, ENOSYS, EIO, EFBIG, ENOMEM}},
    {SYS_fchmod, -1, {EPERM, EIO, EROFS}},
    {SYS_pread64, -1, {EINTR, EIO, ENOMEM}},
    {SYS_pwrite64, -1, {EINTR, EIO, ENOSPC, ENOMEM}},
    {SYS_read, -1, {EINTR, EIO, ENOMEM}},
    {SYS_getdents64, -1, {EIO, ENOMEM}},
    {SYS_madvise, -1, {EAGAIN, ENOMEM, EINVAL, EFAULT, EIO}},
    {SYS_getrandom, -1, {EINTR, ENOSYS}},
    {SYS_prlimit64, -1, {EPERM}},
    {SYS_getrlimit, -1, {EPERM}},
    {SYS_nanosleep, -1, {EINTR}},
    {SYS_clock_nanosleep, -1, {EINTR}},
};

/* Calls that cannot fail, or after whose failure there is nothing to choose. */
static const struct {
    long call;
    const char *why;
} left_alone[] = {
    {SYS_munmap, "the range is right, so it could only lack memory to split a mapping: none is"},
    {SYS_brk, "the heap's own; malloc goes on with mmap, which fails above"},
    {SYS_lseek, "of a file or directory that was just opened"},
    {SYS_getpid, "cannot fail"},
    {SYS_gettid, "cannot fail"},
    {SYS_geteuid, "cannot fail"},
    {SYS_clock_gettime, "the clocks exist"},
    {SYS_sched_getaffinity, "of this process, into enough room"},
    {SYS_sched_yield, "cannot fail"},
    {SYS_rt_sigprocmask, "cannot fail with right arguments"},
    {SYS_exit_group, "cannot fail"},
};

/* NULL: left alone. */
static const struct rule *rule_for(long call, int command)
{
    static const struct rule waiting = {SYS_futex, -1, {EINTR, EAGAIN}};
    if (call == SYS_futex) /* FUTEX_WAKE cannot fail */
        return (command & 127) == 0 || (command & 127) == 9 ? &waiting : NULL;
    if (call == SYS_fcntl && (command == F_GETFL || command == F_SETFD || command == F_GETFD))
        return NULL; /* cannot fail on an open descriptor */
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].call == call && (rules[i].command == -1 || rules[i].command == command))
            return &rules[i];
    for (size_t i = 0; i < sizeof left_alone / sizeof left_alone[0]; i++)
        if (left_alone[i].call == call)
            return NULL;
    fprintf(stderr, "call %ld (%d) is in no table\n", call, command);
    must(!"a call of the system that this test does not know");
    return NULL;
}

/* ---- the child ---- */

struct count {
    int descriptors, mappings;
};

/* The child's account; in memory that both see. */
static struct report {
    volatile int armed; /* between prepare and finish */
    volatile int status;
    volatile bool right; /* with a success, what was promised */
    struct count before, after;
} * report;

static shmx *got; /* the child's */

struct scene {
    const char *label;
    void (*before)(const char *name);  /* in the test; NULL: nothing */
    void (*prepare)(const char *name); /* in the child; NULL: nothing */
    int (*act)(const char *name);      /* in the child: what fails */
    bool (*right)(const char *name);   /* in the child, after a success: what must be true */
    void (*after)(const char *name);   /* in the test; NULL: nobody has it */
};

static int descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    must(directory != NULL);
    int count = 0;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* Of objects, and of address space held for them; not the heap's. */
static int mappings(void)
{
    char line[512];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    must(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL)
        count += strstr(line, SHM "/") != NULL || strstr(line, " ---p 00000000 00:00") != NULL;
    fclose(maps);
    return count;
}

static struct count count(void)
{
    return (struct count){descriptors(), mappings()};
}

static void play(const void *context, const char *name)
{
    const struct scene *scene = context;
    alarm(30); /* who hangs is killed, which is a failure */
    bool closes;
    report->before = count();
    if (scene->prepare != NULL)
        scene->prepare(name);
    closes = got != NULL;
    report->armed = 1;
    report->status = scene->act(name);
    report->armed = 0;
    report->right = report->status != SHMX_OK || scene->right == NULL || scene->right(name);
    must(closes || report->status == SHMX_OK || got == NULL);
    shmx_close(&got);
    report->after = count();
}

/* ---- making the n-th call fail ---- */

struct failure {
    int calls; /* the n-th that may fail */
    int which; /* of the errors for it */
    int error; /* what it was; 0: there is no such call, or no more errors */
    bool more; /* there is an n-th call */
    long call;
};

/* At the entry of a call: is it to fail? */
static bool strikes(pid_t child, struct failure *failure, int *calls)
{
    struct user_regs_struct registers;
    must(ptrace(PTRACE_GETREGS, child, NULL, &registers) == 0);
    const struct rule *rule = rule_for((long)registers.orig_rax, (int)registers.rsi);
    if (rule == NULL || ++*calls != failure->calls)
        return false;
    failure->more = true;
    failure->call = (long)registers.orig_rax;
    failure->error = rule->errors[failure->which];
    if (failure->error != 0 && rule->call != SYS_close) {
        registers.orig_rax = (unsigned long long)-1;
        must(ptrace(PTRACE_SETREGS, child, NULL, &registers) == 0);
    }
    return failure->error != 0;
}

static void fail_now(pid_t child, int error)
{
    struct user_regs_struct registers;
    must(ptrace(PTRACE_GETREGS, child, NULL, &registers) == 0);
    registers.rax = (unsigned long long)-error;
    must(ptrace(PTRACE_SETREGS, child, NULL, &registers) == 0);
}

/* Let the child run, one call of it fail, and come to its end; its wait status. */
static int trace(pid_t child, struct failure *failure)
{
    bool entered = false, struck = false;
    int calls = 0, signal = 0;
    int status = traced_begin(child);
    must(WIFSTOPPED(status));
    must(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD) == 0);
    for (;;) {
        status = traced_next(child, signal);
        if (!WIFSTOPPED(status))
            return status;
        signal = WSTOPSIG(status) == SYSGOOD ? 0 : WSTOPSIG(status);
        if (signal != 0)
            continue;
        entered = !entered;
        if (entered && report->armed && !struck)
            struck = strikes(child, failure, &calls);
        else if (!entered && struck)
            break;
    }
    fail_now(child, failure->error);
    must(ptrace(PTRACE_DETACH, child, NULL, NULL) == 0);
    must(waitpid(child, &status, 0) == child);
    return status;
}

static int run_child(const struct scene *scene, const char *name, struct failure *failure)
{
    memset(report, 0, sizeof *report);
    failure->more = false;
    failure->error = 0;
    return trace(traced_start(play, scene, name), failure);
}

/* ---- what must hold afterwards ---- */

static int act_list(const char *name);

static void complain(const struct scene *scene, const struct failure *failure, const char *what)
{
    fprintf(stderr, "%s: call %d, number %ld, fails with %s: %s: %s\n", scene->label,
            failure->calls, failure->call, strerror(failure->error),
            shmx_status_name(report->status), what);
}

static int troubles;

#define check(condition, what)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            complain(scene, failure, what);                                                        \
            troubles++;                                                                            \
        }                                                                                          \
    } while (0)

/* Return whether a name was left, of which nobody is a user any more: where it could not be removed
 * or the kernel would not say who else there is. */
static bool name_is_free(const char *name)
{
    static const char zeros[SIZE];
    shmx *shm;
    char path[256];
    snprintf(path, sizeof path, SHM "/%s", name);
    bool left = access(path, F_OK) == 0;
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    assert_memory_equal(shmx_data(shm), zeros, SIZE);
    shmx_close(&shm);
    assert_int_equal(access(path, F_OK), -1);
    return left;
}

struct tally {
    int failed, refused, left;
};

static struct tally all;

/* One trial. False: there is no such call. */
static bool try(const struct scene *scene, struct failure *failure, int usual, struct tally *tally)
{
    const char *name = test_name();
    if (scene->before != NULL)
        scene->before(name);
    int ended = run_child(scene, name, failure);
    check(WIFEXITED(ended) && WEXITSTATUS(ended) == 0, "the child has crashed or hung");
    check(report->status <= 0 && report->status >= SHMX_EIO, "no status");
    /* For a listing they say that there is nothing, or nothing to be seen. */
    bool hidden = scene->act == act_list && (failure->error == ENOENT || failure->error == EACCES);
    check(report->right || hidden, "not as promised");
    check(report->after.descriptors == report->before.descriptors, "a descriptor is left");
    check(report->after.mappings == report->before.mappings, "a mapping is left");
    check(failure->error != EINTR || report->status == usual, "a signal came through");
    if (scene->after != NULL)
        scene->after(name);
    bool left = name_is_free(name);
    /* One that was dead before may be left; or the child's own, if it could not remove it or the
     * kernel would not say that it was the last. */
    bool lasting =
        scene->before == leave_dead ||
        (scene->prepare != NULL && (failure->call == SYS_unlink || failure->call == SYS_fcntl ||
                                    failure->call == SYS_openat || failure->call == SYS_open ||
                                    failure->call == SYS_fstat || failure->call == SYS_newfstatat ||
                                    failure->call == SYS_lstat)); /* musl's for newfstatat */
    check(!left || lasting, "a name is left");
    tally->failed += failure->error != 0;
    tally->refused += failure->error != 0 && report->status != usual;
    tally->left += left;
    return failure->more;
}

static void run(const struct scene *scene)
{
    struct tally tally = {0, 0, 0};
    struct failure failure = {.calls = CALLS_MAX};
    try(scene, &failure, 0, &tally);
    int usual = report->status;
    bool more = true;
    /* Every call, but of hundreds fewer and fewer. */
    for (failure.calls = 1; more; failure.calls += 1 + failure.calls / 30 * 4) {
        failure.which = 0;
        do {
            more = try(scene, &failure, usual, &tally);
            failure.which++;
        } while (failure.error != 0);
    }
    print_message("%s: %s; of %d failures %d were told, %d left a dead name\n", scene->label,
                  shmx_status_name(usual), tally.failed, tally.refused, tally.left);
    assert_int_equal(test_leftovers(), 0);
    all.failed += tally.failed;
    all.refused += tally.refused;
}

/* ---- what happens before ---- */

static void lock(shmx *shm)
{
    must(shmx_mutex_lock(shm, shmx_data(shm), 0) == SHMX_OK);
}

static void hold_with_dead_owner(const char *name)
{
    hold_zeros(name);
    leave(name, lock);
}

static void hold_locked(const char *name)
{
    hold_zeros(name);
    assert_ok(shmx_mutex_lock(held, shmx_data(held), 0));
}

static char token[SHMX_TOKEN_MAX];

static void hold_shared(const char *name)
{
    hold(name);
    assert_ok(shmx_share(held, token, sizeof token));
}

/* ---- in the child ---- */

static void attach(const char *name)
{
    must(shmx_open(&got, name, 0) == SHMX_OK);
}

static void make(const char *name)
{
    must(shmx_create(&got, name, SIZE, 0) == SHMX_OK);
}

/* The one that made it has closed it: this one is the last, and may only read. */
static void make_and_read(const char *name)
{
    shmx *shm;
    must(shmx_create(&shm, name, SIZE, 0) == SHMX_OK);
    must(shmx_open(&got, name, SHMX_READ_ONLY) == SHMX_OK);
    shmx_close(&shm);
}

static int act_create(const char *name)
{
    return shmx_create(&got, name, SIZE, 0);
}

static int act_create_persistent(const char *name)
{
    return shmx_create(&got, name, SIZE, SHMX_PERSISTENT);
}

static int act_create_raw(const char *name)
{
    return shmx_create(&got, name, SIZE, SHMX_RAW);
}

static int act_create_large(const char *name)
{
    return shmx_create(&got, name, LARGE, SHMX_OTHERS_WRITE | SHMX_PREFAULT);
}

static int act_create_nameless(const char *name)
{
    (void)name;
    return shmx_create(&got, "", SIZE, 0);
}

static int act_create_random(const char *name)
{
    (void)name;
    return shmx_create(&got, NULL, SIZE, 0);
}

static int act_open(const char *name)
{
    return shmx_open(&got, name, 0);
}

static int act_open_to_read(const char *name)
{
    return shmx_open(&got, name, SHMX_READ_ONLY | SHMX_PREFAULT);
}

static int act_open_or_create(const char *name)
{
    return shmx_open_or_create(&got, name, SIZE, 0, NULL);
}

static int act_close(const char *name)
{
    (void)name;
    shmx_close(&got);
    return SHMX_OK;
}

static int act_unlink(const char *name)
{
    return shmx_unlink(name);
}

static shmx_info info;

static int act_stat(const char *name)
{
    return shmx_stat(name, &info);
}

static int find(const shmx_info *one, void *context)
{
    if (strcmp(one->name, context) == 0)
        info = *one;
    return 0;
}

static int act_list(const char *name)
{
    return shmx_list(find, (void *)(uintptr_t)name);
}

static int act_prune(const char *name)
{
    (void)name;
    return shmx_prune(NULL);
}

static int act_share(const char *name)
{
    (void)name;
    return shmx_share(got, token, sizeof token);
}

static int act_adopt(const char *name)
{
    (void)name;
    return shmx_adopt(&got, token, 0);
}

static int act_lock(const char *name)
{
    (void)name;
    return shmx_mutex_lock(got, shmx_data(got), 20);
}

static int act_wait(const char *name)
{
    (void)name;
    return shmx_wait(got, shmx_data(got), 0, 20);
}

static int act_wake(const char *name)
{
    (void)name;
    return shmx_wake(got, shmx_data(got), SHMX_WAKE_ALL);
}

static int act_queue(const char *name)
{
    (void)name;
    shmx_queue *queue;
    int status = shmx_queue_open(&queue, got, 0, 2048);
    if (status == SHMX_OK)
        status = shmx_queue_send(queue, "word", 5, 0);
    if (status == SHMX_OK)
        status = shmx_queue_receive(queue, (char[64]){0}, 64, NULL, 0);
    shmx_queue_close(&queue);
    return status;
}

/* ---- what a success means ---- */

static bool is_new(const char *name)
{
    (void)name;
    static const char zeros[SIZE];
    return shmx_size(got) == SIZE && memcmp(shmx_data(got), zeros, SIZE) == 0;
}

static bool is_new_and_persistent(const char *name)
{
    return is_new(name) && shmx_unlink(name) == SHMX_OK;
}

static bool is_large(const char *name)
{
    (void)name;
    const unsigned char *bytes = shmx_data(got);
    return shmx_size(got) == LARGE && bytes[0] == 0 && bytes[LARGE - 1] == 0;
}

static bool is_the_held_one(const char *name)
{
    (void)name;
    return shmx_size(got) == SIZE && ((const char *)shmx_data(got))[99] == 7;
}

static bool is_described(const char *name)
{
    bool right = strcmp(info.name, name) == 0 && info.size == SIZE && info.foreign == 0;
    memset(&info, 0, sizeof info);
    return right;
}

/* ---- what the living find ---- */

static void lock_is_to_be_had(const char *name)
{
    (void)name;
    int status = shmx_mutex_lock(held, shmx_data(held), 5000);
    assert_true(status == SHMX_OK || status == SHMX_EOWNERDEAD);
    assert_ok(shmx_mutex_unlock(held, shmx_data(held)));
    shmx_close(&held);
}

static void unlock(const char *name)
{
    (void)name;
    assert_ok(shmx_mutex_unlock(held, shmx_data(held)));
    shmx_close(&held);
}

/* A segment that its owner could not remove can be removed by the next. */
static void raw_is_removed(const char *name)
{
    shmx_unlink(name);
}

static const struct scene scenes[] = {
    {"create", NULL, NULL, act_create, is_new, NULL},
    {"create persistent", NULL, NULL, act_create_persistent, is_new_and_persistent, NULL},
    {"create raw", NULL, NULL, act_create_raw, is_new, raw_is_removed},
    {"create large, for others, present", NULL, NULL, act_create_large, is_large, NULL},
    {"create without a name", NULL, NULL, act_create_nameless, is_new, NULL},
    {"create with a random name", NULL, NULL, act_create_random, is_new, NULL},
    {"create over a dead one", leave_dead, NULL, act_create, is_new, NULL},
    {"create over a live one", hold, NULL, act_create, NULL, still_there},
    {"open", hold, NULL, act_open, is_the_held_one, still_there},
    {"open to read", hold, NULL, act_open_to_read, is_the_held_one, still_there},
    {"open a dead one", leave_dead, NULL, act_open, NULL, NULL},
    {"open or create", NULL, NULL, act_open_or_create, is_new, NULL},
    {"close, the last", NULL, make, act_close, NULL, NULL},
    {"close, the last, read-only", NULL, make_and_read, act_close, NULL, NULL},
    {"close, one of two", hold, attach, act_close, NULL, still_there},
    {"unlink", hold, NULL, act_unlink, NULL, there_or_unlinked},
    {"unlink an own one", NULL, make, act_unlink, NULL, NULL},
    {"unlink a dead one", leave_dead, NULL, act_unlink, NULL, NULL},
    {"stat", hold, NULL, act_stat, is_described, still_there},
    {"list", hold, NULL, act_list, is_described, still_there},
    {"prune", leave_dead, NULL, act_prune, NULL, NULL},
    {"prune, nothing to do", hold, NULL, act_prune, NULL, still_there},
    {"share", hold, attach, act_share, NULL, still_there},
    {"adopt", hold_shared, NULL, act_adopt, is_the_held_one, still_there},
    {"lock", hold_zeros, attach, act_lock, NULL, lock_is_to_be_had},
    {"lock of a dead owner", hold_with_dead_owner, attach, act_lock, NULL, lock_is_to_be_had},
    {"lock of a live owner", hold_locked, attach, act_lock, NULL, unlock},
    {"wait", hold_zeros, attach, act_wait, NULL, let_go},
    {"wake", hold_zeros, attach, act_wake, NULL, let_go},
    {"queue", hold_zeros, attach, act_queue, NULL, let_go},
};

/* In a /dev/shm of our own few objects are looked at. A test without the right to one goes without.
 */
static void be_alone(void)
{
    (void)!scarce_mount("size=64m");
}

static void whatever_fails_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    if (!traced_works())
        test_skip("this system does not let us trace a child");
    be_alone();
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(report != MAP_FAILED);
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++)
        run(&scenes[i]);
    munmap(report, sizeof *report);
    print_message("%d calls failed, of which %d made an operation fail\n", all.failed, all.refused);
    assert_int_equal(troubles, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(whatever_fails_is_told_and_leaves_nothing)};

TEST_MAIN(tests, no_parts)
