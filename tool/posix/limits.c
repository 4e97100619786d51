/* SPDX-License-Identifier: MIT */
#include "limits.h"

#include <sys/resource.h>

#include "../command.h"
#include "../system.h"

#define FEW_DESCRIPTORS 1024

static void check_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= FEW_DESCRIPTORS)
        doctor_say(VERDICT_GOOD, NULL,
                   "a process may have %llu descriptors; each attachment needs "
                   "one or two",
                   (unsigned long long)limit.rlim_cur);
    else
        doctor_say(VERDICT_LOOK, "ulimit -n 4096, or LimitNOFILE= in the service's unit",
                   "a process may have only %llu descriptors; each attachment needs one or two",
                   (unsigned long long)limit.rlim_cur);
}

static void check_file_size(void)
{
    struct rlimit limit;
    char text[32];
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    doctor_say(VERDICT_LOOK, "ulimit -f unlimited, or LimitFSIZE=infinity in the service's unit",
               "the limit on file sizes holds for segments too: none can be larger than %s",
               size_text(limit.rlim_cur, text));
}

static void check_address_space(void)
{
#ifdef RLIMIT_AS /* POSIX has it, OpenBSD not */
    struct rlimit limit;
    char text[32];
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    doctor_say(VERDICT_LOOK, "ulimit -v unlimited, or LimitAS=infinity in the service's unit",
               "a process may map %s only, segments included", size_text(limit.rlim_cur, text));
#endif
}

void limits_check(void)
{
    check_descriptors();
    check_file_size();
    check_address_space();
}
