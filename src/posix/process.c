/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "posix.h"

static struct shmx_os_facts facts;
static pthread_once_t facts_once = PTHREAD_ONCE_INIT;

static void find_facts(void)
{
    facts.page_size = (size_t)sysconf(_SC_PAGESIZE);
    facts.futex = true; /* sleeping needs the word alone, on every system here */
    facts.raw_unlink = true;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    facts.processors = processors > 0 ? (unsigned)processors : 1;
}

const struct shmx_os_facts *shmx_os_facts(void)
{
    pthread_once(&facts_once, find_facts);
    return &facts;
}

int64_t shmx_os_pid(void)
{
    return getpid();
}

void shmx_os_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

int shmx_os_random(void *bytes, size_t count)
{
    /* getentropy (POSIX.1-2024) takes at most 256 bytes at once; nobody here needs more. */
    assert(count <= 256);
    return getentropy(bytes, count) == 0 ? SHMX_OK : shmx_posix_error(errno);
}
