/* SPDX-License-Identifier: MIT */
/* The library on NetBSD. */
#include "../common/machine.h"

static const char *object_of(const char *name)
{
    static char path[300];
    snprintf(path, sizeof path, "/var/shm/.shmobj_%s", name);
    return path;
}

static void lists_what_the_system_shows(void **state)
{
    (void)state;
    const char *name = test_name();
    int fd = open(object_of(name), O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 100), 0);
    close(fd);
    assert_int_equal(machine_listed(name), 1);
    assert_ok(shmx_unlink(name));
    assert_int_equal(machine_listed(name), 0);
}

static void links_and_pipes_are_no_io_errors(void **state)
{
    (void)state;
    const char *name = test_name();
    assert_int_equal(symlink("/etc/passwd", object_of(name)), 0);
    machine_lets_be(name);
    assert_int_equal(unlink(object_of(name)), 0);
    assert_int_equal(mkfifo(object_of(name), 0666), 0);
    alarm(20);
    machine_lets_be(name);
    alarm(0);
    assert_int_equal(unlink(object_of(name)), 0);
}

/* An administrator has not set shared memory up. */
static void without_the_directory_it_is_said(void **state)
{
    (void)state;
    shmx *shm;
    assert_int_equal(chmod("/var/shm", 0755), 0);
    assert_status(shmx_create(&shm, test_name(), 100, 0), SHMX_ENOTSUP);
    assert_int_equal(chmod("/var/shm", 01777), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        MACHINE_TESTS,
        cmocka_unit_test(lists_what_the_system_shows),
        cmocka_unit_test(links_and_pipes_are_no_io_errors),
        cmocka_unit_test(without_the_directory_it_is_said),
    };
    return machine_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
