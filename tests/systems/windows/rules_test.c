/* SPDX-License-Identifier: MIT */
/* What makes Wine strict keeps the rules of Windows. */
#include "support.h"

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

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

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(ticks),   cmocka_unit_test(tick_count), cmocka_unit_test(timers),
    cmocka_unit_test(scanned), cmocka_unit_test(mapped),
};

TEST_MAIN(tests, no_parts)
