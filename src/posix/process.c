/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "posix.h"

static struct shmx_os_facts facts;
static uid_t user;
static uint64_t length_known;
static pthread_once_t facts_once = PTHREAD_ONCE_INIT;

uint64_t shmx_posix_length_limit(void)
{
    struct rlimit limit;
    bool known = getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    return known ? (uint64_t)limit.rlim_cur : UINT64_MAX;
}

int shmx_posix_clear_of_streams(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int clear = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = errno;
    close(fd); /* locks of the description stay, as one of its descriptors does */
    errno = error;
    return clear;
}

int shmx_posix_open(const char *path, int how, mode_t mode)
{
    int fd;
    do
        fd = open(path, how | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return shmx_posix_clear_of_streams(fd);
}

static void find_facts(void)
{
    facts.page_size = (size_t)sysconf(_SC_PAGESIZE);
    facts.futex = true; /* sleeping needs the word alone, on every system here */
    facts.raw_unlink = true;
    user = geteuid();
    length_known = shmx_posix_length_limit();
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    facts.processors = processors > 0 ? (unsigned)processors : 1;
}

const struct shmx_os_facts *shmx_os_facts(void)
{
    pthread_once(&facts_once, find_facts);
    return &facts;
}

uint64_t shmx_posix_length_known(void)
{
    pthread_once(&facts_once, find_facts);
    return length_known;
}

uid_t shmx_posix_user(void)
{
    pthread_once(&facts_once, find_facts);
    return user;
}

static _Atomic int64_t pid_known; /* 0: not yet */

int64_t shmx_os_pid(void)
{
    /* Relaxed: a number that every thread would find the same. */
    int64_t pid = atomic_load_explicit(&pid_known, memory_order_relaxed);
    if (pid == 0) {
        pid = getpid();
        atomic_store_explicit(&pid_known, pid, memory_order_relaxed);
    }
    return pid;
}

void shmx_os_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Random bytes in stock: one call of the system serves many callers. */
static _Thread_local struct {
    unsigned char bytes[256]; /* the most that getentropy (POSIX.1-2024) gives at once */
    size_t left;
} stock;

int shmx_os_random(void *bytes, size_t count)
{
    assert(count <= sizeof stock.bytes);
    if (stock.left < count) {
        if (getentropy(stock.bytes, sizeof stock.bytes) != 0)
            return shmx_posix_error(errno);
        stock.left = sizeof stock.bytes;
    }
    stock.left -= count;
    memcpy(bytes, stock.bytes + stock.left, count);
    memset(stock.bytes + stock.left, 0, count);
    return SHMX_OK;
}

void shmx_posix_process_forked(void)
{
    atomic_store(&pid_known, 0);
    stock.left = 0; /* the parent goes on with the same bytes */
}
