/* SPDX-License-Identifier: MIT */
/* Shared by the two ends of the stream: options, the queue, the count of what went through. */
#ifndef DEMO_STREAM_H
#define DEMO_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include <shmx.h>

#define CHUNK ((size_t)64 * 1024)

/* The segment: first a semaphore by which the receiver says that it has all, then the queue. The
 * messages are the file, an empty one, and a struct total. */
#define QUEUE_OFFSET ((size_t)128)

struct total {
    uint64_t bytes;
    uint64_t checksum;
};

struct stream {
    const char *program;
    const char *name; /* of the segment */
    const char *path; /* of the file */
    int wait_ms;      /* how long the other end may do nothing */
    bool quiet;
    shmx *shm;
    shmx_queue *queue;
    struct total total;
    int64_t started;
    int64_t shown;
};

/* True if the program shall run; otherwise *status is what it ends with. */
bool stream_options(struct stream *stream, const char *program, int argc, char **argv, int *status);

/* Attach to the segment or make it, whoever comes first, and open the queue. 0, or it complained.
 */
int stream_open(struct stream *stream);
void stream_close(struct stream *stream);

/* Count a chunk, and now and then show how far it is. */
void stream_count(struct stream *stream, const void *chunk, size_t size);

/* Print "stream_send: 123 bytes, checksum ..." on standard output, the rate on standard error. */
void stream_end(struct stream *stream);

/* Say on standard error what went wrong, and return the program's status. */
int stream_complain(struct stream *stream, const char *what, int status);

#endif
