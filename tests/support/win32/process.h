/* SPDX-License-Identifier: MIT */
/* How tests start processes. */
#ifndef SHMX_TESTS_WIN32_PROCESS_H
#define SHMX_TESTS_WIN32_PROCESS_H

#include <windows.h>

/* CreateProcess with the handles of `startup`, or the test's end. The caller closes made->hThread
 * and made->hProcess. */
void process_start(char *command, STARTUPINFOA *startup, PROCESS_INFORMATION *made);

#endif
