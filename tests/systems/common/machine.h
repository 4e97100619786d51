/* SPDX-License-Identifier: MIT */
/* Shared by the tests of the library on a simulated system: a machine of their own, which can be
 * restarted, and what must be true on every one of these systems. */
#ifndef SHMX_MACHINE_H
#define SHMX_MACHINE_H

#include "support.h"

extern const struct test_part machine_parts[];

/* As TEST_MAIN, on a machine of this program's own. */
int machine_main(int argc, char **argv, const struct CMUnitTest *tests, size_t count);

/* A child that has the segment called so, made with the flags, as another user or as this one. */
struct test_child *machine_creator(const char *name, unsigned flags, bool other);
void machine_kill(struct test_child *child);

/* Count names in the list of segments that are this one. */
int machine_listed(const char *name);

/* No call ends in SHMX_EIO, opens what is there, or waits for it. */
void machine_lets_be(const char *name);

void nothing_blocks_after_a_restart(void **state);
void nothing_lies_after_a_restart(void **state);
void links_in_a_lock_files_place_are_no_io_errors(void **state);
void no_room_for_a_lock_file_is_enospc(void **state);
void one_lock_too_many_is_emfile(void **state);
int machine_has_room(void **state);
void forks_from_any_thread_under_signals(void **state);
void footprint_is_the_memory(void **state);
void waiting_takes_no_processor(void **state);

#define MACHINE_TESTS                                                                              \
    cmocka_unit_test(nothing_blocks_after_a_restart),                                              \
        cmocka_unit_test(nothing_lies_after_a_restart),                                            \
        cmocka_unit_test(links_in_a_lock_files_place_are_no_io_errors),                            \
        cmocka_unit_test_teardown(no_room_for_a_lock_file_is_enospc, machine_has_room),            \
        cmocka_unit_test_teardown(one_lock_too_many_is_emfile, machine_has_room),                  \
        cmocka_unit_test(forks_from_any_thread_under_signals),                                     \
        cmocka_unit_test(footprint_is_the_memory), cmocka_unit_test(waiting_takes_no_processor)

#endif
