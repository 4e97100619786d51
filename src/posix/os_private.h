/* SPDX-License-Identifier: MIT */
/* The things that the POSIX backend keeps with an attachment. */
#ifndef SHMX_OS_PRIVATE_H
#define SHMX_OS_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct shmx_attachment;
struct shmx_posix_mark;

struct shmx_os_private {
    int fd;       /* the object. Holds this attachment's locks on Linux */
    int user_fd;  /* lockfile/: the file whose lock says that a user lives; or -1 */
    int owner_fd; /* lockfile/: the file whose lock is this attachment's token; ofd/: the segment's
                     annex; or -1 */
    int heir;     /* between fork's handlers: what the child is to have in the place of fd;
                     lockfile/: of user_fd */
    int passed;   /* what children inherit after shmx_share, -1: nothing yet */
    int passed_user; /* lockfile/: ... and the lock of a user with it, or -1 */
    bool shared;     /* another process holds fd's or user_fd's description, and its locks */
    bool borrowed;   /* that description is the parent's: no locks of its own can be held by it */
    bool left;       /* at the end of the process: it is a user no more */
    bool creator;    /* it made the object */
    bool unlinked;   /* the object has no name any more */
    unsigned seat;   /* lockfile/: number of user_fd's file; 0: it is the segment's */
    unsigned user;   /* lockfile/: who attached: some systems keep each user's files apart */
    uint64_t device, inode; /* of the object, as descriptors may change hands */
    uint64_t annex_id;
    void *annex_page; /* keeps the annex's locks though all descriptors are closed */
    struct shmx_posix_mark *marks;
    struct shmx_attachment *next, **link; /* attachments of this process whose names share a hash */
};

/* See os.h. Assembly, as C has no load of memory that another may be writing to as plain bytes. */
static inline uint32_t shmx_os_glance(const _Atomic uint32_t *word)
{
    uint32_t value;
#if defined(__x86_64__) || defined(__i386__)
    __asm__ volatile("movl %1, %0" : "=r"(value) : "m"(*word));
#elif defined(__aarch64__)
    __asm__ volatile("ldr %w0, %1" : "=r"(value) : "Q"(*word));
#else
    value = *(const volatile uint32_t *)(const void *)word;
#endif
    return value;
}

#endif
