/* SPDX-License-Identifier: Apache-2.0
 *
 * Single flight of src/login: identical queries of one process at one time are one query.
 */
#ifndef AUTHSTATUS_LOGIN_COALESCE_H
#define AUTHSTATUS_LOGIN_COALESCE_H

#include "authstatus/cache.h"

/* The functions of a kind of query that may be coalesced. They get the `data` of as_coalesced. */
typedef struct as_coalesced_calls {
    /* Takes an answer that another request has cached since this one looked. Returns false if there is none. */
    bool (*get_again)(void *data);
    /* Queries the directory, and finds an answer in any case. False: the cache had it after all. */
    bool (*query)(void *data);
    /* Returns the answer as it is cached. */
    as_cached_answer (*to_cache)(void *data);
    /* Takes the answer of the leader. */
    void (*from_cache)(void *data, const as_cached_answer *cached);
    /* Finds an outage: the deadline passed while the leader's query was in progress. */
    void (*give_up)(void *data);
} as_coalesced_calls;

typedef struct as_coalesced {
    const as_coalesced_calls *calls;
    as_cache *cache; /* NULL: nothing is cached, and nothing coalesced */
    const as_cache_key *key;
    as_mono deadline;
    apr_pool_t *pool;
    const apr_time_t *born; /* time from which the answer counts, known once `query` has found it; NULL: its own time */
    void *data;
} as_coalesced;

/* Queries, or waits for the identical query in progress, at most until the deadline. */
void as_coalesce(const as_coalesced *of);

#endif
