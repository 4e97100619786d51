/* SPDX-License-Identifier: MIT */
/* The segments that commands in the pages name: persistent, with a topic in three of them. */
#include <shmx.h>
#include <stdio.h>

static int with_topic(shmx *shm, size_t offset)
{
    shmx_topic *topic;
    int status = shmx_topic_open(&topic, shm, offset, shmx_size(shm) - offset, 0);
    if (status == SHMX_OK)
        status = shmx_topic_publish(topic, "a message", 9, 1000);
    shmx_topic_close(&topic);
    return status;
}

static int make(const char *name, int topic, size_t offset)
{
    shmx *shm;
    int status = shmx_open_or_create(&shm, name, 65536, SHMX_PERSISTENT, NULL);
    if (status == SHMX_OK && topic)
        status = with_topic(shm, offset);
    shmx_close(&shm);
    if (status != SHMX_OK)
        fprintf(stderr, "%s: %s\n", name, shmx_strerror(status));
    return status;
}

int main(void)
{
    return make("sample", 0, 0) || make("gone", 0, 0) || make("talk", 0, 0) ||
           make("MyMemory", 0, 0) || make("settings", 1, 0) || make("camera", 1, 64) ||
           make("MyTopic", 1, 0);
}
