/* SPDX-License-Identifier: MIT */
#include "base/name.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "os.h"

/* 32 characters: five bits each. Lower case only, so that names also differ on systems that fold
 * case. */
static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

static bool in_grammar(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

#define GRAMMAR "A-Z a-z 0-9 . _ -"

static_assert(SHMX_NAME_MAX == 128, "the sentences say so");

/* The flaw of a byte that is not in the grammar. */
static const char *byte_error(char c)
{
    switch (c) {
    case '/':
        return "name has a slash; what shm_open(3) calls \"/name\" is \"name\" here";
    case '\\':
        return "name has a backslash; \"Local\\name\" is \"name\" here, and \"Global\\name\" is "
               "\"name\" with SHMX_MACHINE_WIDE";
    default:
        return "name has a byte other than " GRAMMAR "; leave it out or put one of these there";
    }
}

/* The flaw of a name, and the status for it; NULL: none. */
static const char *flaw_of(const char *name, int *status)
{
    *status = SHMX_EINVAL;
    if (name == NULL)
        return "there is no name; give 1 to 128 bytes of " GRAMMAR;
    if (name[0] == '\0')
        return "name is empty; give 1 to 128 bytes of " GRAMMAR;
    if (name[0] == '.')
        return "name starts with a dot; begin it with one of A-Z a-z 0-9 _ -";
    size_t length = 0;
    while (length < SHMX_NAME_MAX && in_grammar(name[length]))
        length++;
    if (name[length] != '\0' && !in_grammar(name[length]))
        return byte_error(name[length]);
    *status = name[length] == '\0' ? SHMX_OK : SHMX_ENAMETOOLONG;
    return *status == SHMX_OK ? NULL : "name is longer than 128 bytes; make it shorter";
}

int shmx_name_check(const char *name)
{
    int status;
    flaw_of(name, &status);
    return status;
}

const char *shmx_name_error(const char *name)
{
    int status;
    return flaw_of(name, &status);
}

int shmx_name_random(char name[SHMX_NAME_MAX + 1])
{
    unsigned char bytes[25]; /* 125 random bits */
    int status = shmx_os_random(bytes, sizeof bytes);
    if (status != SHMX_OK)
        return status;
    memcpy(name, "shmx_", 5);
    for (size_t i = 0; i < sizeof bytes; i++)
        name[5 + i] = alphabet[bytes[i] & 31];
    name[5 + sizeof bytes] = '\0';
    return SHMX_OK;
}

/* FNV-1a, 64 bits: stable for ever, since two programs with different versions of this library
 * must find each other. */
static uint64_t hash_of(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return hash ^ (hash >> 32);
}

void shmx_name_condense(char out[SHMX_NAME_MAX + 1], const char *name, size_t limit, int probe)
{
    size_t length = strlen(name);
    assert(length <= SHMX_NAME_MAX && probe >= 0 && probe < SHMX_NAME_PROBES);
    if (limit == 0 || length <= limit) {
        memcpy(out, name, length + 1);
        return;
    }
    assert(limit >= 16);
    size_t prefix = limit - 10;
    memcpy(out, name, prefix);
    out[prefix] = '~';
    out[prefix + 1] = (char)('0' + probe);
    uint64_t hash = hash_of(name);
    for (size_t i = 0; i < 8; i++, hash >>= 5)
        out[prefix + 2 + i] = alphabet[hash & 31];
    out[limit] = '\0';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

void shmx_name_fold(char out[SHMX_NAME_FOLDED_MAX + 1], const char *name)
{
    unsigned char upper[SHMX_NAME_MAX / 4 + 1] = {0};
    size_t digits = 0;
    for (size_t i = 0; name[i] != '\0'; i++) {
        *out++ = is_upper(name[i]) ? (char)(name[i] - 'A' + 'a') : name[i];
        if (is_upper(name[i])) {
            upper[i / 4] |= (unsigned char)(1u << i % 4);
            digits = i / 4 + 1;
        }
    }
    if (digits > 0)
        *out++ = '+';
    for (size_t i = 0; i < digits; i++)
        *out++ = "0123456789abcdef"[upper[i]];
    *out = '\0';
}

bool shmx_name_unfold(char name[SHMX_NAME_MAX + 1], const char *folded)
{
    char again[SHMX_NAME_FOLDED_MAX + 1];
    size_t length = strcspn(folded, "+");
    if (length > SHMX_NAME_MAX)
        return false;
    memcpy(name, folded, length);
    name[length] = '\0';
    const char *digits = folded + length + (folded[length] == '+');
    for (size_t i = 0; i < length && digits[i / 4] != '\0'; i++) {
        char digit = digits[i / 4];
        unsigned bits = (unsigned)(digit >= 'a' ? digit - 'a' + 10 : digit - '0');
        if ((bits >> i % 4 & 1) != 0 && name[i] >= 'a' && name[i] <= 'z')
            name[i] = (char)(name[i] - 'a' + 'A');
    }
    if (shmx_name_check(name) != SHMX_OK)
        return false;
    shmx_name_fold(again, name); /* one form each */
    return strcmp(again, folded) == 0;
}
