/* SPDX-License-Identifier: Apache-2.0
 *
 * User and password in an Authorization or Proxy-Authorization header (RFC 9110 11.6.2, RFC 7617).
 */
#ifndef AUTHSTATUS_CREDENTIALS_H
#define AUTHSTATUS_CREDENTIALS_H

#include "authstatus/outcome.h"

/* Decodes the value of an Authorization header in the Basic scheme into `buffer`, which must hold `size` octets;
 * 3/4 of the header's length plus 1 is enough. On success *user and *password point into the buffer, NUL-terminated.
 *
 * Returns
 *   AS_OUTCOME_GRANTED               they could be read, and passed as_credentials_check
 *   AS_OUTCOME_NO_CREDENTIALS        header is NULL or empty, of another scheme, or "Basic" without a value
 *   AS_OUTCOME_MALFORMED_CREDENTIALS not token68 base64 (RFC 4648 4, padding may be missing), no colon, an empty
 *                                    user, a control character, NUL, not UTF-8, or larger than the buffer
 *   AS_OUTCOME_EMPTY_PASSWORD        a user without a password (RFC 4513 5.1.2)
 * The buffer then holds nothing of the password. */
as_outcome as_credentials_read(const char *header, char *buffer, size_t size, const char **user, const char **password);

/* Whether there are credentials in the Basic scheme, whatever octets they are of; for those that another provider
 * judges. `buffer` as for as_credentials_read; nothing is left in it.
 *
 * Returns
 *   AS_OUTCOME_GRANTED               there is a colon in what was decoded
 *   AS_OUTCOME_NO_CREDENTIALS        as as_credentials_read
 *   AS_OUTCOME_MALFORMED_CREDENTIALS not token68 base64, no colon, or larger than the buffer */
as_outcome as_credentials_find(const char *header, char *buffer, size_t size);

/* Whether a header is written as clients do: "Basic", one space, and base64 with its padding (RFC 4648 4, the bits that
 * pad are zero); no two of them stand for the same octets. */
bool as_credentials_is_canonical(const char *header);

/* As as_credentials_read, for a user and a password that came another way (a form). RFC 7617 2: neither may have
 * control characters; both are UTF-8 (RFC 3629: no surrogates, nothing over-long, at most U+10FFFF). */
as_outcome as_credentials_check(const char *user, const char *password);

#endif
