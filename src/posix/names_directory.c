/* SPDX-License-Identifier: MIT */
/* Objects of other programs where the system shows them as files. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "lockfile/lockfile.h"
#include "posix.h"

int shmx_lockfile_names(int (*visit)(const char *name, void *context), void *context)
{
    DIR *directory = opendir(SHMX_OBJECT_DIRECTORY);
    if (directory == NULL)
        return errno == ENOENT ? SHMX_OK : shmx_posix_error(errno);
    int status = SHMX_OK;
    size_t start = strlen(SHMX_OBJECT_START);
    for (const struct dirent *entry; status == SHMX_OK && (entry = readdir(directory)) != NULL;)
        if (strncmp(entry->d_name, SHMX_OBJECT_START, start) == 0)
            status = visit(entry->d_name + start, context);
    closedir(directory);
    return status;
}
