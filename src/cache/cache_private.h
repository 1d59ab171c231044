/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this floor may see of each other. Upward view: authstatus/cache.h.
 *
 *   clock.c          a moment by the wall clock and by the monotonic clock
 *   octets.c         numbers and texts as octets
 *   hmac.c           HMAC-SHA-256: keys and seals of records in the shared store
 *   siphash.c        SipHash: keys of what is cached in this process alone
 *   cache_key.c      the hashes of a subject, each computed once
 *   record.c         an answer as octets, sealed for a store
 *   failures.c       times of failures as octets, and their arithmetic
 *   table.c          what a process has cached, in bounded memory
 *   lookaside.c      acceptances by what the client sent
 *   shared_store.c   the store that processes share, and whether it is away
 *   instance.c       the cache of a process: creation and end
 *   cache.c          answers, good and bad; where entries were found
 *   single_flight.c  coalesces identical queries
 *   throttle.c       failures per account and client: who is admitted
 *   throttle_count.c   one count of these, from store and memory
 *   throttle_memory.c  the memory that all processes count in
 *   counters.c       shared counters, and generations
 *   outages.c        which outages go on
 *   proofs.c         who has proven a password, in shared memory
 *
 * pthread rather than APR: APR's timed waits go by the wall clock, which may be set while we wait.
 */
#ifndef AUTHSTATUS_CACHE_PRIVATE_H
#define AUTHSTATUS_CACHE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "authstatus/cache.h"

/* ---- clock.c ---- */

int64_t as_clock_mono(void);
as_moment as_moment_at(const as_cache *memory, apr_time_t now);

/* Clocks of several machines differ by that much at most; what is further ahead is from the future. */
#define AS_CLOCK_TOLERANCE apr_time_from_sec(2)

/* How long before `now` it was, by the clock that says more. False: after it, a clock was set back. */
bool as_moment_age(as_moment then, as_moment now, apr_interval_time_t *age);
/* Within that time. */
bool as_moment_is_within(as_moment then, apr_interval_time_t good_for, as_moment now);

/* ---- hmac.c ---- */

#define AS_HASH_SIZE 32 /* SHA-256 */

/* HMAC-SHA-256 (RFC 2104), the key already taken in: the state after the inner and after the outer key block. */
typedef struct as_hmac {
    EVP_MD_CTX *inner, *outer;
} as_hmac;

typedef struct as_octets {
    const void *at;
    size_t length;
} as_octets;

/* Of a text; NULL has none. */
as_octets as_octets_of(const char *text);

bool as_hmac_create(as_hmac *keyed, const unsigned char *key, size_t length);
void as_hmac_destroy(as_hmac *keyed);
/* Of `count` parts, each preceded by its length, so that no two lists of parts give the same octets. Nothing of the
 * parts is left behind. False only without memory. Any thread. */
bool as_hmac_hash(const as_hmac *keyed, const as_octets *parts, int count, unsigned char hash[AS_HASH_SIZE]);

/* ---- siphash.c ---- */

/* What is found in this process alone is found by 128 bits of SipHash-2-4, under a key that no other process has: a
 * keyed hash that is as hard to guess, at a tenth of the cost. A hit is a matter of two of these. */
#define AS_SIPHASH_SIZE 16

typedef struct as_siphash_key {
    unsigned char octets[16];
} as_siphash_key;

bool as_siphash_create(as_siphash_key *key);
/* Of parts as as_hmac_hash. */
bool as_siphash_hash(const as_siphash_key *key, const as_octets *parts, int count, unsigned char hash[AS_SIPHASH_SIZE]);
void as_siphash_octets(const as_siphash_key *key, const unsigned char *octets, size_t length,
                       unsigned char hash[AS_SIPHASH_SIZE]);

/* ---- proofs.c ---- */

/* As as_proofs_add and as_proofs_has, at a moment by as_clock_mono. */
void as_proofs_add_at(as_proofs *proofs, as_proof proof, int64_t now);
bool as_proofs_has_at(const as_proofs *proofs, as_proof proof, int64_t now);

/* ---- record.c ---- */

/* Kinds have ids of their own: no record can be passed off as one of another kind. Numbers are in stores. */
typedef enum as_record_kind {
    AS_RECORD_NONE = 0,
    AS_RECORD_ACCEPTANCE = 1, /* of scope, directory, user; the password's hash is in it */
    AS_RECORD_REFUSAL = 2,    /* of scope, directory, user, password */
    AS_RECORD_ENTRY = 3,      /* never in a store */
    AS_RECORD_FLIGHT = 4,     /* never in a store */
    AS_RECORD_USER_FAILURES = 5,
    AS_RECORD_CLIENT_FAILURES = 6
} as_record_kind;

#define AS_STORED_MAX 8192   /* octets of a sealed record: shmcb keeps few that are larger */
#define AS_PAYLOAD_MAX 32768 /* octets of an answer that a process remembers */

typedef struct as_record {
    as_record_kind kind;
    as_moment born;
    unsigned char proof[AS_HASH_SIZE]; /* as_record_proof of the password; of an acceptance, else zero */
    as_cached_answer answer;
} as_record;

/* How an outcome is remembered, if at all: only what the directory itself told about the account. */
as_record_kind as_record_kind_of(const as_finding *finding);
/* The same, with the "no" of a line of Require: as a refusal. */
as_record_kind as_record_kind_kept(const as_finding *finding);

/* What a record of that kind is found by in a store. */
bool as_record_id(const as_cache *memory, as_record_kind kind, const as_cache_key *subject,
                  unsigned char id[AS_HASH_SIZE]);
/* What an acceptance keeps of the password: a keyed hash of all four members. */
bool as_record_proof(const as_cache *memory, const as_cache_key *subject, unsigned char proof[AS_HASH_SIZE]);

/* The payload, from malloc, for the caller to free; NULL if it is larger than AS_PAYLOAD_MAX or holds what no answer
 * has, or without memory. */
unsigned char *as_record_encode(const as_cache *memory, const as_record *record, size_t *length);
/* A copy from malloc, NULL without memory. */
unsigned char *as_record_copy(const unsigned char *payload, size_t length);
/* The record in a payload, which must live as long as it. False, and *record is not to be used, for octets that are
 * none to the last. `now` places the birth of another machine's record on our clock. */
bool as_record_parse(const as_cache *memory, const unsigned char *payload, size_t length, as_moment now,
                     apr_pool_t *pool, as_record *record);

/* Sealed: the payload, and a hash of id and payload behind it. Returns the length, 0 if it does not fit. */
size_t as_record_seal(const as_cache *memory, const unsigned char *id, const unsigned char *payload, size_t length,
                      unsigned char sealed[AS_STORED_MAX]);
/* Returns the payload's length, 0 if our key has not sealed this for that id. */
size_t as_record_unseal(const as_cache *memory, const unsigned char *id, const unsigned char *sealed, size_t length);

/* Big-endian numbers in payloads. */
void as_put_number(unsigned char *at, uint64_t number, size_t octets);
uint64_t as_get_number(const unsigned char *at, size_t octets);

/* ---- cache_key.c ---- */

/* Made when first asked for. */
typedef struct as_hashes {
    unsigned made; /* bits of as_hash_kind */
    unsigned char user[AS_SIPHASH_SIZE], secret[AS_SIPHASH_SIZE];
    unsigned char acceptance[AS_HASH_SIZE], refusal[AS_HASH_SIZE], proof[AS_HASH_SIZE];
} as_hashes;

typedef enum as_hash_kind {
    AS_HASH_USER = 1,       /* near: of scope, directory, user */
    AS_HASH_SECRET = 2,     /* near: of the password too */
    AS_HASH_ACCEPTANCE = 4, /* as_record_id */
    AS_HASH_REFUSAL = 8,
    AS_HASH_PROOF = 16 /* as_record_proof */
} as_hash_kind;

/* The subject's own, or `otherwise`, emptied. */
as_hashes *as_hashes_of(const as_cache_key *subject, as_hashes *otherwise);
/* AS_SIPHASH_SIZE or AS_HASH_SIZE octets, in `hashes`; NULL only without memory. */
const unsigned char *as_hash_of(const as_cache *memory, const as_cache_key *subject, as_hashes *hashes,
                                as_hash_kind kind);

/* ---- failures.c ---- */

/* Failures of one user or client. Two lists of one are merged by union, in any order, any number of times: that is why
 * a success is kept as a time, and does not just end the list. */
typedef struct as_failures {
    apr_time_t cleared; /* a success: what is not later than this counts no more */
    int count;
    apr_time_t times[AS_THROTTLE_MOST]; /* ascending, each once */
} as_failures;

#define AS_FAILURES_MAX (2 + 8 + 1 + 8 * AS_THROTTLE_MOST) /* octets of a payload */

size_t as_failures_encode(const as_failures *failures, as_record_kind kind, unsigned char payload[AS_FAILURES_MAX]);
bool as_failures_parse(const unsigned char *payload, size_t length, as_record_kind kind, as_failures *failures);
void as_failures_merge(as_failures *into, const as_failures *other);
/* Takes away what a clock that was set back since has left in the future. */
void as_failures_drop_future(as_failures *failures, apr_time_t now);
/* The time it is entered with: later than every other, as `now` may be earlier than a failure told by another machine.
 */
apr_time_t as_failures_stamp(const as_failures *failures, apr_time_t now);
void as_failures_add(as_failures *failures, apr_time_t stamp);
void as_failures_withdraw(as_failures *failures, apr_time_t stamp);
void as_failures_clear(as_failures *failures, apr_time_t when);
/* How long until fewer than `allowed` are within that time; 0: it is so. */
apr_interval_time_t as_failures_wait(const as_failures *failures, int allowed, apr_interval_time_t within,
                                     apr_time_t now);

/* ---- table.c ---- */

#define AS_SHARDS 16

/* A mutex on a cache line of its own. */
typedef union as_lock {
    pthread_mutex_t mutex;
    char line[64];
} as_lock;

/* What is kept. */
typedef struct as_slot {
    unsigned char id[AS_SIPHASH_SIZE];
    unsigned char proof[AS_SIPHASH_SIZE]; /* AS_HASH_SECRET; nobody looks at it but for an acceptance */
    as_moment born;
    apr_interval_time_t good_for;
    uint32_t place, generation; /* it is as old as that; place AS_NO_PLACE: nobody else tells of a newer one */
    uint32_t length;
    unsigned char *payload; /* from malloc */
} as_slot;

/* A fixed number of cells, found by the ids of what is in them. Where all are taken, what is past its time goes first,
 * then what was not read since the hand of the clock came by (CLOCK, Corbato 1968). Cells are touched as they are used.
 *
 * A cell's mutex is that of its bucket's number modulo AS_SHARDS. `cells_lock` is taken before one of these, never
 * while one is held. */
typedef struct as_cell as_cell;

typedef struct as_table {
    uint32_t capacity, buckets;
    uint32_t used; /* cells that were ever used; under cells_lock, as the next two */
    uint32_t free; /* the first of the free ones, from 1 on; 0: none */
    uint32_t hand;
    as_cell *cells;
    uint32_t *heads; /* the first cell of a bucket, from 1 on; 0: none */
    as_lock cells_lock, locks[AS_SHARDS];
} as_table;

bool as_table_create(as_table *table, int entries);
void as_table_destroy(as_table *table);
/* What is looked for. */
typedef struct as_wanted {
    const unsigned char *id;
    const unsigned char *proof; /* NULL: whatever it has */
    as_moment now;
    const as_counters *counters; /* of generations */
    as_acceptance *found;        /* filled in with which one it is; NULL: nobody wants to know */
} as_wanted;

/* A copy, from `pool`, of what is there with that proof, of the present generation, and within its time; NULL: nothing.
 * What is past its time is dropped. */
unsigned char *as_table_get(as_table *table, const as_wanted *wanted, apr_pool_t *pool, size_t *length);
/* Is what was found still there, the very same? Takes no lock. */
bool as_table_has(const as_table *table, const as_acceptance *found);
/* It was read, if it is there. */
void as_table_note_read(as_table *table, const as_acceptance *found);
/* Takes `what->payload`, whatever becomes of it. False: what is there is younger, and stays. */
bool as_table_put(as_table *table, const as_slot *what, as_moment now);
void as_table_remove(as_table *table, const unsigned char *id);

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
    atomic_bool away, reported;
    _Atomic int64_t try_at; /* while it is away: not before, in as_clock_mono's time */
} as_shared;

typedef enum as_fetched {
    AS_FETCHED,         /* and our key has sealed it */
    AS_FETCHED_NONE,    /* there is none, or what is there is rubbish */
    AS_FETCHED_UNKNOWN, /* the store is away */
} as_fetched;

void as_shared_init(as_shared *shared, const as_store *store);
as_fetched as_shared_fetch(as_cache *memory, const unsigned char *id, unsigned char data[AS_STORED_MAX],
                           size_t *payload_length, apr_pool_t *pool);
/* Each returns true if the store did it. */
bool as_shared_keep(as_cache *memory, const unsigned char *id, const unsigned char *payload, size_t length,
                    apr_time_t expiry, apr_pool_t *pool);
bool as_shared_exists(const as_cache *memory);
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

/* Generations: a number for every few users, in shared memory. It changes when an acceptance was put in the store; what
 * a process remembers of an earlier one it no longer believes, and looks in the store. 0 without counters. */
#define AS_NO_PLACE UINT32_MAX
uint32_t as_generation_place(const unsigned char *acceptance_id);
uint32_t as_generation(const as_counters *counters, uint32_t place);
uint32_t as_generation_next(as_counters *counters, uint32_t place);

/* ---- instance.c ---- */

#define AS_BOOT_SIZE 8

struct as_cache {
    as_cache_times times;
    as_hmac keyed;
    as_siphash_key near;
    /* A keyed hash of what Linux calls this boot's id: monotonic clocks of records with the same one are the same
     * clock. Zero: not known, so no other record's is. */
    unsigned char boot[AS_BOOT_SIZE];
    int64_t (*mono)(void); /* as_clock_mono, but in tests */
    as_counters *counters;
    as_shared shared;
    as_table acceptances, refusals, entries; /* tables of their own: refusals never crowd out acceptances */
    as_lookaside lookaside;                  /* of acceptances */
    as_single_flights flights;
};

#endif
