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
/* A store that takes so long, so many times in a row, is not called but for a probe after each pause, which doubles: a
 * login makes several calls, and would wait for each of them. Memory of this machine is slow only where the whole
 * machine is, and then a directory is slower. */
#define SLOW (SECOND / 10)
#define SLOW_CALLS 3
#define LONGEST_PAUSE (30 * SECOND)

void as_shared_init(as_shared *shared, const as_store *store)
{
    static const as_store none;
    bool usable = store && store->retrieve && store->store && store->remove;

    shared->store = usable ? *store : none;
    atomic_init(&shared->state, AS_STORE_UP);
    atomic_init(&shared->reported, AS_STORE_UP);
    atomic_init(&shared->slow_calls, 0);
    atomic_init(&shared->slow_at, INT64_MIN);
    atomic_init(&shared->pause, PAUSE);
    atomic_init(&shared->try_at, 0);
}

/* Returns whether the store may be called. While it is unavailable or slow, one thread may call it after each pause. */
static bool may_call(as_cache *memory, int64_t *begun)
{
    as_shared *shared = &memory->shared;
    int64_t at = atomic_load(&shared->try_at);

    if (!shared->store.retrieve) {
        return false;
    }
    *begun = memory->mono();
    return atomic_load(&shared->state) == AS_STORE_UP ||
           (*begun >= at && atomic_compare_exchange_strong(&shared->try_at, &at, *begun + atomic_load(&shared->pause)));
}

static void note_down(as_cache *memory)
{
    as_counters_add(memory->counters, AS_COUNTER_store_errors, 1);
    atomic_store(&memory->shared.pause, PAUSE);
    atomic_store(&memory->shared.try_at, memory->mono() + PAUSE);
    atomic_store(&memory->shared.state, AS_STORE_DOWN);
}

/* Records a slow call; overlapping ones count once, as one stall makes them all slow. Returns true if the store is to
 * be skipped. */
static bool note_slow(as_cache *memory, int64_t begun)
{
    as_shared *shared = &memory->shared;
    int64_t pause = PAUSE, last = atomic_load(&shared->slow_at);

    as_counters_add(memory->counters, AS_COUNTER_store_slow, 1);
    if (begun < last || !atomic_compare_exchange_strong(&shared->slow_at, &last, memory->mono())) {
        return atomic_load(&shared->state) == AS_STORE_SLOW;
    }
    if (atomic_fetch_add(&shared->slow_calls, 1) + 1 < SLOW_CALLS) {
        return false;
    }
    if (atomic_load(&shared->state) == AS_STORE_SLOW) {
        pause = 2 * atomic_load(&shared->pause);
        pause = pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE;
    }
    atomic_store(&shared->pause, pause);
    atomic_store(&shared->try_at, memory->mono() + pause);
    atomic_store(&shared->state, AS_STORE_SLOW);
    return true;
}

static void note_up(as_shared *shared)
{
    if (atomic_load(&shared->state) != AS_STORE_UP) {
        atomic_store(&shared->pause, PAUSE);
        atomic_store(&shared->state, AS_STORE_UP);
    }
}

static bool is_slow(const as_shared *shared, int64_t took)
{
    return took > SLOW && !shared->store.is_memory;
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
    const int64_t took = memory->mono() - begun;

    if (took <= SLOW && atomic_load(&shared->slow_calls)) {
        atomic_store(&shared->slow_calls, 0);
    }
    if (took > PATIENCE) {
        note_down(memory);
    } else if (is_slow(shared, took) && (status == APR_SUCCESS || status == APR_NOTFOUND) && note_slow(memory, begun)) {
        return;
    } else if (status == APR_SUCCESS) {
        note_up(shared);
    } else if (status == APR_NOTFOUND) {
        atomic_store(&shared->try_at, 0);
    } else if (is_about_record(status)) {
        as_counters_add(memory->counters, AS_COUNTER_store_errors, 1);
        atomic_store(&shared->try_at, 0);
    } else {
        note_down(memory);
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
    status = store->retrieve(store->context, id, data, &length, pool);
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
    status = store->store(store->context, id, expiry + apr_time_from_sec(2), sealed, (unsigned int)sealed_length, pool);
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
    status = store->remove(store->context, id, pool);
    judge(memory, status, begun);
    return status == APR_SUCCESS;
}

bool as_shared_is_configured(const as_cache *memory)
{
    return memory->shared.store.retrieve != NULL;
}

as_store_state as_cache_get_store_state(as_cache *memory, bool *changed)
{
    const int state = atomic_load(&memory->shared.state);

    *changed = atomic_exchange(&memory->shared.reported, state) != state;
    return (as_store_state)state;
}
