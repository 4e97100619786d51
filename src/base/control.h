/* SPDX-License-Identifier: MIT */
/* The control block: how it is made and when it is believed. Used by portable code and backends. */
#ifndef SHMX_CONTROL_H
#define SHMX_CONTROL_H

#include "base/shared.h"

enum shmx_control_kind {
    SHMX_CONTROL_NONE,   /* no control block: a foreign object */
    SHMX_CONTROL_GOOD,   /* ours */
    SHMX_CONTROL_DAMAGED /* ours once: another version or byte order, or fields that lie */
};

/* Bytes to map for `size` bytes of data and the control block; 0 if that is beyond size_t. */
size_t shmx_control_length(size_t size, size_t page_size);

/* Return where the control block of a mapping lies; NULL if the mapping is too small for one. */
struct shmx_control *shmx_control_at(void *mapping, size_t length);

/* The right `check` of a label. It is there to notice damage. It is no protection against malice: a
 * process that may write to the segment may break it anyhow. */
uint32_t shmx_label_sum(const struct shmx_label *label);

/* The next number: of a counter in the control block, or by chance where there is none (NULL). */
int shmx_control_count(_Atomic uint32_t *counter, uint32_t *number);

/* The next owner token, counted in the control block or by chance (NULL): neither 0 nor the mask.
 */
int shmx_control_token(struct shmx_control *control, uint32_t *token);

/* Write a new control block at the end of a zeroed mapping, and return where. */
struct shmx_control *shmx_control_write(void *mapping, size_t length,
                                        const struct shmx_label *label);

/* Check a private copy of a label against the length of its object, which is more than
 * SHMX_CONTROL_SIZE. `name` NULL: any. A label with another name is DAMAGED. */
enum shmx_control_kind shmx_label_check(const struct shmx_label *label, uint64_t length,
                                        const char *name);

/* Copy a label out of a mapping in which it may appear at this moment: its magic comes last. */
void shmx_label_copy(struct shmx_label *label, const struct shmx_label *mapped);

/* Copy the label out of the mapping and check the copy. After GOOD *label can be relied
 * on. */
enum shmx_control_kind shmx_control_check(struct shmx_label *label, const void *mapping,
                                          size_t length, const char *name);

#endif
