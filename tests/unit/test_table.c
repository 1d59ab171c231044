/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_store.h"

#include <pthread.h>

static as_slot slot_of(uint32_t number)
{
    as_slot slot = {.born = {wall, mono}, .good_for = 60 * SECOND, .generation_index = AS_NO_GENERATION, .length = 4};

    /* Spread as hashes are. */
    as_put_number(slot.id, number * UINT64_C(0x9e3779b97f4a7c15), 8);
    as_put_number(slot.id + 8, number, 8);
    slot.payload = malloc(4);
    as_put_number(slot.payload, number, 4);
    return slot;
}

static bool put(as_table *table, uint32_t number)
{
    as_slot slot = slot_of(number);

    return as_table_put(table, &slot, slot.born);
}

/* Is it there, and what it was? */
static bool got(as_table *table, uint32_t number, as_acceptance *found)
{
    as_slot slot = slot_of(number);
    as_wanted wanted = {.id = slot.id, .now = slot.born, .found = found};
    size_t length = 0;
    unsigned char *payload = as_table_get(table, &wanted, pool, &length);

    free(slot.payload);
    if (payload) {
        assert_int_equal(length, 4);
        assert_int_equal(as_get_number(payload, 4), number);
    }
    return payload != NULL;
}

static int count(as_table *table, uint32_t from, uint32_t to)
{
    int there = 0;

    for (uint32_t i = from; i < to; i++) {
        there += got(table, i, NULL);
    }
    return there;
}

static void it_holds_what_it_is_made_for(void **state)
{
    static const int sizes[] = {1, 2, 3, 15, 16, 17, 1000, 8192};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const uint32_t size = (uint32_t)sizes[i];
        as_table table;

        assert_true(as_table_create(&table, sizes[i]));
        for (uint32_t n = 0; n < size; n++) {
            assert_true(put(&table, n));
        }
        assert_int_equal(count(&table, 0, size), size);
        for (uint32_t n = size; n < 3 * size; n++) {
            assert_true(put(&table, n));
        }
        assert_int_equal(count(&table, 0, 3 * size), size);
        as_table_destroy(&table);
    }
}

static void one_of_nothing_keeps_nothing(void **state)
{
    as_table table;

    (void)state;
    assert_true(as_table_create(&table, 0));
    assert_true(put(&table, 1));
    assert_false(got(&table, 1, NULL));
    as_table_remove(&table, (const unsigned char *)"0123456789abcdef", NULL);
    as_table_destroy(&table);
}

/* Who comes again and again stays, however many come once. */
static void what_is_read_stays(void **state)
{
    as_table table;

    (void)state;
    assert_true(as_table_create(&table, 100));
    for (uint32_t n = 0; n < 50; n++) {
        put(&table, n);
    }
    for (uint32_t n = 100; n < 2000; n++) {
        if (n % 40 == 0) {
            assert_int_equal(count(&table, 0, 50), 50);
        }
        put(&table, n);
    }
    assert_int_equal(count(&table, 0, 50), 50);
    as_table_destroy(&table);
}

/* If all were read, one goes all the same. */
static void something_goes_where_all_were_read(void **state)
{
    as_table table;

    (void)state;
    assert_true(as_table_create(&table, 1000));
    for (uint32_t n = 0; n < 3000; n++) {
        put(&table, n);
        assert_true(got(&table, n, NULL));
    }
    assert_int_equal(count(&table, 0, 3000), 1000);
    as_table_destroy(&table);
}

static void what_is_past_its_time_goes_though_it_was_read(void **state)
{
    as_table table;

    (void)state;
    assert_true(as_table_create(&table, 10));
    for (uint32_t n = 0; n < 10; n++) {
        put(&table, n);
        assert_true(got(&table, n, NULL));
    }
    pass(60);
    for (uint32_t n = 10; n < 20; n++) {
        put(&table, n);
    }
    assert_int_equal(count(&table, 10, 20), 10);
    as_table_destroy(&table);
}

/* A stamp is that of one thing, in one cell, for as long as it is there. */
static void a_stamp_ends_with_what_it_was_given_for(void **state)
{
    as_acceptance found, again;
    as_table table;

    (void)state;
    assert_true(as_table_create(&table, 1));
    put(&table, 1);
    assert_true(got(&table, 1, &found) && found.stamp != 0 && as_table_has(&table, &found));
    assert_true(got(&table, 1, &again) && again.cell == found.cell && again.stamp == found.stamp);
    /* replaced by a younger one of the same id */
    pass(1);
    put(&table, 1);
    assert_false(as_table_has(&table, &found));
    /* evicted: another takes the cell */
    assert_true(got(&table, 1, &found) && as_table_has(&table, &found));
    put(&table, 2);
    assert_false(as_table_has(&table, &found));
    /* removed */
    assert_true(got(&table, 2, &found) && as_table_has(&table, &found));
    as_slot slot = slot_of(2);
    as_table_remove(&table, slot.id, NULL);
    free(slot.payload);
    assert_false(as_table_has(&table, &found));
    /* past its time, and found to be */
    put(&table, 3);
    assert_true(got(&table, 3, &found) && as_table_has(&table, &found));
    pass(60);
    assert_false(got(&table, 3, NULL));
    assert_false(as_table_has(&table, &found));
    /* what is none */
    memset(&found, 0, sizeof found);
    assert_false(as_table_has(&table, &found));
    found.stamp = 1;
    found.cell = 1;
    assert_false(as_table_has(&table, &found));
    as_table_destroy(&table);
}

static void an_older_one_does_not_replace_a_younger_one(void **state)
{
    as_slot old = slot_of(1);
    as_table table;

    (void)state;
    assert_true(as_table_create(&table, 4));
    pass(1);
    put(&table, 1);
    assert_false(as_table_put(&table, &old, (as_moment){wall, mono}));
    assert_true(got(&table, 1, NULL));
    as_table_destroy(&table);
}

/* ---- threads ---- */

#define THREADS 4
#define ROUNDS 20000

static as_table crowded;

static void *crowd(void *data)
{
    uint32_t random = *(uint32_t *)data;
    as_moment now = {wall, mono};

    for (int i = 0; i < ROUNDS; i++) {
        random = random * 1664525 + 1013904223;
        uint32_t number = random >> 16 & 63;
        as_slot slot = slot_of(number);
        unsigned char id[AS_SIPHASH_SIZE];

        memcpy(id, slot.id, sizeof id);
        switch (random >> 28 & 3) {
        case 0:
            as_table_put(&crowded, &slot, now);
            break;
        case 1:
            as_table_remove(&crowded, id, NULL);
            free(slot.payload);
            break;
        default: {
            as_acceptance found;
            as_wanted wanted = {.id = id, .now = now, .found = &found};
            apr_pool_t *own;
            size_t length;
            unsigned char *payload;

            assert_int_equal(apr_pool_create_unmanaged(&own), APR_SUCCESS);
            payload = as_table_get(&crowded, &wanted, own, &length);
            if (payload) {
                /* No assert_: cmocka's are not for threads. */
                if (as_get_number(payload, 4) != number) {
                    abort();
                }
                as_table_has(&crowded, &found);
                as_table_note_read(&crowded, &found);
            }
            apr_pool_destroy(own);
            free(slot.payload);
        }
        }
    }
    return NULL;
}

static void threads_lose_no_cell(void **state)
{
    uint32_t seeds[THREADS] = {1, 2, 3, 4};
    pthread_t threads[THREADS];

    (void)state;
    assert_true(as_table_create(&crowded, 24));
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, crowd, &seeds[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (uint32_t n = 100; n < 200; n++) {
        put(&crowded, n);
    }
    assert_int_equal(count(&crowded, 0, 200), 24);
    as_table_destroy(&crowded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(it_holds_what_it_is_made_for),
        ROW(one_of_nothing_keeps_nothing),
        ROW(what_is_read_stays),
        ROW(something_goes_where_all_were_read),
        ROW(what_is_past_its_time_goes_though_it_was_read),
        ROW(a_stamp_ends_with_what_it_was_given_for),
        ROW(an_older_one_does_not_replace_a_younger_one),
        ROW(threads_lose_no_cell),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
