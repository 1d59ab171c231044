/* SPDX-License-Identifier: Apache-2.0
 *
 * A target: libFuzzer's entry, or that of replay.c. Each target states what must hold with must().
 */
#ifndef AUTHSTATUS_TESTS_FUZZ_H
#define AUTHSTATUS_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): it must hold in builds with NDEBUG too. */
static inline void must(int holds)
{
    if (!holds) {
        abort();
    }
}

#endif
