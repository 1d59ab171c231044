/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters and generations in shared memory. Where an atomic of 64 bits needs a lock (some 32-bit machines) processes
 * do not share that lock, and a count may be lost; generations are of 32 bits, and exact everywhere.
 */
#include "memory_private.h"

#define GENERATIONS 4096

struct as_counters {
    _Atomic uint64_t outcomes[AS_OUTCOME_COUNT];
    _Atomic uint64_t counts[AS_COUNTER_COUNT];
    char apart[64]; /* generations are read by every hit: not on a line that every outcome writes */
    _Atomic uint32_t generations[GENERATIONS];
};

size_t as_counters_size(void)
{
    return sizeof(as_counters);
}

void as_counters_outcome(as_counters *counters, as_outcome outcome)
{
    if (counters && (unsigned)outcome < AS_OUTCOME_COUNT) {
        atomic_fetch_add_explicit(&counters->outcomes[outcome], 1, memory_order_relaxed);
    }
}

void as_counters_add(as_counters *counters, as_counter counter, unsigned long by)
{
    if (counters && (unsigned)counter < AS_COUNTER_COUNT) {
        atomic_fetch_add_explicit(&counters->counts[counter], by, memory_order_relaxed);
    }
}

apr_uint64_t as_counters_of_outcome(const as_counters *counters, as_outcome outcome)
{
    if (!counters || (unsigned)outcome >= AS_OUTCOME_COUNT) {
        return 0;
    }
    return atomic_load_explicit(&counters->outcomes[outcome], memory_order_relaxed);
}

apr_uint64_t as_counters_of(const as_counters *counters, as_counter counter)
{
    if (!counters || (unsigned)counter >= AS_COUNTER_COUNT) {
        return 0;
    }
    return atomic_load_explicit(&counters->counts[counter], memory_order_relaxed);
}

const char *as_counter_help(as_counter counter)
{
    static const char *const help[] = {
#define AS_COUNTER(name, help) help,
        AS_COUNTER_LIST(AS_COUNTER)
#undef AS_COUNTER
    };

    return (unsigned)counter < AS_COUNTER_COUNT ? help[counter] : "";
}

static size_t place_of(const unsigned char *acceptance_id)
{
    /* Other octets than a table's set is found by: users of one set do not share a generation. */
    return as_get_number(acceptance_id + 8, 4) % GENERATIONS;
}

uint32_t as_generation(const as_counters *counters, const unsigned char *acceptance_id)
{
    return counters ? atomic_load_explicit(&counters->generations[place_of(acceptance_id)], memory_order_acquire) : 0;
}

uint32_t as_generation_next(as_counters *counters, const unsigned char *acceptance_id)
{
    if (!counters) {
        return 0;
    }
    return 1 + atomic_fetch_add_explicit(&counters->generations[place_of(acceptance_id)], 1, memory_order_acq_rel);
}
