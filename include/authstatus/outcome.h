/* SPDX-License-Identifier: Apache-2.0
 *
 * Outcomes: the result of an authentication, found in the reply of a directory.
 * Pure functions on values: no allocation, no clock, no lock; safe in any thread.
 */
#ifndef AUTHSTATUS_OUTCOME_H
#define AUTHSTATUS_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "authstatus/reply.h"

typedef enum as_class {
#define AS_CLASS(id, name, status, note) AS_CLASS_##id,
#include "authstatus/outcome.def"
    AS_CLASS_COUNT
} as_class;

typedef enum as_outcome {
#define AS_OUTCOME(id, name, class_id, tag, level, sentence, when) AS_OUTCOME_##id,
#include "authstatus/outcome.def"
    AS_OUTCOME_COUNT
} as_outcome;

typedef enum as_level { AS_LEVEL_debug, AS_LEVEL_info, AS_LEVEL_warn, AS_LEVEL_err } as_level;

typedef struct as_outcome_info {
    const char *name; /* as in AuthStatusMap, variables and logs */
    as_class of;
    const char *tag;      /* "AS0015": tag of the outcome's line in the error log */
    as_level level;       /* level of that line */
    const char *sentence; /* for the person who signs in; plain text, one line */
} as_outcome_info;

typedef struct as_class_info {
    const char *name;
    int status; /* the default HTTP status, 0 for granted */
} as_class_info;

/* Returns the table's row of an outcome or a class. Never NULL; the values are static. An invalid argument yields
 * unknown-result, misconfigured: never a grant. */
const as_outcome_info *as_outcome_describe(as_outcome outcome);
const as_class_info *as_class_describe(as_class class_id);

/* Returns a number that differs for each list of outcomes and each order of the list. Shared memory that holds
 * numbers of outcomes and may be read by another version includes it in its layout. */
uint64_t as_outcome_hash_order(void);

/* Finds an outcome or a class by its name, in any case. Returns false if there is none. */
bool as_outcome_find_by_name(const char *name, as_outcome *outcome);
bool as_class_find_by_name(const char *name, as_class *class_id);

/* Returns true for the outcomes that AuthStatusDisclose governs: classes unauthenticated and refused. */
bool as_outcome_is_about_account(as_outcome outcome);

#define AS_SUBCODE_SIZE 16

/* The meaning of a directory's reply. */
typedef struct as_finding {
    as_outcome outcome;
    bool proven;   /* the directory has accepted the password, whatever else it reported */
    bool has_code; /* `code` is an LDAP result code (RFC 4511 4.1.9), not a local failure */
    int code;
    char subcode[AS_SUBCODE_SIZE]; /* "52e" (AD, lower-case hex), "-669" (NDS), "pp1" (policy error 0 to 9), or "" */
    long expires_in;               /* seconds until the password expires; -1: not reported */
    bool of_name;                  /* unavailable or misconfigured for this user alone: no failure of the directory */
    long grace_logins;             /* logins that remain; -1: not reported */
} as_finding;

/* Finds the outcome of a directory's reply. Fails closed: a reply is a grant only if it is certain to be one.
 * Sources: RFC 4511 4.1.9 and Appendix A; draft-behera-ldap-password-policy-11 6.2 and 8.1; Microsoft, "System Error
 * Codes" (AcceptSecurityContext error, data <hex>); NetIQ eDirectory error codes. */
as_finding as_outcome_find(const as_reply *reply);

/* Makes the finding of an outcome without a directory's reply (no credentials, a denial by Require, ...). */
as_finding as_finding_make(as_outcome outcome);

#endif
