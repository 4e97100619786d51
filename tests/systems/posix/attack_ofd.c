/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ofd/ofd.h"
#include "support.h"

static void path_of(char path[256], const char *name)
{
    snprintf(path, 256, "/dev/shm/%s", name);
}

/* Hold read locks on all bytes from one to another where nobody has a write lock. */
static void cover(int fd, off_t from, off_t to)
{
    while (from < to) {
        struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = from};
        lock.l_len = to - from;
        must(fcntl(fd, F_OFD_GETLK, &lock) == 0);
        off_t end = lock.l_type == F_UNLCK ? to : lock.l_start;
        off_t next = lock.l_type == F_UNLCK ? to : lock.l_start + lock.l_len;
        if (end > from)
            must(shmx_ofd_set(fd, F_RDLCK, from, end - from) == 0);
        from = next;
    }
}

void attack_locks(const char *name, bool users)
{
    char path[256];
    path_of(path, name);
    int fd = open(path, O_RDONLY);
    must(fd >= 0);
    cover(fd, 0, LOCK_USER);
    if (users)
        must(shmx_ofd_set(fd, F_RDLCK, LOCK_USER, 1) == 0);
    cover(fd, LOCK_USER + 1, INT64_MAX);
    (void)flock(fd, LOCK_EX | LOCK_NB); /* of several readers one has it */
}

void attack_wait(void)
{
    /* Read locks: it holds them already. */
}

bool attack_sees(const char *name)
{
    struct stat facts;
    char path[256];
    path_of(path, name);
    return stat(path, &facts) == 0 && facts.st_size > 0;
}

const char *attack_place(const char *name, int i)
{
    static char path[256];
    path_of(path, name);
    return i == 0 ? path : NULL;
}

bool attack_cut(const char *name)
{
    char path[256];
    path_of(path, name);
    must(truncate(path, 0) == 0);
    return true;
}
