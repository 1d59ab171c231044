/* SPDX-License-Identifier: Apache-2.0
 *
 * Logins: combines the cache, the single flight, the throttle and the directory. No httpd: plain structs in, an answer
 * out; an observer logs. The module and authstatus-explain use the same code.
 *
 * Threads: an as_login is shared by the threads of a process and read-only; an as_login_memo belongs to one
 * transaction, which one thread at a time works on.
 */
#ifndef AUTHSTATUS_LOGIN_H
#define AUTHSTATUS_LOGIN_H

#include <apr_pools.h>
#include <apr_time.h>

#include "authstatus/cache.h"
#include "authstatus/ldap.h"
#include "authstatus/outcome.h"
#include "authstatus/uniform_timing.h"

/* Durations of failed logins of a process. */
typedef struct as_timings as_timings;

/* The state of a process for all its logins. */
typedef struct as_login {
    as_directories *directories; /* never NULL */
    as_cache *cache;             /* NULL: nothing is cached (AuthStatusCache Off) */
    as_throttles *throttles;     /* NULL: no throttle */
    as_timings *timings;         /* NULL: no answer is delayed */
} as_login;

/* What the answer of a server of a .htaccess file counts for an account of the configuration. */
typedef enum as_guard {
    AS_GUARD_NONE,   /* the configuration does not name the server */
    AS_GUARD_COUNTS, /* it may be a server of the configuration: a bind counts, and a success ends no count */
    AS_GUARD_TRUSTED /* it is one: its success ends the count */
} as_guard;

/* The directory of a section. */
typedef struct as_login_directory {
    const as_directory_settings *settings;
    const char *fingerprint; /* as_directory_compute_fingerprint of the settings */
    const char *scope;       /* of cached answers: the virtual host that queries it */
    bool stays;              /* the only one of its kind; lives as long as the process */
    bool foreign;            /* of .htaccess, with servers that no AuthLDAPURL of the configuration has together */
    const as_guard *guards;  /* foreign: for each server; NULL: the configuration names none */
} as_login_directory;

/* An answer to a login, whatever its source. Lives as long as the memo's pool. */
typedef struct as_answer {
    as_finding finding;
    const char *dn;                  /* NULL or "": no entry was found */
    const as_values *values;         /* as in as_reply */
    const as_membership *membership; /* as in as_reply; NULL: the search was not made, or did not read it */
    const char *server;              /* the LDAP server that answered; NULL: cached, or no server was queried */
    const char *reason;  /* for the log: why there is no answer, or the directory's own message; never NULL */
    const char *subject; /* of a misconfiguration: the setting concerned; NULL: not known */
    bool cached;
    as_acceptance acceptance; /* the source, in this process; stamp 0: none */
    long wait;                /* as in as_verdict_make */
    const char *fingerprint;  /* of the directory */
    as_outcome outage;        /* of granted-stale: what the directory's own answer was; `reason` is its reason */
    apr_interval_time_t age;  /* of granted-stale: since the directory accepted the password */
} as_answer;

/* How a login was answered, by the first directory of its section. Logins of one way take about the same time. */
typedef enum as_timing_way {
    AS_WAY_CACHE,  /* from the cache */
    AS_WAY_BIND,   /* by a bind at an entry found before */
    AS_WAY_SEARCH, /* by a search and a bind */
    AS_WAY_COUNT
} as_timing_way;

/* What as_login_delay needs to know of a login. as_login_begin zeroes it. */
typedef struct as_timing {
    as_mono began;                       /* 0: not yet */
    const as_login_directory *directory; /* the first one */
    int length;                          /* class of the password's length */
    as_timing_way way;
    int load;      /* as_load_choose; 0 from the cache */
    bool follows;  /* it waited for the answer to an identical one: its duration is not its own */
    as_timed kind; /* AS_TIMED_COUNT: neither accepted nor refused */
} as_timing;

/* The common state of the logins of one transaction: no directory is queried twice for the same login, and all
 * queries end at one deadline. Zeroed except for `pool` before the first login. */
typedef struct as_login_memo {
    apr_pool_t *pool; /* outlives redirects and subrequests */
    as_mono deadline; /* for the directory; 0: not queried yet */
    struct as_queried *queried;
    struct as_counted_account *counted; /* accounts that the throttle counts, until the transaction ends */
    bool failed_afresh;                 /* a directory refused credentials in the current login */
    bool guessed;                       /* a password was not the one that may serve while the directory is away */
    bool client_counted;                /* a failure of this transaction counts for its client already */
    const as_answer *stale;             /* something was served stale: granted-stale, and what was away; or NULL */
    struct as_authorized *authorized;   /* of authorize.h */
    as_timing timing;                   /* of the current login */
    const as_login_directory *hit; /* the directory whose answer was found in the cache and counted as a hit; or NULL */
} as_login_memo;

/* One login. */
typedef struct as_login_attempt {
    const as_login_directory *directory;
    const char *user;              /* UTF-8, not empty */
    const char *password;          /* UTF-8, not empty */
    const char *initial_bind;      /* as in as_query; else NULL */
    as_membership_wish membership; /* ON_AD or ALWAYS, by AuthStatusGroups, if there is a line ldap-group */
    const char *client;            /* the client's address */
    const as_throttle *throttle;   /* NULL: none */
    apr_interval_time_t deadline;  /* for all queries of a transaction, from the first one on */
} as_login_attempt;

/* Called in the thread of the login; each may be NULL. */
typedef struct as_login_observer {
    void *data;
    /* A query to this directory ended, with or without an answer. */
    void (*queried)(void *data, const as_login *login, const as_directory_settings *settings);
    /* The state of the shared store has changed. */
    void (*store_changed)(void *data, as_store_state state);
    /* The login has its answer. */
    void (*answered)(void *data, const as_answer *answer);
} as_login_observer;

/* Begins a login, which ends with as_login_settle and as_login_delay: none of an earlier one is in its duration. */
void as_login_begin(as_login_memo *memo);
/* Authenticates a user by a password. Never NULL. Blocks at most until the deadline. The password is wiped from the
 * memo when its pool is cleared. */
const as_answer *as_authenticate(const as_login *login, as_login_memo *memo, const as_login_attempt *attempt,
                                 const as_login_observer *observer);

/* The end of a login, after all providers of AuthBasicProvider. */
typedef enum as_login_end {
    AS_LOGIN_GRANTED,           /* by any provider, whatever the others answered */
    AS_LOGIN_GRANTED_ELSEWHERE, /* by a provider whose word does not count for the accounts of the others */
    AS_LOGIN_REFUSED,           /* the last answer concerned the credentials */
    AS_LOGIN_UNKNOWN            /* an outage, a mistake in the configuration, a throttle */
} as_login_end;

/* Counts a login, once, with its end: a success ends the counts of its accounts; a failure counts for the client
 * too, the first one of a transaction. Call it after the last as_authenticate of each login. `throttle`: of the
 * section, or NULL. */
void as_login_settle(const as_login *login, as_login_memo *memo, const as_throttle *throttle, const char *client,
                     as_login_end end);
/* Creates it; NULL only without memory. Lives as long as `pool`. `most`: as many logins wait for up to a second at the
 * same time; while they do, others wait for a hundredth at most. */
as_timings *as_timings_create(apr_pool_t *pool, int most);
/* Ends a login, when all that its answer needs is done: where it failed, and the first directory has
 * AuthStatusUniformTiming, waits until its duration does not reveal what it failed for. At most a second, and never
 * beyond the transaction's deadline. `granted`: by any provider; then it does not wait. `section`: where it was made,
 * for as long as the process; NULL: of a request's own section. Any thread. */
void as_login_delay(const as_login *login, as_login_memo *memo, const void *section, bool granted);
/* Writes failures to the store that it may have lost meanwhile, when the client has its answer; a login without
 * as_login_settle counts as a failure. */
void as_login_finish(const as_login *login, as_login_memo *memo);

/* The guard of service accounts that .htaccess files name: their binds count as failed logins of the accounts do. */
typedef struct as_service_guard {
    const as_login *login; /* with `throttles` */
    as_throttle throttle;
} as_service_guard;
/* Sets the guard up, which lives as long as the directories whose limits have the result. */
as_account_guard as_service_guard_make(as_service_guard *guard, const as_login *login, const as_throttle *throttle);

/* Returns the name of a server for the throttle: two servers with one name are one. The host is prepared (RFC 4518 2),
 * and the usual ports of a directory are one. In pool. */
const char *as_login_name_server(const as_ldap_server *server, apr_pool_t *pool);
/* The same for trust: only the ports that need privileges are one. A global catalog's (3268) may be anybody's. */
const char *as_login_name_trusted(const as_ldap_server *server, apr_pool_t *pool);

/* Return whether the account of this entry may have failures, for a caller with answers of its own: while
 * as_login_is_marked, a login must go through as_authenticate. No lock, no allocation, any thread. */
uint32_t as_login_get_mark(const as_login *login, const as_directory_settings *settings, const char *dn,
                           apr_pool_t *pool);
bool as_login_is_marked(const as_login *login, uint32_t mark);

/* Returns whether the directory is out of reach. Fills in *answer, which lives as long as the memo. */
bool as_probe_directory(const as_login *login, as_login_memo *memo, const as_login_directory *directory,
                        apr_interval_time_t deadline, as_answer *answer);

#endif
