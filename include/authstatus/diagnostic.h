/* SPDX-License-Identifier: Apache-2.0
 *
 * The free text of a directory (diagnosticMessage, RFC 4511 4.1.9). It decides only where result code and controls do
 * not.
 */
#ifndef AUTHSTATUS_DIAGNOSTIC_H
#define AUTHSTATUS_DIAGNOSTIC_H

#include <stdbool.h>
#include <stddef.h>

typedef enum as_dialect {
    AS_DIALECT_NONE,            /* no known phrase */
    AS_DIALECT_AD,              /* "AcceptSecurityContext error, data 52e": `number` is that hexadecimal number */
    AS_DIALECT_NDS,             /* "NDS error: ... (-669)": `number` is negative */
    AS_DIALECT_389_EXPIRED,     /* "password expired!" */
    AS_DIALECT_389_INACTIVATED, /* "Account inactivated..." */
    AS_DIALECT_389_IDLE,        /* "Account inactivity limit exceeded..." */
    AS_DIALECT_389_RETRY_LIMIT, /* "Exceed password retry limit..." */
    AS_DIALECT_389_TPR,         /* "TPR checking...": a temporary password is used up */
    AS_DIALECT_TRANSPORT        /* TLS, confidentiality or simple binds: about the connection, not the account */
} as_dialect;

typedef struct as_diagnostic {
    as_dialect dialect;
    long number;
} as_diagnostic;

/* Reads at most the first 4 KiB of `text`; octets above 0x7f, NUL and control characters match nothing. Letters
 * compare as ASCII, in any case, in every locale. */
as_diagnostic as_diagnostic_read(const char *text, size_t length);

#endif
