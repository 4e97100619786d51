/* SPDX-License-Identifier: MIT */
/* The library on OpenBSD. */
#include "../common/machine.h"

/* A byte stored through one mapping loads through another, first and last byte. */
static void everybody_sees_label_and_data(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    struct test_child *child = machine_creator(name, 0, false);
    assert_ok(shmx_open(&shm, name, 0));
    assert_int_equal(shmx_size(shm), 5000);
    assert_int_equal(((char *)shmx_data(shm))[4999], 'c');
    assert_int_equal(machine_listed(name), 1);
    child_finish(child);
    shmx_close(&shm);
}

static void files_age_below(const char *directory)
{
    char path[SIM_PATH_MAX];
    struct stat facts;
    const struct timespec times[2] = {{1, 0}, {1, 0}};
    DIR *list = (opendir)(directory);
    const struct dirent *entry;
    while ((entry = readdir(list)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        assert_true(snprintf(path, sizeof path, "%s/%s", directory, entry->d_name) <
                    (int)sizeof path);
        assert_int_equal((lstat)(path, &facts), 0);
        if (S_ISDIR(facts.st_mode))
            files_age_below(path);
        assert_int_equal((utimensat)(AT_FDCWD, path, times, 0), 0);
    }
    closedir(list);
}

/* All that daily(8) could take is gone while two processes live. */
static void files_age(void)
{
    char directory[SIM_PATH_MAX];
    snprintf(directory, sizeof directory, "%s/tmp", sim_root());
    files_age_below(directory);
    sim_daily();
}

static void daily_kills_nobody(void **state)
{
    (void)state;
    shmx *shm, *second;
    const char *name = test_name();
    struct test_child *child = machine_creator(name, 0, false);
    assert_ok(shmx_open(&shm, name, 0));
    files_age();
    /* Either it is still the one, or its name is gone; never two that both are it. */
    int status = shmx_open(&second, name, 0);
    assert_true(status == SHMX_OK || status == SHMX_ENOENT);
    if (status == SHMX_OK) {
        assert_int_equal(((char *)shmx_data(second))[4999], 'c');
        shmx_close(&second);
    }
    ((char *)shmx_data(shm))[0] = 'x';
    child_finish(child);
    assert_int_equal(((char *)shmx_data(shm))[0], 'x');
    shmx_close(&shm);
    assert_ok(shmx_create(&shm, name, 100, 0));
    shmx_close(&shm);
}

/* An owner whose side file has been cleared away lives. */
static void daily_is_no_owners_death(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    assert_ok(shmx_create(&shm, name, 5000, 0));
    struct test_child *child = child_start("owner", name);
    child_expect(child, "locked");
    files_age();
    assert_status(shmx_mutex_lock(shm, shmx_data(shm), 200), SHMX_ETIMEDOUT);
    child_send(child, "unlock");
    child_expect(child, "unlocked");
    assert_int_equal(child_wait(child), 0);
    assert_ok(shmx_mutex_lock(shm, shmx_data(shm), 0));
    assert_ok(shmx_mutex_unlock(shm, shmx_data(shm)));
    shmx_close(&shm);
}

/* A pipe in the object's place is not waited for. */
static void a_pipe_does_not_hang_anybody(void **state)
{
    (void)state;
    char name[SHMX_NAME_MAX + 2], path[SIM_PATH_MAX];
    snprintf(name, sizeof name, "/%s", test_name());
    sim_shm_path(name, path);
    assert_int_equal((mkfifo)(path, 0666), 0);
    alarm(20);
    machine_lets_be(name + 1);
    alarm(0);
    assert_int_equal((unlink)(path), 0);
}

static void others_cannot_be_let_in(void **state)
{
    (void)state;
    shmx *shm;
    assert_status(shmx_create(&shm, test_name(), 100, SHMX_OTHERS_READ), SHMX_ENOTSUP);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        MACHINE_TESTS,
        cmocka_unit_test(everybody_sees_label_and_data),
        cmocka_unit_test(daily_kills_nobody),
        cmocka_unit_test(daily_is_no_owners_death),
        cmocka_unit_test(a_pipe_does_not_hang_anybody),
        cmocka_unit_test(others_cannot_be_let_in),
    };
    return machine_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
