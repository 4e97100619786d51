/* SPDX-License-Identifier: MIT */
/* The library on Windows. */
#include "support.h"

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <winternl.h>

#define SIZE 5000
#define ROUNDS 30

/* ---- time ---- */

/* Of 5, 6 ... ms. A wait of the system may end a tick too early, or too late. */
static void time_limits_are_the_clocks(void **state)
{
    (void)state;
    shmx *shm, *reader;
    const char *name = test_name();
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    assert_ok(shmx_open(&reader, name, SHMX_READ_ONLY));
    for (int limit = 5; limit < 5 + ROUNDS; limit++) {
        int64_t before = test_now_ms();
        assert_status(shmx_wait(shm, shmx_data(shm), 0, limit), SHMX_ETIMEDOUT);
        assert_true(test_now_ms() - before >= limit);
        before = test_now_ms();
        assert_status(shmx_wait(reader, shmx_data(reader), 0, limit), SHMX_ETIMEDOUT);
        assert_true(test_now_ms() - before >= limit);
    }
    shmx_close(&reader);
    shmx_close(&shm);
}

PART(waiter) /* NAME: until its first word is not 0 */
{
    shmx *shm;
    must(argc == 2 && shmx_open_wait(&shm, argv[1], SHMX_READ_ONLY, 20) == SHMX_ETIMEDOUT);
    say("waits");
    must(shmx_open_wait(&shm, argv[1], SHMX_READ_ONLY, TEST_PATIENCE_MS) == SHMX_OK);
    say("opened");
    volatile uint32_t *word = shmx_data(shm);
    while (*word == 0)
        must(shmx_wait(shm, (uint32_t *)shmx_data(shm), 0, TEST_PATIENCE_MS) == SHMX_OK);
    shmx_close(&shm);
    return 0;
}

/* Before version 1803, where all that sleeps sleeps by the tick. */
static void older_systems_wait_too(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    _putenv_s(SIM_OLD, "1");
    struct test_child *child = child_start("waiter", name);
    _putenv_s(SIM_OLD, "");
    child_expect(child, "waits");
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    child_expect(child, "opened");
    *(volatile uint32_t *)shmx_data(shm) = 1;
    assert_int_equal(child_wait(child), 0);
    shmx_close(&shm);
}

/* Several pauses of 1 and 2 ms in a row: one that ended with a tick would let the next last one. */
static void pauses_are_no_ticks(void **state)
{
    (void)state;
    shmx *shm;
    for (int row = 0, tries = 0; row < 5; tries++) {
        int64_t before = test_now_ms();
        assert_status(shmx_open_wait(&shm, test_name(), 0, 2), SHMX_ETIMEDOUT);
        row = test_now_ms() - before < 10 ? row + 1 : 0;
        assert_true(tries < 1000);
    }
}

/* ---- files ---- */

/* Each way to a file, while another looks into it. */
static void scanned_files_are_waited_for(void **state)
{
    (void)state;
    shmx *shm;
    shmx_info info;
    for (int i = 0; i < ROUNDS; i++) {
        const char *name = test_name();
        assert_ok(shmx_create(&shm, name, SIZE, SHMX_PERSISTENT));
        shmx_close(&shm);
        assert_ok(shmx_stat(name, &info));
        assert_int_equal(info.size, SIZE);
        assert_status(shmx_create(&shm, name, SIZE, 0), SHMX_EEXIST);
        assert_ok(shmx_open(&shm, name, 0));
        shmx_close(&shm);
        assert_ok(shmx_unlink(name));
        assert_status(shmx_stat(name, &info), SHMX_ENOENT);
        assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
        assert_status(shmx_unlink(name), SHMX_ENOENT);
    }
}

/* The number of files of persistent segments, of whatever name. */
static int files(void)
{
    wchar_t path[600];
    WIN32_FIND_DATAW entry;
    DWORD size = 500 * sizeof *path;
    int count = 0;
    must(RegGetValueW(HKEY_CURRENT_USER, L"Software\\shmx", L"directory", RRF_RT_REG_SZ, NULL, path,
                      &size) == ERROR_SUCCESS);
    wcscat(path, L"\\*");
    HANDLE find = FindFirstFileW(path, &entry);
    must(find != INVALID_HANDLE_VALUE);
    do
        count += entry.cFileName[0] != L'.';
    while (FindNextFileW(find, &entry));
    FindClose(find);
    return count;
}

/* A file that is mapped cannot be deleted: its last user does it. */
static void files_of_unlinked_segments_go(void **state)
{
    (void)state;
    shmx *one, *two;
    const char *name = test_name();
    assert_ok(shmx_create(&one, name, SIZE, SHMX_PERSISTENT));
    int before = files();
    for (int i = 0; i < ROUNDS; i++) {
        const char *other = test_name();
        assert_ok(shmx_create(&two, other, SIZE, SHMX_PERSISTENT));
        assert_ok(shmx_unlink(other));
        assert_int_equal(files(), before + 1);
        if (i % 10 == 0)
            sim_scan_next();
        shmx_close(&two);
        assert_int_equal(files(), before);
    }
    assert_ok(shmx_unlink(name));
    shmx_close(&one);
    assert_int_equal(files(), before - 1);
}

/* Files of segments that were unlinked, and whose last users were killed. */
static void leave_files(int count)
{
    for (int i = 0; i < count; i++) {
        const char *name = test_name();
        struct test_child *child = child_start("holder", name);
        child_expect(child, "made");
        assert_ok(shmx_unlink(name));
        child_kill(child);
        child_wait(child);
    }
}

PART(holder) /* NAME */
{
    shmx *shm;
    must(argc == 2 && shmx_create(&shm, argv[1], SIZE, SHMX_PERSISTENT) == SHMX_OK);
    say("made");
    hear();
    return 0;
}

#define LIVING 12 /* more than one create tries to delete */
#define KILLED 6
#define CREATE_FOR_MS 10000 /* a create looks for them once in a while, and tries a few */

static void files_of_killed_users_go(void **state)
{
    (void)state;
    shmx *living[LIVING], *shm;
    for (int i = 0; i < LIVING; i++) {
        const char *name = test_name();
        assert_ok(shmx_create(&living[i], name, SIZE, SHMX_PERSISTENT));
        assert_ok(shmx_unlink(name));
    }
    int before = files();
    leave_files(KILLED);
    assert_true(files() > before);
    int64_t end = test_now_ms() + CREATE_FOR_MS;
    while (files() > before && test_now_ms() < end) {
        assert_ok(shmx_create(&shm, test_name(), SIZE, 0));
        shmx_close(&shm);
    }
    assert_int_equal(files(), before);
    leave_files(KILLED);
    sim_disk_ends(4096, ERROR_DISK_FULL);
    assert_status(shmx_create(&shm, test_name(), SIZE, SHMX_PERSISTENT), SHMX_ENOSPC);
    sim_disk_ends(0, 0);
    test_until(files() == before);
    for (int i = 0; i < LIVING; i++)
        shmx_close(&living[i]);
    assert_int_equal(files(), before - LIVING);
}

/* ---- memory ---- */

static void memory_has_an_end(void **state)
{
    (void)state;
    static const DWORD errors[] = {ERROR_COMMITMENT_LIMIT, ERROR_NOT_ENOUGH_QUOTA,
                                   ERROR_PAGEFILE_QUOTA, ERROR_NO_SYSTEM_RESOURCES};
    shmx *live, *shm;
    const char *there = test_name();
    assert_ok(shmx_create(&live, there, SIZE, 0));
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        const char *name = test_name();
        sim_memory_ends(4096, errors[i]);
        assert_status(shmx_create(&shm, name, SIZE, 0), SHMX_ENOSPC);
        assert_int_equal(shmx_os_error(), errors[i]);
        assert_status(shmx_create(&shm, "", SIZE, 0), SHMX_ENOSPC);
        assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
        assert_ok(shmx_open(&shm, there, 0));
        shmx_close(&shm);
        sim_memory_ends(0, 0);
        assert_ok(shmx_create(&shm, name, SIZE, 0));
        shmx_close(&shm);
    }
    shmx_close(&live);
    assert_status(shmx_create(&shm, test_name(), (size_t)1 << 40, 0), SHMX_ENOSPC);
}

static void a_quota_is_no_io_error(void **state)
{
    (void)state;
    static const DWORD errors[] = {ERROR_DISK_FULL, ERROR_DISK_QUOTA_EXCEEDED,
                                   ERROR_NOT_ENOUGH_QUOTA, ERROR_DISK_RESOURCES_EXHAUSTED};
    shmx *shm;
    assert_ok(shmx_create(&shm, test_name(), SIZE, SHMX_PERSISTENT));
    int before = files();
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        const char *name = test_name();
        sim_disk_ends(4096, errors[i]);
        shmx *other;
        assert_status(shmx_create(&other, name, SIZE, SHMX_PERSISTENT), SHMX_ENOSPC);
        assert_int_equal(shmx_os_error(), errors[i]);
        sim_disk_ends(0, 0);
        assert_int_equal(files(), before);
        assert_status(shmx_open(&other, name, 0), SHMX_ENOENT);
    }
    assert_ok(shmx_unlink(shmx_name(shm)));
    shmx_close(&shm);
}

/* ---- sessions ---- */

#define KEY 7

/* Words of the segment: the mutex, one to sleep on. */
#define WORD_AT 64

static void do_as_told(shmx *shm, const char *line)
{
    char *data = shmx_data(shm);
    uint32_t *word = (uint32_t *)(void *)(data + WORD_AT);
    int status = SHMX_OK;
    if (strcmp(line, "lock") == 0) {
        status = shmx_mutex_lock(shm, (void *)data, 30);
    } else if (strcmp(line, "unlock") == 0) {
        status = shmx_mutex_unlock(shm, (void *)data);
    } else if (strcmp(line, "sleep") == 0) {
        say("sleeps");
        while (*(volatile uint32_t *)word == 0 && status == SHMX_OK)
            status = shmx_wait(shm, word, 0, SHMX_FOREVER);
    } else if (strcmp(line, "wake") == 0) {
        test_until(test_sleepers(shm, word) == 1);
        *(volatile uint32_t *)word = 1;
        status = shmx_wake(shm, word, 1);
    } else if (strcmp(line, "enter") == 0) {
        status = shmx_presence_enter(shm, KEY);
    } else if (strcmp(line, "look") == 0) {
        status = shmx_presence_wait(shm, KEY, 1, 0);
    }
    say("%s", shmx_status_name(status));
}

PART(person) /* NAME FLAGS: makes it (flags below 0: opens it), and does as it is told */
{
    shmx *shm;
    const char *line;
    must(argc == 3);
    int status = argv[2][0] == '-' ? shmx_open(&shm, argv[1], 0)
                                   : shmx_create(&shm, argv[1], SIZE, (unsigned)atoi(argv[2]));
    say("%s", shmx_status_name(status));
    while (status == SHMX_OK && (line = hear()) != NULL)
        do_as_told(shm, line);
    if (status == SHMX_OK)
        shmx_close(&shm);
    return 0;
}

static struct test_child *person_in(int session, const char *name, int flags)
{
    char number[16], text[16];
    snprintf(number, sizeof number, "%d", session);
    snprintf(text, sizeof text, "%d", flags);
    _putenv_s(SIM_SESSION, number);
    struct test_child *child = child_start("person", name, text);
    _putenv_s(SIM_SESSION, "");
    return child;
}

static void tell(struct test_child *child, const char *what, const char *answer)
{
    child_send(child, what);
    child_expect(child, answer);
}

/* Two processes use one segment: a living owner is not taken for dead, sleepers are woken, and the
 * lock and the presence of a dead process end. */
static void work_together(struct test_child *one, struct test_child *other)
{
    tell(one, "lock", "SHMX_OK");
    tell(other, "lock", "SHMX_ETIMEDOUT");
    tell(one, "unlock", "SHMX_OK");
    tell(other, "sleep", "sleeps");
    tell(one, "wake", "SHMX_OK");
    child_expect(other, "SHMX_OK");
    tell(other, "enter", "SHMX_OK");
    tell(one, "look", "SHMX_OK");
    tell(other, "lock", "SHMX_OK");
    tell(one, "lock", "SHMX_ETIMEDOUT");
    child_kill(other);
    child_wait(other);
    tell(one, "lock", "SHMX_EOWNERDEAD");
    tell(one, "look", "SHMX_ETIMEDOUT");
    tell(one, "unlock", "SHMX_OK");
}

static const struct {
    int maker, flags, user;
} pairs[] = {
    {0, 0, 1}, /* a service, and its clients */
    {0, 0, 2},
    {1, SHMX_MACHINE_WIDE, 0},
    {1, SHMX_MACHINE_WIDE, 2},
    {1, SHMX_PERSISTENT, 2}, /* one user twice */
    {2, SHMX_PERSISTENT, 1},
    {2, SHMX_PERSISTENT, 0},
};

static void sessions_share_a_segment(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        shmx *shm;
        const char *name = test_name();
        struct test_child *one = person_in(pairs[i].maker, name, pairs[i].flags);
        child_expect(one, "SHMX_OK");
        struct test_child *other = person_in(pairs[i].user, name, -1);
        child_expect(other, "SHMX_OK");
        work_together(one, other);
        child_finish(one);
        if ((pairs[i].flags & SHMX_PERSISTENT) != 0)
            assert_ok(shmx_unlink(name));
        assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    }
}

/* Each session has its own, but for what is in session 0 or machine-wide. */
static void a_session_is_for_itself(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    struct test_child *one = person_in(1, name, 0);
    child_expect(one, "SHMX_OK");
    struct test_child *other = person_in(2, name, -1);
    child_expect(other, "SHMX_ENOENT");
    child_finish(other);
    other = person_in(2, name, 0);
    child_expect(other, "SHMX_OK");
    child_finish(one);
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    child_finish(other);
    other = person_in(2, name, SHMX_MACHINE_WIDE);
    child_expect(other, "SHMX_EACCES");
    child_finish(other);
}

static void what_persists_is_unlinked_in_any_session(void **state)
{
    (void)state;
    shmx *shm;
    const char *name = test_name();
    struct test_child *one = person_in(2, name, SHMX_PERSISTENT);
    child_expect(one, "SHMX_OK");
    struct test_child *other = person_in(0, name, SHMX_PERSISTENT);
    child_expect(other, "SHMX_EEXIST");
    child_finish(other);
    assert_ok(shmx_unlink(name));
    assert_status(shmx_unlink(name), SHMX_ENOENT);
    other = person_in(2, name, -1);
    child_expect(other, "SHMX_ENOENT");
    child_finish(other);
    assert_ok(shmx_create(&shm, name, SIZE, 0));
    shmx_close(&shm);
    child_finish(one);
}

/* ---- names ---- */

NTSTATUS NTAPI NtCreateDirectoryObject(HANDLE *directory, ACCESS_MASK access,
                                       OBJECT_ATTRIBUTES *place);

static HANDLE directory_make(const char *name)
{
    HANDLE directory;
    wchar_t path[200];
    UNICODE_STRING string;
    OBJECT_ATTRIBUTES place;
    swprintf(path, 200, L"\\Sessions\\1\\BaseNamedObjects\\%hs", name);
    RtlInitUnicodeString(&string, path);
    InitializeObjectAttributes(&place, &string, OBJ_CASE_INSENSITIVE, NULL, NULL);
    assert_int_equal(NtCreateDirectoryObject(&directory, MAXIMUM_ALLOWED, &place), 0);
    return directory;
}

static void a_directory_may_have_a_segments_name(void **state)
{
    (void)state;
    shmx *shm, *again;
    shmx_info info;
    const char *name = test_name();
    HANDLE directory = directory_make(name);
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    for (unsigned flags = 0; flags <= SHMX_PERSISTENT; flags += SHMX_PERSISTENT) {
        assert_ok(shmx_create(&shm, name, SIZE, flags));
        assert_ok(shmx_open(&again, name, 0));
        assert_ok(shmx_stat(name, &info));
        shmx_close(&again);
        shmx_close(&shm);
    }
    assert_ok(shmx_unlink(name));
    CloseHandle(directory);
}

/* ---- listing ---- */

#define MANY 1500 /* more than there is room for at first */

static int count_one(const shmx_info *info, void *context)
{
    int *count = context;
    *count += strncmp(info->name, test_prefix(), strlen(test_prefix())) == 0;
    return 0;
}

/* While others come and go, which no reading in pieces survives. */
static void a_long_list_is_whole(void **state)
{
    (void)state;
    static shmx *segments[MANY];
    int others = 0;
    assert_ok(shmx_list(count_one, &others));
    for (int i = 0; i < MANY; i++)
        assert_ok(shmx_create(&segments[i], test_name(), 1, 0));
    for (int i = 0; i < 3; i++) {
        int count = 0;
        assert_ok(shmx_list(count_one, &count));
        assert_int_equal(count, others + MANY);
    }
    for (int i = 0; i < MANY; i++)
        shmx_close(&segments[i]);
}

static const struct test_part parts[] = {
    {"waiter", part_waiter}, {"holder", part_holder}, {"person", part_person}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(time_limits_are_the_clocks),
    cmocka_unit_test(older_systems_wait_too),
    cmocka_unit_test(pauses_are_no_ticks),
    cmocka_unit_test(scanned_files_are_waited_for),
    cmocka_unit_test(files_of_unlinked_segments_go),
    cmocka_unit_test(files_of_killed_users_go),
    cmocka_unit_test(memory_has_an_end),
    cmocka_unit_test(a_quota_is_no_io_error),
    cmocka_unit_test(sessions_share_a_segment),
    cmocka_unit_test(a_session_is_for_itself),
    cmocka_unit_test(what_persists_is_unlinked_in_any_session),
    cmocka_unit_test(a_directory_may_have_a_segments_name),
    cmocka_unit_test(a_long_list_is_whole),
};

TEST_MAIN(tests, parts)
