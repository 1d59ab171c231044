/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory of a throttle, as throttle_memory.c keeps it and throttle.c uses it.
 *
 * Its times are microseconds of a clock that nobody can set: the monotonic clock, moved once to the wall clock's time
 * at the moment at which the memory was made.
 */
#ifndef AUTHSTATUS_THROTTLE_PRIVATE_H
#define AUTHSTATUS_THROTTLE_PRIVATE_H

#include "cache_private.h"

#define AS_TALLIES 8192 /* counts of each kind; memory is touched only as it is used */
#define AS_TALLY_CHAINS 8192
#define AS_TALLY_MARKS 65536
#define AS_SPELLINGS 16384
/* A bind that has no answer after so long never gets one: its process died. It stays counted. */
#define AS_PENDING_MOST apr_time_from_sec(60)

/* Failures of one account or client, as this machine saw them. */
typedef struct as_tally {
    unsigned char id[AS_SIPHASH_SIZE];
    uint32_t next; /* of the same chain, or the next vacant one; its index plus one, 0: none */
    bool used;
    apr_time_t until;                      /* nothing in it counts after that */
    apr_time_t forbids_until;              /* by the throttles that counted here */
    as_failures failures;                  /* binds under way too */
    apr_time_t answered[AS_THROTTLE_MOST]; /* of each; 0: it is under way */
} as_tally;

typedef struct as_tallies {
    uint32_t begun;  /* so many were ever used */
    uint32_t vacant; /* the first one that is free again, plus one */
    uint32_t hand;   /* where the next search for one that gives way begins */
    uint32_t heads[AS_TALLY_CHAINS];
    as_tally tallies[AS_TALLIES];
} as_tallies;

/* What an account or a client is found by: in the memory, and in a store. */
typedef struct as_counted_name {
    unsigned char id[AS_SIPHASH_SIZE];
    unsigned char shared_id[AS_HASH_SIZE]; /* zero without a store */
} as_counted_name;

/* The account that a name leads to in a directory. */
typedef struct as_spelling {
    unsigned char id[AS_SIPHASH_SIZE];
    as_counted_name account;
    apr_time_t until;
} as_spelling;

typedef struct as_throttle_memory {
    pthread_mutex_t mutex;                  /* process-shared, robust */
    as_siphash_key key;                     /* of ids */
    int64_t offset;                         /* of its clock, from the monotonic one */
    _Atomic uint16_t marks[AS_TALLY_MARKS]; /* how many users' counts have a hash; read without the mutex */
    _Atomic uint32_t counted;               /* users with a count; read without the mutex */
    as_tallies users, clients;
    as_spelling spellings[AS_SPELLINGS];
} as_throttle_memory;

/* What a process has of it. */
struct as_throttles {
    as_throttle_memory *memory;
    as_cache *store; /* NULL: no other machine counts the same accounts */
    int64_t (*mono)(void);
    apr_time_t (*wall)(void);
    atomic_int waiting;          /* threads that wait for binds under way */
    _Atomic apr_time_t shift;    /* from the memory's clock to the wall clock */
    as_lock counting[AS_SHARDS]; /* held while a count in the store is read, changed and written */
};

/* False: it cannot be had any more; then nobody is admitted. */
bool as_throttle_lock(as_throttle_memory *memory);
void as_throttle_unlock(as_throttle_memory *memory);

/* Under the lock, all but as_tally_mark. */
as_tally *as_tally_get(as_tallies *table, const unsigned char *id);
/* NULL: the table is full of counts of users that forbid something; *wait: until the first of them ends. */
as_tally *as_tally_make(as_throttle_memory *memory, as_tallies *table, const unsigned char *id, apr_time_t now,
                        apr_time_t *wait);
void as_tally_drop(as_throttle_memory *memory, as_tallies *table, as_tally *tally);
/* Which of the memory's marks tells that this user may have a count. */
uint32_t as_tally_mark(const unsigned char *id);

/* The time of the last failure, or of the success after it. */
apr_time_t as_tally_last(const as_tally *tally);
/* The index of a failure; -1: there is none. */
int as_tally_find(const as_tally *tally, apr_time_t stamp);
void as_tally_remove(as_tally *tally, int at);
/* `stamp`: later than all there are. */
void as_tally_add(as_tally *tally, apr_time_t stamp, apr_time_t answered);
/* Ends what was answered before a success, whose bind was sent at `when`. A bind that is under way, or was answered
 * later, may have reached the directory behind that success: it stays. */
void as_tally_clear(as_tally *tally, apr_time_t when);
/* How many binds are under way. */
int as_tally_pending(const as_tally *tally, apr_time_t now);

const as_spelling *as_spelling_get(as_throttle_memory *memory, const unsigned char *id, apr_time_t now);
void as_spelling_put(as_throttle_memory *memory, const unsigned char *id, const as_counted_name *account,
                     apr_time_t until);

/* ---- throttle_count.c: a count, from store and memory ---- */

/* One account's or client's failures, as they were read. */
typedef struct as_count {
    as_throttles *all;
    as_tallies *table;
    as_record_kind kind;
    as_counted_name name;
    bool shared;           /* a store has it too */
    apr_time_t shift;      /* from the memory's clock to the one that machines share */
    as_failures elsewhere; /* what the store has, on the memory's clock */
    bool known;            /* the store told what it has, and may be told what it should have */
} as_count;

bool as_throttle_hash(const as_throttles *all, const char *label, const char *first, const char *second,
                      unsigned char id[AS_SIPHASH_SIZE]);
bool as_throttle_hash_account(const as_throttles *all, const char *account, unsigned char id[AS_SIPHASH_SIZE]);
/* What a client is counted by: an IPv4 address, or an IPv6 /64. */
const char *as_client_of(const char *address, apr_pool_t *pool);
bool as_count_begin(as_throttles *all, as_count *of, as_record_kind kind, const char *name);
void as_count_begin_known(as_throttles *all, as_count *of, as_record_kind kind, const as_counted_name *name);
/* Threads of a process take turns from as_count_fetch to as_count_keep. Not under the lock of the memory. */
void as_count_take_turn(const as_count *of);
void as_count_end_turn(const as_count *of);
void as_count_fetch(as_count *of, apr_pool_t *pool);
void as_count_keep(const as_count *of, as_failures failures, apr_interval_time_t good_for, apr_pool_t *pool);
/* Under the lock: the memory's part of it, NULL if there is none; and all failures, from store and memory. A success
 * elsewhere ends what is here. */
as_tally *as_count_own(const as_count *of, apr_time_t now);
as_failures as_count_merge(const as_count *of, as_tally *own);

#endif
