/* SPDX-License-Identifier: Apache-2.0
 *
 * A store that a test controls, clocks that a test sets, and a cache on them. To be included first.
 */
#ifndef AUTHSTATUS_TESTS_FAKE_STORE_H
#define AUTHSTATUS_TESTS_FAKE_STORE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "cache/cache_private.h"

#define FAKE_RECORDS 64
#define SECOND APR_USEC_PER_SEC

typedef struct fake_record {
    unsigned char id[AS_HASH_SIZE];
    unsigned char data[AS_STORED_MAX + 1];
    unsigned int length; /* 0: free */
    apr_time_t expiry;
} fake_record;

typedef struct fake_store {
    fake_record records[FAKE_RECORDS];
    apr_status_t answer; /* of every call, if not APR_SUCCESS */
    apr_status_t store_answer;
    int64_t takes;     /* how long every call does */
    unsigned int lies; /* as the length of what is retrieved, if not 0 */
    int calls;
} fake_store;

static fake_store shelf;
static apr_time_t wall = 1700000000 * SECOND;
static int64_t mono = 5000 * SECOND;
static apr_pool_t *pool;

static const unsigned char key[] = "0123456789abcdef0123456789abcdef";
static const unsigned char other_key[] = "0123456789abcdef0123456789abcdeF";
static const as_cache_times usual_times = {60 * SECOND, 30 * SECOND, 300 * SECOND, 0};
static const as_cache_key alice = {"www", "d1", "alice", "secret", NULL};

static inline int64_t fake_mono(void)
{
    return mono;
}

/* Time goes by, on both clocks. */
static inline void pass(double seconds)
{
    wall += (apr_time_t)(seconds * SECOND);
    mono += (int64_t)(seconds * SECOND);
}

static inline fake_record *fake_find(const unsigned char *id)
{
    for (int i = 0; i < FAKE_RECORDS; i++) {
        if (shelf.records[i].length > 0 && memcmp(shelf.records[i].id, id, AS_HASH_SIZE) == 0) {
            return &shelf.records[i];
        }
    }
    return NULL;
}

static inline fake_record *fake_only(void)
{
    fake_record *only = NULL;

    for (int i = 0; i < FAKE_RECORDS; i++) {
        if (shelf.records[i].length > 0) {
            assert_null(only);
            only = &shelf.records[i];
        }
    }
    assert_non_null(only);
    return only;
}

static inline apr_status_t fake_retrieve(void *context, const unsigned char id[AS_HASH_SIZE], unsigned char *data,
                                         unsigned int *length, apr_pool_t *p)
{
    const fake_record *found = fake_find(id);

    (void)p;
    assert_ptr_equal(context, &shelf);
    shelf.calls++;
    mono += shelf.takes;
    if (shelf.answer != APR_SUCCESS || !found) {
        return shelf.answer != APR_SUCCESS ? shelf.answer : APR_NOTFOUND;
    }
    if (found->length > *length) {
        return APR_ENOSPC;
    }
    memcpy(data, found->data, found->length);
    *length = shelf.lies ? shelf.lies : found->length;
    return APR_SUCCESS;
}

static inline apr_status_t fake_keep(void *context, const unsigned char id[AS_HASH_SIZE], apr_time_t expiry,
                                     const unsigned char *data, unsigned int length, apr_pool_t *p)
{
    fake_record *free_slot = fake_find(id);

    (void)context;
    (void)p;
    shelf.calls++;
    mono += shelf.takes;
    if (shelf.answer != APR_SUCCESS || shelf.store_answer != APR_SUCCESS) {
        return shelf.answer != APR_SUCCESS ? shelf.answer : shelf.store_answer;
    }
    for (int i = 0; !free_slot && i < FAKE_RECORDS; i++) {
        free_slot = shelf.records[i].length == 0 ? &shelf.records[i] : NULL;
    }
    assert_non_null(free_slot);
    assert_true(length <= AS_STORED_MAX);
    memcpy(free_slot->id, id, AS_HASH_SIZE);
    memcpy(free_slot->data, data, length);
    free_slot->length = length;
    free_slot->expiry = expiry;
    return APR_SUCCESS;
}

static inline apr_status_t fake_remove(void *context, const unsigned char id[AS_HASH_SIZE], apr_pool_t *p)
{
    fake_record *found = fake_find(id);

    (void)context;
    (void)p;
    shelf.calls++;
    mono += shelf.takes;
    if (shelf.answer != APR_SUCCESS || !found) {
        return shelf.answer != APR_SUCCESS ? shelf.answer : APR_NOTFOUND;
    }
    found->length = 0;
    return APR_SUCCESS;
}

static const as_store fake = {&shelf, fake_retrieve, fake_keep, fake_remove, false};

/* What one process of a server has, or a machine: on the same store and clocks. */
static inline as_cache *a_process_with(const as_store *store, const unsigned char *its_key, int entries)
{
    as_cache *memory = as_cache_create(pool, &usual_times, store, its_key, 32, entries);

    assert_non_null(memory);
    memory->mono = fake_mono;
    return memory;
}

static inline as_cache *a_process(void)
{
    return a_process_with(&fake, key, 64);
}

static inline as_cached_answer make_answer(as_outcome outcome)
{
    as_cached_answer answer = {.finding = as_finding_make(outcome), .dn = "uid=alice,dc=x"};

    answer.finding.proven = as_outcome_describe(outcome)->of == AS_CLASS_GRANTED;
    return answer;
}

static inline as_cache_key with_password(const char *password)
{
    as_cache_key subject = alice;

    subject.password = password;
    return subject;
}

static inline void keep(as_cache *memory, as_cache_key subject, as_outcome outcome)
{
    as_cached_answer answer = make_answer(outcome);

    as_cache_put(memory, &subject, &answer, wall, pool);
}

/* The cached outcome, or AS_OUTCOME_COUNT. */
static inline int recalled(as_cache *memory, as_cache_key subject)
{
    as_cached_answer answer;

    return as_cache_get(memory, &subject, wall, pool, &answer) ? (int)answer.finding.outcome : AS_OUTCOME_COUNT;
}

#define NOTHING AS_OUTCOME_COUNT

static inline int fresh(void **state)
{
    (void)state;
    memset(&shelf, 0, sizeof shelf);
    return apr_pool_create(&pool, NULL) != APR_SUCCESS;
}

static inline int over(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, fresh, over)

#endif
