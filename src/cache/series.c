/* SPDX-License-Identifier: Apache-2.0
 *
 * Rings of samples of the counters. What the counters said at the last sample is in the memory too, and advanced by a
 * compare-and-swap: of concurrent samplers, each adds what the others have not.
 */
#include "cache_private.h"

#include "authstatus/series.h"
#include "core/hash.h"

/* A server in a slot. The server itself has the same index in as_series. */
typedef struct as_series_cell {
    _Atomic uint32_t questions;
    _Atomic uint32_t measured; /* samples that knew a latency */
    _Atomic uint32_t open;     /* samples that found an open circuit breaker */
    _Atomic uint64_t latency;  /* sum of the samples, in microseconds */
} as_series_cell;

typedef struct as_series_slot {
    _Atomic int64_t number; /* of minutes, or quarters of an hour, since 1970; 0: none */
    _Atomic uint32_t classes[AS_CLASS_COUNT];
    _Atomic uint32_t counters[AS_SERIES_COUNTERS];
    as_series_cell servers[AS_SERIES_SERVERS];
} as_series_slot;

/* The state of a server besides its cells. */
typedef struct as_series_server_state {
    _Atomic uint64_t id; /* hash of "host:port"; 0: free */
    _Atomic uint64_t questions;
    _Atomic int64_t sampled;
} as_series_server_state;

struct as_series {
    _Atomic uint64_t samples;
    _Atomic uint32_t epoch;
    _Atomic uint64_t classes[AS_CLASS_COUNT]; /* at the last sample */
    _Atomic uint64_t counters[AS_SERIES_COUNTERS];
    as_series_server_state servers[AS_SERIES_SERVERS];
    as_series_slot hour[AS_SERIES_HOUR_SLOTS];
    as_series_slot day[AS_SERIES_DAY_SLOTS];
};

size_t as_series_get_size(void)
{
    return sizeof(as_series);
}

const char *as_series_get_counter_name(as_series_counter counter)
{
    static const char *const names[] = {
#define AS_SERIES_COUNTER(name) #name,
        AS_SERIES_COUNTER_LIST(AS_SERIES_COUNTER)
#undef AS_SERIES_COUNTER
    };

    return (unsigned)counter < AS_SERIES_COUNTERS ? names[counter] : "";
}

uint64_t as_series_hash_layout(void)
{
    uint64_t order = as_counters_hash_layout();

    for (int i = 0; i < AS_CLASS_COUNT; i++) {
        order = as_hash_text(order, as_class_describe((as_class)i)->name);
    }
    for (int i = 0; i < AS_SERIES_COUNTERS; i++) {
        order = as_hash_text(order, as_series_get_counter_name((as_series_counter)i));
    }
    return order + AS_SERIES_LAYOUT;
}

int as_series_get_slots(as_series_ring ring)
{
    return ring == AS_SERIES_HOUR ? AS_SERIES_HOUR_SLOTS : AS_SERIES_DAY_SLOTS;
}

int as_series_get_step(as_series_ring ring)
{
    return ring == AS_SERIES_HOUR ? 60 : 15 * 60;
}

static uint64_t read_counter(const as_counters *counters, int which)
{
    static const as_counter from[] = {
#define AS_SERIES_COUNTER(name) AS_COUNTER_##name,
        AS_SERIES_COUNTER_LIST(AS_SERIES_COUNTER)
#undef AS_SERIES_COUNTER
    };

    return as_counters_get(counters, from[which]);
}

static void sum_classes(const as_counters *counters, uint64_t sums[AS_CLASS_COUNT])
{
    memset(sums, 0, AS_CLASS_COUNT * sizeof *sums);
    for (int i = 0; i < AS_OUTCOME_COUNT; i++) {
        sums[as_outcome_describe((as_outcome)i)->of] += as_counters_get_outcome(counters, (as_outcome)i);
    }
}

/* ---- slots ---- */

static const as_series_slot *get_ring(const as_series *series, as_series_ring ring)
{
    return ring == AS_SERIES_HOUR ? series->hour : series->day;
}

static void clear_cell(as_series_cell *cell)
{
    atomic_store(&cell->questions, 0);
    atomic_store(&cell->measured, 0);
    atomic_store(&cell->open, 0);
    atomic_store(&cell->latency, 0);
}

static void clear_series_slot(as_series_slot *bin)
{
    for (int i = 0; i < AS_CLASS_COUNT; i++) {
        atomic_store(&bin->classes[i], 0);
    }
    for (int i = 0; i < AS_SERIES_COUNTERS; i++) {
        atomic_store(&bin->counters[i], 0);
    }
    for (int i = 0; i < AS_SERIES_SERVERS; i++) {
        clear_cell(&bin->servers[i]);
    }
}

static int64_t count_slots(as_series_ring ring, int64_t now)
{
    return now > 0 ? now / as_series_get_step(ring) : 0;
}

/* Returns the slot of `now`, emptied by the first who comes if it is of another time. */
static as_series_slot *open_slot(as_series *series, as_series_ring ring, int64_t now)
{
    const int64_t number = count_slots(ring, now);
    as_series_slot *bin = (ring == AS_SERIES_HOUR ? series->hour : series->day) + number % as_series_get_slots(ring);
    int64_t was = atomic_load(&bin->number);

    if (was != number && atomic_compare_exchange_strong(&bin->number, &was, number)) {
        clear_series_slot(bin);
    }
    return bin;
}

/* The slot of that age; NULL: nothing was sampled then. */
static const as_series_slot *find_slot(const as_series *series, as_series_ring ring, int age, int64_t now)
{
    const int64_t number = count_slots(ring, now) - age;
    const as_series_slot *bin;

    if (!series || age < 0 || age >= as_series_get_slots(ring) || number <= 0) {
        return NULL;
    }
    bin = &get_ring(series, ring)[number % as_series_get_slots(ring)];
    return atomic_load(&bin->number) == number ? bin : NULL;
}

/* ---- servers ---- */

static uint64_t hash_server(const char *server)
{
    const uint64_t hash = as_hash_text(AS_HASH, server);

    return hash ? hash : 1;
}

static int find_server(const as_series *series, uint64_t id)
{
    for (int i = 0; i < AS_SERIES_SERVERS; i++) {
        if (atomic_load(&series->servers[i].id) == id) {
            return i;
        }
    }
    return -1;
}

/* Returns a free index, or that of the server whose last sample is oldest. -1: two samplers wanted it, or each was
 * sampled at this moment. */
static int claim_server(as_series *series, uint64_t id, int64_t now)
{
    int oldest = 0;
    uint64_t was;

    for (int i = 0; i < AS_SERIES_SERVERS; i++) {
        was = 0;
        if (atomic_compare_exchange_strong(&series->servers[i].id, &was, id) || was == id) {
            return i;
        }
        if (atomic_load(&series->servers[i].sampled) < atomic_load(&series->servers[oldest].sampled)) {
            oldest = i;
        }
    }
    was = atomic_load(&series->servers[oldest].id);
    if (now - atomic_load(&series->servers[oldest].sampled) < as_series_get_step(AS_SERIES_DAY) ||
        !atomic_compare_exchange_strong(&series->servers[oldest].id, &was, id)) {
        return -1;
    }
    atomic_store(&series->servers[oldest].questions, 0);
    for (int i = 0; i < AS_SERIES_HOUR_SLOTS; i++) {
        clear_cell(&series->hour[i].servers[oldest]);
    }
    for (int i = 0; i < AS_SERIES_DAY_SLOTS; i++) {
        clear_cell(&series->day[i].servers[oldest]);
    }
    return oldest;
}

/* ---- samples ---- */

/* Advances what was last seen of a counter; returns by how much. 0: another sampler has seen more. */
static uint32_t advance(_Atomic uint64_t *last, uint64_t value)
{
    uint64_t was = atomic_load(last);

    while (was < value) {
        if (atomic_compare_exchange_weak(last, &was, value)) {
            return (uint32_t)(value - was);
        }
    }
    return 0;
}

static void add_to_cell(as_series_cell *cell, uint32_t questions, const as_series_server *server)
{
    atomic_fetch_add(&cell->questions, questions);
    if (questions && server->latency > 0) {
        atomic_fetch_add(&cell->latency, (uint64_t)server->latency);
        atomic_fetch_add(&cell->measured, 1);
    }
    if (server->circuit_open) {
        atomic_fetch_add(&cell->open, 1);
    }
}

static void sample_server(as_series *series, const as_series_server *server, as_series_slot *minute,
                          as_series_slot *quarter, int64_t now)
{
    const uint64_t id = hash_server(server->server);
    int index = find_server(series, id);
    uint32_t questions;

    if (index < 0) {
        index = claim_server(series, id, now);
    }
    if (index < 0) {
        return;
    }
    atomic_store(&series->servers[index].sampled, now);
    questions = advance(&series->servers[index].questions, server->questions);
    add_to_cell(&minute->servers[index], questions, server);
    add_to_cell(&quarter->servers[index], questions, server);
}

uint32_t as_series_begin(as_series *series, const as_counters *counters, bool is_new)
{
    for (int i = 0; i < AS_SERIES_SERVERS; i++) {
        atomic_store(&series->servers[i].questions, 0);
    }
    if (is_new) {
        uint64_t sums[AS_CLASS_COUNT];

        sum_classes(counters, sums);
        for (int i = 0; i < AS_CLASS_COUNT; i++) {
            atomic_store(&series->classes[i], sums[i]);
        }
        for (int i = 0; i < AS_SERIES_COUNTERS; i++) {
            atomic_store(&series->counters[i], read_counter(counters, i));
        }
    }
    return atomic_fetch_add(&series->epoch, 1) + 1;
}

void as_series_sample(as_series *series, const as_counters *counters, const as_series_server *servers, int count,
                      uint32_t epoch, int64_t now)
{
    uint64_t sums[AS_CLASS_COUNT];
    as_series_slot *minute, *quarter;

    if (!series || !counters || now <= 0) {
        return;
    }
    minute = open_slot(series, AS_SERIES_HOUR, now);
    quarter = open_slot(series, AS_SERIES_DAY, now);
    sum_classes(counters, sums);
    for (int i = 0; i < AS_CLASS_COUNT; i++) {
        const uint32_t more = advance(&series->classes[i], sums[i]);

        atomic_fetch_add(&minute->classes[i], more);
        atomic_fetch_add(&quarter->classes[i], more);
    }
    for (int i = 0; i < AS_SERIES_COUNTERS; i++) {
        const uint32_t more = advance(&series->counters[i], read_counter(counters, i));

        atomic_fetch_add(&minute->counters[i], more);
        atomic_fetch_add(&quarter->counters[i], more);
    }
    for (int i = 0; i < count && epoch == atomic_load(&series->epoch); i++) {
        sample_server(series, &servers[i], minute, quarter, now);
    }
    atomic_fetch_add(&series->samples, 1);
}

uint64_t as_series_get_samples(const as_series *series)
{
    return series ? atomic_load(&series->samples) : 0;
}

/* ---- reading ---- */

bool as_series_read(const as_series *series, as_series_ring ring, int age, int64_t now, as_series_point *point)
{
    const as_series_slot *bin = find_slot(series, ring, age, now);

    memset(point, 0, sizeof *point);
    point->begins = (count_slots(ring, now) - age) * as_series_get_step(ring);
    for (int i = 0; bin && i < AS_CLASS_COUNT; i++) {
        point->classes[i] = atomic_load(&bin->classes[i]);
    }
    for (int i = 0; bin && i < AS_SERIES_COUNTERS; i++) {
        point->counters[i] = atomic_load(&bin->counters[i]);
    }
    return bin != NULL;
}

bool as_series_read_server(const as_series *series, as_series_ring ring, int age, int64_t now, const char *server,
                           as_series_server_point *point)
{
    const as_series_slot *bin = find_slot(series, ring, age, now);
    const int index = bin ? find_server(series, hash_server(server)) : -1;
    const as_series_cell *cell;
    uint32_t measured;

    memset(point, 0, sizeof *point);
    if (index < 0) {
        return false;
    }
    cell = &bin->servers[index];
    measured = atomic_load(&cell->measured);
    point->questions = atomic_load(&cell->questions);
    point->latency = measured ? (int64_t)(atomic_load(&cell->latency) / measured) : 0;
    point->circuit_open = atomic_load(&cell->open) > 0;
    return true;
}
