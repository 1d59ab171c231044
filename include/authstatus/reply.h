/* SPDX-License-Identifier: Apache-2.0
 *
 * The reply of a directory to one login: plain values that src/ldap fills in and src/core reads.
 */
#ifndef AUTHSTATUS_REPLY_H
#define AUTHSTATUS_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "authstatus/sid.h"

/* The last step that a login reached; the reply is about this step. */
typedef enum as_step {
    AS_STEP_CONNECT,      /* address and TCP */
    AS_STEP_TLS,          /* handshake, StartTLS, certificate */
    AS_STEP_SERVICE_BIND, /* as AuthLDAPBindDN, or anonymous */
    AS_STEP_SEARCH,
    AS_STEP_USER_BIND /* with the user's password */
} as_step;

/* The reason why there is no LDAP result. */
typedef enum as_failure {
    AS_FAILURE_NONE,         /* there is a result: `code` */
    AS_FAILURE_DOWN,         /* refused, reset, closed, unreachable, no such host, an answer that is not LDAP */
    AS_FAILURE_TIMEOUT,      /* the deadline passed */
    AS_FAILURE_OVERLOAD,     /* our own limit on waiting requests */
    AS_FAILURE_CIRCUIT_OPEN, /* the breaker of every server is open */
    AS_FAILURE_TLS,          /* handshake or certificate refused, by us or by the server */
    AS_FAILURE_ANSWER,       /* the reply about one entry is too large or malformed: no failure of the directory */
    AS_FAILURE_LOCAL         /* nothing was sent: no memory, or libldap refuses a filter or a URL */
} as_failure;

/* A response control (RFC 4511 4.1.11). */
typedef struct as_control {
    const char *oid;            /* NUL-terminated */
    const unsigned char *value; /* NULL if absent */
    size_t length;              /* octets of value */
} as_control;

/* Whose rights decided what an entry shows. */
typedef enum as_viewer {
    AS_VIEWER_ELSEWHERE, /* an account of another server (LDAPReferrals) */
    AS_VIEWER_SERVICE,   /* the service account */
    AS_VIEWER_OWNER, /* the user whose entry it is, as each other user of this directory (AuthLDAPInitialBindAsUser) */
    AS_VIEWER_USER   /* the user who queries (AuthLDAPSearchAsUser) */
} as_viewer;

/* The groups of a user as the user's entry lists them. Empty SIDs: not sent. */
typedef struct as_membership {
    const char *const *groups; /* memberOf: DNs as the server wrote them; `group_count` of them and NULL */
    int group_count;
    as_viewer viewer;
    bool whole;           /* every value of memberOf is included; false: some were omitted */
    as_sid sid;           /* objectSid (Active Directory) */
    as_sid primary_group; /* made of objectSid and primaryGroupID */
} as_membership;

/* The values of one attribute as texts, in the directory's order, NULL-terminated and never empty; NULL: no value
 * can be a text. */
typedef const char *const *as_values;

static inline const char *as_get_first_value(as_values values)
{
    return values ? values[0] : NULL;
}

/* All texts come from outside: bounded by the given lengths; escape them before printing. */
typedef struct as_reply {
    as_step step;
    as_failure failure;
    int code;                 /* LDAP result code; meaningless unless failure is AS_FAILURE_NONE */
    const char *matched_dn;   /* never NULL */
    const char *diagnostic;   /* the server's diagnosticMessage, never NULL, NUL-terminated */
    size_t diagnostic_length; /* octets, may count NULs within */
    const as_control *controls;
    size_t control_count;
    unsigned entries;        /* number of entries found: 0, 1, or 2 for more than one */
    bool repeated;           /* the server was not queried: the result is that of another bind, or of a wait for one */
    bool typed_name;         /* USER_BIND: the name is what the user typed; no search preceded the bind */
    bool foreign_name;       /* USER_BIND: the typed name is a DN that does not lie below the base of the directory */
    const char *bind_name;   /* USER_BIND: the name that was sent, or NULL */
    bool accepted;           /* the password was accepted with the name that the user typed, whatever came of it then */
    bool referral;           /* a referral or a search continuation reference was among the answers */
    const char *dn;          /* of the one entry found, else NULL */
    const as_values *values; /* of that entry, for each attribute in the settings; NULL if no entry */
    const as_membership *membership; /* of that entry, where it was requested; else NULL */
    const char *server;              /* "host:port" of the last server queried, or NULL */
    int server_index;                /* its index in the directory's settings; valid with `server` */
    const char *reason;              /* for the log: the message of libldap or the TLS library; never NULL */
    long retry_after;                /* seconds until the breaker permits a probe; 0: unknown */
} as_reply;

#endif
