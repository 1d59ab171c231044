/* SPDX-License-Identifier: Apache-2.0
 *
 * State between requests: answers of directories, locations of entries, failures, counters.
 * Records are found and sealed by keyed hashes (HMAC-SHA-256, RFC 2104); no password, and no hash of one that could be
 * tested without the key, is ever kept, here or in a store.
 *
 * Threads: as_cache is shared by the threads of a process. A store is shared by processes, or by machines.
 *
 * The way of a query:
 *     as_cache_get     a cached answer ends the query without the throttle
 *     as_single_flight_begin      another thread leads: as_single_flight_wait returns its answer
 *     (query of the directory; before each bind as_throttle_admit: a refusal means throttled, for all that wait)
 *     as_cache_put, as_single_flight_end
 *     and when the login has ended as_throttle_record_failure, as_throttle_withdraw or as_throttle_record_success
 */
#ifndef AUTHSTATUS_CACHE_H
#define AUTHSTATUS_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>
#include <apr_time.h>

#include "authstatus/mono.h"
#include "authstatus/outcome.h"

#define AS_KEY_SIZE 32

#define AS_HASH_SIZE 32 /* SHA-256 */

/* A store that several processes share: any socache provider, behind these calls. NULL functions: there is none.
 * Return values, in the terms of socache providers:
 *     APR_SUCCESS    done. Retrieved data is trusted only where this module's key has sealed it
 *     APR_NOTFOUND   no such record; from `store`: there is no server to store it
 *     APR_EINVAL, APR_ENOMEM, APR_ENOSPC
 *                    this record cannot be stored or retrieved; others may
 *     any other      the store is unavailable
 * Any thread calls them. Serialisation (AP_SOCACHE_FLAG_NOTMPSAFE) is done behind them; throttles call them with a lock
 * of src/cache held, so they must not call src/cache. A store that is unavailable, or takes longer than half a second
 * for a call, is not called for a second; then one thread tries it again. One that takes a tenth of a second three
 * times in a row is called now and then alone, unless it is memory. */
typedef struct as_store {
    void *context;
    apr_status_t (*retrieve)(void *context, const unsigned char id[AS_HASH_SIZE], unsigned char *data,
                             unsigned int *data_length, apr_pool_t *pool);
    apr_status_t (*store)(void *context, const unsigned char id[AS_HASH_SIZE], apr_time_t expiry,
                          const unsigned char *data, unsigned int data_length, apr_pool_t *pool);
    apr_status_t (*remove)(void *context, const unsigned char id[AS_HASH_SIZE], apr_pool_t *pool);
    bool is_memory; /* of this machine */
} as_store;

/* How long records are cached. Zero: not at all. */
typedef struct as_cache_times {
    apr_interval_time_t acceptance; /* AuthStatusCacheTime, first */
    apr_interval_time_t refusal;    /* second */
    apr_interval_time_t entry;      /* location of an entry */
    apr_interval_time_t stale;      /* stale=: how much longer an acceptance may be served */
} as_cache_times;

typedef struct as_cache as_cache;

/* Creates the cache of a process, before its threads start. `key`: AS_KEY_SIZE or more octets, copied; data derived
 * from it is wiped when `pool` is destroyed. `entries`: the most acceptances that a process caches in front of the
 * store; and a quarter of that many refusals. Returns NULL without memory, or if the key is too short. */
as_cache *as_cache_create(apr_pool_t *pool, const as_cache_times *times, const as_store *store,
                          const unsigned char *key, size_t key_length, int entries);

/* Returns the times given to as_cache_create. */
const as_cache_times *as_cache_get_times(const as_cache *memory);

/* What an answer is about. Keys that differ in any member share nothing. */
typedef struct as_cache_key {
    const char *scope;     /* the virtual host */
    const char *directory; /* as_directory_compute_fingerprint */
    const char *user;
    const char *password;
    struct as_hashes *hashes; /* of as_cache_key_prepare, or NULL: computed in each call */
} as_cache_key;

/* One time by two clocks: the wall clock, which may be set, and CLOCK_MONOTONIC of this machine, both in
 * microseconds. */
typedef struct as_moment {
    apr_time_t wall;
    int64_t mono;
} as_moment;

/* Identifies the acceptance, or the refusal, of this process behind an answer. It is unchanged as long as the stamp of
 * its cell is equal, and valid for as long as it was when it was put. */
typedef struct as_acceptance {
    uint32_t cell, stamp; /* stamp 0: none */
    uint32_t generation_index, generation;
    uint64_t is_refusal; /* 1: it is one */
    as_moment born;
    apr_interval_time_t good_for;
} as_acceptance;

/* A cached answer. */
typedef struct as_cached_answer {
    as_finding finding;      /* expires_in counts from now */
    const char *dn;          /* "" where no entry was found */
    const as_values *values; /* as in as_reply, `value_count` of them */
    int value_count;
    long retry_after; /* seconds; of an outage or a throttle, for coalesced requests: never cached */
    as_acceptance acceptance;
    apr_interval_time_t age; /* of as_cache_get_stale: since the directory gave it */
} as_cached_answer;

/* Computes each hash of the key at most once from now on. The key must not change afterwards. */
void as_cache_key_prepare(as_cache_key *key, apr_pool_t *pool);

/* Returns the cached answer for this key at `now`. False: none, query the directory. Fills in `answer` from
 * `pool`. Only grants and outcomes about an account that the directory itself reported are cached, never an outage. A
 * record that is not sealed by our secret key for exactly this key, is older than its time by any clock, or from the
 * future, is ignored.
 *
 * A new password ends the old one at once in all processes that share the store and as_cache_set_counters; on other
 * machines, and while the store is unavailable, when the acceptance time of the old one ends, never later. */
bool as_cache_get(as_cache *memory, const as_cache_key *key, apr_time_t now, apr_pool_t *pool,
                  as_cached_answer *answer);
/* Returns the same for a request that queried the cache a moment ago: it does not count as another hit or miss, and
 * reads this process alone, not the store. */
bool as_cache_get_again(as_cache *memory, const as_cache_key *key, apr_time_t now, apr_pool_t *pool,
                        as_cached_answer *answer);

/* Caches an answer that a directory gave at `now`. An acceptance replaces the one of the user's former password, and
 * removes the refusal of this one; a refusal leaves every acceptance unchanged. Ignores answers that must not be
 * cached. */
void as_cache_put(as_cache *memory, const as_cache_key *key, const as_cached_answer *answer, apr_time_t now,
                  apr_pool_t *pool);

/* ---- while the directory is unavailable ---- */

typedef enum as_stale {
    AS_STALE_NONE,  /* no acceptance of this user may be served */
    AS_STALE_OTHER, /* there is one of another password: `answer->dn` alone is set */
    AS_STALE_FOUND  /* *answer is the acceptance of this password */
} as_stale;

/* Returns the acceptance of a user for a request that the directory did not answer: as as_cache_get, for `times.stale`
 * longer. A hit does not extend it. With a store it reads the store alone: what another process or machine has removed
 * is not served, and nothing is while the store is unavailable. With `times.stale` a refusal ends the acceptance of its
 * password; a refusal of the account ends the acceptance of any password. Counts nothing. */
as_stale as_cache_get_stale(as_cache *memory, const as_cache_key *key, apr_time_t now, apr_pool_t *pool,
                            as_cached_answer *answer);

/* Removes the acceptance of this user: the password is no longer the accepted one. */
void as_cache_remove_acceptance(as_cache *memory, const as_cache_key *key, apr_time_t now, apr_pool_t *pool);

/* ---- the lookaside ---- */

/* Finds an acceptance by the octets that the client sent, in a tenth of the time: by a keyed hash of them, under a key
 * that no other process has. It points to an acceptance of this process and is none: whatever ends the acceptance (a
 * new password, its time, another process's news, eviction) ends it, and nothing is extended. Of the octets nothing is
 * kept but the hash. */
typedef struct as_lookaside_key {
    uint64_t left, right;
} as_lookaside_key;

/* The key of what is found for the same `about` alone: whatever else must be the same. */
void as_lookaside_make_key(const as_cache *cache, const void *about, size_t length, as_lookaside_key *own);
void as_lookaside_hash(const as_lookaside_key *own, const char *octets, size_t length, as_lookaside_key *key);
/* The key of two numbers that are no client's choice, below a key of as_lookaside_hash: unequal numbers have unequal
 * keys, but for one case in 2^64, and nobody can choose it. */
as_lookaside_key as_lookaside_hash_numbers(const as_lookaside_key *from, uint64_t one, uint64_t two);

#define AS_LOOKASIDE_DATA 256 /* octets */

typedef struct as_lookaside_answer {
    as_acceptance acceptance;
    uint32_t length;
    union {
        unsigned char data[AS_LOOKASIDE_DATA]; /* as it was put there */
        uint64_t words[AS_LOOKASIDE_DATA / 8];
    };
} as_lookaside_answer;

/* True exactly where as_cache_get would find the acceptance in this process, now. Counts nothing. Any thread; takes no
 * lock. */
bool as_acceptance_is_valid(const as_cache *cache, const as_acceptance *acceptance, as_moment now);
/* Returns whether there is something for the key, and the acceptance that it was put there for holds. Likewise. */
bool as_lookaside_get(as_cache *cache, const as_lookaside_key *key, as_moment now, as_lookaside_answer *answer);
/* `data`: whatever the caller wants to know again, AS_LOOKASIDE_DATA octets at most; no password, nor what one could be
 * made from. Where another thread writes there at the moment, it is passed over. */
void as_lookaside_put(as_cache *cache, const as_lookaside_key *key, const as_acceptance *acceptance, const void *data,
                      size_t length, as_moment now);
/* Returns `now` by this cache's clocks. */
as_moment as_cache_read_clock(const as_cache *cache, apr_time_t now);
/* Counts hits, as as_cache_get does. */
void as_cache_count_hits(as_cache *cache, unsigned hits);

/* Returns where this user's entry was found (ignores the password). Process memory only. `lasting`: a bind there
 * proves that the entry is the user's; else it is kept no longer than an acceptance, as the name may be given to
 * another entry. */
bool as_cache_get_entry(as_cache *memory, const as_cache_key *key, apr_time_t now, apr_pool_t *pool,
                        as_cached_answer *entry);
void as_cache_put_entry(as_cache *memory, const as_cache_key *key, const as_cached_answer *entry, bool lasting,
                        apr_time_t now);
void as_cache_remove_entry(as_cache *memory, const as_cache_key *key);
/* The same of what a failure has found out, kept for as long as a refusal: the entry's DN, or a
 * word of the caller's that is none. */
void as_cache_put_failed_entry(as_cache *memory, const as_cache_key *key, const char *dn, apr_time_t now);

/* Single flight: identical queries by several threads of a process at one time go to the directory once. All of them
 * get its answer, cacheable or not: otherwise they would query a hung directory one after the other. */
typedef struct as_single_flight as_single_flight;

typedef enum as_waited {
    AS_WAITED_ANSWER,  /* `answer` is the leader's */
    AS_WAITED_NOTHING, /* the leader ended without a usable answer: read the cache, and begin again */
    AS_WAITED_DEADLINE /* the deadline has passed */
} as_waited;

/* Joins or starts a flight. Never waits, never returns NULL. *leads: query, and then call as_single_flight_end in
 * any case; a flight that is not ended ends with `pool`. Else another thread leads: call as_single_flight_wait. */
as_single_flight *as_single_flight_begin(as_cache *memory, const as_cache_key *key, as_mono deadline, apr_pool_t *pool,
                                         bool *leads);
/* Waits at most until the deadline given to as_single_flight_begin; the single flight has ended then. Independent of
 * changes of the wall clock. An outage is shared only where the leader's deadline was not earlier by more than a tenth
 * of a second: a request with time left may succeed. */
as_waited as_single_flight_wait(as_single_flight *flight, apr_pool_t *pool, as_cached_answer *answer);
/* Ends a single flight. `answer`: any outcome; NULL: there is none to share. */
void as_single_flight_end(as_single_flight *flight, const as_cached_answer *answer);

/* ---- failures ---- */

typedef struct as_throttle {
    int failures; /* allowed within the time; the next is throttled */
    apr_interval_time_t within;
    bool by_user, by_client;
    bool of_htaccess; /* of accounts in directories that .htaccess names: they have a quarter of the memory together */
} as_throttle;

/* The highest setting of a throttle. Higher ones count as this. */
#define AS_THROTTLE_MOST 64

/* A failure belongs to an account: a text of the caller's that is the same for every name, section and virtual host
 * that leads to the account. Counts are kept in persistent shared memory of all processes of a machine and, where
 * machines share a store, in the store as well; while the store is unavailable each machine counts by itself, and
 * counts are merged afterwards. Times of failures slide: as soon as the oldest of the allowed ones is older than
 * `within`, one more attempt is allowed. A full table evicts a count that forbids nothing; where every account's
 * count forbids something, none is evicted, and accounts without a count wait. Without memory every bind is
 * throttled. Any thread. */
typedef struct as_throttles as_throttles;

/* Octets of zeroed shared memory for as_throttles_begin; raise AS_THROTTLES_LAYOUT with every change of its content. */
size_t as_throttles_get_size(void);
#define AS_THROTTLES_LAYOUT 2
/* Initialises the memory, once, by its creator. Returns false without a random key, or without a mutex that
 * processes can share. */
bool as_throttles_begin(void *memory);
/* Creates a process's view, before its threads start. `store`: its store is shared by machines; NULL: there is none.
 * Lives as long as `pool`. */
as_throttles *as_throttles_create(apr_pool_t *pool, void *memory, as_cache *store);

/* The cached state of the password that a bind is sent with. */
typedef enum as_bind_kind {
    AS_BIND_GUESS,
    AS_BIND_CACHED, /* it is cached as accepted */
    AS_BIND_REFUSED /* it was accepted a moment ago, and refused when it was sent again: counts now */
} as_bind_kind;

/* A bind that counts for an account. */
typedef struct as_counted_bind {
    const char *account; /* as_accounts_name; UTF-8, prepared */
    as_bind_kind kind;
    as_mono patience; /* the end of the wait for binds in progress */
} as_counted_bind;

/* Admits a bind of an account, or returns the seconds until it may be tried again, rounded up. On 0 the bind
 * counts as a failure in advance: otherwise many guesses sent at once would all pass before the first is counted.
 * One of the three functions below must follow, with the *stamp that was set; if none does, the failure stays. Where
 * only binds in progress forbid it, waits for their answers. A cached password waits for all
 * binds in progress, and is always admitted behind them: the caller then checks that it is still cached. *stamp is
 * 0 where the throttle does not count accounts. */
long as_throttle_admit(as_throttles *all, const as_throttle *throttle, const as_counted_bind *bind, apr_pool_t *pool,
                       apr_time_t *stamp);
/* Record a refusal, or a missing answer. The first records it on this machine alone, without network; the second
 * also writes failures to the store that another machine may have overwritten. */
void as_throttle_record_answer(as_throttles *all, const char *account, apr_time_t stamp);
void as_throttle_record_failure(as_throttles *all, const char *account, apr_time_t stamp, apr_pool_t *pool);
/* Withdraws a failure: the bind was not sent, or its answer does not concern the password. */
void as_throttle_withdraw(as_throttles *all, const char *account, apr_time_t stamp, apr_pool_t *pool);
/* Records a success, which ends the account's failures: of all binds answered before it was sent. `stamp`: of its
 * admission; or as_throttle_read_clock before it was sent, if it was not admitted here. */
void as_throttle_record_success(as_throttles *all, const char *account, apr_time_t stamp, apr_pool_t *pool);
apr_time_t as_throttle_read_clock(const as_throttles *all);
/* Return whether this machine has a failure of this account; take a lock only if it may have. The first: of any
 * account. */
bool as_throttle_is_quiet(const as_throttles *all);
bool as_throttle_is_counted(as_throttles *all, const char *account);

/* The same in two steps; the second is one load of memory and covers all accounts that share a mark. */
uint32_t as_throttle_get_mark(const as_throttles *all, const char *account);
bool as_throttle_is_marked(const as_throttles *all, uint32_t mark);

/* Caches, for a minute, that this spelling of a name (prepared, RFC 4518) leads to that account in the directory
 * with that fingerprint. */
void as_throttle_keep_spelling(as_throttles *all, const char *directory, const char *spelling, const char *account);
/* Returns the seconds until the account that the spelling leads to may try again; 0: now, when the binds in progress
 * have their answers, or the account is unknown. Counts nothing. */
long as_throttle_check_spelling(as_throttles *all, const as_throttle *throttle, const char *directory,
                                const char *spelling, apr_pool_t *pool);

/* The same for a client, whose failed logins count when they have ended: one address may be an office whose users
 * all log in at nine. `client`: the address as text, or NULL; for an IPv6 address its /64 counts. */
long as_throttle_check_client(as_throttles *all, const as_throttle *throttle, const char *client, apr_pool_t *pool);
void as_throttle_count_client(as_throttles *all, const as_throttle *throttle, const char *client, apr_pool_t *pool);

typedef enum as_store_state {
    AS_STORE_UP,
    AS_STORE_DOWN, /* it does not answer */
    AS_STORE_SLOW  /* its answers would delay every login */
} as_store_state;

/* Returns the state of the store. While it is not up, it is retried at intervals. *changed: since the last call by any
 * thread; so that it is logged once. */
as_store_state as_cache_get_store_state(as_cache *memory, bool *changed);

/* ---- users who have proven a password, in shared memory ---- */

/* A bounded table of keyed hashes of user and password. Any thread of any process that maps the memory; NULL is
 * empty. */
typedef struct as_proofs as_proofs;

/* A keyed hash; zeros match no user. */
typedef struct as_proof {
    uint64_t high, low;
} as_proof;

/* Returns the octets of shared memory that a table needs; zeroed, and aligned as malloc aligns. */
size_t as_proofs_get_size(void);
/* To be raised when its content changes. */
#define AS_PROOFS_LAYOUT 1
/* Draws the key, once, by the creator of the memory. Returns false without random octets. */
bool as_proofs_begin(as_proofs *proofs);
/* Makes the proof of a user's password. `scope`: the virtual host. Without a key it matches no user. */
as_proof as_proof_make(const as_proofs *proofs, const char *scope, const char *user, const char *password);
/* Records that the password was accepted now. */
void as_proofs_add(as_proofs *proofs, as_proof proof);
/* Returns whether the password was accepted within the last hour. */
bool as_proofs_has(const as_proofs *proofs, as_proof proof);

/* ---- counters, in shared memory ---- */

#define AS_COUNTER_LIST(X)                                                                                             \
    X(cache_hits, "answers from the cache")                                                                            \
    X(cache_misses, "queries without a cached answer")                                                                 \
    X(cache_coalesced, "queries that waited for an identical one")                                                     \
    X(store_errors, "calls to the store that failed")                                                                  \
    X(store_slow, "calls to the store that took longer than 0.1 s")                                                    \
    X(breaker_opened, "times that the circuit breaker of an LDAP server opened")                                       \
    X(require_yes, "lines of Require ldap-* answered yes")                                                             \
    X(require_no, "lines of Require ldap-* answered no")                                                               \
    X(require_unknown, "lines of Require ldap-* that could not be answered")                                           \
    X(require_stale, "lines of Require ldap-* answered yes by the cache while the directory was unavailable")          \
    X(require_cached, "lines of Require ldap-* answered without an LDAP operation")                                    \
    X(require_searches, "LDAP searches for lines of Require ldap-*")                                                   \
    X(require_compares, "LDAP compares for lines of Require ldap-*")                                                   \
    X(require_binds, "LDAP binds for lines of Require ldap-*")                                                         \
    X(require_bounded, "lines of Require ldap-* cut by a bound")

typedef struct as_counters as_counters;
typedef enum as_counter {
#define AS_COUNTER(name, help) AS_COUNTER_##name,
    AS_COUNTER_LIST(AS_COUNTER)
#undef AS_COUNTER
        AS_COUNTER_COUNT
} as_counter;

/* Returns the octets of shared memory for counters and generations; zeroed, and aligned as malloc aligns. */
size_t as_counters_get_size(void);
/* To be raised when the members change; tests/unit/test_layouts checks it. */
#define AS_COUNTERS_LAYOUT 2
/* Returns a number that differs for each AS_COUNTERS_LAYOUT, and for each order of outcomes and counters. */
uint64_t as_counters_hash_layout(void);
/* Counts an outcome. Any thread of any process that maps the memory. Relaxed atomic additions; NULL counters count
 * nothing. */
void as_counters_count_outcome(as_counters *counters, as_outcome outcome);
/* The same for an outcome that was found in the cache: counts that as well. `now`: of CLOCK_MONOTONIC, in microseconds.
 */
void as_counters_count_cached_outcome(as_counters *counters, as_outcome outcome, int64_t now);
void as_counters_add(as_counters *counters, as_counter counter, unsigned long by);
apr_uint64_t as_counters_get_outcome(const as_counters *counters, as_outcome outcome);
/* Returns the number of recent outcomes of this kind: *within, at most five minutes, is the exact period. Processes
 * that begin a new half minute at the same time may lose a few. */
apr_uint64_t as_counters_get_recent(const as_counters *counters, as_outcome outcome, apr_interval_time_t *within);
/* Sets the start of counting, once, by the creator of the memory. */
void as_counters_begin(as_counters *counters, apr_time_t now);
apr_time_t as_counters_get_start(const as_counters *counters);
apr_uint64_t as_counters_get(const as_counters *counters, as_counter counter);
/* Return its name as in AS_COUNTER_LIST, and its meaning. */
const char *as_counter_get_name(as_counter counter);
const char *as_counter_get_help(as_counter counter);
/* Makes as_cache count there. Before the process's threads start. */
void as_cache_set_counters(as_cache *memory, as_counters *counters);

#endif
