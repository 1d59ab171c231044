/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_store.h"

static const as_throttle four_in_five_minutes = {4, 300 * SECOND, true, false};
static const as_throttle by_client = {4, 300 * SECOND, false, true};
static const as_throttle by_both = {4, 300 * SECOND, true, true};

static long wait_for(as_cache *memory, const as_throttle *throttle, const char *user, const char *client)
{
    as_cache_key subject = alice;

    subject.user = user;
    return as_throttle_wait(memory, throttle, &subject, client, wall, pool);
}

/* A question as the provider puts it: admitted, asked, settled. Returns the wait. */
static long ask(as_cache *memory, const as_throttle *throttle, const char *user, const char *client, as_outcome outcome)
{
    as_finding finding = told(outcome).finding;
    as_cache_key subject = alice;
    apr_time_t stamp;
    long wait;

    subject.user = user;
    wait = as_throttle_admit(memory, throttle, &subject, client, wall, pool, &stamp);
    if (wait == 0) {
        as_throttle_settle(memory, throttle, &subject, client, stamp, &finding, wall, pool);
    }
    return wait;
}

static void guess(as_cache *memory, const as_throttle *throttle, int times)
{
    for (int i = 0; i < times; i++) {
        pass(1e-6); /* two failures that two processes see in the same microsecond are one */
        assert_int_equal(ask(memory, throttle, "alice", "192.0.2.1", AS_OUTCOME_WRONG_PASSWORD), 0);
    }
}

static void four_failures_within_five_minutes_and_the_next_is_throttled(void **state)
{
    as_cache *here = a_process(), *there = a_process();

    (void)state;
    guess(here, &four_in_five_minutes, 1);
    pass(10);
    guess(here, &four_in_five_minutes, 1);
    pass(10);
    guess(there, &four_in_five_minutes, 2);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 280);
    assert_int_equal(wait_for(there, &four_in_five_minutes, "alice", NULL), 280);
    assert_int_equal(ask(here, &four_in_five_minutes, "alice", NULL, AS_OUTCOME_WRONG_PASSWORD), 280);
    pass(0.5);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 280);
    pass(279.4);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 1);
    pass(0.1);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 0);
    /* The first has gone, the second has ten seconds to go. */
    guess(here, &four_in_five_minutes, 1);
    assert_int_equal(wait_for(there, &four_in_five_minutes, "alice", NULL), 10);
    pass(10);
    guess(there, &four_in_five_minutes, 1);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 10);
}

static void users_and_clients_are_counted_apart(void **state)
{
    as_cache *memory = a_process();
    as_cache_key other_scope = {"www2", "d1", "alice", NULL, NULL},
                 other_directory = {"www", "d2", "alice", NULL, NULL};
    as_cache_key nobody = {"www", NULL, NULL, NULL, NULL};

    (void)state;
    guess(memory, &by_both, 4);
    assert_int_equal(wait_for(memory, &four_in_five_minutes, "alice", "192.0.2.2"), 300);
    assert_int_equal(wait_for(memory, &four_in_five_minutes, "bob", "192.0.2.1"), 0);
    assert_int_equal(wait_for(memory, &by_client, "bob", "192.0.2.1"), 300);
    assert_int_equal(wait_for(memory, &by_client, "alice", "192.0.2.2"), 0);
    assert_int_equal(wait_for(memory, &by_both, "alice", "192.0.2.2"), 300);
    assert_int_equal(wait_for(memory, &by_both, "bob", "192.0.2.1"), 300);
    assert_int_equal(wait_for(memory, &by_both, "bob", NULL), 0);
    assert_int_equal(as_throttle_wait(memory, &by_both, &other_scope, "192.0.2.1", wall, pool), 0);
    assert_int_equal(as_throttle_wait(memory, &four_in_five_minutes, &other_directory, NULL, wall, pool), 0);
    assert_int_equal(as_throttle_wait(memory, &by_both, &nobody, "192.0.2.1", wall, pool), 300);
    assert_int_equal(wait_for(memory, &by_client, "192.0.2.1", "alice"), 0);
}

static void one_name_in_any_spelling_is_one_user(void **state)
{
    static const struct {
        const char *name;
        bool same;
    } rows[] = {
        {"ann lee", true},   {"ANN LEE", true},     {"Ann Lee", true}, {" ann lee", true},  {"ann lee   ", true},
        {"ann   lee", true}, {"  ANN  lee ", true}, {"annlee", false}, {"ann\tlee", false}, {"ann le", false},
        {"ann lee.", false}, {"", false},           {"   ", false},
    };
    as_cache *memory = a_process();

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(ask(memory, &four_in_five_minutes, rows[i].name, NULL, AS_OUTCOME_WRONG_PASSWORD), 0);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(wait_for(memory, &four_in_five_minutes, rows[i].name, NULL), rows[i].same ? 300 : 0);
    }
}

static void a_success_ends_the_user_s_count_and_not_the_client_s(void **state)
{
    as_cache *here = a_process(), *there = a_process();

    (void)state;
    guess(here, &by_both, 2);
    guess(there, &by_both, 1);
    pass(1);
    assert_int_equal(ask(there, &by_both, "Alice", "192.0.2.1", AS_OUTCOME_GRANTED), 0);
    pass(1);
    guess(here, &four_in_five_minutes, 3);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 0);
    guess(here, &four_in_five_minutes, 1);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 300);
    guess(here, &by_client, 1);
    assert_int_equal(wait_for(here, &by_client, "bob", "192.0.2.1"), 298);
}

/* A row for every outcome: those that are not named here are neither a failure nor a success. */
static void only_what_a_directory_says_of_a_password_is_a_failure(void **state)
{
    static const as_outcome failures[] = {
        AS_OUTCOME_UNKNOWN_USER,     AS_OUTCOME_AMBIGUOUS_USER,     AS_OUTCOME_WRONG_PASSWORD,
        AS_OUTCOME_ACCOUNT_LOCKED,   AS_OUTCOME_ACCOUNT_DISABLED,   AS_OUTCOME_ACCOUNT_EXPIRED,
        AS_OUTCOME_PASSWORD_EXPIRED, AS_OUTCOME_LOGON_HOURS,        AS_OUTCOME_PASSWORD_MUST_CHANGE,
        AS_OUTCOME_LOGON_HOST,       AS_OUTCOME_ACCOUNT_RESTRICTED,
    };

    (void)state;
    for (int outcome = 0; outcome < AS_OUTCOME_COUNT; outcome++) {
        as_cache *memory = a_process_with(NULL, key, 8);
        bool is_failure = false;

        for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
            is_failure |= (int)failures[i] == outcome;
        }
        for (int i = 0; i < 4; i++) {
            assert_int_equal(ask(memory, &by_both, "alice", "192.0.2.1", (as_outcome)outcome), 0);
        }
        assert_int_equal(wait_for(memory, &four_in_five_minutes, "alice", NULL), is_failure ? 300 : 0);
        assert_int_equal(wait_for(memory, &by_client, NULL, "192.0.2.1"), is_failure ? 300 : 0);
    }
}

static void a_proven_password_is_no_failure_and_no_success(void **state)
{
    as_finding expired = as_finding_of(AS_OUTCOME_PASSWORD_EXPIRED);
    as_cache *memory = a_process();
    apr_time_t stamp;

    (void)state;
    expired.proven = true;
    guess(memory, &by_both, 3);
    for (int i = 0; i < 5; i++) {
        const as_finding *finding = i % 2 ? &expired : NULL;

        assert_int_equal(as_throttle_admit(memory, &by_both, &alice, "192.0.2.1", wall, pool, &stamp), 0);
        as_throttle_settle(memory, &by_both, &alice, "192.0.2.1", stamp, finding, wall, pool);
    }
    guess(memory, &by_both, 1);
    assert_int_equal(wait_for(memory, &by_both, "alice", NULL), 300);
}

/* An attack by many connections at once. */
static void guesses_sent_at_once_are_counted_before_they_are_answered(void **state)
{
    as_cache *processes[] = {a_process(), a_process()};
    as_finding wrong = told(AS_OUTCOME_WRONG_PASSWORD).finding, down = told(AS_OUTCOME_DIRECTORY_DOWN).finding;
    apr_time_t stamps[4], none;

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(
            as_throttle_admit(processes[i % 2], &four_in_five_minutes, &alice, NULL, wall, pool, &stamps[i]), 0);
        assert_true(stamps[i] > 0);
    }
    for (int i = 0; i < 20; i++) {
        assert_int_equal(as_throttle_admit(processes[i % 2], &four_in_five_minutes, &alice, NULL, wall, pool, &none),
                         300);
        assert_int_equal(none, 0);
    }
    as_throttle_settle(processes[0], &four_in_five_minutes, &alice, NULL, stamps[0], &wrong, wall, pool);
    as_throttle_settle(processes[1], &four_in_five_minutes, &alice, NULL, stamps[1], &down, wall, pool);
    assert_int_equal(wait_for(processes[0], &four_in_five_minutes, "alice", NULL), 0);
    guess(processes[0], &four_in_five_minutes, 1);
    assert_int_equal(wait_for(processes[1], &four_in_five_minutes, "alice", NULL), 300);
}

/* An office at nine. */
static void clients_are_counted_when_they_have_failed(void **state)
{
    as_cache *memory = a_process();
    as_finding granted = told(AS_OUTCOME_GRANTED).finding;
    apr_time_t stamp;

    (void)state;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(as_throttle_admit(memory, &by_client, &alice, "192.0.2.1", wall, pool, &stamp), 0);
    }
    as_throttle_settle(memory, &by_client, &alice, "192.0.2.1", stamp, &granted, wall, pool);
    assert_int_equal(wait_for(memory, &by_client, NULL, "192.0.2.1"), 0);
}

static void off_is_off(void **state)
{
    static const as_throttle rows[] = {{0, 300 * SECOND, true, true},
                                       {-1, 300 * SECOND, true, true},
                                       {4, 0, true, true},
                                       {4, 300 * SECOND, false, false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        guess(a_process(), &rows[i], 10);
    }
    assert_int_equal(shelf.calls, 0);
}

static void more_than_the_most_counts_as_the_most(void **state)
{
    static const as_throttle generous = {1000, 300 * SECOND, true, false};
    as_cache *memory = a_process();

    (void)state;
    guess(memory, &generous, AS_THROTTLE_MOST);
    assert_int_equal(wait_for(memory, &generous, "alice", NULL), 300);
}

static void sections_with_other_times_share_the_count(void **state)
{
    static const as_throttle ten_in_two_hours = {6, 7200 * SECOND, true, false};
    as_cache *here = a_process(), *there = a_process();

    (void)state;
    guess(here, &ten_in_two_hours, 3);
    pass(400);
    guess(here, &four_in_five_minutes, 3);
    assert_int_equal(wait_for(there, &four_in_five_minutes, "alice", NULL), 0);
    assert_int_equal(wait_for(there, &ten_in_two_hours, "alice", NULL), 6800);
    assert_true(fake_only()->expiry >= wall + 3600 * SECOND);
}

static void each_process_counts_while_the_store_is_away(void **state)
{
    as_cache *here = a_process(), *there = a_process();

    (void)state;
    guess(there, &four_in_five_minutes, 1);
    shelf.answer = APR_EGENERAL;
    guess(here, &four_in_five_minutes, 2);
    guess(there, &four_in_five_minutes, 1);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 0);
    shelf.answer = APR_SUCCESS;
    pass(1);
    guess(there, &four_in_five_minutes, 1);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 299);
    assert_int_equal(ask(here, &four_in_five_minutes, "alice", NULL, AS_OUTCOME_GRANTED), 299);
}

static void a_success_while_the_store_is_away_counts_when_it_is_back(void **state)
{
    as_cache *here = a_process(), *there = a_process();

    (void)state;
    guess(here, &four_in_five_minutes, 3);
    shelf.answer = APR_EGENERAL;
    pass(1);
    assert_int_equal(ask(there, &four_in_five_minutes, "alice", NULL, AS_OUTCOME_GRANTED), 0);
    shelf.answer = APR_SUCCESS;
    pass(1);
    guess(there, &four_in_five_minutes, 3);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 0);
}

static void a_success_elsewhere_holds_even_where_the_store_loses_it(void **state)
{
    as_cache *here = a_process(), *there = a_process();

    (void)state;
    guess(here, &four_in_five_minutes, 3);
    assert_int_equal(ask(there, &four_in_five_minutes, "alice", NULL, AS_OUTCOME_GRANTED), 0);
    guess(here, &four_in_five_minutes, 1);
    memset(&shelf, 0, sizeof shelf);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 0);
    guess(here, &four_in_five_minutes, 3);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 300);
}

/* What the store has lost, by eviction or by two processes writing at once, comes back from who saw it. */
static void a_count_that_was_overwritten_is_written_again(void **state)
{
    as_cache *here = a_process(), *there = a_process();
    fake_record before;

    (void)state;
    guess(here, &four_in_five_minutes, 1);
    before = *fake_only();
    guess(here, &four_in_five_minutes, 1);
    *fake_only() = before;
    guess(there, &four_in_five_minutes, 1);
    guess(here, &four_in_five_minutes, 1);
    assert_int_equal(wait_for(there, &four_in_five_minutes, "alice", NULL), 300);
}

static void rubbish_and_replays_are_no_count(void **state)
{
    as_cache *memory = a_process();
    as_cache_key bob = {"www", "d1", "bob", NULL, NULL};

    (void)state;
    guess(memory, &four_in_five_minutes, 4);
    assert_int_equal(wait_for(a_process(), &four_in_five_minutes, "alice", NULL), 300);
    assert_true(as_record_id(memory, AS_RECORD_USER_FAILURES, &bob, fake_only()->id));
    assert_int_equal(wait_for(a_process(), &four_in_five_minutes, "bob", NULL), 0);
    memset(fake_only()->data, 0x55, fake_only()->length);
    assert_int_equal(wait_for(a_process(), &four_in_five_minutes, "alice", NULL), 0);
    assert_int_equal(wait_for(memory, &four_in_five_minutes, "alice", NULL), 300);
}

static void a_clock_set_back_makes_no_wait_longer(void **state)
{
    as_cache *here = a_process();

    (void)state;
    guess(here, &four_in_five_minutes, 4);
    wall -= SECOND;
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 300);
    wall -= 3600 * SECOND;
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 0);
    assert_int_equal(wait_for(a_process(), &four_in_five_minutes, "alice", NULL), 0);
    guess(here, &four_in_five_minutes, 4);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 300);
    assert_int_equal(ask(here, &four_in_five_minutes, "alice", NULL, AS_OUTCOME_GRANTED), 300);
}

static int64_t five_seconds_later(void)
{
    mono += 5 * SECOND;
    return mono;
}

/* Who waits for his turn behind a slow store was told the time before others failed. */
static void failures_while_waiting_are_not_of_the_future(void **state)
{
    as_cache *memory = a_process_with(NULL, key, 8);
    apr_time_t before = wall, stamp;

    (void)state;
    pass(5);
    guess(memory, &four_in_five_minutes, 4);
    memory->mono = five_seconds_later;
    assert_int_equal(as_throttle_admit(memory, &four_in_five_minutes, &alice, NULL, before, pool, &stamp), 300);
}

static void a_success_in_the_future_hides_no_failure(void **state)
{
    as_cache *here = a_process();

    (void)state;
    assert_int_equal(ask(here, &four_in_five_minutes, "alice", NULL, AS_OUTCOME_GRANTED), 0);
    wall -= 3600 * SECOND;
    guess(here, &four_in_five_minutes, 4);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 300);
    assert_int_equal(wait_for(a_process(), &four_in_five_minutes, "alice", NULL), 300);
}

/* ---- lists ---- */

static as_failures list_of(int first, int count, int step)
{
    as_failures failures = {.cleared = 0};

    for (int i = 0; i < count; i++) {
        as_failures_add(&failures, first + i * step);
    }
    return failures;
}

static void lists_are_merged_in_any_order_any_number_of_times(void **state)
{
    as_failures odd = list_of(1, 40, 2), even = list_of(2, 40, 2), one = odd, other = even;

    (void)state;
    as_failures_merge(&one, &even);
    as_failures_merge(&one, &even);
    as_failures_merge(&other, &odd);
    assert_int_equal(one.count, AS_THROTTLE_MOST);
    assert_memory_equal(&one, &other, sizeof one);
    for (int i = 0; i < AS_THROTTLE_MOST; i++) {
        assert_int_equal(one.times[i], 17 + i); /* the last 64 of 1 to 80 */
    }
    as_failures_add(&one, 16);
    assert_memory_equal(&one, &other, sizeof one);
    odd.cleared = 70;
    as_failures_merge(&one, &odd);
    assert_int_equal(one.count, 10);
    as_failures_withdraw(&one, 75);
    as_failures_withdraw(&one, 1000);
    assert_int_equal(one.count, 9);
    assert_int_equal(one.times[4], 76);
}

static void only_a_list_is_parsed(void **state)
{
    unsigned char payload[AS_FAILURES_MAX + 1];
    as_failures list = list_of(5, 3, 1), parsed;
    size_t length = as_failures_encode(&list, AS_RECORD_USER_FAILURES, payload);

    (void)state;
    assert_true(as_failures_parse(payload, length, AS_RECORD_USER_FAILURES, &parsed));
    assert_int_equal(parsed.count, 3);
    assert_int_equal(parsed.times[2], 7);
    assert_false(as_failures_parse(payload, length, AS_RECORD_CLIENT_FAILURES, &parsed));
    for (size_t i = 0; i <= sizeof payload; i++) {
        assert_int_equal(as_failures_parse(payload, i, AS_RECORD_USER_FAILURES, &parsed), i == length);
    }
    payload[10] = AS_THROTTLE_MOST + 1;
    assert_false(as_failures_parse(payload, sizeof payload, AS_RECORD_USER_FAILURES, &parsed));
    payload[10] = 3;
    payload[18] = 6; /* 6 6 7 */
    assert_false(as_failures_parse(payload, length, AS_RECORD_USER_FAILURES, &parsed));
    payload[18] = 5;
    payload[2] = 0x40; /* cleared beyond all time */
    assert_false(as_failures_parse(payload, length, AS_RECORD_USER_FAILURES, &parsed));
    payload[2] = 0;
    payload[0] = 2;
    assert_false(as_failures_parse(payload, length, AS_RECORD_USER_FAILURES, &parsed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(four_failures_within_five_minutes_and_the_next_is_throttled),
        ROW(users_and_clients_are_counted_apart),
        ROW(one_name_in_any_spelling_is_one_user),
        ROW(a_success_ends_the_user_s_count_and_not_the_client_s),
        ROW(only_what_a_directory_says_of_a_password_is_a_failure),
        ROW(a_proven_password_is_no_failure_and_no_success),
        ROW(guesses_sent_at_once_are_counted_before_they_are_answered),
        ROW(clients_are_counted_when_they_have_failed),
        ROW(off_is_off),
        ROW(more_than_the_most_counts_as_the_most),
        ROW(sections_with_other_times_share_the_count),
        ROW(each_process_counts_while_the_store_is_away),
        ROW(a_success_while_the_store_is_away_counts_when_it_is_back),
        ROW(a_success_elsewhere_holds_even_where_the_store_loses_it),
        ROW(a_count_that_was_overwritten_is_written_again),
        ROW(rubbish_and_replays_are_no_count),
        ROW(a_clock_set_back_makes_no_wait_longer),
        ROW(failures_while_waiting_are_not_of_the_future),
        ROW(a_success_in_the_future_hides_no_failure),
        ROW(lists_are_merged_in_any_order_any_number_of_times),
        ROW(only_a_list_is_parsed),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("throttle", tests, NULL, NULL);
}
