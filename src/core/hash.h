/* SPDX-License-Identifier: Apache-2.0
 *
 * FNV-1a with 64 bits, for tables and layouts. Not for what an attacker may choose: siphash.c is for that.
 */
#ifndef AUTHSTATUS_CORE_HASH_H
#define AUTHSTATUS_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define AS_HASH UINT64_C(0xcbf29ce484222325) /* of nothing */

/* Adds a number to a hash, as FNV-1a adds an octet. */
static inline uint64_t as_hash_number(uint64_t hash, uint64_t number)
{
    return (hash ^ number) * UINT64_C(0x100000001b3);
}

/* Adds a text with its NUL to a hash. NULL differs from every text. */
static inline uint64_t as_hash_text(uint64_t hash, const char *text)
{
    for (; text && *text; text++) {
        hash = as_hash_number(hash, (unsigned char)*text);
    }
    return as_hash_number(hash, text ? 0 : 256);
}

#endif
