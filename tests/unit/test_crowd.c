/* SPDX-License-Identifier: Apache-2.0
 *
 * Many users, fewer than AuthStatusCacheEntries: all of them stay cached, whatever the store keeps.
 */
#include "fake_store.h"

#define CROWD 20000
#define ENTRIES 32768
#define PLACES (1 << 16) /* of the large store; a power of two */
#define RECORD_MOST 512

/* ---- a store for a crowd, or one that takes everything and has nothing ---- */

typedef struct large_record {
    unsigned char id[AS_HASH_SIZE], data[RECORD_MOST];
    unsigned int length; /* 0: free */
} large_record;

static large_record *records; /* NULL: the store has nothing */
static int retrieved;

static large_record *find_record(const unsigned char *id)
{
    size_t at = as_get_number(id + 8, 4) % PLACES;

    while (records[at].length > 0 && memcmp(records[at].id, id, AS_HASH_SIZE) != 0) {
        at = (at + 1) % PLACES;
    }
    return &records[at];
}

static apr_status_t retrieve(void *context, const unsigned char id[AS_HASH_SIZE], unsigned char *data,
                             unsigned int *length, apr_pool_t *p)
{
    const large_record *found = records ? find_record(id) : NULL;

    (void)context;
    (void)p;
    retrieved++;
    if (!found || found->length == 0) {
        return APR_NOTFOUND;
    }
    memcpy(data, found->data, found->length);
    *length = found->length;
    return APR_SUCCESS;
}

static apr_status_t store(void *context, const unsigned char id[AS_HASH_SIZE], apr_time_t expiry,
                          const unsigned char *data, unsigned int length, apr_pool_t *p)
{
    large_record *into = records ? find_record(id) : NULL;

    (void)context;
    (void)expiry;
    (void)p;
    assert_true(length <= RECORD_MOST);
    if (into) {
        memcpy(into->id, id, AS_HASH_SIZE);
        memcpy(into->data, data, length);
        into->length = length;
    }
    return APR_SUCCESS;
}

/* Nothing is removed: no user of these tests was refused before. */
static apr_status_t drop(void *context, const unsigned char id[AS_HASH_SIZE], apr_pool_t *p)
{
    (void)context;
    (void)id;
    (void)p;
    return APR_NOTFOUND;
}

static const as_store large = {&shelf, retrieve, store, drop, true};

/* ---- the crowd ---- */

static as_cache *a_process_of_a_crowd(void)
{
    as_cache *memory = a_process_with(&large, key, ENTRIES);

    as_cache_set_counters(memory, apr_pcalloc(pool, as_counters_get_size()));
    retrieved = 0;
    return memory;
}

/* Each user logs in once: from the cache, or at the directory, whose answer is cached. Returns at how many times it was
 * the directory. */
static int log_in(as_cache *memory)
{
    int queries = 0;
    char name[16];

    for (int i = 0; i < CROWD; i++) {
        as_cache_key subject = alice;
        apr_pool_t *request;

        assert_int_equal(apr_pool_create(&request, pool), APR_SUCCESS);
        snprintf(name, sizeof name, "u%d", i);
        subject.user = name;
        pass(0.0001);
        if (recalled(memory, subject) == NOTHING) {
            keep(memory, subject, AS_OUTCOME_GRANTED);
            queries++;
        }
        apr_pool_destroy(request);
    }
    return queries;
}

static void each_user_who_logged_in_is_cached(void **state)
{
    as_cache *memory, *other;

    (void)state;
    records = calloc(PLACES, sizeof *records);
    assert_non_null(records);
    memory = a_process_of_a_crowd();
    assert_int_equal(log_in(memory), CROWD);
    retrieved = 0;
    assert_int_equal(log_in(memory), 0);
    /* Of the few that share a generation with a user who logged in later. */
    assert_true(retrieved < CROWD / 10);
    retrieved = 0;
    assert_int_equal(log_in(memory), 0);
    assert_int_equal(retrieved, 0);
    /* Another process needs the store once for each of them, and disturbs nobody by it. */
    other = a_process_with(&large, key, ENTRIES);
    as_cache_set_counters(other, memory->counters);
    assert_int_equal(log_in(other), 0);
    assert_int_equal(retrieved, CROWD);
    assert_int_equal(log_in(other) + log_in(memory), 0);
    assert_int_equal(retrieved, CROWD);
    free(records);
    records = NULL;
}

/* Those who share a generation log in again in each round, one because of the other. */
static void a_store_that_forgets_sends_few_to_the_directory(void **state)
{
    as_cache *memory = a_process_of_a_crowd();

    (void)state;
    assert_int_equal(log_in(memory), CROWD);
    for (int i = 0; i < 4; i++) {
        assert_true(log_in(memory) < CROWD / 10);
    }
}

/* What a process keeps of the headers: of nearly all of them, as a set of cells may be full. */
static void their_headers_are_known(void **state)
{
    as_cache *memory = a_process_of_a_crowd();
    as_lookaside_answer answer;
    as_cached_answer found;
    as_lookaside_key own, hashed;
    char name[16];
    int known = 0;

    (void)state;
    as_lookaside_make_key(memory, "here", 4, &own);
    log_in(memory);
    for (int i = 0; i < CROWD; i++) {
        as_cache_key subject = alice;

        snprintf(name, sizeof name, "u%d", i);
        subject.user = name;
        as_lookaside_hash(&own, name, strlen(name), &hashed);
        if (as_cache_get(memory, &subject, wall, pool, &found)) {
            as_lookaside_put(memory, &hashed, &found.acceptance, name, strlen(name), (as_moment){wall, mono});
        }
    }
    for (int i = 0; i < CROWD; i++) {
        snprintf(name, sizeof name, "u%d", i);
        as_lookaside_hash(&own, name, strlen(name), &hashed);
        known += as_lookaside_get(memory, &hashed, (as_moment){wall, mono}, &answer);
    }
    assert_true(known > CROWD / 100 * 90);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(each_user_who_logged_in_is_cached),
        ROW(a_store_that_forgets_sends_few_to_the_directory),
        ROW(their_headers_are_known),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
