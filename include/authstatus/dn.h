/* SPDX-License-Identifier: Apache-2.0
 *
 * Distinguished names as text (RFC 4514), and their normal form. Pure functions on values; any thread.
 *
 * The normal form has attribute types in lower case, well-known types by name instead of OID (RFC 4514 3), values
 * unescaped, in lower case (ASCII), without spaces at their ends and with single spaces within (RFC 4518 2.6.1), the
 * parts of a multi-valued RDN sorted, and one kind of escape. Two names with the same normal form name the same entry
 * in every directory whose naming attributes ignore case. Two names with different normal forms may still name the same
 * entry: only the directory can decide. So equality may save a query; difference alone never refuses a user.
 */
#ifndef AUTHSTATUS_DN_H
#define AUTHSTATUS_DN_H

#include <stdbool.h>
#include <stddef.h>

/* Octets of a name, and of its normal form with its NUL. Longer names are refused. */
#define AS_DN_MAX 8192

/* Writes the normal form of `text` with a NUL to `normal`, of AS_DN_MAX octets. The empty name is
 * valid. Returns false for text that is not a name or too long, and sets *at, unless NULL, to the offset of the
 * error in `text`. */
bool as_dn_normalize(const char *text, size_t length, char *normal, size_t *at);

/* Writes `text` with a NUL to `plain`, of AS_DN_MAX octets, without what directories read beyond RFC 4514: quotes
 * around values (RFC 2253 4), options after types, backslashes before characters that need none. Not for authorization:
 * two directories may differ here. Returns false for a quote that does not end, for anything but spaces between one and
 * the end of its value, and for text that is too long. */
bool as_dn_read_dialect(const char *text, size_t length, char *plain);

/* Returns true for two names with the same normal form. */
bool as_dn_is_same(const char *a, const char *b);

/* Like as_dn_normalize, but values keep their case unless the attribute type is known to ignore it, and their spaces,
 * which a directory with other rules than those of RFC 4518 may tell apart: two names with the same exact form name the
 * same entry in every directory. */
bool as_dn_normalize_exactly(const char *text, size_t length, char *normal);
/* Returns true for two names with the same exact form. */
bool as_dn_is_surely_same(const char *a, const char *b);

/* Returns whether the first name, in normal form, equals the second or lies below it. Every name lies below the
 * empty name. */
bool as_dn_is_within(const char *normal, const char *normal_base);

#endif
