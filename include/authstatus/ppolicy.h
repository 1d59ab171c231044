/* SPDX-License-Identifier: Apache-2.0
 *
 * Password policy in response controls. Pure functions on bytes.
 */
#ifndef AUTHSTATUS_PPOLICY_H
#define AUTHSTATUS_PPOLICY_H

#include "authstatus/reply.h"

#define AS_OID_PPOLICY "1.3.6.1.4.1.42.2.27.8.5.1"
#define AS_OID_NETSCAPE_EXPIRED "2.16.840.1.113730.3.4.4"
#define AS_OID_NETSCAPE_EXPIRING "2.16.840.1.113730.3.4.5"

/* draft-behera-ldap-password-policy-11 6.2, error ENUMERATED */
typedef enum as_ppolicy_error {
    AS_PPOLICY_NO_ERROR = -1,
    AS_PPOLICY_PASSWORD_EXPIRED = 0,
    AS_PPOLICY_ACCOUNT_LOCKED = 1,
    AS_PPOLICY_CHANGE_AFTER_RESET = 2,
    AS_PPOLICY_PASSWORD_MOD_NOT_ALLOWED = 3,
    AS_PPOLICY_MUST_SUPPLY_OLD_PASSWORD = 4,
    AS_PPOLICY_INSUFFICIENT_QUALITY = 5,
    AS_PPOLICY_PASSWORD_TOO_SHORT = 6,
    AS_PPOLICY_PASSWORD_TOO_YOUNG = 7,
    AS_PPOLICY_PASSWORD_IN_HISTORY = 8,
    AS_PPOLICY_PASSWORD_TOO_LONG = 9
} as_ppolicy_error;

/* The content of the controls of one reply that concerns the password. */
typedef struct as_ppolicy {
    bool present;          /* the password policy response control was there */
    bool contradictory;    /* a control does not parse, or two of one kind: none of them counts */
    bool netscape_expired; /* 2.16.840.1.113730.3.4.4 */
    long expires_in;       /* seconds, from either control; -1: not reported */
    long grace_logins;     /* -1: not reported */
    as_ppolicy_error error;
} as_ppolicy;

/* Reads all controls of a reply. Ignores unknown controls. */
as_ppolicy as_ppolicy_read(const as_control *controls, size_t count);

/* Returns the error as a clause, "the account is locked"; NULL for none. */
const char *as_ppolicy_describe_error(as_ppolicy_error error);

/* Parses one PasswordPolicyResponseValue (BER, short or long definite lengths) and sets expires_in, grace_logins and
 * error of `out`. Returns false and sets nothing if any octet is invalid. */
bool as_ppolicy_parse(const unsigned char *value, size_t length, as_ppolicy *out);

#endif
