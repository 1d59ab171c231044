/* SPDX-License-Identifier: Apache-2.0
 *
 * What a directory answered to one question: plain values that the directory room fills in and the core reads.
 */
#ifndef AUTHSTATUS_REPLY_H
#define AUTHSTATUS_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "authstatus/sid.h"

/* How far a question came: the step that the reply is about, which is the last one taken. */
typedef enum as_step {
    AS_STEP_CONNECT,      /* address and TCP */
    AS_STEP_TLS,          /* handshake, StartTLS, certificate */
    AS_STEP_SERVICE_BIND, /* as AuthLDAPBindDN, or anonymous */
    AS_STEP_SEARCH,       /* for the user's entry */
    AS_STEP_USER_BIND     /* with the user's password */
} as_step;

/* Why there is no LDAP result. */
typedef enum as_failure {
    AS_FAILURE_NONE,         /* there is one: `code` */
    AS_FAILURE_DOWN,         /* refused, reset, closed, unreachable, no such host, an answer that is not LDAP */
    AS_FAILURE_TIMEOUT,      /* the deadline passed */
    AS_FAILURE_OVERLOAD,     /* our own limit on waiting requests */
    AS_FAILURE_CIRCUIT_OPEN, /* the breaker of every server is open */
    AS_FAILURE_TLS,          /* handshake or certificate refused, by us or by the server */
    AS_FAILURE_ANSWER,       /* what it says of one entry is too large, or not well-formed: this question's alone */
    AS_FAILURE_LOCAL         /* nothing was sent: no memory, a filter or a URL that libldap does not take */
} as_failure;

/* A response control (RFC 4511 4.1.11). */
typedef struct as_control {
    const char *oid;            /* NUL-terminated */
    const unsigned char *value; /* NULL if absent */
    size_t length;              /* octets of value */
} as_control;

/* What the user's entry says of the groups that it is in. Empty SIDs: not told. */
typedef struct as_membership {
    const char *const *groups; /* memberOf: DNs as the server wrote them; `group_count` of them and NULL */
    int group_count;
    bool whole;           /* each value of memberOf is among them; false: some were left out */
    as_sid sid;           /* objectSid (Active Directory) */
    as_sid primary_group; /* of objectSid and primaryGroupID */
} as_membership;

/* The values of one attribute as texts, in the directory's order, NULL-terminated and never empty; NULL: it has none
 * that can be a text. */
typedef const char *const *as_values;

static inline const char *as_first_value(as_values values)
{
    return values ? values[0] : NULL;
}

/* Texts come from outside: bounded by the lengths given, and not to be printed unescaped. */
typedef struct as_reply {
    as_step step;
    as_failure failure;
    int code;                 /* LDAP result code; meaningless unless failure is AS_FAILURE_NONE */
    const char *matched_dn;   /* never NULL */
    const char *diagnostic;   /* the server's diagnosticMessage, never NULL, NUL-terminated */
    size_t diagnostic_length; /* octets, may count NULs within */
    const as_control *controls;
    size_t control_count;
    unsigned entries;                /* what the search found: 0, 1, or 2 for more than one */
    bool typed_name;                 /* USER_BIND: the name is what the user typed, and was searched for nowhere */
    bool referral;                   /* a referral or a search continuation reference was among the answers */
    const char *dn;                  /* of the one entry found, else NULL */
    const as_values *values;         /* of that entry, for each attribute in the settings; NULL if no entry */
    const as_membership *membership; /* of that entry, where it was asked for; else NULL */
    const char *server;              /* "host:port" that was asked last, or NULL */
    const char *reason;              /* for the log: what libldap or the TLS library said; never NULL */
    long retry_after;                /* seconds until the breaker lets a probe pass; 0: not known */
} as_reply;

#endif
