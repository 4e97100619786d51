/* SPDX-License-Identifier: MIT */
/* Reading a label where objects can be read like files: nobody can cut the object short meanwhile
 * and so make us fault. */
#include <unistd.h>

#include "lockfile/lockfile.h"

enum shmx_control_kind shmx_lockfile_label(int fd, uint64_t length, struct shmx_label *label)
{
    if (length <= SHMX_CONTROL_SIZE || length % 8 != 0)
        return SHMX_CONTROL_NONE;
    off_t at = (off_t)(length - SHMX_CONTROL_SIZE);
    if (pread(fd, label, sizeof *label, at) != (ssize_t)sizeof *label)
        return SHMX_CONTROL_DAMAGED; /* cannot tell: not for us to touch */
    return shmx_lockfile_label_check(label, length);
}
