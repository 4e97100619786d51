/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "queue_peer.h"

struct end {
    void *context;
    void *socket;
};

static void *zeromq_open(const char *name, bool consumer, size_t message, size_t capacity)
{
    char address[96];
    struct end *end = calloc(1, sizeof *end);
    int limit = (int)(capacity / (message + 8)) + 1;
    snprintf(address, sizeof address, "ipc:///tmp/%s.zmq", name);
    end->context = zmq_ctx_new();
    end->socket = zmq_socket(end->context, consumer ? ZMQ_PULL : ZMQ_PUSH);
    zmq_setsockopt(end->socket, consumer ? ZMQ_RCVHWM : ZMQ_SNDHWM, &limit, sizeof limit);
    int failed = consumer ? zmq_connect(end->socket, address) : zmq_bind(end->socket, address);
    return failed == 0 ? end : NULL;
}

static bool zeromq_send(void *context, const void *message, size_t size)
{
    return zmq_send(((struct end *)context)->socket, message, size, 0) == (int)size;
}

static bool zeromq_receive(void *context, void *buffer, size_t size)
{
    return zmq_recv(((struct end *)context)->socket, buffer, size, 0) == (int)size;
}

static void zeromq_close(void *context, bool consumer)
{
    struct end *end = context;
    (void)consumer;
    zmq_close(end->socket);
    zmq_ctx_term(end->context);
    free(end);
}

const struct queue_peer zeromq_queue = {
    "ZeroMQ ipc", 0, 10, zeromq_open, zeromq_send, zeromq_receive, zeromq_close, NULL};
