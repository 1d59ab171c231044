/* SPDX-License-Identifier: Apache-2.0
 *
 * The same question at the same moment, by real threads and clocks. With -fsanitize=thread, this is where races show.
 */
#include "fake_store.h"
#include "within.h"

#include <sys/mman.h>

#include <pthread.h>
#include <sched.h>

#define THREADS 8

static as_cache *memory;
static as_counters *counters;

static as_cache *a_real_process(void)
{
    memory = as_cache_create(pool, &usual_times, NULL, key, 32, 64);
    assert_non_null(memory);
    counters = apr_pcalloc(pool, as_counters_get_size());
    as_cache_set_counters(memory, counters);
    return memory;
}

/* ---- one after the other ---- */

static as_single_flight *begin(const as_cache_key *subject, double seconds, bool expect_lead)
{
    bool leads;
    as_single_flight *flight =
        as_single_flight_begin(memory, subject, as_clock_read_mono() + (as_mono)(seconds * SECOND), pool, &leads);

    assert_non_null(flight);
    assert_int_equal(leads, expect_lead);
    return flight;
}

static void one_queries_and_all_are_answered(void **state)
{
    static const char *const name[] = {"alice", NULL};
    static const as_values values[] = {name, NULL, NULL};
    as_cache_key other = alice;
    as_cached_answer answer = make_answer(AS_OUTCOME_GRANTED), again;
    as_single_flight *leader, *followers[3];

    (void)state;
    a_real_process();
    answer.values = values;
    answer.value_count = 2;
    leader = begin(&alice, 5, true);
    for (int i = 0; i < 3; i++) {
        followers[i] = begin(&alice, 5, false);
    }
    for (int i = 0; i < 4 * AS_SHARDS; i++) { /* other questions are not waited for */
        other.password = apr_psprintf(pool, "other%d", i);
        begin(&other, 5, true);
    }
    as_single_flight_end(leader, &answer);
    as_single_flight_end(begin(&alice, 5, true), NULL); /* who comes afterwards asks anew */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(as_single_flight_wait(followers[i], pool, &again), AS_WAITED_ANSWER);
        assert_int_equal(again.finding.outcome, AS_OUTCOME_GRANTED);
        assert_string_equal(again.dn, "uid=alice,dc=x");
        assert_string_equal(again.values[0][0], "alice");
        assert_null(again.values[1]);
    }
    assert_int_equal(as_counters_get(counters, AS_COUNTER_cache_coalesced), 3);
}

/* A hung directory is not queried by one request after the other. */
static void an_outage_is_for_all_but_who_has_time_left(void **state)
{
    as_cached_answer answer = make_answer(AS_OUTCOME_DIRECTORY_TIMEOUT), again;
    as_single_flight *leader, *same, *later;

    (void)state;
    a_real_process();
    answer.retry_after = 7;
    answer.finding.of_name = true;
    leader = begin(&alice, 1, true);
    same = begin(&alice, 0.9, false);
    later = begin(&alice, 5, false);
    as_single_flight_end(leader, &answer);
    assert_int_equal(as_single_flight_wait(same, pool, &again), AS_WAITED_ANSWER);
    assert_int_equal(again.finding.outcome, AS_OUTCOME_DIRECTORY_TIMEOUT);
    assert_true(again.finding.of_name);
    assert_int_equal(again.retry_after, 7);
    assert_int_equal(as_single_flight_wait(later, pool, &again), AS_WAITED_NOTHING);
    assert_int_equal(recalled(memory, alice), NOTHING);
}

static void a_leader_without_an_answer_releases_all(void **state)
{
    as_cached_answer large = make_answer(AS_OUTCOME_GRANTED), again;
    char *dn = apr_pcalloc(pool, AS_PAYLOAD_MAX + 1);
    as_single_flight *leader, *follower;
    apr_pool_t *request;
    bool leads;

    (void)state;
    a_real_process();
    leader = begin(&alice, 5, true);
    follower = begin(&alice, 5, false);
    as_single_flight_end(leader, NULL);
    assert_int_equal(as_single_flight_wait(follower, pool, &again), AS_WAITED_NOTHING);

    leader = begin(&alice, 5, true);
    follower = begin(&alice, 5, false);
    memset(dn, 'x', AS_PAYLOAD_MAX);
    large.dn = dn;
    as_single_flight_end(leader, &large);
    as_single_flight_end(leader, &large); /* has ended */
    assert_int_equal(as_single_flight_wait(follower, pool, &again), AS_WAITED_NOTHING);

    apr_pool_create(&request, pool);
    as_single_flight_begin(memory, &alice, as_clock_read_mono() + SECOND, request, &leads);
    assert_true(leads);
    follower = begin(&alice, 5, false);
    begin(&alice, 5, false);                /* who never waits costs nobody anything */
    as_single_flight_end(follower, &large); /* no follower's business */
    apr_pool_destroy(request);
    assert_int_equal(as_single_flight_wait(follower, pool, &again), AS_WAITED_NOTHING);
    assert_int_equal(as_single_flight_wait(follower, pool, &again), AS_WAITED_NOTHING);
}

static void nobody_waits_beyond_his_deadline(void **state)
{
    as_single_flight *leader, *follower, *late;
    as_cached_answer again;
    int64_t began;

    (void)state;
    a_real_process();
    leader = begin(&alice, 5, true);
    follower = begin(&alice, 0.1, false);
    late = begin(&alice, -10, false);
    began = as_clock_read_mono();
    assert_int_equal(as_single_flight_wait(late, pool, &again), AS_WAITED_DEADLINE);
    assert_within(as_clock_read_mono() - began, 0, SECOND);
    assert_int_equal(as_single_flight_wait(follower, pool, &again), AS_WAITED_DEADLINE);
    assert_within(as_clock_read_mono() - began, SECOND / 20, 4 * SECOND);
    as_single_flight_end(leader, NULL);
}

/* ---- all at once ---- */

static atomic_int queried, answered;

static bool is_answered(const as_cache_key *subject, as_mono deadline, apr_pool_t *request)
{
    as_cached_answer answer = make_answer(AS_OUTCOME_GRANTED);
    as_single_flight *flight;
    bool leads;

    if (as_cache_get(memory, subject, apr_time_now(), request, &answer)) {
        return true;
    }
    flight = as_single_flight_begin(memory, subject, deadline, request, &leads);
    if (!leads) {
        return as_single_flight_wait(flight, request, &answer) == AS_WAITED_ANSWER;
    }
    if (as_cache_get(memory, subject, apr_time_now(), request, &answer)) {
        as_single_flight_end(flight, &answer);
        return true;
    }
    atomic_fetch_add(&queried, 1);
    sched_yield();
    as_cache_put(memory, subject, &answer, apr_time_now(), request);
    as_single_flight_end(flight, &answer);
    return true;
}

static void *many_questions(void *data)
{
    apr_pool_t *request;
    char user[16];
    as_cache_key subject = {"www", "d1", user, "secret", NULL};

    (void)data;
    apr_pool_create(&request, NULL);
    for (int i = 0; i < 200; i++) {
        snprintf(user, sizeof user, "user%d", i / 5);
        atomic_fetch_add(&answered, is_answered(&subject, as_clock_read_mono() + 20 * SECOND, request));
        apr_pool_clear(request);
    }
    apr_pool_destroy(request);
    return NULL;
}

static void run(void *(*what)(void *))
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, what, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void each_query_of_many_threads_is_sent_once(void **state)
{
    (void)state;
    a_real_process();
    run(many_questions);
    assert_int_equal(answered, THREADS * 200);
    assert_int_equal(queried, 40);
    assert_int_equal(as_counters_get(counters, AS_COUNTER_cache_hits) +
                         as_counters_get(counters, AS_COUNTER_cache_coalesced) + 40,
                     THREADS * 200);
}

static atomic_int asleep, released;

int __real_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until);

/* Counts who sleeps: the mutex is free again when the thread does. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until)
{
    atomic_fetch_add(&asleep, 1);
    return __real_pthread_cond_timedwait(condition, mutex, until);
}

static void *follow(void *data)
{
    as_cached_answer answer;
    as_single_flight *flight;
    apr_pool_t *request;
    bool leads;

    (void)data;
    apr_pool_create(&request, NULL);
    flight = as_single_flight_begin(memory, &alice, as_clock_read_mono() + 10 * SECOND, request, &leads);
    atomic_fetch_add(&released, as_single_flight_wait(flight, request, &answer) == AS_WAITED_ANSWER);
    apr_pool_destroy(request);
    return NULL;
}

static void *lead(void *data)
{
    as_cached_answer answer = make_answer(AS_OUTCOME_WRONG_PASSWORD);

    while (atomic_load(&asleep) < THREADS) {
        sched_yield();
    }
    as_single_flight_end(data, &answer);
    return NULL;
}

static void all_that_sleep_are_woken(void **state)
{
    pthread_t leader;

    (void)state;
    a_real_process();
    atomic_store(&asleep, 0);
    assert_int_equal(pthread_create(&leader, NULL, lead, begin(&alice, 10, true)), 0);
    run(follow);
    pthread_join(leader, NULL);
    assert_int_equal(released, THREADS);
}

static as_throttles *throttles;

static void make_throttles(void)
{
    static void *shared;

    if (shared) {
        munmap(shared, as_throttles_get_size());
    }
    shared = mmap(NULL, as_throttles_get_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    assert_true(as_throttles_begin(shared));
    throttles = as_throttles_create(pool, shared, memory);
}

static atomic_int admitted;

static void *guess(void *data)
{
    static const as_throttle throttle = {20, 300 * SECOND, true, false, false};
    apr_pool_t *request;
    apr_time_t stamp;

    (void)data;
    apr_pool_create(&request, NULL);
    for (int i = 0; i < 100; i++) {
        if (as_throttle_admit(throttles, &throttle, &(as_counted_bind){"alice", AS_BIND_GUESS, 0}, request, &stamp) ==
            0) {
            atomic_fetch_add(&admitted, 1);
            as_throttle_record_failure(throttles, "alice", stamp, request);
        }
        apr_pool_clear(request);
    }
    apr_pool_destroy(request);
    return NULL;
}

static pthread_mutex_t shelf_lock = PTHREAD_MUTEX_INITIALIZER;

static apr_status_t locked_retrieve(void *context, const unsigned char id[AS_HASH_SIZE], unsigned char *data,
                                    unsigned int *length, apr_pool_t *p)
{
    apr_status_t status;

    pthread_mutex_lock(&shelf_lock);
    status = fake_retrieve(context, id, data, length, p);
    pthread_mutex_unlock(&shelf_lock);
    return status;
}

static apr_status_t locked_keep(void *context, const unsigned char id[AS_HASH_SIZE], apr_time_t expiry,
                                const unsigned char *data, unsigned int length, apr_pool_t *p)
{
    static int kept;
    apr_status_t status;

    pthread_mutex_lock(&shelf_lock);
    shelf.answer = ++kept % 5 == 0 ? APR_EGENERAL : APR_SUCCESS; /* comes and goes */
    status = fake_keep(context, id, expiry, data, length, p);
    pthread_mutex_unlock(&shelf_lock);
    return status;
}

static apr_status_t always_keep(void *context, const unsigned char id[AS_HASH_SIZE], apr_time_t expiry,
                                const unsigned char *data, unsigned int length, apr_pool_t *p)
{
    apr_status_t status;

    pthread_mutex_lock(&shelf_lock);
    status = fake_keep(context, id, expiry, data, length, p);
    pthread_mutex_unlock(&shelf_lock);
    return status;
}

static apr_status_t locked_remove(void *context, const unsigned char id[AS_HASH_SIZE], apr_pool_t *p)
{
    apr_status_t status;

    pthread_mutex_lock(&shelf_lock);
    status = fake_remove(context, id, p);
    pthread_mutex_unlock(&shelf_lock);
    return status;
}

static void many_guessers_have_no_more_guesses_than_one(void **state)
{
    static const as_store locked = {&shelf, locked_retrieve, always_keep, locked_remove, false};

    (void)state;
    for (int i = 0; i < 20; i++) {
        a_real_process();
        as_shared_init(&memory->shared, i % 2 ? &locked : NULL);
        memset(&shelf, 0, sizeof shelf);
        make_throttles();
        atomic_store(&admitted, 0);
        run(guess);
        assert_int_equal(admitted, 20);
    }
}

static void *everything(void *data)
{
    static const as_throttle throttle = {3, 60 * SECOND, true, true, false};
    static const as_outcome outcomes[] = {AS_OUTCOME_GRANTED, AS_OUTCOME_WRONG_PASSWORD, AS_OUTCOME_DIRECTORY_DOWN};
    static void (*const settle[])(as_throttles *, const char *, apr_time_t, apr_pool_t *) = {
        as_throttle_record_success, as_throttle_record_failure, as_throttle_withdraw};
    apr_pool_t *request;
    char user[16];
    as_cache_key subject = {"www", "d1", user, "secret", NULL};

    (void)data;
    apr_pool_create(&request, NULL);
    for (int i = 0; i < 1000; i++) {
        as_cached_answer answer = make_answer(outcomes[i % 3]), again;
        apr_time_t now = apr_time_now(), stamp;
        bool changed;

        snprintf(user, sizeof user, "u%d", i % 10);
        if (!as_cache_get(memory, &subject, now, request, &again) &&
            as_throttle_check_client(throttles, &throttle, "c", request) == 0 &&
            as_throttle_admit(
                throttles, &throttle,
                &(as_counted_bind){user, i % 7 == 0 ? AS_BIND_CACHED : AS_BIND_GUESS, as_clock_read_mono() + 1000},
                request, &stamp) == 0) {
            as_throttle_keep_spelling(throttles, "d1", user, user);
            settle[i % 3](throttles, user, stamp, request);
            as_throttle_count_client(throttles, &throttle, "c", request);
            as_cache_put(memory, &subject, &answer, now, request);
        }
        as_cache_put_entry(memory, &subject, &answer, true, now);
        as_cache_get_entry(memory, &subject, now, request, &again);
        as_cache_remove_entry(memory, &subject);
        as_cache_get_store_state(memory, &changed);
        as_counters_count_outcome(counters, answer.finding.outcome);
        apr_pool_clear(request);
    }
    apr_pool_destroy(request);
    return NULL;
}

static void many_threads_do_everything(void **state)
{
    static const as_store locked = {&shelf, locked_retrieve, locked_keep, locked_remove, false};

    (void)state;
    a_real_process();
    as_shared_init(&memory->shared, &locked);
    make_throttles();
    run(everything);
    assert_int_equal(as_counters_get_outcome(counters, AS_OUTCOME_GRANTED), THREADS * 334);
    assert_true(as_counters_get(counters, AS_COUNTER_store_errors) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(one_queries_and_all_are_answered),
        ROW(an_outage_is_for_all_but_who_has_time_left),
        ROW(a_leader_without_an_answer_releases_all),
        ROW(nobody_waits_beyond_his_deadline),
        ROW(all_that_sleep_are_woken),
        ROW(each_query_of_many_threads_is_sent_once),
        ROW(many_guessers_have_no_more_guesses_than_one),
        ROW(many_threads_do_everything),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("flight", tests, NULL, NULL);
}
