/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers, good and bad. First what this process remembers, without any global lock, then the store. Both keep the same
 * payload, with the time at which the directory answered: a copy never lives longer than its record.
 */
#include "memory_private.h"

#include <string.h>

#include <openssl/crypto.h>

/* What a subject's records are found by. */
typedef struct keys {
    unsigned char acceptance[AS_HASH_SIZE], refusal[AS_HASH_SIZE], proof[AS_HASH_SIZE];
    uint32_t generation; /* read before anything else, so that what is filled in late counts as old */
} keys;

/* ---- rules ---- */

static apr_interval_time_t time_of(const as_memory *memory, as_record_kind kind)
{
    return kind == AS_RECORD_ACCEPTANCE ? memory->times.acceptance
           : kind == AS_RECORD_REFUSAL  ? memory->times.refusal
                                        : memory->times.entry;
}

static as_table *table_of(as_memory *memory, as_record_kind kind)
{
    return kind == AS_RECORD_ACCEPTANCE ? &memory->acceptances
           : kind == AS_RECORD_REFUSAL  ? &memory->refusals
                                        : &memory->entries;
}

static const unsigned char *id_of(const keys *of, as_record_kind kind)
{
    return kind == AS_RECORD_ACCEPTANCE ? of->acceptance : of->refusal;
}

/* Within the reader's time, by either clock. */
static bool is_fresh(const as_memory *memory, const as_record *record, as_moment now, apr_interval_time_t *age)
{
    return as_moment_age(record->born, now, age) && *age < time_of(memory, record->kind);
}

/* What was told in seconds from then, in seconds from now. False: a password that was accepted has expired meanwhile,
 * so the directory would no longer say the same. */
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

/* Does this record answer the question? */
static bool answers(const as_memory *memory, as_record *record, as_record_kind kind, const keys *of, as_moment now)
{
    apr_interval_time_t age;

    return record->kind == kind && as_record_kind_of(&record->answer.finding) == kind &&
           is_fresh(memory, record, now, &age) &&
           (kind != AS_RECORD_ACCEPTANCE || CRYPTO_memcmp(record->proof, of->proof, AS_HASH_SIZE) == 0) &&
           bring_up_to_date(record, age);
}

static bool keys_of(const as_memory *memory, const as_subject *subject, keys *of)
{
    if (!subject->user || !subject->password || !as_record_id(memory, AS_RECORD_ACCEPTANCE, subject, of->acceptance) ||
        !as_record_proof(memory, subject, of->proof)) {
        return false;
    }
    of->generation = as_generation(memory->counters, of->acceptance);
    return true;
}

/* ---- recalling ---- */

static bool recall_here(as_memory *memory, as_record_kind kind, const keys *of, as_moment now, apr_pool_t *pool,
                        as_remembered *answer)
{
    as_record record;
    size_t length;
    unsigned char *payload = as_table_get(table_of(memory, kind), id_of(of, kind), now, of->generation, pool, &length);

    if (!payload || !as_record_parse(memory, payload, length, now, pool, &record) ||
        !answers(memory, &record, kind, of, now)) {
        return false;
    }
    *answer = record.answer;
    return true;
}

/* Takes the payload. False: this process knows a younger one. */
static bool remember_here(as_memory *memory, const as_record *record, const keys *of, unsigned char *payload,
                          size_t length, as_moment now)
{
    as_slot slot = {
        .born = record->born,
        .good_for = time_of(memory, record->kind),
        .generation = of->generation,
        .length = (uint32_t)length,
        .payload = payload,
    };

    memcpy(slot.id, id_of(of, record->kind), AS_HASH_SIZE);
    return as_table_put(table_of(memory, record->kind), &slot, now);
}

static bool recall_shared(as_memory *memory, as_record_kind kind, const keys *of, as_moment now, apr_pool_t *pool,
                          as_remembered *answer)
{
    unsigned char data[AS_STORED_MAX], *payload;
    as_record record;
    size_t length;

    if (as_shared_fetch(memory, id_of(of, kind), data, &length, pool) != AS_FETCHED) {
        return false;
    }
    payload = apr_palloc(pool, length);
    memcpy(payload, data, length);
    if (!as_record_parse(memory, payload, length, now, pool, &record) || !answers(memory, &record, kind, of, now) ||
        !remember_here(memory, &record, of, as_record_copy(payload, length), length, now)) {
        return false;
    }
    *answer = record.answer;
    return true;
}

static bool recall(as_memory *memory, const as_subject *subject, as_moment now, apr_pool_t *pool, as_remembered *answer)
{
    bool accepts = memory->times.acceptance > 0, refuses = memory->times.refusal > 0;
    keys of;

    if ((!accepts && !refuses) || !keys_of(memory, subject, &of)) {
        return false;
    }
    if (accepts && recall_here(memory, AS_RECORD_ACCEPTANCE, &of, now, pool, answer)) {
        return true;
    }
    refuses = refuses && as_record_id(memory, AS_RECORD_REFUSAL, subject, of.refusal);
    return (refuses && recall_here(memory, AS_RECORD_REFUSAL, &of, now, pool, answer)) ||
           (accepts && recall_shared(memory, AS_RECORD_ACCEPTANCE, &of, now, pool, answer)) ||
           (refuses && recall_shared(memory, AS_RECORD_REFUSAL, &of, now, pool, answer));
}

bool as_memory_recall(as_memory *memory, const as_subject *subject, apr_time_t now, apr_pool_t *pool,
                      as_remembered *answer)
{
    bool found = recall(memory, subject, as_moment_at(memory, now), pool, answer);

    as_counters_add(memory->counters, found ? AS_COUNTER_cache_hits : AS_COUNTER_cache_misses, 1);
    return found;
}

bool as_memory_recall_again(as_memory *memory, const as_subject *subject, apr_time_t now, apr_pool_t *pool,
                            as_remembered *answer)
{
    return recall(memory, subject, as_moment_at(memory, now), pool, answer);
}

/* ---- keeping ---- */

static void forget(as_memory *memory, as_record_kind kind, const keys *of, apr_pool_t *pool)
{
    as_table_remove(table_of(memory, kind), id_of(of, kind));
    if (as_shared_remove(memory, id_of(of, kind), pool) && kind == AS_RECORD_ACCEPTANCE) {
        as_generation_next(memory->counters, of->acceptance);
    }
}

/* The former password's acceptance goes, even where this one is too large to be kept. The store comes first, then the
 * generation: who sees the new generation finds the new record. */
static void keep_acceptance(as_memory *memory, const as_record *record, keys *of, as_moment now, apr_pool_t *pool)
{
    size_t length;
    unsigned char *payload = as_record_encode(memory, record, &length);

    if (payload && as_shared_keep(memory, of->acceptance, payload, length, now.wall + memory->times.acceptance, pool)) {
        of->generation = as_generation_next(memory->counters, of->acceptance);
    } else {
        forget(memory, AS_RECORD_ACCEPTANCE, of, pool);
        of->generation = as_generation(memory->counters, of->acceptance);
    }
    remember_here(memory, record, of, payload, length, now);
}

static void keep_refusal(as_memory *memory, const as_record *record, const keys *of, as_moment now, apr_pool_t *pool)
{
    size_t length;
    unsigned char *payload = as_record_encode(memory, record, &length);

    if (payload) {
        as_shared_keep(memory, of->refusal, payload, length, now.wall + memory->times.refusal, pool);
        remember_here(memory, record, of, payload, length, now);
    }
}

void as_memory_keep(as_memory *memory, const as_subject *subject, const as_remembered *answer, apr_time_t now,
                    apr_pool_t *pool)
{
    as_record record = {
        .kind = as_record_kind_of(&answer->finding),
        .born = as_moment_at(memory, now),
        .answer = *answer,
    };
    keys of;

    record.answer.retry_after = 0;
    if (record.kind == AS_RECORD_NONE || time_of(memory, record.kind) <= 0 || !keys_of(memory, subject, &of) ||
        !as_record_id(memory, AS_RECORD_REFUSAL, subject, of.refusal)) {
        return;
    }
    if (record.kind == AS_RECORD_REFUSAL) {
        keep_refusal(memory, &record, &of, record.born, pool);
        return;
    }
    memcpy(record.proof, of.proof, AS_HASH_SIZE);
    keep_acceptance(memory, &record, &of, record.born, pool);
    if (memory->times.refusal > 0) {
        forget(memory, AS_RECORD_REFUSAL, &of, pool);
    }
}

/* ---- where entries were found ---- */

bool as_memory_entry(as_memory *memory, const as_subject *subject, apr_time_t at, apr_pool_t *pool,
                     as_remembered *entry)
{
    as_moment now = as_moment_at(memory, at);
    unsigned char id[AS_HASH_SIZE], *payload;
    as_record record;
    size_t length;

    if (memory->times.entry <= 0 || !subject->user || !as_record_id(memory, AS_RECORD_ENTRY, subject, id)) {
        return false;
    }
    payload = as_table_get(&memory->entries, id, now, 0, pool, &length);
    if (!payload || !as_record_parse(memory, payload, length, now, pool, &record) || record.kind != AS_RECORD_ENTRY) {
        return false;
    }
    *entry = record.answer;
    return true;
}

void as_memory_keep_entry(as_memory *memory, const as_subject *subject, const as_remembered *entry, apr_time_t now)
{
    as_record record = {.kind = AS_RECORD_ENTRY, .born = as_moment_at(memory, now), .answer = *entry};
    as_slot slot = {.born = record.born, .good_for = memory->times.entry};
    size_t length;

    /* Where somebody is found says nothing of his password: nobody may take this for a grant. */
    record.answer.finding = as_finding_of(AS_OUTCOME_UNKNOWN_RESULT);
    record.answer.retry_after = 0;
    if (memory->times.entry <= 0 || !entry->dn || *entry->dn == '\0' || !subject->user ||
        !as_record_id(memory, AS_RECORD_ENTRY, subject, slot.id)) {
        return;
    }
    slot.payload = as_record_encode(memory, &record, &length);
    slot.length = (uint32_t)length;
    as_table_put(&memory->entries, &slot, record.born);
}

void as_memory_forget_entry(as_memory *memory, const as_subject *subject)
{
    unsigned char id[AS_HASH_SIZE];

    if (subject->user && as_record_id(memory, AS_RECORD_ENTRY, subject, id)) {
        as_table_remove(&memory->entries, id);
    }
}
