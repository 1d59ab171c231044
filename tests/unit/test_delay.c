/* SPDX-License-Identifier: Apache-2.0
 *
 * Delays of answers, over a clock that is set here: a sleep ends at once, and a little late.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>

#include <apr_general.h>

#include "../../src/login/timing.h"
#include "within.h"

#define LATE 7
#define MOST 4

static as_mono now = 1000 * AS_MONO_SECOND;
static int slept;
static apr_pool_t *pool;
static as_login login;
static as_login_memo memo;

as_mono as_mono_read(void)
{
    return now;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
    assert_int_equal(clock, CLOCK_MONOTONIC);
    assert_int_equal(flags, 0);
    (void)left;
    slept++;
    now += (as_mono)time->tv_sec * AS_MONO_SECOND + time->tv_nsec / 1000 + LATE;
    return 0;
}

static as_directory_settings uniform = {.uniform_timing = true}, not_uniform;
static const as_login_directory first = {.settings = &uniform, .stays = true},
                                second = {.settings = &uniform, .stays = true},
                                off = {.settings = &not_uniform, .stays = true};
static const as_login_directory of_htaccess = {.settings = &uniform, .fingerprint = "one"},
                                of_another = {.settings = &uniform, .fingerprint = "another"};
static const char section;
static const void *where;

static int begin(void **state)
{
    (void)state;
    memset(&memo, 0, sizeof memo);
    login.timings = as_timings_create(pool, MOST);
    where = &section;
    slept = 0;
    return login.timings ? 0 : -1;
}

/* Logs in. Returns how long it took. */
static as_mono log_in(const as_login_directory *directory, as_outcome outcome, as_mono took, bool granted)
{
    const as_login_attempt attempt = {.directory = directory, .password = "secret"};
    const as_mono began = now;
    as_finding finding = as_finding_make(outcome);

    finding.proven = granted;
    as_timing_begin(&memo.timing, &attempt);
    as_timing_enter(&memo.timing, login.timings, directory);
    as_timing_note_query(&memo.timing, directory, false);
    now += took;
    as_timing_leave(&memo.timing, login.timings);
    as_timing_note_answer(&memo.timing, directory, &finding);
    as_login_delay(&login, &memo, where, granted);
    assert_int_equal(memo.timing.began, 0);
    return now - began;
}

static void learn(as_outcome outcome, as_mono took)
{
    for (int i = 0; i < AS_TIMING_SAMPLES; i++) {
        log_in(&first, outcome, took, false);
    }
}

static void an_unknown_name_takes_as_long_as_a_wrong_password(void **state)
{
    (void)state;
    learn(AS_OUTCOME_WRONG_PASSWORD, 5000);
    assert_within(log_in(&first, AS_OUTCOME_UNKNOWN_USER, 400, false), 5000, 5000 + LATE);
    learn(AS_OUTCOME_UNKNOWN_USER, 400);
    assert_within(log_in(&first, AS_OUTCOME_UNKNOWN_USER, 400, false), 5000, 5000 + LATE);
    assert_within(log_in(&first, AS_OUTCOME_ACCOUNT_LOCKED, 300, false), 5000, 5000 + LATE);
    assert_within(log_in(&first, AS_OUTCOME_AMBIGUOUS_USER, 300, false), 5000, 5000 + LATE);
    /* Another directory's logins are no measure. */
    assert_within(log_in(&second, AS_OUTCOME_UNKNOWN_USER, 400, false), 1000, 1000 + LATE);
}

static void a_right_password_is_not_delayed(void **state)
{
    (void)state;
    learn(AS_OUTCOME_WRONG_PASSWORD, 5000);
    slept = 0;
    assert_int_equal(log_in(&first, AS_OUTCOME_GRANTED, 400, true), 400);
    /* Nor one that another provider accepted, or that is right and may not enter. */
    assert_int_equal(slept, 0);
    memo.timing.began = 0;
    assert_int_equal(log_in(&first, AS_OUTCOME_PASSWORD_EXPIRED, 400, true), 400);
    assert_int_equal(slept, 0);
}

static void an_outage_is_not_delayed(void **state)
{
    (void)state;
    learn(AS_OUTCOME_WRONG_PASSWORD, 5000);
    slept = 0;
    assert_int_equal(log_in(&first, AS_OUTCOME_DIRECTORY_DOWN, 400, false), 400);
    assert_int_equal(slept, 0);
}

static void not_where_timing_is_not_uniform(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * AS_TIMING_SAMPLES; i++) {
        const bool known = i % 2;
        assert_int_equal(
            log_in(&off, known ? AS_OUTCOME_WRONG_PASSWORD : AS_OUTCOME_UNKNOWN_USER, known ? 5000 : 400, false),
            known ? 5000 : 400);
    }
    assert_int_equal(slept, 0);
}

static void never_beyond_the_deadline(void **state)
{
    (void)state;
    learn(AS_OUTCOME_WRONG_PASSWORD, 5000);
    memo.deadline = now + 2000;
    assert_within(log_in(&first, AS_OUTCOME_UNKNOWN_USER, 400, false), 2000, 2000 + LATE);
    memo.deadline = now + 200;
    assert_int_equal(log_in(&first, AS_OUTCOME_UNKNOWN_USER, 400, false), 400);
}

static void at_most_a_second(void **state)
{
    (void)state;
    learn(AS_OUTCOME_WRONG_PASSWORD, 30 * AS_MONO_SECOND);
    assert_within(log_in(&first, AS_OUTCOME_UNKNOWN_USER, 400, false), AS_MONO_SECOND, AS_MONO_SECOND + 400 + LATE);
}

static void a_login_that_followed_another_is_delayed_but_not_counted(void **state)
{
    const as_login_attempt attempt = {.directory = &first, .password = "secret"};
    const as_finding finding = as_finding_make(AS_OUTCOME_WRONG_PASSWORD);

    (void)state;
    learn(AS_OUTCOME_WRONG_PASSWORD, 5000);
    for (int i = 0; i < 2 * AS_TIMING_SAMPLES; i++) {
        const as_mono began = now;

        as_timing_begin(&memo.timing, &attempt);
        as_timing_enter(&memo.timing, login.timings, &first);
        now += 100;
        as_timing_leave(&memo.timing, login.timings);
        as_timing_note_answer(&memo.timing, &first, &finding);
        as_login_delay(&login, &memo, &section, false);
        assert_within(now - began, 5000, 5000 + LATE);
    }
}

/* The owner of one .htaccess file is no measure for others'. */
static void directories_of_htaccess_are_told_apart(void **state)
{
    (void)state;
    where = NULL;
    for (int i = 0; i < AS_TIMING_SAMPLES; i++) {
        log_in(&of_htaccess, AS_OUTCOME_WRONG_PASSWORD, AS_MONO_SECOND, false);
        log_in(&of_another, AS_OUTCOME_WRONG_PASSWORD, 2000, false);
    }
    assert_within(log_in(&of_another, AS_OUTCOME_UNKNOWN_USER, 400, false), 2000, 2000 + LATE);
}

static void a_section_keeps_its_durations_among_many_others(void **state)
{
    static char sections[5000];

    (void)state;
    learn(AS_OUTCOME_WRONG_PASSWORD, 5000);
    for (int i = 0; i < (int)sizeof(sections); i++) {
        if (i % 8 == 0) {
            where = &section;
            log_in(&first, AS_OUTCOME_WRONG_PASSWORD, 5000, false);
        }
        where = i % 2 ? &sections[i] : NULL;
        log_in(i % 2 ? &first : &of_htaccess, AS_OUTCOME_WRONG_PASSWORD, 400, false);
    }
    where = &section;
    assert_within(log_in(&first, AS_OUTCOME_UNKNOWN_USER, 400, false), 5000, 5000 + LATE);
}

/* A flood of failed logins must not take all threads. */
static void while_many_wait_others_wait_briefly(void **state)
{
    (void)state;
    login.timings = as_timings_create(pool, 0);
    learn(AS_OUTCOME_WRONG_PASSWORD, AS_MONO_SECOND / 2);
    assert_within(log_in(&first, AS_OUTCOME_UNKNOWN_USER, 400, false), AS_MONO_SECOND / 100,
                  AS_MONO_SECOND / 100 + 400 + LATE);
}

#define ROW(name) cmocka_unit_test_setup(name, begin)

static int begin_process(void **state)
{
    (void)state;
    return apr_initialize() == APR_SUCCESS && apr_pool_create(&pool, NULL) == APR_SUCCESS ? 0 : -1;
}

static int end_process(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(an_unknown_name_takes_as_long_as_a_wrong_password),
        ROW(a_right_password_is_not_delayed),
        ROW(an_outage_is_not_delayed),
        ROW(not_where_timing_is_not_uniform),
        ROW(never_beyond_the_deadline),
        ROW(at_most_a_second),
        ROW(directories_of_htaccess_are_told_apart),
        ROW(a_section_keeps_its_durations_among_many_others),
        ROW(while_many_wait_others_wait_briefly),
        ROW(a_login_that_followed_another_is_delayed_but_not_counted),
    };

    return cmocka_run_group_tests(tests, begin_process, end_process);
}
