/* SPDX-License-Identifier: Apache-2.0
 *
 * Declarations shared by the files of src/cache. Upward view: authstatus/cache.h.
 *
 *   clock.c          a time by the wall clock and by the monotonic clock
 *   octets.c         numbers and texts as octets
 *   hmac.c           HMAC-SHA-256: keys and seals of records in the shared store
 *   siphash.c        SipHash: keys of the cache of this process
 *   cache_key.c      the hashes of a key, each computed once
 *   record.c         an answer as octets, sealed for a store
 *   failures.c       times of failures as octets, and their arithmetic
 *   table.c          the cache of a process, in bounded memory
 *   lookaside.c      acceptances by the header that the client sent
 *   shared_store.c   the store that processes share, and whether it is available
 *   instance.c       creates and destroys the cache of a process
 *   cache.c          answers, grants and refusals
 *   entries.c        locations of entries
 *   single_flight.c  coalesces identical queries
 *   throttle.c       failures per account and client: admission of binds
 *   throttle_count.c   one count of these, from store and memory
 *   throttle_memory.c  the memory in which all processes count
 *   counters.c       shared counters, and generations
 *   outages.c        outages in progress
 *   series.c         counters over the last hour and the last day
 *   proofs.c         users who have proven a password, in shared memory
 *
 * pthread rather than APR: APR's timed waits use the wall clock, which may be set during a wait.
 */
#ifndef AUTHSTATUS_CACHE_PRIVATE_H
#define AUTHSTATUS_CACHE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "authstatus/cache.h"
#include "core/hot.h"

/* ---- clock.c ---- */

int64_t as_clock_read_mono(void);
as_moment as_moment_make(const as_cache *memory, apr_time_t now);

/* Clocks of several machines differ by this at most; a later time is in the future. */
#define AS_CLOCK_TOLERANCE apr_time_from_sec(2)

/* Computes the age of `then` by the more conservative clock. Returns false if `then` is after `now`: a clock was set
 * back. */
bool as_moment_compute_age(as_moment then, as_moment now, apr_interval_time_t *age);
/* Returns whether `then` is at most `good_for` before `now`. */
bool as_moment_is_within(as_moment then, apr_interval_time_t good_for, as_moment now);

/* ---- hmac.c ---- */

/* HMAC-SHA-256 (RFC 2104) with its key: the states after the inner and after the outer key block. */
typedef struct as_hmac {
    EVP_MD_CTX *inner, *outer;
} as_hmac;

typedef struct as_octets {
    const void *at;
    size_t length;
} as_octets;

/* Returns the octets of a text; NULL has none. */
as_octets as_octets_make(const char *text);

bool as_hmac_create(as_hmac *keyed, const unsigned char *key, size_t length);
void as_hmac_destroy(as_hmac *keyed);
/* Hashes `count` parts, each preceded by its length, so that no two lists of parts hash the same octets. No copy of
 * the parts remains. Returns false only without memory. Any thread. */
bool as_hmac_hash(const as_hmac *keyed, const as_octets *parts, int count, unsigned char hash[AS_HASH_SIZE]);

/* ---- siphash.c ---- */

/* 128 bits of SipHash-2-4 identify data in this process, under a key that no other process has: a keyed hash that is
 * as hard to guess, at a tenth of the cost. A hit takes two of them. */
#define AS_SIPHASH_SIZE 16

typedef struct as_siphash_key {
    unsigned char octets[16];
} as_siphash_key;

bool as_siphash_create(as_siphash_key *key);
/* Hashes parts as as_hmac_hash does. */
bool as_siphash_hash(const as_siphash_key *key, const as_octets *parts, int count, unsigned char hash[AS_SIPHASH_SIZE]);
void as_siphash_hash_octets(const as_siphash_key *key, const unsigned char *octets, size_t length,
                            unsigned char hash[AS_SIPHASH_SIZE]);

/* ---- proofs.c ---- */

/* Do the same as as_proofs_add and as_proofs_has, at a time of as_clock_read_mono. */
void as_proofs_add_at(as_proofs *proofs, as_proof proof, int64_t now);
bool as_proofs_has_at(const as_proofs *proofs, as_proof proof, int64_t now);

/* ---- record.c ---- */

/* Each kind has ids of its own: a record cannot be passed off as another kind. The numbers are data in stores. */
typedef enum as_record_kind {
    AS_RECORD_NONE = 0,
    AS_RECORD_ACCEPTANCE = 1, /* of scope, directory, user; contains the password's hash */
    AS_RECORD_REFUSAL = 2,    /* of scope, directory, user, password */
    AS_RECORD_ENTRY = 3,      /* never in a store */
    AS_RECORD_FLIGHT = 4,     /* never in a store */
    AS_RECORD_USER_FAILURES = 5,
    AS_RECORD_CLIENT_FAILURES = 6
} as_record_kind;

#define AS_STORED_MAX 8192   /* octets of a sealed record: shmcb keeps few that are larger */
#define AS_PAYLOAD_MAX 32768 /* octets of an answer in the cache of a process */

typedef struct as_record {
    as_record_kind kind;
    as_moment born;
    unsigned char proof[AS_HASH_SIZE]; /* as_record_make_proof of the password; zero unless an acceptance */
    as_cached_answer answer;
} as_record;

/* Returns the kind of record for an outcome, if it is cached at all: only outcomes about the account that the
 * directory itself reported, and as a refusal the "no" of a line of Require. */
as_record_kind as_record_choose_kind(const as_finding *finding);

/* Makes the key of a record of that kind in a store. */
bool as_record_make_id(const as_cache *memory, as_record_kind kind, const as_cache_key *key,
                       unsigned char id[AS_HASH_SIZE]);
/* Makes the proof of a password in an acceptance: a keyed hash of all four members. */
bool as_record_make_proof(const as_cache *memory, const as_cache_key *key, unsigned char proof[AS_HASH_SIZE]);

/* Encodes a record. Returns the payload, from malloc, for the caller to free; NULL if it is larger than
 * AS_PAYLOAD_MAX or has values that no valid answer has, or without memory. */
unsigned char *as_record_encode(const as_cache *memory, const as_record *record, size_t *length);
/* Returns a copy from malloc, NULL without memory. */
unsigned char *as_record_copy(const unsigned char *payload, size_t length);
/* Parses a payload, which must outlive the record. Returns false, and *record is invalid, if any octet is invalid.
 * `now` converts the birth of another machine's record to this machine's clock. */
bool as_record_parse(const as_cache *memory, const unsigned char *payload, size_t length, as_moment now,
                     apr_pool_t *pool, as_record *record);

/* Seals a payload: appends a hash of id and payload. Returns the length, 0 if it does not fit. */
size_t as_record_seal(const as_cache *memory, const unsigned char *id, const unsigned char *payload, size_t length,
                      unsigned char sealed[AS_STORED_MAX]);
/* Returns the payload's length, 0 if this key has not sealed it for that id. */
size_t as_record_unseal(const as_cache *memory, const unsigned char *id, const unsigned char *sealed, size_t length);

/* Write and read big-endian numbers in payloads. */
void as_put_number(unsigned char *at, uint64_t number, size_t octets);
uint64_t as_get_number(const unsigned char *at, size_t octets);

/* ---- cache_key.c ---- */

/* Hashes, each computed at its first use. */
typedef struct as_hashes {
    unsigned made; /* bits of as_hash_kind */
    unsigned char user[AS_SIPHASH_SIZE], secret[AS_SIPHASH_SIZE];
    unsigned char acceptance[AS_HASH_SIZE], refusal[AS_HASH_SIZE], proof[AS_HASH_SIZE];
} as_hashes;

typedef enum as_hash_kind {
    AS_HASH_USER = 1,       /* local: of scope, directory, user */
    AS_HASH_SECRET = 2,     /* local: of the password too */
    AS_HASH_ACCEPTANCE = 4, /* as_record_make_id */
    AS_HASH_REFUSAL = 8,
    AS_HASH_PROOF = 16 /* as_record_make_proof */
} as_hash_kind;

/* Returns the key's own hashes, or `otherwise`, emptied. */
as_hashes *as_hashes_choose(const as_cache_key *key, as_hashes *otherwise);
/* Returns AS_SIPHASH_SIZE or AS_HASH_SIZE octets, in `hashes`; NULL only without memory. */
const unsigned char *as_hash_get(const as_cache *memory, const as_cache_key *key, as_hashes *hashes, as_hash_kind kind);

/* ---- failures.c ---- */

/* Failures of one user or client. Lists are merged by union, in any order, any number of times; therefore a success
 * is kept as a time, and does not just empty the list. */
typedef struct as_failures {
    apr_time_t cleared; /* time of a success: failures up to it do not count */
    int count;
    apr_time_t times[AS_THROTTLE_MOST]; /* ascending, each once */
} as_failures;

#define AS_FAILURES_MAX (2 + 8 + 1 + 8 * AS_THROTTLE_MOST) /* octets of a payload */

size_t as_failures_encode(const as_failures *failures, as_record_kind kind, unsigned char payload[AS_FAILURES_MAX]);
bool as_failures_parse(const unsigned char *payload, size_t length, as_record_kind kind, as_failures *failures);
void as_failures_merge(as_failures *into, const as_failures *other);
/* Removes times in the future, left by a clock that was set back. */
void as_failures_drop_future(as_failures *failures, apr_time_t now);
/* Makes the time of a new failure: later than all others, as `now` may be earlier than a failure of another machine. */
apr_time_t as_failures_make_stamp(const as_failures *failures, apr_time_t now);
void as_failures_add(as_failures *failures, apr_time_t stamp);
void as_failures_withdraw(as_failures *failures, apr_time_t stamp);
void as_failures_clear(as_failures *failures, apr_time_t when);
/* Returns the time until fewer than `allowed` failures are within `within`; 0: that is so now. */
apr_interval_time_t as_failures_compute_wait(const as_failures *failures, int allowed, apr_interval_time_t within,
                                             apr_time_t now);

/* ---- table.c ---- */

#define AS_SHARDS 16

/* A mutex on a cache line of its own. */
typedef union as_lock {
    pthread_mutex_t mutex;
    char line[64];
} as_lock;

/* The content of a cell. */
typedef struct as_slot {
    unsigned char id[AS_SIPHASH_SIZE];
    unsigned char proof[AS_SIPHASH_SIZE]; /* AS_HASH_SECRET; used for acceptances alone */
    as_moment born;
    apr_interval_time_t good_for;
    apr_interval_time_t stale_for;         /* kept for that much longer: the caller compares the record's age */
    uint32_t generation_index, generation; /* the generation when it was made; generation_index AS_NO_GENERATION: no
                                              other process reports newer ones */
    uint32_t length;
    unsigned char *payload; /* from malloc */
} as_slot;

/* A fixed number of cells, found by the ids of their contents. In a full table expired cells are evicted first, then
 * cells that were not read since the clock hand passed (CLOCK, Corbato 1968). Pages of cells are touched only when
 * used.
 *
 * The mutex of a cell is number (bucket modulo AS_SHARDS). `cells_lock` is taken before one of these, never while one
 * is held. */
typedef struct as_cell as_cell;

typedef struct as_table {
    uint32_t capacity, buckets;
    uint32_t used; /* number of cells ever used; under cells_lock, as the next two */
    uint32_t free; /* first free cell, from 1 on; 0: none */
    uint32_t hand;
    as_cell *cells;
    uint32_t *heads; /* the first cell of a bucket, from 1 on; 0: none */
    as_lock cells_lock, locks[AS_SHARDS];
} as_table;

bool as_table_create(as_table *table, int entries);
void as_table_destroy(as_table *table);
/* A query of the table. */
typedef struct as_wanted {
    const unsigned char *id;
    const unsigned char *proof; /* NULL: any */
    as_moment now;
    const as_counters *counters; /* of generations */
    as_acceptance *found;        /* set to the acceptance that was found; NULL: not wanted */
} as_wanted;

/* Returns a copy, from `pool`, of the content with that proof, of the present generation, and within its time; NULL:
 * none. Drops expired content. */
unsigned char *as_table_get(as_table *table, const as_wanted *wanted, apr_pool_t *pool, size_t *length);
/* Returns whether the content found earlier is still there unchanged. Takes no lock. */
bool as_table_has(const as_table *table, const as_acceptance *found);
/* Marks the content as read, if it is there. */
void as_table_note_read(as_table *table, const as_acceptance *found);
/* Puts `what->payload`, and takes ownership of it in any case. Returns false if the present content is younger, and
 * stays. */
bool as_table_put(as_table *table, const as_slot *what, as_moment now);
/* Removes what has that id and, unless it is NULL, that proof. Returns whether there was such an entry. */
bool as_table_remove(as_table *table, const unsigned char *id, const unsigned char *proof);

/* ---- lookaside.c ---- */

typedef struct as_lookaside_cell as_lookaside_cell;

typedef struct as_lookaside {
    as_siphash_key key;
    uint32_t sets; /* a power of two; 0: there is none */
    as_lookaside_cell *cells;
} as_lookaside;

bool as_lookaside_create(as_lookaside *lookaside, int acceptances);
void as_lookaside_destroy(as_lookaside *lookaside);

/* ---- shared_store.c ---- */

typedef struct as_shared {
    as_store store;
    atomic_int state, reported; /* as_store_state */
    atomic_int slow_calls;      /* in a row */
    _Atomic int64_t slow_at;    /* end of the last of them */
    _Atomic int64_t pause;      /* between two tries */
    _Atomic int64_t try_at;     /* unless it is up: time of the next try, by as_clock_read_mono */
} as_shared;

typedef enum as_fetched {
    AS_FETCHED,         /* found, and sealed by this key */
    AS_FETCHED_NONE,    /* no record, or an invalid one */
    AS_FETCHED_UNKNOWN, /* the store is unavailable */
} as_fetched;

void as_shared_init(as_shared *shared, const as_store *store);
as_fetched as_shared_fetch(as_cache *memory, const unsigned char *id, unsigned char data[AS_STORED_MAX],
                           size_t *payload_length, apr_pool_t *pool);
/* Each returns true if the store did it. */
bool as_shared_keep(as_cache *memory, const unsigned char *id, const unsigned char *payload, size_t length,
                    apr_time_t expiry, apr_pool_t *pool);
bool as_shared_is_configured(const as_cache *memory);
bool as_shared_remove(as_cache *memory, const unsigned char *id, apr_pool_t *pool);

/* ---- single_flight.c ---- */

typedef struct as_flight_entry as_flight_entry;

typedef struct as_single_flights {
    as_lock locks[AS_SHARDS];
    as_flight_entry *under_way[AS_SHARDS];
    pthread_condattr_t by_monotonic_clock;
} as_single_flights;

bool as_single_flights_create(as_single_flights *flights);
void as_single_flights_destroy(as_single_flights *flights);

/* ---- counters.c ---- */

/* Generations: a number for a user, and for the few others with the same index, in shared memory. It changes when an
 * acceptance was put in the store; processes then ignore their older acceptances, and query the store. 0 without
 * counters. */
#define AS_NO_GENERATION UINT32_MAX
uint32_t as_generation_choose_index(const unsigned char *acceptance_id);
uint32_t as_generation_get(const as_counters *counters, uint32_t generation_index);
uint32_t as_generation_advance(as_counters *counters, uint32_t generation_index);

/* ---- instance.c ---- */

#define AS_BOOT_SIZE 8

struct as_cache {
    as_cache_times times;
    as_hmac keyed;
    as_siphash_key local_key;
    /* A keyed hash of Linux's boot id: records with the same one share a monotonic clock. Zero: unknown, equal to no
     * other. */
    unsigned char boot[AS_BOOT_SIZE];
    int64_t (*mono)(void); /* as_clock_read_mono, except in tests */
    as_counters *counters;
    as_shared shared;
    as_table acceptances, refusals, entries; /* separate tables: refusals never crowd out acceptances */
    as_lookaside lookaside;                  /* of acceptances */
    as_single_flights flights;
};

#endif
