/* SPDX-License-Identifier: MIT */
/*
 * Waiting on macOS: os_sync_wait_on_address with the shared flag, which macOS 14.4 and later have.
 * The functions are looked up at run time and declared here, so that one binary runs on older
 * systems too, where it sleeps for short times.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#include "wait_sleep.h"

/* From <os/os_sync_wait_on_address.h> and <os/clock.h>. */
#define FLAG_SHARED 1u
#define CLOCK_MACH_ABSOLUTE 32u

/* A longer time is waited for in parts. */
#define LENGTH_MOST ((int64_t)3600 * 1000000000)

static int (*wait_on_address)(void *address, uint64_t value, size_t size, uint32_t flags,
                              uint32_t clock, uint64_t nanoseconds);
static int (*wake_any)(void *address, size_t size, uint32_t flags);
static int (*wake_all)(void *address, size_t size, uint32_t flags);

/* C has no cast from an object's address to a function's; POSIX says that they look alike. */
static void find(const char *name, void *function)
{
    *(void **)function = dlsym(RTLD_DEFAULT, name);
}

static void find_all(void)
{
    find("os_sync_wake_by_address_any", (void *)&wake_any);
    find("os_sync_wake_by_address_all", (void *)&wake_all);
    if (wake_any != NULL && wake_all != NULL)
        find("os_sync_wait_on_address_with_timeout", (void *)&wait_on_address);
}

/* The same answer in all processes of a machine, so that sleepers and wakers agree. */
static bool available(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_all);
    return wait_on_address != NULL;
}

static int fail(int number)
{
    shmx_os_set_error(number);
    return SHMX_EIO;
}

int shmx_os_wait(struct shmx_attachment *attachment, _Atomic uint32_t *word, uint32_t expected,
                 int64_t deadline)
{
    (void)attachment;
    if (!available())
        return wait_by_sleeping(word, expected, deadline);
    for (;;) {
        int64_t left = deadline == SHMX_OS_NEVER ? LENGTH_MOST : deadline - shmx_os_now();
        if (left <= 0)
            return SHMX_ETIMEDOUT;
        uint64_t length = (uint64_t)(left < LENGTH_MOST ? left : LENGTH_MOST);
        if (wait_on_address((void *)word, expected, sizeof *word, FLAG_SHARED, CLOCK_MACH_ABSOLUTE,
                            length) >= 0)
            return SHMX_OK;
        /* EFAULT: the page had to be fetched; the call may be made again. */
        if (errno != EINTR && errno != EFAULT && errno != ETIMEDOUT)
            return fail(errno);
    }
}

/* ENOENT: nobody sleeps there. */
static int wake(int (*function)(void *, size_t, uint32_t), _Atomic uint32_t *word)
{
    while (function((void *)word, sizeof *word, FLAG_SHARED) != 0) {
        if (errno == ENOENT)
            return ENOENT;
        if (errno != EINTR && errno != EFAULT)
            return errno;
    }
    return 0;
}

int shmx_os_wake(struct shmx_attachment *attachment, _Atomic uint32_t *word, int count)
{
    (void)attachment;
    if (!available())
        return SHMX_OK;
    int number = 0;
    if (count == SHMX_WAKE_ALL)
        number = wake(wake_all, word);
    for (int i = 0; i < count && count != SHMX_WAKE_ALL && number == 0; i++)
        number = wake(wake_any, word);
    return number == 0 || number == ENOENT ? SHMX_OK : fail(number);
}
