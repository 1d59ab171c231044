/* SPDX-License-Identifier: Apache-2.0
 *
 * The throttle on one machine: what counts, and for whom.
 */
#include "throttle_machine.h"

#include <pthread.h>
#include <sched.h>

static void four_failures_within_five_minutes_and_the_next_is_throttled(void **state)
{
    as_throttles *here = a_machine_of_several(), *there = a_machine_of_several();

    (void)state;
    guess(here, &four_in_five_minutes, 1);
    pass(10);
    guess(here, &four_in_five_minutes, 1);
    pass(10);
    guess(there, &four_in_five_minutes, 2);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 280);
    assert_int_equal(wait_for(there, &four_in_five_minutes, "alice", NULL), 280);
    assert_int_equal(log_in(here, &four_in_five_minutes, "alice", NULL, WRONG), 280);
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

static void the_processes_of_a_machine_count_together(void **state)
{
    as_throttles *here = a_machine(), *there = a_process_beside(here);

    (void)state;
    guess(here, &four_in_five_minutes, 2);
    guess(there, &four_in_five_minutes, 2);
    assert_int_equal(log_in(here, &four_in_five_minutes, "alice", NULL, WRONG), 300);
    assert_int_equal(log_in(there, &four_in_five_minutes, "alice", NULL, WRONG), 300);
    assert_int_equal(shelf.calls, 0);
    assert_int_equal(wait_for(a_machine(), &four_in_five_minutes, "alice", NULL), 0);
}

static void accounts_and_clients_are_counted_apart(void **state)
{
    as_throttles *all = a_machine();

    (void)state;
    guess(all, &by_both, 4);
    assert_int_equal(wait_for(all, &four_in_five_minutes, "alice", "192.0.2.2"), 300);
    assert_int_equal(wait_for(all, &four_in_five_minutes, "bob", "192.0.2.1"), 0);
    assert_int_equal(wait_for(all, &by_client, "bob", "192.0.2.1"), 300);
    assert_int_equal(wait_for(all, &by_client, "alice", "192.0.2.2"), 0);
    assert_int_equal(wait_for(all, &by_both, "alice", "192.0.2.2"), 300);
    assert_int_equal(wait_for(all, &by_both, "bob", "192.0.2.1"), 300);
    assert_int_equal(wait_for(all, &by_both, "bob", NULL), 0);
    assert_int_equal(wait_for(all, &by_both, NULL, "192.0.2.1"), 300);
    assert_int_equal(wait_for(all, &by_client, "192.0.2.1", "alice"), 0);
}

static void an_ipv6_client_is_its_64(void **state)
{
    static const struct {
        const char *address;
        bool same;
    } rows[] = {
        {"2001:db8::1", true},      {"2001:db8::ffff:1", true},  {"2001:0DB8:0:0:1:2:3:4", true},
        {"2001:db8:0:1::1", false}, {"2001:db9::1", false},      {"fe80::1%eth0", false},
        {"192.0.2.1", false},       {"::ffff:192.0.2.1", false},
    };
    as_throttles *all = a_machine();

    (void)state;
    for (int i = 0; i < 4; i++) {
        as_throttle_count_client(all, &by_client, rows[i % 3].address, pool);
        pass(1e-6);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(wait_for(all, &by_client, NULL, rows[i].address), rows[i].same ? 300 : 0);
    }
    for (int i = 0; i < 4; i++) {
        as_throttle_count_client(all, &by_client, i % 2 ? "192.0.2.7" : "::ffff:192.0.2.7", pool);
        pass(1e-6);
    }
    assert_int_equal(wait_for(all, &by_client, NULL, "192.0.2.7"), 300);
    assert_int_equal(wait_for(all, &by_client, NULL, "192.0.2.8"), 0);
}

static void a_success_ends_the_user_s_count_and_not_the_client_s(void **state)
{
    as_throttles *here = a_machine_of_several(), *there = a_machine_of_several();

    (void)state;
    guess(here, &by_both, 2);
    guess(there, &by_both, 1);
    pass(1);
    assert_int_equal(log_in(there, &by_both, "alice", "192.0.2.1", RIGHT), 0);
    pass(1);
    guess(here, &four_in_five_minutes, 3);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 0);
    guess(here, &four_in_five_minutes, 1);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 300);
    guess(here, &by_client, 1);
    assert_int_equal(wait_for(here, &by_client, "bob", "192.0.2.1"), 298);
}

static void what_is_no_failure_is_withdrawn(void **state)
{
    as_throttles *all = a_machine();

    (void)state;
    guess(all, &four_in_five_minutes, 3);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(log_in(all, &four_in_five_minutes, "alice", NULL, NO_FAILURE), 0);
    }
    guess(all, &four_in_five_minutes, 1);
    assert_int_equal(wait_for(all, &four_in_five_minutes, "alice", NULL), 300);
}

/* An attack by many connections at once. */
static void guesses_sent_at_once_are_counted_before_they_are_answered(void **state)
{
    as_throttles *here = a_machine(), *processes[] = {here, a_process_beside(here)};
    apr_time_t stamps[4], none;

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(as_throttle_admit(processes[i % 2], &four_in_five_minutes,
                                           &(as_counted_bind){"alice", AS_BIND_GUESS, mono}, pool, &stamps[i]),
                         0);
        assert_true(stamps[i] > 0);
    }
    for (int i = 0; i < 20; i++) {
        assert_int_equal(as_throttle_admit(processes[i % 2], &four_in_five_minutes,
                                           &(as_counted_bind){"alice", AS_BIND_GUESS, mono}, pool, &none),
                         300);
        assert_int_equal(none, 0);
    }
    as_throttle_record_failure(processes[1], "alice", stamps[0], pool);
    as_throttle_withdraw(processes[0], "alice", stamps[1], pool);
    assert_int_equal(wait_for(processes[0], &four_in_five_minutes, "alice", NULL), 0);
    guess(processes[0], &four_in_five_minutes, 1);
    assert_int_equal(log_in(processes[1], &four_in_five_minutes, "alice", NULL, WRONG), 300);
}

static apr_time_t under_way;

/* Answers the bind that is under way, when another one waits for that: with success. */
static void *answer_meanwhile(void *data)
{
    as_throttles *all = data;
    apr_pool_t *own;

    apr_pool_create(&own, NULL);
    while (atomic_load(&all->waiting) == 0) {
        sched_yield();
    }
    as_throttle_record_success(all, "alice", under_way, own);
    apr_pool_destroy(own);
    return NULL;
}

/* Many requests of one page, when the cached answer has just expired: with the right password, in several processes. */
static void right_passwords_at_once_wait_for_each_other(void **state)
{
    static const as_throttle one = {1, 300 * SECOND, true, false, false};
    as_throttles *all = a_machine();
    apr_time_t second, third;
    pthread_t other;

    (void)state;
    all->mono = as_clock_read_mono;
    assert_int_equal(as_throttle_admit(all, &one, &(as_counted_bind){"alice", AS_BIND_GUESS, 0}, pool, &under_way), 0);
    assert_int_equal(pthread_create(&other, NULL, answer_meanwhile, all), 0);
    assert_int_equal(as_throttle_admit(all, &one,
                                       &(as_counted_bind){"alice", AS_BIND_GUESS, as_clock_read_mono() + 10 * SECOND},
                                       pool, &second),
                     0);
    pthread_join(other, NULL);
    assert_true(second > under_way);
    /* Nobody answers this one. */
    assert_int_equal(as_throttle_admit(all, &one,
                                       &(as_counted_bind){"alice", AS_BIND_GUESS, as_clock_read_mono() + SECOND / 50},
                                       pool, &third),
                     300);
    as_throttle_record_failure(all, "alice", second, pool);
    assert_int_equal(as_throttle_admit(all, &one, &(as_counted_bind){"alice", AS_BIND_GUESS, INT64_MAX}, pool, &third),
                     300);
}

/* A success ends what the directory had answered before it; a wrong password that is still under way may reach the
 * directory behind it. */
static void a_success_leaves_what_is_under_way(void **state)
{
    as_throttles *all = a_machine();
    apr_time_t wrong[3], right;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(as_throttle_admit(all, &four_in_five_minutes, &(as_counted_bind){"alice", AS_BIND_GUESS, mono},
                                           pool, &wrong[i]),
                         0);
        pass(0.001);
    }
    as_throttle_record_failure(all, "alice", wrong[0], pool);
    pass(0.001);
    assert_int_equal(
        as_throttle_admit(all, &four_in_five_minutes, &(as_counted_bind){"alice", AS_BIND_GUESS, mono}, pool, &right),
        0);
    pass(0.001);
    as_throttle_record_failure(all, "alice", wrong[1], pool);
    as_throttle_record_success(all, "alice", right, pool);
    pass(0.001);
    as_throttle_record_failure(all, "alice", wrong[2], pool);
    guess(all, &four_in_five_minutes, 2);
    assert_int_equal(wait_for(all, &four_in_five_minutes, "alice", NULL), 300);
}

/* Processes die while a right password is under way, hours of logins between them. */
static void a_success_ends_what_died_long_before_it(as_throttles *all)
{
    static const as_throttle four_a_day = {4, 86400 * SECOND, true, false, false};
    apr_time_t stamp;

    for (int i = 0; i < 6; i++) {
        assert_int_equal(
            as_throttle_admit(all, &four_a_day, &(as_counted_bind){"alice", AS_BIND_GUESS, mono}, pool, &stamp), 0);
        pass(59);
        assert_int_equal(log_in(all, &four_a_day, "alice", NULL, RIGHT), 0);
        assert_true(as_throttle_is_counted(all, "alice"));
        pass(3600);
        assert_int_equal(log_in(all, &four_a_day, "alice", NULL, RIGHT), 0);
        assert_false(as_throttle_is_counted(all, "alice"));
    }
}

static void a_success_ends_what_died_long_before_it_here(void **state)
{
    (void)state;
    a_success_ends_what_died_long_before_it(a_machine());
}

static void a_success_ends_what_died_long_before_it_in_the_store(void **state)
{
    (void)state;
    a_success_ends_what_died_long_before_it(a_machine_of_several());
}

static void a_password_that_is_no_guess_is_always_admitted(void **state)
{
    as_throttles *all = a_machine();
    apr_time_t stamp;

    (void)state;
    guess(all, &four_in_five_minutes, 4);
    assert_true(as_throttle_is_counted(all, "alice"));
    assert_false(as_throttle_is_counted(all, "bob"));
    pass(1);
    assert_int_equal(
        as_throttle_admit(all, &four_in_five_minutes, &(as_counted_bind){"alice", AS_BIND_CACHED, mono}, pool, &stamp),
        0);
    as_throttle_record_success(all, "alice", stamp, pool);
    assert_false(as_throttle_is_counted(all, "alice"));
    assert_true(as_throttle_is_quiet(all));
    guess(all, &four_in_five_minutes, 4);
    assert_int_equal(wait_for(all, &four_in_five_minutes, "alice", NULL), 300);
}

/* An office at nine. */
static void clients_are_counted_when_they_have_failed(void **state)
{
    as_throttles *all = a_machine();
    apr_time_t stamp;

    (void)state;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(as_throttle_check_client(all, &by_client, "192.0.2.1", pool), 0);
        assert_int_equal(
            as_throttle_admit(all, &by_client, &(as_counted_bind){"alice", AS_BIND_GUESS, mono}, pool, &stamp), 0);
        assert_int_equal(stamp, 0);
    }
    assert_int_equal(wait_for(all, &by_client, NULL, "192.0.2.1"), 0);
}

static void off_is_off(void **state)
{
    static const as_throttle rows[] = {{0, 300 * SECOND, true, true, false},
                                       {-1, 300 * SECOND, true, true, false},
                                       {4, 0, true, true, false},
                                       {4, 300 * SECOND, false, false, false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        as_throttles *all = a_machine();

        for (int j = 0; j < 10; j++) {
            apr_time_t stamp;

            assert_int_equal(
                as_throttle_admit(all, &rows[i], &(as_counted_bind){"alice", AS_BIND_GUESS, mono}, pool, &stamp), 0);
            assert_int_equal(stamp, 0);
            as_throttle_count_client(all, &rows[i], "192.0.2.1", pool);
        }
        assert_int_equal(wait_for(all, &rows[i], "alice", "192.0.2.1"), 0);
    }
}

static void more_than_the_most_counts_as_the_most(void **state)
{
    static const as_throttle generous = {1000, 300 * SECOND, true, false, false};
    as_throttles *memory = a_machine_of_several();

    (void)state;
    guess(memory, &generous, AS_THROTTLE_MOST);
    assert_int_equal(wait_for(memory, &generous, "alice", NULL), 300);
}

static void sections_with_other_times_share_the_count(void **state)
{
    static const as_throttle ten_in_two_hours = {6, 7200 * SECOND, true, false, false};
    as_throttles *here = a_machine_of_several(), *there = a_machine_of_several();

    (void)state;
    guess(here, &ten_in_two_hours, 3);
    pass(400);
    guess(here, &four_in_five_minutes, 3);
    assert_int_equal(wait_for(there, &four_in_five_minutes, "alice", NULL), 0);
    assert_int_equal(wait_for(there, &ten_in_two_hours, "alice", NULL), 6800);
    assert_true(fake_only()->expiry >= wall + 3600 * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(four_failures_within_five_minutes_and_the_next_is_throttled),
        ROW(the_processes_of_a_machine_count_together),
        ROW(accounts_and_clients_are_counted_apart),
        ROW(an_ipv6_client_is_its_64),
        ROW(a_success_ends_the_user_s_count_and_not_the_client_s),
        ROW(what_is_no_failure_is_withdrawn),
        ROW(guesses_sent_at_once_are_counted_before_they_are_answered),
        ROW(right_passwords_at_once_wait_for_each_other),
        ROW(a_success_leaves_what_is_under_way),
        ROW(a_success_ends_what_died_long_before_it_here),
        ROW(a_success_ends_what_died_long_before_it_in_the_store),
        ROW(a_password_that_is_no_guess_is_always_admitted),
        ROW(clients_are_counted_when_they_have_failed),
        ROW(off_is_off),
        ROW(more_than_the_most_counts_as_the_most),
        ROW(sections_with_other_times_share_the_count),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("throttle", tests, NULL, NULL);
}
