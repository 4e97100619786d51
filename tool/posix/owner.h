/* SPDX-License-Identifier: MIT */
#ifndef TOOL_POSIX_OWNER_H
#define TOOL_POSIX_OWNER_H

#include <sys/stat.h>

#include "../system.h"

/* The user's name, or number, and what the bits let others do. */
enum access owner_text(const struct stat *facts, char owner[32]);

#endif
