/* SPDX-License-Identifier: Apache-2.0
 *
 * Single queries of a directory about groups and entries, for authorization. Each returns an LDAP server's answer;
 * src/login decides its meaning for a line of Require (authorize.h).
 *
 * Threads: any. A caller holds a slot of as_directories_enter. Each query uses one session of the pool, under the
 * rules of logins: failover, circuit breaker, one retry where a kept session was lost.
 */
#ifndef AUTHSTATUS_GROUPS_H
#define AUTHSTATUS_GROUPS_H

#include "authstatus/ldap.h"

/* The meaning of the answer to a user's own bind. */
typedef enum as_bound {
    AS_BOUND_UNKNOWN,  /* an outage, or a misconfiguration: it says nothing */
    AS_BOUND_ACCEPTED, /* the user may query */
    AS_BOUND_REFUSED   /* no further bind of the user may follow */
} as_bound;

/* A user under whose own binds the queries are sent (AuthLDAPCompareAsUser, AuthLDAPSearchAsUser). */
typedef struct as_group_user {
    const char *dn, *password;
    as_admitter admitter;
    as_bound (*judge)(const as_reply *reply); /* the meaning of an answer; never NULL */
    bool sent;                                /* a bind */
    bool accepted;                            /* the last one */
    bool ended;     /* a bind was refused, or not admitted: `bound` answers every further question, and none is sent */
    as_reply bound; /* to the last bind, or why there was none */
} as_group_user;

/* The state that all queries of one authorization share. */
typedef struct as_group_query {
    as_directory *entered; /* of as_directories_enter */
    as_mono deadline;
    apr_pool_t *pool;              /* everything that is returned lives as long */
    as_group_user *user;           /* who queries; NULL: the service account */
    int searches, compares, binds; /* sent so far; counted up */
} as_group_query;

/* Each query returns false without an answer: the reply has the reason, a failure, the refused bind, or the LDAP
 * code. It fills in the whole reply in any case. */

/* ---- the server ---- */

typedef struct as_server_facts {
    bool is_ad;                  /* supportedCapabilities has 1.2.840.113556.1.4.800 */
    const char *const *contexts; /* namingContexts, in normal form (dn.h), NULL-terminated; empty: not sent */
} as_server_facts;

/* The rootDSE; read once for each directory and process. */
bool as_group_get_server(as_group_query *query, as_server_facts *facts, as_reply *reply);

/* Active Directory's own ways of finding groups fail: in this directory, once they did (kept for the life of the
 * process); or for this entry, which shows too little (an hour). */
bool as_group_have_ad_ways_failed(const as_group_query *query, const char *user_dn);
/* NULL: they fail for every entry. */
void as_group_note_ad_ways_failed(const as_group_query *query, const char *user_dn);
/* Such a viewer has seen an entry of this directory that has memberOf. What one user has seen is cached for an hour. */
bool as_group_was_member_of_seen(const as_group_query *query, as_viewer viewer);
void as_group_note_member_of(const as_group_query *query, as_viewer viewer);

/* ---- one group ---- */

/* How long a SID that was read is taken for that of the group (microseconds): a group that was renamed, or made anew
 * under the same name, has another. */
#define AS_GROUP_FRESH (30 * AS_MONO_SECOND)

typedef struct as_group_facts {
    /* as_group_describe */
    bool described;
    bool fresh; /* less than AS_GROUP_FRESH ago */
    bool exists;
    const char *dn;             /* as the LDAP server writes it */
    const char *const *classes; /* objectClass; NULL-terminated */
    bool searchable;            /* a search for the presence of the group's attributes finds it */
    as_sid sid;                 /* objectSid */
    bool has_type;              /* groupType was sent */
    bool is_security_group;     /* by groupType */
    bool is_universal_group;    /* likewise */
    /* as_group_compare */
    bool comparable; /* as_group_compare: every attribute was compared, with true or false */
} as_group_facts;

/* Gets the cached facts about this group for the querying account, without a query: up to an hour old. */
void as_group_get_facts(const as_group_query *query, const char *dn, const char *const *attributes,
                        as_group_facts *facts);

/* Reads a group's entry: one search, or two where none of its attributes is searchable. `attributes`: of its
 * members, NULL-terminated; NULL for an entry that is no group. A group that does not exist is an answer. */
bool as_group_describe(as_group_query *query, const char *dn, const char *const *attributes, as_group_facts *facts,
                       as_reply *reply);

#define AS_GROUP_ATTRIBUTES_MAX 16 /* attributes compared at once */

/* Attributes of one entry, or of several, each with the value that it is compared with. */
typedef struct as_compare {
    const char *dn, *const *dns; /* the entry; NULL: one for each */
    const char *const *attributes, *const *values;
    int count;  /* at most AS_GROUP_ATTRIBUTES_MAX */
    int *codes; /* receives the LDAP result codes */
} as_compare;

/* Sends all compares at once. Returns false without an answer: *reply says why. */
bool as_group_compare(as_group_query *query, const as_compare *compare, as_reply *reply);
/* Notes that the compares of these attributes were answered with true or false. */
void as_group_note_comparable(const as_group_query *query, const char *dn, const char *const *attributes);

/* ---- upwards ---- */

#define AS_GROUP_CLAUSES_MAX 500 /* of one search: attributes times values */

typedef struct as_group_level {
    const char *base;
    const char *const *classes;    /* NULL-terminated; the filter has one of them */
    const char *const *attributes; /* NULL-terminated */
    const char *const *values;     /* of members: `value_count` of them */
    int value_count;
    int limit; /* limit of groups; one more is requested */
} as_group_level;

/* Finds the groups that have one of the values: their DNs as the server wrote them, NULL-terminated. Above the
 * limit: limit + 1 of them. */
bool as_group_search(as_group_query *query, const as_group_level *level, const char *const **groups, int *count,
                     as_reply *reply);

#define AS_GROUP_RIGHTS_MAX 10000 /* groups of a naming context that are looked at */
#define AS_GROUP_EMPTY_MAX 1000   /* of these, that a search for any member does not find: each is compared */

/* Finds the groups below `base` whose members this account may not search, and that are not empty: their DNs,
 * NULL-terminated. Cached for an hour. *hidden is NULL beyond these bounds, and where the server sends no more. */
bool as_group_find_hidden(as_group_query *query, const char *base, const char *const *classes,
                          const char *const *attributes, const char *const **hidden, as_reply *reply);

/* ---- Active Directory, and memberOf ---- */

/* Reads the groups that an entry names. */
bool as_group_get_membership(as_group_query *query, const char *user_dn, as_membership *membership, as_reply *reply);
#define AS_RULE_IN_CHAIN "1.2.840.113556.1.4.1941" /* MS-ADTS 3.1.1.3.4.4.3 */
/* Tests whether the user is in the group, or in a group within it, by that rule. */
bool as_group_test_chain(as_group_query *query, const char *user_dn, const char *group_dn, bool *is, as_reply *reply);
/* tokenGroups: security groups, with those above. None: it could not be read. */
bool as_group_get_tokens(as_group_query *query, const char *user_dn, const as_sid **sids, int *count, as_reply *reply);

/* Reads the names of all attributes that an entry may have (allowedAttributes, MS-ADTS 3.1.1.4.5.17). None: it could
 * not be read. */
bool as_group_get_allowed_attributes(as_group_query *query, const char *dn, const char *const **names, int *count,
                                     as_reply *reply);

/* ---- other lines ---- */

/* Does the entry match the filter? An entry that is gone does not. */
bool as_group_test_filter(as_group_query *query, const char *dn, const char *filter, bool *does, as_reply *reply);
/* How many entries below the directory's base, within its scope, match the filter: 0, 1 or 2 for more. */
bool as_group_count_entries(as_group_query *query, const char *filter, int *entries, as_reply *reply);
/* Escapes the special characters of a value (RFC 4515 3); NULL without memory. */
const char *as_group_escape(const char *value, apr_pool_t *pool);

#endif
