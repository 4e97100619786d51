/* SPDX-License-Identifier: MIT */
/*
 * Windows 10: what it does and Wine does not. Each rule stands with the page of Microsoft's
 * documentation, or the file and function of ReactOS, that it is from; NAMES in brackets are
 * rules_test.c's.
 */
#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <winternl.h>

/* True once in so many calls with that counter: what a system does sometimes. */
static BOOL sometimes(volatile LONG *calls, LONG in)
{
    return InterlockedIncrement(calls) % in == 0;
}

static BOOL is_set(const char *name)
{
    return GetEnvironmentVariableA(name, NULL, 0) != 0;
}

/* ---- time ---- */

/* In units of 100 ns, the same for all processes. */
static uint64_t time_now(void)
{
    LARGE_INTEGER count, frequency;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    uint64_t whole = (uint64_t)(count.QuadPart / frequency.QuadPart);
    uint64_t rest = (uint64_t)(count.QuadPart % frequency.QuadPart);
    return whole * 10000000 + rest * 10000000 / (uint64_t)frequency.QuadPart;
}

/* Sleep; Wait Functions and Time-out Intervals: the clock ticks at a constant rate, and a wait that
 * is shorter than a tick may end in less than its time, one between one and two ticks after either.
 * The time begins with the last tick, and ends with a tick (ntoskrnl/ke/wait.c: KiInsertTreeTimer
 * counts from KeQueryInterruptTime). Since version 2004 no other process makes the ticks shorter
 * (timeBeginPeriod) [ticks]. */
static DWORD to_tick(DWORD milliseconds)
{
    if (milliseconds == 0 || milliseconds == INFINITE)
        return milliseconds;
    uint64_t now = time_now();
    uint64_t due = now / SIM_TICK * SIM_TICK + (uint64_t)milliseconds * 10000;
    uint64_t end = (due + SIM_TICK - 1) / SIM_TICK * SIM_TICK;
    return end > now ? (DWORD)((end - now + 9999) / 10000) : 1;
}

void sim_sleep(DWORD milliseconds)
{
    (Sleep)(to_tick(milliseconds));
}

DWORD sim_wait(HANDLE object, DWORD milliseconds)
{
    return (WaitForSingleObject)(object, to_tick(milliseconds));
}

/* GetTickCount64: its resolution is that of the system timer [tick_count]. */
ULONGLONG sim_tick_count(void)
{
    return time_now() / SIM_TICK * SIM_TICK / 10000;
}

/* A handle's lowest two bits are the program's own (OBJ_HANDLE_TAGBITS in ntdef.h). */
#define HIGH_RESOLUTION 1

#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 0x00000002
#endif

/* CreateWaitableTimerExW: this flag came with version 1803 [timers]. */
HANDLE sim_timer_make(SECURITY_ATTRIBUTES *security, const wchar_t *name, DWORD flags, DWORD rights)
{
    BOOL high = (flags & CREATE_WAITABLE_TIMER_HIGH_RESOLUTION) != 0;
    if (high && is_set(SIM_OLD)) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    HANDLE timer = (CreateWaitableTimerExW)(security, name, flags, rights);
    return timer != NULL && high ? (HANDLE)((uintptr_t)timer | HIGH_RESOLUTION) : timer;
}

/* SetWaitableTimer: without that flag the time ends with a tick [timers]. */
BOOL sim_timer_set(HANDLE timer, const LARGE_INTEGER *due, LONG period, PTIMERAPCROUTINE done,
                   void *context, BOOL resume)
{
    LARGE_INTEGER end = *due;
    if (((uintptr_t)timer & HIGH_RESOLUTION) == 0 && due->QuadPart < 0)
        end.QuadPart = -10000 * (LONGLONG)to_tick((DWORD)((9999 - due->QuadPart) / 10000));
    return (SetWaitableTimer)(timer, &end, period, done, context, resume);
}

/* ---- files ---- */

/* Creating and Opening Files: while another has a file open and does not share it, opening it is
 * ERROR_SHARING_VIOLATION. Scanners of viruses and indexers do so with any file, for a while, and
 * in Wine nobody does: here it happens to each process with one in so many files that it opens
 * [scanned]. */
#define SCANNED 7
#define SCAN_TIME (40 * 10000)

static SRWLOCK scan_lock = SRWLOCK_INIT;
static wchar_t scan_path[MAX_PATH];
static uint64_t scan_end;
static LONG scan_calls;

void sim_scan_next(void)
{
    InterlockedExchange(&scan_calls, SCANNED - 1);
}

static BOOL scanned(const wchar_t *path)
{
    BOOL result = FALSE;
    if (wcslen(path) >= MAX_PATH || GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES)
        return FALSE;
    AcquireSRWLockExclusive(&scan_lock);
    uint64_t now = time_now();
    if (now < scan_end) {
        result = wcscmp(path, scan_path) == 0;
    } else if (sometimes(&scan_calls, SCANNED)) {
        wcscpy(scan_path, path);
        scan_end = now + SCAN_TIME;
        result = TRUE;
    }
    ReleaseSRWLockExclusive(&scan_lock);
    if (result)
        SetLastError(ERROR_SHARING_VIOLATION);
    return result;
}

HANDLE sim_file_open(const wchar_t *path, DWORD rights, DWORD sharing,
                     SECURITY_ATTRIBUTES *security, DWORD how, DWORD flags, HANDLE model)
{
    if (how == OPEN_EXISTING && scanned(path))
        return INVALID_HANDLE_VALUE;
    return (CreateFileW)(path, rights, sharing, security, how, flags, model);
}

/* Wine knows mappings that may be written to from what they do to sharing: also for somebody who
 * wants no right. */
static BOOL is_mapped(const wchar_t *path)
{
    HANDLE file = (CreateFileW)(path, 0, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                                FILE_ATTRIBUTE_NORMAL, NULL);
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    return file == INVALID_HANDLE_VALUE && GetLastError() == ERROR_SHARING_VIOLATION;
}

/* DeleteFile: opens the file to delete it; and it fails with ERROR_ACCESS_DENIED if a section of
 * the file is there, mapped or not (ntoskrnl/mm/section.c, MmFlushImageSection: MmFlushForDelete).
 * Wine refuses it to NtSetInformationFile alone [mapped]. */
BOOL sim_file_delete(const wchar_t *path)
{
    if (scanned(path))
        return FALSE;
    if (is_mapped(path)) {
        SetLastError(ERROR_ACCESS_DENIED);
        return FALSE;
    }
    return (DeleteFileW)(path);
}

/* ---- memory ---- */

/* A machine of 16 GiB, and as much in its paging file. */
#define MEMORY ((uint64_t)32 << 30)

static uint64_t memory_room = MEMORY, disk_room = UINT64_MAX;
static DWORD memory_error = ERROR_COMMITMENT_LIMIT, disk_error = ERROR_DISK_FULL;

void sim_memory_ends(uint64_t room, DWORD error)
{
    memory_room = error != 0 ? room : MEMORY;
    memory_error = error != 0 ? error : ERROR_COMMITMENT_LIMIT;
}

void sim_disk_ends(uint64_t room, DWORD error)
{
    disk_room = error != 0 ? room : UINT64_MAX;
    disk_error = error;
}

static DWORD session_number(void)
{
    DWORD session = 0;
    ProcessIdToSessionId(GetCurrentProcessId(), &session);
    return session;
}

/* CreateFileMapping: to make a section in Global\ from another session than 0 is a privilege,
 * SeCreateGlobalPrivilege; to open one is none. Here the user of session 1 has it, and those of the
 * others have not [privilege]. */
static BOOL is_refused(const char *name)
{
    if (name == NULL || strncmp(name, "Global\\", 7) != 0 || session_number() < 2)
        return FALSE;
    HANDLE there = OpenFileMappingA(SECTION_QUERY | READ_CONTROL, FALSE, name);
    if (there != NULL)
        CloseHandle(there);
    return there == NULL && GetLastError() == ERROR_FILE_NOT_FOUND;
}

/* CreateFileMapping: memory without a file is committed when it is made. Memory and paging file
 * together have an end, and so has what a job or a user may have; Wine takes any size, and the
 * first write ends the program [memory]. */
HANDLE sim_section_make(HANDLE file, SECURITY_ATTRIBUTES *security, DWORD protection, DWORD high,
                        DWORD low, const char *name)
{
    BOOL committed = file == INVALID_HANDLE_VALUE && (protection & SEC_RESERVE) == 0;
    if (committed && ((uint64_t)high << 32 | low) > memory_room) {
        SetLastError(memory_error);
        return NULL;
    }
    if (is_refused(name)) {
        SetLastError(ERROR_ACCESS_DENIED);
        return NULL;
    }
    return (CreateFileMappingA)(file, security, protection, high, low, name);
}

/* SetEndOfFile: fails where the disk ends, or what the user may have of it (Managing Disk Quotas)
 * [disk]. */
BOOL sim_file_end(HANDLE file)
{
    LARGE_INTEGER none = {.QuadPart = 0}, end;
    if (SetFilePointerEx(file, none, &end, FILE_CURRENT) && (uint64_t)end.QuadPart > disk_room) {
        SetLastError(disk_error);
        return FALSE;
    }
    return (SetEndOfFile)(file);
}

/* ---- sessions ---- */

NTSTATUS NTAPI NtCreateDirectoryObject(HANDLE *directory, ACCESS_MASK access,
                                       OBJECT_ATTRIBUTES *place);
NTSTATUS NTAPI NtCreateSymbolicLinkObject(HANDLE *link, ACCESS_MASK access,
                                          OBJECT_ATTRIBUTES *place, UNICODE_STRING *target);

PEB *NTAPI RtlGetCurrentPeb(void);

static OBJECT_ATTRIBUTES place_of(UNICODE_STRING *string, const wchar_t *path)
{
    OBJECT_ATTRIBUTES place;
    RtlInitUnicodeString(string, path);
    InitializeObjectAttributes(&place, string, OBJ_CASE_INSENSITIVE | OBJ_OPENIF, NULL, NULL);
    return place;
}

/* Both are there for as long as a process of the session is. */
static void make_directory(const wchar_t *path)
{
    HANDLE directory;
    UNICODE_STRING string;
    OBJECT_ATTRIBUTES place = place_of(&string, path);
    NtCreateDirectoryObject(&directory, MAXIMUM_ALLOWED, &place);
}

static void make_link(const wchar_t *directory, const wchar_t *name, const wchar_t *to)
{
    HANDLE link;
    wchar_t path[80];
    UNICODE_STRING string, target;
    swprintf(path, 80, L"%ls\\%ls", directory, name);
    OBJECT_ATTRIBUTES place = place_of(&string, path);
    RtlInitUnicodeString(&target, to);
    NtCreateSymbolicLinkObject(&link, MAXIMUM_ALLOWED, &place, &target);
}

/* Kernel object namespaces: each session has a directory of its own, where Local\ leads, and where
 * Global\ leads to session 0's (smss/sminit.c and basesrv/init.c make them). Wine's programs are
 * all in session 1; it has the directories of 0 and 1 [sessions]. */
__attribute__((constructor)) static void begin_session(void)
{
    char text[16];
    wchar_t path[64];
    DWORD length = GetEnvironmentVariableA(SIM_SESSION, text, sizeof text);
    if (length == 0 || length >= sizeof text)
        return;
    ULONG session = strtoul(text, NULL, 10);
    RtlGetCurrentPeb()->SessionId = session;
    if (session < 2)
        return;
    swprintf(path, 64, L"\\Sessions\\%lu", session);
    make_directory(path);
    wcscat(path, L"\\BaseNamedObjects");
    make_directory(path);
    make_link(path, L"Global", L"\\BaseNamedObjects");
    make_link(path, L"Local", path);
    make_link(path, L"Session", L"\\Sessions\\BNOLINKS");
}

/* ---- directories of the kernel ---- */

LONG NTAPI(NtQueryDirectoryObject)(HANDLE directory, void *out, ULONG size, BOOLEAN single,
                                   BOOLEAN restart, ULONG *context, ULONG *used);

/* ntstatus.h */
#define ALL_ENTRIES ((LONG)0)
#define MORE_ENTRIES ((LONG)0x00000105)
#define NO_MORE_ENTRIES ((LONG)0x8000001a)
#define BUFFER_TOO_SMALL ((LONG)0xc0000023)

/* OBJECT_DIRECTORY_INFORMATION */
struct entry {
    UNICODE_STRING name, type;
};

struct listing {
    struct entry *entries;
    size_t count, room;
};

static wchar_t *copy_text(const UNICODE_STRING *string)
{
    wchar_t *text = calloc(1, string->Length + sizeof *text);
    if (text == NULL)
        abort();
    return memcpy(text, string->Buffer, string->Length);
}

static void add_entry(struct listing *listing, const struct entry *entry)
{
    if (listing->count == listing->room) {
        listing->room = 2 * listing->room + 64;
        listing->entries = realloc(listing->entries, listing->room * sizeof *entry);
        if (listing->entries == NULL)
            abort();
    }
    struct entry *own = &listing->entries[listing->count++];
    *own = *entry;
    own->name.Buffer = copy_text(&entry->name);
    own->type.Buffer = copy_text(&entry->type);
}

static int compare(const void *one, const void *other)
{
    const struct entry *left = one, *right = other;
    int names = wcscmp(left->name.Buffer, right->name.Buffer);
    return names != 0 ? names : wcscmp(left->type.Buffer, right->type.Buffer);
}

static void sort(struct entry *entries, size_t count)
{
    qsort(entries, count, sizeof *entries, compare);
}

static BOOL has_twice(const struct listing *listing)
{
    BOOL result = FALSE;
    struct listing sorted = *listing;
    sorted.entries = calloc(listing->count + 1, sizeof *sorted.entries);
    if (sorted.entries == NULL)
        abort();
    if (listing->count > 0)
        memcpy(sorted.entries, listing->entries, listing->count * sizeof *sorted.entries);
    sort(sorted.entries, sorted.count);
    for (size_t i = 1; i < sorted.count; i++)
        result = result || compare(&sorted.entries[i - 1], &sorted.entries[i]) == 0;
    free(sorted.entries);
    return result;
}

/* Keep one of each. */
static void unite(struct listing *listing)
{
    size_t kept = 0;
    sort(listing->entries, listing->count);
    for (size_t i = 0; i < listing->count; i++) {
        if (kept > 0 && compare(&listing->entries[kept - 1], &listing->entries[i]) == 0) {
            free(listing->entries[i].name.Buffer);
            free(listing->entries[i].type.Buffer);
        } else {
            listing->entries[kept++] = listing->entries[i];
        }
    }
    listing->count = kept;
}

static size_t entry_size(const struct entry *entry)
{
    return sizeof *entry + entry->name.Length + entry->type.Length + 2 * sizeof(wchar_t);
}

/* As Wine has it. */
union single {
    struct entry entry;
    char room[4096];
};

static LONG read_one(HANDLE directory, union single *out, ULONG context)
{
    ULONG used;
    return (NtQueryDirectoryObject)(directory, out, sizeof *out, TRUE, FALSE, &context, &used);
}

/* Add entries from `context` on: all, or more than there is room for. */
static LONG add_reading(HANDLE directory, struct listing *listing, ULONG context, size_t size)
{
    union single out;
    LONG result = ALL_ENTRIES;
    for (size_t used = 0; used <= size && result == ALL_ENTRIES; used += entry_size(&out.entry)) {
        result = read_one(directory, &out, context++);
        if (result == ALL_ENTRIES)
            add_entry(listing, &out.entry);
    }
    return result == NO_MORE_ENTRIES ? ALL_ENTRIES : result;
}

/* Did nothing come or go? The last entry is where it was; if one has come and one gone, an entry
 * was read twice. */
static BOOL is_exact(HANDLE directory, const struct listing *listing, ULONG context)
{
    union single out;
    if (listing->count == 0)
        return TRUE;
    return read_one(directory, &out, context + (ULONG)listing->count - 1) == ALL_ENTRIES &&
           compare(&out.entry, &listing->entries[listing->count - 1]) == 0 && !has_twice(listing);
}

#define READINGS 4

/* All that is there all the time: of one exact reading, or of some. */
static LONG read_all(HANDLE directory, struct listing *listing, ULONG context, size_t size)
{
    LONG result = add_reading(directory, listing, context, size);
    if (result != ALL_ENTRIES || is_exact(directory, listing, context))
        return result;
    for (int i = 1; i < READINGS && result == ALL_ENTRIES; i++)
        result = add_reading(directory, listing, context, size);
    unite(listing);
    return result;
}

static wchar_t *put(UNICODE_STRING *string, wchar_t *at)
{
    memcpy(at, string->Buffer, string->Length + sizeof *at);
    string->Buffer = at;
    string->MaximumLength = (USHORT)(string->Length + sizeof *at);
    return at + string->Length / sizeof *at + 1;
}

/* As many entries as there is room for, and one of zeros behind them; then the texts. */
static LONG put_entries(const struct listing *listing, void *out, ULONG size, ULONG *context,
                        ULONG *used)
{
    struct entry *entries = out;
    size_t total = sizeof *entries, count = 0;
    for (; count < listing->count; count++) {
        size_t more = entry_size(&listing->entries[count]);
        if (total + more > size)
            break;
        total += more;
        entries[count] = listing->entries[count];
    }
    if (total > size)
        return BUFFER_TOO_SMALL;
    if (listing->count == 0)
        return NO_MORE_ENTRIES;
    memset(&entries[count], 0, sizeof *entries);
    wchar_t *at = (wchar_t *)&entries[count + 1];
    for (size_t i = 0; i < count; i++)
        at = put(&entries[i].type, put(&entries[i].name, at));
    *context += (ULONG)count;
    *used = (ULONG)total;
    return count < listing->count ? MORE_ENTRIES : ALL_ENTRIES;
}

static LONG read_many(HANDLE directory, void *out, ULONG size, ULONG *context, ULONG *used)
{
    struct listing listing = {NULL, 0, 0};
    LONG result = read_all(directory, &listing, *context, size);
    if (result == ALL_ENTRIES)
        result = put_entries(&listing, out, size, context, used);
    for (size_t i = 0; i < listing.count; i++) {
        free(listing.entries[i].name.Buffer);
        free(listing.entries[i].type.Buffer);
    }
    free(listing.entries);
    return result;
}

/* Before one of so many calls, now this one and now that, something that came before has gone. */
#define GONE 3

static BOOL has_gone(void)
{
    static volatile LONG calls;
    return ((uint32_t)InterlockedIncrement(&calls) * 2654435761u >> 16) % GONE == 0;
}

/* ntoskrnl/ob/obdir.c, NtQueryDirectoryObject: one call holds the directory, and gives what it has
 * room for: STATUS_MORE_ENTRIES if that is not all. The context is a number of entries to pass
 * over, so that between two calls some are missed. Wine gives single ones only [listing]. */
LONG NTAPI sim_directory_read(HANDLE directory, void *out, ULONG size, BOOLEAN single,
                              BOOLEAN restart, ULONG *context, ULONG *used)
{
    if (restart)
        *context = 0;
    else if (has_gone())
        ++*context;
    if (single)
        return (NtQueryDirectoryObject)(directory, out, size, TRUE, FALSE, context, used);
    return read_many(directory, out, size, context, used);
}
