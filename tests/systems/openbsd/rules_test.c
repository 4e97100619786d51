/* SPDX-License-Identifier: MIT */
/* OpenBSD's rules as the simulation has them. */
#include "../common/rules.h"

#include <signal.h>
#include <sys/futex.h>
#include <sys/wait.h>

static void flags(void **state)
{
    (void)state;
    static const int refused[] = {O_NONBLOCK, O_APPEND, O_SYNC};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_refused(shm_open("/flags", O_RDWR | O_CREAT | refused[i], 0600), EINVAL);
    assert_refused(shm_open("/flags", O_WRONLY | O_CREAT, 0600), EINVAL);
    struct stat facts;
    int fd = shm_open("/flags", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &facts), 0);
    assert_int_equal(facts.st_mode, S_IFREG | 0600);
    close(fd);
    assert_int_equal(shm_unlink("/flags"), 0);
    assert_refused(shm_unlink("/flags"), ENOENT);
}

/* The hash of FIPS 180-4, example B.1 and one of two blocks. */
static void path(void **state)
{
    (void)state;
    char digits[65], found[SIM_PATH_MAX];
    sim_sha256("abc", digits);
    assert_string_equal(digits, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sim_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", digits);
    assert_string_equal(digits, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    close(rules_object("/path", 0));
    sim_shm_path("/path", found);
    assert_non_null(strstr(found, "/tmp/"));
    assert_string_equal(found + strlen(found) - 4, ".shm");
    assert_int_equal((access)(found, F_OK), 0);
    assert_int_equal(shm_unlink("/path"), 0);
}

static bool other_opens(void)
{
    return shm_open("/owner", O_RDONLY, 0) == -1 && errno == EPERM;
}

/* A program with another's rights: the effective user is root, the real one is not. */
static void owner(void **state)
{
    (void)state;
    int status;
    int fd = rules_object("/owner", 0);
    assert_int_equal(fchmod(fd, 0666), 0);
    assert_true(rules_as_other(other_opens));
    pid_t child = fork();
    if (child == 0) {
        if (setreuid(65534, (uid_t)-1) != 0)
            _exit(0);
        bool refused = shm_open("/setuid", O_RDWR | O_CREAT | O_EXCL, 0600) == -1 && errno == EPERM;
        char made[SIM_PATH_MAX];
        sim_shm_path("/setuid", made);
        _exit(refused && (unlink)(made) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(fd);
    assert_int_equal(shm_unlink("/owner"), 0);
}

static void expire(int number)
{
    (void)number;
}

static void pipe_is_waited_for(void **state)
{
    (void)state;
    char place[SIM_PATH_MAX];
    struct sigaction once = {.sa_handler = expire}, before;
    sim_shm_path("/pipe", place);
    assert_int_equal((mkfifo)(place, 0600), 0);
    sigaction(SIGALRM, &once, &before);
    ualarm(30000, 0);
    assert_refused(shm_open("/pipe", O_RDONLY, 0), EINTR);
    sigaction(SIGALRM, &before, NULL);
    assert_refused(shm_open("/pipe", O_RDWR, 0), EINVAL);
    assert_int_equal(shm_unlink("/pipe"), 0);
}

static void two_copies(void **state)
{
    (void)state;
    char byte = 'w';
    int fd = rules_object("/copies", 8192);
    assert_int_equal(pwrite(fd, &byte, 1, 0), 1);
    char *data = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(data, MAP_FAILED);
    assert_int_equal(data[0], 'w'); /* the first touch reads the file */
    data[1] = 'm';
    data[4096] = 'm';
    assert_int_equal(pread(fd, &byte, 1, 1), 1);
    assert_int_equal(byte, 0);
    assert_int_equal(pread(fd, &byte, 1, 4096), 1);
    assert_int_equal(byte, 0);
    byte = 'x';
    assert_int_equal(pwrite(fd, &byte, 1, 0), 1);
    assert_int_equal(data[0], 'w');
    int again = shm_open("/copies", O_RDWR, 0);
    char *other = mmap(NULL, 8192, PROT_READ, MAP_SHARED, again, 0);
    assert_int_equal(other[1], 'm');
    assert_int_equal(other[0], 'w');
    munmap(data, 8192);
    munmap(other, 8192);
    data = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
    assert_int_equal(data[4096], 'm'); /* pages stay */
    munmap(data, 8192);
    close(again);
    close(fd);
    assert_int_equal(shm_unlink("/copies"), 0);
}

static void lengths(void **state)
{
    (void)state;
    char bytes[16] = {0};
    struct stat facts;
    int fd = rules_object("/length", 100);
    assert_int_equal(fstat(fd, &facts), 0);
    assert_int_equal(facts.st_size, 100);
    assert_int_equal(pread(fd, bytes, 16, 92), 8);
    assert_int_equal(pwrite(fd, bytes, 16, 92), 16);
    assert_int_equal(fstat(fd, &facts), 0);
    assert_int_equal(facts.st_size, 108);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(fstat(fd, &facts), 0);
    assert_int_equal(facts.st_size, 0);
    close(fd);
    assert_int_equal(shm_unlink("/length"), 0);
}

static void length_limit(void **state)
{
    (void)state;
    struct rlimit before, less;
    int fd = rules_object("/limit", 0);
    getrlimit(RLIMIT_FSIZE, &before);
    less = before;
    less.rlim_cur = 8192;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
    assert_refused(ftruncate(fd, 8193), EFBIG);
    assert_int_equal(ftruncate(fd, 8192), 0);
    assert_int_equal(pwrite(fd, "x", 1, 8191), 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    close(fd);
    assert_int_equal(shm_unlink("/limit"), 0);
}

static void age(const char *path)
{
    struct timespec times[2] = {{time(NULL) - 8 * 24 * 3600, 0}, {0, UTIME_OMIT}};
    assert_int_equal((utimensat)(AT_FDCWD, path, times, 0), 0);
}

static void daily(void **state)
{
    (void)state;
    char old[SIM_PATH_MAX], lock[SIM_PATH_MAX];
    close(rules_object("/old", 1));
    close(rules_object("/new", 1));
    sim_shm_path("/old", old);
    age(old);
    int fd = open("/var/tmp/lock", O_RDWR | O_CREAT, 0600);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    age(sim_path("/var/tmp/lock", lock));
    static const char *const places[] = {"/var/tmp/ssh-x", "/var/tmp/x"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(old, sizeof old, "%s/file", places[i]);
        assert_int_equal(mkdir(places[i], 0700), 0);
        close(open(old, O_RDWR | O_CREAT, 0600));
        age(sim_path(old, lock));
    }
    sim_daily();
    assert_int_equal(access("/var/tmp/ssh-x/file", F_OK), 0);
    assert_refused(access("/var/tmp/x", F_OK), ENOENT);
    assert_int_equal(unlink("/var/tmp/ssh-x/file"), 0);
    assert_int_equal(rmdir("/var/tmp/ssh-x"), 0);
    assert_refused(shm_open("/old", O_RDWR, 0), ENOENT);
    assert_refused(access("/var/tmp/lock", F_OK), ENOENT); /* though it is locked */
    assert_int_equal(shm_unlink("/new"), 0);
    close(fd);
}

static void restart(void **state)
{
    (void)state;
    close(rules_object("/gone", 1));
    close(open("/var/tmp/gone", O_RDWR | O_CREAT, 0600));
    sim_restart();
    assert_refused(shm_open("/gone", O_RDWR, 0), ENOENT);
    assert_refused(access("/var/tmp/gone", F_OK), ENOENT);
}

/* ---- waiting ---- */

static int wait_once(uint32_t *word, uint32_t expected, int milliseconds)
{
    struct timespec length = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    return futex(word, FUTEX_WAIT, (int)expected, &length, NULL) == 0 ? 0 : errno;
}

static void time_is_a_length(void **state)
{
    (void)state;
    uint32_t word = 0;
    int passed_over;
    struct timespec before, after, wrong = {0, 1000000000};
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_int_equal(rules_wait(&word, 0, 30, wait_once, &passed_over), ETIMEDOUT);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(
        (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >= 29);
    assert_int_equal(rules_wait(&word, 7, 30, wait_once, &passed_over), EAGAIN);
    assert_refused(futex(&word, FUTEX_WAIT, 0, &wrong, NULL), EINVAL);
    assert_refused(futex(&word, 0, 0, NULL, NULL), ENOSYS);
}

static void wake_one(uint32_t *word)
{
    futex(word, FUTEX_WAKE, 1, NULL, NULL);
}

static void wake(void **state)
{
    (void)state;
    uint32_t word = 0;
    rules_wake(&word, wait_once, wake_one);
    assert_int_equal(futex(&word, FUTEX_WAKE, 1, NULL, NULL), 0);
}

static void signals(void **state)
{
    (void)state;
    uint32_t word = 0;
    bool canceled = false, interrupted = false;
    for (int i = 0; i < 400; i++) {
        int error = wait_once(&word, 7, 1);
        canceled = canceled || error == ECANCELED;
        interrupted = interrupted || error == EINTR;
    }
    assert_true(canceled && interrupted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULES_COMMON,
        cmocka_unit_test(flags),
        cmocka_unit_test(path),
        cmocka_unit_test(owner),
        cmocka_unit_test(pipe_is_waited_for),
        cmocka_unit_test(two_copies),
        cmocka_unit_test(lengths),
        cmocka_unit_test(length_limit),
        cmocka_unit_test(daily),
        cmocka_unit_test(restart),
        cmocka_unit_test(time_is_a_length),
        cmocka_unit_test(wake),
        cmocka_unit_test(signals),
    };
    return rules_run(tests, sizeof tests / sizeof *tests);
}
