/* SPDX-License-Identifier: MIT */
/* Shared by the publishers and readers of the demo's topic: options, and the message. */
#ifndef DEMO_TOPIC_H
#define DEMO_TOPIC_H

#include <stdbool.h>
#include <stdint.h>

#include <shmx.h>

#define MESSAGES 64 /* that are kept */
#define NUMBERS 500 /* in each message */

/* A message is whole if all its numbers follow from the first. */
struct message {
    uint32_t numbers[NUMBERS];
};

struct options {
    const char *program;
    const char *name; /* of the segment */
    const char *self; /* who this is, for what is printed */
    int every_ms;     /* publisher: between messages; reader: what it does with each */
    int count;        /* publisher: messages */
    unsigned flags;   /* reader: of shmx_topic_open */
};

/* True if the program shall run; otherwise *status is what it ends with. */
bool topic_options(struct options *options, int argc, char **argv, int *status);

/* Open the topic in the segment. */
int topic_open(shmx_topic **topic, shmx *shm, unsigned flags);

void message_fill(struct message *message, uint32_t first);
bool message_whole(const struct message *message);

/* Let so much time pass. */
void topic_pause(int ms);

/* Say on standard error what went wrong, and return the program's status. */
int topic_complain(const struct options *options, const char *what, int status);

#endif
