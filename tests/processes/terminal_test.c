/* SPDX-License-Identifier: MIT */
/* The shmx command on a terminal: colours, keys, the state it leaves. SHMX_TOOL is its path. */
#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define SEEN_MAX 1048576

struct terminal {
    int ours; /* the side where the user sits */
    int its;
    pid_t pid;
    size_t used;
    char seen[SEEN_MAX + 1];
};

static void needs_terminals(void)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    if (fd < 0)
        test_skip("this system has no terminals to give");
    close(fd);
}

static void terminal_open(struct terminal *terminal)
{
    terminal->ours = posix_openpt(O_RDWR | O_NOCTTY);
    must(terminal->ours >= 0 && grantpt(terminal->ours) == 0 && unlockpt(terminal->ours) == 0);
    terminal->its = open(ptsname(terminal->ours), O_RDWR | O_NOCTTY);
    must(terminal->its >= 0);
    struct winsize size = {.ws_row = 10, .ws_col = 100};
    must(ioctl(terminal->its, TIOCSWINSZ, &size) == 0);
    terminal->used = 0;
    terminal->seen[0] = '\0';
}

static void terminal_run(struct terminal *terminal, const char *no_colour, const char *command,
                         const char *argument)
{
    const char *tool = getenv("SHMX_TOOL");
    must(tool != NULL);
    fflush(NULL);
    terminal->pid = fork();
    must(terminal->pid >= 0);
    if (terminal->pid != 0)
        return;
    setenv("TERM", "xterm", 1);
    setenv("NO_COLOR", no_colour, 1);
    setsid();
    ioctl(terminal->its, TIOCSCTTY, 0); /* Ctrl-C goes to it */
    dup2(terminal->its, 0);
    dup2(terminal->its, 1);
    dup2(terminal->its, 2);
    close(terminal->ours);
    close(terminal->its);
    execl(tool, tool, command, argument, (char *)NULL);
    _exit(99);
}

/* Read what has been printed until now. */
static void terminal_read(struct terminal *terminal, int timeout_ms)
{
    struct pollfd ready = {.fd = terminal->ours, .events = POLLIN};
    if (poll(&ready, 1, timeout_ms) <= 0 || terminal->used == SEEN_MAX)
        return;
    ssize_t got = read(terminal->ours, terminal->seen + terminal->used, SEEN_MAX - terminal->used);
    if (got > 0)
        terminal->used += (size_t)got;
    terminal->seen[terminal->used] = '\0';
}

static bool terminal_says(struct terminal *terminal, const char *text)
{
    terminal_read(terminal, 10);
    return strstr(terminal->seen, text) != NULL;
}

static int terminal_wait(struct terminal *terminal)
{
    int status;
    pid_t ended;
    /* It may not end before all that it printed has been read. */
    test_until((terminal_read(terminal, 10), ended = waitpid(terminal->pid, &status, WNOHANG)) !=
               0);
    must(ended == terminal->pid);
    terminal_read(terminal, 10);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void terminal_close(struct terminal *terminal)
{
    close(terminal->ours);
    close(terminal->its);
}

static void type(const struct terminal *terminal, const char *keys)
{
    must(write(terminal->ours, keys, strlen(keys)) == (ssize_t)strlen(keys));
}

/* ---- tests ---- */

static struct terminal terminal;

static void watch_and_change(shmx *shm, const char *no_colour)
{
    terminal_open(&terminal);
    terminal_run(&terminal, no_colour, "watch", shmx_name(shm));
    test_until(terminal_says(&terminal, "q: quit"));
    assert_ok(shmx_write(shm, 2, "Z", 1));
    test_until(terminal_says(&terminal, "Z"));
    type(&terminal, "q");
    assert_int_equal(terminal_wait(&terminal), 0);
    terminal_close(&terminal);
}

static void watches_until_q(void **state)
{
    (void)state;
    needs_terminals();
    shmx *shm;
    assert_ok(shmx_create(&shm, test_name(), 64, 0));
    watch_and_change(shm, "");
    assert_non_null(strstr(terminal.seen, "\033[7mZ\033[0m"));
    assert_ok(shmx_write(shm, 2, "", 1));
    watch_and_change(shm, "1");
    assert_null(strstr(terminal.seen, "\033[7m"));
    assert_non_null(strstr(terminal.seen, "|..Z"));
    shmx_close(&shm);
}

static void gives_the_terminal_back(void **state)
{
    (void)state;
    needs_terminals();
    shmx *shm;
    struct termios before, after;
    assert_ok(shmx_create(&shm, test_name(), 64, 0));
    terminal_open(&terminal);
    assert_int_equal(tcgetattr(terminal.its, &before), 0);
    terminal_run(&terminal, "", "watch", shmx_name(shm));
    test_until(terminal_says(&terminal, "q: quit"));
    /* A second look: gcc 12's thread sanitizer loses a signal that comes in the first poll(2). */
    assert_ok(shmx_write(shm, 2, "Z", 1));
    test_until(terminal_says(&terminal, "Z"));
    kill(terminal.pid, SIGTERM);
    assert_int_equal(terminal_wait(&terminal), 0);
    assert_int_equal(tcgetattr(terminal.its, &after), 0);
    assert_int_equal(after.c_lflag, before.c_lflag);
    terminal_close(&terminal);
    shmx_close(&shm);
}

static void turns_pages(void **state)
{
    (void)state;
    needs_terminals();
    shmx *shm;
    assert_ok(shmx_create(&shm, test_name(), 1024, 0));
    terminal_open(&terminal);
    terminal_run(&terminal, "", "watch", shmx_name(shm));
    test_until(terminal_says(&terminal, "00000070  00"));
    assert_null(strstr(terminal.seen, "00000080  00"));
    type(&terminal, " ");
    test_until(terminal_says(&terminal, "00000080  00"));
    type(&terminal, "\003"); /* Ctrl-C */
    assert_int_equal(terminal_wait(&terminal), 0);
    terminal_close(&terminal);
    shmx_close(&shm);
}

static void follows_the_windows_size(void **state)
{
    (void)state;
    needs_terminals();
    shmx *shm;
    assert_ok(shmx_create(&shm, test_name(), 1024, 0));
    terminal_open(&terminal);
    terminal_run(&terminal, "", "watch", shmx_name(shm));
    test_until(terminal_says(&terminal, "00000070  00"));
    struct winsize size = {.ws_row = 5, .ws_col = 60};
    must(ioctl(terminal.its, TIOCSWINSZ, &size) == 0);
    test_until(terminal_says(&terminal, "00000008  00"));
    size = (struct winsize){.ws_row = 12, .ws_col = 100};
    must(ioctl(terminal.its, TIOCSWINSZ, &size) == 0);
    test_until(terminal_says(&terminal, "00000090  00"));
    assert_null(strstr(terminal.seen, "000000a0  00"));
    type(&terminal, "q");
    assert_int_equal(terminal_wait(&terminal), 0);
    terminal_close(&terminal);
    shmx_close(&shm);
}

static void colours_only_where_wanted(void **state)
{
    (void)state;
    needs_terminals();
    terminal_open(&terminal);
    terminal_run(&terminal, "", "doctor", NULL);
    assert_in_range(terminal_wait(&terminal), 0, 1);
    terminal_close(&terminal);
    assert_non_null(strstr(terminal.seen, "\033[32mok"));
    terminal_open(&terminal);
    terminal_run(&terminal, "1", "doctor", NULL);
    assert_in_range(terminal_wait(&terminal), 0, 1);
    terminal_close(&terminal);
    assert_null(strchr(terminal.seen, '\033'));
    assert_non_null(strstr(terminal.seen, "ok  "));
}

static int run_to(const char *path, const char *const *words)
{
    const char *tool = getenv("SHMX_TOOL");
    must(tool != NULL);
    fflush(NULL);
    pid_t pid = fork();
    must(pid >= 0);
    if (pid == 0) {
        int fd = open(path, O_RDWR | O_CREAT, 0600);
        dup2(fd, 1);
        fd = open("/dev/null", O_WRONLY);
        dup2(fd, 2);
        execv(tool, (char *const *)words);
        _exit(99);
    }
    int status;
    must(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_name_that_cannot_be_said_stays_free(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx_info info;
    if (access("/dev/full", W_OK) != 0)
        test_skip("this system has no /dev/full");
    assert_int_equal(run_to("/dev/full", (const char *const[]){"shmx", "create", name, "1",
                                                               "--persistent", NULL}),
                     1);
    assert_status(shmx_stat(name, &info), SHMX_ENOENT);
}

static void memory_that_is_cut_short_is_said(void **state)
{
    (void)state;
    needs_terminals();
    char path[SHMX_NAME_MAX + 2];
    shmx *shm;
    snprintf(path, sizeof path, "/%s", test_name());
    int fd = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    must(fd >= 0 && ftruncate(fd, 65536) == 0);
    if (ftruncate(fd, 65536) != 0) { /* macOS: an object gets its size once (pshm_truncate) */
        close(fd);
        shm_unlink(path);
        test_skip("this system lets nobody make an object shorter");
    }
    assert_ok(shmx_open(&shm, path + 1, 0));
    terminal_open(&terminal);
    terminal_run(&terminal, "", "watch", path + 1);
    test_until(terminal_says(&terminal, "q: quit"));
    bool cut = ftruncate(fd, 0) == 0;
    if (cut)
        test_until(terminal_says(&terminal, "was made shorter"));
    else
        type(&terminal, "q");
    assert_int_equal(terminal_wait(&terminal), cut ? 1 : 0);
    terminal_close(&terminal);
    close(fd);
    shmx_close(&shm);
    assert_ok(shmx_unlink(path + 1));
    if (!cut)
        test_skip("the system sets an object's length once");
}

static void create_and_die(void *context)
{
    shmx *shm;
    must(shmx_create(&shm, context, 64, 0) == SHMX_OK);
    raise(SIGKILL);
}

/* Start the command; what it prints can be read from `says`. */
static pid_t prune_start(int *says)
{
    const char *tool = getenv("SHMX_TOOL");
    int ends[2];
    must(tool != NULL && pipe(ends) == 0);
    fflush(NULL);
    pid_t pid = fork();
    must(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        execl(tool, "shmx", "prune", "--every", "100000", (char *)NULL);
        _exit(99);
    }
    close(ends[1]);
    *says = ends[0];
    return pid;
}

/* In a long pause too. The name may go by a create elsewhere, before the command has begun: it is
 * at work when it has said so. */
static void pruning_ends_at_a_signal(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        const char *name = test_name();
        int says, status;
        char line[64];
        assert_int_equal(child_wait(child_fork(create_and_die, (void *)name)), CHILD_KILLED);
        pid_t pid = prune_start(&says);
        assert_true(read(says, line, sizeof line) > 0);
        test_until(!test_there(name));
        int64_t start = test_now_ms();
        assert_int_equal(kill(pid, signals[i]), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert_true(test_now_ms() - start < TEST_PATIENCE_MS / 2);
        close(says);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(watches_until_q),
    cmocka_unit_test(gives_the_terminal_back),
    cmocka_unit_test(turns_pages),
    cmocka_unit_test(follows_the_windows_size),
    cmocka_unit_test(a_name_that_cannot_be_said_stays_free),
    cmocka_unit_test(memory_that_is_cut_short_is_said),
    cmocka_unit_test(colours_only_where_wanted),
    cmocka_unit_test(pruning_ends_at_a_signal),
};

TEST_MAIN(tests, no_parts)
