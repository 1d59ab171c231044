/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads BER of definite length (RFC 4511 5.1) in place, without an allocation.
 */
#ifndef AUTHSTATUS_LDAP_BER_H
#define AUTHSTATUS_LDAP_BER_H

#include <stdbool.h>
#include <stddef.h>

/* Octets that are not read yet. */
typedef struct as_ber {
    const unsigned char *at;
    size_t left;
} as_ber;

/* Reads the next element, with a tag of one octet. Returns false if there is none, or it exceeds `from`. */
static inline bool as_ber_take(as_ber *from, unsigned char *tag, as_ber *contents)
{
    size_t length, octets = 0, i;

    if (from->left < 2) {
        return false;
    }
    *tag = from->at[0];
    length = from->at[1];
    if (length >= 0x80) {
        octets = length & 0x7fU;
        length = 0;
        for (i = 0; octets <= 4 && i < octets && i + 2 < from->left; i++) {
            length = length << 8 | from->at[2 + i];
        }
    }
    if (octets > 4 || from->left - 2 < octets || from->left - 2 - octets < length) {
        return false;
    }
    contents->at = from->at + 2 + octets;
    contents->left = length;
    from->at = contents->at + length;
    from->left -= 2 + octets + length;
    return true;
}

#endif
