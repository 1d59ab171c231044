/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_store.h"
#include "within.h"

#include <malloc.h>

static void one_subject_has_nothing_of_another(void **state)
{
    static const as_cache_key others[] = {
        {"www2", "d1", "alice", "secret", NULL}, {"www", "d2", "alice", "secret", NULL},
        {"www", "d1", "alicf", "secret", NULL},  {"www", "d1", "Alice", "secret", NULL},
        {"www", "d1", "alice", "secreu", NULL},  {"www", "d1", "alice", "", NULL},
        {"www", "d1", "alices", "ecret", NULL},  {"wwwd", "1", "alice", "secret", NULL},
        {"www", "d1a", "lice", "secret", NULL},  {"", "wwwd1", "alice", "secret", NULL},
        {"www", "d1", "alice", NULL, NULL},      {"www", "d1", NULL, "secret", NULL},
    };
    as_cache *here = a_process(), *there = a_process();

    (void)state;
    keep(here, alice, AS_OUTCOME_GRANTED);
    keep(here, with_password("wrong"), AS_OUTCOME_WRONG_PASSWORD);
    assert_int_equal(recalled(here, alice), AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(there, alice), AS_OUTCOME_GRANTED);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(recalled(here, others[i]), NOTHING);
        assert_int_equal(recalled(there, others[i]), NOTHING);
    }
}

/* A row for every outcome: those that are not named here are not cached. */
static void only_answers_about_an_account_are_cached(void **state)
{
    static const struct {
        as_outcome outcome;
        int seconds;
    } rows[] = {
        {AS_OUTCOME_GRANTED, 60},          {AS_OUTCOME_PASSWORD_EXPIRING, 60},    {AS_OUTCOME_GRACE_LOGIN, 60},
        {AS_OUTCOME_UNKNOWN_USER, 30},     {AS_OUTCOME_AMBIGUOUS_USER, 30},       {AS_OUTCOME_WRONG_PASSWORD, 30},
        {AS_OUTCOME_ACCOUNT_LOCKED, 30},   {AS_OUTCOME_ACCOUNT_DISABLED, 30},     {AS_OUTCOME_ACCOUNT_EXPIRED, 30},
        {AS_OUTCOME_PASSWORD_EXPIRED, 30}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, 30}, {AS_OUTCOME_LOGON_HOURS, 30},
        {AS_OUTCOME_LOGON_HOST, 30},       {AS_OUTCOME_ACCOUNT_RESTRICTED, 30},   {AS_OUTCOME_NOT_AUTHORIZED, 30},
    };
    int cached = 0;

    (void)state;
    for (int outcome = 0; outcome < AS_OUTCOME_COUNT + 2; outcome++) {
        as_cache *here = a_process(), *there = a_process();
        int seconds = 0;

        memset(&shelf, 0, sizeof shelf);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            seconds = (int)rows[i].outcome == outcome ? rows[i].seconds : seconds;
        }
        keep(here, alice, (as_outcome)outcome);
        assert_int_equal(recalled(here, alice), seconds ? outcome : NOTHING);
        cached += seconds > 0 && recalled(there, alice) == outcome;
        pass(seconds - 0.001);
        assert_int_equal(recalled(here, alice), seconds ? outcome : NOTHING);
        assert_int_equal(recalled(there, alice), seconds ? outcome : NOTHING);
        assert_int_equal(recalled(a_process(), alice), seconds ? outcome : NOTHING);
        pass(0.001);
        assert_int_equal(recalled(here, alice), NOTHING);
        assert_int_equal(recalled(there, alice), NOTHING);
        assert_int_equal(recalled(a_process(), alice), NOTHING);
    }
    assert_int_equal(cached, sizeof rows / sizeof *rows);
}

static void a_grant_without_proof_is_not_cached(void **state)
{
    as_cache *memory = a_process();
    as_cached_answer answer = make_answer(AS_OUTCOME_GRANTED);

    (void)state;
    answer.finding.proven = false;
    as_cache_put(memory, &alice, &answer, wall, pool);
    assert_int_equal(recalled(memory, alice), NOTHING);
}

static void all_of_an_answer_comes_back(void **state)
{
    static const char *const name[] = {"alice", NULL}, *const groups[] = {"", "Ünal", "a; b", NULL};
    static const as_values values[] = {name, NULL, groups};
    as_cached_answer answer = make_answer(AS_OUTCOME_GRACE_LOGIN), again;
    as_cache *processes[] = {a_process(), a_process()};

    (void)state;
    answer.finding.has_code = true;
    answer.finding.code = -7;
    answer.finding.grace_logins = 2;
    strcpy(answer.finding.subcode, "532");
    answer.values = values;
    answer.value_count = 3;
    answer.retry_after = 9;
    as_cache_put(processes[0], &alice, &answer, wall, pool);
    for (int i = 0; i < 2; i++) {
        assert_true(as_cache_get(processes[i], &alice, wall, pool, &again));
        assert_true(again.finding.proven && again.finding.has_code);
        assert_int_equal(again.finding.code, -7);
        assert_int_equal(again.finding.grace_logins, 2);
        assert_int_equal(again.finding.expires_in, -1);
        assert_int_equal(again.retry_after, 0);
        assert_string_equal(again.finding.subcode, "532");
        assert_string_equal(again.dn, "uid=alice,dc=x");
        assert_int_equal(again.value_count, 3);
        assert_string_equal(again.values[0][0], "alice");
        assert_null(again.values[0][1]);
        assert_null(again.values[1]);
        assert_string_equal(again.values[2][0], "");
        assert_string_equal(again.values[2][1], "Ünal");
        assert_string_equal(again.values[2][2], "a; b");
        assert_null(again.values[2][3]);
    }
}

static long expires_in(as_cache *memory)
{
    as_cached_answer answer;

    return as_cache_get(memory, &alice, wall, pool, &answer) ? answer.finding.expires_in : -2;
}

static void seconds_until_expiry_are_reported_less_the_age(void **state)
{
    as_cache *here = a_process(), *there = a_process();
    as_cached_answer answer = make_answer(AS_OUTCOME_PASSWORD_EXPIRING);

    (void)state;
    answer.finding.expires_in = 10;
    as_cache_put(here, &alice, &answer, wall, pool);
    assert_int_equal(expires_in(here), 10);
    pass(3.5);
    assert_int_equal(expires_in(here), 6);
    assert_int_equal(expires_in(there), 6);
    pass(6.5);
    assert_int_equal(expires_in(here), 0);
    pass(0.1);
    assert_int_equal(expires_in(here), -2);
    assert_int_equal(expires_in(there), -2);
}

static void a_refusal_outlives_the_expiry_that_it_reports(void **state)
{
    as_cache *here = a_process();
    as_cached_answer answer = make_answer(AS_OUTCOME_PASSWORD_MUST_CHANGE);

    (void)state;
    answer.finding.expires_in = 0;
    as_cache_put(here, &alice, &answer, wall, pool);
    pass(20);
    assert_int_equal(expires_in(here), 0);
}

static void a_hit_extends_nothing(void **state)
{
    as_cache *here = a_process(), *there = a_process();

    (void)state;
    keep(here, alice, AS_OUTCOME_GRANTED);
    for (int i = 0; i < 59; i++) {
        pass(1);
        assert_int_equal(recalled(i % 2 ? here : there, alice), AS_OUTCOME_GRANTED);
    }
    pass(1);
    assert_int_equal(recalled(here, alice), NOTHING);
    assert_int_equal(recalled(there, alice), NOTHING);
}

static void a_hit_calls_no_store(void **state)
{
    as_cache *here = a_process(), *there = a_process();
    int calls;

    (void)state;
    keep(here, alice, AS_OUTCOME_GRANTED);
    keep(here, with_password("wrong"), AS_OUTCOME_WRONG_PASSWORD);
    recalled(there, alice);
    recalled(there, with_password("wrong"));
    calls = shelf.calls;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(recalled(here, alice), AS_OUTCOME_GRANTED);
        assert_int_equal(recalled(there, alice), AS_OUTCOME_GRANTED);
        assert_int_equal(recalled(here, with_password("wrong")), AS_OUTCOME_WRONG_PASSWORD);
        assert_int_equal(recalled(there, with_password("wrong")), AS_OUTCOME_WRONG_PASSWORD);
    }
    assert_int_equal(shelf.calls, calls);
}

static void a_wrong_password_never_evicts_a_right_one(void **state)
{
    as_cache *here = a_process_with(&fake, key, 8), *there = a_process_with(&fake, key, 8);
    char password[24];

    (void)state;
    keep(here, alice, AS_OUTCOME_GRANTED);
    for (int i = 0; i < 50; i++) {
        snprintf(password, sizeof password, "guess%d", i);
        keep(i % 2 ? here : there, with_password(password), AS_OUTCOME_WRONG_PASSWORD);
    }
    assert_int_equal(recalled(here, alice), AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(there, alice), AS_OUTCOME_GRANTED);
}

static void a_new_password_drops_the_old_one(void **state)
{
    as_cache *here = a_process(), *there = a_process();
    as_counters *counters = apr_pcalloc(pool, as_counters_get_size());

    (void)state;
    as_cache_set_counters(here, counters);
    as_cache_set_counters(there, counters);
    keep(here, alice, AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(here, alice), AS_OUTCOME_GRANTED);
    pass(1);
    keep(there, with_password("new"), AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(there, with_password("new")), AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(there, alice), NOTHING);
    assert_int_equal(recalled(here, alice), NOTHING);
    assert_int_equal(recalled(here, with_password("new")), AS_OUTCOME_GRANTED);
}

static void on_another_machine_the_old_one_goes_with_its_time(void **state)
{
    as_cache *here = a_process(), *there = a_process();

    (void)state;
    keep(here, alice, AS_OUTCOME_GRANTED);
    pass(50);
    keep(there, with_password("new"), AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(here, alice), AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(here, with_password("new")), AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(here, alice), NOTHING);
    pass(10);
    assert_int_equal(recalled(here, alice), NOTHING);
}

static void a_new_password_too_large_to_keep_drops_the_old_one_too(void **state)
{
    as_cache *here = a_process(), *there = a_process();
    as_counters *counters = apr_pcalloc(pool, as_counters_get_size());
    as_cached_answer large = make_answer(AS_OUTCOME_GRANTED);
    as_cache_key renewed = with_password("new");
    char *dn = apr_pcalloc(pool, AS_PAYLOAD_MAX + 1);

    (void)state;
    as_cache_set_counters(here, counters);
    as_cache_set_counters(there, counters);
    memset(dn, 'x', AS_PAYLOAD_MAX);
    large.dn = dn;
    keep(here, alice, AS_OUTCOME_GRANTED);
    as_cache_put(there, &renewed, &large, wall, pool);
    assert_int_equal(recalled(there, renewed), NOTHING);
    assert_int_equal(recalled(there, alice), NOTHING);
    assert_int_equal(recalled(here, alice), NOTHING);

    dn[AS_STORED_MAX] = '\0'; /* for this process alone */
    keep(here, alice, AS_OUTCOME_GRANTED);
    as_cache_put(there, &renewed, &large, wall, pool);
    assert_int_equal(recalled(there, renewed), AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(here, renewed), NOTHING);
    assert_int_equal(recalled(here, alice), NOTHING);
}

static void an_acceptance_forgets_the_refusal_of_its_password(void **state)
{
    as_cache *here = a_process(), *there = a_process();

    (void)state;
    here->times.acceptance = there->times.acceptance = 5 * SECOND;
    keep(here, alice, AS_OUTCOME_ACCOUNT_LOCKED);
    keep(here, alice, AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(here, alice), AS_OUTCOME_GRANTED);
    pass(6);
    assert_int_equal(recalled(here, alice), NOTHING);
    assert_int_equal(recalled(there, alice), NOTHING);
}

static void another_process_s_acceptance_overrules_a_refusal_here(void **state)
{
    as_cache *here = a_process(), *there = a_process();
    as_counters *counters = apr_pcalloc(pool, as_counters_get_size());

    (void)state;
    as_cache_set_counters(here, counters);
    as_cache_set_counters(there, counters);
    keep(here, alice, AS_OUTCOME_ACCOUNT_LOCKED);
    keep(there, alice, AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(here, alice), AS_OUTCOME_GRANTED);
}

static void without_time_or_room_nothing_is_cached(void **state)
{
    as_cache *no_entries = a_process_with(NULL, key, 0), *no_time = a_process();

    (void)state;
    keep(no_entries, alice, AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(no_entries, alice), NOTHING);
    no_time->times = (as_cache_times){0, 0, 0, 0};
    keep(no_time, alice, AS_OUTCOME_GRANTED);
    keep(no_time, alice, AS_OUTCOME_WRONG_PASSWORD);
    assert_int_equal(recalled(no_time, alice), NOTHING);
    assert_int_equal(shelf.calls, 0);
    no_time->times.refusal = SECOND;
    keep(no_time, alice, AS_OUTCOME_GRANTED);
    assert_int_equal(recalled(no_time, alice), NOTHING);
    keep(no_time, alice, AS_OUTCOME_WRONG_PASSWORD);
    assert_int_equal(recalled(no_time, alice), AS_OUTCOME_WRONG_PASSWORD);
}

static as_cache_key numbered(int number)
{
    as_cache_key subject = alice;

    subject.user = apr_psprintf(pool, "user%d", number);
    return subject;
}

static int count_recalled(as_cache *memory, int from, int to)
{
    int count = 0;

    for (int i = from; i < to; i++) {
        count += recalled(memory, numbered(i)) != NOTHING;
    }
    return count;
}

/* As many as there are entries, for any users. */
static void entries_are_for_as_many_users(void **state)
{
    as_cache *memory = a_process_with(NULL, key, 100);

    (void)state;
    for (int i = 0; i < 100; i++) {
        keep(memory, numbered(i), AS_OUTCOME_GRANTED);
    }
    assert_int_equal(count_recalled(memory, 0, 100), 100);
    keep(memory, numbered(100), AS_OUTCOME_GRANTED);
    assert_int_equal(count_recalled(memory, 0, 101), 100);
}

static void refusals_crowd_out_no_acceptance(void **state)
{
    as_cache *memory = a_process_with(NULL, key, 64);

    (void)state;
    keep(memory, alice, AS_OUTCOME_GRANTED);
    for (int i = 0; i < 500; i++) {
        keep(memory, numbered(i), AS_OUTCOME_UNKNOWN_USER);
    }
    assert_int_equal(recalled(memory, alice), AS_OUTCOME_GRANTED);
    assert_int_equal(count_recalled(memory, 0, 500), 16);
}

static void there_are_never_more_than_allowed(void **state)
{
    as_cache *memory = a_process_with(NULL, key, 100);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        keep(memory, numbered(i), i % 2 ? AS_OUTCOME_GRANTED : AS_OUTCOME_UNKNOWN_USER);
    }
    assert_int_equal(count_recalled(memory, 0, 1000), 100 + 25); /* acceptances, and a quarter of it refusals */
}

static void an_entry_is_where_it_was_found_and_no_grant(void **state)
{
    as_cache *here = a_process();
    as_cached_answer found = make_answer(AS_OUTCOME_GRANTED), again;
    as_cache_key other = with_password("other"), bob = {"www", "d1", "bob", "secret", NULL};

    (void)state;
    found.dn = "";
    as_cache_put_entry(here, &alice, &found, true, wall);
    assert_false(as_cache_get_entry(here, &alice, wall, pool, &again));
    found.dn = "uid=alice,dc=x";
    as_cache_put_entry(here, &alice, &found, true, wall);
    assert_true(as_cache_get_entry(here, &other, wall, pool, &again));
    assert_string_equal(again.dn, "uid=alice,dc=x");
    assert_int_equal(again.finding.outcome, AS_OUTCOME_UNKNOWN_RESULT);
    assert_false(again.finding.proven);
    assert_false(as_cache_get_entry(here, &bob, wall, pool, &again));
    assert_int_equal(shelf.calls, 0);
    assert_int_equal(recalled(here, alice), NOTHING);
    pass(299);
    assert_true(as_cache_get_entry(here, &alice, wall, pool, &again));
    pass(1);
    assert_false(as_cache_get_entry(here, &alice, wall, pool, &again));
    as_cache_put_entry(here, &alice, &found, false, wall);
    pass(59);
    assert_true(as_cache_get_entry(here, &alice, wall, pool, &again));
    pass(1);
    assert_false(as_cache_get_entry(here, &alice, wall, pool, &again));
    as_cache_put_entry(here, &alice, &found, true, wall);
    as_cache_remove_entry(here, &alice);
    assert_false(as_cache_get_entry(here, &alice, wall, pool, &again));
}

static void a_request(as_cache *memory, int i, apr_pool_t *request)
{
    static const as_outcome outcomes[] = {AS_OUTCOME_GRANTED, AS_OUTCOME_WRONG_PASSWORD, AS_OUTCOME_UNKNOWN_USER,
                                          AS_OUTCOME_DIRECTORY_DOWN};
    char user[16], dn[300];
    as_cache_key subject = {"www", "d1", user, "secret", NULL};
    as_cached_answer answer = make_answer(outcomes[i % 4]), again;

    snprintf(user, sizeof user, "u%d", i % 1200);
    memset(dn, 'd', sizeof dn);
    dn[100 + i % 199] = '\0';
    answer.dn = dn;
    if (!as_cache_get(memory, &subject, wall, request, &again)) {
        as_cache_put(memory, &subject, &answer, wall, request);
        as_cache_put_entry(memory, &subject, &answer, true, wall);
    }
    wall += 1000;
    mono += 1000;
    apr_pool_clear(request);
}

/* A sanitizer's malloc counts nothing, and its own test is for leaks; there, fewer will do. */
static void a_million_requests_leave_no_more_than_the_first(void **state)
{
    as_cache *memory = a_process_with(NULL, key, 1000);
    apr_pool_t *request;
    int million = mallinfo2().uordblks > 0 ? 1000000 : 20000;
    size_t after_first;

    (void)state;
    apr_pool_create(&request, pool);
    for (int i = 0; i < million / 10; i++) {
        a_request(memory, i, request);
    }
    after_first = mallinfo2().uordblks;
    for (int i = 0; i < million; i++) {
        a_request(memory, i, request);
    }
    assert_within(mallinfo2().uordblks, 0, after_first + after_first / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(one_subject_has_nothing_of_another),
        ROW(only_answers_about_an_account_are_cached),
        ROW(a_grant_without_proof_is_not_cached),
        ROW(all_of_an_answer_comes_back),
        ROW(seconds_until_expiry_are_reported_less_the_age),
        ROW(a_refusal_outlives_the_expiry_that_it_reports),
        ROW(a_hit_extends_nothing),
        ROW(a_hit_calls_no_store),
        ROW(a_wrong_password_never_evicts_a_right_one),
        ROW(a_new_password_drops_the_old_one),
        ROW(on_another_machine_the_old_one_goes_with_its_time),
        ROW(a_new_password_too_large_to_keep_drops_the_old_one_too),
        ROW(an_acceptance_forgets_the_refusal_of_its_password),
        ROW(another_process_s_acceptance_overrules_a_refusal_here),
        ROW(without_time_or_room_nothing_is_cached),
        ROW(entries_are_for_as_many_users),
        ROW(refusals_crowd_out_no_acceptance),
        ROW(there_are_never_more_than_allowed),
        ROW(an_entry_is_where_it_was_found_and_no_grant),
        ROW(a_million_requests_leave_no_more_than_the_first),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
