/* SPDX-License-Identifier: Apache-2.0
 *
 * User and password in an Authorization or Proxy-Authorization header (RFC 9110 11.6.2, RFC 7617).
 */
#ifndef AUTHSTATUS_CREDENTIALS_H
#define AUTHSTATUS_CREDENTIALS_H

#include "authstatus/outcome.h"

/* Octets of a user name, and of a password. Directories end the connection of a request that is larger than some
 * hundred thousand octets: OpenLDAP 262143 (sockbuf_max_incoming), Samba 256000. */
#define AS_CREDENTIAL_MAX 65536

/* Decodes the value of an Authorization header in the Basic scheme into `buffer`, which must hold `size` octets;
 * 3/4 of the header's length plus 1 is enough. On success *user and *password point into the buffer, NUL-terminated.
 *
 * Returns
 *   AS_OUTCOME_GRANTED               the credentials are readable and passed as_credentials_check
 *   AS_OUTCOME_NO_CREDENTIALS        header is NULL or empty, of another scheme, or "Basic" without a value
 *   AS_OUTCOME_MALFORMED_CREDENTIALS not token68 base64 (RFC 4648 4, padding may be missing), no colon, an empty
 *                                    user, a control character, NUL, not UTF-8, larger than the buffer, or a part
 *                                    of more than AS_CREDENTIAL_MAX
 *   AS_OUTCOME_EMPTY_PASSWORD        a user without a password (RFC 4513 5.1.2)
 * On any result but AS_OUTCOME_GRANTED the buffer is wiped. */
as_outcome as_credentials_read(const char *header, char *buffer, size_t size, const char **user, const char **password);

/* Returns whether a header has credentials in the Basic scheme, of any octets; for credentials that another provider
 * checks. `buffer` as for as_credentials_read; it is wiped.
 *
 * Returns
 *   AS_OUTCOME_GRANTED               the decoded value has a colon
 *   AS_OUTCOME_NO_CREDENTIALS        as as_credentials_read
 *   AS_OUTCOME_MALFORMED_CREDENTIALS not token68 base64, no colon, or larger than the buffer */
as_outcome as_credentials_find(const char *header, char *buffer, size_t size);

/* Returns whether a header has the form that clients send: "Basic", one space, and base64 with its padding (RFC 4648
 * 4, excess bits are zero). Two different canonical headers never decode to the same octets. */
bool as_credentials_is_canonical(const char *header);

/* Checks a user and a password as as_credentials_read does, for credentials from another source (a form). RFC 7617
 * 2: neither may have control characters, or more octets than AS_CREDENTIAL_MAX; both are UTF-8 (RFC 3629: no
 * surrogates, nothing over-long, at most U+10FFFF). */
as_outcome as_credentials_check(const char *user, const char *password);

/* Returns whether a text is well-formed UTF-8 (RFC 3629), as each string of LDAP has to be (RFC 4511 4.1.2). */
bool as_credentials_is_utf8(const char *text);

#endif
