/* SPDX-License-Identifier: Apache-2.0
 *
 * Distinguished names as text (RFC 4514), and their normal form. Pure functions on values; any thread.
 *
 * The normal form has attribute types in lower case, the well-known ones by name whichever of name and OID was sent
 * (RFC 4514 3), values unescaped, in lower case (ASCII), without spaces at their ends and with single spaces within
 * (RFC 4518 2.6.1), the parts of a multi-valued RDN sorted, and escapes of one kind. Two names with the same normal
 * form name the same entry for every directory whose naming attributes ignore case; two with different ones may still
 * do so: only a directory knows. So equality may save a question, and difference alone refuses nobody.
 */
#ifndef AUTHSTATUS_DN_H
#define AUTHSTATUS_DN_H

#include <stdbool.h>
#include <stddef.h>

/* Octets of a name, and of its normal form with its NUL. A longer name is none. */
#define AS_DN_MAX 8192

/* Writes the normal form of `text` with a NUL to `normal`, which has room for AS_DN_MAX octets. The empty name is a
 * name. Returns false for what is no name or too long. Sets *at, unless NULL, to the offset in `text` of what is wrong.
 */
bool as_dn_normalize(const char *text, size_t length, char *normal, size_t *at);

/* True for two names with the same normal form. */
bool as_dn_is_same(const char *a, const char *b);

/* Is the first name, in normal form, the second or below it? Everything is below the empty name. */
bool as_dn_is_within(const char *normal, const char *normal_base);

#endif
