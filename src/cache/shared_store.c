/* SPDX-License-Identifier: Apache-2.0
 *
 * The store that processes share. It may be unavailable, slow, full, or return anything: then there is no record, and
 * requests continue without it.
 */
#include "cache_private.h"

#include <apr_errno.h>

#define SECOND INT64_C(1000000)
#define PATIENCE (SECOND / 2) /* a slower call counts as a failed one */
#define PAUSE SECOND          /* time for which an unavailable store is not called */

void as_shared_init(as_shared *shared, const as_store *store)
{
    static const as_store none;
    bool usable = store && store->retrieve && store->store && store->remove;

    shared->store = usable ? *store : none;
    atomic_init(&shared->away, false);
    atomic_init(&shared->reported, false);
    atomic_init(&shared->try_at, 0);
}

/* Returns whether the store may be called. While it is unavailable, one thread may call it after each pause. */
static bool may_call(as_cache *memory, int64_t *begun)
{
    as_shared *shared = &memory->shared;
    int64_t at = atomic_load(&shared->try_at);

    if (!shared->store.retrieve) {
        return false;
    }
    *begun = memory->mono();
    return !atomic_load(&shared->away) ||
           (*begun >= at && atomic_compare_exchange_strong(&shared->try_at, &at, *begun + PAUSE));
}

static void note_away(as_cache *memory)
{
    as_counters_add(memory->counters, AS_COUNTER_store_errors, 1);
    atomic_store(&memory->shared.try_at, memory->mono() + PAUSE);
    atomic_store(&memory->shared.away, true);
}

/* Returns whether the status concerns this record alone. */
static bool is_about_record(apr_status_t status)
{
    return status == APR_EINVAL || status == APR_ENOMEM || status == APR_ENOSPC;
}

/* Updates the state of the store after a call that began at `begun`. APR_NOTFOUND from a read proves nothing:
 * memcache and redis providers return it when all their servers are down. The next call may decide. */
static void judge(as_cache *memory, apr_status_t status, int64_t begun)
{
    as_shared *shared = &memory->shared;

    if (memory->mono() - begun > PATIENCE) {
        note_away(memory);
    } else if (status == APR_SUCCESS) {
        atomic_store(&shared->away, false);
    } else if (status == APR_NOTFOUND) {
        atomic_store(&shared->try_at, 0);
    } else if (is_about_record(status)) {
        as_counters_add(memory->counters, AS_COUNTER_store_errors, 1);
        atomic_store(&shared->try_at, 0);
    } else {
        note_away(memory);
    }
}

as_fetched as_shared_fetch(as_cache *memory, const unsigned char *id, unsigned char data[AS_STORED_MAX],
                           size_t *payload_length, apr_pool_t *pool)
{
    const as_store *store = &memory->shared.store;
    unsigned int length = AS_STORED_MAX;
    apr_status_t status;
    int64_t begun;

    if (!may_call(memory, &begun)) {
        return AS_FETCHED_UNKNOWN;
    }
    status = store->retrieve(store->context, id, AS_HASH_SIZE, data, &length, pool);
    judge(memory, status, begun);
    if (status == APR_SUCCESS) {
        *payload_length = as_record_unseal(memory, id, data, length);
        return *payload_length > 0 ? AS_FETCHED : AS_FETCHED_NONE;
    }
    return status == APR_NOTFOUND || is_about_record(status) ? AS_FETCHED_NONE : AS_FETCHED_UNKNOWN;
}

bool as_shared_keep(as_cache *memory, const unsigned char *id, const unsigned char *payload, size_t length,
                    apr_time_t expiry, apr_pool_t *pool)
{
    const as_store *store = &memory->shared.store;
    unsigned char sealed[AS_STORED_MAX];
    size_t sealed_length = as_record_seal(memory, id, payload, length, sealed);
    apr_status_t status;
    int64_t begun;

    if (sealed_length == 0 || !may_call(memory, &begun)) {
        return false;
    }
    /* Providers take whole seconds, at least one. The time within the record is decisive. */
    status = store->store(store->context, id, AS_HASH_SIZE, expiry + apr_time_from_sec(2), sealed,
                          (unsigned int)sealed_length, pool);
    judge(memory, status == APR_NOTFOUND ? APR_EGENERAL : status, begun);
    return status == APR_SUCCESS;
}

bool as_shared_remove(as_cache *memory, const unsigned char *id, apr_pool_t *pool)
{
    const as_store *store = &memory->shared.store;
    apr_status_t status;
    int64_t begun;

    if (!may_call(memory, &begun)) {
        return false;
    }
    status = store->remove(store->context, id, AS_HASH_SIZE, pool);
    judge(memory, status, begun);
    return status == APR_SUCCESS;
}

bool as_shared_is_configured(const as_cache *memory)
{
    return memory->shared.store.retrieve != NULL;
}

bool as_cache_store_is_down(as_cache *memory, bool *changed)
{
    bool away = atomic_load(&memory->shared.away);

    *changed = atomic_exchange(&memory->shared.reported, away) != away;
    return away;
}
