/* SPDX-License-Identifier: MIT */
/* Stream a file to stream_receive, through a queue in shared memory. */
#include <stdio.h>

#include "stream.h"

/* Read a chunk of the file to where it lies in the queue, so that it is not copied. */
static int send_chunk(struct stream *stream, FILE *file, size_t *size)
{
    void *place;
    int status = shmx_queue_reserve(stream->queue, CHUNK, &place, stream->wait_ms);
    if (status != SHMX_OK)
        return stream_complain(stream, "cannot send", status);
    *size = fread(place, 1, CHUNK, file);
    if (ferror(file)) {
        shmx_queue_cancel(stream->queue);
        perror(stream->path);
        return 1;
    }
    if (*size != 0)
        stream_count(stream, place, *size);
    status = shmx_queue_commit(stream->queue, *size); /* an empty one is the end */
    return status == SHMX_OK ? 0 : stream_complain(stream, "cannot send", status);
}

/* All of it, the total, and then wait until the receiver has it: what nobody uses is gone. */
static int send_file(struct stream *stream, FILE *file)
{
    size_t size = 1;
    while (size != 0)
        if (send_chunk(stream, file, &size) != 0)
            return 1;
    int status =
        shmx_queue_send(stream->queue, &stream->total, sizeof stream->total, stream->wait_ms);
    if (status == SHMX_OK)
        status = shmx_sem_wait(stream->shm, shmx_data(stream->shm), stream->wait_ms);
    if (status != SHMX_OK)
        return stream_complain(stream, "the receiver does not say that it has all", status);
    stream_end(stream);
    return 0;
}

int main(int argc, char **argv)
{
    struct stream stream;
    int status;
    if (!stream_options(&stream, "stream_send", argc, argv, &status))
        return status;
    FILE *file = fopen(stream.path, "rb");
    if (file == NULL) {
        perror(stream.path);
        return 1;
    }
    status = stream_open(&stream);
    if (status == 0)
        status = send_file(&stream, file);
    stream_close(&stream);
    fclose(file);
    return status;
}
