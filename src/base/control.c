/* SPDX-License-Identifier: MIT */
#include "base/control.h"

#include <string.h>

#include "base/name.h"
#include "os.h"

#define FLAGS_KNOWN                                                                                \
    (SHMX_PERSISTENT | SHMX_OTHERS_READ | SHMX_OTHERS_WRITE | SHMX_MACHINE_WIDE | SHMX_PREFAULT)

size_t shmx_control_length(size_t size, size_t page_size)
{
    if (size > PTRDIFF_MAX - SHMX_CONTROL_SIZE - page_size)
        return 0;
    return (size + SHMX_CONTROL_SIZE + page_size - 1) / page_size * page_size;
}

struct shmx_control *shmx_control_at(void *mapping, size_t length)
{
    if (length <= SHMX_CONTROL_SIZE || length % 8 != 0)
        return NULL;
    return (struct shmx_control *)((unsigned char *)mapping + length - SHMX_CONTROL_SIZE);
}

uint32_t shmx_label_sum(const struct shmx_label *label)
{
    static_assert(sizeof *label % 8 == 0 && sizeof label->magic == 8, "whole words");
    uint64_t words[sizeof *label / 8], hash = 0;
    memcpy(words, label, sizeof words);
    memset((char *)words + offsetof(struct shmx_label, check), 0, sizeof label->check);
    for (size_t i = 1; i < sizeof words / sizeof words[0]; i++) { /* behind the magic */
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    return (uint32_t)hash;
}

int shmx_control_count(_Atomic uint32_t *counter, uint32_t *number)
{
    if (counter == NULL)
        return shmx_os_random(number, sizeof *number);
    *number = atomic_fetch_add(counter, 1) + 1;
    return SHMX_OK;
}

int shmx_control_token(struct shmx_control *control, uint32_t *token)
{
    int status;
    do {
        status = shmx_control_count(control != NULL ? &control->next_owner : NULL, token);
        *token &= SHMX_OWNER_MASK;
    } while (status == SHMX_OK && (*token == 0 || *token == SHMX_OWNER_MASK));
    return status;
}

struct shmx_control *shmx_control_write(void *mapping, size_t length,
                                        const struct shmx_label *label)
{
    struct shmx_control *control = shmx_control_at(mapping, length);
    assert(control != NULL);
    struct shmx_label unmarked = *label;
    memset(unmarked.magic, 0, sizeof unmarked.magic);
    unmarked.check = shmx_label_sum(label);
    control->label = unmarked;
    atomic_store_explicit(&control->state, SHMX_STATE_LIVE, memory_order_relaxed);
    /* The magic comes last: on systems where others can already see the mapping, a process that
     * finds the magic finds the rest (release: pairs with the acquire fence of
     * shmx_control_check). */
    atomic_thread_fence(memory_order_release);
    memcpy(control->label.magic, SHMX_MAGIC, sizeof control->label.magic);
    return control;
}

/* Return whether all but the magic is as it must be. */
static bool label_holds(const struct shmx_label *label, uint64_t length, const char *name)
{
    if (label->check != shmx_label_sum(label))
        return false;
    if (label->version != SHMX_LAYOUT_VERSION || label->byte_order != SHMX_BYTE_ORDER)
        return false;
    if (label->size == 0 || label->size > length - SHMX_CONTROL_SIZE)
        return false;
    if ((label->flags & ~FLAGS_KNOWN) != 0 || label->name_length > SHMX_NAME_MAX)
        return false;
    if (memchr(label->name, 0, sizeof label->name) != label->name + label->name_length)
        return false;
    if (name != NULL) /* which was checked */
        return strcmp(label->name, name) == 0;
    return label->name_length == 0 || shmx_name_check(label->name) == SHMX_OK;
}

enum shmx_control_kind shmx_label_check(const struct shmx_label *label, uint64_t length,
                                        const char *name)
{
    static const uint8_t none[sizeof label->magic];
    bool holds = label_holds(label, length, name);
    if (memcmp(label->magic, SHMX_MAGIC, sizeof label->magic) == 0)
        return holds ? SHMX_CONTROL_GOOD : SHMX_CONTROL_DAMAGED;
    /* All zeros: it is being made, or was never meant to be one. */
    bool made = memcmp(label->magic, none, sizeof none) != 0;
    return holds && made ? SHMX_CONTROL_DAMAGED : SHMX_CONTROL_NONE;
}

void shmx_label_copy(struct shmx_label *label, const struct shmx_label *mapped)
{
    memcpy(label->magic, mapped->magic, sizeof label->magic);
    /* Acquire: a process that finds the magic finds the rest; pairs with shmx_control_write's
     * release. */
    atomic_thread_fence(memory_order_acquire);
    memcpy((unsigned char *)label + sizeof label->magic,
           (const unsigned char *)mapped + sizeof label->magic,
           sizeof *label - sizeof label->magic);
}

enum shmx_control_kind shmx_control_check(struct shmx_label *label, const void *mapping,
                                          size_t length, const char *name)
{
    const struct shmx_control *control = shmx_control_at((void *)mapping, length);
    if (control == NULL)
        return SHMX_CONTROL_NONE;
    shmx_label_copy(label, &control->label);
    return shmx_label_check(label, length, name);
}
