/* SPDX-License-Identifier: MIT */
#include "win32.h"

#define SECOND ((int64_t)1000000000)

/* From 1601, where the system starts to count, to 1970. */
#define EPOCH ((int64_t)116444736000000000)

#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 0x00000002
#endif

int64_t shmx_os_now(void)
{
    LARGE_INTEGER frequency, count;
    QueryPerformanceFrequency(&frequency); /* no call of the kernel */
    QueryPerformanceCounter(&count);
    int64_t per_second = frequency.QuadPart;
    if (per_second == 10000000) /* as good as everywhere, and it spares two divisions */
        return count.QuadPart * 100;
    /* Whole seconds apart, because count times 10^9 would not fit. */
    return count.QuadPart / per_second * SECOND + count.QuadPart % per_second * SECOND / per_second;
}

int64_t shmx_os_tick(void)
{
    return (int64_t)GetTickCount64() * 1000000;
}

int64_t shmx_os_wall(void)
{
    FILETIME now;
    GetSystemTimePreciseAsFileTime(&now);
    int64_t ticks = (int64_t)((uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime);
    return (ticks - EPOCH) * 100;
}

/* Sleep() ends with the system's tick, 15.6 ms on most; a timer of this kind is exact. */
static bool sleep_exactly(int64_t nanoseconds)
{
    LARGE_INTEGER length = {.QuadPart = -((nanoseconds + 99) / 100)}; /* negative: from now */
    HANDLE timer = CreateWaitableTimerExW(NULL, NULL, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION,
                                          TIMER_MODIFY_STATE | SYNCHRONIZE);
    if (timer == NULL)
        return false;
    bool done = SetWaitableTimer(timer, &length, 0, NULL, NULL, FALSE) &&
                WaitForSingleObject(timer, INFINITE) == WAIT_OBJECT_0;
    CloseHandle(timer);
    return done;
}

void shmx_os_sleep(int64_t nanoseconds)
{
    if (nanoseconds <= 0 || sleep_exactly(nanoseconds))
        return;
    for (int64_t left = (nanoseconds + 999999) / 1000000; left > 0; left -= MAXLONG)
        Sleep((DWORD)(left < MAXLONG ? left : MAXLONG));
}
