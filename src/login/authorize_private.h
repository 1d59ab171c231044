/* SPDX-License-Identifier: Apache-2.0
 *
 * Declarations shared by the files of authorization. Upward view: authstatus/authorize.h.
 *
 *   authenticate.c      logins; of the others it knows queried.c, settle.c, coalesce.c, delay.c and known_entry.c alone
 *   known_entry.c       logins of names whose entries were found before
 *   coalesce.c          single flight: identical queries are one
 *   queried.c           the logins of a transaction
 *   delay.c              the delay of an answer to a failed login
 *   accounts.c          names under which the throttle counts accounts
 *   settle.c            the end of a login, and what the throttle counts of it
 *   targets.c           the accounts that one bind counts for
 *   service_account.c   service accounts that .htaccess files name, as logins of the accounts
 *   authorize.c         one line of Require: memo, cache, single flight, limits
 *   authorize_answer.c  the making of answers
 *   authorize_user.c    lines that query under binds of the user's own
 *   authorize_query.c   queries of lines and entries: directory, single flight, observer
 *   authorize_memory.c  answers, sets of groups, memberships: what is kept in the cache and in a transaction
 *   group.c             ldap-group: which way, and the way by members
 *   group_entry.c       one group: what is known of it, and its direct members
 *   group_set.c         upwards from the user, level by level
 *   group_ad.c          memberOf, and Active Directory's own ways
 *   line.c              ldap-user, ldap-dn, ldap-attribute, ldap-filter, ldap-search
 *   proof.c             what a "no" must stand before a negation may turn it into a yes
 *   entry.c             the entry of a login that another module made
 *   stale.c             what is served while the directory is unavailable
 *   require_line.c      the arguments of a line as text; it knows nothing of the others
 */
#ifndef AUTHSTATUS_LOGIN_AUTHORIZE_PRIVATE_H
#define AUTHSTATUS_LOGIN_AUTHORIZE_PRIVATE_H

#include <apr_hash.h>
#include <apr_tables.h>

#include "authstatus/authorize.h"
#include "authstatus/dn.h"
#include "authstatus/groups.h"

#include "coalesce.h"
#include "queried.h"
#include "settle.h"

/* LDAP result codes (RFC 4511 4.1.9): src/login does not include libldap's header. */
enum {
    AS_LDAP_SUCCESS = 0,
    AS_LDAP_SIZE_LIMIT = 4,
    AS_LDAP_COMPARE_FALSE = 5,
    AS_LDAP_COMPARE_TRUE = 6,
    AS_LDAP_UNAVAILABLE_EXTENSION = 12,
    AS_LDAP_NO_SUCH_ATTRIBUTE = 16,
    AS_LDAP_UNDEFINED_TYPE = 17,
    AS_LDAP_INAPPROPRIATE_MATCHING = 18,
    AS_LDAP_INVALID_SYNTAX = 21,
    AS_LDAP_NO_SUCH_OBJECT = 32,
    AS_LDAP_INVALID_DN = 34
};

/* Bounds of one user's set of groups. */
#define AS_GROUPS_MAX 1000
#define AS_GROUP_SEARCHES_MAX 32

/* The state of one line of Require. */
typedef struct as_authorizing {
    const as_login *login;
    as_login_memo *memo;
    const as_authorize_attempt *params;
    const as_login_observer *observer;
    apr_pool_t *pool; /* of the memo */
    const char *fingerprint;
    const char *identity;            /* what is queried as the user; "" where all is queried as the service account */
    const char *password;            /* of cache keys: the user's, where queries are the user's */
    struct as_authorized_user *user; /* who queries; NULL: the service account alone */
    as_login_attempt as_user;        /* his binds, as the throttle sees them */
    as_cache_key cached_key;         /* of his login, for the admission */
    as_admission admission;
    as_cache_key key;
    const as_authorization *to_prove; /* a "no"; NULL: there is none to prove */
    as_mono deadline;
    as_group_query compares, searches; /* as the service account or the user, each */
    apr_time_t born;                   /* time of the oldest source of the answer */
    as_reply reply;
    as_authorization *answer;
} as_authorizing;

/* A group in a line of Require. */
typedef struct as_group_line {
    const char *dn;     /* as configured */
    const char *normal; /* in normal form */
    const char *base;   /* the naming context of the group; NULL: not known */
    bool everywhere;    /* groups are looked for in each naming context */
    bool undefined;     /* none of its attributes can be compared with a member */
    as_server_facts server;
    as_group_facts facts;
} as_group_line;

/* ---- authorize_answer.c: each fills in the answer ---- */

void as_say_yes(as_authorizing *of, const char *evidence);
void as_say_no(as_authorizing *of, const char *evidence);
/* A "no" for want of a find: as_prove proves it where it matters. */
void as_say_no_unproven(as_authorizing *of, const char *evidence);
/* Answers a "no" that a negation must not turn into a yes. */
void as_say_no_unsafe(as_authorizing *of, const char *reason);
void as_say_missing(as_authorizing *of, const char *dn);
void as_say_unknown(as_authorizing *of, as_outcome outcome, const char *reason);
/* Answers unknown, with the reason in of->reply. */
void as_say_reply(as_authorizing *of);
/* Returns the meaning of a reply without an answer. Never a grant, nothing about the user. */
as_finding as_finding_make_for_operation(const as_reply *reply);
const char *as_reason_get_for_operation(const as_reply *reply, apr_pool_t *pool);

/* ---- authorize_query.c ---- */

/* Enters the directory of the line. Returns NULL, with the reason in of->reply, where no slot is free before the
 * deadline. */
as_directory *as_authorizing_enter(as_authorizing *of);
/* Queries within a single flight under of->key. Without a cache: queries. */
void as_authorizing_coalesce(const as_authorizing *of, const as_coalesced_calls *calls, void *data);
/* Reports to the observer that the directory was queried. */
void as_authorizing_report_query(const as_authorizing *of);

/* ---- authorize_memory.c ---- */

/* State of authorization in a transaction. */
struct as_authorized {
    const struct as_authorized_line *lines;
    const struct as_entry_lookup_kept *lookups;
    struct as_group_set *sets;
    struct as_user_groups *users;
    struct as_authorized_user *bound_users;
};

/* A user whose lines query under binds of the user's own. */
typedef struct as_authorized_user {
    struct as_authorized_user *next;
    as_queried *login; /* that found him; NULL: none of this transaction */
    as_group_user bind;
    const char *reason; /* if his login has ended: with this finding; else NULL */
    as_finding finding;
    long wait;
} as_authorized_user;

typedef struct as_authorized_line {
    const struct as_authorized_line *next;
    as_cache_key key;
    const char *group; /* the requirement's name; NULL: no line of ldap-group */
    const as_authorization *answer;
} as_authorized_line;

typedef struct as_entry_lookup_kept {
    const struct as_entry_lookup_kept *next;
    as_cache_key key;
    const as_entry_lookup *lookup;
} as_entry_lookup_kept;

struct as_authorized *as_authorized_get(as_login_memo *memo);
bool as_key_is_same(const as_cache_key *a, const as_cache_key *b);

/* Makes the cache key of an answer with these keys; every part goes into its hashes. `what`: the kind of record. */
as_cache_key as_authorize_make_key(const as_authorizing *of, const char *what, const char *user);

as_cached_answer as_authorization_make_cached(const as_authorization *answer, apr_pool_t *pool);
void as_authorization_read_cached(as_authorization *answer, const as_cached_answer *cached, apr_pool_t *pool);

/* Texts that are cached no longer than a yes or a no. */
typedef struct as_kept_texts {
    const char *const *texts;
    int count;
    apr_time_t born;
} as_kept_texts;

bool as_texts_get(const as_authorizing *of, as_cache_key *key, as_kept_texts *texts);
void as_texts_put(const as_authorizing *of, as_cache_key *key, const as_kept_texts *texts);

/* The groups of the entry in this directory, as far as they are known. */
typedef struct as_user_groups {
    struct as_user_groups *next;
    const char *directory, *dn, *identity;
    bool known; /* membership is known */
    as_membership membership;
    apr_time_t born;
    bool has_tokens;
    const as_sid *tokens;
    int token_count;
    apr_time_t tokens_born;
    bool queried_in_chain; /* queried in this transaction */
} as_user_groups;

as_user_groups *as_user_groups_get(as_authorizing *of);
/* Gets the membership from the login, the transaction, the cache, or by one search. Returns false if the answer is
 * already given. */
bool as_user_membership_get(as_authorizing *of, as_user_groups *user);
/* Does the same for tokenGroups. */
bool as_user_tokens_get(as_authorizing *of, as_user_groups *user);
bool as_user_tokens_are_known(as_authorizing *of, as_user_groups *user);

/* ---- group_entry.c ---- */

/* Returns the value by which a group names a member: the entry's DN, or the user's name. */
const char *as_member_get_value(const as_authorizing *of);
/* Returns whether the directory writes the name so. The typed name may be another spelling of it. */
bool as_member_value_is_sure(const as_authorizing *of);
/* Returns in *may whether the group has, or may have below it, another of the entry's names. Returns false if the
 * answer is given. */
bool as_member_may_have_other_name(as_authorizing *of, const as_group_line *line, bool *may);
#define AS_REASON_ALIAS " is an alias, which AuthLDAPDereferenceAliases does not follow"
/* Returns whether the entry is an alias (RFC 4512 2.6) that the search did not follow. */
bool as_group_is_alias(const as_group_facts *facts);
/* Returns whether the list has the DN, compared as text. */
bool as_is_in(const char *const *dns, int count, const char *dn);
/* Gets the facts, reading them if necessary. Returns false if the answer is already given. */
bool as_group_facts_get(as_authorizing *of, as_group_line *line);
bool as_group_may_nest(const as_authorizing *of, const as_group_line *line);
/* The compares of the group's attributes. True: the answer is given, or the user is in no group directly. */
typedef enum as_direct {
    AS_DIRECT_ANSWERED,
    AS_DIRECT_FALSE,
    AS_DIRECT_NO_ATTRIBUTE, /* the group has none of them */
    AS_DIRECT_UNDEFINED     /* none of them can be compared with a member, in whatever group */
} as_direct;
as_direct as_compare_direct(as_authorizing *of, as_group_line *line);

/* ---- group_set.c ---- */

typedef struct as_group_set as_group_set;
as_group_set *as_group_set_get(as_authorizing *of, const as_group_line *line);
/* The groups above these, for every user. */
as_group_set *as_group_set_get_above(as_authorizing *of, const as_group_line *line, const char *const *groups);
bool as_group_set_has(const as_group_set *set, const as_group_line *line);
bool as_group_set_is_complete(const as_group_set *set);
apr_time_t as_group_set_get_time(const as_group_set *set);
/* Searches upwards until the group is found or nothing is left, and answers. */
void as_decide_upwards(as_authorizing *of, as_group_line *line, as_group_set *set);

/* ---- group_ad.c ---- */

void as_decide_by_member_of(as_authorizing *of, as_group_line *line);
/* Returns false if Active Directory's ways do not work here: decide as for other directories. */
bool as_decide_by_ad(as_authorizing *of, as_group_line *line);
/* Proves a "no" of Active Directory's ways by the one that was not used: a distribution group by the primary group, a
 * security group by the rule. */
void as_prove_by_ad(as_authorizing *of, const as_group_line *line);

/* ---- group.c ---- */

void as_decide_group(as_authorizing *of);
/* Searches all naming contexts of the server for groups between the user and this one. */
void as_prove_group(as_authorizing *of);

/* ---- line.c ---- */

/* Answers without a query where possible. Returns true if the answer is given. */
bool as_decide_without_query(as_authorizing *of);
void as_decide_line(as_authorizing *of);
/* Reads what is known of the entry of a DN: of an hour ago, but in a proof, as it may have another name since. Returns
 * false if the directory does not say, with the reply in of->reply. */
bool as_describe_entry(as_authorizing *of, const char *dn, as_group_facts *facts);
/* Tests whether the negation of the filter matches: where an attribute cannot be searched, neither matches. */
void as_prove_match(as_authorizing *of);

/* ---- proof.c ---- */

/* Returns whether the entry's DN is one that the directory of its login may give: below that directory's base. Where a
 * line takes the DN as text, or queries other servers about it, it could be that of another's entry. */
bool as_has_own_name(const as_authorize_attempt *params, apr_pool_t *pool);
/* Returns whether the answer is a "no" that a negation must not use unchanged. */
bool as_is_to_be_proven(const as_authorize_attempt *params, const as_authorization *answer);
void as_prove(as_authorizing *of);
/* Returns the answer to this attempt: a "no" to another attempt may be unknown here. */
const as_authorization *as_qualify(const as_authorize_attempt *params, const as_authorization *answer,
                                   apr_pool_t *pool);
bool as_is_same_server(const as_directory_settings *a, const as_directory_settings *b);

/* ---- authorize_user.c ---- */

#define AS_AUTHORIZE_PASSWORD "authorize" /* of cache keys, where the service account queries */

/* Finds out who compares and who searches. */
void as_user_begin(as_authorizing *of);
/* Behind the questions of a line: counts the user's bind. If it ended the login, that is the answer. */
void as_user_end(as_authorizing *of);
/* The answer is another request's: what ended that login ends this one, with the same password. */
void as_user_learn(as_authorizing *of);

/* ---- authorize.c ---- */

/* Begins a line with the sessions of the service account, or of the user. */
void as_authorizing_begin(as_authorizing *of, const as_login *login, as_login_memo *memo,
                          const as_authorize_attempt *params, const as_login_observer *observer);

#endif
