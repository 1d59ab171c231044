/* SPDX-License-Identifier: Apache-2.0
 *
 * Input for parsers that ends where an unreadable page begins: one octet read too far ends the test.
 * To be included first: MAP_ANONYMOUS is beyond C11.
 */
#ifndef AUTHSTATUS_TESTS_GUARD_PAGE_H
#define AUTHSTATUS_TESTS_GUARD_PAGE_H

#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct guarded {
    char *at;
    size_t length;
    void *map;
    size_t map_size;
} guarded;

/* A copy of `octets`; to be given back with guarded_free. */
static inline guarded guarded_copy(const void *octets, size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t readable = (length + page - 1) / page * page;
    guarded copy = {.length = length, .map_size = readable + page};
    copy.map = mmap(NULL, copy.map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(copy.map != MAP_FAILED);
    assert_int_equal(mprotect((char *)copy.map + readable, page, PROT_NONE), 0);
    copy.at = (char *)copy.map + readable - length;
    if (length > 0) {
        memcpy(copy.at, octets, length);
    }
    return copy;
}

/* The octets that hexadecimal digits stand for. */
static inline guarded guarded_hex(const char *digits)
{
    unsigned char octets[512];
    size_t length = 0;
    for (unsigned octet; digits[0] != '\0'; digits += 2) {
        assert_true(length < sizeof octets);
        assert_int_equal(sscanf(digits, "%2x", &octet), 1);
        octets[length++] = (unsigned char)octet;
    }
    return guarded_copy(octets, length);
}

static inline void guarded_free(guarded *copy)
{
    assert_int_equal(munmap(copy->map, copy->map_size), 0);
}

#endif
