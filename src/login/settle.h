/* SPDX-License-Identifier: Apache-2.0
 *
 * Declarations of settle.c for authenticate.c: the throttle around the binds of one query, and the end of a login.
 */
#ifndef AUTHSTATUS_LOGIN_SETTLE_H
#define AUTHSTATUS_LOGIN_SETTLE_H

#include "authstatus/login.h"

/* The throttle of one login's queries. */
typedef struct as_admission {
    const as_login *login;
    as_login_memo *memo;
    const as_login_attempt *params;
    as_mono deadline;
    const as_cache_key *cached_key; /* the password is cached as accepted, under this key; else NULL */
    bool proven;                    /* the directory has accepted the password in this transaction */
    as_throttle of_htaccess;        /* the section's, for accounts that a .htaccess file may invent */
    /* Of the last query: */
    as_bind_target target;             /* of its last bind */
    bool is_of_entry;                  /* that bind follows one under another name, which was accepted */
    struct as_counted_account *before; /* what the memo had counted when it began */
    bool refused;                      /* a bind was not admitted */
    bool superseded; /* so, as the password was refused meanwhile: the cache says with which outcome */
    long wait;       /* seconds, then */
} as_admission;

/* Returns the seconds that this client, or the account that this name is known to lead to, must wait; 0: none. */
long as_admission_get_wait(const as_admission *admission);
/* Returns whether a bind under the name that the user typed may be counted. */
bool as_admission_can_count(const as_admission *admission);
/* Begins a query. */
void as_admission_begin_query(as_admission *admission);
/* Returns who admits the binds of its queries. */
as_admitter as_admission_get_admitter(as_admission *admission);
/* Admits a bind under this name; as_admitter's `admit`. */
bool as_admission_admit(void *admission, const as_bind_target *target, const char *name, bool accepted);
/* Ends a query: confirms or withdraws the admitted binds by its answer. */
void as_admission_end_query(const as_admission *admission, const as_reply *reply);
/* Accepts the password, though the directory did not confirm it now: binds of this query are no failures. */
void as_admission_accept(const as_admission *admission);
/* Returns whether a bind of this query was sent. */
bool as_admission_has_sent(const as_admission *admission);

/* Returns whether the account of this answer has failures. */
bool as_settle_is_counted(const as_admission *admission, const char *dn);
/* Notes a provider's answer: from the directory, unless it was cached or coalesced. */
void as_settle_note(const as_admission *admission, const as_answer *answer, bool afresh);

/* A bind as this entry, for a line of Require behind the login, ended so: counts it, once, as a login's. */
void as_settle_bind(as_admission *admission, const char *dn, const as_reply *bound);

/* ---- accounts.c: the names under which the throttle counts ---- */

/* Prepares a name (RFC 4518 2); names that are not UTF-8 stay as they are. */
const char *as_name_prepare(const char *name, apr_pool_t *pool);
/* Prepares a DN in normal form: names that compare equal (RFC 4518 2) become the same text, in normal form. Lives as
 * long as the pool. */
const char *as_dn_prepare(const char *normal, apr_pool_t *pool);
/* Names the accounts of a bind name: one for each server of the directory, each once, as sections may list the
 * servers differently. They are copies of one account; a failure counts for all of them. NULL-terminated. */
const char **as_accounts_name(const as_directory_settings *settings, const char *name, apr_pool_t *pool);
/* Returns whether a bind name that a user typed has one account: not if a directory might read it as a DN and this
 * module does not, or reads any number of spellings of it, as each would be an account of its own. */
bool as_account_is_nameable(const char *name, apr_pool_t *pool);
/* Returns whether a bind name that a user typed has more parts than a DN of an entry may have here. A directory may
 * walk through the parents of a name that it does not have: 389 DS takes seconds for 1500 of them. */
bool as_bind_name_is_too_long(const char *name);
/* Names the account of a bind name at one server. */
const char *as_account_name_at(const as_ldap_server *server, const char *name, apr_pool_t *pool);
/* Returns whether an account is this server's. */
bool as_account_is_at(const char *account, const as_ldap_server *server, apr_pool_t *pool);

/* ---- targets.c: the accounts of one bind ---- */

typedef struct as_target_account {
    const char *name; /* NULL: the end of a list */
    as_guard guard;
} as_target_account;

/* Names the accounts that a bind counts for: those of the directory's servers, but guarded ones only where their own
 * server gets it; and those of servers of the configuration that are at the same address. In the order of their names,
 * in the memo's pool. */
const as_target_account *as_target_list_accounts(const as_admission *admission, const char *name,
                                                 const as_bind_target *target);
/* Returns the section's throttle for an account. Who may write .htaccess can make a directory answer for any account
 * that he invents, also at an address of the configuration, on another port: the counts of these must not take the
 * memory from the others'. */
const as_throttle *as_target_get_throttle(as_admission *admission, as_guard guard);

/* ---- stale.c: while the directory is away ---- */

/* Replaces an answer of class unavailable by the acceptance of this password, where one may still serve. A password
 * that is not the one that was accepted counts as a failure of the account, and of the client; a throttled account is
 * throttled. */
void as_stale_replace(as_admission *admission, const as_cache_key *key, as_answer *answer);
/* The same for an answer that is found without a password: `away` is what the directory's would be. True: *cached is
 * the one that serves, and the memo knows. */
bool as_stale_find(const as_login *login, as_login_memo *memo, const as_cache_key *key, const as_answer *away,
                   as_cached_answer *cached);

/* ---- authenticate.c ---- */

/* Returns the one deadline of all queries of a transaction, set by the first query. */
as_mono as_deadline_get(as_login_memo *memo, apr_interval_time_t within);

#endif
