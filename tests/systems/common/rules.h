/* SPDX-License-Identifier: MIT */
/* Shared by the tests of the simulated systems' rules: a machine of their own, and the rules that
 * sim_facts tells. */
#ifndef SHMX_RULES_H
#define SHMX_RULES_H

#include <setjmp.h>

#include <cmocka.h>

#define assert_refused(call, error)                                                                \
    do {                                                                                           \
        errno = 0;                                                                                 \
        assert_int_equal(call, -1);                                                                \
        assert_int_equal(errno, error);                                                            \
    } while (0)

/* Make the machine, run the tests, take it away. */
int rules_run(const struct CMUnitTest *tests, size_t count);

/* Make an object and give it a length. */
int rules_object(const char *name, off_t length);

/* Run it in a child as another user; true if it returned true, or if nobody may be another user
 * here. */
bool rules_as_other(bool (*run)(void));

/* Wait on the word of value 0 for so many milliseconds; 0, or the error number after faults,
 * signals and their like were passed over and counted. */
int rules_wait(uint32_t *word, uint32_t expected, int milliseconds,
               int (*once)(uint32_t *word, uint32_t expected, int milliseconds), int *passed_over);

/* Wait on the word until another thread, which does not change it, has woken this one. */
void rules_wake(uint32_t *word, int (*once)(uint32_t *word, uint32_t expected, int milliseconds),
                void (*wake)(uint32_t *word));

/* The tests of sim_facts. */
void rules_links(void **state);
void rules_locks(void **state);
void rules_room(void **state);
void rules_hidden(void **state);

#define RULES_COMMON                                                                               \
    cmocka_unit_test(rules_links), cmocka_unit_test(rules_locks), cmocka_unit_test(rules_room),    \
        cmocka_unit_test(rules_hidden)

#endif
