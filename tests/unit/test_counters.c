/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_store.h"
#include "within.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void each_counts_for_itself(void **state)
{
    as_counters *counters = apr_pcalloc(pool, as_counters_get_size());

    (void)state;
    for (int i = 0; i < AS_OUTCOME_COUNT; i++) {
        for (int times = 0; times <= i; times++) {
            as_counters_count_outcome(counters, (as_outcome)i);
        }
    }
    for (int i = 0; i < AS_COUNTER_COUNT; i++) {
        as_counters_add(counters, (as_counter)i, 100 + (unsigned long)i);
        assert_true(*as_counter_get_help((as_counter)i) != '\0');
    }
    for (int i = 0; i < AS_OUTCOME_COUNT; i++) {
        assert_int_equal(as_counters_get_outcome(counters, (as_outcome)i), i + 1);
    }
    for (int i = 0; i < AS_COUNTER_COUNT; i++) {
        assert_int_equal(as_counters_get(counters, (as_counter)i), 100 + i);
    }
}

static void what_is_no_counter_counts_nothing(void **state)
{
    as_counters *counters = apr_pcalloc(pool, as_counters_get_size()),
                *zero = apr_pcalloc(pool, as_counters_get_size());

    (void)state;
    as_counters_count_outcome(counters, AS_OUTCOME_COUNT);
    as_counters_count_outcome(counters, (as_outcome)-1);
    as_counters_add(counters, AS_COUNTER_COUNT, 1);
    assert_memory_equal(counters, zero, as_counters_get_size());
    assert_int_equal(as_counters_get_outcome(counters, AS_OUTCOME_COUNT), 0);
    assert_int_equal(as_counters_get(counters, AS_COUNTER_COUNT), 0);
    assert_string_equal(as_counter_get_help(AS_COUNTER_COUNT), "");
    as_counters_count_outcome(NULL, AS_OUTCOME_GRANTED);
    as_counters_add(NULL, AS_COUNTER_cache_hits, 1);
    assert_int_equal(as_counters_get_outcome(NULL, AS_OUTCOME_GRANTED), 0);
    assert_int_equal(as_counters_get(NULL, AS_COUNTER_cache_hits), 0);
    assert_int_equal(as_generation_get(NULL, 0), 0);
    assert_int_equal(as_generation_advance(NULL, 0), 0);
}

static void what_came_lately_is_counted_apart(void **state)
{
    as_counters *counters = apr_pcalloc(pool, as_counters_get_size());
    apr_interval_time_t within = 0;

    (void)state;
    assert_int_equal(as_counters_get_start(counters), 0);
    as_counters_begin(counters, 42);
    assert_int_equal(as_counters_get_start(counters), 42);
    for (int i = 0; i < 5; i++) {
        as_counters_count_outcome(counters, AS_OUTCOME_WRONG_PASSWORD);
    }
    assert_int_equal(as_counters_get_recent(counters, AS_OUTCOME_WRONG_PASSWORD, &within), 5);
    assert_within(within, apr_time_from_sec(270), apr_time_from_sec(300));
    assert_int_equal(as_counters_get_recent(counters, AS_OUTCOME_GRANTED, &within), 0);
    assert_int_equal(as_counters_get_recent(counters, AS_OUTCOME_COUNT, &within), 0);
    assert_int_equal(as_counters_get_recent(NULL, AS_OUTCOME_GRANTED, &within), 0);
    assert_int_equal(as_counters_get_start(NULL), 0);
    for (int i = 0; i < AS_COUNTER_COUNT; i++) {
        assert_true(*as_counter_get_name((as_counter)i) != '\0');
    }
    assert_string_equal(as_counter_get_name(AS_COUNTER_COUNT), "");
}

static void a_generation_changes_for_its_users(void **state)
{
    as_counters *counters = apr_pcalloc(pool, as_counters_get_size());
    unsigned char id[AS_HASH_SIZE] = {0};
    uint32_t one = as_generation_choose_index(id), other;

    (void)state;
    id[3] = 1;
    other = as_generation_choose_index(id);
    assert_int_not_equal(one, other);
    assert_int_equal(as_generation_get(counters, one), 0);
    assert_int_equal(as_generation_advance(counters, one), 1);
    assert_int_equal(as_generation_get(counters, one), 1);
    assert_int_equal(as_generation_get(counters, other), 0);
    memset(id, 0xff, sizeof id);
    assert_int_equal(as_generation_get(counters, as_generation_choose_index(id)), 0);
}

static void recalling_is_counted(void **state)
{
    as_counters *counters = apr_pcalloc(pool, as_counters_get_size());
    as_cache *memory = a_process();

    (void)state;
    as_cache_set_counters(memory, counters);
    recalled(memory, alice);
    keep(memory, alice, AS_OUTCOME_GRANTED);
    recalled(memory, alice);
    recalled(memory, alice);
    assert_int_equal(as_counters_get(counters, AS_COUNTER_cache_misses), 1);
    assert_int_equal(as_counters_get(counters, AS_COUNTER_cache_hits), 2);
}

static void *count_up(void *counters)
{
    for (int i = 0; i < 20000; i++) {
        as_counters_count_outcome(counters, AS_OUTCOME_GRANTED);
        as_counters_add(counters, AS_COUNTER_cache_hits, 2);
    }
    return NULL;
}

static void processes_and_threads_lose_no_count(void **state)
{
    void *map = mmap(NULL, as_counters_get_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_t threads[4];
    pid_t children[4];
    int status;

    (void)state;
    assert_true(map != MAP_FAILED);
    for (int i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            count_up(map);
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, map), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(as_counters_get_outcome(map, AS_OUTCOME_GRANTED), 8 * 20000);
    assert_int_equal(as_counters_get(map, AS_COUNTER_cache_hits), 8 * 40000);
    munmap(map, as_counters_get_size());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(each_counts_for_itself), ROW(what_is_no_counter_counts_nothing),   ROW(a_generation_changes_for_its_users),
        ROW(recalling_is_counted),   ROW(processes_and_threads_lose_no_count), ROW(what_came_lately_is_counted_apart),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
