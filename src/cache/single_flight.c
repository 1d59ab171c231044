/* SPDX-License-Identifier: Apache-2.0
 *
 * The same question at the same moment. Who comes first asks; the others wait for that answer, whatever it is. What is
 * held is one journey for each thread that asks, no more.
 */
#include "cache_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Who has no more than that left beyond the leader's deadline takes the leader's outage for his own. */
#define SAME_DEADLINE INT64_C(100000)

/* A question under way. Under its shard's lock, but for what does not change. */
struct as_flight_entry {
    unsigned char id[AS_SIPHASH_SIZE];
    as_flight_entry *next;
    int holders; /* the last one frees it */
    bool ended;
    unsigned char *answer; /* a payload, or NULL; does not change once it has ended */
    size_t length;
    int64_t deadline; /* the leader's */
    pthread_cond_t end;
};

/* One thread's part in it. */
struct as_single_flight {
    as_cache *memory;
    apr_pool_t *pool;
    as_flight_entry *journey; /* NULL: it asks for itself alone, or its part is over */
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

static int shard_of(const unsigned char *id)
{
    return id[0] % AS_SHARDS;
}

static pthread_mutex_t *lock_of(const as_single_flight *flight)
{
    return &flight->memory->flights.locks[shard_of(flight->journey->id)].mutex;
}

static as_flight_entry *journey_create(as_cache *memory, const unsigned char *id, int64_t deadline)
{
    as_flight_entry *journey = calloc(1, sizeof *journey);

    if (journey && pthread_cond_init(&journey->end, &memory->flights.by_monotonic_clock) != 0) {
        free(journey);
        journey = NULL;
    }
    if (journey) {
        memcpy(journey->id, id, AS_SIPHASH_SIZE);
        journey->deadline = deadline;
    }
    return journey;
}

static void journey_free(as_flight_entry *journey)
{
    pthread_cond_destroy(&journey->end);
    free(journey->answer);
    free(journey);
}

/* The journey of that id; `own` becomes it if there is none. */
static as_flight_entry *join(as_single_flights *flights, as_flight_entry *own)
{
    int shard = shard_of(own->id);
    as_flight_entry *journey;

    pthread_mutex_lock(&flights->locks[shard].mutex);
    journey = flights->under_way[shard];
    while (journey && memcmp(journey->id, own->id, AS_SIPHASH_SIZE) != 0) {
        journey = journey->next;
    }
    if (!journey) {
        own->next = flights->under_way[shard];
        flights->under_way[shard] = journey = own;
    }
    journey->holders++;
    pthread_mutex_unlock(&flights->locks[shard].mutex);
    return journey;
}

/* No longer to be found, so that who comes now asks anew; all that wait are released. Under the lock. */
static void end_journey(as_single_flight *flight, unsigned char *answer, size_t length)
{
    as_flight_entry *journey = flight->journey;
    as_flight_entry **link = &flight->memory->flights.under_way[shard_of(journey->id)];

    while (*link != journey) {
        link = &(*link)->next;
    }
    *link = journey->next;
    journey->answer = answer;
    journey->length = length;
    journey->ended = true;
    pthread_cond_broadcast(&journey->end);
}

/* This thread's part is over. */
static void leave(as_single_flight *flight, unsigned char *answer, size_t length)
{
    as_flight_entry *journey = flight->journey;
    pthread_mutex_t *lock = lock_of(flight);
    bool last;

    pthread_mutex_lock(lock);
    if (flight->leads) {
        end_journey(flight, answer, length);
    }
    last = --journey->holders == 0;
    pthread_mutex_unlock(lock);
    if (last) {
        journey_free(journey);
    }
    flight->journey = NULL;
}

static apr_status_t forgotten(void *data)
{
    as_single_flight *flight = data;

    if (flight->journey) {
        leave(flight, NULL, 0);
    }
    return APR_SUCCESS;
}

as_single_flight *as_single_flight_begin(as_cache *memory, const as_cache_key *subject, as_mono deadline,
                                         apr_pool_t *pool, bool *leads)
{
    as_single_flight *flight = apr_pcalloc(pool, sizeof *flight);
    as_hashes hashes;
    const unsigned char *id = as_hash_of(memory, subject, as_hashes_of(subject, &hashes), AS_HASH_SECRET);
    as_flight_entry *own;

    *flight = (as_single_flight){.memory = memory, .pool = pool, .leads = true};
    flight->deadline = deadline;
    *leads = true;
    own = id ? journey_create(memory, id, flight->deadline) : NULL;
    if (!own) {
        return flight;
    }
    flight->journey = join(&memory->flights, own);
    *leads = flight->leads = flight->journey == own;
    if (!flight->leads) {
        journey_free(own);
    }
    apr_pool_cleanup_register(pool, flight, forgotten, apr_pool_cleanup_null);
    return flight;
}

/* True if the journey ended in time. */
static bool wait_for_end(as_single_flight *flight)
{
    as_flight_entry *journey = flight->journey;
    struct timespec at = {.tv_sec = (time_t)(flight->deadline / 1000000),
                          .tv_nsec = (long)(flight->deadline % 1000000) * 1000};
    bool ended;

    pthread_mutex_lock(lock_of(flight));
    while (!journey->ended && flight->memory->mono() < flight->deadline) {
        pthread_cond_timedwait(&journey->end, lock_of(flight), &at);
    }
    ended = journey->ended;
    pthread_mutex_unlock(lock_of(flight));
    return ended;
}

/* Is what the leader was told true for this one as well? */
static bool is_for(const as_single_flight *flight, const as_cached_answer *answer)
{
    return as_outcome_describe(answer->finding.outcome)->of != AS_CLASS_UNAVAILABLE ||
           flight->deadline <= flight->journey->deadline + SAME_DEADLINE;
}

static bool take_answer(const as_single_flight *flight, apr_pool_t *pool, as_cached_answer *answer)
{
    const as_flight_entry *journey = flight->journey;
    as_moment now = as_moment_at(flight->memory, apr_time_now());
    unsigned char *payload;
    as_record record;

    if (!journey->answer) {
        return false;
    }
    payload = apr_palloc(pool, journey->length);
    memcpy(payload, journey->answer, journey->length);
    if (!as_record_parse(flight->memory, payload, journey->length, now, pool, &record) ||
        !is_for(flight, &record.answer)) {
        return false;
    }
    *answer = record.answer;
    return true;
}

as_waited as_single_flight_wait(as_single_flight *flight, apr_pool_t *pool, as_cached_answer *answer)
{
    as_waited waited = AS_WAITED_NOTHING;

    if (!flight->journey || flight->leads) {
        return waited;
    }
    if (!wait_for_end(flight)) {
        waited = AS_WAITED_DEADLINE;
    } else if (take_answer(flight, pool, answer)) {
        waited = AS_WAITED_ANSWER;
        as_counters_add(flight->memory->counters, AS_COUNTER_cache_joined, 1);
    }
    apr_pool_cleanup_run(flight->pool, flight, forgotten);
    return waited;
}

void as_single_flight_end(as_single_flight *flight, const as_cached_answer *answer)
{
    as_record record = {.kind = AS_RECORD_FLIGHT};
    unsigned char *payload = NULL;
    size_t length = 0;

    if (!flight->journey || !flight->leads) {
        return;
    }
    if (answer) {
        record.born = as_moment_at(flight->memory, apr_time_now());
        record.answer = *answer;
        payload = as_record_encode(flight->memory, &record, &length);
    }
    apr_pool_cleanup_kill(flight->pool, flight, forgotten);
    leave(flight, payload, length);
}
