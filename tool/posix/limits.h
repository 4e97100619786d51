/* SPDX-License-Identifier: MIT */
#ifndef TOOL_POSIX_LIMITS_H
#define TOOL_POSIX_LIMITS_H

/* Lines of the doctor that hold on every POSIX system. */
void limits_check(void);

#endif
