/* SPDX-License-Identifier: Apache-2.0
 *
 * Authorization by the directory: decides whether an entry meets a line of `Require ldap-*`. The answer is yes, no or
 * unknown, and never a yes or a no for want of an answer. The directory client, the cache, the single flight, the
 * deadline and the limits are those of logins (login.h).
 *
 * Threads: as in login.h. Everything that is returned lives as long as the memo's pool.
 */
#ifndef AUTHSTATUS_AUTHORIZE_H
#define AUTHSTATUS_AUTHORIZE_H

#include "authstatus/login.h"

typedef enum as_ternary { AS_NO, AS_YES, AS_UNKNOWN } as_ternary;

/* ---- the question ---- */

/* AuthStatusGroups */
typedef enum as_groups_mode { AS_GROUPS_AUTO, AS_GROUPS_MEMBER, AS_GROUPS_MEMBER_OF } as_groups_mode;

#define AS_SUBGROUP_DEPTH_MAX 32 /* AuthLDAPMaxSubGroupDepth: more stops the start */

/* How groups are decided: the AuthLDAP* directives of a section (setting.def). Lists are NULL-terminated; an empty one,
 * or NULL, means mod_authnz_ldap's default, as in as_group_settings_make_default. */
typedef struct as_group_settings {
#define AS_GROUP_LIST(name) const char *const *name;
#define AS_GROUP_SETTING(type, name) type name;
#include "authstatus/setting.def"
} as_group_settings;

/* Makes a text that equal settings share, and no others. */
const char *as_group_settings_make_name(const as_group_settings *groups, apr_pool_t *pool);

/* Returns the settings without any directive. */
as_group_settings as_group_settings_make_default(void);

/* The entry in question: of this login, or of as_find_entry. */
typedef struct as_entry {
    const as_login_directory *directory; /* where it was found */
    const char *dn;                      /* as the LDAP server wrote it; never empty */
    const as_values *values;             /* as in as_answer, or NULL */
    const char *user;                    /* the name by which it was found; never NULL */
    const char *password;                /* of this request, for CompareAsUser and SearchAsUser; NULL: not known */
    const as_membership *membership;     /* its groups as the login's search returned them; NULL: not read */
} as_entry;

typedef enum as_requirement_kind {
    AS_REQUIRE_USER,      /* words: names */
    AS_REQUIRE_GROUP,     /* text: DN, without the quotes around it */
    AS_REQUIRE_DN,        /* text: DN, likewise */
    AS_REQUIRE_ATTRIBUTE, /* words: attribute=value, without the quotes around the value */
    AS_REQUIRE_FILTER,    /* text: filter, with or without its parentheses */
    AS_REQUIRE_SEARCH     /* text: filter, combined with the URL's; there is no entry */
} as_requirement_kind;

typedef struct as_requirement {
    as_requirement_kind kind;
    const char *text;         /* NULL where there are words */
    const char *const *words; /* NULL-terminated; NULL where there is a text */
    bool by_expression;       /* made by an expression of this request: it may be any text */
    const char *name;         /* of as_requirement_make_name; NULL: made for each answer */
} as_requirement;

/* Makes a text that equal requirements share, and no others. */
const char *as_requirement_make_name(const as_requirement *requirement, apr_pool_t *pool);

/* Returns NULL, or a sentence why the requirement can never be decided: a DN or a filter that does not parse, no
 * words, a word without "=". Allocated from `pool`. For a constant line at start-up; as_authorize checks texts made
 * by expressions in the same way. */
const char *as_requirement_check(const as_requirement *requirement, apr_pool_t *pool);

/* One line of Require. */
typedef struct as_authorize_attempt {
    const as_login_directory *directory; /* the directory to query: the section's, else the entry's own */
    const as_group_settings *groups;
    const as_entry *entry; /* NULL for AS_REQUIRE_SEARCH */
    const as_requirement *requirement;
    bool of_login;      /* the section names no directory, so it is the login's: groups of other directories are "no" */
    bool negated;       /* a yes of this line refuses, or may: a "no" is to be proven, as far as the directory can */
    const char *client; /* these three: as in as_login_attempt */
    const as_throttle *throttle;
    apr_interval_time_t deadline;
} as_authorize_attempt;

/* ---- the answer ---- */

/* The cost of an answer. */
typedef struct as_operations {
    int searches, compares, binds; /* of the authorization alone */
    apr_interval_time_t took;
} as_operations;

typedef struct as_authorization {
    as_ternary answer;
    /* A "no" that must not be turned into a yes: in a negation it counts as unknown with outcome
     * directory-misconfigured. The group or DN does not exist, a name or filter made by an expression does not parse,
     * a memberOf that may be unreadable, an attribute that cannot be compared, an entry of another directory. */
    bool unsafe_to_negate;
    bool elsewhere;       /* no: the group is in no naming context of the directory */
    bool unproven;        /* no: nothing was found; what this account may not search would not have been found either */
    bool missing;         /* the group or DN does not exist: log AS0032 */
    bool misnamed;        /* no: the entry has a DN that the directory of its login cannot vouch for; see `reason` */
    bool bounded;         /* a bound on groups or searches was reached, which `reason` names: unknown, or a "no" that is
                             unsafe to negate */
    bool ends_login;      /* unknown, as the user's own bind (CompareAsUser, SearchAsUser) was refused, or throttled:
                             `finding` and `wait` are a login's, and the end of this one */
    as_finding finding;   /* yes: granted; no: not-authorized; else unknown: of class unavailable or misconfigured, with
                             the LDAP code if there is one */
    const char *reason;   /* for the log: why it is unknown or unsafe, or the server's own message; never NULL */
    const char *evidence; /* for the log: "direct", "by memberOf", "via cn=dev,..."; never NULL */
    const char *server;   /* of the last answer; NULL: none was queried */
    long wait;            /* as in as_answer */
    bool cached;          /* no operation: from the cache, or known from the login */
    bool stale;           /* a yes that the cache gave while the directory was away */
    bool from_login;      /* a yes by what the login found, for as long as that is cached */
    as_acceptance source; /* of a cached answer, its record in this process; stamp 0: none, or more than these two */
    as_acceptance premise; /* the record of the "no" that it proves; stamp 0: none */
    as_operations operations;
    const char *fingerprint; /* of the directory that was queried */
} as_authorization;

/* Decides whether the entry meets the requirement. Never NULL. Answers the same attempt within one memo once. Blocks
 * at most until the memo's deadline. */
const as_authorization *as_authorize(const as_login *login, as_login_memo *memo, const as_authorize_attempt *attempt,
                                     const as_login_observer *observer);

/* ---- the entry of a login that another module made ---- */

typedef struct as_entry_lookup {
    as_ternary found;   /* no: there is none, or several */
    as_finding finding; /* granted; unknown-user, ambiguous-user; or as in as_authorization */
    bool elsewhere;     /* there is none here, and a part of the directory is on servers that were not searched */
    bool unseen;        /* there is none, nor does this account find anybody in this way (if `negated`) */
    as_entry entry;     /* if found; without a password */
    const char *reason;
    const char *server;
    long wait;
    bool cached;
    as_operations operations;
    const char *fingerprint;
} as_entry_lookup;

/* What the entry of a user is looked up by. */
typedef struct as_entry_attempt {
    const as_login_directory *directory;
    const char *user;                /* UTF-8; nobody has the empty name */
    const as_group_settings *groups; /* of the line that needs it, or NULL */
    apr_interval_time_t deadline;    /* as as_authorize_attempt's */
    bool negated;                    /* that there is no entry may be negated into a yes */
} as_entry_attempt;

/* Finds the entry of a user with the directory's attribute and filter: one search, cached as entries are. Never NULL;
 * lives as long as the memo. */
const as_entry_lookup *as_find_entry(const as_login *login, as_login_memo *memo, const as_entry_attempt *attempt,
                                     const as_login_observer *observer);

/* Notes a line that the caller answered from its own memory, for as_authorize_add_up. */
void as_authorize_note(as_login_memo *memo, const as_requirement *requirement, const as_authorization *answer);

/* ---- sums over the lines of one transaction, for its log line ---- */

typedef struct as_authorize_sums {
    int groups; /* number of different groups answered with no */
    as_operations operations;
} as_authorize_sums;

as_authorize_sums as_authorize_add_up(const as_login_memo *memo);

#endif
