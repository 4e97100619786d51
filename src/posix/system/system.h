/* SPDX-License-Identifier: MIT */
/*
 * Between the POSIX backend and one system: what system/NAME.c provides, and no other file knows.
 * Meson compiles one of them. It provides shmx_os_wake of os.h as well, and shmx_os_wait or
 * `sleep`.
 *
 *   - The rules of os.h hold: 0 or a negative status, nothing left open after a failure.
 *   - Dealings that several systems share are helpers in the table, below or in posix.h.
 */
#ifndef SHMX_SYSTEM_H
#define SHMX_SYSTEM_H

#include <sys/stat.h>

#include "posix.h"

#define SHMX_SYSTEM_DIRECTORY_MAX 48

/* Sleep for a length of time while *word == expected; 0 or an error number. */
typedef int shmx_posix_sleep(_Atomic uint32_t *word, uint32_t expected, int64_t length);

struct shmx_system {
    size_t name_limit; /* an object's longest name in bytes; 0: any of ours fits */
    int open_flags;    /* lockfile/: beside access, for shm_open */

    /* lockfile/: where its files are; made if need be. */
    void (*lock_directory)(char path[SHMX_SYSTEM_DIRECTORY_MAX]);
    bool own_directory; /* each user has another */

    /* lockfile/: make an object of length 0 under a path of shm_open, that only those whom flags'
     * SHMX_OTHERS_... name may attach to, whatever the umask. SHMX_EEXIST: there is one. */
    int (*make)(const char *path, unsigned flags, int *fd);

    /* ofd/: give it its name. */
    int (*publish)(int fd, const char *name);

    /* ofd/: the same without a name, to be published or (not `named`) never; and, if `named`, what
     * fstat(2) says of it: device, inode and mode. */
    int (*make_nameless)(bool named, unsigned flags, int *fd, struct stat *facts);

    /* ofd/: open what has the name. flags: SHMX_READ_ONLY. */
    int (*open_name)(const char *name, unsigned flags, int *fd);

    /* ofd/: remove the name if it leads to that object; it may have been renamed, or another file
     * system may have been mounted since. SHMX_ENOENT: it does not. */
    int (*remove_name)(const char *name, uint64_t device, uint64_t inode);

    /* The library was loaded; NULL: nothing is to be done. */
    void (*loaded)(void);

    /* A page that the child of a fork finds zeroed, whatever kind of fork; NULL: there is none. */
    unsigned char *(*wiped_on_fork)(void);

    /* The longest file that the process may make. */
    uint64_t (*length_limit)(void);

    /* Give a new object its length, and all its memory. */
    int (*reserve)(int fd, size_t length);

    /* The latter with every page present in the mapping; NULL: one after the other. */
    int (*reserve_present)(struct shmx_attachment *attachment, int fd);

    int map_present; /* the flag of mmap(2) with which pages come with the mapping; 0: none */

    /* Make every page present in the mapping of an object that may not be ours. */
    void (*prefault)(const struct shmx_attachment *attachment);

    /* Read the label at the end of an object of that length. SHMX_ENOENT: it was cut short. */
    int (*label)(int fd, uint64_t length, struct shmx_label *label);

    /* Visit the names of all objects; NULL: the system does not tell. */
    int (*list)(int (*visit)(const char *name, void *context), void *context);

    /* Bytes of memory that an object uses. */
    uint64_t (*footprint)(const struct stat *facts);

    /* Could the system give so much memory? True if it cannot say. */
    bool (*has_room)(size_t length);

    /* shmx_os_wait, where wait.c makes it of this. */
    shmx_posix_sleep *sleep;

    int64_t sleep_excess; /* ns by which a sleep may be longer than asked for */

    /* Hold address space for a mapping, as aligned as is good for its length; NULL: anywhere. */
    void *(*place)(size_t length);
};

extern const struct shmx_system shmx_system;

/* ---- helpers for the table ---- */

/* loaded: keep the library, or the one that it is a part of, from being unloaded (stay.c). */
void shmx_posix_stay(void);

/* lock_directory: /var/tmp, which is not emptied, neither at a start nor by the clock, and sticky,
 * so that nobody removes another user's files. */
void shmx_posix_lock_directory(char path[SHMX_SYSTEM_DIRECTORY_MAX]);

/* make: shm_open, and then set what the umask has taken of the access. */
int shmx_posix_make_exact(const char *path, unsigned flags, int *fd);

/* length_limit: getrlimit(2). */
uint64_t shmx_posix_length_limit(void);

/* reserve: the length, and no memory yet. */
int shmx_posix_resize(int fd, size_t length);

/* reserve: write a byte to each page, which makes the system find room for it. */
int shmx_posix_reserve_by_writing(int fd, size_t length);

/* prefault where no call does it: ours, which are reserved, are touched; others if they have all
 * their pages, as without room for one touching would be a fault. */
void shmx_posix_prefault(const struct shmx_attachment *attachment);

/* label where objects can be read like files: nobody can cut the object short meanwhile and so make
 * us fault. And where they can only be mapped; a page or two are mapped for a moment. */
int shmx_posix_label_read(int fd, uint64_t length, struct shmx_label *label);
int shmx_posix_label_map(int fd, uint64_t length, struct shmx_label *label);

/* footprint: st_blocks, stat(2). */
uint64_t shmx_posix_footprint(const struct stat *facts);

/* has_room where the system does not say how much is free: of all there is. */
bool shmx_posix_has_room(size_t length);

/* sleep: short naps, longer as they add up (wait.c). */
shmx_posix_sleep shmx_posix_nap;

#endif
