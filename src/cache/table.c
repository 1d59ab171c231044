/* SPDX-License-Identifier: Apache-2.0
 *
 * What a process remembers: a fixed number of slots, each with a payload of bounded size. Under a lock at most one
 * payload is copied; none is made or freed.
 */
#include "cache_private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

bool as_table_create(as_table *table, int entries)
{
    size_t wanted = entries > 0 ? (size_t)entries : 0;

    table->ways = wanted < AS_WAYS ? wanted : AS_WAYS;
    table->sets = wanted == 0 ? 0 : wanted / table->ways;
    table->slots = NULL;
    if (table->sets == 0) {
        return true;
    }
    /* Pages of slots that are not used yet cost nothing. */
    table->slots = calloc(table->sets * table->ways, sizeof *table->slots);
    for (int i = 0; table->slots && i < AS_SHARDS; i++) {
        pthread_mutex_init(&table->locks[i].mutex, NULL);
    }
    return table->slots != NULL;
}

void as_table_destroy(as_table *table)
{
    if (!table->slots) {
        return;
    }
    for (size_t i = 0; i < table->sets * table->ways; i++) {
        free(table->slots[i].payload);
    }
    for (int i = 0; i < AS_SHARDS; i++) {
        pthread_mutex_destroy(&table->locks[i].mutex);
    }
    free(table->slots);
    table->slots = NULL;
    table->sets = 0;
}

static size_t set_of(const as_table *table, const unsigned char *id)
{
    return as_get_number(id, 8) % table->sets;
}

static pthread_mutex_t *lock_of(as_table *table, size_t set)
{
    return &table->locks[set % AS_SHARDS].mutex;
}

static as_slot *find(as_table *table, size_t set, const unsigned char *id)
{
    as_slot *slots = table->slots + set * table->ways;

    for (size_t i = 0; i < table->ways; i++) {
        if (slots[i].payload && memcmp(slots[i].id, id, AS_SIPHASH_SIZE) == 0) {
            return &slots[i];
        }
    }
    return NULL;
}

static bool is_good(const as_slot *slot, as_moment now)
{
    apr_interval_time_t age;

    return as_moment_age(slot->born, now, &age) && age < slot->good_for;
}

/* Empties a slot. Returns what was in it, to be freed without the lock. */
static unsigned char *vacate(as_slot *slot)
{
    unsigned char *payload = slot->payload;

    slot->payload = NULL;
    return payload;
}

static bool is_wanted(const as_slot *slot, const as_wanted *wanted)
{
    return (!wanted->proof || CRYPTO_memcmp(slot->proof, wanted->proof, AS_SIPHASH_SIZE) == 0) &&
           (slot->place == AS_NO_PLACE || slot->generation == as_generation(wanted->counters, slot->place));
}

unsigned char *as_table_get(as_table *table, const as_wanted *wanted, apr_pool_t *pool, size_t *length)
{
    unsigned char *copy = NULL, *gone = NULL;
    as_slot *slot;
    size_t set;

    if (table->sets == 0) {
        return NULL;
    }
    set = set_of(table, wanted->id);
    pthread_mutex_lock(lock_of(table, set));
    slot = find(table, set, wanted->id);
    if (slot && !is_good(slot, wanted->now)) {
        gone = vacate(slot);
    } else if (slot && is_wanted(slot, wanted)) {
        *length = slot->length;
        copy = apr_palloc(pool, slot->length);
        memcpy(copy, slot->payload, slot->length);
    }
    pthread_mutex_unlock(lock_of(table, set));
    free(gone);
    return copy;
}

/* Whose place a new one takes: a free slot's, else of what is past its time, else of the oldest. */
static as_slot *find_place(as_table *table, size_t set, as_moment now)
{
    as_slot *slots = table->slots + set * table->ways, *oldest = slots;

    for (size_t i = 0; i < table->ways; i++) {
        if (!slots[i].payload || !is_good(&slots[i], now)) {
            return &slots[i];
        }
        if (slots[i].born.mono < oldest->born.mono) {
            oldest = &slots[i];
        }
    }
    return oldest;
}

bool as_table_put(as_table *table, const as_slot *what, as_moment now)
{
    unsigned char *gone = what->payload;
    as_slot *slot;
    size_t set;
    bool put = true;

    if (table->sets > 0) {
        set = set_of(table, what->id);
        pthread_mutex_lock(lock_of(table, set));
        slot = find(table, set, what->id);
        if (slot && is_good(slot, now) && slot->born.mono > what->born.mono) {
            put = false;
        } else if (what->payload) {
            slot = slot ? slot : find_place(table, set, now);
            gone = vacate(slot);
            *slot = *what;
        }
        pthread_mutex_unlock(lock_of(table, set));
    }
    free(gone);
    return put;
}

void as_table_remove(as_table *table, const unsigned char *id)
{
    unsigned char *gone = NULL;
    as_slot *slot;
    size_t set;

    if (table->sets == 0) {
        return;
    }
    set = set_of(table, id);
    pthread_mutex_lock(lock_of(table, set));
    slot = find(table, set, id);
    if (slot) {
        gone = vacate(slot);
    }
    pthread_mutex_unlock(lock_of(table, set));
    free(gone);
}
