/* SPDX-License-Identifier: MIT */
#include "raw.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static int map(struct raw *raw, int fd, size_t size)
{
    raw->handle = (void *)(intptr_t)fd;
    raw->size = size;
    raw->data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (raw->data != MAP_FAILED)
        return 0;
    close(fd);
    return -1;
}

static int open_path(const char *name, int flags)
{
    char path[160];
    snprintf(path, sizeof path, "/%s", name);
    return shm_open(path, flags, 0600);
}

int raw_create(struct raw *raw, const char *name, size_t size)
{
    int fd = open_path(name, O_RDWR | O_CREAT | O_EXCL);
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
        return -1;
    return map(raw, fd, size);
}

int raw_open(struct raw *raw, const char *name, size_t size)
{
    int fd = open_path(name, O_RDWR);
    return fd < 0 ? -1 : map(raw, fd, size);
}

void raw_close(struct raw *raw)
{
    munmap(raw->data, raw->size);
    close((int)(intptr_t)raw->handle);
}

void raw_unlink(const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "/%s", name);
    shm_unlink(path);
}
