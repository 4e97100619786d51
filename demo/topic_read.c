/* SPDX-License-Identifier: MIT */
/* Read what topic_publish publishes, until the last of them has gone. */
#include <inttypes.h>
#include <stdio.h>

#include "topic.h"

struct tally {
    uint64_t got, lost;
};

static int read_all(const struct options *options, shmx_topic *topic, struct tally *tally)
{
    static struct message message;
    size_t size;
    uint64_t lost;
    for (;;) {
        int status = shmx_topic_next(topic, &message, sizeof message, &size, &lost, 10000);
        if (status != SHMX_OK)
            return status;
        if (size != sizeof message || !message_whole(&message)) {
            fprintf(stderr, "%s: a message is torn\n", options->self);
            return SHMX_EPROTO;
        }
        tally->lost += lost;
        if (tally->got++ == 0) {
            printf("%s: begins\n", options->self);
            fflush(stdout);
        }
        topic_pause(options->every_ms); /* it works on each, and may be too slow */
    }
}

static int read_and_tell(const struct options *options, shmx_topic *topic)
{
    struct tally tally = {0, 0};
    int status = read_all(options, topic, &tally);
    if (status != SHMX_EHANGUP) /* all have published all, or have died */
        return topic_complain(options, "cannot read", status);
    printf("%s: %" PRIu64 " messages, all whole; %" PRIu64 " missed\n", options->self, tally.got,
           tally.lost);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {.program = "topic_read"};
    shmx *shm;
    shmx_topic *topic = NULL;
    int result;
    if (!topic_options(&options, argc, argv, &result))
        return result;
    /* One that is not lossless needs no more than to look. */
    bool looks = (options.flags & SHMX_TOPIC_LOSSLESS) == 0;
    int status = shmx_open_wait(&shm, options.name, looks ? SHMX_READ_ONLY : 0, 10000);
    if (status == SHMX_OK)
        status = topic_open(&topic, shm, options.flags);
    result = status == SHMX_OK ? read_and_tell(&options, topic)
                               : topic_complain(&options, "cannot open the topic", status);
    shmx_topic_close(&topic);
    shmx_close(&shm);
    return result;
}
