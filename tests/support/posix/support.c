/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "system.h"

#define WORDS_MAX 32
#define NOBODY 65534

struct test_child {
    pid_t pid;
    int in;  /* we write, it reads */
    int out; /* it writes, we read */
    size_t used;
    size_t taken; /* the line given out last */
    char buffer[4096];
    struct test_child *next;
};

static struct test_child *children;

/* ---- the process ---- */

void system_begin(bool part)
{
    signal(SIGPIPE, SIG_IGN);
    if (!part)
        return;
    /* The sanitizers would make a fault an ordinary exit. */
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

void system_setenv(const char *name, const char *value)
{
    setenv(name, value, 1);
}

uint32_t system_seed(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint32_t)now.tv_nsec * 2654435761u ^ (uint32_t)now.tv_sec ^ (uint32_t)getpid() << 16) |
           1;
}

int64_t system_pid(void)
{
    return getpid();
}

/* Visit files in a directory whose names start so. */
static void files(const char *path, const char *start,
                  void (*visit)(const char *name, void *context), void *context)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL)
        if (strncmp(entry->d_name, start, strlen(start)) == 0)
            visit(entry->d_name, context);
    closedir(directory);
}

/* Lock files, where the library needs them, begin with the name of their segment or have it in
 * theirs. */
#define NAME_FILES ".shmx-n-"

struct lock_files {
    char directory[48];
    const char *prefix;
    void (*visit)(const char *name, void *context);
    void *context;
};

static bool holds(const char *path, const char *prefix)
{
    char text[32];
    FILE *file = fopen(path, "r");
    bool found = file != NULL && fgets(text, sizeof text, file) != NULL &&
                 strncmp(text, prefix, strlen(prefix)) == 0;
    if (file != NULL)
        fclose(file);
    return found;
}

static void users_file(const char *name, void *context)
{
    const struct lock_files *search = context;
    char path[600];
    snprintf(path, sizeof path, "%s/%s", search->directory, name);
    if (holds(path, search->prefix))
        search->visit(name, search->context);
}

static void name_file(const char *name, void *context)
{
    const struct lock_files *search = context;
    search->visit(name + strlen(NAME_FILES), search->context);
}

static void netbsds_object(const char *name, void *context)
{
    const struct lock_files *search = context;
    search->visit(name + strlen(".shmobj_"), search->context);
}

/* The file of an owner that was killed stays until somebody asks for the owner, or prunes. */
static void owner_file(const char *name, void *context)
{
    const struct lock_files *search = context;
    char path[600];
    snprintf(path, sizeof path, "%s/%s", search->directory, name);
    int fd = holds(path, search->prefix) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0) /* else the owner lives */
        unlink(path);
    if (fd >= 0)
        close(fd);
}

static void lock_files(struct lock_files *search)
{
    char start[64];
    snprintf(start, sizeof start, NAME_FILES "%s", search->prefix);
    files(search->directory, start, name_file, search);
    files(search->directory, ".shmx-u-", users_file, search);
    files(search->directory, ".shmx-s-", users_file, search);
    files(search->directory, ".shmx-o-", owner_file, search);
}

/* Linux and some others show shared memory as files. */
void system_leftovers(const char *prefix, void (*visit)(const char *name, void *context),
                      void *context)
{
    char start[64];
    struct lock_files search = {"/var/tmp", prefix, visit, context};
    files("/dev/shm", prefix, visit, context);
    snprintf(start, sizeof start, ".shmobj_%s", prefix);
    files("/var/shm", start, netbsds_object, &search);
    lock_files(&search);
    snprintf(search.directory, sizeof search.directory, "/var/shm"); /* NetBSD */
    lock_files(&search);
    snprintf(search.directory, sizeof search.directory, "/var/tmp/ssh-shmx-%lu", /* OpenBSD */
             (unsigned long)geteuid());
    lock_files(&search);
}

int test_open_handles(void)
{
    DIR *directory = opendir("/dev/fd");
    if (directory == NULL)
        return -1;
    int count = -3; /* ".", ".." and the directory's own */
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* ---- children ---- */

static bool children_outlive;

void test_children_outlive(void)
{
    children_outlive = true;
}

/* Nobody is left working when a test is killed. */
static void end_with_parent(void)
{
#ifdef __linux__
    if (!children_outlive)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
}

static void pipe_make(int ends[2])
{
    must(pipe(ends) == 0);
    must(fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0);
}

static void child_forget(struct test_child *child)
{
    struct test_child **link = &children;
    while (*link != child)
        link = &(*link)->next;
    *link = child->next;
    close(child->out);
    child_close_input(child);
    free(child);
}

/* In the new process: standard input and output are the pipes. */
static void child_wire(const int to[2], const int from[2])
{
    if (dup2(to[0], STDIN_FILENO) < 0 || dup2(from[1], STDOUT_FILENO) < 0)
        _exit(99);
    close(to[0]);
    close(to[1]);
    close(from[0]);
    close(from[1]);
}

/* Fork: a child for the parent, NULL for the child. */
static struct test_child *child_make(void)
{
    struct test_child *child = calloc(1, sizeof *child);
    int to[2], from[2];
    must(child != NULL);
    pipe_make(to);
    pipe_make(from);
    fflush(NULL);
    child->pid = fork();
    must(child->pid >= 0);
    if (child->pid == 0) {
        free(child);
        end_with_parent();
        child_wire(to, from);
        return NULL;
    }
    close(to[0]);
    close(from[1]);
    child->in = to[1];
    child->out = from[0];
    child->next = children;
    children = child;
    return child;
}

bool test_exec(const char *const *words)
{
    char *arguments[WORDS_MAX + 4];
    int count = 0;
    char *wrapper = getenv("SHMX_TEST_WRAPPER"); /* such as an emulator */
    if (wrapper != NULL)
        arguments[count++] = wrapper;
    arguments[count++] = (char *)system_program;
    arguments[count++] = "--part";
    while (*words != NULL && count < WORDS_MAX + 3)
        arguments[count++] = (char *)*words++;
    arguments[count] = NULL;
    execvp(arguments[0], arguments);
    return false;
}

struct test_child *child_start_words(const char *const *words)
{
    struct test_child *child = child_make();
    if (child != NULL)
        return child;
    test_exec(words);
    perror(system_program);
    _exit(99);
}

struct test_child *child_fork(void (*run)(void *context), void *context)
{
    struct test_child *child = child_make();
    if (child != NULL)
        return child;
    system_begin(true);
    run(context);
    fflush(NULL);
    _exit(0);
}

void child_send(struct test_child *child, const char *line)
{
    char text[4096];
    int length = snprintf(text, sizeof text, "%s\n", line);
    must(length > 0 && (size_t)length < sizeof text);
    /* A child that has died hears nothing; what it said and did is checked elsewhere. */
    while (write(child->in, text, (size_t)length) < 0 && errno == EINTR)
        continue;
}

/* Return the line that ends in the buffer, NULL if none does. */
static const char *line_take(struct test_child *child)
{
    char *end = memchr(child->buffer, '\n', child->used);
    if (end == NULL)
        return NULL;
    *end = '\0';
    child->taken = (size_t)(end - child->buffer) + 1;
    return child->buffer;
}

const char *child_receive(struct test_child *child)
{
    int64_t deadline = test_now_ms() + TEST_PATIENCE_MS;
    child->used -= child->taken;
    memmove(child->buffer, child->buffer + child->taken, child->used);
    child->taken = 0;
    for (;;) {
        const char *line = line_take(child);
        if (line != NULL)
            return line;
        struct pollfd ready = {.fd = child->out, .events = POLLIN};
        int64_t left = deadline - test_now_ms();
        if (left <= 0 || poll(&ready, 1, (int)left) == 0)
            fail_msg("a child has said nothing for %d s", TEST_PATIENCE_MS / 1000);
        ssize_t got =
            read(child->out, child->buffer + child->used, sizeof child->buffer - child->used);
        if (got == 0 || (got < 0 && errno != EINTR))
            return NULL;
        child->used += got > 0 ? (size_t)got : 0;
    }
}

void child_close_input(struct test_child *child)
{
    if (child->in >= 0)
        close(child->in);
    child->in = -1;
}

void child_kill(struct test_child *child)
{
    kill(child->pid, SIGKILL);
}

/* A process of several threads, such as an emulator, that is just about to exec loses the signal:
 * Linux' zap_other_threads forgets a stop that has begun. */
bool child_stop(struct test_child *child)
{
    int64_t deadline = test_now_ms() + TEST_PATIENCE_MS;
    int status = 0;
    pid_t changed;
    do {
        kill(child->pid, SIGSTOP); /* again: nothing for one that has stopped */
        changed = waitpid(child->pid, &status, WUNTRACED | WNOHANG);
        if (changed == 0)
            nanosleep(&(struct timespec){0, 1000000}, NULL);
    } while (changed == 0 && test_now_ms() < deadline);
    return changed == child->pid && WIFSTOPPED(status);
}

void child_continue(struct test_child *child)
{
    kill(child->pid, SIGCONT);
}

int64_t child_pid(const struct test_child *child)
{
    return child->pid;
}

static int status_of(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    int number = WTERMSIG(status);
    if (number == SIGSEGV || number == SIGBUS)
        return CHILD_FAULT;
    return number == SIGKILL ? CHILD_KILLED : CHILD_DIED;
}

int child_wait(struct test_child *child)
{
    int64_t deadline = test_now_ms() + TEST_PATIENCE_MS;
    int status = 0;
    pid_t ended;
    child_close_input(child);
    while ((ended = waitpid(child->pid, &status, WNOHANG)) == 0 && test_now_ms() < deadline)
        nanosleep(&(struct timespec){0, 200000}, NULL);
    if (ended != child->pid)
        fail_msg("a child has not ended in %d s", TEST_PATIENCE_MS / 1000);
    child_forget(child);
    return status_of(status);
}

void system_end_children(void)
{
    while (children != NULL) {
        kill(children->pid, SIGKILL);
        waitpid(children->pid, NULL, 0);
        child_forget(children);
    }
}

bool test_become_other_user(const char **why)
{
    *why = "only root can become another user";
    if (geteuid() != 0)
        return false;
    *why = "cannot become another user";
    return setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0;
}

/* ---- threads ---- */

struct test_thread {
    pthread_t id;
    void (*run)(void *context);
    void *context;
};

static void *thread_main(void *argument)
{
    struct test_thread *thread = argument;
    thread->run(thread->context);
    return NULL;
}

struct test_thread *thread_start(void (*run)(void *context), void *context)
{
    struct test_thread *thread = malloc(sizeof *thread);
    must(thread != NULL);
    thread->run = run;
    thread->context = context;
    must(pthread_create(&thread->id, NULL, thread_main, thread) == 0);
    return thread;
}

void thread_join(struct test_thread *thread)
{
    must(pthread_join(thread->id, NULL) == 0);
    free(thread);
}

/* ---- time ---- */

uint64_t test_wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int64_t test_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void test_sleep_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}
