/* SPDX-License-Identifier: MIT */
/* Objects of the system, found by the name of their segment. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lockfile.h"

int shmx_lockfile_probes_of(const char *name)
{
    size_t limit = shmx_system.name_limit;
    return limit != 0 && strlen(name) > limit ? SHMX_NAME_PROBES : 1;
}

void shmx_lockfile_object_path(char path[SHMX_POSIX_OBJECT_MAX], const char *name, int probe)
{
    path[0] = '/';
    shmx_name_condense(path + 1, name, shmx_system.name_limit, probe);
}

static int look(struct shmx_lockfile_found *found)
{
    struct stat facts;
    if (fstat(found->fd, &facts) != 0)
        return shmx_posix_error(errno);
    /* Some systems tell no type: nothing else can be there. */
    if ((facts.st_mode & S_IFMT) != 0 && !S_ISREG(facts.st_mode))
        return shmx_posix_error(ENXIO);
    found->owner = facts.st_uid;
    found->length = (uint64_t)facts.st_size;
    found->footprint = shmx_system.footprint(&facts);
    return shmx_lockfile_label(found->fd, found->length, &found->label, &found->kind);
}

int shmx_lockfile_find(struct shmx_lockfile_found *found, const char *name, int probe,
                       unsigned flags)
{
    char path[SHMX_POSIX_OBJECT_MAX];
    found->probe = probe;
    shmx_lockfile_object_path(path, name, probe);
    int status = shmx_posix_object_open(path, flags, &found->fd);
    if (status == SHMX_OK) {
        status = look(found);
        if (status != SHMX_OK)
            shmx_lockfile_close(&found->fd);
    }
    return status;
}

bool shmx_lockfile_called(const struct shmx_lockfile_found *found, const char *name)
{
    return found->kind == SHMX_CONTROL_GOOD && strcmp(found->label.name, name) == 0;
}

int shmx_lockfile_find_unlisted(struct shmx_lockfile_found *found, const char *name, unsigned flags)
{
    int probes = shmx_lockfile_probes_of(name);
    for (int probe = 0; probe < probes; probe++) {
        int status = shmx_lockfile_find(found, name, probe, flags);
        if (status == SHMX_ENOENT)
            continue;
        bool another_users = status == SHMX_OK && found->kind == SHMX_CONTROL_GOOD &&
                             !shmx_lockfile_called(found, name);
        if (!another_users || probes == 1)
            return status;
        close(found->fd);
    }
    return SHMX_ENOENT;
}
