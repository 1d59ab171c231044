/* SPDX-License-Identifier: Apache-2.0
 *
 * Big-endian numbers, and texts as octets.
 */
#include "cache_private.h"

#include <string.h>

void as_put_number(unsigned char *at, uint64_t number, size_t octets)
{
    while (octets > 0) {
        at[--octets] = (unsigned char)number;
        number >>= 8;
    }
}

uint64_t as_get_number(const unsigned char *at, size_t octets)
{
    uint64_t number = 0;

    while (octets-- > 0) {
        number = number << 8 | *at++;
    }
    return number;
}

as_octets as_octets_make(const char *text)
{
    return (as_octets){text, text ? strlen(text) : 0};
}
