/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters and generations in shared memory. Where a 64-bit atomic needs a lock (some 32-bit machines) processes do
 * not share that lock, and a count may be lost; generations have 32 bits, and are exact everywhere.
 */
#include "cache_private.h"

#include <unistd.h>

#include "core/hash.h"

/* So many that few of some ten thousand users share one: a login of one of them would send the others to the store, and
 * where the store has lost them, to the directory, whose answer sends others there. A megabyte, touched as it is used.
 */
#define GENERATIONS (1 << 18)

/* Counts are kept per half minute: ten of them make five minutes, the others are reserve for a process that lags. */
#define SPAN INT64_C(30000000) /* microseconds */
#define LATELY 10
#define SPANS 12

typedef struct as_span {
    _Atomic int64_t number; /* of half minutes of the machine's monotonic clock */
    _Atomic uint32_t outcomes[AS_OUTCOME_COUNT];
} as_span;

/* Counts are split into parts on separate cache lines; each thread uses one part, so that processors do not contend
 * for a line. A reader sums up the parts. */
#define PARTS 64

typedef struct as_part {
    _Alignas(64) as_span spans[SPANS];
    _Atomic uint64_t outcomes[AS_OUTCOME_COUNT];
    _Atomic uint64_t counts[AS_COUNTER_COUNT];
} as_part;

struct as_counters {
    _Alignas(64) _Atomic int64_t since;
    as_part parts[PARTS];
    char apart[64]; /* every hit reads a generation: keep them off the lines that every outcome writes */
    _Atomic uint32_t generations[GENERATIONS];
};

size_t as_counters_get_size(void)
{
    return sizeof(as_counters) + 64;
}

/* Aligns the counters: shared memory is aligned only as malloc aligns. */
static as_counters *align(const as_counters *counters)
{
    return (as_counters *)(((uintptr_t)counters + 63) & ~(uintptr_t)63);
}

/* Returns the part of this thread. Threads take parts in turn; each process starts at a part of its own. */
static AS_HOT as_part *get_part(as_counters *counters)
{
    static _Atomic unsigned threads;
    static _Thread_local unsigned mine; /* from 1 on; 0: not chosen yet */

    if (mine == 0) {
        mine = ((unsigned)getpid() * 7 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed)) % PARTS + 1;
    }
    return &align(counters)->parts[mine - 1];
}

uint64_t as_counters_hash_layout(void)
{
    uint64_t order = as_outcome_hash_order();

#define AS_COUNTER(name, help) order = as_hash_text(order, #name);
    AS_COUNTER_LIST(AS_COUNTER)
#undef AS_COUNTER
    return order + AS_COUNTERS_LAYOUT;
}

/* Begins a half minute: the first thread in it clears the slot of an expired one. */
static AS_RARELY void begin_span(as_span *span, int64_t was, int64_t number)
{
    if (atomic_compare_exchange_strong_explicit(&span->number, &was, number, memory_order_relaxed,
                                                memory_order_relaxed)) {
        for (size_t i = 0; i < AS_OUTCOME_COUNT; i++) {
            atomic_store_explicit(&span->outcomes[i], 0, memory_order_relaxed);
        }
    }
}

/* Counts an outcome in the current half minute. */
static inline void count_lately(as_part *part, as_outcome outcome, int64_t now)
{
    const int64_t number = now / SPAN;
    as_span *span = &part->spans[number % SPANS];
    int64_t was = atomic_load_explicit(&span->number, memory_order_relaxed);

    if (was != number) {
        begin_span(span, was, number);
    }
    atomic_fetch_add_explicit(&span->outcomes[outcome], 1, memory_order_relaxed);
}

static inline void count_outcome(as_part *part, as_outcome outcome, int64_t now)
{
    atomic_fetch_add_explicit(&part->outcomes[outcome], 1, memory_order_relaxed);
    count_lately(part, outcome, now);
}

AS_HOT void as_counters_count_cached_outcome(as_counters *counters, as_outcome outcome, int64_t now)
{
    if (counters && (unsigned)outcome < AS_OUTCOME_COUNT) {
        as_part *part = get_part(counters);
        atomic_fetch_add_explicit(&part->counts[AS_COUNTER_cache_hits], 1, memory_order_relaxed);
        count_outcome(part, outcome, now);
    }
}

void as_counters_count_outcome(as_counters *counters, as_outcome outcome)
{
    if (counters && (unsigned)outcome < AS_OUTCOME_COUNT) {
        count_outcome(get_part(counters), outcome, as_clock_read_mono());
    }
}

apr_uint64_t as_counters_get_recent(const as_counters *counters, as_outcome outcome, apr_interval_time_t *within)
{
    const int64_t now = as_clock_read_mono(), number = now / SPAN;
    uint64_t sum = 0;

    *within = (LATELY - 1) * SPAN + now % SPAN;
    for (size_t i = 0; counters && (unsigned)outcome < AS_OUTCOME_COUNT && i < (size_t)PARTS * SPANS; i++) {
        const as_span *span = &align(counters)->parts[i / SPANS].spans[i % SPANS];
        int64_t age = number - atomic_load_explicit(&span->number, memory_order_relaxed);

        if (age >= 0 && age < LATELY) {
            sum += atomic_load_explicit(&span->outcomes[outcome], memory_order_relaxed);
        }
    }
    return sum;
}

void as_counters_begin(as_counters *counters, apr_time_t now)
{
    atomic_store_explicit(&align(counters)->since, now, memory_order_relaxed);
}

apr_time_t as_counters_get_start(const as_counters *counters)
{
    return counters ? atomic_load_explicit(&align(counters)->since, memory_order_relaxed) : 0;
}

void as_counters_add(as_counters *counters, as_counter counter, unsigned long by)
{
    if (counters && (unsigned)counter < AS_COUNTER_COUNT) {
        atomic_fetch_add_explicit(&get_part(counters)->counts[counter], by, memory_order_relaxed);
    }
}

apr_uint64_t as_counters_get_outcome(const as_counters *counters, as_outcome outcome)
{
    uint64_t sum = 0;

    for (size_t i = 0; counters && (unsigned)outcome < AS_OUTCOME_COUNT && i < PARTS; i++) {
        sum += atomic_load_explicit(&align(counters)->parts[i].outcomes[outcome], memory_order_relaxed);
    }
    return sum;
}

apr_uint64_t as_counters_get(const as_counters *counters, as_counter counter)
{
    uint64_t sum = 0;

    for (size_t i = 0; counters && (unsigned)counter < AS_COUNTER_COUNT && i < PARTS; i++) {
        sum += atomic_load_explicit(&align(counters)->parts[i].counts[counter], memory_order_relaxed);
    }
    return sum;
}

const char *as_counter_get_name(as_counter counter)
{
    static const char *const names[] = {
#define AS_COUNTER(name, help) #name,
        AS_COUNTER_LIST(AS_COUNTER)
#undef AS_COUNTER
    };

    return (unsigned)counter < AS_COUNTER_COUNT ? names[counter] : "";
}

const char *as_counter_get_help(as_counter counter)
{
    static const char *const help[] = {
#define AS_COUNTER(name, help) help,
        AS_COUNTER_LIST(AS_COUNTER)
#undef AS_COUNTER
    };

    return (unsigned)counter < AS_COUNTER_COUNT ? help[counter] : "";
}

uint32_t as_generation_choose_index(const unsigned char *acceptance_id)
{
    return (uint32_t)as_get_number(acceptance_id, 4) % GENERATIONS;
}

AS_HOT uint32_t as_generation_get(const as_counters *counters, uint32_t generation_index)
{
    return counters ? atomic_load_explicit(&align(counters)->generations[generation_index], memory_order_acquire) : 0;
}

uint32_t as_generation_advance(as_counters *counters, uint32_t generation_index)
{
    if (!counters) {
        return 0;
    }
    return 1 + atomic_fetch_add_explicit(&align(counters)->generations[generation_index], 1, memory_order_acq_rel);
}
