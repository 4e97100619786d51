/* SPDX-License-Identifier: MIT */
/* Linux: processes for which memory is scarce. */
#ifndef SHMX_TESTS_SCARCE_H
#define SHMX_TESTS_SCARCE_H

#include <stdbool.h>

/* For this process and its children: a /dev/shm of their own, in a mount name space of their own.
 */
bool scarce_mount(const char *options);

/* Root may do that, but not in every container. */
bool scarce_can_mount(void);
#define scarce_needs_mount()                                                                       \
    do {                                                                                           \
        if (!scarce_can_mount())                                                                   \
            test_skip("this process may not mount a /dev/shm of its own");                         \
    } while (0)

/* A control group with a limit on its memory, of either version; false if none can be made. */
#define SCARCE_GROUP_MAX 160
bool scarce_group_make(char group[SCARCE_GROUP_MAX], const char *bytes);
bool scarce_group_enter(const char *group);
void scarce_group_remove(const char *group); /* its processes have ended */

#endif
