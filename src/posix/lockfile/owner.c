/* SPDX-License-Identifier: MIT */
/* Owner tokens and marks: each has a file, whose lock its owner holds until it ends or executes
 * another program. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "lockfile.h"

/* ---- those who may write ---- */

/* May the maker of this file do to the segment what one of these flags allows others? Anybody can
 * make files of these names. Of a foreign object's neighbours nothing is known. */
static bool may(const struct shmx_attachment *attachment, const struct stat *file, unsigned flags)
{
    struct stat object;
    if (attachment->control == NULL || (attachment->label.flags & flags) != 0 || file->st_uid == 0)
        return true;
    return fstat(attachment->os.fd, &object) != 0 || object.st_uid == file->st_uid;
}

static bool may_write(const struct shmx_attachment *attachment, const struct stat *file)
{
    return may(attachment, file, SHMX_OTHERS_WRITE);
}

/* In a directory that is not the attachment's own there is no owner to be found, which is no death.
 */
static int find_directory(const struct shmx_attachment *attachment)
{
    bool another = shmx_system.own_directory && geteuid() != attachment->os.user;
    return another ? shmx_posix_error(EACCES) : SHMX_OK;
}

/* Those whom the segment is open to by one of these flags may open it. root makes it for the
 * segment's owner. It is empty, so a limit of what may be written is none for it. SHMX_EEXIST:
 * there is one, or another has found it before it was locked, and takes it for left over. */
static int make_owned_file(const struct shmx_attachment *attachment, const char *path,
                           unsigned flags, int *fd)
{
    struct stat object;
    bool ours = attachment->control != NULL;
    unsigned others = ours ? attachment->label.flags & flags : SHMX_OTHERS_READ;
    int status = shmx_lockfile_make_locked(path, LOCK_EX, others, "", fd);
    if (status != SHMX_OK)
        return status == SHMX_EAGAIN ? SHMX_EEXIST : status;
    shmx_posix_tag(*fd, attachment);
    if (geteuid() != 0 || fstat(attachment->os.fd, &object) != 0 || object.st_uid == 0 ||
        fchown(*fd, object.st_uid, (gid_t)-1) == 0)
        return SHMX_OK;
    status = shmx_posix_error(errno);
    unlink(path);
    shmx_lockfile_close(fd);
    return status;
}

/* ---- tokens ---- */

/* Readers need not open its file, and so cannot lock it. */
static int try_claim(struct shmx_attachment *attachment, uint32_t token)
{
    char path[LOCKFILE_PATH_MAX];
    shmx_lockfile_path_owner(path, attachment->label.id, token);
    return make_owned_file(attachment, path, SHMX_OTHERS_WRITE, &attachment->os.owner_fd);
}

/* A neighbour can have made the files of the tokens that come next, but not of all. */
#define TRIES_IN_TURN 8
#define TRIES_MOST 64

/* After setuid(2) the files made would be a stranger's, and their owner dead to all others. */
static int own_files(const struct shmx_attachment *attachment)
{
    const struct stat own = {.st_uid = geteuid()};
    return may_write(attachment, &own) ? find_directory(attachment) : shmx_posix_error(EACCES);
}

int shmx_posix_claim(struct shmx_attachment *attachment, uint32_t *token)
{
    int status = own_files(attachment);
    if (status != SHMX_OK)
        return status;
    status = SHMX_EEXIST;
    for (int tries = 0; status == SHMX_EEXIST && tries < TRIES_MOST; tries++) {
        status = shmx_control_token(tries < TRIES_IN_TURN ? attachment->control : NULL, token);
        if (status == SHMX_OK)
            status = try_claim(attachment, *token);
    }
    return status == SHMX_EEXIST ? shmx_posix_error(EACCES) : status;
}

static int ask_owner(const struct shmx_attachment *attachment, uint32_t token, bool *alive)
{
    struct stat facts;
    char path[LOCKFILE_PATH_MAX];
    int fd;
    shmx_lockfile_path_owner(path, attachment->label.id, token);
    int status = shmx_lockfile_open(path, &fd, &facts);
    if (status == SHMX_OK) {
        *alive = may_write(attachment, &facts);
        status = *alive ? shmx_lockfile_ask(fd, path, alive) : SHMX_OK;
        close(fd);
    } else if (status == SHMX_ENOENT ||
               (lstat(path, &facts) == 0 && !may_write(attachment, &facts))) {
        *alive = false;
        status = SHMX_OK;
    }
    return status;
}

int shmx_os_owner_alive(struct shmx_attachment *attachment, uint32_t token, bool *alive)
{
    *alive = true;
    if (token == atomic_load_explicit(&attachment->owner, memory_order_relaxed))
        return SHMX_OK;
    shmx_posix_gate_enter();
    int status = find_directory(attachment);
    if (status == SHMX_OK)
        status = ask_owner(attachment, token, alive);
    shmx_posix_gate_leave();
    return status;
}

void shmx_lockfile_owner_drop(struct shmx_attachment *attachment)
{
    char path[LOCKFILE_PATH_MAX];
    if (attachment->os.owner_fd < 0)
        return;
    shmx_lockfile_path_owner(path, attachment->label.id, atomic_load(&attachment->owner));
    unlink(path);
    shmx_posix_close_tagged(&attachment->os.owner_fd, attachment);
}

/* More tokens than this are looked for in the directory. */
#define TOKENS_FEW 64

void shmx_lockfile_owners_sweep(uint64_t id, uint32_t given)
{
    char path[LOCKFILE_PATH_MAX];
    bool held;
    if (given > TOKENS_FEW) {
        snprintf(path, sizeof path, "o-%016" PRIx64 "-", id);
        shmx_lockfile_sweep_all(path, NULL);
        return;
    }
    for (uint32_t token = 1; token <= given; token++) {
        shmx_lockfile_path_owner(path, id, token);
        shmx_lockfile_sweep(path, &held);
    }
}

/* ---- marks ---- */

/* Readers ask for them. */
#define MARK_READERS (SHMX_OTHERS_READ | SHMX_OTHERS_WRITE)

int shmx_posix_mark_make(struct shmx_attachment *attachment, struct shmx_posix_mark *mark)
{
    char path[LOCKFILE_PATH_MAX];
    int round = 0;
    int status =
        mark->space == SHMX_OS_PRESENT ? find_directory(attachment) : own_files(attachment);
    if (status != SHMX_OK)
        return status;
    shmx_lockfile_path_mark(path, attachment->label.id, mark);
    do
        status = make_owned_file(attachment, path, MARK_READERS, &mark->fd);
    while (status == SHMX_EEXIST && shmx_lockfile_patience(&round));
    return status == SHMX_EEXIST ? SHMX_EIO : status;
}

void shmx_posix_mark_end(struct shmx_attachment *attachment, struct shmx_posix_mark *mark)
{
    char path[LOCKFILE_PATH_MAX];
    shmx_lockfile_path_mark(path, attachment->label.id, mark);
    unlink(path);
    shmx_posix_close_tagged(&mark->fd, attachment);
}

/* A look for marks with a key. */
struct look {
    struct shmx_attachment *attachment;
    struct shmx_posix_mark mark; /* its number: this attachment's own */
    bool held;
};

/* Does a mark count whose lock is held? The number of a side's mark is the token of its owner. A
 * neighbour that may only read can hold the lock of a dead owner's mark, but not that of its owner
 * file, so that file decides. A process that may not open it lets the mark count. */
static int counts(const struct shmx_attachment *attachment, const struct shmx_posix_mark *mark,
                  const struct stat *facts, bool *alive)
{
    if (mark->space == SHMX_OS_PRESENT) {
        *alive = may(attachment, facts, MARK_READERS);
        return SHMX_OK;
    }
    *alive = may_write(attachment, facts);
    int status = *alive ? ask_owner(attachment, mark->number, alive) : SHMX_OK;
    return status == SHMX_EACCES ? SHMX_OK : status;
}

/* A file that could not be opened: is it no mark? It may be gone, or a neighbour's, as those of
 * ours can be read by all who may attach. One that has become another user since cannot tell. */
static bool is_no_mark(const struct shmx_attachment *attachment, int status)
{
    bool readable = geteuid() == attachment->os.user || (attachment->label.flags & MARK_READERS);
    return status == SHMX_ENOENT || status == SHMX_EPROTO || (status == SHMX_EACCES && readable);
}

static int look_at(const char *rest, void *context)
{
    struct look *look = context;
    struct shmx_posix_mark mark = look->mark;
    char path[LOCKFILE_PATH_MAX];
    struct stat facts;
    bool alive;
    int fd;
    if (sscanf(rest, "%8" SCNx32, &mark.number) != 1 || mark.number == look->mark.number)
        return SHMX_OK;
    shmx_lockfile_path_mark(path, look->attachment->label.id, &mark);
    int status = shmx_lockfile_open(path, &fd, &facts);
    if (status != SHMX_OK)
        return is_no_mark(look->attachment, status) ? SHMX_OK : status;
    status = shmx_lockfile_ask(fd, path, &alive);
    close(fd);
    if (status == SHMX_OK && alive)
        status = counts(look->attachment, &mark, &facts, &alive);
    look->held |= status == SHMX_OK && alive;
    return status;
}

int shmx_posix_mark_held(struct shmx_attachment *attachment, enum shmx_os_space space, uint32_t key,
                         uint32_t number, bool *held)
{
    char start[LOCKFILE_START_MAX];
    int status = find_directory(attachment);
    if (status != SHMX_OK)
        return status;
    struct look look = {attachment, {NULL, space, key, number, 0, -1}, false};
    snprintf(start, sizeof start, "m-%016" PRIx64 "-%d-%08" PRIx32 "-", attachment->label.id,
             (int)space, key);
    status = shmx_lockfile_list(start, look_at, &look);
    *held = look.held;
    return look.held ? SHMX_OK : status;
}

/* A look for the lowest key. */
struct owner_search {
    struct shmx_attachment *attachment;
    uint32_t from, key;
    bool found;
};

static int search_at(const char *rest, void *context)
{
    struct owner_search *search = context;
    uint32_t key;
    int length = 0;
    if (sscanf(rest, "%8" SCNx32 "-%n", &key, &length) != 1 || length == 0 || key < search->from ||
        (search->found && key >= search->key))
        return SHMX_OK;
    struct look look = {search->attachment, {NULL, SHMX_OS_PRESENT, key, 0, 0, -1}, false};
    const struct shmx_posix_mark *own = *shmx_posix_mark_at(look.attachment, SHMX_OS_PRESENT, key);
    look.mark.number = own != NULL ? own->number : 0;
    int status = look_at(rest + length, &look);
    if (look.held) {
        search->found = true;
        search->key = key;
    }
    return status;
}

int shmx_posix_mark_find(struct shmx_attachment *attachment, uint32_t from, uint32_t *key)
{
    char start[LOCKFILE_START_MAX];
    struct owner_search search = {attachment, from, 0, false};
    snprintf(start, sizeof start, "m-%016" PRIx64 "-%d-", attachment->label.id,
             (int)SHMX_OS_PRESENT);
    int status = shmx_lockfile_list(start, search_at, &search);
    *key = search.key;
    return status == SHMX_OK && !search.found ? SHMX_ENOENT : status;
}
