/* SPDX-License-Identifier: MIT */
/*
 * Old and odd kinds of Linux: kernels that lack a call (gVisor, old containers; seccomp(2) refuses
 * it as they do), no /proc, a /dev/shm that is missing, read-only, noexec or no tmpfs. Each is a
 * way that works, or SHMX_ENOTSUP, and never the end of what others have.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support.h"

#define SHM "/dev/shm"
#define SIZE 8192
#define LARGE ((size_t)2 << 20) /* room is looked for */

/* ---- kernels that lack something ---- */

#define LOW (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0)

/* From here on this call fails if that argument's bits are so. */
static bool refuse(long call, unsigned argument, uint32_t mask, uint32_t value, int error)
{
    const uint32_t place = (uint32_t)(offsetof(struct seccomp_data, args) + 8 * argument + LOW);
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, place),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static bool refuse_nameless(int error)
{
    const uint32_t bit = (uint32_t)(O_TMPFILE & ~O_DIRECTORY);
#ifdef SYS_open /* musl's */
    if (!refuse(SYS_open, 1, bit, bit, error))
        return false;
#endif
    return refuse(SYS_openat, 2, bit, bit, error);
}

static bool refuse_locks(void)
{
#ifdef SYS_fcntl64
    const long call = SYS_fcntl64;
#else
    const long call = SYS_fcntl;
#endif
    return refuse(call, 1, UINT32_MAX, F_OFD_SETLK, EINVAL) &&
           refuse(call, 1, UINT32_MAX, F_OFD_GETLK, EINVAL);
}

/* No file reaches 2^41 bytes, as on ext3. */
static bool refuse_far(void)
{
#ifdef __LP64__
    const uint32_t high = (uint32_t)(offsetof(struct seccomp_data, args) + 8 + 4 - LOW);
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_lseek, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, high),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 1 << 9, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
#else
    return true;
#endif
}

static void filters(void *context)
{
    (void)context;
    _exit(refuse_locks() ? 0 : 1);
}

/* qemu-user, for one, has no filters of calls. */
#define needs_filters()                                                                            \
    do {                                                                                           \
        if (child_wait(child_fork(filters, NULL)) != 0)                                            \
            test_skip("this system lets nobody take calls away from a child");                     \
    } while (0)

/* In a mount name space of its own. */
static bool mounted(const char *kind, const char *place, unsigned long how, const char *options)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount(kind, place, kind, how, options) == 0;
}

/* ---- children in such a place ---- */

enum { CANNOT = 77 };

/* Run it in a forked child; where the place cannot be made the test is left out. */
static void in_child(void (*run)(void *context), void *context)
{
    int how = child_wait(child_fork(run, context));
    if (how == CANNOT)
        test_skip("only root can mount, and before Linux 6.10 do without /proc");
    assert_int_equal(how, 0);
}

#define only_if(made)                                                                              \
    do {                                                                                           \
        if (!(made))                                                                               \
            _exit(CANNOT);                                                                         \
    } while (0)

static int creates_of(const char *name, size_t size, unsigned flags)
{
    shmx *shm;
    int status = shmx_create(&shm, name, size, flags);
    shmx_close(&shm);
    return status;
}

static int creates(const char *name, unsigned flags)
{
    return creates_of(name, SIZE, flags);
}

static int opens(const char *name)
{
    shmx *shm;
    int status = shmx_open(&shm, name, 0);
    shmx_close(&shm);
    return status;
}

static void use(shmx *shm)
{
    shmx_mutex *mutex = shmx_data(shm);
    must(shmx_mutex_lock(shm, mutex, 0) == SHMX_OK && shmx_mutex_unlock(shm, mutex) == SHMX_OK);
}

/* All that one does with a segment works. */
static void works(const char *name)
{
    shmx *shm, *again;
    must(shmx_create(&shm, name, SIZE, 0) == SHMX_OK);
    must(shmx_open(&again, name, 0) == SHMX_OK);
    use(again);
    shmx_close(&again);
    shmx_close(&shm);
    must(opens(name) == SHMX_ENOENT);
    must(creates(name, SHMX_PREFAULT) == SHMX_OK);
    must(creates_of(name, LARGE, 0) == SHMX_OK);
    must(creates(name, SHMX_RAW) == SHMX_OK && shmx_unlink(name) == SHMX_OK);
}

static void leaves_it_dead(void *name)
{
    shmx *shm;
    must(shmx_create(&shm, name, SIZE, 0) == SHMX_OK);
    raise(SIGKILL);
}

/* One whose user was killed makes room, and is pruned. */
static void the_dead_go(const char *name)
{
    int removed;
    for (int i = 0; i < 2; i++) {
        must(child_wait(child_fork(leaves_it_dead, (void *)(uintptr_t)name)) == CHILD_KILLED);
        must(i == 0 ? creates(name, 0) == SHMX_OK
                    : shmx_prune(&removed) == SHMX_OK && removed == 1);
        must(opens(name) == SHMX_ENOENT);
    }
}

/* ---- no files without a name: Linux before 3.15, gVisor ---- */

struct nameless {
    int error;
    const char *there, *new;
};

static void no_nameless(void *context)
{
    const struct nameless *scene = context;
    must(refuse_nameless(scene->error));
    must(creates(scene->new, 0) == SHMX_ENOTSUP && creates(scene->new, SHMX_RAW) == SHMX_ENOTSUP);
    must(shmx_os_error() != 0);
    must(creates(NULL, 0) == SHMX_ENOTSUP);
    must(opens(scene->new) == SHMX_ENOENT);
    must(opens(scene->there) == SHMX_OK);
    must(creates(scene->there, 0) != SHMX_OK);
}

static void without_nameless_files_nothing_is_made(void **state)
{
    (void)state;
    needs_filters();
    static const int errors[] = {EOPNOTSUPP, EISDIR, EINVAL};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        struct nameless scene = {errors[i], test_name(), test_name()};
        shmx *shm = test_segment(scene.there, SIZE);
        in_child(no_nameless, &scene);
        assert_ok(opens(scene.there));
        shmx_close(&shm);
    }
}

/* ---- no locks of open files: Linux before 3.15, gVisor ---- */

struct unlocked {
    const char *there, *raw, *dead, *new;
};

static void no_locks(void *context)
{
    const struct unlocked *scene = context;
    shmx_info info;
    int removed;
    must(refuse_locks());
    must(creates(scene->new, 0) == SHMX_ENOTSUP && creates(NULL, 0) == SHMX_ENOTSUP);
    must(opens(scene->new) == SHMX_ENOENT);
    /* Nobody can be told to live, and so nobody to be dead. */
    must(opens(scene->there) == SHMX_ENOTSUP && shmx_stat(scene->there, &info) == SHMX_ENOTSUP);
    must(opens(scene->dead) == SHMX_ENOTSUP && creates(scene->dead, 0) != SHMX_OK);
    must(shmx_unlink(scene->there) == SHMX_ENOTSUP);
    must(shmx_prune(&removed) == SHMX_OK && removed == 0);
    /* Without a control block there is nothing to tell. */
    must(opens(scene->raw) == SHMX_OK);
    must(creates(scene->new, SHMX_RAW) == SHMX_OK && opens(scene->new) == SHMX_OK);
    must(shmx_unlink(scene->new) == SHMX_OK && opens(scene->new) == SHMX_ENOENT);
}

/* In a /dev/shm of its own, where nobody else sweeps. */
static void without_locks(void *context)
{
    const struct unlocked *scene = context;
    shmx *shm;
    only_if(mounted("tmpfs", SHM, 0, NULL));
    must(shmx_create(&shm, scene->there, SIZE, 0) == SHMX_OK);
    must(creates(scene->raw, SHMX_RAW) == SHMX_OK);
    must(child_wait(child_fork(leaves_it_dead, (void *)(uintptr_t)scene->dead)) == CHILD_KILLED);
    must(child_wait(child_fork(no_locks, context)) == 0);
    must(opens(scene->there) == SHMX_OK);
    must(shmx_unlink(scene->raw) == SHMX_OK && shmx_unlink(scene->dead) == SHMX_ENOENT);
    shmx_close(&shm);
}

static void without_locks_nobody_is_dead(void **state)
{
    (void)state;
    needs_filters();
    struct unlocked scene = {test_name(), test_name(), test_name(), test_name()};
    in_child(without_locks, &scene);
}

/* ---- no /proc ---- */

static void uses_inherited(void *shm)
{
    use(shm);
}

static void no_proc(void *name)
{
    shmx *shm, *again;
    shmx_info info;
    char token[SHMX_TOKEN_MAX];
    only_if(mounted("tmpfs", "/proc", 0, NULL) && access("/proc/self", F_OK) != 0);
    only_if(mount("tmpfs", SHM, "tmpfs", 0, NULL) == 0);
    int status = shmx_create(&shm, name, SIZE, 0);
    if (status == SHMX_ENOTSUP)
        _exit(CANNOT); /* before Linux 6.10 for all but root */
    must(status == SHMX_OK);
    use(shm);
    must(child_wait(child_fork(uses_inherited, shm)) == 0);
    must(shmx_stat(name, &info) == SHMX_OK && info.users == -1);
    must(shmx_share(shm, token, sizeof token) == SHMX_OK);
    must(shmx_adopt(&again, token, 0) == SHMX_OK);
    shmx_close(&again);
    must(opens(name) == SHMX_OK);
    shmx_close(&shm);
    must(opens(name) == SHMX_ENOENT);
    works(name);
    the_dead_go(name);
}

static void without_proc_all_works(void **state)
{
    (void)state;
    in_child(no_proc, (void *)(uintptr_t)test_name());
}

/* ---- /dev/shm ---- */

static int count_one(const shmx_info *info, void *context)
{
    (void)info;
    ++*(int *)context;
    return 0;
}

static void no_shm(void *name)
{
    int found = 0, removed;
    only_if(mounted("tmpfs", "/dev", 0, NULL));
    must(creates(name, 0) == SHMX_ENOTSUP && creates(NULL, 0) == SHMX_ENOTSUP);
    must(opens(name) == SHMX_ENOENT && shmx_unlink(name) == SHMX_ENOENT);
    must(shmx_list(count_one, &found) == SHMX_OK && found == 0);
    must(shmx_prune(&removed) == SHMX_OK && removed == 0);
}

static void no_directory_is_enotsup(void **state)
{
    (void)state;
    in_child(no_shm, (void *)(uintptr_t)test_name());
}

static void read_only_shm(void *name)
{
    only_if(mounted("tmpfs", SHM, 0, NULL));
    must(creates(name, SHMX_PERSISTENT) == SHMX_OK);
    must(mount(NULL, SHM, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
    shmx *shm;
    must(creates("new", 0) == SHMX_EACCES && creates(NULL, 0) == SHMX_EACCES);
    must(shmx_open(&shm, name, SHMX_READ_ONLY) == SHMX_OK);
    shmx_close(&shm);
    must(opens(name) == SHMX_EACCES && shmx_unlink(name) == SHMX_EACCES);
}

static void a_read_only_directory_is_eacces(void **state)
{
    (void)state;
    in_child(read_only_shm, (void *)(uintptr_t)test_name());
}

struct place {
    const char *kind;
    unsigned long how;
    const char *name;
};

static void other_shm(void *context)
{
    const struct place *place = context;
    only_if(mounted(place->kind, SHM, place->how, NULL));
    works(place->name);
    the_dead_go(place->name);
}

static void a_directory_that_is_no_tmpfs_or_noexec_works(void **state)
{
    (void)state;
    struct place places[] = {{"ramfs", 0, test_name()},
                             {"tmpfs", MS_NOEXEC | MS_NOSUID | MS_NODEV, test_name()}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        in_child(other_shm, &places[i]);
}

static void far_ones_refused(void *name)
{
    only_if(mounted("tmpfs", SHM, 0, NULL)); /* where nobody else prunes */
    must(refuse_far());
    works(name);
    the_dead_go(name);
}

/* Some have a directory on a disk there. */
static void where_files_cannot_be_long_all_works(void **state)
{
    (void)state;
    needs_filters();
    in_child(far_ones_refused, (void *)(uintptr_t)test_name());
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(without_nameless_files_nothing_is_made),
    cmocka_unit_test(without_locks_nobody_is_dead),
    cmocka_unit_test(without_proc_all_works),
    cmocka_unit_test(no_directory_is_enotsup),
    cmocka_unit_test(a_read_only_directory_is_eacces),
    cmocka_unit_test(a_directory_that_is_no_tmpfs_or_noexec_works),
    cmocka_unit_test(where_files_cannot_be_long_all_works),
};

TEST_MAIN(tests, no_parts)
