/* SPDX-License-Identifier: MIT */
/* The marks of this process's attachments. How the system keeps one is the lifetime variant's. */
#include <stdlib.h>

#include "posix.h"

struct shmx_posix_mark **shmx_posix_mark_at(struct shmx_attachment *attachment,
                                            enum shmx_os_space space, uint32_t key)
{
    struct shmx_posix_mark **at = &attachment->os.marks;
    while (*at != NULL && ((*at)->space != space || (*at)->key != key))
        at = &(*at)->next;
    return at;
}

static int mark_new(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key,
                    uint32_t number)
{
    struct shmx_posix_mark *mark = calloc(1, sizeof *mark);
    if (mark == NULL)
        return SHMX_ENOMEM;
    *mark = (struct shmx_posix_mark){attachment->os.marks, space, key, number, 1, -1};
    int status = shmx_posix_mark_make(attachment, mark);
    if (status == SHMX_OK)
        attachment->os.marks = mark;
    else
        free(mark);
    return status;
}

static int mark_add(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key,
                    uint32_t number)
{
    struct shmx_posix_mark *mark = *shmx_posix_mark_at(attachment, space, key);
    if (mark == NULL)
        return mark_new(attachment, space, key, number);
    if (space == SHMX_OS_PRESENT)
        return SHMX_EEXIST;
    mark->count++;
    return SHMX_OK;
}

int shmx_os_mark_set(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key)
{
    uint32_t number = 0;
    int status = space == SHMX_OS_JOINED ? shmx_os_owner_claim(attachment, &number)
                                         : shmx_os_random(&number, sizeof number);
    if (status != SHMX_OK)
        return status;
    shmx_posix_list_enter();
    status = mark_add(attachment, space, key, number);
    shmx_posix_list_leave();
    return status;
}

static void mark_end(struct shmx_attachment *attachment, struct shmx_posix_mark **at)
{
    struct shmx_posix_mark *mark = *at;
    shmx_posix_mark_end(attachment, mark);
    *at = mark->next;
    free(mark);
}

int shmx_os_mark_drop(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key)
{
    shmx_posix_list_enter();
    struct shmx_posix_mark **at = shmx_posix_mark_at(attachment, space, key);
    int status = *at != NULL ? SHMX_OK : SHMX_ENOENT;
    if (*at != NULL && --(*at)->count == 0)
        mark_end(attachment, at);
    shmx_posix_list_leave();
    return status;
}

int shmx_os_mark_held(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key,
                      bool *held)
{
    shmx_posix_list_enter();
    const struct shmx_posix_mark *own = *shmx_posix_mark_at(attachment, space, key);
    uint32_t number = own != NULL ? own->number : 0;
    *held = own != NULL && space == SHMX_OS_JOINED;
    shmx_posix_list_unlock();
    int status = *held ? SHMX_OK : shmx_posix_mark_held(attachment, space, key, number, held);
    shmx_posix_gate_leave();
    return status;
}

int shmx_os_mark_find(struct shmx_attachment *attachment, uint32_t from, uint32_t *key)
{
    shmx_posix_list_enter();
    int status = shmx_posix_mark_find(attachment, from, key);
    shmx_posix_list_leave();
    return status;
}

void shmx_posix_marks_end(struct shmx_attachment *attachment)
{
    while (attachment->os.marks != NULL)
        mark_end(attachment, &attachment->os.marks);
}

void shmx_posix_marks_forget(struct shmx_attachment *attachment)
{
    struct shmx_posix_mark *mark = attachment->os.marks;
    attachment->os.marks = NULL;
    while (mark != NULL) {
        struct shmx_posix_mark *next = mark->next;
        shmx_posix_close_tagged(&mark->fd, attachment);
        free(mark);
        mark = next;
    }
}
