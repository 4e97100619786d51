/* SPDX-License-Identifier: MIT */
/*
 * Marks on Windows: an event in the global directory of the kernel, whose name says the segment,
 * the space, the key, and a number of the attachment's own; it is there for as long as the
 * attachment has it open. To ask is to read the directory's names, which leaves no trace that
 * another might take for a mark.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nt.h"

/* Where Global leads, and what event_name writes for it. */
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
    unsigned count; /* how often it was set */
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

/* "p4711#" for a presence under 4711; the number follows. */
static void mark_kind(char kind[24], enum shmx_os_space space, uint32_t key)
{
    snprintf(kind, 24, "%c%" PRIu32 "#", space == SHMX_OS_PRESENT ? 'p' : 'j', key);
}

static int mark_event_make(const struct shmx_attachment *attachment, struct shmx_win32_mark *mark)
{
    char kind[24], name[SHMX_WIN32_NAME_MAX];
    struct shmx_win32_security security;
    int status = shmx_win32_security(&security, 0); /* a name is all that others need */
    if (status != SHMX_OK)
        return status;
    mark_kind(kind, mark->space, mark->key);
    shmx_win32_event_name(name, attachment, kind, mark->number);
    mark->event =
        CreateEventExA(&security.attributes, name, CREATE_EVENT_MANUAL_RESET, SYNCHRONIZE);
    return mark->event != NULL ? SHMX_OK : shmx_win32_error(GetLastError());
}

static int mark_new(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key)
{
    struct shmx_win32_mark *mark = calloc(1, sizeof *mark);
    if (mark == NULL)
        return SHMX_ENOMEM;
    mark->space = space;
    mark->key = key;
    mark->count = 1;
    int status = shmx_os_random(&mark->number, sizeof mark->number);
    if (status == SHMX_OK)
        status = mark_event_make(attachment, mark);
    if (status != SHMX_OK) {
        free(mark);
        return status;
    }
    mark->next = attachment->os.marks;
    attachment->os.marks = mark;
    return SHMX_OK;
}

int shmx_os_mark_set(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key)
{
    int status = SHMX_OK;
    if (attachment->control == NULL)
        return shmx_win32_error(ERROR_NOT_SUPPORTED); /* nothing tells the segment from others */
    AcquireSRWLockExclusive(&marks_lock);
    struct shmx_win32_mark *mark = *mark_at(attachment, space, key);
    if (mark == NULL)
        status = mark_new(attachment, space, key);
    else if (space == SHMX_OS_PRESENT)
        status = SHMX_EEXIST;
    else
        mark->count++;
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
    if (*at != NULL && --(*at)->count == 0)
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

struct look {
    char start[SHMX_WIN32_NAME_MAX]; /* of the name of every mark with the key */
    char own[SHMX_WIN32_NAME_MAX];   /* this attachment's mark; "": none */
};

static bool begins(const struct nt_string *string, const char *start, bool whole)
{
    size_t length = string->length / sizeof(WCHAR), i = 0;
    while (i < length && start[i] != '\0' && string->text[i] == (WCHAR)(unsigned char)start[i])
        i++;
    return start[i] == '\0' && (!whole || i == length);
}

enum { FOUND = 1 };

static int mark_look(const struct nt_directory_entry *entry, void *context)
{
    const struct look *look = context;
    if (!begins(&entry->name, look->start + GLOBAL_LENGTH, false))
        return SHMX_OK;
    bool own = look->own[0] != '\0' && begins(&entry->name, look->own + GLOBAL_LENGTH, true);
    return own ? SHMX_OK : FOUND;
}

int shmx_os_mark_held(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key,
                      bool *held)
{
    char kind[24];
    struct look look = {{0}, {0}};
    AcquireSRWLockExclusive(&marks_lock);
    const struct shmx_win32_mark *own = *mark_at(attachment, space, key);
    mark_kind(kind, space, key);
    if (own != NULL)
        shmx_win32_event_name(look.own, attachment, kind, own->number);
    ReleaseSRWLockExclusive(&marks_lock);
    *held = own != NULL && space == SHMX_OS_JOINED;
    if (*held || attachment->control == NULL)
        return SHMX_OK;
    shmx_win32_event_name(look.start, attachment, kind, 0);
    look.start[strlen(look.start) - 1] = '\0'; /* the number is any */
    int status = SHMX_OK;
    for (int i = 0; status == SHMX_OK && i < READINGS; i++)
        status = shmx_win32_each_object(DIRECTORY, mark_look, &look);
    *held = status == FOUND;
    return *held ? SHMX_OK : status;
}

/* ---- looking for the lowest key ---- */

struct search {
    const struct shmx_attachment *attachment;
    char start[SHMX_WIN32_NAME_MAX]; /* of the name of every presence */
    uint32_t from, key;
    bool found;
};

/* Read decimal digits and the character behind them; false: it is something else. */
static bool read_number(const struct nt_string *string, size_t *at, WCHAR end, uint32_t *number)
{
    size_t length = string->length / sizeof(WCHAR);
    uint64_t value = 0;
    size_t digits = 0;
    for (; *at < length && string->text[*at] >= '0' && string->text[*at] <= '9' && digits < 10;
         (*at)++, digits++)
        value = value * 10 + (uint64_t)(string->text[*at] - '0');
    bool whole = end == 0 ? *at == length : *at < length && string->text[(*at)++] == end;
    *number = (uint32_t)value;
    return digits > 0 && value <= UINT32_MAX && whole;
}

static bool is_own(const struct shmx_attachment *attachment, uint32_t key, uint32_t number)
{
    const struct shmx_win32_mark *mark = attachment->os.marks;
    while (mark != NULL &&
           (mark->space != SHMX_OS_PRESENT || mark->key != key || mark->number != number))
        mark = mark->next;
    return mark != NULL;
}

static int search_at(const struct nt_directory_entry *entry, void *context)
{
    struct search *search = context;
    size_t at = strlen(search->start + GLOBAL_LENGTH);
    uint32_t key, number;
    if (begins(&entry->name, search->start + GLOBAL_LENGTH, false) &&
        read_number(&entry->name, &at, '#', &key) && read_number(&entry->name, &at, 0, &number) &&
        key >= search->from && (!search->found || key < search->key) &&
        !is_own(search->attachment, key, number)) {
        search->found = true;
        search->key = key;
    }
    return SHMX_OK;
}

int shmx_os_mark_find(struct shmx_attachment *attachment, uint32_t from, uint32_t *key)
{
    struct search search = {.attachment = attachment, .from = from};
    if (attachment->control == NULL)
        return SHMX_ENOENT;
    shmx_win32_event_name(search.start, attachment, "p", 0);
    search.start[strlen(search.start) - 1] = '\0'; /* key and number are any */
    int status = SHMX_OK;
    AcquireSRWLockExclusive(&marks_lock);
    for (int i = 0; status == SHMX_OK && i < READINGS; i++)
        status = shmx_win32_each_object(DIRECTORY, search_at, &search);
    ReleaseSRWLockExclusive(&marks_lock);
    *key = search.key;
    return status == SHMX_OK && !search.found ? SHMX_ENOENT : status;
}
