/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory of a throttle, which throttle_memory.c maintains and throttle.c uses.
 *
 * Its times are microseconds of a clock that cannot be set: the monotonic clock, shifted once to the wall clock's time
 * when the memory was created.
 */
#ifndef AUTHSTATUS_THROTTLE_PRIVATE_H
#define AUTHSTATUS_THROTTLE_PRIVATE_H

#include "cache_private.h"

#define AS_TALLIES 8192 /* counts of each kind; memory is touched only when used */
#define AS_TALLIES_OF_HTACCESS (AS_TALLIES / 4)
#define AS_TALLY_CHAINS 8192
#define AS_TALLY_MARKS 65536
#define AS_SPELLINGS 16384
/* A bind without an answer after this time never gets one: its process died. It stays counted until a success. */
#define AS_PENDING_MOST apr_time_from_sec(60)

/* Failures of one account or client, as this machine saw them. */
typedef struct as_tally {
    unsigned char id[AS_SIPHASH_SIZE];
    uint32_t next; /* next in its chain, or next vacant one; its index plus one, 0: none */
    bool used, of_htaccess;
    apr_time_t until;                      /* nothing in it counts after this time */
    apr_time_t forbids_until;              /* by the throttles that counted here */
    as_failures failures;                  /* binds in progress included */
    apr_time_t answered[AS_THROTTLE_MOST]; /* time of each answer; 0: bind in progress */
} as_tally;

typedef struct as_tallies {
    uint32_t begun;       /* number of tallies ever used */
    uint32_t vacant;      /* first vacant one, its index plus one */
    uint32_t hand;        /* where the next search for an eviction begins */
    uint32_t of_htaccess; /* number of tallies in use that are */
    uint32_t heads[AS_TALLY_CHAINS];
    as_tally tallies[AS_TALLIES];
} as_tallies;

/* The key of an account or a client: in memory, and in a store. */
typedef struct as_counted_name {
    unsigned char id[AS_SIPHASH_SIZE];
    unsigned char shared_id[AS_HASH_SIZE]; /* zero without a store */
} as_counted_name;

/* The account that a spelling of a name identifies in a directory. */
typedef struct as_spelling {
    unsigned char id[AS_SIPHASH_SIZE];
    as_counted_name account;
    apr_time_t until;
} as_spelling;

typedef struct as_throttle_memory {
    pthread_mutex_t mutex;                  /* process-shared, robust */
    as_siphash_key key;                     /* of ids */
    int64_t offset;                         /* of its clock to the monotonic clock */
    _Atomic uint16_t marks[AS_TALLY_MARKS]; /* number of counted users for each hash; read without the mutex */
    _Atomic uint32_t counted;               /* users with a count; read without the mutex */
    as_tallies users, clients;
    as_spelling spellings[AS_SPELLINGS];
} as_throttle_memory;

/* A process's view of the throttle. */
struct as_throttles {
    as_throttle_memory *memory;
    as_cache *store; /* NULL: no other machine counts the same accounts */
    int64_t (*mono)(void);
    apr_time_t (*wall)(void);
    atomic_int waiting;          /* threads that wait for binds in progress */
    _Atomic apr_time_t shift;    /* from the memory's clock to the wall clock */
    as_lock counting[AS_SHARDS]; /* held while a count in the store is read, changed and written */
};

/* Returns false if the memory is unusable; then no bind is admitted. */
bool as_throttle_lock(as_throttle_memory *memory);
void as_throttle_unlock(as_throttle_memory *memory);

/* All but as_tally_get_mark need the lock. */
as_tally *as_tally_get(as_tallies *table, const unsigned char *id);
/* Returns NULL if the table, or the part of it for `of_htaccess`, is full of users' counts that forbid something;
 * *wait: until the first of them ends. */
as_tally *as_tally_make(as_throttle_memory *memory, as_tallies *table, const unsigned char *id, bool of_htaccess,
                        apr_time_t now, apr_time_t *wait);
/* Takes a count out of the part for .htaccess: it is one of the configuration's directories, too. */
void as_tally_promote(as_tallies *table, as_tally *tally);
void as_tally_drop(as_throttle_memory *memory, as_tallies *table, as_tally *tally);
/* Returns which of the memory's marks shows that this user may have a count. */
uint32_t as_tally_get_mark(const unsigned char *id);

/* Returns the index of a failure; -1: there is none. */
int as_tally_find(const as_tally *tally, apr_time_t stamp);
void as_tally_remove(as_tally *tally, int at);
/* Adds a failure. `stamp`: later than all others. */
void as_tally_add(as_tally *tally, apr_time_t stamp, apr_time_t answered);
/* Removes failures answered before a success, whose bind was sent at `when`, and binds that never get an answer. A bind
 * that is in progress, or was answered later, may have reached the directory after that success: it stays. */
void as_tally_clear(as_tally *tally, apr_time_t when);
/* Returns the number of binds in progress. */
int as_tally_count_pending(const as_tally *tally, apr_time_t now);

const as_spelling *as_spelling_get(as_throttle_memory *memory, const unsigned char *id, apr_time_t now);
void as_spelling_put(as_throttle_memory *memory, const unsigned char *id, const as_counted_name *account,
                     apr_time_t until);

/* ---- throttle_count.c: a count, from store and memory ---- */

/* Failures of one account or client, as they were read. */
typedef struct as_count {
    as_throttles *all;
    as_tallies *table;
    as_record_kind kind;
    as_counted_name name;
    bool shared;           /* a store has them too */
    apr_time_t shift;      /* from the memory's clock to the one that machines share */
    as_failures elsewhere; /* failures in the store, on the memory's clock */
    bool known;            /* the store was read, and may be written */
} as_count;

bool as_throttle_hash(const as_throttles *all, const char *label, const char *first, const char *second,
                      unsigned char id[AS_SIPHASH_SIZE]);
bool as_throttle_hash_account(const as_throttles *all, const char *account, unsigned char id[AS_SIPHASH_SIZE]);
/* Returns the text by which a client is counted: an IPv4 address, or an IPv6 /64. */
const char *as_client_normalize(const char *address, apr_pool_t *pool);
bool as_count_begin(as_throttles *all, as_count *of, as_record_kind kind, const char *name);
void as_count_begin_known(as_throttles *all, as_count *of, as_record_kind kind, const as_counted_name *name);
/* Serialise the threads of a process from as_count_fetch to as_count_keep. Not under the lock of the memory. */
void as_count_take_turn(const as_count *of);
void as_count_end_turn(const as_count *of);
void as_count_fetch(as_count *of, apr_pool_t *pool);
void as_count_keep(const as_count *of, as_failures failures, apr_interval_time_t good_for, apr_pool_t *pool);
/* Need the lock: the first returns the count in memory, NULL if there is none; the second returns all failures of
 * store and memory. A success on another machine ends the failures in memory. */
as_tally *as_count_get_own(const as_count *of, apr_time_t now);
as_failures as_count_merge(const as_count *of, as_tally *own);

#endif
