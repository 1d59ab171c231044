/* SPDX-License-Identifier: Apache-2.0
 *
 * Locations of entries, in the memory of a process.
 */
#include "cache_private.h"

#include <string.h>

/* Returns the ID of the record of an entry; NULL without memory. */
static const unsigned char *get_entry_id(const as_cache *memory, const as_cache_key *key, as_hashes *own)
{
    return key->user ? as_hash_get(memory, key, as_hashes_choose(key, own), AS_HASH_USER) : NULL;
}

bool as_cache_get_entry(as_cache *memory, const as_cache_key *key, apr_time_t at, apr_pool_t *pool,
                        as_cached_answer *entry)
{
    as_hashes own;
    const unsigned char *id = get_entry_id(memory, key, &own);
    as_wanted wanted = {.id = id, .now = as_moment_make(memory, at)};
    unsigned char *payload;
    as_record record;
    size_t length;

    if (memory->times.entry <= 0 || !id) {
        return false;
    }
    payload = as_table_get(&memory->entries, &wanted, pool, &length);
    if (!payload || !as_record_parse(memory, payload, length, wanted.now, pool, &record) ||
        record.kind != AS_RECORD_ENTRY) {
        return false;
    }
    *entry = record.answer;
    return true;
}

static void put_entry(as_cache *memory, const as_cache_key *key, const as_cached_answer *entry,
                      apr_interval_time_t good_for, apr_time_t now)
{
    as_hashes own;
    const unsigned char *id = get_entry_id(memory, key, &own);
    as_record record = {.kind = AS_RECORD_ENTRY, .born = as_moment_make(memory, now), .answer = *entry};
    as_slot slot = {.born = record.born, .good_for = good_for, .generation_index = AS_NO_GENERATION};
    size_t length;

    /* The location of an entry says nothing about the password, so this outcome is never a grant. */
    record.answer.finding = as_finding_make(AS_OUTCOME_UNKNOWN_RESULT);
    record.answer.retry_after = 0;
    if (slot.good_for <= 0 || !entry->dn || !id) {
        return;
    }
    memcpy(slot.id, id, AS_SIPHASH_SIZE);
    slot.payload = as_record_encode(memory, &record, &length);
    slot.length = (uint32_t)length;
    as_table_put(&memory->entries, &slot, record.born);
}

void as_cache_put_entry(as_cache *memory, const as_cache_key *key, const as_cached_answer *entry, bool lasting,
                        apr_time_t now)
{
    apr_interval_time_t good_for = memory->times.entry;

    if (!lasting && good_for > memory->times.acceptance) {
        good_for = memory->times.acceptance;
    }
    if (entry->dn && *entry->dn != '\0') {
        put_entry(memory, key, entry, good_for, now);
    }
}

void as_cache_put_failed_entry(as_cache *memory, const as_cache_key *key, const char *dn, apr_time_t now)
{
    const as_cached_answer entry = {.dn = dn};
    const as_cache_times *times = &memory->times;

    put_entry(memory, key, &entry, times->refusal < times->entry ? times->refusal : times->entry, now);
}

void as_cache_remove_entry(as_cache *memory, const as_cache_key *key)
{
    as_hashes own;
    const unsigned char *id = get_entry_id(memory, key, &own);

    if (id) {
        as_table_remove(&memory->entries, id, NULL);
    }
}
