/* SPDX-License-Identifier: MIT */
/* macOS: objects are kept by the kernel under names of at most 30 bytes; their length and access
 * are set once, and they can be mapped, but neither locked, read nor written. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#include "system/system.h"

/* The mode is the object's, whatever the umask: bsd/kern/posix_shm.c of xnu. */
static int make(const char *path, unsigned flags, int *fd)
{
    return shmx_posix_object_make(path, shmx_posix_mode(flags), fd);
}

/* The system does not count; the length is a whole number of pages. */
static uint64_t footprint(const struct stat *facts)
{
    return (uint64_t)facts->st_size;
}

/*
 * ---- waiting: os_sync_wait_on_address with the shared flag, of macOS 14.4 and later ----
 *
 * The functions are looked up at run time and declared here, so that one binary runs on older
 * systems too, where it naps. The same answer in all processes of a machine, so that sleepers and
 * wakers agree.
 */

/* From <os/os_sync_wait_on_address.h> and <os/clock.h>. */
#define FLAG_SHARED 1u
#define CLOCK_MACH_ABSOLUTE 32u

static int (*wait_on_address)(void *address, uint64_t value, size_t size, uint32_t flags,
                              uint32_t clock, uint64_t nanoseconds);
static int (*os_wake_any)(void *address, size_t size, uint32_t flags);
static int (*os_wake_all)(void *address, size_t size, uint32_t flags);
static pthread_once_t found = PTHREAD_ONCE_INIT;

/* C has no cast from an object's address to a function's; POSIX says that they look alike. */
static void find(const char *name, void *function)
{
    *(void **)function = dlsym(RTLD_DEFAULT, name);
}

static void find_all(void)
{
    find("os_sync_wake_by_address_any", (void *)&os_wake_any);
    find("os_sync_wake_by_address_all", (void *)&os_wake_all);
    if (os_wake_any != NULL && os_wake_all != NULL)
        find("os_sync_wait_on_address_with_timeout", (void *)&wait_on_address);
}

static int wait_once(_Atomic uint32_t *word, uint32_t expected, int64_t length)
{
    pthread_once(&found, find_all);
    if (wait_on_address == NULL)
        return shmx_posix_nap(word, expected, length);
    int result = wait_on_address((void *)word, expected, sizeof *word, FLAG_SHARED,
                                 CLOCK_MACH_ABSOLUTE, (uint64_t)length);
    return result >= 0 ? 0 : errno;
}

#define FAULTS_MOST 100

/* ENOENT: nobody sleeps there. */
static int wake(int (*function)(void *, size_t, uint32_t), _Atomic uint32_t *word)
{
    for (int faults = 0; function((void *)word, sizeof *word, FLAG_SHARED) != 0;) {
        if (errno == ENOENT || (errno != EINTR && errno != EFAULT))
            return errno;
        if (errno == EFAULT && ++faults > FAULTS_MOST)
            return EFAULT;
        (void)atomic_load(word); /* the page is not there: fetch it */
    }
    return 0;
}

int shmx_os_wake(struct shmx_attachment *attachment, _Atomic uint32_t *word, int count)
{
    (void)attachment;
    int woken = 0;
    int number = 0;
    pthread_once(&found, find_all);
    if (wait_on_address == NULL)
        return count; /* they look for themselves */
    if (count == SHMX_WAKE_ALL)
        number = wake(os_wake_all, word);
    else
        while (woken < count && (number = wake(os_wake_any, word)) == 0)
            woken++;
    if (number != 0 && number != ENOENT)
        return shmx_posix_unexpected(number);
    return count == SHMX_WAKE_ALL && number == 0 ? count : woken;
}

/* ---- the table ---- */

const struct shmx_system shmx_system = {
    .name_limit = 30,
    .loaded = shmx_posix_stay,
    .lock_directory = shmx_posix_lock_directory,
    .make = make,
    .length_limit = shmx_posix_length_limit,
    /* Memory cannot be reserved. Shared memory is memory like any other, backed by swap files that
     * grow; no file system for it could be full, and what the machine cannot hold was refused. */
    .reserve = shmx_posix_resize,
    .prefault = shmx_posix_prefault,
    .label = shmx_posix_label_map, /* nobody can cut the object short: its length is set once */
    .footprint = footprint,
    .has_room = shmx_posix_has_room,
    .sleep = wait_once,
};
