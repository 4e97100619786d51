/* SPDX-License-Identifier: MIT */
#include "owner.h"

#include <pwd.h>

enum access owner_text(const struct stat *facts, char owner[32])
{
    const struct passwd *user = getpwuid(facts->st_uid);
    if (user != NULL)
        snprintf(owner, 32, "%s", user->pw_name);
    else
        snprintf(owner, 32, "%lu", (unsigned long)facts->st_uid);
    return (facts->st_mode & S_IWOTH) != 0   ? ACCESS_WRITE
           : (facts->st_mode & S_IROTH) != 0 ? ACCESS_READ
                                             : ACCESS_OWNER;
}
