/* SPDX-License-Identifier: Apache-2.0
 *
 * Security identifiers of Active Directory in their binary form (MS-DTYP 2.4.2.2), as objectSid and tokenGroups hold
 * them. Pure functions on values; any thread.
 */
#ifndef AUTHSTATUS_SID_H
#define AUTHSTATUS_SID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AS_SID_MAX 68                        /* octets: 8, and 4 for each of at most 15 sub-authorities */
#define AS_SID_TEXT_MAX (2 * AS_SID_MAX + 1) /* of as_sid_write, with its NUL */

typedef struct as_sid {
    size_t length; /* octets; 0: none */
    unsigned char octets[AS_SID_MAX];
} as_sid;

/* Reads a binary SID. Returns false for invalid octets: a revision other than 1, or a length that does not match. */
bool as_sid_read(const unsigned char *octets, size_t length, as_sid *sid);

/* Makes the SID of the primary group: the domain of the user's own SID with the relative identifier of
 * primaryGroupID, a decimal number. Returns false for a SID without a domain (S-1-5-21-x-y-z-rid) or an invalid
 * number. */
bool as_sid_make_primary_group(const as_sid *user, const char *primary_group_id, as_sid *group);

/* Returns whether a bind name, of any length, names a group of the domain BUILTIN (S-1-5-32; MS-ADTS 6.1.1.4.10): as a
 * DN, a SID or a canonical name. Such a group is no account. */
bool as_sid_is_of_builtin(const char *name);

bool as_sid_is_same(const as_sid *a, const as_sid *b);

/* Writes a SID in hexadecimal, in lower case; as_sid_parse reads it back. */
void as_sid_write(const as_sid *sid, char text[AS_SID_TEXT_MAX]);
bool as_sid_parse(const char *text, as_sid *sid);

#endif
