/* SPDX-License-Identifier: Apache-2.0
 *
 * Names as directories compare them (RFC 4518 2, for caseIgnoreMatch).
 *
 * Threads: any; nothing is kept between calls.
 */
#ifndef AUTHSTATUS_STRINGPREP_H
#define AUTHSTATUS_STRINGPREP_H

#include <stddef.h>
#include <stdint.h>

/* Number of elements of working memory that as_stringprep_prepare needs for a name of so many octets. */
#define AS_STRINGPREP_WORK(octets) (6 * (size_t)(octets) + 4)

/* Prepares a name of `length` octets: maps spaces to SPACE and control characters to nothing (2.2), normalises to
 * NFKC with the case folded (2.2, 2.3), and removes insignificant spaces: at both ends, and all but one within
 * (2.6.1, as an attribute value is compared). Names that a directory considers equal prepare to the same octets.
 * `work`: AS_STRINGPREP_WORK(length) elements of the caller's; the result lies in it. Returns the prepared name,
 * NUL-terminated UTF-8; NULL if the name is not UTF-8. */
const char *as_stringprep_prepare(const char *name, size_t length, int32_t *work);

#endif
