/* SPDX-License-Identifier: Apache-2.0
 *
 * The meaning of a directory's answer. Result codes are RFC 4511 4.1.9 and Appendix A. A result code decides first,
 * then the password policy control, then the text; what none of them settles fails closed.
 */
#include "authstatus/outcome.h"

#include <ldap.h>
#include <stdio.h>

#include "authstatus/diagnostic.h"
#include "authstatus/ppolicy.h"
#include "text.h"

static const as_outcome_info outcomes[] = {
#define AS_OUTCOME(id, name, class_id, tag, level, sentence, when)                                                     \
    {name, AS_CLASS_##class_id, "AS" #tag, AS_LEVEL_##level, sentence},
#include "authstatus/outcome.def"
};

static const as_class_info classes[] = {
#define AS_CLASS(id, name, status, note) {name, status},
#include "authstatus/outcome.def"
};

const as_outcome_info *as_outcome_describe(as_outcome outcome)
{
    return &outcomes[(unsigned)outcome < AS_OUTCOME_COUNT ? outcome : AS_OUTCOME_UNKNOWN_RESULT];
}

const as_class_info *as_class_describe(as_class class_id)
{
    return &classes[(unsigned)class_id < AS_CLASS_COUNT ? class_id : AS_CLASS_MISCONFIGURED];
}

uint32_t as_outcome_order(void)
{
    uint32_t hash = AS_TEXT_HASH;

    for (unsigned i = 0; i < AS_OUTCOME_COUNT; i++) {
        hash = as_text_hash(hash, outcomes[i].name);
    }
    return hash;
}

bool as_outcome_by_name(const char *name, as_outcome *outcome)
{
    for (unsigned i = 0; i < AS_OUTCOME_COUNT; i++) {
        if (as_text_equal(name, outcomes[i].name)) {
            *outcome = (as_outcome)i;
            return true;
        }
    }
    return false;
}

bool as_class_by_name(const char *name, as_class *class_id)
{
    for (unsigned i = 0; i < AS_CLASS_COUNT; i++) {
        if (as_text_equal(name, classes[i].name)) {
            *class_id = (as_class)i;
            return true;
        }
    }
    return false;
}

bool as_outcome_is_about_account(as_outcome outcome)
{
    as_class of = as_outcome_describe(outcome)->of;
    return of == AS_CLASS_UNAUTHENTICATED || of == AS_CLASS_REFUSED;
}

/* What an answer means, and whether the directory tells it only after it has accepted the password. */
typedef struct meaning {
    as_outcome outcome;
    bool proven;
} meaning;

static meaning unproven(as_outcome outcome)
{
    return (meaning){outcome, false};
}

static meaning proven(as_outcome outcome)
{
    return (meaning){outcome, true};
}

typedef struct row {
    long key;
    meaning means;
} row;

/* Result codes that tell of the directory or of our asking, whoever is asked about. */
static const row directory_codes[] = {
    /* a dead backend (389 DS: a dead database link) */
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
    /* libldap's own, should they come as codes: a lost connection is an outage */
    {LDAP_SERVER_DOWN, {AS_OUTCOME_DIRECTORY_DOWN, false}},
    {LDAP_CONNECT_ERROR, {AS_OUTCOME_DIRECTORY_DOWN, false}},
    {LDAP_TIMEOUT, {AS_OUTCOME_DIRECTORY_TIMEOUT, false}},
};

/* A bind as AuthLDAPBindDN: its name, its password, its state or its right to bind so. */
static const row service_codes[] = {
    {LDAP_INVALID_CREDENTIALS, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_INAPPROPRIATE_AUTH, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_UNWILLING_TO_PERFORM, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_CONSTRAINT_VIOLATION, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_INSUFFICIENT_ACCESS, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_NO_SUCH_OBJECT, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_INVALID_DN_SYNTAX, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
};

/* A search for the user. An account that must change its password may bind, and is then refused everything else:
 * 50 by OpenLDAP, 53 by 389 DS; 48 is 389's answer where anonymous searching is off. All are the service account's
 * state or rights, so its administrator is told to look there. */
static const row search_codes[] = {
    {LDAP_INSUFFICIENT_ACCESS, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_UNWILLING_TO_PERFORM, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_INAPPROPRIATE_AUTH, {AS_OUTCOME_SERVICE_ACCOUNT_REFUSED, false}},
    {LDAP_NO_SUCH_OBJECT, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, false}},
};

/* A bind as the user that was refused, when nothing more is told. 19 is no standard answer to a bind: the Netscape
 * family gives it for the failure that locks and while the lock lasts. 32: the entry has gone since it was found. */
static const row refusal_codes[] = {
    {LDAP_INVALID_CREDENTIALS, {AS_OUTCOME_WRONG_PASSWORD, false}},
    {LDAP_CONSTRAINT_VIOLATION, {AS_OUTCOME_ACCOUNT_LOCKED, false}},
    {LDAP_NO_SUCH_OBJECT, {AS_OUTCOME_UNKNOWN_USER, false}},
};

/* Policy errors with a refusal. Only passwordExpired is told after the password was found right, and with
 * invalidCredentials alone (draft-behera 8.1); the errors that are missing here are about changing a password. */
static const row policy_errors[] = {
    {AS_PPOLICY_PASSWORD_EXPIRED, {AS_OUTCOME_PASSWORD_EXPIRED, true}},
    {AS_PPOLICY_ACCOUNT_LOCKED, {AS_OUTCOME_ACCOUNT_LOCKED, false}},
    {AS_PPOLICY_CHANGE_AFTER_RESET, {AS_OUTCOME_PASSWORD_MUST_CHANGE, false}},
};

/* Microsoft's system error codes. Unproven: told for any password, or not known to need the right one. */
static const row ad_numbers[] = {
    {0x51f, {AS_OUTCOME_DIRECTORY_DOWN, false}},      /* ERROR_NO_LOGON_SERVERS */
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

/* eDirectory's error codes. -222 comes for any password once the grace logins are used up (Novell AppNotes, April 2002,
 * "eDirectory, LDAP and Password Policy Controls"); -220 needs the right one. */
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

/* 389 DS. Of these only "password expired!" is told after the password was found right. An account past its inactivity
 * limit has run out; a temporary password that was used too often, too late or too early is worth no more. */
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

/* An answer, taken apart. */
typedef struct evidence {
    int code;
    as_ppolicy policy;
    as_diagnostic text;
} evidence;

static bool is_about_transport(const evidence *seen)
{
    return seen->text.dialect == AS_DIALECT_TRANSPORT;
}

/* What the code alone says of the directory; a code that nobody knows is the administrator's. */
static meaning of_directory(const evidence *seen)
{
    meaning means = unproven(AS_OUTCOME_UNKNOWN_RESULT);
    LOOK_UP(directory_codes, seen->code, &means);
    return means;
}

static bool of_text(const evidence *seen, meaning *means)
{
    if (seen->text.dialect == AS_DIALECT_AD) {
        return LOOK_UP(ad_numbers, seen->text.number, means);
    }
    if (seen->text.dialect == AS_DIALECT_NDS) {
        return LOOK_UP(nds_numbers, seen->text.number, means);
    }
    return LOOK_UP(dialects_389, seen->text.dialect, means);
}

static bool of_policy(const evidence *seen, meaning *means)
{
    /* 389 DS says accountLocked of an inactivated account too: its text tells the two apart. */
    if (seen->policy.error == AS_PPOLICY_ACCOUNT_LOCKED && seen->text.dialect == AS_DIALECT_389_INACTIVATED) {
        return false;
    }
    if (!LOOK_UP(policy_errors, seen->policy.error, means)) {
        return false;
    }
    means->proven = means->proven && seen->code == LDAP_INVALID_CREDENTIALS;
    return true;
}

/* 19, 32, 49 or 53 for the user. */
static meaning of_refusal(const evidence *seen)
{
    meaning means;
    if (of_policy(seen, &means) || of_text(seen, &means)) {
        return means;
    }
    /* OpenLDAP sends Netscape's "expired" for locked accounts as well, whatever the password. */
    if (seen->policy.netscape_expired && seen->code == LDAP_INVALID_CREDENTIALS) {
        return unproven(AS_OUTCOME_PASSWORD_EXPIRED);
    }
    if (seen->code == LDAP_UNWILLING_TO_PERFORM && is_about_transport(seen)) {
        return unproven(AS_OUTCOME_DIRECTORY_MISCONFIGURED);
    }
    return LOOK_UP(refusal_codes, seen->code, &means) ? means : unproven(AS_OUTCOME_UNKNOWN_RESULT);
}

/* eDirectory tells of a grace login in the text that comes with success. */
static bool is_nds_grace(const evidence *seen)
{
    return seen->text.dialect == AS_DIALECT_NDS && seen->text.number == NDS_PASSWORD_EXPIRED;
}

/* Any other text that says why a login is refused contradicts success. */
static bool text_contradicts_success(const evidence *seen)
{
    return seen->text.dialect != AS_DIALECT_NONE && !is_about_transport(seen) && !is_nds_grace(seen);
}

/* 0 for the user: the password is right. draft-behera 8.1: success comes with changeAfterReset or a warning or
 * neither; with any other error it contradicts itself, and is none. */
static meaning of_success(const evidence *seen)
{
    const as_ppolicy *policy = &seen->policy;
    if (policy->contradictory || text_contradicts_success(seen)) {
        return unproven(AS_OUTCOME_UNKNOWN_RESULT);
    }
    if (policy->error == AS_PPOLICY_CHANGE_AFTER_RESET) {
        return proven(AS_OUTCOME_PASSWORD_MUST_CHANGE);
    }
    if (policy->error != AS_PPOLICY_NO_ERROR) {
        return unproven(AS_OUTCOME_UNKNOWN_RESULT);
    }
    /* With success, Netscape's "expired" is said of grace logins and of a password that must be changed. A server that
     * means the former counts them in the control we asked for. */
    if (policy->netscape_expired && policy->grace_logins < 0) {
        return proven(AS_OUTCOME_PASSWORD_MUST_CHANGE);
    }
    if (policy->grace_logins >= 0 || is_nds_grace(seen)) {
        return proven(AS_OUTCOME_GRACE_LOGIN);
    }
    return proven(policy->expires_in >= 0 ? AS_OUTCOME_PASSWORD_EXPIRING : AS_OUTCOME_GRANTED);
}

/* A bind without a name succeeds for anybody (RFC 4513 5.1.1, 5.1.2). Where nothing was searched for, the name came
 * with the question, and the directory room has seen that it is one. */
static bool was_anonymous(const as_reply *reply)
{
    return reply->dn == NULL ? reply->entries > 0 : reply->dn[0] == '\0';
}

static meaning of_user_bind(const as_reply *reply, const evidence *seen)
{
    switch (seen->code) {
    case LDAP_SUCCESS:
        return was_anonymous(reply) ? unproven(AS_OUTCOME_UNKNOWN_RESULT) : of_success(seen);
    case LDAP_CONSTRAINT_VIOLATION:
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_UNWILLING_TO_PERFORM:
        return of_refusal(seen);
    case LDAP_INVALID_DN_SYNTAX:
        /* A name that is no DN is as wrong as one that nobody has. */
        return reply->typed_name ? unproven(AS_OUTCOME_WRONG_PASSWORD) : of_directory(seen);
    default:
        return of_directory(seen);
    }
}

static meaning of_service_bind(const evidence *seen)
{
    meaning means;
    if (seen->code == LDAP_UNWILLING_TO_PERFORM && is_about_transport(seen)) {
        return unproven(AS_OUTCOME_DIRECTORY_MISCONFIGURED);
    }
    /* AD says with 49 as well that it cannot ask a domain controller. */
    if (seen->code == LDAP_INVALID_CREDENTIALS && of_text(seen, &means) &&
        as_outcome_describe(means.outcome)->of == AS_CLASS_UNAVAILABLE) {
        return means;
    }
    return LOOK_UP(service_codes, seen->code, &means) ? means : of_directory(seen);
}

/* A search that found one entry is never the last step: a bind follows. Continuation references (RFC 4511 4.5.3) beside
 * no entry leave the user unknown: AD sends them with every search from a domain's root. */
static meaning of_search(const as_reply *reply, const evidence *seen)
{
    meaning means;
    switch (seen->code) {
    case LDAP_SUCCESS:
        if (reply->entries == 1) {
            return unproven(AS_OUTCOME_UNKNOWN_RESULT);
        }
        return unproven(reply->entries == 0 ? AS_OUTCOME_UNKNOWN_USER : AS_OUTCOME_AMBIGUOUS_USER);
    case LDAP_SIZELIMIT_EXCEEDED:
        return unproven(reply->entries == 0 ? AS_OUTCOME_DIRECTORY_MISCONFIGURED : AS_OUTCOME_AMBIGUOUS_USER);
    case LDAP_OPERATIONS_ERROR:
    case LDAP_UNWILLING_TO_PERFORM:
        /* AD without a service account: 1, "a successful bind must be completed on the connection" */
        if (is_about_transport(seen)) {
            return unproven(AS_OUTCOME_DIRECTORY_MISCONFIGURED);
        }
        break;
    default:
        break;
    }
    return LOOK_UP(search_codes, seen->code, &means) ? means : of_directory(seen);
}

/* StartTLS that was refused (RFC 4511 4.14.2). AD without a certificate: 52, "Error initializing SSL/TLS". */
static meaning of_tls(const evidence *seen)
{
    meaning means = of_directory(seen);
    if (seen->code == LDAP_SUCCESS ||
        (as_outcome_describe(means.outcome)->of == AS_CLASS_UNAVAILABLE && !is_about_transport(seen))) {
        return means;
    }
    return unproven(AS_OUTCOME_TLS_FAILED);
}

static meaning of_step(const as_reply *reply, const evidence *seen)
{
    switch (reply->step) {
    case AS_STEP_CONNECT:
        break;
    case AS_STEP_TLS:
        return of_tls(seen);
    case AS_STEP_SERVICE_BIND:
        return of_service_bind(seen);
    case AS_STEP_SEARCH:
        return of_search(reply, seen);
    case AS_STEP_USER_BIND:
        return of_user_bind(reply, seen);
    }
    return of_directory(seen);
}

static as_outcome of_failure(as_failure failure)
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

/* Of controls that contradict themselves nothing is believed but that they do. */
static as_ppolicy believed_policy(const as_reply *reply)
{
    as_ppolicy policy = as_ppolicy_read(reply->controls, reply->control_count);
    if (policy.contradictory) {
        return (as_ppolicy){.contradictory = true, .expires_in = -1, .grace_logins = -1, .error = AS_PPOLICY_NO_ERROR};
    }
    return policy;
}

as_finding as_finding_of(as_outcome outcome)
{
    return (as_finding){.outcome = outcome, .expires_in = -1, .grace_logins = -1};
}

as_finding as_outcome_find(const as_reply *reply)
{
    if (reply->failure != AS_FAILURE_NONE) {
        return as_finding_of(of_failure(reply->failure));
    }
    evidence seen = {
        .code = reply->code,
        .policy = believed_policy(reply),
        .text = as_diagnostic_read(reply->diagnostic, reply->diagnostic_length),
    };
    meaning means = of_step(reply, &seen);

    as_finding finding = as_finding_of(means.outcome);
    finding.proven = means.proven && !seen.policy.contradictory;
    finding.has_code = seen.code >= 0;
    finding.code = seen.code;
    finding.expires_in = seen.policy.expires_in;
    finding.grace_logins = seen.policy.grace_logins;
    write_subcode(finding.subcode, &seen);
    return finding;
}
