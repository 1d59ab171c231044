/* SPDX-License-Identifier: Apache-2.0
 *
 * What is remembered between requests: answers of directories, where entries were found, failures, counters.
 * Records are found and sealed by keyed hashes (HMAC-SHA-256, RFC 2104); no password and no hash of one that could be
 * tried without the key is ever kept, here or in a store.
 *
 * Threads: as_cache is shared by the threads of a process. A store is shared by processes, or by machines.
 *
 * A question's way through:
 *     as_cache_get     it is answered: that is the answer, a throttle is not asked
 *     as_single_flight_begin      another asks: as_single_flight_wait, and what it brought is the answer
 *     (the directory is asked; before each bind as_throttle_admit: not now: throttled, for all that wait)
 *     as_cache_put, as_single_flight_end
 *     and when the login has ended as_throttle_failed, as_throttle_withdraw or as_throttle_succeeded
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

/* A store that several processes share: any socache provider, behind these calls. NULL functions: there is none.
 * What they return, in the words of socache providers:
 *     APR_SUCCESS    done. What was retrieved is believed only where our key has sealed it
 *     APR_NOTFOUND   no such record; from `store`: there is no server to store it
 *     APR_EINVAL, APR_ENOMEM, APR_ENOSPC
 *                    this record does not go in or out; others may
 *     anything else  the store is away
 * Any thread calls them. What must be serialised (AP_SOCACHE_FLAG_NOTMPSAFE) is serialised behind them; throttles call
 * them with a lock of this room held, so they must not call this room. A store that is away, or takes longer than half
 * a second for a call, is left alone for a second, then one thread tries it again. */
typedef struct as_store {
    void *context;
    apr_status_t (*retrieve)(void *context, const unsigned char *id, unsigned int id_length, unsigned char *data,
                             unsigned int *data_length, apr_pool_t *pool);
    apr_status_t (*store)(void *context, const unsigned char *id, unsigned int id_length, apr_time_t expiry,
                          const unsigned char *data, unsigned int data_length, apr_pool_t *pool);
    apr_status_t (*remove)(void *context, const unsigned char *id, unsigned int id_length, apr_pool_t *pool);
} as_store;

/* How long things are remembered. Zero: not at all. */
typedef struct as_cache_times {
    apr_interval_time_t acceptance; /* AuthStatusCacheTime, first */
    apr_interval_time_t refusal;    /* second */
    apr_interval_time_t entry;      /* where an entry was found */
} as_cache_times;

typedef struct as_cache as_cache;

/* Made once in each process, before its threads start. `key`: AS_KEY_SIZE or more octets; nothing points to it
 * afterwards, and what was made of it is wiped when `pool` goes. `entries`: how many acceptances a process remembers in
 * front of the store at most; and a quarter of that many refusals. NULL without memory, or with a key that is too
 * short. */
as_cache *as_cache_create(apr_pool_t *pool, const as_cache_times *times, const as_store *store,
                          const unsigned char *key, size_t key_length, int entries);

/* The times that it was made with. */
const as_cache_times *as_cache_times_of(const as_cache *memory);

/* Whose answer it is. Two that differ in any member have nothing in common. */
typedef struct as_cache_key {
    const char *scope;     /* the virtual host */
    const char *directory; /* as_directory_fingerprint */
    const char *user;
    const char *password;
    struct as_hashes *hashes; /* of as_cache_key_prepare, or NULL: made anew in each call */
} as_cache_key;

/* One moment by two clocks: the one that everybody shares and somebody may set, and CLOCK_MONOTONIC of this machine, in
 * microseconds both. */
typedef struct as_moment {
    apr_time_t wall;
    int64_t mono;
} as_moment;

/* Which acceptance of this process an answer is. It is the same one for as long as the stamp of its cell is that, and
 * good for as long as it was when it was put there. */
typedef struct as_acceptance {
    uint32_t cell, stamp; /* stamp 0: it is none */
    uint32_t place, generation;
    as_moment born;
    apr_interval_time_t good_for;
} as_acceptance;

/* An answer as it is remembered. */
typedef struct as_cached_answer {
    as_finding finding;      /* expires_in counts from now */
    const char *dn;          /* "" where no entry was found */
    const as_values *values; /* as in as_reply, `value_count` of them */
    int value_count;
    long retry_after; /* seconds; of an outage or a throttle, for those that waited: never kept */
    as_acceptance acceptance;
} as_cached_answer;

/* What is hashed of it from now on is hashed once. The subject must not change then. */
void as_cache_key_prepare(as_cache_key *subject, apr_pool_t *pool);

/* What is known of this subject at `now`. False: nothing, ask the directory. Fills in `answer` from `pool`. Only
 * grants, outcomes about an account that the directory itself told, and never an outage are remembered. A record that
 * is not sealed by our key for exactly this subject, is older than its time by any clock, or from the future, is none.
 *
 * A new password drops the old one at once in all processes that have the store and as_cache_set_counters in common;
 * on other machines, and while the store is away, when the acceptance time of the old one ends, never later. */
bool as_cache_get(as_cache *memory, const as_cache_key *subject, apr_time_t now, apr_pool_t *pool,
                  as_cached_answer *answer);
/* The same for who asked a moment ago already: it does not count as another hit or miss, and the store is not asked
 * again, only what another thread of this process may have learnt meanwhile. */
bool as_cache_get_again(as_cache *memory, const as_cache_key *subject, apr_time_t now, apr_pool_t *pool,
                        as_cached_answer *answer);

/* Remembers an answer that a directory gave at `now`. An acceptance replaces the one of the user's former password, and
 * forgets the refusal of this one; a refusal leaves every acceptance as it is. What is not to be remembered is passed
 * over. */
void as_cache_put(as_cache *memory, const as_cache_key *subject, const as_cached_answer *answer, apr_time_t now,
                  apr_pool_t *pool);

/* Forgets the acceptance of this user: his password is no longer the one that was accepted. */
void as_cache_remove_acceptance(as_cache *memory, const as_cache_key *subject, apr_time_t now, apr_pool_t *pool);

/* ---- the lookaside ---- */

/* Finds an acceptance by the octets that the client sent, in a tenth of the time: by a keyed hash of them, under a key
 * that no other process has. It points to an acceptance of this process and is none: whatever ends the acceptance (a
 * new password, its time, another process's news, eviction) ends it, and nothing is extended. Of the octets nothing is
 * kept but the hash. */
typedef struct as_lookaside_key {
    uint64_t left, right;
} as_lookaside_key;

/* The key of what is found for the same `about` alone: whatever else must be the same. */
void as_lookaside_about(const as_cache *cache, const void *about, size_t length, as_lookaside_key *own);
void as_lookaside_hash(const as_lookaside_key *own, const char *octets, size_t length, as_lookaside_key *key);

#define AS_LOOKASIDE_DATA 256 /* octets */

typedef struct as_lookaside_answer {
    as_acceptance acceptance;
    uint32_t length;
    union {
        unsigned char data[AS_LOOKASIDE_DATA]; /* as it was put there */
        uint64_t words[AS_LOOKASIDE_DATA / 8];
    };
} as_lookaside_answer;

/* True exactly where as_cache_get would find the acceptance that it was put there for, in this process, now. Counts
 * nothing. Any thread; takes no lock. */
bool as_lookaside_get(as_cache *cache, const as_lookaside_key *key, as_moment now, as_lookaside_answer *answer);
/* `data`: whatever the caller wants to know again, AS_LOOKASIDE_DATA octets at most; no password, nor what one could be
 * made from. Where another thread writes there at the moment, it is passed over. */
void as_lookaside_put(as_cache *cache, const as_lookaside_key *key, const as_acceptance *acceptance, const void *data,
                      size_t length, as_moment now);
/* `now` by this cache's clocks. */
as_moment as_cache_moment(const as_cache *cache, apr_time_t now);
/* What as_cache_get counts where it finds something. */
void as_cache_count_hit(as_cache *cache);

/* Where this user's entry was found (password is not looked at). Process memory only. `lasting`: a bind there proves
 * that it is his; else it is kept no longer than an acceptance, as the name may be given to another entry. */
bool as_cache_get_entry(as_cache *memory, const as_cache_key *subject, apr_time_t now, apr_pool_t *pool,
                        as_cached_answer *entry);
void as_cache_put_entry(as_cache *memory, const as_cache_key *subject, const as_cached_answer *entry, bool lasting,
                        apr_time_t now);
void as_cache_remove_entry(as_cache *memory, const as_cache_key *subject);

/* The same question, asked at the same moment by several threads of a process, goes to the directory once. Its answer
 * goes to all of them, remembered or not: without it they would ask a hung directory one after the other. */
typedef struct as_single_flight as_single_flight;

typedef enum as_waited {
    AS_WAITED_ANSWER,  /* `answer` is the other's */
    AS_WAITED_NOTHING, /* it ended without one that is yours: recall, and begin again */
    AS_WAITED_DEADLINE /* yours has passed */
} as_waited;

/* Never waits, never returns NULL. *leads: you ask, and then call as_single_flight_end, whatever happens; what is
 * forgotten ends with `pool`. Else another one asks, and you call as_single_flight_wait. */
as_single_flight *as_single_flight_begin(as_cache *memory, const as_cache_key *subject, as_mono deadline,
                                         apr_pool_t *pool, bool *leads);
/* Waits at most until the deadline given to as_single_flight_begin; the flight is over then. A clock that is set
 * meanwhile does not matter. An outage is handed on only where the other's deadline was not earlier than yours by more
 * than a tenth of a second: who has time left may have more luck. */
as_waited as_single_flight_wait(as_single_flight *flight, apr_pool_t *pool, as_cached_answer *answer);
/* `answer`: any outcome; NULL: there is none to hand on. */
void as_single_flight_end(as_single_flight *flight, const as_cached_answer *answer);

/* ---- failures ---- */

typedef struct as_throttle {
    int failures; /* allowed within the time; the next is throttled */
    apr_interval_time_t within;
    bool by_user, by_client;
} as_throttle;

/* The most failures that a throttle can be set to. More count as that many. */
#define AS_THROTTLE_MOST 64

/* A failure belongs to an account: a text of the caller's that is the same for every name, section and virtual host
 * that leads to it. Counts are kept in memory that all processes of a machine share and that outlasts their restarts,
 * and, where machines share a store, in the store as well; while it is away each machine counts by itself, and counts
 * are added up when it is back. Times of failures slide: as soon as the oldest of the allowed ones is older than
 * `within`, one more may be tried. In a full table a count that forbids nothing gives way; where every account's count
 * forbids something, none does, and accounts without a count wait. No memory counts as throttled. Any thread. */
typedef struct as_throttles as_throttles;

/* Octets of shared memory, all zero, for as_throttles_begin; AS_THROTTLES_LAYOUT is to be raised with every change of
 * what is in it. */
size_t as_throttles_size(void);
#define AS_THROTTLES_LAYOUT 1
/* Once, by who made the memory. False: no random key, or no mutex that processes can share. */
bool as_throttles_begin(void *memory);
/* In each process, before its threads start. `store`: its store is shared by machines; NULL: there is none. Lives as
 * long as `pool`. */
as_throttles *as_throttles_create(apr_pool_t *pool, void *memory, as_cache *store);

/* Admits a bind of this account, or tells after how many seconds it may be tried again, rounded up. With 0 the bind
 * counts as a failure in advance: else many guesses sent at once would all pass before the first is counted. One of the
 * three functions below must follow, with the *stamp that was set; if none does, the failure stays. Where only binds
 * under way stand against it, waits for their answers until `patience`, if not too many wait already. `certain`: the
 * directory accepted this password a moment ago, so it is no guess: it is admitted in any case. *stamp is 0 where the
 * throttle does not count accounts.
 */
long as_throttle_admit(as_throttles *all, const as_throttle *throttle, const char *account, bool certain,
                       as_mono patience, apr_pool_t *pool, apr_time_t *stamp);
/* The directory refused it, or gave no answer in time. The first tells this machine alone, and takes no network; the
 * second writes to the store again what another machine may have overwritten. */
void as_throttle_answered(as_throttles *all, const char *account, apr_time_t stamp);
void as_throttle_failed(as_throttles *all, const char *account, apr_time_t stamp, apr_pool_t *pool);
/* It was no failure: it was not sent, or the answer says nothing against the password. */
void as_throttle_withdraw(as_throttles *all, const char *account, apr_time_t stamp, apr_pool_t *pool);
/* A success ends the account's count: of all binds that were answered before it was sent. `stamp`: of its admission; or
 * as_throttle_now before it was sent, where it was not admitted here. */
void as_throttle_succeeded(as_throttles *all, const char *account, apr_time_t stamp, apr_pool_t *pool);
apr_time_t as_throttle_now(const as_throttles *all);
/* Seconds until this account may try again; 0: now, or when the binds under way have their answers. Counts nothing. */
long as_throttle_wait(as_throttles *all, const as_throttle *throttle, const char *account, apr_pool_t *pool);
/* Has this machine a failure of this account? Takes a lock only if it may. The first: of no account at all. */
bool as_throttle_is_quiet(const as_throttles *all);
bool as_throttle_is_counted(as_throttles *all, const char *account);

/* The same in two steps, the second of which is one load of memory: of all accounts that share a mark. */
uint32_t as_throttle_mark(const as_throttles *all, const char *account);
bool as_throttle_is_marked(const as_throttles *all, uint32_t mark);

/* A shortcut, for a minute: this spelling of a name (prepared, RFC 4518) leads to that account in the directory of that
 * fingerprint. */
void as_throttle_keep_spelling(as_throttles *all, const char *directory, const char *spelling, const char *account);
/* As as_throttle_wait, for the account that the spelling leads to; 0 where it is not known. */
long as_throttle_wait_spelling(as_throttles *all, const as_throttle *throttle, const char *directory,
                               const char *spelling, apr_pool_t *pool);

/* The same for a client, whose failed logins count when they have ended: behind one address there may be an office,
 * which logs in at nine. `client`: the address as text, or NULL; of an IPv6 address the /64 counts. */
long as_throttle_wait_client(as_throttles *all, const as_throttle *throttle, const char *client, apr_pool_t *pool);
void as_throttle_count_client(as_throttles *all, const as_throttle *throttle, const char *client, apr_pool_t *pool);

/* Is the store away? *changed: since this was last asked, by any thread; so that it is logged once. */
bool as_cache_store_is_down(as_cache *memory, bool *changed);

/* ---- who has proven a password, in shared memory ---- */

/* A bounded table of keyed hashes of user and password. Any thread of any process that maps the memory; NULL holds
 * nobody. */
typedef struct as_proofs as_proofs;

/* A keyed hash; zeros are nobody's. */
typedef struct as_proof {
    uint64_t high, low;
} as_proof;

/* Octets of shared memory; all zero is their beginning, aligned as malloc aligns. */
size_t as_proofs_size(void);
/* To be raised when what lies there changes. */
#define AS_PROOFS_LAYOUT 1
/* Draws the key, once, by who made the memory. False: no random octets. */
bool as_proofs_begin(as_proofs *proofs);
/* `scope`: the virtual host. Nobody's without a key. */
as_proof as_proof_of(const as_proofs *proofs, const char *scope, const char *user, const char *password);
/* The password was accepted now. */
void as_proofs_add(as_proofs *proofs, as_proof proof);
/* Was it accepted within the last hour? */
bool as_proofs_has(const as_proofs *proofs, as_proof proof);

/* ---- counters, in shared memory ---- */

#define AS_COUNTER_LIST(X)                                                                                             \
    X(cache_hits, "answers from the cache")                                                                            \
    X(cache_misses, "questions the cache had no answer to")                                                            \
    X(cache_joined, "questions that waited for an identical one")                                                      \
    X(store_errors, "calls to the store that failed")                                                                  \
    X(breaker_opened, "times that the circuit breaker of an LDAP server opened")                                       \
    X(require_yes, "lines of Require ldap-* answered yes")                                                             \
    X(require_no, "lines of Require ldap-* answered no")                                                               \
    X(require_unknown, "lines of Require ldap-* that could not be answered")                                           \
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

/* Octets of shared memory that the counters need, and with them what tells other processes of a new password. All zero
 * is their beginning; aligned as malloc aligns. */
size_t as_counters_size(void);
/* To be raised when the members of what lies there change; tests/unit/test_layouts says so. */
#define AS_COUNTERS_LAYOUT 2
/* Another number for each AS_COUNTERS_LAYOUT, and for each order of outcomes and counters. */
uint32_t as_counters_layout(void);
/* Any thread of any process that maps the memory. Relaxed atomic additions; NULL counters count nothing. */
void as_counters_outcome(as_counters *counters, as_outcome outcome);
/* The same for who knows what CLOCK_MONOTONIC says, in microseconds. */
void as_counters_outcome_at(as_counters *counters, as_outcome outcome, int64_t now);
void as_counters_add(as_counters *counters, as_counter counter, unsigned long by);
apr_uint64_t as_counters_of_outcome(const as_counters *counters, as_outcome outcome);
/* How often it came lately: in the last five minutes at most, which *within tells exactly. Processes that begin a new
 * half minute at the same moment may lose a few. */
apr_uint64_t as_counters_lately(const as_counters *counters, as_outcome outcome, apr_interval_time_t *within);
/* Since when they count; to be set once, by who made the memory. */
void as_counters_begin(as_counters *counters, apr_time_t now);
apr_time_t as_counters_since(const as_counters *counters);
apr_uint64_t as_counters_of(const as_counters *counters, as_counter counter);
/* Its name as in AS_COUNTER_LIST, and what it counts. */
const char *as_counter_name(as_counter counter);
const char *as_counter_help(as_counter counter);
/* as_cache counts there from now on. Before the process's threads start. */
void as_cache_set_counters(as_cache *memory, as_counters *counters);

#endif
