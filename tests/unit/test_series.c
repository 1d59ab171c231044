/* SPDX-License-Identifier: Apache-2.0
 *
 * The series of the last hour and day, by a clock that the test sets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include <apr_general.h>

#include "authstatus/series.h"

/* A round quarter of an hour. */
#define NOON (INT64_C(1800000000) / 900 * 900)

static apr_pool_t *pool;
static as_counters *counters;
static as_series *series;
static uint32_t epoch;

static int begin(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    counters = apr_pcalloc(pool, as_counters_get_size());
    series = apr_pcalloc(pool, as_series_get_size());
    epoch = as_series_begin(series, counters, true);
    return 0;
}

static int end(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

static void count(as_outcome outcome, int times)
{
    while (times-- > 0) {
        as_counters_count_outcome(counters, outcome);
    }
}

static void sample(int64_t now)
{
    as_series_sample(series, counters, NULL, 0, epoch, now);
}

static uint32_t granted(as_series_ring ring, int age, int64_t now)
{
    as_series_point point;

    as_series_read(series, ring, age, now, &point);
    return point.classes[AS_CLASS_GRANTED];
}

static void each_minute_has_what_came_in_it(void **state)
{
    as_series_point point;

    (void)state;
    count(AS_OUTCOME_GRANTED, 3);
    count(AS_OUTCOME_WRONG_PASSWORD, 1);
    count(AS_OUTCOME_UNKNOWN_USER, 1);
    as_counters_add(counters, AS_COUNTER_cache_hits, 7);
    sample(NOON);
    count(AS_OUTCOME_GRANTED, 2);
    sample(NOON + 59);
    count(AS_OUTCOME_DIRECTORY_DOWN, 4);
    sample(NOON + 60);
    assert_true(as_series_read(series, AS_SERIES_HOUR, 1, NOON + 60, &point));
    assert_int_equal(point.begins, NOON);
    assert_int_equal(point.classes[AS_CLASS_GRANTED], 5);
    assert_int_equal(point.classes[AS_CLASS_UNAUTHENTICATED], 2);
    assert_int_equal(point.classes[AS_CLASS_UNAVAILABLE], 0);
    assert_int_equal(point.counters[AS_SERIES_cache_hits], 7);
    assert_true(as_series_read(series, AS_SERIES_HOUR, 0, NOON + 60, &point));
    assert_int_equal(point.classes[AS_CLASS_UNAVAILABLE], 4);
    assert_int_equal(point.classes[AS_CLASS_GRANTED], 0);
    /* The quarter has all of it. */
    assert_true(as_series_read(series, AS_SERIES_DAY, 0, NOON + 60, &point));
    assert_int_equal(point.classes[AS_CLASS_GRANTED], 5);
    assert_int_equal(point.classes[AS_CLASS_UNAVAILABLE], 4);
    assert_int_equal(as_series_get_samples(series), 3);
}

static void where_no_sample_was_taken_is_nothing(void **state)
{
    as_series_point point;

    (void)state;
    count(AS_OUTCOME_GRANTED, 1);
    sample(NOON);
    assert_false(as_series_read(series, AS_SERIES_HOUR, 2, NOON + 60, &point));
    assert_int_equal(point.begins, NOON - 60);
    assert_false(as_series_read(series, AS_SERIES_HOUR, 0, NOON + 60, &point));
    assert_false(as_series_read(series, AS_SERIES_HOUR, -1, NOON, &point));
    assert_false(as_series_read(series, AS_SERIES_HOUR, AS_SERIES_HOUR_SLOTS, NOON, &point));
    assert_false(as_series_read(NULL, AS_SERIES_HOUR, 0, NOON, &point));
    assert_false(as_series_read(series, AS_SERIES_HOUR, 0, 0, &point));
    as_series_sample(NULL, counters, NULL, 0, 0, NOON);
    as_series_sample(series, NULL, NULL, 0, 0, NOON);
    as_series_sample(series, counters, NULL, 0, epoch, -5);
    assert_int_equal(as_series_get_samples(series), 1);
}

static void a_ring_goes_round(void **state)
{
    (void)state;
    for (int minute = 0; minute < 3 * AS_SERIES_HOUR_SLOTS; minute++) {
        count(AS_OUTCOME_GRANTED, minute % 7);
        sample(NOON + 60 * minute);
    }
    for (int age = 0; age < AS_SERIES_HOUR_SLOTS; age++) {
        const int minute = 3 * AS_SERIES_HOUR_SLOTS - 1 - age;

        assert_int_equal(granted(AS_SERIES_HOUR, age, NOON + 60 * (3 * AS_SERIES_HOUR_SLOTS - 1)), minute % 7);
    }
    /* What is older than an hour is in the quarters. */
    assert_int_equal(granted(AS_SERIES_DAY, 11, NOON + 60 * (3 * AS_SERIES_HOUR_SLOTS - 1)), 2 * 21 + 0);
}

static void a_clock_that_is_set_back_or_forward(void **state)
{
    (void)state;
    count(AS_OUTCOME_GRANTED, 1);
    sample(NOON);
    /* Ten minutes back: both are shown where they were counted, and nothing twice. */
    count(AS_OUTCOME_GRANTED, 2);
    sample(NOON - 600);
    assert_int_equal(granted(AS_SERIES_HOUR, 0, NOON - 600), 2);
    count(AS_OUTCOME_GRANTED, 4);
    sample(NOON + 1);
    assert_int_equal(granted(AS_SERIES_HOUR, 0, NOON + 1), 5);
    assert_int_equal(granted(AS_SERIES_HOUR, 10, NOON + 1), 2);
    /* A year ahead and back again: the slots of the future give way. */
    count(AS_OUTCOME_GRANTED, 8);
    sample(NOON + INT64_C(365) * 86400);
    count(AS_OUTCOME_GRANTED, 16);
    sample(NOON + 2);
    assert_int_equal(granted(AS_SERIES_HOUR, 0, NOON + INT64_C(365) * 86400), 0);
    assert_int_equal(granted(AS_SERIES_HOUR, 0, NOON + 2), 16);
}

static void what_was_counted_before_the_series_is_not_in_it(void **state)
{
    (void)state;
    memset(series, 0, as_series_get_size());
    count(AS_OUTCOME_GRANTED, 100);
    epoch = as_series_begin(series, counters, true);
    count(AS_OUTCOME_GRANTED, 1);
    sample(NOON);
    assert_int_equal(granted(AS_SERIES_HOUR, 0, NOON), 1);
    /* A restart that finds the memory again goes on, and loses nothing that came meanwhile. */
    count(AS_OUTCOME_GRANTED, 2);
    epoch = as_series_begin(series, counters, false);
    sample(NOON);
    assert_int_equal(granted(AS_SERIES_HOUR, 0, NOON), 3);
}

static void servers_have_questions_and_a_latency(void **state)
{
    as_series_server servers[] = {{"one:389", 10, 2000, false}, {"two:389", 0, 0, true}};
    as_series_server_point point;

    (void)state;
    as_series_sample(series, counters, servers, 2, epoch, NOON);
    servers[0].questions = 15;
    servers[0].latency = 4000;
    as_series_sample(series, counters, servers, 2, epoch, NOON + 10);
    /* Not queried since: the moving average is not of this time. */
    servers[0].latency = 90000;
    as_series_sample(series, counters, servers, 2, epoch, NOON + 20);
    assert_true(as_series_read_server(series, AS_SERIES_HOUR, 0, NOON + 20, "one:389", &point));
    assert_int_equal(point.questions, 15);
    assert_int_equal(point.latency, 3000);
    assert_false(point.circuit_open);
    assert_true(as_series_read_server(series, AS_SERIES_DAY, 0, NOON + 20, "two:389", &point));
    assert_int_equal(point.questions, 0);
    assert_int_equal(point.latency, 0);
    assert_true(point.circuit_open);
    assert_false(as_series_read_server(series, AS_SERIES_HOUR, 0, NOON + 20, "three:389", &point));
    /* Questions begin anew with the configuration; what children of the former one say is left out. */
    servers[0].questions = 1;
    servers[0].latency = 1000;
    as_series_sample(series, counters, servers, 1, as_series_begin(series, counters, false), NOON + 60);
    servers[0].questions = 1000;
    as_series_sample(series, counters, servers, 1, epoch, NOON + 60);
    assert_true(as_series_read_server(series, AS_SERIES_HOUR, 0, NOON + 60, "one:389", &point));
    assert_int_equal(point.questions, 1);
    assert_int_equal(point.latency, 1000);
}

static void more_servers_than_there_is_room_for(void **state)
{
    char name[32];
    as_series_server server = {name, 0, 5000, false};
    as_series_server_point point;

    (void)state;
    for (int i = 0; i < 2 * AS_SERIES_SERVERS; i++) {
        snprintf(name, sizeof name, "server%d:636", i);
        server.questions = 1;
        as_series_sample(series, counters, &server, 1, epoch, NOON + i);
    }
    assert_true(as_series_read_server(series, AS_SERIES_HOUR, 0, NOON + 40, "server15:636", &point));
    assert_false(as_series_read_server(series, AS_SERIES_HOUR, 0, NOON + 40, "server16:636", &point));
    /* A quarter of an hour later the one that was sampled last gives way, with its cells. */
    server.questions = 3;
    strcpy(name, "later:636");
    as_series_sample(series, counters, &server, 1, epoch, NOON + 960);
    assert_false(as_series_read_server(series, AS_SERIES_HOUR, 16, NOON + 960, "server0:636", &point));
    assert_true(as_series_read_server(series, AS_SERIES_HOUR, 0, NOON + 960, "later:636", &point));
    assert_int_equal(point.questions, 3);
    assert_true(as_series_read_server(series, AS_SERIES_HOUR, 16, NOON + 960, "later:636", &point));
    assert_int_equal(point.questions, 0);
}

#define SAMPLERS 4
#define LOGINS 20000

static void *samples_all_the_time(void *unused)
{
    (void)unused;
    for (int i = 0; i < LOGINS; i++) {
        as_counters_count_outcome(counters, AS_OUTCOME_GRANTED);
        if (i % 10 == 0) {
            sample(NOON + i / 1000);
        }
    }
    return NULL;
}

static void samplers_that_meet_count_each_login_once(void **state)
{
    pthread_t threads[SAMPLERS];

    (void)state;
    for (int i = 0; i < SAMPLERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, samples_all_the_time, NULL), 0);
    }
    for (int i = 0; i < SAMPLERS; i++) {
        pthread_join(threads[i], NULL);
    }
    sample(NOON + 59);
    assert_int_equal(granted(AS_SERIES_HOUR, 0, NOON + 59), SAMPLERS * LOGINS);
    assert_int_equal(granted(AS_SERIES_DAY, 0, NOON + 59), SAMPLERS * LOGINS);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_minute_has_what_came_in_it),
        TEST(where_no_sample_was_taken_is_nothing),
        TEST(a_ring_goes_round),
        TEST(a_clock_that_is_set_back_or_forward),
        TEST(what_was_counted_before_the_series_is_not_in_it),
        TEST(servers_have_questions_and_a_latency),
        TEST(more_servers_than_there_is_room_for),
        TEST(samplers_that_meet_count_each_login_once),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
