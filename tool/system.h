/* SPDX-License-Identifier: MIT */
/* The command's needs of the operating system: tool/posix and tool/win32, chosen by Meson. */
#ifndef TOOL_SYSTEM_H
#define TOOL_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <shmx.h>

/* Standard streams carry bytes as they are. `called`: argv[0]. */
void system_begin(const char *called);

/* Read what standard input has, up to count bytes, as soon as it has something: the number of
 * bytes, 0 at its end, -1 if it cannot be read. */
int system_read(void *bytes, unsigned count);

bool system_is_terminal(FILE *stream);
bool system_can_colour(FILE *stream); /* a terminal that understands escape sequences */
void system_screen_size(int *rows, int *columns);

int64_t system_now(void); /* ns, monotonic */

/* From now on a request to end (Ctrl-C, termination, hang-up) is only remembered. */
void system_catch_stop(void);
bool system_stopped(void);
void system_await_stop(void);

/* Keys one by one, as they are pressed, where standard input is a terminal. */
bool system_keys_begin(void);
void system_keys_end(void);

/* The next key; KEY_NONE when the time has run out or a request to end has come. Without
 * system_keys_begin it sleeps. */
enum { KEY_NONE = -1, KEY_END = -2 };
int system_key(int timeout_ms);

/* The process of that number runs, and has done so since `created` (ns since 1970). 1, 0, or -1 if
 * it cannot be told. */
int system_process_alive(int64_t pid, uint64_t created);

/* The segment's owner, "-" if it cannot be told, and what other users may do. */
enum access { ACCESS_UNKNOWN, ACCESS_OWNER, ACCESS_READ, ACCESS_WRITE };
enum access system_owner(const shmx_info *info, char owner[32]);

/* Call visit with each process that has the segment mapped and that this user may look at; false:
 * the system does not say. */
bool system_users(const char *name, void (*visit)(int64_t pid, void *context), void *context);

/* The same with the keys, from first to last, under which such a process is present. */
bool system_present(const char *name,
                    void (*visit)(int64_t pid, uint32_t first, uint32_t last, void *context),
                    void *context);

/* memcpy, or false if memory that is mapped is not there: a program made the object shorter. */
bool system_copy(void *to, const void *from, size_t count);

/* Sleep, or return at once when a request to end comes. */
void system_pause(double seconds);

/* Start this program again with these words (ending with NULL); wait for its end and return what
 * it ended with, -1 if it could not. */
struct system_child;
struct system_child *system_start(const char *const *words);
int system_finish(struct system_child *child);

/* ---- doctor ---- */

enum verdict { VERDICT_GOOD, VERDICT_LOOK, VERDICT_BAD };

/* Print a line, and advice below it if it is not NULL. */
void doctor_say(enum verdict verdict, const char *advice, const char *format, ...);

/* Surprises for a user of shared memory on this system. */
void system_doctor(void);

#endif
