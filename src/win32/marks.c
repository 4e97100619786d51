/* SPDX-License-Identifier: MIT */
/*
 * Marks on Windows: an event in the global directory of the kernel, whose name says the segment,
 * the space, the key, and a number of its own; it is there for as long as the attachment has it
 * open. To ask is to read the directory's names, which leaves no trace that
 * another might take for a mark.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "win32.h"

/* Where Global leads, and what shmx_win32_event_name writes for it. */
#define DIRECTORY "\\BaseNamedObjects"
#define GLOBAL_LENGTH (sizeof "Global\\" - 1)

/* One reading of the directory may pass over an entry where entries come and go and the system
 * shows them one by one. */
#define READINGS 3

struct shmx_win32_mark {
    struct shmx_win32_mark *next;
    enum shmx_os_space space;
    uint32_t key;
    uint32_t number;
    HANDLE event;
};

static SRWLOCK marks_lock = SRWLOCK_INIT;

static struct shmx_win32_mark **mark_at(struct shmx_attachment *attachment,
                                        enum shmx_os_space space, uint32_t key)
{
    struct shmx_win32_mark **at = &attachment->os.marks;
    while (*at != NULL && ((*at)->space != space || (*at)->key != key))
        at = &(*at)->next;
    return at;
}

static const char *space_letter(enum shmx_os_space space)
{
    return space == SHMX_OS_PRESENT ? "p" : "j";
}

static int mark_new(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key)
{
    struct shmx_win32_mark *mark = calloc(1, sizeof *mark);
    if (mark == NULL)
        return SHMX_ENOMEM;
    *mark = (struct shmx_win32_mark){attachment->os.marks, space, key, 0, NULL};
    char kind[24]; /* "p4711#" for a presence under 4711; the number follows */
    snprintf(kind, sizeof kind, "%s%" PRIu32 "#", space_letter(space), key);
    int status = shmx_os_random(&mark->number, sizeof mark->number);
    if (status == SHMX_OK) /* a name is all that others need */
        status = shmx_win32_event_make(attachment, kind, mark->number, 0, true, &mark->event);
    if (status == SHMX_OK)
        attachment->os.marks = mark;
    else
        free(mark);
    return status;
}

int shmx_os_mark_set(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key)
{
    if (attachment->control == NULL)
        return shmx_win32_error(ERROR_NOT_SUPPORTED); /* nothing tells the segment from others */
    AcquireSRWLockExclusive(&marks_lock);
    bool once = space == SHMX_OS_PRESENT;
    int status = once && *mark_at(attachment, space, key) != NULL
                     ? SHMX_EEXIST
                     : mark_new(attachment, space, key);
    ReleaseSRWLockExclusive(&marks_lock);
    return status;
}

static void mark_end(struct shmx_win32_mark **at)
{
    struct shmx_win32_mark *mark = *at;
    *at = mark->next;
    CloseHandle(mark->event);
    free(mark);
}

int shmx_os_mark_drop(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key)
{
    AcquireSRWLockExclusive(&marks_lock);
    struct shmx_win32_mark **at = mark_at(attachment, space, key);
    int status = *at != NULL ? SHMX_OK : SHMX_ENOENT;
    if (*at != NULL)
        mark_end(at);
    ReleaseSRWLockExclusive(&marks_lock);
    return status;
}

void shmx_win32_marks_end(struct shmx_attachment *attachment)
{
    while (attachment->os.marks != NULL)
        mark_end(&attachment->os.marks);
}

/* ---- asking ---- */

struct search {
    struct shmx_attachment *attachment;
    enum shmx_os_space space;
    char start[SHMX_WIN32_NAME_MAX]; /* of the name of every mark in the space */
    uint32_t from;
    uint64_t key; /* the lowest so far; NO_KEY: none */
};

#define NO_KEY UINT64_MAX

enum { LOWEST = 1 };

static int search_at(const char *name, void *context)
{
    struct search *search = context;
    const char *start = search->start + GLOBAL_LENGTH, *rest = name + strlen(start);
    uint32_t key, number;
    int length = 0;
    if (strncmp(name, start, strlen(start)) != 0 ||
        sscanf(rest, "%10" SCNu32 "#%10" SCNu32 "%n", &key, &number, &length) != 2 ||
        rest[length] != '\0')
        return SHMX_OK;
    const struct shmx_win32_mark *own = *mark_at(search->attachment, search->space, key);
    if (key >= search->from && key < search->key && (own == NULL || own->number != number))
        search->key = key;
    return search->key == search->from ? LOWEST : SHMX_OK;
}

/* The lowest key from `from` on with a mark that is not the attachment's own; SHMX_ENOENT: none. */
static int search_all(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t from,
                      uint32_t *key)
{
    struct search search = {.attachment = attachment, .space = space, .from = from, .key = NO_KEY};
    if (attachment->control == NULL)
        return SHMX_ENOENT;
    shmx_win32_event_name(search.start, attachment, space_letter(space), 0);
    search.start[strlen(search.start) - 1] = '\0'; /* key and number are any */
    int status = SHMX_OK;
    for (int i = 0; status == SHMX_OK && i < READINGS; i++)
        status = shmx_win32_each_object(DIRECTORY, "Event", search_at, &search);
    *key = (uint32_t)search.key;
    if (status < 0)
        return status;
    return search.key != NO_KEY ? SHMX_OK : SHMX_ENOENT;
}

/* The list stays locked, so that one's own mark that comes or goes is never taken for another's. */
int shmx_os_mark_held(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key,
                      bool *held)
{
    uint32_t found = key;
    int status = SHMX_OK;
    if (attachment->control == NULL)
        return shmx_win32_error(ERROR_NOT_SUPPORTED);
    AcquireSRWLockShared(&marks_lock);
    if (space == SHMX_OS_PRESENT || *mark_at(attachment, space, key) == NULL)
        status = search_all(attachment, space, key, &found);
    ReleaseSRWLockShared(&marks_lock);
    *held = status == SHMX_OK && found == key;
    return status == SHMX_ENOENT ? SHMX_OK : status;
}

int shmx_os_mark_find(struct shmx_attachment *attachment, uint32_t from, uint32_t *key)
{
    AcquireSRWLockShared(&marks_lock);
    int status = search_all(attachment, SHMX_OS_PRESENT, from, key);
    ReleaseSRWLockShared(&marks_lock);
    return status;
}
