/* SPDX-License-Identifier: MIT */
/* Tests particular to Windows: names in use, names that differ in case, files of persistent
 * segments, other programs' objects, access control lists. */
#include "support.h"

#include <windows.h>

#include <aclapi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/shared.h"

#define SIZE 5000

static unsigned char first_byte(const shmx *shm)
{
    unsigned char byte;
    must(shmx_read(shm, 0, &byte, 1) == SHMX_OK);
    return byte;
}

static shmx *create_marked(const char *name, unsigned flags, unsigned char mark)
{
    shmx *shm;
    assert_ok(shmx_create(&shm, name, SIZE, flags));
    assert_int_equal(first_byte(shm), 0);
    assert_ok(shmx_write(shm, 0, &mark, 1));
    return shm;
}

/* The name leads to the segment with this mark; 0: to none. */
static void expect(const char *name, unsigned char mark)
{
    shmx *shm, *other;
    assert_status(shmx_open(&shm, name, SHMX_READ_ONLY), mark != 0 ? SHMX_OK : SHMX_ENOENT);
    if (mark == 0)
        return;
    assert_int_equal(first_byte(shm), mark);
    assert_int_equal(shmx_size(shm), SIZE);
    shmx_close(&shm);
    assert_status(shmx_create(&other, name, SIZE, 0), SHMX_EEXIST);
}

static const char *local_name(const char *name)
{
    static char whole[200];
    snprintf(whole, sizeof whole, "Local\\%s", name);
    return whole;
}

static HANDLE foreign_section(const char *name, DWORD protection, DWORD size)
{
    HANDLE section =
        CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, protection, 0, size, local_name(name));
    assert_non_null(section);
    return section;
}

/* ---- generations ---- */

static void a_name_is_free_while_its_former_segment_is_used(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *one = create_marked(name, 0, 1);
    assert_ok(shmx_unlink(name));
    assert_status(shmx_unlink(name), SHMX_ENOENT);
    expect(name, 0);
    shmx *two = create_marked(name, 0, 2);
    expect(name, 2);
    assert_int_equal(first_byte(one), 1);
    shmx_close(&one);
    expect(name, 2);
    shmx *again;
    assert_ok(shmx_open(&again, name, 0));
    shmx_close(&two);
    expect(name, 2);
    shmx_close(&again);
    expect(name, 0);
    shmx *three = create_marked(name, 0, 3);
    expect(name, 3);
    shmx_close(&three);
    expect(name, 0);
}

#define MANY 30

static void each_of_many_generations_is_found_while_it_lives(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *segments[MANY];
    for (unsigned char i = 0; i < MANY; i++) {
        segments[i] = create_marked(name, 0, (unsigned char)(i + 1));
        expect(name, (unsigned char)(i + 1));
        if (i < MANY - 1)
            assert_ok(shmx_unlink(name));
    }
    /* The lower ones go, some out of order: no holes that matter. */
    for (int i = 0; i < MANY - 1; i++) {
        shmx_close(&segments[i * 7 % (MANY - 1)]);
        expect(name, MANY);
    }
    assert_ok(shmx_unlink(name));
    expect(name, 0);
    shmx *low = create_marked(name, 0, 99);
    shmx_close(&segments[MANY - 1]);
    expect(name, 99);
    shmx_close(&low);
    expect(name, 0);
}

PART(user_of)
{
    (void)argc;
    shmx *shm;
    must(shmx_open(&shm, argv[1], 0) == SHMX_OK);
    say("%d", first_byte(shm));
    hear();
    shmx_close(&shm);
    return 0;
}

static void a_generation_lives_as_long_as_its_last_user_in_another_process(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *one = create_marked(name, 0, 1);
    assert_ok(shmx_unlink(name));
    shmx *two = create_marked(name, 0, 2);
    struct test_child *child = child_start("user_of", name);
    child_expect(child, "2");
    shmx_close(&one);
    shmx_close(&two);
    expect(name, 2);
    child_kill(child);
    child_wait(child);
    expect(name, 0);
}

/* ---- case ---- */

static void names_that_differ_in_case_are_different(void **state)
{
    (void)state;
    char names[4][200];
    const char *base = test_name();
    static const char *const tails[4] = {"-Tail", "-tail", "-TAIL", "-taiL"};
    shmx *segments[4];
    for (int i = 0; i < 4; i++) {
        snprintf(names[i], sizeof names[i], "%s%s", base, tails[i]);
        expect(names[i], 0);
        segments[i] = create_marked(names[i], 0, (unsigned char)(i + 1));
    }
    for (int i = 0; i < 4; i++)
        expect(names[i], (unsigned char)(i + 1));
    assert_ok(shmx_unlink(names[1]));
    expect(names[1], 0);
    shmx_close(&segments[0]);
    expect(names[0], 0);
    expect(names[2], 3);
    expect(names[3], 4);
    for (int i = 1; i < 4; i++)
        shmx_close(&segments[i]);
    for (int i = 0; i < 4; i++)
        expect(names[i], 0);
}

static void persistent_names_that_differ_in_case_are_different(void **state)
{
    (void)state;
    char names[3][200];
    const char *base = test_name();
    static const char *const tails[3] = {"-Tail", "-tail", "-TAIL"};
    for (int i = 0; i < 3; i++) {
        snprintf(names[i], sizeof names[i], "%s%s", base, tails[i]);
        shmx *shm = create_marked(names[i], SHMX_PERSISTENT, (unsigned char)(i + 1));
        shmx_close(&shm);
    }
    for (int i = 0; i < 3; i++)
        expect(names[i], (unsigned char)(i + 1));
    for (int i = 0; i < 3; i++) {
        assert_ok(shmx_unlink(names[i]));
        expect(names[i], 0);
    }
}

/* ---- persistent ---- */

static void a_persistent_segment_needs_no_users(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = create_marked(name, SHMX_PERSISTENT, 1);
    expect(name, 1);
    shmx_close(&shm);
    expect(name, 1);
    shmx_info info;
    assert_ok(shmx_stat(name, &info));
    assert_int_equal(info.users, 0);
    assert_int_equal(info.size, SIZE);
    assert_int_equal(info.flags, SHMX_PERSISTENT);
    assert_ok(shmx_open(&shm, name, 0));
    assert_ok(shmx_write(shm, 0, "\x05", 1));
    shmx_close(&shm);
    expect(name, 5);
    assert_ok(shmx_unlink(name));
    assert_status(shmx_unlink(name), SHMX_ENOENT);
    expect(name, 0);
}

static void a_persistent_segment_in_use_can_be_replaced(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *one = create_marked(name, SHMX_PERSISTENT, 1);
    assert_ok(shmx_unlink(name));
    expect(name, 0);
    shmx *two = create_marked(name, SHMX_PERSISTENT, 2);
    expect(name, 2);
    assert_ok(shmx_unlink(name));
    shmx *three = create_marked(name, 0, 3);
    expect(name, 3);
    assert_int_equal(first_byte(one), 1);
    assert_int_equal(first_byte(two), 2);
    shmx_close(&one);
    shmx_close(&two);
    expect(name, 3);
    shmx_close(&three);
    expect(name, 0);
}

/* The file in which a persistent segment without upper case in its name lies. */
static HANDLE file_open(const char *name, DWORD sharing)
{
    wchar_t path[600];
    DWORD size = 400 * sizeof *path;
    assert_int_equal(RegGetValueW(HKEY_CURRENT_USER, L"Software\\shmx", L"directory", RRF_RT_REG_SZ,
                                  NULL, path, &size),
                     ERROR_SUCCESS);
    size_t used = wcslen(path);
    path[used++] = L'\\';
    path[used++] = L'=';
    for (; *name != '\0'; name++)
        path[used++] = (wchar_t)*name;
    path[used] = L'\0';
    HANDLE file; /* another program may be looking into it */
    test_until((file = CreateFileW(path, GENERIC_READ, sharing, NULL, OPEN_EXISTING, 0, NULL)) !=
                   INVALID_HANDLE_VALUE ||
               GetLastError() != ERROR_SHARING_VIOLATION);
    return file;
}

static void closes_soon(void *file)
{
    Sleep(100); /* so that the open most likely meets it; the result is the same if not */
    CloseHandle(file);
}

/* As a scanner of viruses does it. */
static void a_moment_without_sharing_is_waited_out(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = create_marked(name, SHMX_PERSISTENT, 1);
    shmx_close(&shm);
    HANDLE file = file_open(name, 0);
    assert_true(file != INVALID_HANDLE_VALUE);
    struct test_thread *thread = thread_start(closes_soon, file);
    assert_ok(shmx_open(&shm, name, 0));
    thread_join(thread);
    assert_int_equal(first_byte(shm), 1);
    shmx_close(&shm);
    file = file_open(name, 0);
    assert_true(file != INVALID_HANDLE_VALUE);
    assert_status(shmx_create(&shm, name, SIZE, 0), SHMX_EEXIST); /* never a second one */
    thread = thread_start(closes_soon, file);
    assert_ok(shmx_unlink(name));
    thread_join(thread);
    expect(name, 0);
}

PART(maker_of_persistent)
{
    (void)argc;
    shmx *shm;
    must(shmx_create(&shm, argv[1], SIZE, SHMX_PERSISTENT) == SHMX_OK);
    must(shmx_write(shm, 0, "\x07", 1) == SHMX_OK);
    say("made");
    hear();
    return 0;
}

static void a_persistent_segment_survives_its_killed_maker(void **state)
{
    (void)state;
    const char *name = test_name();
    struct test_child *child = child_start("maker_of_persistent", name);
    child_expect(child, "made");
    child_kill(child);
    child_wait(child);
    expect(name, 7);
    int removed;
    assert_ok(shmx_prune(&removed));
    expect(name, 7);
    assert_ok(shmx_unlink(name));
    expect(name, 0);
}

static void persistent_is_the_users_own(void **state)
{
    (void)state;
    static const unsigned others[] = {SHMX_OTHERS_READ, SHMX_OTHERS_WRITE, SHMX_MACHINE_WIDE};
    shmx *shm;
    for (int i = 0; i < 3; i++)
        assert_status(shmx_create(&shm, test_name(), SIZE, SHMX_PERSISTENT | others[i]),
                      SHMX_ENOTSUP);
}

/* ---- machine-wide ---- */

static void the_session_goes_before_the_machine(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *wide;
    int status = shmx_create(&wide, name, SIZE, SHMX_MACHINE_WIDE);
    if (status == SHMX_EACCES)
        test_skip("this user may not make machine-wide objects");
    assert_ok(status);
    assert_ok(shmx_write(wide, 0, "\x01", 1));
    HANDLE session = OpenFileMappingA(FILE_MAP_READ, FALSE, local_name(name));
    if (session != NULL) {
        CloseHandle(session); /* of services: there the two are one */
        shmx_close(&wide);
        return;
    }
    shmx *shm;
    assert_ok(shmx_open(&shm, name, 0));
    assert_int_equal(first_byte(shm), 1);
    shmx_close(&shm);
    assert_status(shmx_create(&shm, name, SIZE, 0), SHMX_EEXIST); /* here it is one name */
    HANDLE foreign =
        CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, SIZE, local_name(name));
    assert_non_null(foreign);
    assert_ok(shmx_open(&shm, name, SHMX_READ_ONLY));
    assert_int_equal(first_byte(shm), 0);
    shmx_close(&shm);
    CloseHandle(foreign);
    expect(name, 1);
    assert_ok(shmx_unlink(name));
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    shmx *local = create_marked(name, 0, 2);
    assert_status(shmx_create(&shm, name, SIZE, SHMX_MACHINE_WIDE), SHMX_EEXIST);
    assert_ok(shmx_unlink(name));
    assert_status(shmx_unlink(name), SHMX_ENOENT);
    shmx_close(&local);
    shmx_close(&wide);
}

/* ---- listing ---- */

struct count {
    const char *name;
    int times;
    shmx_info info;
};

static int count_one(const shmx_info *info, void *context)
{
    struct count *count = context;
    if (strcmp(info->name, count->name) == 0) {
        count->times++;
        count->info = *info;
    }
    return 0;
}

static void a_name_is_listed_once(void **state)
{
    (void)state;
    struct count count = {test_name(), 0, {{0}, 0, 0, 0, 0, 0, 0, 0}};
    shmx *one = create_marked(count.name, 0, 1);
    assert_ok(shmx_unlink(count.name));
    assert_ok(shmx_list(count_one, &count));
    assert_int_equal(count.times, 0);
    shmx *two = create_marked(count.name, SHMX_PERSISTENT, 2);
    shmx *also;
    assert_ok(shmx_open(&also, count.name, 0));
    assert_ok(shmx_list(count_one, &count));
    assert_int_equal(count.times, 1);
    assert_int_equal(count.info.users, 2);
    assert_int_equal(count.info.creator_pid, GetCurrentProcessId());
    assert_int_equal(count.info.foreign, 0);
    shmx_close(&one);
    shmx_close(&two);
    shmx_close(&also);
    count.times = 0;
    assert_ok(shmx_list(count_one, &count));
    assert_int_equal(count.times, 1);
    assert_ok(shmx_unlink(count.name));
}

/* ---- other programs ---- */

static void another_programs_section_is_attached_as_it_is(void **state)
{
    (void)state;
    const char *name = test_name();
    HANDLE section = foreign_section(name, PAGE_READWRITE, SIZE);
    unsigned char *view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
    assert_non_null(view);
    view[SIZE - 1] = 9;
    shmx *shm, *other;
    assert_ok(shmx_open(&shm, name, 0));
    assert_int_equal(shmx_size(shm), 8192);
    assert_int_equal(((unsigned char *)shmx_data(shm))[SIZE - 1], 9);
    assert_status(shmx_create(&other, name, SIZE, 0), SHMX_EEXIST);
    assert_status(shmx_unlink(name), SHMX_ENOTSUP);
    shmx_info info;
    assert_ok(shmx_stat(name, &info));
    assert_int_equal(info.foreign, 1);
    UnmapViewOfFile(view);
    CloseHandle(section);
    shmx_close(&shm);
    expect(name, 0);
}

static void another_programs_section_in_another_case_is_not_meant(void **state)
{
    (void)state;
    char name[200], upper[200];
    snprintf(name, sizeof name, "%s-a", test_name());
    snprintf(upper, sizeof upper, "%.*s-A", (int)strlen(name) - 2, name);
    HANDLE section = foreign_section(upper, PAGE_READWRITE, SIZE);
    shmx *shm;
    assert_status(shmx_open(&shm, name, 0), SHMX_ENOENT);
    shm = create_marked(name, 0, 3);
    expect(name, 3);
    shmx_close(&shm);
    CloseHandle(section);
}

static void ours_goes_before_another_programs(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *one = create_marked(name, 0, 1);
    assert_ok(shmx_unlink(name));
    shmx *two = create_marked(name, 0, 2);
    shmx_close(&one);
    HANDLE section = foreign_section(name, PAGE_READWRITE, SIZE);
    expect(name, 2);
    shmx_close(&two);
    shmx *shm;
    assert_ok(shmx_open(&shm, name, 0));
    assert_int_equal(shmx_size(shm), 8192);
    shmx_close(&shm);
    CloseHandle(section);
    expect(name, 0);
}

/* A list goes on behind what has the name, though that cannot be opened. */
static void expect_listed_behind(const char *name)
{
    char behind[200];
    struct count count = {behind, 0, {{0}, 0, 0, 0, 0, 0, 0, 0}};
    snprintf(behind, sizeof behind, "%s-behind", name);
    shmx *shm = create_marked(behind, 0, 1);
    assert_ok(shmx_list(count_one, &count));
    assert_int_equal(count.times, 1);
    shmx_close(&shm);
}

static void a_section_without_memory_is_refused(void **state)
{
    (void)state;
    const char *name = test_name();
    HANDLE section = foreign_section(name, PAGE_READWRITE | SEC_RESERVE, 1 << 20);
    shmx *shm;
    assert_status(shmx_open(&shm, name, 0), SHMX_EPROTO);
    assert_status(shmx_create(&shm, name, SIZE, 0), SHMX_EEXIST);
    expect_listed_behind(name);
    CloseHandle(section);
    expect(name, 0);
}

/* All that a segment does, under a name that something else has. */
static void use_name(const char *name)
{
    expect(name, 0);
    assert_status(shmx_unlink(name), SHMX_ENOENT);
    shmx *one = create_marked(name, 0, 1);
    expect(name, 1);
    struct count count = {name, 0, {{0}, 0, 0, 0, 0, 0, 0, 0}};
    assert_ok(shmx_list(count_one, &count));
    assert_int_equal(count.times, 1);
    assert_ok(shmx_unlink(name));
    expect(name, 0);
    shmx *two = create_marked(name, SHMX_PERSISTENT, 2);
    expect(name, 2);
    shmx_close(&one);
    shmx_close(&two);
    expect(name, 2);
    assert_ok(shmx_unlink(name));
    expect(name, 0);
}

/* All kinds of object share one name space, and that of a session has links to others. */
static void a_name_is_free_though_something_else_has_it(void **state)
{
    (void)state;
    const char *name = test_name();
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, local_name(name));
    assert_non_null(event);
    use_name(name);
    assert_true(CloseHandle(event));
    HANDLE mutex = CreateMutexA(NULL, FALSE, local_name(name));
    assert_non_null(mutex);
    use_name(name);
    assert_true(CloseHandle(mutex));
    use_name("Global");
    use_name("Local");
    use_name("Session");
}

static void a_lying_index_harms_nobody(void **state)
{
    (void)state;
    char index[200];
    const char *name = test_name();
    snprintf(index, sizeof index, "%s#", name);
    HANDLE section = foreign_section(index, PAGE_READWRITE, 4096);
    uint32_t *number = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
    assert_non_null(number);
    *number = UINT32_MAX;
    expect(name, 0);
    shmx *shm = create_marked(name, 0, 1);
    expect(name, 1);
    shmx_close(&shm);
    UnmapViewOfFile(number);
    CloseHandle(section);
}

static void a_raw_segment_is_a_plain_section(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = create_marked(name, SHMX_RAW, 4);
    HANDLE section = OpenFileMappingA(FILE_MAP_READ, FALSE, local_name(name));
    assert_non_null(section);
    const unsigned char *view = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
    assert_non_null(view);
    assert_int_equal(view[0], 4);
    for (size_t i = 1; i < 8192; i++)
        assert_int_equal(view[i], 0);
    assert_status(shmx_unlink(name), SHMX_ENOTSUP);
    UnmapViewOfFile(view);
    CloseHandle(section);
    shmx_close(&shm);
    expect(name, 0);
}

/* A section of ours is found by its plain name, data at its start. */
static void another_program_finds_ours(void **state)
{
    (void)state;
    const char *name = test_name();
    shmx *shm = create_marked(name, 0, 6);
    HANDLE section = OpenFileMappingA(FILE_MAP_READ, FALSE, name);
    assert_non_null(section);
    const unsigned char *view = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 1);
    assert_non_null(view);
    assert_int_equal(view[0], 6);
    UnmapViewOfFile(view);
    CloseHandle(section);
    shmx_close(&shm);
}

/* ---- the lock ---- */

PART(holder_of_lock)
{
    (void)argc;
    HANDLE lock = CreateMutexA(NULL, FALSE, argv[1]);
    must(WaitForSingleObject(lock, 0) == WAIT_OBJECT_0);
    say("held");
    hear();
    return 0;
}

static void a_name_whose_lock_is_held_too_long_is_eagain(void **state)
{
    (void)state;
    char lock[200];
    const char *name = test_name();
    snprintf(lock, sizeof lock, "Local\\%s#lock", name);
    struct test_child *child = child_start("holder_of_lock", lock);
    child_expect(child, "held");
    shmx *shm;
    assert_status(shmx_create(&shm, name, SIZE, 0), SHMX_EAGAIN);
    int64_t start = test_now_ms();
    assert_status(shmx_open_wait(&shm, name, 0, 50), SHMX_ETIMEDOUT);
    assert_true(test_now_ms() - start < 2000);
    child_kill(child);
    child_wait(child);
    shm = create_marked(name, 0, 1);
    shmx_close(&shm);
}

/* As a maker does it who has not come further. */
PART(maker_of_half)
{
    (void)argc;
    DWORD room[64];
    ACL *list = (ACL *)room;
    SID world = {SID_REVISION, 1, {SECURITY_WORLD_SID_AUTHORITY}, {SECURITY_WORLD_RID}};
    SECURITY_DESCRIPTOR descriptor;
    SECURITY_ATTRIBUTES attributes = {sizeof attributes, &descriptor, FALSE};
    must(InitializeAcl(list, sizeof room, ACL_REVISION));
    must(AddAccessAllowedAce(list, ACL_REVISION, SECTION_QUERY | READ_CONTROL, &world));
    must(InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION));
    must(SetSecurityDescriptorDacl(&descriptor, TRUE, list, FALSE));
    must(CreateFileMappingA(INVALID_HANDLE_VALUE, &attributes, PAGE_READWRITE, 0, 8192,
                            local_name(argv[1])) != NULL);
    say("sealed");
    hear();
    return 0;
}

static void a_half_made_segment_is_never_seen(void **state)
{
    (void)state;
    const char *name = test_name();
    struct test_child *child = child_start("maker_of_half", name);
    child_expect(child, "sealed");
    shmx *shm;
    assert_status(shmx_open(&shm, name, 0), SHMX_EAGAIN);
    assert_status(shmx_create(&shm, name, SIZE, 0), SHMX_EAGAIN);
    assert_status(shmx_unlink(name), SHMX_EAGAIN);
    child_kill(child);
    child_wait(child);
    expect(name, 0);
    shm = create_marked(name, 0, 1);
    expect(name, 1);
    shmx_close(&shm);
}

/* ---- access ---- */

/* Rights that everybody has by the section's list; the list has so many entries. */
static DWORD rights_of_everyone(const char *name, int *entries)
{
    HANDLE section = OpenFileMappingA(READ_CONTROL, FALSE, local_name(name));
    assert_non_null(section);
    ACL *list = NULL;
    PSECURITY_DESCRIPTOR descriptor = NULL;
    assert_int_equal(GetSecurityInfo(section, SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION, NULL,
                                     NULL, &list, NULL, &descriptor),
                     ERROR_SUCCESS);
    CloseHandle(section);
    assert_non_null(list);
    DWORD rights = 0;
    *entries = list->AceCount;
    for (DWORD i = 0; i < list->AceCount; i++) {
        ACCESS_ALLOWED_ACE *entry;
        assert_true(GetAce(list, i, (void **)&entry));
        SID *sid = (SID *)&entry->SidStart;
        if (IsWellKnownSid(sid, WinWorldSid))
            rights |= entry->Mask;
    }
    LocalFree(descriptor);
    return rights;
}

static void others_have_the_rights_that_the_flags_say(void **state)
{
    (void)state;
    static const struct {
        unsigned flags;
        int entries;
        DWORD rights;
    } cases[] = {
        {0, 1, 0},
        {SHMX_RAW, 1, 0},
        {SHMX_OTHERS_READ, 2, SECTION_QUERY | SECTION_MAP_READ},
        {SHMX_OTHERS_WRITE, 2, SECTION_QUERY | SECTION_MAP_READ | SECTION_MAP_WRITE},
        {SHMX_OTHERS_WRITE | SHMX_RAW, 2, SECTION_QUERY | SECTION_MAP_READ | SECTION_MAP_WRITE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int entries;
        const char *name = test_name();
        shmx *shm = create_marked(name, cases[i].flags, 1);
        assert_int_equal(rights_of_everyone(name, &entries), cases[i].rights);
        assert_int_equal(entries, cases[i].entries);
        shmx_close(&shm);
    }
}

/* Nobody has any right. */
static void what_may_not_be_opened_is_eacces(void **state)
{
    (void)state;
    const char *name = test_name();
    ACL list;
    SECURITY_DESCRIPTOR descriptor;
    SECURITY_ATTRIBUTES attributes = {sizeof attributes, &descriptor, FALSE};
    assert_true(InitializeAcl(&list, sizeof list, ACL_REVISION));
    assert_true(InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION));
    assert_true(SetSecurityDescriptorDacl(&descriptor, TRUE, &list, FALSE));
    HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, &attributes, PAGE_READWRITE, 0, SIZE,
                                        local_name(name));
    assert_non_null(section);
    shmx *shm;
    assert_status(shmx_open(&shm, name, 0), SHMX_EACCES);
    assert_int_equal(shmx_os_error(), ERROR_ACCESS_DENIED);
    assert_status(shmx_open(&shm, name, SHMX_READ_ONLY), SHMX_EACCES);
    assert_status(shmx_create(&shm, name, SIZE, 0), SHMX_EEXIST);
    assert_status(shmx_unlink(name), SHMX_EACCES);
    expect_listed_behind(name);
    CloseHandle(section);
    expect(name, 0);
}

/* Programs below this level may not write to it. */
static DWORD level_of(const char *name)
{
    HANDLE section = OpenFileMappingA(READ_CONTROL, FALSE, local_name(name));
    assert_non_null(section);
    ACL *list = NULL;
    PSECURITY_DESCRIPTOR descriptor = NULL;
    SYSTEM_MANDATORY_LABEL_ACE *entry;
    assert_int_equal(GetSecurityInfo(section, SE_KERNEL_OBJECT, LABEL_SECURITY_INFORMATION, NULL,
                                     NULL, NULL, &list, &descriptor),
                     ERROR_SUCCESS);
    CloseHandle(section);
    assert_non_null(list);
    assert_int_equal(list->AceCount, 1);
    assert_true(GetAce(list, 0, (void **)&entry));
    assert_int_equal(entry->Header.AceType, SYSTEM_MANDATORY_LABEL_ACE_TYPE);
    DWORD level = *GetSidSubAuthority((SID *)&entry->SidStart, 0);
    LocalFree(descriptor);
    return level;
}

/* An elevated process, as Wine's are, has a higher level than the user's others. */
static void all_of_the_users_programs_attach(void **state)
{
    (void)state;
    static const unsigned flags[] = {0, SHMX_RAW, SHMX_PERSISTENT, SHMX_OTHERS_WRITE};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        const char *name = test_name();
        shmx *shm = create_marked(name, flags[i], 1);
        assert_int_equal(level_of(name), SECURITY_MANDATORY_MEDIUM_RID);
        if ((flags[i] & SHMX_PERSISTENT) != 0)
            assert_ok(shmx_unlink(name));
        shmx_close(&shm);
    }
}

/* ---- handing on ---- */

PART(adopter)
{
    (void)argc;
    shmx *shm, *again;
    unsigned flags = (unsigned)atoi(argv[2]);
    int status = shmx_adopt(&shm, argv[1], flags);
    say("%s", shmx_status_name(status));
    if (status != SHMX_OK)
        return 0;
    must(shmx_adopt(&again, argv[1], flags) == SHMX_ENOENT);
    say("%s %d %d", shmx_name(shm), first_byte(shm), (int)shmx_size(shm));
    status = shmx_write(shm, 1, "\x08", 1);
    say("%s", shmx_status_name(status));
    hear();
    shmx_close(&shm);
    return 0;
}

static struct test_child *start_adopter(const char *token, const char *flags)
{
    return child_start("adopter", token, flags);
}

static void a_nameless_segment_is_handed_to_a_child(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX];
    shmx *shm = create_marked("", 0, 1);
    assert_ok(shmx_share(shm, token, sizeof token));
    struct test_child *child = start_adopter(token, "0");
    child_expect(child, "SHMX_OK");
    child_expect(child, " 1 5000");
    child_expect(child, "SHMX_OK");
    unsigned char byte;
    assert_ok(shmx_read(shm, 1, &byte, 1));
    assert_int_equal(byte, 8);
    child_finish(child);
    child = start_adopter(token, "1");
    child_expect(child, "SHMX_OK");
    child_expect(child, " 1 5000");
    child_expect(child, "SHMX_EACCES");
    child_finish(child);
    shmx_close(&shm);
}

static void what_was_read_only_stays_so(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX];
    const char *name = test_name();
    shmx *shm = create_marked(name, 0, 1), *reader;
    assert_ok(shmx_open(&reader, name, SHMX_READ_ONLY));
    assert_ok(shmx_share(reader, token, sizeof token));
    struct test_child *child = start_adopter(token, "0");
    child_expect(child, "SHMX_EACCES");
    assert_int_equal(child_wait(child), 0);
    shmx_close(&reader);
    shmx_close(&shm);
}

static void a_generation_handed_on_stays_findable(void **state)
{
    (void)state;
    char token[SHMX_TOKEN_MAX], wanted[300];
    const char *name = test_name();
    shmx *one = create_marked(name, 0, 1);
    assert_ok(shmx_unlink(name));
    shmx *two = create_marked(name, 0, 2);
    assert_ok(shmx_share(two, token, sizeof token));
    struct test_child *child = start_adopter(token, "0");
    child_expect(child, "SHMX_OK");
    snprintf(wanted, sizeof wanted, "%s 2 5000", name);
    child_expect(child, wanted);
    child_expect(child, "SHMX_OK");
    shmx_close(&one);
    shmx_close(&two);
    expect(name, 2);
    child_finish(child);
    expect(name, 0);
}

static void what_is_no_token_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",           "shmx",          "shmx-",        "shmx-0-0-0-0",
        "shmx-4-0-1", "shmx-4-0-1-2x", "shmx-x-0-1-2", "shmx-4 0 1 2"};
    shmx *shm;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_status(shmx_adopt(&shm, wrong[i], 0), SHMX_EINVAL);
    assert_status(shmx_adopt(&shm, "shmx-fffffff0-0-1-2", 0), SHMX_ENOENT);
    char token[SHMX_TOKEN_MAX];
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
    snprintf(token, sizeof token, "shmx-%x-0-1-2", (unsigned)(uintptr_t)event);
    assert_status(shmx_adopt(&shm, token, 0), SHMX_ENOENT);
    assert_true(CloseHandle(event));
}

/* ---- nothing stays ---- */

static void no_handle_is_left(void **state)
{
    (void)state;
    shmx *shm, *other;
    shmx *first = create_marked(test_name(), SHMX_PERSISTENT, 1); /* what is made once */
    assert_ok(shmx_unlink(shmx_name(first)));
    shmx_close(&first);
    int before = test_open_handles();
    for (int i = 0; i < 3; i++) {
        const char *name = test_name();
        shm = create_marked(name, i == 0 ? SHMX_PERSISTENT : 0, 1);
        assert_ok(shmx_unlink(name));
        other = create_marked(name, i == 1 ? SHMX_PERSISTENT : 0, 2);
        expect(name, 2);
        shmx_close(&shm);
        assert_ok(shmx_unlink(name));
        shmx_close(&other);
        expect(name, 0);
        assert_int_equal(test_open_handles(), before);
    }
}

static const struct test_part parts[] = {{"user_of", part_user_of},
                                         {"maker_of_persistent", part_maker_of_persistent},
                                         {"holder_of_lock", part_holder_of_lock},
                                         {"maker_of_half", part_maker_of_half},
                                         {"adopter", part_adopter},
                                         {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_name_is_free_while_its_former_segment_is_used),
    cmocka_unit_test(each_of_many_generations_is_found_while_it_lives),
    cmocka_unit_test(a_generation_lives_as_long_as_its_last_user_in_another_process),
    cmocka_unit_test(names_that_differ_in_case_are_different),
    cmocka_unit_test(persistent_names_that_differ_in_case_are_different),
    cmocka_unit_test(a_persistent_segment_needs_no_users),
    cmocka_unit_test(a_persistent_segment_in_use_can_be_replaced),
    cmocka_unit_test(a_persistent_segment_survives_its_killed_maker),
    cmocka_unit_test(a_moment_without_sharing_is_waited_out),
    cmocka_unit_test(persistent_is_the_users_own),
    cmocka_unit_test(the_session_goes_before_the_machine),
    cmocka_unit_test(a_name_is_listed_once),
    cmocka_unit_test(another_programs_section_is_attached_as_it_is),
    cmocka_unit_test(another_programs_section_in_another_case_is_not_meant),
    cmocka_unit_test(ours_goes_before_another_programs),
    cmocka_unit_test(a_section_without_memory_is_refused),
    cmocka_unit_test(a_name_is_free_though_something_else_has_it),
    cmocka_unit_test(a_lying_index_harms_nobody),
    cmocka_unit_test(a_raw_segment_is_a_plain_section),
    cmocka_unit_test(another_program_finds_ours),
    cmocka_unit_test(a_name_whose_lock_is_held_too_long_is_eagain),
    cmocka_unit_test(a_half_made_segment_is_never_seen),
    cmocka_unit_test(others_have_the_rights_that_the_flags_say),
    cmocka_unit_test(what_may_not_be_opened_is_eacces),
    cmocka_unit_test(all_of_the_users_programs_attach),
    cmocka_unit_test(a_nameless_segment_is_handed_to_a_child),
    cmocka_unit_test(what_was_read_only_stays_so),
    cmocka_unit_test(a_generation_handed_on_stays_findable),
    cmocka_unit_test(what_is_no_token_is_refused),
    cmocka_unit_test(no_handle_is_left),
};

TEST_MAIN(tests, parts)
