/* SPDX-License-Identifier: MIT */
/*
 * Locks that readers cannot keep from us. A process that may open an object for reading may hold
 * read locks on all of its bytes, and then nobody gets a write lock there. So a segment that others
 * may read gets an annex when such a lock is first found in the way: an empty file of the segment's
 * owner alone, on which the lock is taken instead.
 *
 *   - Its name is random, so nobody can have taken it before, and stands in the control block,
 *     which only the owner may write.
 *   - A process that has it open is its user, by a read lock on byte USER. The last user removes
 * it. If its users were killed it is swept, and made again under another name when it is needed.
 *   - A write lock in either place counts. A process that takes a lock looks at the other place
 *     afterwards, so of two that take the same in two places at least one gives way.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ofd.h"
#include "system/linux_pages.h"

#define PREFIX ".shmx-"
#define PATH_MAX_ANNEX (sizeof SHMX_LINUX_DIRECTORY + sizeof PREFIX + 16)

static void path_of(char path[PATH_MAX_ANNEX], uint64_t id)
{
    snprintf(path, PATH_MAX_ANNEX, SHMX_LINUX_DIRECTORY "/" PREFIX "%016" PRIx64, id);
}

/* May others read, and only read? */
static bool is_watched(const struct shmx_label *label)
{
    return (label->flags & (SHMX_OTHERS_READ | SHMX_OTHERS_WRITE)) == SHMX_OTHERS_READ;
}

/* ---- the file ---- */

/* SHMX_ENOENT: it is no annex of that user, or not any more. */
static int join(int annex, uid_t owner)
{
    struct stat facts;
    int error = shmx_ofd_set(annex, F_RDLCK, LOCK_USER, 1);
    if (error != 0)
        return shmx_ofd_refused(error) ? SHMX_ENOENT : shmx_posix_error(error);
    if (fstat(annex, &facts) != 0)
        return shmx_posix_error(errno);
    return facts.st_nlink != 0 && facts.st_uid == owner ? SHMX_OK : SHMX_ENOENT;
}

static int file_open(uint64_t id, uid_t owner, int *annex)
{
    char path[PATH_MAX_ANNEX];
    path_of(path, id);
    *annex = shmx_posix_open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
    if (*annex < 0)
        return errno == ELOOP ? SHMX_ENOENT : shmx_posix_error(errno);
    int status = join(*annex, owner);
    if (status != SHMX_OK)
        close(*annex);
    return status;
}

/* Under a number that nobody can guess. root makes it for the segment's owner. */
static int file_make(uint64_t *id, uid_t owner, int *annex)
{
    char path[PATH_MAX_ANNEX];
    int status = shmx_os_random(id, sizeof *id);
    if (status != SHMX_OK)
        return status;
    path_of(path, *id);
    *annex = shmx_posix_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (*annex < 0)
        return shmx_posix_error(errno);
    status = shmx_posix_mode_set(*annex, 0600);
    if (status == SHMX_OK && geteuid() != owner && fchown(*annex, owner, (gid_t)-1) != 0)
        status = shmx_posix_error(errno);
    if (status == SHMX_OK)
        status = join(*annex, owner); /* SHMX_ENOENT: it was swept in between */
    if (status != SHMX_OK) {
        unlink(path);
        close(*annex);
    }
    return status;
}

void shmx_ofd_annex_close(int annex, uint64_t id)
{
    char path[PATH_MAX_ANNEX];
    path_of(path, id);
    if (shmx_ofd_set(annex, F_WRLCK, LOCK_USER, 1) == 0 && shmx_posix_in_place(annex, path))
        unlink(path);
    close(annex);
}

void shmx_ofd_annex_sweep(const char *name)
{
    uint64_t id;
    int annex, length = 0;
    if (sscanf(name, PREFIX "%16" SCNx64 "%n", &id, &length) != 1 || name[length] != '\0')
        return;
    /* Of another user's nothing is known, and nothing could be done. */
    if (file_open(id, geteuid(), &annex) == SHMX_OK)
        shmx_ofd_annex_close(annex, id);
}

/* ---- a segment's ---- */

#define TRIES_MOST 16

/* Open the annex of the segment that has this control block; `make`: make one if there is none,
 * else SHMX_ENOENT. */
static int annex_open(struct shmx_control *control, uid_t owner, bool make, int *annex,
                      uint64_t *id)
{
    for (int tries = 0; tries < TRIES_MOST; tries++) {
        uint64_t seen = atomic_load(&control->annex);
        *id = seen;
        int status = seen != 0 ? file_open(seen, owner, annex) : SHMX_ENOENT;
        /* A neighbour may have put something under the number of one that is gone. */
        if (status != SHMX_ENOENT && !(status == SHMX_EACCES && make))
            return status;
        if (!make)
            return SHMX_ENOENT;
        status = file_make(id, owner, annex);
        if (status == SHMX_OK && atomic_compare_exchange_strong(&control->annex, &seen, *id))
            return SHMX_OK;
        if (status == SHMX_OK)
            shmx_ofd_annex_close(*annex, *id);
        else if (status != SHMX_ENOENT)
            return status;
    }
    return SHMX_EAGAIN;
}

static bool has_annex(const struct shmx_attachment *attachment)
{
    return attachment->os.owner_fd >= 0 && shmx_posix_tagged(attachment->os.owner_fd, attachment);
}

/* Let the attachment have the annex. A page that is mapped keeps its locks whatever happens to the
 * descriptor, and is not in a child of a fork. */
static int annex_of(struct shmx_attachment *attachment, bool make)
{
    struct stat facts;
    uint64_t id;
    int annex;
    if (has_annex(attachment))
        return SHMX_OK;
    if (attachment->os.owner_fd >= 0)
        return shmx_posix_error(EBADF);
    if (fstat(attachment->os.fd, &facts) != 0)
        return shmx_posix_error(errno);
    int status = annex_open(attachment->control, facts.st_uid, make, &annex, &id);
    if (status != SHMX_OK)
        return status;
    size_t length = shmx_os_facts()->page_size;
    void *page = mmap(NULL, length, PROT_NONE, MAP_SHARED, annex, 0);
    if (page != MAP_FAILED)
        madvise(page, length, MADV_DONTFORK);
    shmx_posix_tag(annex, attachment);
    attachment->os.owner_fd = annex;
    attachment->os.annex_id = id;
    attachment->os.annex_page = page != MAP_FAILED ? page : NULL;
    return SHMX_OK;
}

void shmx_ofd_annex_leave(struct shmx_attachment *attachment)
{
    if (has_annex(attachment))
        shmx_ofd_annex_close(attachment->os.owner_fd, attachment->os.annex_id);
    if (attachment->os.annex_page != NULL)
        munmap(attachment->os.annex_page, shmx_os_facts()->page_size);
    attachment->os.annex_page = NULL;
    attachment->os.owner_fd = -1;
}

void shmx_ofd_annex_forget(struct shmx_attachment *attachment)
{
    shmx_posix_close_tagged(&attachment->os.owner_fd, attachment);
    attachment->os.annex_page = NULL;
}

/* ---- firm locks ---- */

/* Can there be an annex, and is there one? */
static bool may_have(const struct shmx_attachment *attachment)
{
    return attachment->control != NULL && is_watched(&attachment->label);
}

static bool seems_to_have(const struct shmx_attachment *attachment)
{
    return may_have(attachment) && atomic_load(&attachment->control->annex) != 0;
}

/* As shmx_ofd_against, in the annex only; the list is locked. */
static int held_in_annex(struct shmx_attachment *attachment, off_t start, off_t count)
{
    char path[PATH_MAX_ANNEX];
    struct stat object, named;
    int status = annex_of(attachment, false);
    if (status == SHMX_OK)
        return shmx_ofd_against(attachment->os.owner_fd, F_RDLCK, start, count);
    if (status == SHMX_ENOENT)
        return F_UNLCK;
    if (status != SHMX_EACCES)
        return -1;
    /* A process that may only read the segment sees that the annex is there, and no more. */
    path_of(path, atomic_load(&attachment->control->annex));
    if (fstat(attachment->os.fd, &object) != 0)
        return -1;
    return lstat(path, &named) == 0 && named.st_uid == object.st_uid ? F_WRLCK : F_UNLCK;
}

int shmx_ofd_firm_set(struct shmx_attachment *attachment, off_t byte)
{
    int fd = attachment->os.fd;
    int error = shmx_ofd_set(fd, F_WRLCK, byte, 1);
    if (error == 0 && seems_to_have(attachment) && held_in_annex(attachment, byte, 1) != F_UNLCK) {
        shmx_ofd_set(fd, F_UNLCK, byte, 1);
        return EAGAIN;
    }
    if (!shmx_ofd_refused(error) || !may_have(attachment))
        return error;
    if (annex_of(attachment, true) != SHMX_OK)
        return error;
    int annex = attachment->os.owner_fd;
    error = shmx_ofd_set(annex, F_WRLCK, byte, 1);
    if (error == 0 && shmx_ofd_against(fd, F_RDLCK, byte, 1) != F_UNLCK) {
        shmx_ofd_set(annex, F_UNLCK, byte, 1);
        return EAGAIN;
    }
    return error;
}

void shmx_ofd_firm_drop(struct shmx_attachment *attachment, off_t byte)
{
    if (shmx_ofd_intact(attachment))
        shmx_ofd_set(attachment->os.fd, F_UNLCK, byte, 1);
    if (has_annex(attachment))
        shmx_ofd_set(attachment->os.owner_fd, F_UNLCK, byte, 1);
}

int shmx_ofd_firm_held(struct shmx_attachment *attachment, off_t start, off_t count)
{
    /* A read lock of somebody who may only read says nothing. */
    int held = shmx_ofd_against(attachment->os.fd, F_RDLCK, start, count);
    if (held != F_UNLCK || !seems_to_have(attachment))
        return held;
    shmx_posix_list_lock();
    held = held_in_annex(attachment, start, count);
    shmx_posix_list_unlock();
    return held;
}

/* ---- removing a name ---- */

/* Map the control block of fd's object, if it is one that others may read; *length: of the mapping
 * at *page. NULL: it is not. */
static struct shmx_control *control_map(int fd, const struct stat *facts, void **page,
                                        size_t *length)
{
    struct shmx_label label;
    enum shmx_control_kind kind;
    if (shmx_ofd_label(fd, facts->st_size, &label, NULL, &kind) != SHMX_OK ||
        kind != SHMX_CONTROL_GOOD || !is_watched(&label))
        return NULL;
    uint64_t at = (uint64_t)facts->st_size - SHMX_CONTROL_SIZE;
    size_t before = (size_t)(at % shmx_os_facts()->page_size);
    *length = before + SHMX_CONTROL_SIZE;
    *page = mmap(NULL, *length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(at - before));
    return *page != MAP_FAILED ? shmx_control_at(*page, *length) : NULL;
}

/* A reader has a lock on byte NAME. One there of our own keeps those from it that would have it
 * without an annex, and the annex's keeps the others out. Another program's object has no control
 * block to name an annex: for it, as for that program, the look at the name must do. */
int shmx_ofd_annex_name(int fd, int *annex, uint64_t *id)
{
    struct stat facts;
    void *page;
    size_t length;
    int error = shmx_ofd_set(fd, F_RDLCK, LOCK_NAME, 1);
    if (error != 0)
        return error;
    if (fstat(fd, &facts) != 0)
        return errno;
    struct shmx_control *control = control_map(fd, &facts, &page, &length);
    if (control == NULL)
        return 0;
    if (annex_open(control, facts.st_uid, true, annex, id) != SHMX_OK) {
        *annex = -1;
        error = EAGAIN;
    } else {
        error = shmx_ofd_set(*annex, F_WRLCK, LOCK_NAME, 1);
    }
    munmap(page, length);
    return error;
}
