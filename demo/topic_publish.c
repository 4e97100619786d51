/* SPDX-License-Identifier: MIT */
/* Publish messages to all topic_read that run. */
#include <stdio.h>

#include "topic.h"

/* Each message is written where it lies in the topic, so that it is not copied. */
static int publish(shmx_topic *topic, uint32_t number)
{
    void *place;
    int status = shmx_topic_reserve(topic, sizeof(struct message), &place, 10000);
    if (status != SHMX_OK)
        return status;
    message_fill(place, number);
    return shmx_topic_commit(topic, sizeof(struct message));
}

static int publish_all(const struct options *options, shmx_topic *topic)
{
    int status = shmx_topic_join(topic, SHMX_SENDER); /* readers are told when the last one goes */
    for (int i = 0; status == SHMX_OK && i < options->count; i++) {
        status = publish(topic, (uint32_t)i);
        if (status == SHMX_OK && i == 0) {
            printf("%s: begins\n", options->self);
            fflush(stdout);
        }
        topic_pause(options->every_ms);
    }
    if (status != SHMX_OK)
        return topic_complain(options, "cannot publish", status);
    printf("%s: %d messages published\n", options->self, options->count);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {.program = "topic_publish"};
    shmx *shm;
    shmx_topic *topic = NULL;
    int result;
    if (!topic_options(&options, argc, argv, &result))
        return result;
    size_t size = shmx_topic_size_for(sizeof(struct message), MESSAGES);
    int status = shmx_open_or_create(&shm, options.name, size, 0, NULL);
    if (status == SHMX_OK)
        status = topic_open(&topic, shm, 0);
    result = status == SHMX_OK ? publish_all(&options, topic)
                               : topic_complain(&options, "cannot open the topic", status);
    shmx_topic_close(&topic);
    shmx_close(&shm);
    return result;
}
