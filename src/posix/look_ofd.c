/* SPDX-License-Identifier: MIT */
/* Looking around on Linux: /dev/shm and /proc/locks. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "name.h"
#include "ofd.h"
#include "posix.h"

#define DIRECTORY "/dev/shm"

int shmx_os_object_list(int (*visit)(const char *name, void *context), void *context)
{
    DIR *directory = opendir(DIRECTORY);
    if (directory == NULL)
        return errno == ENOENT ? SHMX_OK : shmx_posix_error(errno);
    int status = SHMX_OK;
    for (struct dirent *entry; status == SHMX_OK && (entry = readdir(directory)) != NULL;)
        if (shmx_name_check(entry->d_name) == SHMX_OK)
            status = visit(entry->d_name, context);
    closedir(directory);
    return status;
}

/* Users by the kernel's list of locks, proc_locks(5): each holds byte USER. */
static int count_users(const struct stat *facts)
{
    FILE *locks = fopen("/proc/locks", "re");
    if (locks == NULL)
        return -1;
    char wanted[64];
    snprintf(wanted, sizeof wanted, " %02x:%02x:%llu %llu ", major(facts->st_dev),
             minor(facts->st_dev), (unsigned long long)facts->st_ino,
             (unsigned long long)LOCK_USER);
    char line[256];
    int users = 0;
    while (fgets(line, sizeof line, locks) != NULL)
        users += strstr(line, wanted) != NULL && strstr(line, " READ ") != NULL;
    fclose(locks);
    return users;
}

int shmx_os_object_usage(struct shmx_os_object *object, uint64_t *footprint, int *users)
{
    struct stat facts;
    if (fstat(object->os.fd, &facts) != 0)
        return shmx_posix_error(errno);
    *footprint = (uint64_t)facts.st_blocks * 512;
    *users = object->control != NULL ? count_users(&facts) : -1;
    return SHMX_OK;
}
