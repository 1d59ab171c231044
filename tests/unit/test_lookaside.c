/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_store.h"
#include "within.h"

#include <pthread.h>

static const char header[] = "Basic YWxpY2U6c2VjcmV0";

static as_lookaside_key key_of(const as_cache *memory, const char *about, const char *octets)
{
    as_lookaside_key own, hashed;

    as_lookaside_make_key(memory, about, strlen(about), &own);
    as_lookaside_hash(&own, octets, strlen(octets), &hashed);
    return hashed;
}

/* As a request does that was answered from the cache. False: it was not. */
static bool learn(as_cache *memory, as_cache_key subject, const char *octets, const char *data)
{
    const as_lookaside_key hashed = key_of(memory, "here", octets);
    as_cached_answer answer = {.retry_after = 0};

    if (!as_cache_get(memory, &subject, wall, pool, &answer) || answer.acceptance.stamp == 0) {
        return false;
    }
    as_lookaside_put(memory, &hashed, &answer.acceptance, data, strlen(data), (as_moment){wall, mono});
    return true;
}

static bool knows_about(as_cache *memory, const char *about, const char *octets, const char *data)
{
    const as_lookaside_key hashed = key_of(memory, about, octets);
    as_lookaside_answer answer;

    if (!as_lookaside_get(memory, &hashed, (as_moment){wall, mono}, &answer)) {
        return false;
    }
    assert_int_equal(answer.length, strlen(data));
    assert_memory_equal(answer.data, data, answer.length);
    return true;
}

static bool knows(as_cache *memory)
{
    return knows_about(memory, "here", header, "alice");
}

static as_cache *one_that_knows(void)
{
    as_cache *memory = a_process();

    keep(memory, alice, AS_OUTCOME_GRANTED);
    assert_true(learn(memory, alice, header, "alice") && knows(memory));
    return memory;
}

static void it_knows_what_it_learnt_and_nothing_else(void **state)
{
    as_cache *memory = one_that_knows();

    (void)state;
    assert_false(knows_about(memory, "there", header, ""));
    assert_false(knows_about(memory, "here", "Basic YWxpY2U6c2VjcmVU", ""));
    assert_false(knows_about(memory, "here", "Basic YWxpY2U6c2VjcmV0 ", ""));
    assert_false(knows_about(memory, "here", "basic YWxpY2U6c2VjcmV0", ""));
    assert_false(knows_about(memory, "here", "", ""));
    assert_false(knows(a_process()));
}

static void what_ends_the_acceptance_ends_it(void **state)
{
    as_cache *memory = one_that_knows(), *other;

    (void)state;
    /* another password */
    pass(1);
    keep(memory, with_password("new"), AS_OUTCOME_GRANTED);
    assert_false(knows(memory));
    /* the same password again: another acceptance */
    memory = one_that_knows();
    pass(1);
    keep(memory, alice, AS_OUTCOME_GRANTED);
    assert_false(knows(memory));
    /* eviction */
    memory = a_process_with(NULL, key, 1);
    keep(memory, alice, AS_OUTCOME_GRANTED);
    assert_true(learn(memory, alice, header, "alice") && knows(memory));
    as_cache_key bob = alice;
    bob.user = "bob";
    keep(memory, bob, AS_OUTCOME_GRANTED);
    assert_false(knows(memory));
    /* another process's news */
    as_counters *counters = apr_pcalloc(pool, as_counters_get_size());
    memory = a_process();
    other = a_process();
    as_cache_set_counters(memory, counters);
    as_cache_set_counters(other, counters);
    keep(memory, alice, AS_OUTCOME_GRANTED);
    assert_true(learn(memory, alice, header, "alice") && knows(memory));
    pass(1);
    keep(other, with_password("new"), AS_OUTCOME_GRANTED);
    assert_false(knows(memory));
}

/* A refusal is no acceptance, and ends with what ends a refusal. */
static void a_refusal_is_learnt_as_one(void **state)
{
    as_cache *memory = a_process();
    as_cached_answer answer;

    (void)state;
    keep(memory, alice, AS_OUTCOME_WRONG_PASSWORD);
    assert_true(as_cache_get(memory, &alice, wall, pool, &answer));
    assert_int_equal(answer.acceptance.is_refusal, 1);
    assert_true(learn(memory, alice, header, "alice") && knows(memory));
    /* its time, which is not that of an acceptance */
    pass(29);
    assert_true(knows(memory));
    pass(1);
    assert_false(knows(memory));
    /* a grant */
    memory = a_process();
    keep(memory, alice, AS_OUTCOME_WRONG_PASSWORD);
    assert_true(learn(memory, alice, header, "alice") && knows(memory));
    keep(memory, alice, AS_OUTCOME_GRANTED);
    assert_false(knows(memory));
    /* it does not end an acceptance */
    memory = one_that_knows();
    keep(memory, with_password("wrong"), AS_OUTCOME_WRONG_PASSWORD);
    assert_true(knows(memory));
}

/* With a hit a second, and a clock that is set. */
static void its_time_is_that_of_the_acceptance(void **state)
{
    static const int set_by[] = {0, 1, -1, 5, -5, 30, -30, 3600, -3600};

    (void)state;
    for (size_t i = 0; i < sizeof set_by / sizeof *set_by; i++) {
        as_cache *memory = a_process();

        keep(memory, alice, AS_OUTCOME_GRANTED);
        for (int second = 0; second < 62; second++) {
            as_cached_answer answer;
            as_lookaside_key hashed = key_of(memory, "here", header);
            as_lookaside_answer fast;
            bool by_lookaside = as_lookaside_get(memory, &hashed, (as_moment){wall, mono}, &fast);
            bool by_cache = as_cache_get(memory, &alice, wall, pool, &answer);

            /* From a store it may come back; here there is the same one on the shelf. */
            if (by_lookaside) {
                assert_true(by_cache);
            }
            if (second >= 60) {
                assert_false(by_lookaside);
                assert_false(by_cache);
            }
            if (by_cache) {
                learn(memory, alice, header, "alice");
            }
            if (second == 20) {
                wall += set_by[i] * SECOND;
            }
            if (second == 40) {
                wall -= set_by[i] * SECOND;
            }
            pass(1);
        }
        memset(&shelf, 0, sizeof shelf);
    }
}

static void the_microsecond_that_ends_it(void **state)
{
    as_cache *memory = one_that_knows();

    (void)state;
    wall += 60 * SECOND - 1;
    mono += 60 * SECOND - 1;
    assert_true(knows(memory));
    mono++;
    assert_false(knows(memory));
}

static void data_of_every_length(void **state)
{
    as_cache *memory = one_that_knows();
    char data[AS_LOOKASIDE_DATA + 2];

    (void)state;
    for (size_t length = 0; length <= AS_LOOKASIDE_DATA; length++) {
        memset(data, 'a' + (int)(length % 26), length);
        data[length] = '\0';
        assert_true(learn(memory, alice, header, data));
        assert_true(knows_about(memory, "here", header, data));
    }
    memset(data, 'x', AS_LOOKASIDE_DATA + 1);
    data[AS_LOOKASIDE_DATA + 1] = '\0';
    learn(memory, alice, "other", data);
    assert_false(knows_about(memory, "here", "other", data));
}

/* Keys below one key are apart, and none is another key's. */
static void derived_keys_are_apart(void **state)
{
    enum { NUMBERS = 20, KEYS = NUMBERS * NUMBERS };
    const as_cache *memory = a_process();
    const as_lookaside_key one = key_of(memory, "here", header), other = key_of(memory, "there", header);
    static as_lookaside_key keys[2 * KEYS];
    int count = 0;

    (void)state;
    for (uint64_t i = 0; i < KEYS; i++) {
        const uint64_t a = i % NUMBERS * 16, b = i / NUMBERS * 16;

        keys[count++] = as_lookaside_hash_numbers(&one, a, b);
        keys[count++] = as_lookaside_hash_numbers(&other, a, b);
    }
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < i; j++) {
            assert_true(keys[i].left != keys[j].left && keys[i].right != keys[j].right);
        }
    }
}

/* All of them are known, but for the few whose set was full. */
static void it_is_large_enough(void **state)
{
    as_cache *memory = a_process_with(NULL, key, 4096);
    int known = 0;

    (void)state;
    for (int i = 0; i < 4096; i++) {
        as_cache_key subject = alice;
        subject.user = apr_psprintf(pool, "user%d", i);
        keep(memory, subject, AS_OUTCOME_GRANTED);
        assert_true(learn(memory, subject, subject.user, subject.user));
    }
    for (int i = 0; i < 4096; i++) {
        const char *user = apr_psprintf(pool, "user%d", i);
        known += knows_about(memory, "here", user, user);
    }
    assert_within(known, 3900, 4096);
}

static void without_entries_there_is_none(void **state)
{
    as_cache *memory = a_process_with(NULL, key, 0);
    as_acceptance none = {.stamp = 1};
    as_lookaside_key hashed = key_of(memory, "here", header);

    (void)state;
    as_lookaside_put(memory, &hashed, &none, "", 0, (as_moment){wall, mono});
    assert_false(knows(memory));
}

/* ---- threads: cells are written again and again while they are read ---- */

#define THREADS 4
#define ROUNDS 20000
#define NAMES 32

static as_cache *crowded;
static as_lookaside_key crowded_keys[NAMES];
static as_acceptance crowded_acceptance;

/* What was put there for a name, and whole: all words are the name's. */
static bool is_whole(const as_lookaside_answer *answer, int name)
{
    for (uint32_t i = 0; i < answer->length; i++) {
        if (answer->data[i] != (unsigned char)name) {
            return false;
        }
    }
    return true;
}

static void *crowd(void *data)
{
    uint32_t random = *(uint32_t *)data;
    const as_moment now = {wall, mono};
    unsigned char octets[AS_LOOKASIDE_DATA];

    for (int i = 0; i < ROUNDS; i++) {
        as_lookaside_answer answer;
        int name;

        random = random * 1664525 + 1013904223;
        name = (int)(random >> 16 & (NAMES - 1));
        if (random >> 29 == 0) {
            memset(octets, name, sizeof octets);
            as_lookaside_put(crowded, &crowded_keys[name], &crowded_acceptance, octets, random >> 21 & 255, now);
        } else if (as_lookaside_get(crowded, &crowded_keys[name], now, &answer) && !is_whole(&answer, name)) {
            abort();
        }
    }
    return NULL;
}

static void no_read_is_torn(void **state)
{
    uint32_t seeds[THREADS] = {1, 2, 3, 4};
    pthread_t threads[THREADS];
    as_cached_answer answer;

    (void)state;
    crowded = a_process_with(NULL, key, 8); /* four sets of four cells for 32 names */
    keep(crowded, alice, AS_OUTCOME_GRANTED);
    assert_true(as_cache_get(crowded, &alice, wall, pool, &answer));
    crowded_acceptance = answer.acceptance;
    for (int i = 0; i < NAMES; i++) {
        char name[] = {(char)('A' + i), '\0'};
        crowded_keys[i] = key_of(crowded, "here", name);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, crowd, &seeds[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(it_knows_what_it_learnt_and_nothing_else),
        ROW(what_ends_the_acceptance_ends_it),
        ROW(a_refusal_is_learnt_as_one),
        ROW(its_time_is_that_of_the_acceptance),
        ROW(the_microsecond_that_ends_it),
        ROW(data_of_every_length),
        ROW(derived_keys_are_apart),
        ROW(it_is_large_enough),
        ROW(without_entries_there_is_none),
        ROW(no_read_is_torn),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("lookaside", tests, NULL, NULL);
}
