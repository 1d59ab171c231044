/* SPDX-License-Identifier: Apache-2.0
 *
 * Caches answers, grants and refusals: first in the memory of this process, without any global lock, then in the
 * store. Both keep the same payload with the time at which the directory answered: a copy never outlives its record.
 */
#include "cache_private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/* One key in one call. */
typedef struct lookup {
    as_cache *memory;
    const as_cache_key *key;
    as_hashes *hashes;
    as_moment now;
    apr_pool_t *pool;
    /* read before the store is queried, so that an entry filled in late counts as old */
    uint32_t generation_index, generation;
} lookup;

/* ---- rules ---- */

static apr_interval_time_t get_lifetime(const as_cache *memory, as_record_kind kind)
{
    return kind == AS_RECORD_ACCEPTANCE ? memory->times.acceptance
           : kind == AS_RECORD_REFUSAL  ? memory->times.refusal
                                        : memory->times.entry;
}

/* Returns for how much longer a record may be served while the directory is unavailable. */
static apr_interval_time_t get_stale_time(const as_cache *memory, as_record_kind kind)
{
    return kind == AS_RECORD_ACCEPTANCE ? memory->times.stale : 0;
}

/* Returns how long a record is kept. */
static apr_interval_time_t get_kept_time(const as_cache *memory, as_record_kind kind)
{
    return get_lifetime(memory, kind) + get_stale_time(memory, kind);
}

static as_table *get_table(as_cache *memory, as_record_kind kind)
{
    return kind == AS_RECORD_ACCEPTANCE ? &memory->acceptances
           : kind == AS_RECORD_REFUSAL  ? &memory->refusals
                                        : &memory->entries;
}

static const unsigned char *compute_hash(const lookup *of, as_hash_kind kind)
{
    return as_hash_get(of->memory, of->key, of->hashes, kind);
}

/* Returns the ID of the record in this process; NULL without memory. */
static const unsigned char *get_local_id(const lookup *of, as_record_kind kind)
{
    return compute_hash(of, kind == AS_RECORD_REFUSAL ? AS_HASH_SECRET : AS_HASH_USER);
}

/* Returns the ID of the record in the store; NULL without memory. */
static const unsigned char *get_shared_id(const lookup *of, as_record_kind kind)
{
    return compute_hash(of, kind == AS_RECORD_REFUSAL ? AS_HASH_REFUSAL : AS_HASH_ACCEPTANCE);
}

/* Converts seconds from the time of the answer to seconds from now. Returns false if an accepted password has
 * expired meanwhile: the directory would answer differently now. */
static bool bring_up_to_date(as_record *record, apr_interval_time_t age)
{
    as_finding *finding = &record->answer.finding;
    apr_interval_time_t left = apr_time_from_sec((apr_interval_time_t)finding->expires_in) - age;

    if (finding->expires_in < 0) {
        return true;
    }
    finding->expires_in = left > 0 ? (long)apr_time_sec(left) : 0;
    return left >= 0 || record->kind == AS_RECORD_REFUSAL;
}

/* Returns whether a record answers the lookup, if it is about this password: within a time by both clocks. */
static bool is_answer_within(const lookup *of, as_record *record, as_record_kind kind, apr_interval_time_t time)
{
    return record->kind == kind && as_record_choose_kind(&record->answer.finding) == kind &&
           as_moment_compute_age(record->born, of->now, &record->answer.age) && record->answer.age < time &&
           bring_up_to_date(record, record->answer.age);
}

/* Returns whether this record, if it is about this password, answers the lookup. */
static bool is_answer(const lookup *of, as_record *record, as_record_kind kind)
{
    return is_answer_within(of, record, kind, get_lifetime(of->memory, kind));
}

static bool begin(lookup *of)
{
    of->generation_index = AS_NO_GENERATION;
    of->generation = 0;
    return of->key->user && of->key->password;
}

/* Continues with the state that processes share. */
static bool begin_sharing(lookup *of)
{
    const unsigned char *id = as_shared_is_configured(of->memory) ? compute_hash(of, AS_HASH_ACCEPTANCE) : NULL;

    if (id) {
        of->generation_index = as_generation_choose_index(id);
        of->generation = as_generation_get(of->memory->counters, of->generation_index);
    }
    return id != NULL;
}

/* ---- reading ---- */

static bool recall_here(const lookup *of, as_record_kind kind, as_cached_answer *answer)
{
    as_acceptance found = {.stamp = 0};
    as_wanted wanted = {
        .id = get_local_id(of, kind), .now = of->now, .counters = of->memory->counters, .found = &found};
    unsigned char *payload;
    as_record record;
    size_t length;

    if (kind == AS_RECORD_ACCEPTANCE) {
        wanted.proof = compute_hash(of, AS_HASH_SECRET);
    }
    if (!wanted.id || (kind == AS_RECORD_ACCEPTANCE && !wanted.proof)) {
        return false;
    }
    payload = as_table_get(get_table(of->memory, kind), &wanted, of->pool, &length);
    if (!payload || !as_record_parse(of->memory, payload, length, of->now, of->pool, &record) ||
        !is_answer(of, &record, kind)) {
        return false;
    }
    *answer = record.answer;
    answer->acceptance = found;
    answer->acceptance.is_refusal = kind == AS_RECORD_REFUSAL;
    return true;
}

/* Caches a payload in this process, and takes ownership of it. Returns false if this process has a younger one. */
static bool keep_here(const lookup *of, const as_record *record, unsigned char *payload, size_t length)
{
    const unsigned char *id = get_local_id(of, record->kind), *proof = compute_hash(of, AS_HASH_SECRET);
    as_slot slot = {
        .born = record->born,
        .good_for = get_lifetime(of->memory, record->kind),
        .stale_for = as_shared_is_configured(of->memory) ? 0 : get_stale_time(of->memory, record->kind),
        .generation_index = of->generation_index,
        .generation = of->generation,
        .length = (uint32_t)length,
        .payload = payload,
    };

    if (!id || !proof) {
        free(payload);
        return true;
    }
    memcpy(slot.id, id, AS_SIPHASH_SIZE);
    memcpy(slot.proof, proof, AS_SIPHASH_SIZE);
    return as_table_put(get_table(of->memory, record->kind), &slot, of->now);
}

static bool is_proof(const lookup *of, const as_record *record)
{
    const unsigned char *proof = compute_hash(of, AS_HASH_PROOF);

    return proof && CRYPTO_memcmp(record->proof, proof, AS_HASH_SIZE) == 0;
}

static bool recall_shared(const lookup *of, as_record_kind kind, as_cached_answer *answer)
{
    const unsigned char *id = get_shared_id(of, kind);
    unsigned char data[AS_STORED_MAX], *payload;
    as_record record;
    size_t length;

    if (!id || as_shared_fetch(of->memory, id, data, &length, of->pool) != AS_FETCHED) {
        return false;
    }
    payload = apr_palloc(of->pool, length);
    memcpy(payload, data, length);
    if (!as_record_parse(of->memory, payload, length, of->now, of->pool, &record) || !is_answer(of, &record, kind) ||
        (kind == AS_RECORD_ACCEPTANCE && !is_proof(of, &record)) ||
        !keep_here(of, &record, as_record_copy(payload, length), length)) {
        return false;
    }
    *answer = record.answer;
    return true;
}

/* Reads this process first: it takes no lock that processes share, and no network. */
static bool recall(lookup *of, bool from_store, as_cached_answer *answer)
{
    bool accepts = of->memory->times.acceptance > 0, refuses = of->memory->times.refusal > 0;

    if (!begin(of)) {
        return false;
    }
    if ((accepts && recall_here(of, AS_RECORD_ACCEPTANCE, answer)) ||
        (refuses && recall_here(of, AS_RECORD_REFUSAL, answer))) {
        return true;
    }
    return from_store && (accepts || refuses) && begin_sharing(of) &&
           ((accepts && recall_shared(of, AS_RECORD_ACCEPTANCE, answer)) ||
            (refuses && recall_shared(of, AS_RECORD_REFUSAL, answer)));
}

bool as_cache_get(as_cache *memory, const as_cache_key *key, apr_time_t now, apr_pool_t *pool, as_cached_answer *answer)
{
    as_hashes own;
    lookup of = {memory, key, as_hashes_choose(key, &own), as_moment_make(memory, now), pool, 0, 0};
    bool found = recall(&of, true, answer);

    as_counters_add(memory->counters, found ? AS_COUNTER_cache_hits : AS_COUNTER_cache_misses, 1);
    return found;
}

void as_cache_count_hits(as_cache *cache, unsigned hits)
{
    as_counters_add(cache->counters, AS_COUNTER_cache_hits, hits);
}

bool as_cache_get_again(as_cache *memory, const as_cache_key *key, apr_time_t now, apr_pool_t *pool,
                        as_cached_answer *answer)
{
    as_hashes own;
    lookup of = {memory, key, as_hashes_choose(key, &own), as_moment_make(memory, now), pool, 0, 0};

    return recall(&of, false, answer);
}

/* ---- writing ---- */

static void forget(const lookup *of, as_record_kind kind)
{
    const unsigned char *local_id = get_local_id(of, kind), *id;

    if (local_id) {
        as_table_remove(get_table(of->memory, kind), local_id, NULL);
    }
    id = of->generation_index != AS_NO_GENERATION ? get_shared_id(of, kind) : NULL;
    if (id && as_shared_remove(of->memory, id, of->pool) && kind == AS_RECORD_ACCEPTANCE) {
        as_generation_advance(of->memory->counters, of->generation_index);
    }
}

static bool keep_shared(const lookup *of, const as_record *record, const unsigned char *payload, size_t length)
{
    const unsigned char *id =
        payload && of->generation_index != AS_NO_GENERATION ? get_shared_id(of, record->kind) : NULL;

    return id && as_shared_keep(of->memory, id, payload, length, of->now.wall + get_kept_time(of->memory, record->kind),
                                of->pool);
}

/* Stores an acceptance. The acceptance of the former password ends, even if this one is too large to be kept. The
 * store is written before the generation changes: a process that reads the new generation finds the new record. */
static void keep_acceptance(lookup *of, as_record *record)
{
    const unsigned char *proof = of->generation_index != AS_NO_GENERATION ? compute_hash(of, AS_HASH_PROOF) : NULL;
    unsigned char *payload;
    size_t length;

    if (proof) {
        memcpy(record->proof, proof, AS_HASH_SIZE);
    }
    payload = as_record_encode(of->memory, record, &length);
    if (keep_shared(of, record, payload, length)) {
        of->generation = as_generation_advance(of->memory->counters, of->generation_index);
    } else {
        forget(of, AS_RECORD_ACCEPTANCE);
        if (of->generation_index != AS_NO_GENERATION) {
            of->generation = as_generation_get(of->memory->counters, of->generation_index);
        }
    }
    keep_here(of, record, payload, length);
}

static void keep_refusal(const lookup *of, const as_record *record)
{
    size_t length;
    unsigned char *payload = as_record_encode(of->memory, record, &length);

    if (payload) {
        keep_shared(of, record, payload, length);
        keep_here(of, record, payload, length);
    }
}

/* Returns whether the store has an acceptance of this very password. */
static bool is_accepted_in_store(const lookup *of)
{
    const unsigned char *id = of->generation_index != AS_NO_GENERATION ? get_shared_id(of, AS_RECORD_ACCEPTANCE) : NULL;
    unsigned char data[AS_STORED_MAX];
    as_record record;
    size_t length;

    return id && as_shared_fetch(of->memory, id, data, &length, of->pool) == AS_FETCHED &&
           as_record_parse(of->memory, data, length, of->now, of->pool, &record) && is_proof(of, &record);
}

/* Ends the acceptance that the directory contradicts by a refusal of its password, or of the account. */
static void end_stale(const lookup *of, const as_finding *refusal)
{
    const unsigned char *local_id, *proof;

    if (of->memory->times.stale <= 0) {
        return;
    }
    if (refusal->outcome != AS_OUTCOME_WRONG_PASSWORD || is_accepted_in_store(of)) {
        forget(of, AS_RECORD_ACCEPTANCE);
        return;
    }
    local_id = get_local_id(of, AS_RECORD_ACCEPTANCE);
    proof = compute_hash(of, AS_HASH_SECRET);
    if (local_id && proof) {
        as_table_remove(&of->memory->acceptances, local_id, proof);
    }
}

void as_cache_put(as_cache *memory, const as_cache_key *key, const as_cached_answer *answer, apr_time_t now,
                  apr_pool_t *pool)
{
    as_record record = {
        .kind = as_record_choose_kind(&answer->finding),
        .born = as_moment_make(memory, now),
        .answer = *answer,
    };
    as_hashes own;
    lookup of = {memory, key, as_hashes_choose(key, &own), record.born, pool, 0, 0};

    record.answer.retry_after = 0;
    if (record.kind == AS_RECORD_NONE || !begin(&of)) {
        return;
    }
    begin_sharing(&of);
    if (record.kind == AS_RECORD_REFUSAL) {
        end_stale(&of, &answer->finding);
    }
    if (get_kept_time(memory, record.kind) <= 0) {
        return;
    }
    if (record.kind == AS_RECORD_REFUSAL) {
        keep_refusal(&of, &record);
        return;
    }
    keep_acceptance(&of, &record);
    if (memory->times.refusal > 0) {
        forget(&of, AS_RECORD_REFUSAL);
    }
}

void as_cache_remove_acceptance(as_cache *memory, const as_cache_key *key, apr_time_t now, apr_pool_t *pool)
{
    as_hashes own;
    lookup of = {memory, key, as_hashes_choose(key, &own), as_moment_make(memory, now), pool, 0, 0};

    if (begin(&of)) {
        begin_sharing(&of);
        forget(&of, AS_RECORD_ACCEPTANCE);
    }
}

/* ---- while the directory is unavailable ---- */

/* Returns the payload that this process keeps, of this password or of another; NULL: none. */
static unsigned char *get_kept_here(const lookup *of, size_t *length, bool *is_this)
{
    as_wanted wanted = {.id = get_local_id(of, AS_RECORD_ACCEPTANCE),
                        .proof = compute_hash(of, AS_HASH_SECRET),
                        .now = of->now,
                        .counters = of->memory->counters};
    unsigned char *payload;

    if (!wanted.id || !wanted.proof) {
        return NULL;
    }
    payload = as_table_get(&of->memory->acceptances, &wanted, of->pool, length);
    *is_this = payload != NULL;
    if (!payload) {
        wanted.proof = NULL;
        payload = as_table_get(&of->memory->acceptances, &wanted, of->pool, length);
    }
    return payload;
}

/* Returns the payload that is in the store; NULL: none, or the store is unavailable. */
static unsigned char *get_kept_shared(const lookup *of, size_t *length)
{
    const unsigned char *id = get_shared_id(of, AS_RECORD_ACCEPTANCE);
    unsigned char *data = apr_palloc(of->pool, AS_STORED_MAX);

    return id && as_shared_fetch(of->memory, id, data, length, of->pool) == AS_FETCHED ? data : NULL;
}

as_stale as_cache_get_stale(as_cache *memory, const as_cache_key *key, apr_time_t now, apr_pool_t *pool,
                            as_cached_answer *answer)
{
    as_hashes own;
    lookup of = {memory, key, as_hashes_choose(key, &own), as_moment_make(memory, now), pool, 0, 0};
    const bool shared = as_shared_is_configured(memory);
    bool is_this = false;
    unsigned char *payload;
    as_record record;
    size_t length;

    memset(answer, 0, sizeof *answer);
    answer->finding = as_finding_make(AS_OUTCOME_UNKNOWN_RESULT);
    if (memory->times.stale <= 0 || !begin(&of)) {
        return AS_STALE_NONE;
    }
    payload = shared ? get_kept_shared(&of, &length) : get_kept_here(&of, &length, &is_this);
    if (!payload || !as_record_parse(memory, payload, length, of.now, pool, &record) ||
        !is_answer_within(&of, &record, AS_RECORD_ACCEPTANCE, get_kept_time(memory, AS_RECORD_ACCEPTANCE))) {
        return AS_STALE_NONE;
    }
    if (!(shared ? is_proof(&of, &record) : is_this)) {
        answer->dn = record.answer.dn;
        return AS_STALE_OTHER;
    }
    *answer = record.answer;
    return AS_STALE_FOUND;
}
