/* SPDX-License-Identifier: MIT */
/* A pipe, a Unix socket and a POSIX message queue. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../peers/queue_peer.h"

struct end {
    int fd;
    mqd_t mq;
    char path[96];
};

static struct end *end_new(const char *form, const char *name)
{
    struct end *end = calloc(1, sizeof *end);
    snprintf(end->path, sizeof end->path, form, name);
    end->fd = -1;
    return end;
}

static void end_close(void *context, bool consumer)
{
    struct end *end = context;
    close(end->fd);
    if (!consumer)
        unlink(end->path);
    free(end);
}

static bool write_all(void *context, const void *message, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t count =
            write(((struct end *)context)->fd, (const char *)message + done, size - done);
        if (count < 0 && errno != EINTR)
            return false;
        done += count > 0 ? (size_t)count : 0;
    }
    return true;
}

static bool read_all(void *context, void *buffer, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t count = read(((struct end *)context)->fd, (char *)buffer + done, size - done);
        if (count == 0 || (count < 0 && errno != EINTR))
            return false;
        done += count > 0 ? (size_t)count : 0;
    }
    return true;
}

/* A pipe with a name, so that another process can open it; else like any pipe. */
static void *pipe_open(const char *name, bool consumer, size_t message, size_t capacity)
{
    struct end *end = end_new("/tmp/%s.pipe", name);
    (void)message;
    if (!consumer && mkfifo(end->path, 0600) != 0)
        return free(end), NULL;
    end->fd = open(end->path, O_RDWR);
    int room = capacity < 1 << 20 ? (int)capacity : 1 << 20;
    fcntl(end->fd, F_SETPIPE_SZ, room < 4096 ? 4096 : room); /* as far as it is allowed */
    return end;
}

static void address_of(struct sockaddr_un *address, const struct end *end)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, end->path, strlen(end->path) + 1);
}

static void *socket_open(const char *name, bool consumer, size_t message, size_t capacity)
{
    struct end *end = end_new("/tmp/%s.sock", name);
    struct sockaddr_un address;
    int room = (int)capacity;
    (void)message;
    address_of(&address, end);
    end->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    setsockopt(end->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    if (consumer ? connect(end->fd, (struct sockaddr *)&address, sizeof address) != 0
                 : bind(end->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
                       listen(end->fd, 1) != 0)
        return end_close(end, consumer), NULL;
    return end;
}

static bool socket_connect(void *context)
{
    struct end *end = context;
    int room = 0;
    socklen_t length = sizeof room;
    getsockopt(end->fd, SOL_SOCKET, SO_SNDBUF, &room, &length);
    int fd = accept(end->fd, NULL, NULL);
    close(end->fd);
    end->fd = fd;
    room /= 2;
    return fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room) == 0;
}

static void *mq_begin(const char *name, bool consumer, size_t message, size_t capacity)
{
    struct end *end = end_new("/%s-mq", name);
    long count = (long)(capacity / (message + 8));
    if (consumer) {
        end->mq = mq_open(end->path, O_RDONLY);
        return end->mq != (mqd_t)-1 ? end : (free(end), NULL);
    }
    end->mq = (mqd_t)-1;
    /* As many as the system lets this user have. */
    for (; end->mq == (mqd_t)-1 && count > 0; count /= 2) {
        struct mq_attr attributes = {.mq_maxmsg = count, .mq_msgsize = (long)message};
        end->mq = mq_open(end->path, O_WRONLY | O_CREAT | O_EXCL, 0600, &attributes);
    }
    return end->mq != (mqd_t)-1 ? end : (free(end), NULL);
}

static bool mq_put(void *context, const void *message, size_t size)
{
    return mq_send(((struct end *)context)->mq, message, size, 0) == 0;
}

static bool mq_get(void *context, void *buffer, size_t size)
{
    return mq_receive(((struct end *)context)->mq, buffer, size, NULL) == (ssize_t)size;
}

static void mq_end(void *context, bool consumer)
{
    struct end *end = context;
    mq_close(end->mq);
    if (!consumer)
        mq_unlink(end->path);
    free(end);
}

const struct queue_peer pipe_queue = {"pipe",    0,        10,        pipe_open,
                                      write_all, read_all, end_close, NULL};
const struct queue_peer socket_queue = {
    "Unix stream socket", 0, 20, socket_open, write_all, read_all, end_close, socket_connect};
const struct queue_peer mq_queue = {
    "POSIX message queue", 16384, 10, mq_begin, mq_put, mq_get, mq_end, NULL};
