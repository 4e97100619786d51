/* SPDX-License-Identifier: MIT */
/* The directory for segments that outlive their users but not the system's restart. */
#ifndef SHMX_EPOCH_H
#define SHMX_EPOCH_H

#include "win32.h"

/* Any path of ours, with its final zero. */
#define SHMX_WIN32_PATH_MAX 512

/* Write the directory's path. If there is none, make it (`make`), or return SHMX_ENOENT. */
int shmx_win32_epoch(wchar_t path[SHMX_WIN32_PATH_MAX], bool make);

/* Add a backslash and a name to a path. */
int shmx_win32_path_add(wchar_t path[SHMX_WIN32_PATH_MAX], const char *name);

/* Call `each` with what is in a directory and fits the pattern ("*"), until it returns other than
 * 0. What is not named in ASCII is none of ours and left out. */
typedef int shmx_win32_each(const wchar_t *path, const char *name, void *context);
int shmx_win32_walk(const wchar_t *directory, const char *pattern, shmx_win32_each *each,
                    void *context);

#endif
