/* SPDX-License-Identifier: MIT */
/* Keys as they are pressed, and requests to end. */
#include <windows.h>

#include "../system.h"

static HANDLE stop_event;
static HANDLE console;
static DWORD mode_before;

/* ---- requests to end ---- */

static BOOL WINAPI on_request(DWORD kind)
{
    (void)kind;
    SetEvent(stop_event);
    return TRUE;
}

void system_catch_stop(void)
{
    stop_event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (stop_event != NULL)
        SetConsoleCtrlHandler(on_request, TRUE);
}

bool system_stopped(void)
{
    return WaitForSingleObject(stop_event, 0) == WAIT_OBJECT_0;
}

void system_await_stop(void)
{
    WaitForSingleObject(stop_event, INFINITE);
}

/* ---- keys ---- */

bool system_keys_begin(void)
{
    console = GetStdHandle(STD_INPUT_HANDLE);
    if (!GetConsoleMode(console, &mode_before)) {
        console = NULL;
        return false;
    }
    SetConsoleMode(console, ENABLE_PROCESSED_INPUT);
    return true;
}

void system_keys_end(void)
{
    SetConsoleMode(console, mode_before);
    console = NULL;
}

/* The first of the waiting events that is a key pressed. */
static int key_read(void)
{
    INPUT_RECORD event;
    DWORD count;
    while (GetNumberOfConsoleInputEvents(console, &count) && count > 0) {
        if (!ReadConsoleInputW(console, &event, 1, &count))
            return KEY_END;
        if (event.EventType == KEY_EVENT && event.Event.KeyEvent.bKeyDown &&
            event.Event.KeyEvent.uChar.UnicodeChar != 0)
            return event.Event.KeyEvent.uChar.UnicodeChar;
    }
    return KEY_NONE;
}

int system_key(int timeout_ms)
{
    HANDLE events[] = {stop_event, console};
    DWORD count = console != NULL ? 2 : 1;
    DWORD which = WaitForMultipleObjects(count, events, FALSE, (DWORD)timeout_ms);
    return which == WAIT_OBJECT_0 + 1 ? key_read() : KEY_NONE;
}

void system_pause(double seconds)
{
    WaitForSingleObject(stop_event, (DWORD)(seconds * 1000));
}
