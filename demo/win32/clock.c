/* SPDX-License-Identifier: MIT */
#include "../clock.h"

#include <windows.h>

int64_t clock_now(void)
{
    LARGE_INTEGER ticks, frequency;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&frequency);
    return (int64_t)((double)ticks.QuadPart * 1e9 / (double)frequency.QuadPart);
}
