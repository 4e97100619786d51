/* SPDX-License-Identifier: MIT */
/* The simulation that makes Wine strict keeps the rules of Windows. */
#include "support.h"

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <winternl.h>

#define TICK_MS 15.625
#define SLACK_MS 8 /* of Wine, on a busy machine; a wait that is late is tried again */
#define TRIES 50

/* ---- time ---- */

static double now(void)
{
    LARGE_INTEGER count, frequency;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return (double)count.QuadPart * 1000 / (double)frequency.QuadPart;
}

static double behind_tick(double time)
{
    return time - (double)(uint64_t)(time / TICK_MS) * TICK_MS;
}

static void wait_for_nothing(DWORD milliseconds)
{
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
    assert_int_equal(WaitForSingleObject(event, milliseconds), WAIT_TIMEOUT);
    CloseHandle(event);
}

static void wait_for_timer(DWORD flags, DWORD milliseconds)
{
    LARGE_INTEGER due = {.QuadPart = -10000 * (LONGLONG)milliseconds};
    HANDLE timer = CreateWaitableTimerExW(NULL, NULL, flags, TIMER_MODIFY_STATE | SYNCHRONIZE);
    assert_non_null(timer);
    assert_true(SetWaitableTimer(timer, &due, 0, NULL, NULL, FALSE));
    assert_int_equal(WaitForSingleObject(timer, INFINITE), WAIT_OBJECT_0);
    CloseHandle(timer);
}

static void wait_for_plain_timer(DWORD milliseconds)
{
    wait_for_timer(0, milliseconds);
}

static void sleep_for(DWORD milliseconds)
{
    Sleep(milliseconds);
}

/* Of several times one ends soon after a tick; and one ends early, one late. */
static void ends_with_ticks(void (*wait)(DWORD milliseconds))
{
    bool exact = false, early = false, late = false;
    for (int i = 0; i < TRIES && !(exact && early && late); i++) {
        double before;
        do
            before = now();
        while (i % 2 == 0 ? behind_tick(before) < 13 : behind_tick(before) > 6);
        wait(5);
        double after = now();
        exact = exact || behind_tick(after) < 1.5;
        early = early || after - before < 5;
        late = late || after - before > 6.5;
    }
    assert_true(exact);
    assert_true(early);
    assert_true(late);
}

static void ticks(void **state)
{
    (void)state;
    ends_with_ticks(sleep_for);
    ends_with_ticks(wait_for_nothing);
    double before = now();
    Sleep(0);
    wait_for_nothing(0);
    assert_true(now() - before < TICK_MS + SLACK_MS);
}

static void tick_count(void **state)
{
    (void)state;
    ULONGLONG first = GetTickCount64(), next;
    while ((next = GetTickCount64()) == first)
        YieldProcessor();
    assert_true(next - first >= 15);
}

#define HIGH_RESOLUTION 2 /* CREATE_WAITABLE_TIMER_HIGH_RESOLUTION */

static void timers(void **state)
{
    (void)state;
    ends_with_ticks(wait_for_plain_timer);
    bool exact = false;
    for (int i = 0; i < TRIES && !exact; i++) {
        double before = now();
        wait_for_timer(HIGH_RESOLUTION, 1);
        double after = now();
        exact = after - before >= 1 && after - before < 3;
    }
    assert_true(exact);
    SetEnvironmentVariableA(SIM_OLD, "1");
    assert_null(CreateWaitableTimerExW(NULL, NULL, HIGH_RESOLUTION, SYNCHRONIZE));
    assert_int_equal(GetLastError(), ERROR_INVALID_PARAMETER);
    SetEnvironmentVariableA(SIM_OLD, NULL);
}

/* ---- files ---- */

static const wchar_t *temporary_path(void)
{
    static wchar_t path[MAX_PATH];
    DWORD used = GetTempPathW(MAX_PATH / 2, path);
    swprintf(path + used, MAX_PATH / 2, L"%hs", test_name());
    return path;
}

static HANDLE open_again(const wchar_t *path)
{
    return CreateFileW(path, GENERIC_READ | DELETE,
                       FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                       0, NULL);
}

/* A file of 4096 bytes. */
static HANDLE make(const wchar_t *path)
{
    LARGE_INTEGER end = {.QuadPart = 4096};
    HANDLE file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE,
                              FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                              CREATE_NEW, 0, NULL);
    assert_true(file != INVALID_HANDLE_VALUE);
    assert_true(SetFilePointerEx(file, end, NULL, FILE_BEGIN) && SetEndOfFile(file));
    return file;
}

static void delete_patiently(const wchar_t *path)
{
    test_until(DeleteFileW(path) || GetLastError() != ERROR_SHARING_VIOLATION);
    assert_int_equal(GetFileAttributesW(path), INVALID_FILE_ATTRIBUTES);
}

static void scanned(void **state)
{
    (void)state;
    const wchar_t *path = temporary_path();
    int refused = 0;
    double longest = 0;
    CloseHandle(make(path));
    for (int i = 0; i < TRIES; i++) {
        HANDLE file;
        double before = now();
        while ((file = open_again(path)) == INVALID_HANDLE_VALUE) {
            assert_int_equal(GetLastError(), ERROR_SHARING_VIOLATION);
            refused++;
        }
        longest = now() - before > longest ? now() - before : longest;
        CloseHandle(file);
    }
    assert_true(refused > 0);
    assert_true(longest > TICK_MS);
    delete_patiently(path);
}

/* Neither by name nor by handle, as long as there is a section or a view. */
static void mapped(void **state)
{
    (void)state;
    const wchar_t *path = temporary_path();
    HANDLE file = make(path);
    HANDLE section = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, 0, NULL);
    assert_non_null(section);
    CloseHandle(file);
    for (int i = 0; i < 2; i++) {
        test_until(!DeleteFileW(path) && GetLastError() == ERROR_ACCESS_DENIED);
        test_until((file = open_again(path)) != INVALID_HANDLE_VALUE);
        FILE_DISPOSITION_INFO delete = {TRUE};
        assert_false(SetFileInformationByHandle(file, FileDispositionInfo, &delete, sizeof delete));
        assert_int_equal(GetLastError(), ERROR_ACCESS_DENIED);
        CloseHandle(file);
        if (i == 0) {
            void *view = MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0);
            assert_non_null(view);
            CloseHandle(section);
            section = view;
        }
    }
    UnmapViewOfFile(section);
    delete_patiently(path);
}

/* ---- memory ---- */

static DWORD section_error(DWORD high, DWORD low)
{
    HANDLE section =
        CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, high, low, NULL);
    DWORD error = section != NULL ? ERROR_SUCCESS : GetLastError();
    if (section != NULL)
        CloseHandle(section);
    return error;
}

static void memory(void **state)
{
    (void)state;
    assert_int_equal(section_error(1, 0), ERROR_SUCCESS); /* of 4 GiB */
    assert_int_equal(section_error(9, 0), ERROR_COMMITMENT_LIMIT);
    sim_memory_ends(4096, ERROR_NOT_ENOUGH_QUOTA);
    assert_int_equal(section_error(0, 4096), ERROR_SUCCESS);
    assert_int_equal(section_error(0, 4097), ERROR_NOT_ENOUGH_QUOTA);
    sim_memory_ends(0, 0);
    assert_int_equal(section_error(0, 4097), ERROR_SUCCESS);
}

static void disk(void **state)
{
    (void)state;
    const wchar_t *path = temporary_path();
    LARGE_INTEGER end = {.QuadPart = 8192};
    HANDLE file = make(path);
    sim_disk_ends(4096, ERROR_DISK_QUOTA_EXCEEDED);
    assert_true(SetFilePointerEx(file, end, NULL, FILE_BEGIN));
    assert_false(SetEndOfFile(file));
    assert_int_equal(GetLastError(), ERROR_DISK_QUOTA_EXCEEDED);
    sim_disk_ends(0, 0);
    assert_true(SetEndOfFile(file));
    CloseHandle(file);
    delete_patiently(path);
}

/* ---- sessions ---- */

static struct test_child *child_in(const char *session, const char *part, const char *name)
{
    _putenv_s(SIM_SESSION, session);
    struct test_child *child = child_start(part, name);
    _putenv_s(SIM_SESSION, "");
    return child;
}

static HANDLE event_in(const char *space, const char *name, bool make)
{
    char whole[200];
    snprintf(whole, sizeof whole, "%s\\%s", space, name);
    return make ? CreateEventA(NULL, TRUE, FALSE, whole) : OpenEventA(SYNCHRONIZE, FALSE, whole);
}

static bool is_there(const char *space, const char *name)
{
    HANDLE event = event_in(space, name, false);
    if (event != NULL)
        CloseHandle(event);
    return event != NULL;
}

PART(neighbour) /* NAME: says its session's number, and where there is an event of that name */
{
    DWORD session;
    char own[200];
    must(argc == 2 && ProcessIdToSessionId(GetCurrentProcessId(), &session));
    say("%lu %d %d", (unsigned long)session, is_there("Local", argv[1]),
        is_there("Global", argv[1]));
    snprintf(own, sizeof own, "%s-own", argv[1]);
    must(event_in("Local", own, true) != NULL);
    say("made");
    hear();
    return 0;
}

struct session {
    const char *number;
    const char *sees_local;  /* what is in Local\ of session 1 */
    const char *sees_global; /* what is in Global\ */
    bool local, global;      /* where session 1 finds what is in its Local\ */
};

static const struct session all_sessions[] = {
    {"0", "0 0 0", "0 1 1", false, true},
    {"1", "1 1 0", "1 0 1", true, false},
    {"2", "2 0 0", "2 0 1", false, false},
};

static void neighbour_sees(const struct session *session, const char *space, const char *sees)
{
    char own[200];
    const char *name = test_name();
    HANDLE event = event_in(space, name, true);
    assert_non_null(event);
    struct test_child *child = child_in(session->number, "neighbour", name);
    child_expect(child, sees);
    child_expect(child, "made");
    snprintf(own, sizeof own, "%s-own", name);
    assert_int_equal(is_there("Local", own), session->local);
    assert_int_equal(is_there("Global", own), session->global);
    child_finish(child);
    CloseHandle(event);
}

static void sessions(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        neighbour_sees(&all_sessions[i], "Local", all_sessions[i].sees_local);
        neighbour_sees(&all_sessions[i], "Global", all_sessions[i].sees_global);
    }
}

PART(maker) /* NAME: says how it makes a section, and an event, that are not there, in Global */
{
    char name[200];
    must(argc == 2);
    snprintf(name, sizeof name, "Global\\%s", argv[1]);
    HANDLE known = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, name);
    must(known != NULL && GetLastError() == ERROR_ALREADY_EXISTS);
    strcat(name, "-new");
    HANDLE made = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, name);
    DWORD error = made != NULL ? ERROR_SUCCESS : GetLastError();
    strcat(name, "-event");
    must(CreateEventA(NULL, TRUE, FALSE, name) != NULL);
    say("%lu", (unsigned long)error);
    return 0;
}

static void privilege(void **state)
{
    (void)state;
    static const char *const says[] = {"0", "0", "5"}; /* ERROR_ACCESS_DENIED */
    for (int i = 0; i < 3; i++) {
        char name[200];
        const char *base = test_name();
        snprintf(name, sizeof name, "Global\\%s", base);
        HANDLE section =
            CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, name);
        assert_non_null(section);
        struct test_child *child = child_in(all_sessions[i].number, "maker", base);
        child_expect(child, says[i]);
        assert_int_equal(child_wait(child), 0);
        CloseHandle(section);
    }
}

/* ---- directories of the kernel ---- */

#define MANY 100

struct entry {
    UNICODE_STRING name, type;
};

NTSTATUS NTAPI NtOpenDirectoryObject(HANDLE *directory, ACCESS_MASK access,
                                     OBJECT_ATTRIBUTES *place);

static HANDLE open_directory(void)
{
    HANDLE directory;
    UNICODE_STRING string;
    OBJECT_ATTRIBUTES place;
    RtlInitUnicodeString(&string, L"\\BaseNamedObjects");
    InitializeObjectAttributes(&place, &string, OBJ_CASE_INSENSITIVE, NULL, NULL);
    assert_int_equal(NtOpenDirectoryObject(&directory, 1, &place), 0);
    return directory;
}

/* Count events whose names begin so. */
static int count_of(const struct entry *entry, const char *start)
{
    char name[200];
    snprintf(name, sizeof name, "%ls", entry->name.Buffer);
    return strncmp(name, start, strlen(start)) == 0 && wcscmp(entry->type.Buffer, L"Event") == 0;
}

static int count_singly(HANDLE directory, const char *start)
{
    static char out[4096];
    ULONG context = 0, used;
    int count = 0;
    for (BOOLEAN restart = TRUE;
         NtQueryDirectoryObject(directory, out, sizeof out, TRUE, restart, &context, &used) == 0;
         restart = FALSE)
        count += count_of((const struct entry *)out, start);
    return count;
}

static LONG count_at_once(HANDLE directory, const char *start, ULONG size, int *count)
{
    static char out[65536];
    ULONG context = 0, used;
    *count = 0;
    LONG result = NtQueryDirectoryObject(directory, out, size, FALSE, TRUE, &context, &used);
    for (const struct entry *entry = (const void *)out; entry->name.Buffer != NULL; entry++)
        *count += count_of(entry, start);
    return result;
}

static void listing(void **state)
{
    (void)state;
    HANDLE events[MANY], directory = open_directory();
    const char *start = test_name();
    int count;
    for (int i = 0; i < MANY; i++) {
        char name[200];
        snprintf(name, sizeof name, "%s-%d", start, i);
        assert_non_null(events[i] = event_in("Global", name, true));
    }
    assert_in_range(count_singly(directory, start), 1, MANY - 1);
    assert_int_equal(count_at_once(directory, start, 65536, &count), 0);
    assert_int_equal(count, MANY);
    assert_int_equal(count_at_once(directory, start, 4096, &count), 0x105); /* more entries */
    assert_in_range(count, 1, MANY - 1);
    for (int i = 0; i < MANY; i++)
        CloseHandle(events[i]);
    CloseHandle(directory);
}

static const struct test_part parts[] = {
    {"neighbour", part_neighbour}, {"maker", part_maker}, {NULL, NULL}};

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(ticks),   cmocka_unit_test(tick_count), cmocka_unit_test(timers),
    cmocka_unit_test(scanned), cmocka_unit_test(mapped),     cmocka_unit_test(memory),
    cmocka_unit_test(disk),    cmocka_unit_test(sessions),   cmocka_unit_test(privilege),
    cmocka_unit_test(listing),
};

TEST_MAIN(tests, parts)
