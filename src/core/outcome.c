/* SPDX-License-Identifier: Apache-2.0
 *
 * Interprets the reply of a directory. Result codes: RFC 4511 4.1.9 and Appendix A. The result code decides first,
 * then the password policy control, then the text; a reply that none of them decides fails closed.
 */
#include "authstatus/outcome.h"

#include <ldap.h>
#include <stdio.h>

#include "authstatus/diagnostic.h"
#include "authstatus/ppolicy.h"

/* The meaning of a reply. proven: the directory sends this reply only after it has accepted the password. */
typedef struct meaning {
    as_outcome outcome;
    bool proven;
} meaning;

static meaning make_unproven(as_outcome outcome)
{
    return (meaning){outcome, false};
}

static meaning make_proven(as_outcome outcome)
{
    return (meaning){outcome, true};
}

typedef struct row {
    long key;
    meaning means;
} row;

/* Result codes about the directory or about the request itself, independent of the user. */
static const row directory_codes[] = {
    /* an unavailable backend (389 DS: a database link that is down) */
    {LDAP_OPERATIONS_ERROR, {AS_OUTCOME_DIRECTORY_DOWN, false}},
    {LDAP_TIMELIMIT_EXCEEDED, {AS_OUTCOME_DIRECTORY_TIMEOUT, false}},
    {LDAP_ADMINLIMIT_EXCEEDED, {AS_OUTCOME_DIRECTORY_BUSY, false}},
    {LDAP_BUSY, {AS_OUTCOME_DIRECTORY_BUSY, false}},
    {LDAP_UNAVAILABLE, {AS_OUTCOME_DIRECTORY_DOWN, false}},
    {LDAP_OTHER, {AS_OUTCOME_DIRECTORY_DOWN, false}},
    {LDAP_PROTOCOL_ERROR, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, false}},
    {LDAP_SIZELIMIT_EXCEEDED, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, false}},
    {LDAP_AUTH_METHOD_NOT_SUPPORTED, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, false}},
    {LDAP_STRONG_AUTH_REQUIRED, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, false}},
    {LDAP_REFERRAL, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, false}},
    {LDAP_UNAVAILABLE_CRITICAL_EXTENSION, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, false}},
    {LDAP_CONFIDENTIALITY_REQUIRED, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, false}},
    {LDAP_INVALID_DN_SYNTAX, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, false}},
    {LDAP_INAPPROPRIATE_AUTH, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, false}},
    /* codes of libldap itself: a lost connection is an outage */
    {LDAP_SERVER_DOWN, {AS_OUTCOME_DIRECTORY_DOWN, false}},
    {LDAP_CONNECT_ERROR, {AS_OUTCOME_DIRECTORY_DOWN, false}},
    {LDAP_TIMEOUT, {AS_OUTCOME_DIRECTORY_TIMEOUT, false}},
};

/* A bind as AuthLDAPBindDN: its name, its password, its state or its right to bind. */
static const row service_codes[] = {
    {LDAP_INVALID_CREDENTIALS, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_INAPPROPRIATE_AUTH, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_UNWILLING_TO_PERFORM, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_CONSTRAINT_VIOLATION, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_INSUFFICIENT_ACCESS, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_NO_SUCH_OBJECT, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_INVALID_DN_SYNTAX, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
};

/* A search for the user. An account that must change its password may bind; the directory then refuses every other
 * operation: 50 by OpenLDAP, 53 by 389 DS; 389 DS sends 48 where anonymous searching is off. All of them concern the
 * state or the rights of the service account. */
static const row search_codes[] = {
    {LDAP_INSUFFICIENT_ACCESS, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_UNWILLING_TO_PERFORM, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_INAPPROPRIATE_AUTH, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_NO_SUCH_OBJECT, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, false}},
};

/* A refused bind as the user, without further detail. 19 is no standard result of a bind: the Netscape family sends
 * it for the failure that locks the account and while the lock lasts. 32: the entry was removed after the search. */
static const row refusal_codes[] = {
    {LDAP_INVALID_CREDENTIALS, {AS_OUTCOME_WRONG_PASSWORD, false}},
    {LDAP_CONSTRAINT_VIOLATION, {AS_OUTCOME_ACCOUNT_LOCKED, false}},
    {LDAP_NO_SUCH_OBJECT, {AS_OUTCOME_UNKNOWN_USER, false}},
};

/* Policy errors with a refusal. Only passwordExpired proves the password, and only with invalidCredentials
 * (draft-behera 8.1); the errors that are missing here concern the change of a password. */
static const row policy_errors[] = {
    {AS_PPOLICY_PASSWORD_EXPIRED, {AS_OUTCOME_PASSWORD_EXPIRED, true}},
    {AS_PPOLICY_ACCOUNT_LOCKED, {AS_OUTCOME_ACCOUNT_LOCKED, false}},
    {AS_PPOLICY_CHANGE_AFTER_RESET, {AS_OUTCOME_PASSWORD_MUST_CHANGE, false}},
};

#define NO_LOGON_SERVERS 0x51f

/* Microsoft's system error codes. Unproven: sent for any password, or not known to require the right one. */
static const row ad_numbers[] = {
    {NO_LOGON_SERVERS, {AS_OUTCOME_DIRECTORY_DOWN, false}},
    {0x525, {AS_OUTCOME_UNKNOWN_USER, false}},        /* ERROR_NO_SUCH_USER */
    {0x52e, {AS_OUTCOME_WRONG_PASSWORD, false}},      /* ERROR_LOGON_FAILURE */
    {0x52f, {AS_OUTCOME_ACCOUNT_RESTRICTED, false}},  /* ERROR_ACCOUNT_RESTRICTION */
    {0x530, {AS_OUTCOME_LOGON_HOURS, true}},          /* ERROR_INVALID_LOGON_HOURS */
    {0x531, {AS_OUTCOME_LOGON_HOST, true}},           /* ERROR_INVALID_WORKSTATION */
    {0x532, {AS_OUTCOME_PASSWORD_EXPIRED, true}},     /* ERROR_PASSWORD_EXPIRED */
    {0x533, {AS_OUTCOME_ACCOUNT_DISABLED, true}},     /* ERROR_ACCOUNT_DISABLED */
    {0x568, {AS_OUTCOME_ACCOUNT_RESTRICTED, false}},  /* ERROR_TOO_MANY_CONTEXT_IDS: in too many groups */
    {0x569, {AS_OUTCOME_ACCOUNT_RESTRICTED, false}},  /* ERROR_LOGON_TYPE_NOT_GRANTED */
    {0x701, {AS_OUTCOME_ACCOUNT_EXPIRED, true}},      /* ERROR_ACCOUNT_EXPIRED */
    {0x773, {AS_OUTCOME_PASSWORD_MUST_CHANGE, true}}, /* ERROR_PASSWORD_MUST_CHANGE */
    {0x775, {AS_OUTCOME_ACCOUNT_LOCKED, false}},      /* ERROR_ACCOUNT_LOCKED_OUT */
    {0x78f, {AS_OUTCOME_ACCOUNT_RESTRICTED, false}},  /* ERROR_AUTHENTICATION_FIREWALL_FAILED */
};

#define NDS_PASSWORD_EXPIRED (-223) /* comes with success: a grace login was used up */

/* eDirectory's error codes. -222 is sent for any password once the grace logins are used up (Novell AppNotes, April
 * 2002, "eDirectory, LDAP and Password Policy Controls"); -220 requires the right one. */
static const row nds_numbers[] = {
    {-197, {AS_OUTCOME_ACCOUNT_LOCKED, false}},     /* login lockout */
    {-217, {AS_OUTCOME_ACCOUNT_RESTRICTED, false}}, /* maximum logins exceeded */
    {-218, {AS_OUTCOME_LOGON_HOURS, false}},        /* bad login time */
    {-219, {AS_OUTCOME_LOGON_HOST, false}},         /* unauthorized login station */
    {-220, {AS_OUTCOME_ACCOUNT_EXPIRED, true}},     /* log account expired */
    {-222, {AS_OUTCOME_PASSWORD_EXPIRED, false}},   /* bad password: expired, no grace login is left */
    {NDS_PASSWORD_EXPIRED, {AS_OUTCOME_PASSWORD_EXPIRED, false}},
    {-601, {AS_OUTCOME_UNKNOWN_USER, false}},   /* no such entry */
    {-669, {AS_OUTCOME_WRONG_PASSWORD, false}}, /* failed authentication */
};

/* 389 DS. Only "password expired!" proves the password. An account beyond its inactivity limit counts as expired; a
 * temporary password that was used too often, too late or too early counts as an expired password. */
static const row dialects_389[] = {
    {AS_DIALECT_389_EXPIRED, {AS_OUTCOME_PASSWORD_EXPIRED, true}},
    {AS_DIALECT_389_INACTIVATED, {AS_OUTCOME_ACCOUNT_DISABLED, false}},
    {AS_DIALECT_389_IDLE, {AS_OUTCOME_ACCOUNT_EXPIRED, false}},
    {AS_DIALECT_389_RETRY_LIMIT, {AS_OUTCOME_ACCOUNT_LOCKED, false}},
    {AS_DIALECT_389_TPR, {AS_OUTCOME_PASSWORD_EXPIRED, false}},
};

static bool find_row(const row *rows, size_t count, long key, meaning *means)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].key == key) {
            *means = rows[i].means;
            return true;
        }
    }
    return false;
}

#define LOOK_UP(rows, key, means) find_row(rows, sizeof(rows) / sizeof((rows)[0]), key, means)

/* The parts of a reply that decide its meaning. */
typedef struct evidence {
    int code;
    as_ppolicy policy;
    as_diagnostic text;
    const char *bind_name; /* or NULL */
} evidence;

static bool is_about_transport(const evidence *seen)
{
    return seen->text.dialect == AS_DIALECT_TRANSPORT;
}

/* Returns the meaning of the result code alone. An unknown code is an error of the configuration. */
static meaning interpret_directory(const evidence *seen)
{
    meaning means = make_unproven(AS_OUTCOME_UNKNOWN_RESULT);
    LOOK_UP(directory_codes, seen->code, &means);
    return means;
}

static bool interpret_text(const evidence *seen, meaning *means)
{
    if (seen->text.dialect == AS_DIALECT_AD) {
        if (seen->text.number == NO_LOGON_SERVERS && seen->bind_name && as_sid_is_of_builtin(seen->bind_name)) {
            /* Samba sends it for groups of BUILTIN too, whose name anybody may type. */
            return LOOK_UP(refusal_codes, seen->code, means);
        }
        return LOOK_UP(ad_numbers, seen->text.number, means);
    }
    if (seen->text.dialect == AS_DIALECT_NDS) {
        return LOOK_UP(nds_numbers, seen->text.number, means);
    }
    return LOOK_UP(dialects_389, seen->text.dialect, means);
}

static bool interpret_policy(const evidence *seen, meaning *means)
{
    /* 389 DS sends accountLocked for an inactivated account too; its text distinguishes the two. */
    if (seen->policy.error == AS_PPOLICY_ACCOUNT_LOCKED && seen->text.dialect == AS_DIALECT_389_INACTIVATED) {
        return false;
    }
    if (!LOOK_UP(policy_errors, seen->policy.error, means)) {
        return false;
    }
    means->proven = means->proven && seen->code == LDAP_INVALID_CREDENTIALS;
    return true;
}

/* Interprets 19, 32, 49 or 53 for the bind as the user. */
static meaning interpret_refusal(const evidence *seen)
{
    meaning means;
    if (interpret_policy(seen, &means) || interpret_text(seen, &means)) {
        return means;
    }
    /* OpenLDAP sends Netscape's "expired" for locked accounts as well, for any password. */
    if (seen->policy.netscape_expired && seen->code == LDAP_INVALID_CREDENTIALS) {
        return make_unproven(AS_OUTCOME_PASSWORD_EXPIRED);
    }
    if (seen->code == LDAP_UNWILLING_TO_PERFORM && is_about_transport(seen)) {
        return make_unproven(AS_OUTCOME_DIRECTORY_MISCONFIGURED);
    }
    return LOOK_UP(refusal_codes, seen->code, &means) ? means : make_unproven(AS_OUTCOME_UNKNOWN_RESULT);
}

/* Returns whether the text that comes with success reports a grace login (eDirectory). */
static bool is_nds_grace(const evidence *seen)
{
    return seen->text.dialect == AS_DIALECT_NDS && seen->text.number == NDS_PASSWORD_EXPIRED;
}

/* Returns whether the text gives a reason for a refusal and so contradicts success. */
static bool contradicts_success(const evidence *seen)
{
    return seen->text.dialect != AS_DIALECT_NONE && !is_about_transport(seen) && !is_nds_grace(seen);
}

/* Interprets 0 for the bind as the user: the password is right. draft-behera 8.1: success comes with
 * changeAfterReset, a warning or neither; with any other error the reply contradicts itself, and is no grant. */
static meaning interpret_success(const evidence *seen)
{
    const as_ppolicy *policy = &seen->policy;
    if (policy->contradictory || contradicts_success(seen)) {
        return make_unproven(AS_OUTCOME_UNKNOWN_RESULT);
    }
    if (policy->error == AS_PPOLICY_CHANGE_AFTER_RESET) {
        return make_proven(AS_OUTCOME_PASSWORD_MUST_CHANGE);
    }
    if (policy->error != AS_PPOLICY_NO_ERROR) {
        return make_unproven(AS_OUTCOME_UNKNOWN_RESULT);
    }
    /* With success, Netscape's "expired" means grace logins or a password that must be changed. A server that means
     * grace logins counts them in the control that was requested. */
    if (policy->netscape_expired && policy->grace_logins < 0) {
        return make_proven(AS_OUTCOME_PASSWORD_MUST_CHANGE);
    }
    if (policy->grace_logins >= 0 || is_nds_grace(seen)) {
        return make_proven(AS_OUTCOME_GRACE_LOGIN);
    }
    return make_proven(policy->expires_in >= 0 ? AS_OUTCOME_PASSWORD_EXPIRING : AS_OUTCOME_GRANTED);
}

/* Returns whether the bind had no name: such a bind succeeds for any password (RFC 4513 5.1.1, 5.1.2). Where no
 * search preceded the bind, the name came with the request, and src/ldap has verified that it is not empty. */
static bool was_anonymous(const as_reply *reply)
{
    return reply->dn == NULL ? reply->entries > 0 : reply->dn[0] == '\0';
}

static meaning interpret_user_bind(const as_reply *reply, const evidence *seen)
{
    switch (seen->code) {
    case LDAP_SUCCESS:
        return was_anonymous(reply) ? make_unproven(AS_OUTCOME_UNKNOWN_RESULT) : interpret_success(seen);
    case LDAP_CONSTRAINT_VIOLATION:
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_UNWILLING_TO_PERFORM:
        return interpret_refusal(seen);
    case LDAP_REFERRAL:
    case LDAP_ALIAS_PROBLEM:
    case LDAP_INVALID_DN_SYNTAX:
    case LDAP_IS_LEAF:
    case LDAP_ALIAS_DEREF_PROBLEM:
        /* A typed name that is not a DN, or that no entry has here, counts as an unknown name. */
        return reply->typed_name ? make_unproven(AS_OUTCOME_WRONG_PASSWORD) : interpret_directory(seen);
    default:
        return interpret_directory(seen);
    }
}

static meaning interpret_service_bind(const evidence *seen)
{
    meaning means;
    if (seen->code == LDAP_UNWILLING_TO_PERFORM && is_about_transport(seen)) {
        return make_unproven(AS_OUTCOME_DIRECTORY_MISCONFIGURED);
    }
    /* AD also sends 49 when it cannot reach a domain controller. */
    if (seen->code == LDAP_INVALID_CREDENTIALS && interpret_text(seen, &means) &&
        as_outcome_describe(means.outcome)->of == AS_CLASS_UNAVAILABLE) {
        return means;
    }
    return LOOK_UP(service_codes, seen->code, &means) ? means : interpret_directory(seen);
}

/* Interprets a search as the last step. A search that found one entry is never the last step: a bind follows.
 * Continuation references (RFC 4511 4.5.3) without an entry mean an unknown user: AD sends them with every search
 * from the root of a domain. */
static meaning interpret_search(const as_reply *reply, const evidence *seen)
{
    meaning means;
    switch (seen->code) {
    case LDAP_SUCCESS:
        if (reply->entries == 1) {
            return make_unproven(AS_OUTCOME_UNKNOWN_RESULT);
        }
        return make_unproven(reply->entries == 0 ? AS_OUTCOME_UNKNOWN_USER : AS_OUTCOME_AMBIGUOUS_USER);
    case LDAP_SIZELIMIT_EXCEEDED:
        return make_unproven(reply->entries == 0 ? AS_OUTCOME_DIRECTORY_MISCONFIGURED : AS_OUTCOME_AMBIGUOUS_USER);
    case LDAP_OPERATIONS_ERROR:
    case LDAP_UNWILLING_TO_PERFORM:
        /* AD without a service account: 1, "a successful bind must be completed on the connection" */
        if (is_about_transport(seen)) {
            return make_unproven(AS_OUTCOME_DIRECTORY_MISCONFIGURED);
        }
        break;
    default:
        break;
    }
    return LOOK_UP(search_codes, seen->code, &means) ? means : interpret_directory(seen);
}

/* Interprets a refused StartTLS (RFC 4511 4.14.2). AD without a certificate: 52, "Error initializing SSL/TLS". */
static meaning interpret_tls(const evidence *seen)
{
    meaning means = interpret_directory(seen);
    if (seen->code == LDAP_SUCCESS ||
        (as_outcome_describe(means.outcome)->of == AS_CLASS_UNAVAILABLE && !is_about_transport(seen))) {
        return means;
    }
    return make_unproven(AS_OUTCOME_TLS_FAILED);
}

static meaning interpret_step(const as_reply *reply, const evidence *seen)
{
    switch (reply->step) {
    case AS_STEP_CONNECT:
        break;
    case AS_STEP_TLS:
        return interpret_tls(seen);
    case AS_STEP_SERVICE_BIND:
        return interpret_service_bind(seen);
    case AS_STEP_SEARCH:
        return interpret_search(reply, seen);
    case AS_STEP_USER_BIND:
        return interpret_user_bind(reply, seen);
    }
    return interpret_directory(seen);
}

static as_outcome interpret_failure(as_failure failure)
{
    switch (failure) {
    case AS_FAILURE_DOWN:
    case AS_FAILURE_CIRCUIT_OPEN:
        return AS_OUTCOME_DIRECTORY_DOWN;
    case AS_FAILURE_TIMEOUT:
        return AS_OUTCOME_DIRECTORY_TIMEOUT;
    case AS_FAILURE_OVERLOAD:
        return AS_OUTCOME_DIRECTORY_OVERLOAD;
    case AS_FAILURE_TLS:
        return AS_OUTCOME_TLS_FAILED;
    case AS_FAILURE_NONE:
    case AS_FAILURE_ANSWER:
    case AS_FAILURE_LOCAL:
        break;
    }
    return AS_OUTCOME_UNKNOWN_RESULT;
}

static void write_subcode(char *subcode, const evidence *seen)
{
    if (seen->policy.error != AS_PPOLICY_NO_ERROR) {
        snprintf(subcode, AS_SUBCODE_SIZE, "pp%d", (int)seen->policy.error);
    } else if (seen->text.dialect == AS_DIALECT_AD) {
        snprintf(subcode, AS_SUBCODE_SIZE, "%lx", (unsigned long)seen->text.number);
    } else if (seen->text.dialect == AS_DIALECT_NDS) {
        snprintf(subcode, AS_SUBCODE_SIZE, "%ld", seen->text.number);
    }
}

/* Reads the policy controls. Of contradictory controls only the contradiction counts. */
static as_ppolicy read_policy(const as_reply *reply)
{
    as_ppolicy policy = as_ppolicy_read(reply->controls, reply->control_count);
    if (policy.contradictory) {
        return (as_ppolicy){.contradictory = true, .expires_in = -1, .grace_logins = -1, .error = AS_PPOLICY_NO_ERROR};
    }
    return policy;
}

/* Returns whether a failure says nothing about the directory but for this user: a domain whose controllers are away
 * (AD), or a name that the user typed and that may be of another database of the server. */
static bool is_of_name(const as_reply *reply, const as_finding *finding)
{
    const as_class of = as_outcome_describe(finding->outcome)->of;
    return reply->step == AS_STEP_USER_BIND && (of == AS_CLASS_UNAVAILABLE || of == AS_CLASS_MISCONFIGURED) &&
           (reply->foreign_name || (finding->has_code && finding->code == LDAP_INVALID_CREDENTIALS));
}

static as_finding interpret(const as_reply *reply)
{
    if (reply->failure != AS_FAILURE_NONE) {
        return as_finding_make(interpret_failure(reply->failure));
    }
    evidence seen = {
        .code = reply->code,
        .policy = read_policy(reply),
        .text = as_diagnostic_read(reply->diagnostic, reply->diagnostic_length),
        .bind_name = reply->bind_name,
    };
    meaning means = interpret_step(reply, &seen);

    as_finding finding = as_finding_make(means.outcome);
    finding.proven = means.proven && !seen.policy.contradictory;
    finding.has_code = seen.code >= 0;
    finding.code = seen.code;
    finding.expires_in = seen.policy.expires_in;
    finding.grace_logins = seen.policy.grace_logins;
    write_subcode(finding.subcode, &seen);
    return finding;
}

as_finding as_outcome_find(const as_reply *reply)
{
    as_finding finding = interpret(reply);
    finding.of_name = is_of_name(reply, &finding);
    return finding;
}
