/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "system/system.h"

static struct shmx_os_facts os_facts;
static uid_t effective_user;
static pthread_once_t facts_once = PTHREAD_ONCE_INIT;

uint64_t shmx_posix_length_limit(void)
{
    struct rlimit limit;
    bool known = getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    return known ? (uint64_t)limit.rlim_cur : UINT64_MAX;
}

static void find_facts(void)
{
    os_facts.page_size = (size_t)sysconf(_SC_PAGESIZE);
    os_facts.futex = true; /* sleeping needs the word alone, on every system here */
    os_facts.raw_unlink = true;
    os_facts.sleep_excess = shmx_system.sleep_excess;
    effective_user = geteuid();
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    os_facts.processors = processors > 0 ? (unsigned)processors : 1;
}

const struct shmx_os_facts *shmx_os_facts(void)
{
    pthread_once(&facts_once, find_facts);
    return &os_facts;
}

uid_t shmx_posix_user(void)
{
    pthread_once(&facts_once, find_facts);
    return effective_user;
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

/* ---- which process this is ---- */

/* The process; and a page with a byte that is 1 in it alone: a child that is made without our
 * handlers finds it zeroed (MADV_WIPEONFORK, madvise(2)). NULL where the system cannot do that. */
static pid_t own_process;
static volatile unsigned char *own_page;

static void own_begin(void)
{
    own_process = getpid();
    if (own_page != NULL)
        *own_page = 1;
}

void shmx_posix_process_begin(void)
{
    own_page = shmx_system.wiped_on_fork != NULL ? shmx_system.wiped_on_fork() : NULL;
    own_begin();
}

bool shmx_posix_is_own(void)
{
    return own_page != NULL ? *own_page == 1 : getpid() == own_process;
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
struct stock {
    pthread_mutex_t lock;
    size_t left;
    unsigned char bytes[256]; /* the most that getentropy (POSIX.1-2024) gives at once */
};

static const struct stock stock_new = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct stock stock = {.lock = PTHREAD_MUTEX_INITIALIZER};

int shmx_os_random(void *bytes, size_t count)
{
    assert(count <= sizeof stock.bytes);
    int error = 0;
    if (shmx_posix_is_forking())
        return getentropy(bytes, count) == 0 ? SHMX_OK : shmx_posix_error(errno);
    pthread_mutex_lock(&stock.lock);
    if (stock.left < count) {
        error = getentropy(stock.bytes, sizeof stock.bytes) == 0 ? 0 : errno;
        stock.left = error == 0 ? sizeof stock.bytes : 0;
    }
    if (error == 0) {
        stock.left -= count;
        memcpy(bytes, stock.bytes + stock.left, count);
        memset(stock.bytes + stock.left, 0, count);
    }
    pthread_mutex_unlock(&stock.lock);
    return error == 0 ? SHMX_OK : shmx_posix_error(error);
}

void shmx_posix_process_forked(void)
{
    own_begin();
    atomic_store(&pid_known, 0);
    memcpy(&stock, &stock_new, sizeof stock); /* the parent goes on with the same bytes */
}

/* ---- threads that end ---- */

static pthread_key_t watch_key;
static int watch_error;
static _Atomic bool watch_over;

static void watch_start(void)
{
    watch_error = pthread_key_create(&watch_key, shmx_thread_ended);
}

int shmx_os_thread_watch(void *state)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_start);
    int error = watch_error;
    if (error == 0 && !atomic_load(&watch_over))
        error = pthread_setspecific(watch_key, state);
    return error == 0 ? SHMX_OK : shmx_posix_error(error);
}

/* The library goes, with the process or by dlclose(3): a thread that ends later must not look for
 * its code. */
__attribute__((destructor)) static void watch_end(void)
{
    shmx_thread_unwatched();
    bool watched = shmx_os_thread_watch(NULL) == SHMX_OK;
    if (!atomic_exchange(&watch_over, true) && watched)
        pthread_key_delete(watch_key);
}
