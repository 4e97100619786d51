/* SPDX-License-Identifier: MIT */
/* macOS's rules as the simulation has them. */
#include "../common/rules.h"

#define PAGE 16384

static void names(void **state)
{
    (void)state;
    const char *longest = "/234567890123456789012345678901"; /* 31 */
    const char *longer = "/2345678901234567890123456789012";
    close(rules_object(longest, 0));
    assert_int_equal(shm_unlink(longest), 0);
    assert_refused(shm_open(longer, O_RDWR | O_CREAT, 0600), ENAMETOOLONG);
    assert_refused(shm_unlink(longer), EINVAL);
    assert_refused(shm_open("", O_RDWR | O_CREAT, 0600), EINVAL);
    close(rules_object("group/x", 0)); /* as sandboxed programs do */
    assert_refused(shm_open("/group/x", O_RDWR, 0), ENOENT);
    assert_int_equal(shm_unlink("group/x"), 0);
}

/* Names of objects do not fold; names of files do. */
static void case_of_letters(void **state)
{
    (void)state;
    close(rules_object("/Case", 0));
    close(rules_object("/case", 0));
    assert_int_equal(shm_unlink("/Case"), 0);
    assert_int_equal(shm_unlink("/case"), 0);
    int fd = open("/var/tmp/Case", O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_refused(open("/var/tmp/case", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    DIR *directory = opendir("/var/tmp");
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL && strcmp(entry->d_name, "Case") != 0)
        ;
    assert_non_null(entry); /* as it was made */
    closedir(directory);
    assert_int_equal(unlink("/var/tmp/cASE"), 0);
    assert_refused(access("/var/tmp/Case", F_OK), ENOENT);
}

static void mode(void **state)
{
    (void)state;
    struct stat facts;
    mode_t before = umask(077);
    int fd = shm_open("/mode", O_RDWR | O_CREAT, 0666);
    umask(before);
    assert_int_equal(fstat(fd, &facts), 0);
    assert_int_equal(facts.st_mode, 0666);
    assert_refused(fchmod(fd, 0600), EINVAL);
    close(fd);
    assert_int_equal(shm_unlink("/mode"), 0);
}

static void length(void **state)
{
    (void)state;
    struct stat facts;
    int fd = rules_object("/length", 1);
    assert_int_equal(fstat(fd, &facts), 0);
    assert_int_equal(facts.st_size, PAGE);
    assert_refused(ftruncate(fd, 2), EINVAL);
    assert_refused(ftruncate(fd, 1), EINVAL);
    assert_refused(shm_open("/length", O_RDWR | O_TRUNC, 0), EINVAL);
    close(fd);
    assert_int_equal(shm_unlink("/length"), 0);
    fd = rules_object("/length", 0);
    assert_refused(ftruncate(fd, -1), EINVAL);
    close(fd);
    assert_int_equal(shm_unlink("/length"), 0);
}

static void facts(void **state)
{
    (void)state;
    struct stat found;
    int fd = rules_object("/facts", PAGE);
    assert_int_equal(fstat(fd, &found), 0);
    assert_int_equal(found.st_mode & S_IFMT, 0);
    assert_int_equal(found.st_uid, geteuid());
    assert_int_equal(found.st_ino, 0);
    assert_int_equal(found.st_dev, 0);
    assert_int_equal(found.st_nlink, 0);
    assert_int_equal(found.st_blocks, 0);
    close(fd);
    assert_int_equal(shm_unlink("/facts"), 0);
}

static void mapped_only(void **state)
{
    (void)state;
    char byte = 0;
    int fd = rules_object("/mapped", PAGE);
    assert_refused(pread(fd, &byte, 1, 0), ESPIPE);
    assert_refused(pwrite(fd, &byte, 1, 0), ESPIPE);
    close(fd);
    assert_int_equal(shm_unlink("/mapped"), 0);
}

static bool other_unlinks(void)
{
    return shm_unlink("/kept") == -1 && errno == EACCES && shm_unlink("/open") == 0;
}

static void unlink_needs_writing(void **state)
{
    (void)state;
    int kept = shm_open("/kept", O_RDWR | O_CREAT, 0444);
    int opened = shm_open("/open", O_RDWR | O_CREAT, 0222);
    assert_true(rules_as_other(other_unlinks));
    assert_int_equal(shm_unlink("/kept"), 0); /* by its maker */
    close(kept);
    close(opened);
    shm_unlink("/open");
}

static void map_fails(size_t length, int protection, int how, int fd, off_t at, int error)
{
    errno = 0;
    assert_ptr_equal(mmap(NULL, length, protection, how, fd, at), MAP_FAILED);
    assert_int_equal(errno, error);
}

static void mapping(void **state)
{
    (void)state;
    int fd = rules_object("/map", 0);
    map_fails(1, PROT_READ, MAP_SHARED, fd, 0, EINVAL); /* it has no length */
    assert_int_equal(ftruncate(fd, 2 * PAGE), 0);
    map_fails(PAGE, PROT_READ, MAP_PRIVATE, fd, 0, EINVAL);
    map_fails(2 * PAGE + 1, PROT_READ, MAP_SHARED, fd, 0, EINVAL);
    map_fails(PAGE + 1, PROT_READ, MAP_SHARED, fd, PAGE, EINVAL);
    int reader = shm_open("/map", O_RDONLY, 0);
    map_fails(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0, EPERM);
    void *data = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
    assert_ptr_not_equal(data, MAP_FAILED);
    assert_int_equal(munmap(data, PAGE), 0);
    close(reader);
    close(fd);
    assert_int_equal(shm_unlink("/map"), 0);
}

static void pages(void **state)
{
    (void)state;
    assert_int_equal(sysconf(_SC_PAGESIZE), PAGE);
    assert_int_equal(getpagesize(), PAGE);
    int fd = rules_object("/pages", 2 * PAGE);
    map_fails(PAGE, PROT_READ, MAP_SHARED, fd, 4096, EINVAL);
    for (int i = 0; i < 8; i++) {
        unsigned char *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE);
        assert_ptr_not_equal(data, MAP_FAILED);
        assert_int_equal((uintptr_t)data % PAGE, 0);
        data[PAGE - 1] = 1; /* there is a whole page */
        assert_refused(munmap(data + 4096, 4096), EINVAL);
        assert_int_equal(munmap(data, 4096), 0);
    }
    close(fd);
    assert_int_equal(shm_unlink("/pages"), 0);
}

static void rwlock(void **state)
{
    (void)state;
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    pthread_rwlock_wrlock(&lock);
    assert_int_equal(pthread_rwlock_init(&lock, NULL), EBUSY);
    assert_int_equal(pthread_rwlock_tryrdlock(&lock), EBUSY); /* it stays as it is */
    pthread_rwlock_unlock(&lock);
    pthread_rwlock_rdlock(&lock);
    assert_int_equal(pthread_rwlock_init(&lock, NULL), EBUSY);
    pthread_rwlock_unlock(&lock);
    assert_int_equal(pthread_rwlock_init(&lock, NULL), 0);
}

static void restart(void **state)
{
    (void)state;
    close(rules_object("/gone", 1));
    close(open("/var/tmp/stays", O_RDWR | O_CREAT, 0600));
    sim_restart();
    assert_refused(shm_open("/gone", O_RDWR, 0), ENOENT);
    assert_int_equal(access("/var/tmp/stays", F_OK), 0);
    assert_int_equal(unlink("/var/tmp/stays"), 0);
}

/* ---- waiting ---- */

typedef int wait_call(void *word, uint64_t value, size_t size, uint32_t flags, uint32_t clock,
                      uint64_t nanoseconds);
typedef int wake_call(void *word, size_t size, uint32_t flags);

static wait_call *wait_on;
static wake_call *wake_any, *wake_all;

static void find(const char *name, void *function)
{
    *(void **)function = dlsym(RTLD_DEFAULT, name);
}

static int find_all(void **state)
{
    (void)state;
    find("os_sync_wait_on_address_with_timeout", (void *)&wait_on);
    find("os_sync_wake_by_address_any", (void *)&wake_any);
    find("os_sync_wake_by_address_all", (void *)&wake_all);
    return wait_on != NULL && wake_any != NULL && wake_all != NULL ? 0 : -1;
}

static int wait_once(uint32_t *word, uint32_t expected, int milliseconds)
{
    int result = wait_on(word, expected, 4, 1, 32, (uint64_t)milliseconds * 1000000);
    return result >= 0 ? 0 : errno;
}

static uint32_t *map_word(void)
{
    int fd = rules_object("/word", 4);
    uint32_t *word = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(word, MAP_FAILED);
    close(fd);
    assert_int_equal(shm_unlink("/word"), 0);
    return word;
}

static void time_given(void **state)
{
    (void)state;
    int passed_over;
    uint32_t *word = map_word();
    assert_int_equal(rules_wait(word, 0, 20, wait_once, &passed_over), ETIMEDOUT);
    assert_int_equal(rules_wait(word, 7, 900, wait_once, &passed_over), 0);
    assert_refused(wait_on(word, 0, 4, 1, 32, 0), EINVAL);
    assert_refused(wait_on(word, 0, 3, 1, 32, 1), EINVAL);
    assert_refused(wait_on(word, 0, 4, 2, 32, 1), EINVAL);
    assert_refused(wait_on(word, 0, 4, 1, 1, 1), EINVAL);
    munmap(word, 4);
}

/* It takes no end as long as only the call is repeated, and ends when the word is read. */
static void fault(void **state)
{
    (void)state;
    uint32_t *word = map_word();
    int faults = 0;
    for (int i = 0; i < 1000 && faults == 0; i++) {
        *word = 0;
        if (wait_on(word, 7, 4, 1, 32, 1000) != 0 && errno == EFAULT)
            faults = i + 1;
    }
    assert_true(faults != 0);
    for (int i = 0; i < 100; i++)
        assert_refused(wait_on(word, 7, 4, 1, 32, 1000), EFAULT);
    int passed_over;
    assert_int_equal(rules_wait(word, 7, 1, wait_once, &passed_over), 0);
    munmap(word, 4);
}

static void wake_one(uint32_t *word)
{
    wake_any(word, 4, 1);
}

static void wake(void **state)
{
    (void)state;
    uint32_t *word = map_word();
    assert_refused(wake_any(word, 4, 1), ENOENT);
    assert_refused(wake_all(word, 4, 1), ENOENT);
    rules_wake(word, wait_once, wake_one);
    munmap(word, 4);
}

static void old(void **state)
{
    (void)state;
    setenv(SIM_OLD, "1", 1);
    assert_null(dlsym(RTLD_DEFAULT, "os_sync_wait_on_address_with_timeout"));
    unsetenv(SIM_OLD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULES_COMMON,
        cmocka_unit_test(names),
        cmocka_unit_test(case_of_letters),
        cmocka_unit_test(mode),
        cmocka_unit_test(length),
        cmocka_unit_test(facts),
        cmocka_unit_test(mapped_only),
        cmocka_unit_test(unlink_needs_writing),
        cmocka_unit_test(mapping),
        cmocka_unit_test(pages),
        cmocka_unit_test(rwlock),
        cmocka_unit_test(restart),
        cmocka_unit_test_setup(time_given, find_all),
        cmocka_unit_test(fault),
        cmocka_unit_test(wake),
        cmocka_unit_test(old),
    };
    return rules_run(tests, sizeof tests / sizeof *tests);
}
