/* SPDX-License-Identifier: Apache-2.0
 *
 * Single flight of this floor: identical queries of one process at one moment are one query.
 */
#ifndef AUTHSTATUS_LOGIN_COALESCE_H
#define AUTHSTATUS_LOGIN_COALESCE_H

#include "authstatus/cache.h"

/* What is coalesced. The functions get `data`. */
typedef struct as_coalesced {
    as_cache *cache;
    const as_cache_key *key;
    as_mono deadline;
    apr_pool_t *pool;
    apr_time_t born; /* when the answer of `query` counts from; 0: from when it is there */
    void *data;
    /* Takes what another request cached since this one looked. False: nothing. */
    bool (*get_again)(void *data);
    /* Queries the directory, and finds an answer in any case. */
    void (*query)(void *data);
    /* Returns the answer that was found, as it is cached. */
    as_cached_answer (*to_cache)(void *data);
    /* Takes the answer of the identical query that was waited for. */
    void (*from_cache)(void *data, const as_cached_answer *cached);
    /* Finds an outage: the deadline passed while the identical query was under way. */
    void (*give_up)(void *data);
} as_coalesced;

/* Queries, or waits for the identical query that is under way, at most until the deadline. */
void as_coalesce(const as_coalesced *of);

#endif
