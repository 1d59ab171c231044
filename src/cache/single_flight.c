/* SPDX-License-Identifier: Apache-2.0
 *
 * Single flight: coalesces identical queries. The first thread leads and queries; the others wait for its answer,
 * whatever it is. Memory is bounded by one entry for each querying thread.
 */
#include "cache_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A follower with no more than this left after the leader's deadline takes the leader's outage as its own. */
#define SAME_DEADLINE INT64_C(100000)

/* A query in progress. Mutable members are under the lock of its shard. */
struct as_flight_entry {
    unsigned char id[AS_SIPHASH_SIZE];
    as_flight_entry *next;
    int holders; /* the last one frees it */
    bool ended;
    unsigned char *answer; /* a payload, or NULL; immutable once `ended` is set */
    size_t length;
    int64_t deadline; /* of the leader */
    pthread_cond_t end;
};

/* One thread's part in a flight. */
struct as_single_flight {
    as_cache *memory;
    apr_pool_t *pool;
    as_flight_entry *entry; /* NULL: the thread queries for itself alone, or its part is over */
    int64_t deadline;
    bool leads;
};

bool as_single_flights_create(as_single_flights *flights)
{
    if (pthread_condattr_init(&flights->by_monotonic_clock) != 0) {
        return false;
    }
    if (pthread_condattr_setclock(&flights->by_monotonic_clock, CLOCK_MONOTONIC) != 0) {
        pthread_condattr_destroy(&flights->by_monotonic_clock);
        return false;
    }
    for (int i = 0; i < AS_SHARDS; i++) {
        pthread_mutex_init(&flights->locks[i].mutex, NULL);
    }
    return true;
}

void as_single_flights_destroy(as_single_flights *flights)
{
    for (int i = 0; i < AS_SHARDS; i++) {
        pthread_mutex_destroy(&flights->locks[i].mutex);
    }
    pthread_condattr_destroy(&flights->by_monotonic_clock);
}

static int choose_shard(const unsigned char *id)
{
    return id[0] % AS_SHARDS;
}

static pthread_mutex_t *get_lock(const as_single_flight *flight)
{
    return &flight->memory->flights.locks[choose_shard(flight->entry->id)].mutex;
}

static as_flight_entry *create_entry(as_cache *memory, const unsigned char *id, int64_t deadline)
{
    as_flight_entry *entry = calloc(1, sizeof *entry);

    if (entry && pthread_cond_init(&entry->end, &memory->flights.by_monotonic_clock) != 0) {
        free(entry);
        entry = NULL;
    }
    if (entry) {
        memcpy(entry->id, id, AS_SIPHASH_SIZE);
        entry->deadline = deadline;
    }
    return entry;
}

static void free_entry(as_flight_entry *entry)
{
    pthread_cond_destroy(&entry->end);
    free(entry->answer);
    free(entry);
}

/* Returns the entry with the id of `own`, inserting `own` if there is none. */
static as_flight_entry *join(as_single_flights *flights, as_flight_entry *own)
{
    int shard = choose_shard(own->id);
    as_flight_entry *entry;

    pthread_mutex_lock(&flights->locks[shard].mutex);
    entry = flights->under_way[shard];
    while (entry && memcmp(entry->id, own->id, AS_SIPHASH_SIZE) != 0) {
        entry = entry->next;
    }
    if (!entry) {
        own->next = flights->under_way[shard];
        flights->under_way[shard] = entry = own;
    }
    entry->holders++;
    pthread_mutex_unlock(&flights->locks[shard].mutex);
    return entry;
}

/* Removes the entry, so that later threads query anew, and wakes all that wait. Under the lock. */
static void complete_entry(as_single_flight *flight, unsigned char *answer, size_t length)
{
    as_flight_entry *entry = flight->entry;
    as_flight_entry **link = &flight->memory->flights.under_way[choose_shard(entry->id)];

    while (*link != entry) {
        link = &(*link)->next;
    }
    *link = entry->next;
    entry->answer = answer;
    entry->length = length;
    entry->ended = true;
    pthread_cond_broadcast(&entry->end);
}

/* Ends this thread's part. */
static void leave(as_single_flight *flight, unsigned char *answer, size_t length)
{
    as_flight_entry *entry = flight->entry;
    pthread_mutex_t *lock = get_lock(flight);
    bool last;

    pthread_mutex_lock(lock);
    if (flight->leads) {
        complete_entry(flight, answer, length);
    }
    last = --entry->holders == 0;
    pthread_mutex_unlock(lock);
    if (last) {
        free_entry(entry);
    }
    flight->entry = NULL;
}

static apr_status_t end_forgotten(void *data)
{
    as_single_flight *flight = data;

    if (flight->entry) {
        leave(flight, NULL, 0);
    }
    return APR_SUCCESS;
}

as_single_flight *as_single_flight_begin(as_cache *memory, const as_cache_key *key, as_mono deadline, apr_pool_t *pool,
                                         bool *leads)
{
    as_single_flight *flight = apr_pcalloc(pool, sizeof *flight);
    as_hashes hashes;
    const unsigned char *id = as_hash_get(memory, key, as_hashes_choose(key, &hashes), AS_HASH_SECRET);
    as_flight_entry *own;

    *flight = (as_single_flight){.memory = memory, .pool = pool, .leads = true};
    flight->deadline = deadline;
    *leads = true;
    own = id ? create_entry(memory, id, flight->deadline) : NULL;
    if (!own) {
        return flight;
    }
    flight->entry = join(&memory->flights, own);
    *leads = flight->leads = flight->entry == own;
    if (!flight->leads) {
        free_entry(own);
    }
    apr_pool_cleanup_register(pool, flight, end_forgotten, apr_pool_cleanup_null);
    return flight;
}

/* Waits for the end of the flight. Returns true if it ended in time. */
static bool wait_for_end(as_single_flight *flight)
{
    as_flight_entry *entry = flight->entry;
    struct timespec at = {.tv_sec = (time_t)(flight->deadline / 1000000),
                          .tv_nsec = (long)(flight->deadline % 1000000) * 1000};
    bool ended;

    pthread_mutex_lock(get_lock(flight));
    while (!entry->ended && flight->memory->mono() < flight->deadline) {
        pthread_cond_timedwait(&entry->end, get_lock(flight), &at);
    }
    ended = entry->ended;
    pthread_mutex_unlock(get_lock(flight));
    return ended;
}

/* Returns whether the leader's answer is valid for this thread as well. A throttle is the leader's client's, or its
 * section's. */
static bool is_valid_for(const as_single_flight *flight, const as_cached_answer *answer)
{
    const as_class of = as_outcome_describe(answer->finding.outcome)->of;

    return of != AS_CLASS_THROTTLED &&
           (of != AS_CLASS_UNAVAILABLE || flight->deadline <= flight->entry->deadline + SAME_DEADLINE);
}

static bool take_answer(const as_single_flight *flight, apr_pool_t *pool, as_cached_answer *answer)
{
    const as_flight_entry *entry = flight->entry;
    as_moment now = as_moment_make(flight->memory, apr_time_now());
    unsigned char *payload;
    as_record record;

    if (!entry->answer) {
        return false;
    }
    payload = apr_palloc(pool, entry->length);
    memcpy(payload, entry->answer, entry->length);
    if (!as_record_parse(flight->memory, payload, entry->length, now, pool, &record) ||
        !is_valid_for(flight, &record.answer)) {
        return false;
    }
    *answer = record.answer;
    return true;
}

as_waited as_single_flight_wait(as_single_flight *flight, apr_pool_t *pool, as_cached_answer *answer)
{
    as_waited waited = AS_WAITED_NOTHING;

    if (!flight->entry || flight->leads) {
        return waited;
    }
    if (!wait_for_end(flight)) {
        waited = AS_WAITED_DEADLINE;
    } else if (take_answer(flight, pool, answer)) {
        waited = AS_WAITED_ANSWER;
        as_counters_add(flight->memory->counters, AS_COUNTER_cache_coalesced, 1);
    }
    apr_pool_cleanup_run(flight->pool, flight, end_forgotten);
    return waited;
}

void as_single_flight_end(as_single_flight *flight, const as_cached_answer *answer)
{
    as_record record = {.kind = AS_RECORD_FLIGHT};
    unsigned char *payload = NULL;
    size_t length = 0;

    if (!flight->entry || !flight->leads) {
        return;
    }
    if (answer) {
        record.born = as_moment_make(flight->memory, apr_time_now());
        record.answer = *answer;
        payload = as_record_encode(flight->memory, &record, &length);
    }
    apr_pool_cleanup_kill(flight->pool, flight, end_forgotten);
    leave(flight, payload, length);
}
