/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of the cache under a fixed key, clock and boot: for tests/unit/test_golden.c, which compares their octets
 * with records.tsv, and for tests/fuzz/seeds.c.
 */
#ifndef AUTHSTATUS_TESTS_GOLDEN_RECORDS_H
#define AUTHSTATUS_TESTS_GOLDEN_RECORDS_H

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "cache/cache_private.h"

#define GOLDEN_NOW (1700000000 * APR_USEC_PER_SEC)

static const unsigned char golden_key[] = "0123456789abcdef0123456789abcdef";
static const as_cache_times golden_times = {60 * APR_USEC_PER_SEC, 30 * APR_USEC_PER_SEC, 0, 0};
static const as_cache_key golden_subject = {"www", "d1", "alice", "secret", NULL};

/* Octets that lie in a store: a payload, and its id. */
typedef struct golden_record {
    unsigned char id[AS_HASH_SIZE];
    unsigned char payload[AS_STORED_MAX];
    size_t length; /* of the payload; 0: it could not be made */
} golden_record;

static inline int64_t golden_clock(void)
{
    return GOLDEN_NOW;
}

/* `entries`: as in as_cache_create. The boot is none: monotonic clocks do not count. */
static inline as_cache *golden_cache(apr_pool_t *pool, const as_store *store)
{
    as_cache *cache = as_cache_create(pool, &golden_times, store, golden_key, AS_KEY_SIZE, 8);

    if (cache) {
        cache->mono = golden_clock;
        memset(cache->boot, 0, sizeof(cache->boot));
    }
    return cache;
}

/* An answer with something in each field; `born` by the wall clock. */
static inline golden_record golden_answer(const as_cache *cache, as_record_kind kind, as_outcome outcome,
                                          apr_time_t born)
{
    static const char *const mail[] = {"alice@example.org", "a.l@example.org", NULL};
    static const char *const nothing[] = {NULL};
    static const as_values values[] = {mail, NULL, nothing};
    golden_record made = {.length = 0};
    as_record record = {.kind = kind, .born = {born, GOLDEN_NOW}};
    unsigned char *payload;

    record.answer.finding = as_finding_make(outcome);
    record.answer.finding.proven = as_outcome_describe(outcome)->of == AS_CLASS_GRANTED;
    record.answer.finding.has_code = true;
    record.answer.finding.of_name = true;
    record.answer.finding.code = kind == AS_RECORD_REFUSAL ? 49 : 0;
    record.answer.finding.expires_in = kind == AS_RECORD_REFUSAL ? -1 : 86400;
    record.answer.finding.grace_logins = 2;
    strcpy(record.answer.finding.subcode, "775");
    record.answer.dn = "uid=alice,dc=x";
    record.answer.values = values;
    record.answer.value_count = 3;
    as_record_make_id(cache, kind, &golden_subject, made.id);
    if (kind == AS_RECORD_ACCEPTANCE) {
        as_record_make_proof(cache, &golden_subject, record.proof);
    }
    payload = as_record_encode(cache, &record, &made.length);
    if (payload && made.length <= sizeof(made.payload)) {
        memcpy(made.payload, payload, made.length);
    } else {
        made.length = 0;
    }
    free(payload);
    return made;
}

/* Failures, a second apart, the last one now. */
static inline golden_record golden_failures(const as_cache *cache, as_record_kind kind, int count)
{
    golden_record made = {.length = 0};
    as_failures failures = {.cleared = GOLDEN_NOW - 3600 * APR_USEC_PER_SEC, .count = count};

    for (int i = 0; i < count; i++) {
        failures.times[i] = GOLDEN_NOW - (count - 1 - i) * APR_USEC_PER_SEC;
    }
    as_record_make_id(cache, kind, &golden_subject, made.id);
    made.length = as_failures_encode(&failures, kind, made.payload);
    return made;
}

#endif
