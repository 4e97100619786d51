/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a segment: for libFuzzer (-Dfuzz=true) and for replay.c.
 *
 * The input says what is planted as a shared memory object by the system's own calls, a genuine
 * segment whose control block is changed and whose length lies, and then what is done with it: any
 * status is fine. A fault shows as a crash, as an input that takes too long, or as a
 * descriptor, a mapping or an object that is left.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/control.h"
#include "base/name.h"

#define SHM "/dev/shm"
#define SIZE 100
#define ACTS 16
/* From here on an object is not made present: all of it would be filled. */
#define MUCH ((size_t)1 << 20)
/* The bytes that carry locks on Linux, fcntl(2); see docs/lifetime.md. */
#define LOCK_USER ((off_t)1 << 62)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(condition) ((condition) ? (void)0 : fail(__LINE__, #condition))

static void fail(int line, const char *what)
{
    fprintf(stderr, "segment_fuzz.c:%d: not true: %s (errno %d)\n", line, what, errno);
    abort();
}

/* Instead of the system's: the library waits a second for a peer in the middle of a step, and here
 * is none that would go on. */
int nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)time;
    (void)left;
    return 0;
}

/* ---- the input ---- */

struct input {
    const uint8_t *bytes;
    size_t left;
};

static unsigned take(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->bytes++;
}

static unsigned take_two(struct input *input)
{
    unsigned low = take(input);
    return low | take(input) << 8;
}

/* ---- what is planted ---- */

struct scene {
    char name[32]; /* of what is planted */
    char path[40];
    struct shmx_label good;
    bool alone; /* nobody else's objects are in /dev/shm */
    int fd;     /* the planted object */
    size_t length;
    shmx *held[2];
};

static struct scene scene;

/* In a /dev/shm of our own nobody is disturbed, and what is left is seen. Only root gets one. */
static bool be_alone(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", SHM, "tmpfs", 0, "size=64m") == 0;
}

/* Copy a genuine label. */
static void prepare(void)
{
    shmx *shm, *raw;
    scene.alone = be_alone();
    snprintf(scene.name, sizeof scene.name, "fuzz-%d", (int)getpid());
    snprintf(scene.path, sizeof scene.path, "/%s", scene.name);
    must(shmx_create(&shm, scene.name, SIZE, 0) == SHMX_OK);
    must(shmx_open(&raw, scene.name, SHMX_RAW) == SHMX_OK);
    must(shmx_read(raw, shmx_size(raw) - SHMX_CONTROL_SIZE, &scene.good, sizeof scene.good) ==
         SHMX_OK);
    must(memcmp(scene.good.magic, SHMX_MAGIC, sizeof scene.good.magic) == 0);
    shmx_close(&raw);
    shmx_close(&shm);
}

static size_t choose_length(struct input *input)
{
    unsigned kind = take(input) % 8, more = take_two(input);
    switch (kind) {
    case 0:
        return SHMX_CONTROL_SIZE + 8 * (size_t)(more % 8);
    case 1:
        return more;
    case 2:
        return SHMX_CONTROL_SIZE - 8 + more % 16;
    case 3:
        return (size_t)1 << 30 | more; /* it has no pages but those that are written */
    case 4:
        return 0;
    case 5:
        return (size_t)4096 * (more % 64);
    default:
        return 4096;
    }
}

static void choose_control(struct input *input, struct shmx_control *control)
{
    unsigned how = take(input), changes = take(input) % 32;
    unsigned char *bytes = (unsigned char *)control;
    memset(control, 0, sizeof *control);
    control->label = scene.good;
    atomic_store(&control->state, SHMX_STATE_LIVE);
    if ((how & 1) != 0)
        control->label.flags |= SHMX_PERSISTENT;
    if ((how & 2) != 0)
        control->label.size = scene.length - SHMX_CONTROL_SIZE - take(input);
    for (unsigned i = 0; i < changes; i++) {
        size_t at = take_two(input) % sizeof *control;
        bytes[at] ^= (unsigned char)take(input);
    }
    if ((how & 4) == 0)
        control->label.check = shmx_label_sum(&control->label);
    if ((how & 8) != 0)
        memset(control->label.magic, 0, sizeof control->label.magic);
}

/* The locks of another user, or of one that is about to remove it. */
static void choose_lock(struct input *input)
{
    static const short types[] = {F_RDLCK, F_RDLCK, F_UNLCK, F_WRLCK};
    unsigned how = take(input);
    struct flock lock = {.l_type = types[how % 4],
                         .l_whence = SEEK_SET,
                         .l_start = LOCK_USER + (how / 4) % 2,
                         .l_len = 1 + (how / 8) % 2};
    fcntl(scene.fd, F_OFD_SETLK, &lock);
}

static void plant(struct input *input)
{
    struct shmx_control control;
    unsigned char data[512] = {0};
    scene.fd = shm_open(scene.path, O_RDWR | O_CREAT | O_EXCL, 0600);
    must(scene.fd >= 0);
    scene.length = choose_length(input);
    must(ftruncate(scene.fd, (off_t)scene.length) == 0);
    choose_control(input, &control);
    size_t shown = scene.length < sizeof control ? scene.length : sizeof control;
    const unsigned char *end = (const unsigned char *)(&control + 1);
    must(pwrite(scene.fd, end - shown, shown, (off_t)(scene.length - shown)) == (ssize_t)shown);
    size_t filled = take(input) * 2;
    if (filled > scene.length - shown)
        filled = scene.length - shown;
    for (size_t i = 0; i < filled; i++)
        data[i] = (unsigned char)take(input);
    must(pwrite(scene.fd, data, filled, 0) == (ssize_t)filled);
    choose_lock(input);
}

/* A byte changes while others look. */
static void damage(struct input *input)
{
    unsigned char byte = 0;
    size_t at = take_two(input) % SHMX_CONTROL_SIZE;
    if (scene.length < SHMX_CONTROL_SIZE)
        return;
    off_t place = (off_t)(scene.length - SHMX_CONTROL_SIZE + at);
    must(pread(scene.fd, &byte, 1, place) == 1);
    byte ^= (unsigned char)take(input);
    must(pwrite(scene.fd, &byte, 1, place) == 1);
}

/* ---- what is done ---- */

/* Whatever is said to be ours can be touched. */
static void looked_at(shmx *shm, int status)
{
    if (status != SHMX_OK) {
        must(shm == NULL && status < 0 && status >= SHMX_EIO);
        return;
    }
    volatile unsigned char *bytes = shmx_data(shm);
    must(shmx_size(shm) != 0 && bytes != NULL && shmx_name(shm) != NULL);
    unsigned char seen = bytes[0];
    seen ^= bytes[shmx_size(shm) - 1];
    (void)seen;
}

static void copy(shmx *shm, struct input *input, bool write)
{
    size_t offset = take_two(input), count = take(input);
    if ((count & 1) != 0)
        offset = shmx_size(shm) - offset;
    unsigned char *memory = calloc(1, count + 1);
    must(memory != NULL);
    int status =
        write ? shmx_write(shm, offset, memory, count) : shmx_read(shm, offset, memory, count);
    bool inside = offset <= shmx_size(shm) && count <= shmx_size(shm) - offset;
    must(inside ? status == SHMX_OK || (write && status == SHMX_EACCES) : status != SHMX_OK);
    free(memory);
}

/* Wherever they lie, in or beyond the segment. */
static void *place(shmx *shm, struct input *input)
{
    return (char *)shmx_data(shm) + take(input) * 4;
}

static void lock(shmx *shm, struct input *input)
{
    shmx_mutex *mutex = place(shm, input);
    shmx_cond *cond = (shmx_cond *)(mutex + 1);
    int status = shmx_mutex_lock(shm, mutex, 0);
    if (status != SHMX_OK && status != SHMX_EOWNERDEAD)
        return;
    if (take(input) % 2 != 0)
        shmx_cond_wait(shm, cond, mutex, 0);
    shmx_cond_signal(shm, cond);
    shmx_cond_broadcast(shm, cond);
    must(shmx_mutex_unlock(shm, mutex) == SHMX_OK);
}

static void sleep_and_wake(shmx *shm, struct input *input)
{
    void *here = place(shm, input);
    shmx_wait(shm, here, take(input), 0);
    shmx_wake(shm, here, SHMX_WAKE_ALL);
    shmx_sem_wait(shm, here, 0);
    shmx_sem_post(shm, here, take_two(input));
}

static void queue(shmx *shm, struct input *input)
{
    shmx_queue *made;
    unsigned char message[64] = {0};
    size_t offset = take(input) * 8, size = take_two(input);
    if (shmx_queue_open(&made, shm, offset, size) != SHMX_OK)
        return;
    shmx_queue_send(made, message, take(input) % sizeof message, 0);
    shmx_queue_receive(made, message, sizeof message, &size, 0);
    shmx_queue_close(&made);
}

static void hand_on(shmx *shm, struct input *input)
{
    shmx *adopted;
    char token[SHMX_TOKEN_MAX];
    if (shmx_share(shm, token, sizeof token) != SHMX_OK)
        return;
    /* The end tells the object; a descriptor of ours, which adopting would close, is not told. */
    token[strlen(token) - 1] ^= (char)(take(input) % 2);
    unsigned flags = take(input);
    if (scene.length >= MUCH)
        flags &= ~SHMX_PREFAULT;
    int status = shmx_adopt(&adopted, token, flags);
    looked_at(adopted, status);
    shmx_close(&adopted);
}

static int visit(const shmx_info *info, void *context)
{
    (void)context;
    must(shmx_name_check(info->name) == SHMX_OK);
    return 0;
}

static size_t choose_size(struct input *input)
{
    unsigned kind = take(input) % 8, more = take_two(input);
    switch (kind) {
    case 0:
        return SIZE_MAX - more;
    case 1:
        return (size_t)PTRDIFF_MAX - SHMX_CONTROL_SIZE - more;
    case 2:
        return SIZE_MAX / 2 - (size_t)more * 4096;
    case 3:
        return (size_t)1 << (more % (8 * sizeof(size_t)) < 24 ? more % 24 : 8 * sizeof(size_t) - 2);
    default:
        return more;
    }
}

/* Any bytes; those that are a name are one of ours. */
static const char *choose_name(struct input *input, char name[256])
{
    unsigned length = take(input);
    if (length == 255)
        return NULL;
    char *end = name;
    for (unsigned i = 0; i < length % 160; i++)
        *end++ = (char)take(input);
    *end = '\0';
    if (shmx_name_check(name) == SHMX_EINVAL)
        return name;
    char valid[256];
    memcpy(valid, name, sizeof valid);
    snprintf(name, 256, "fuzz-%d%.160s", (int)getpid(), valid);
    return name;
}

/* All that takes a name, from none to none. */
static void by_name(struct input *input)
{
    char bytes[256];
    shmx *shm, *other;
    shmx_info info;
    int created;
    const char *name = choose_name(input, bytes);
    size_t size = choose_size(input);
    unsigned flags = take_two(input);
    if (size >= MUCH)
        flags &= ~SHMX_PREFAULT;
    int status = (flags & 0x8000) != 0
                     ? shmx_open_or_create(&shm, name, size, flags & 0x7fff, &created)
                     : shmx_create(&shm, name, size, flags & 0x7fff);
    looked_at(shm, status);
    if (status == SHMX_OK)
        must(shmx_size(shm) >= size);
    status = shmx_open(&other, name, flags & SHMX_READ_ONLY);
    looked_at(other, status);
    shmx_stat(name, &info);
    shmx_close(&other);
    if (shm != NULL && shmx_name(shm)[0] != '\0')
        shmx_unlink(shmx_name(shm));
    must(shmx_unlink(name) < 0);
    shmx_close(&shm);
}

static void attach(shmx **shm, struct input *input)
{
    unsigned flags = take(input);
    shmx_close(shm);
    if (scene.length >= MUCH)
        flags &= ~SHMX_PREFAULT;
    int status = (flags & 0x80) != 0
                     ? shmx_open_or_create(shm, scene.name, take_two(input), flags & 0x7f, NULL)
                     : shmx_open(shm, scene.name, flags);
    looked_at(*shm, status);
}

static void act(struct input *input)
{
    static void (*const uses[])(shmx * shm, struct input * input) = {lock, sleep_and_wake, queue,
                                                                     hand_on};
    unsigned what = take(input);
    shmx **shm = &scene.held[what / 16 % 2];
    shmx_info info;
    switch (what % 16) {
    case 0:
        shmx_close(shm);
        break;
    case 1:
        shmx_stat(scene.name, &info);
        break;
    case 2:
        shmx_list(visit, NULL);
        break;
    case 3:
    case 4:
        if (*shm != NULL)
            copy(*shm, input, what % 2 != 0);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        if (*shm != NULL)
            uses[what % 16 - 5](*shm, input);
        break;
    case 9:
        damage(input);
        break;
    case 10:
        shmx_unlink(scene.name);
        break;
    case 11:
        shmx_prune(NULL);
        break;
    case 12:
        by_name(input);
        break;
    default:
        attach(shm, input);
        break;
    }
}

/* ---- what is left ---- */

static int entries(const char *path, const char *start)
{
    DIR *directory = opendir(path);
    must(directory != NULL);
    int count = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.' && strncmp(entry->d_name, start, strlen(start)) == 0;
    closedir(directory);
    return count;
}

static void nothing_is_mapped(void)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    must(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL)
        must(strstr(line, SHM "/") == NULL);
    fclose(maps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (scene.name[0] == '\0')
        prepare();
    struct input input = {data, size};
    int descriptors = entries("/proc/self/fd", "");
    plant(&input);
    for (int i = 0; i < ACTS && input.left != 0; i++)
        act(&input);
    shmx_close(&scene.held[0]);
    shmx_close(&scene.held[1]);
    close(scene.fd);
    shm_unlink(scene.path);
    nothing_is_mapped();
    must(entries("/proc/self/fd", "") == descriptors);
    must(entries(SHM, scene.alone ? "" : scene.name) == 0);
    return 0;
}
