/* SPDX-License-Identifier: MIT */
/* The library on FreeBSD. */
#include "../common/machine.h"

/* A segment that another program made is listed, by whatever name. */
static void lists_what_the_system_lists(void **state)
{
    (void)state;
    char path[100];
    const char *name = test_name();
    snprintf(path, sizeof path, "/%s", name);
    int fd = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 100), 0);
    close(fd);
    fd = shm_open("/deep/er", O_RDWR | O_CREAT, 0600); /* no name of ours */
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(machine_listed(name), 1);
    assert_int_equal(shm_unlink("/deep/er"), 0);
    assert_ok(shmx_unlink(name));
    assert_int_equal(machine_listed(name), 0);
}

/* Many objects: the list grows while it is read. */
static void a_long_list_is_whole(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static shmx *shm[COUNT];
    static const char *names[COUNT];
    for (int i = 0; i < COUNT; i++) {
        names[i] = test_name();
        assert_ok(shmx_create(&shm[i], names[i], 100, SHMX_RAW));
    }
    for (int i = 0; i < COUNT; i += 29)
        assert_int_equal(machine_listed(names[i]), 1);
    for (int i = 0; i < COUNT; i++) {
        shmx_close(&shm[i]);
        assert_ok(shmx_unlink(names[i]));
    }
}

static void creates_in_vain(void *name)
{
    shmx *shm;
    const char *why;
    const struct rlimit small = {65536, 65536};
    if (geteuid() == 0 && !test_become_other_user(&why))
        return;
    must(setrlimit(RLIMIT_FSIZE, &small) == 0);
    must(shmx_create(&shm, name, 1 << 20, 0) == SHMX_ENOSPC);
}

/* The maker, too, unlinks an object only if its mode lets that user read and write it. */
static void a_failed_create_leaves_no_object(void **state)
{
    (void)state;
    char path[100];
    const char *name = test_name();
    snprintf(path, sizeof path, "/%s", name);
    assert_int_equal(child_wait(child_fork(creates_in_vain, (void *)(uintptr_t)name)), 0);
    assert_int_equal(shm_open(path, O_RDONLY, 0), -1);
    assert_int_equal(errno, ENOENT);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        MACHINE_TESTS,
        cmocka_unit_test(lists_what_the_system_lists),
        cmocka_unit_test(a_long_list_is_whole),
        cmocka_unit_test(a_failed_create_leaves_no_object),
    };
    return machine_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
