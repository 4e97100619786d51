/* SPDX-License-Identifier: MIT */
/* Keys as they are pressed, and requests to end. */
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/select.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "../system.h"

static const int requests[] = {SIGINT, SIGTERM, SIGHUP};

static volatile sig_atomic_t stopped;
static struct termios before;
static bool keys;

/* ---- requests to end ---- */

static void on_request(int number)
{
    (void)number;
    stopped = 1;
}

void system_catch_stop(void)
{
    struct sigaction action = {.sa_handler = on_request};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct sigaction old;
        /* A signal that the caller ignores (nohup) stays ignored. */
        if (sigaction(requests[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(requests[i], &action, NULL);
    }
}

bool system_stopped(void)
{
    return stopped != 0;
}

void system_await_stop(void)
{
    sigset_t blocked, old;
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
        sigaddset(&blocked, requests[i]);
    /* Blocked between the look and the sleep, so that none is missed. */
    sigprocmask(SIG_BLOCK, &blocked, &old);
    while (!stopped)
        sigsuspend(&old);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

/* ---- keys ---- */

bool system_keys_begin(void)
{
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return false;
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    keys = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    return keys;
}

void system_keys_end(void)
{
    keys = false;
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

int system_key(int timeout_ms)
{
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    if (poll(&input, keys ? 1 : 0, timeout_ms) <= 0)
        return KEY_NONE;
    unsigned char key;
    return read(STDIN_FILENO, &key, 1) == 1 ? key : KEY_END;
}

void system_pause(double seconds)
{
    sigset_t blocked, old;
    struct timespec time = {.tv_sec = (time_t)seconds};
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
        sigaddset(&blocked, requests[i]);
    sigprocmask(SIG_BLOCK, &blocked, &old); /* as in system_await_stop */
    if (!stopped)
        pselect(0, NULL, NULL, NULL, &time, &old);
    sigprocmask(SIG_SETMASK, &old, NULL);
}
