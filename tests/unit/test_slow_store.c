/* SPDX-License-Identifier: Apache-2.0
 *
 * A store that answers slowly.
 */
#include "fake_store.h"
#include "within.h"

static void expect_state(as_cache *memory, as_store_state state, bool changed)
{
    bool has_changed;

    assert_int_equal(as_cache_get_store_state(memory, &has_changed), state);
    assert_int_equal(has_changed, changed);
}

static void slow_is_away(void **state)
{
    as_cache *here = a_process();
    int calls;

    (void)state;
    keep(a_process(), alice, AS_OUTCOME_GRANTED);
    shelf.takes = SECOND * 6 / 10;
    assert_int_equal(recalled(here, alice), AS_OUTCOME_GRANTED);
    expect_state(here, AS_STORE_DOWN, true);
    calls = shelf.calls;
    for (int i = 0; i < 20; i++) {
        recalled(here, with_password("other"));
    }
    assert_int_equal(shelf.calls, calls);
}

/* A store that answers, but so slowly that each login would wait several times. */
static void slow_answers_are_gone_around(void **state)
{
    as_cache *here = a_process();
    const int64_t began = mono;
    int calls, i;

    (void)state;
    shelf.takes = SECOND * 45 / 100;
    for (i = 0; i < 40; i++) {
        recalled(here, with_password("other"));
        keep(here, with_password("another"), AS_OUTCOME_WRONG_PASSWORD);
    }
    assert_int_equal(shelf.calls, 3);
    assert_true(mono - began < 2 * SECOND);
    expect_state(here, AS_STORE_SLOW, true);
    expect_state(here, AS_STORE_SLOW, false);
    calls = shelf.calls;
    for (i = 0; i < 3600; i++) {
        pass(0.1);
        recalled(here, with_password("other"));
    }
    assert_within(shelf.calls - calls, 14, 17);
    expect_state(here, AS_STORE_SLOW, false);
    shelf.takes = 0;
    pass(31);
    keep(here, with_password("another"), AS_OUTCOME_WRONG_PASSWORD);
    expect_state(here, AS_STORE_UP, true);
}

/* Two slow answers in a row are no state of the store. */
static void a_slow_answer_now_and_then_is_nothing(void **state)
{
    as_cache *here = a_process();
    int i;

    (void)state;
    for (i = 0; i < 40; i++) {
        shelf.takes = i % 3 ? 0 : SECOND * 45 / 100; /* of the two calls of one recall */
        recalled(here, with_password("other"));
        expect_state(here, AS_STORE_UP, false);
    }
    assert_int_equal(shelf.calls, 80);
}

static as_cache *overlapping_in;
static int overlapping, most_overlapping;

/* Calls that all begin before the first ends. */
static apr_status_t overlapping_retrieve(void *context, const unsigned char id[AS_HASH_SIZE], unsigned char *data,
                                         unsigned int *length, apr_pool_t *p)
{
    unsigned char another[AS_STORED_MAX];
    size_t its_length;

    (void)context;
    (void)data;
    (void)length;
    shelf.calls++;
    if (++overlapping < most_overlapping) {
        as_shared_fetch(overlapping_in, id, another, &its_length, p);
    } else {
        mono += shelf.takes;
    }
    return APR_NOTFOUND;
}

static void stall(int calls)
{
    static const unsigned char id[AS_HASH_SIZE] = {1};
    unsigned char data[AS_STORED_MAX];
    size_t length;

    overlapping = 0;
    most_overlapping = calls;
    as_shared_fetch(overlapping_in, id, data, &length, pool);
}

/* One stall is one slow answer, however many wait for it. */
static void slow_answers_at_one_time_are_one(void **state)
{
    const as_store store = {&shelf, overlapping_retrieve, fake_keep, fake_remove, false};

    (void)state;
    overlapping_in = a_process_with(&store, key, 64);
    shelf.takes = SECOND * 2 / 10;
    stall(8);
    stall(8);
    assert_int_equal(shelf.calls, 16);
    expect_state(overlapping_in, AS_STORE_UP, false);
    stall(8);
    expect_state(overlapping_in, AS_STORE_SLOW, true);
    stall(1);
    assert_int_equal(shelf.calls, 24);
    pass(1);
    shelf.takes = 0;
    stall(1);
    assert_int_equal(shelf.calls, 25);
}

/* It is the machine that is. */
static void memory_is_never_slow(void **state)
{
    const as_store store = {&shelf, fake_retrieve, fake_keep, fake_remove, true};
    as_cache *here = a_process_with(&store, key, 64);

    (void)state;
    shelf.takes = SECOND * 4 / 10;
    for (int i = 0; i < 8; i++) {
        recalled(here, with_password("other"));
    }
    assert_int_equal(shelf.calls, 16);
    expect_state(here, AS_STORE_UP, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(slow_is_away),
        ROW(slow_answers_are_gone_around),
        ROW(a_slow_answer_now_and_then_is_nothing),
        ROW(slow_answers_at_one_time_are_one),
        ROW(memory_is_never_slow),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("slow store", tests, NULL, NULL);
}
