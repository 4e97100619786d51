/* SPDX-License-Identifier: MIT */
/* Write what stream_send sends to a file. */
#include <stdio.h>
#include <string.h>

#include "stream.h"

/* Write a chunk to the file from where it lies in the queue. */
static int receive_chunk(struct stream *stream, FILE *file, size_t *size)
{
    const void *chunk;
    int status = shmx_queue_peek(stream->queue, &chunk, size, stream->wait_ms);
    if (status != SHMX_OK)
        return stream_complain(stream, "nothing came", status);
    bool written = fwrite(chunk, 1, *size, file) == *size;
    if (*size != 0)
        stream_count(stream, chunk, *size);
    status = shmx_queue_release(stream->queue);
    if (status != SHMX_OK)
        return stream_complain(stream, "cannot receive", status);
    if (!written)
        perror(stream->path);
    return written ? 0 : 1;
}

static int receive_total(struct stream *stream)
{
    struct total sent;
    size_t size;
    int status = shmx_queue_receive(stream->queue, &sent, sizeof sent, &size, stream->wait_ms);
    if (status != SHMX_OK)
        return stream_complain(stream, "the total did not come", status);
    if (size != sizeof sent || sent.bytes != stream->total.bytes ||
        sent.checksum != stream->total.checksum) {
        fprintf(stderr, "%s: what came is not what was sent\n", stream->program);
        return 1;
    }
    status = shmx_sem_post(stream->shm, shmx_data(stream->shm), 1);
    return status == SHMX_OK ? 0 : stream_complain(stream, "cannot answer", status);
}

static int receive_file(struct stream *stream, FILE *file)
{
    size_t size = 1;
    while (size != 0)
        if (receive_chunk(stream, file, &size) != 0)
            return 1;
    int status = receive_total(stream);
    if (status == 0)
        stream_end(stream);
    return status;
}

int main(int argc, char **argv)
{
    struct stream stream;
    int status;
    if (!stream_options(&stream, "stream_receive", argc, argv, &status))
        return status;
    FILE *file = fopen(stream.path, "wb");
    if (file == NULL) {
        perror(stream.path);
        return 1;
    }
    status = stream_open(&stream);
    if (status == 0)
        status = receive_file(&stream, file);
    stream_close(&stream);
    if (fclose(file) != 0 && status == 0) {
        perror(stream.path);
        status = 1;
    }
    return status;
}
