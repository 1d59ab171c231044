/* SPDX-License-Identifier: Apache-2.0
 *
 * The breaker as rows: at a time (seconds) something happens, and the breaker decides what becomes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../src/ldap/ldap_private.h"

typedef enum event {
    ENTER_FREE,  /* a question comes, and is let through */
    ENTER_PROBE, /* ... alone */
    ENTER_NONE,  /* ... and is turned away */
    ANSWER,      /* a free question comes back with an answer */
    OUTAGE,      /* ... without one */
    PROBE_ANSWER,
    PROBE_OUTAGE,
    PROBE_CANCEL,
    FREE_CANCEL,
    WAIT /* `seconds` is how long the circuit stays open */
} event;

typedef struct row {
    int at;
    event what;
    int seconds;
} row;

static void enter(as_breaker *breaker, as_mono now, as_breaker_pass expected)
{
    assert_int_equal(as_breaker_enter(breaker, now), expected);
}

static void run_row(as_breaker *breaker, const row *r)
{
    as_mono now = r->at * AS_MONO_SECOND;

    switch (r->what) {
    case ENTER_FREE:
        enter(breaker, now, AS_BREAKER_FREE);
        break;
    case ENTER_PROBE:
        enter(breaker, now, AS_BREAKER_PROBE);
        break;
    case ENTER_NONE:
        enter(breaker, now, AS_BREAKER_NONE);
        break;
    case ANSWER:
    case OUTAGE:
        as_breaker_leave(breaker, now, AS_BREAKER_FREE, r->what == ANSWER);
        break;
    case PROBE_ANSWER:
    case PROBE_OUTAGE:
        as_breaker_leave(breaker, now, AS_BREAKER_PROBE, r->what == PROBE_ANSWER);
        break;
    case PROBE_CANCEL:
        as_breaker_cancel(breaker, AS_BREAKER_PROBE);
        break;
    case FREE_CANCEL:
        as_breaker_cancel(breaker, AS_BREAKER_FREE);
        break;
    case WAIT:
        assert_int_equal(as_breaker_get_wait(breaker, now), r->seconds * AS_MONO_SECOND);
        break;
    }
}

#define RUN(limit_, time_, ...)                                                                                        \
    do {                                                                                                               \
        as_breaker breaker = {.limit = (limit_), .time = (time_)*AS_MONO_SECOND};                                      \
        const row rows[] = {__VA_ARGS__};                                                                              \
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {                                                    \
            run_row(&breaker, &rows[i]);                                                                               \
        }                                                                                                              \
    } while (0)

static void test_opens_after_outages_in_a_row(void **state)
{
    (void)state;
    RUN(3, 10, {0, ENTER_FREE, 0}, {1, OUTAGE, 0}, {1, OUTAGE, 0}, {1, ENTER_FREE, 0}, {1, WAIT, 0}, {2, OUTAGE, 0},
        {2, ENTER_NONE, 0}, {2, WAIT, 10}, {5, WAIT, 7}, {11, ENTER_NONE, 0}, {12, WAIT, 0}, {12, ENTER_PROBE, 0});
}

static void test_an_answer_starts_the_count_again(void **state)
{
    (void)state;
    RUN(2, 10, {0, OUTAGE, 0}, {1, ANSWER, 0}, {2, OUTAGE, 0}, {2, ENTER_FREE, 0}, {3, OUTAGE, 0}, {3, ENTER_NONE, 0});
}

static void test_one_probe_at_a_time(void **state)
{
    (void)state;
    RUN(1, 10, {0, OUTAGE, 0}, {10, ENTER_PROBE, 0}, {10, ENTER_NONE, 0}, {10, WAIT, 1}, {11, ENTER_NONE, 0},
        {12, PROBE_ANSWER, 0}, {12, ENTER_FREE, 0}, {12, ENTER_FREE, 0}, {12, WAIT, 0});
}

static void test_a_failed_probe_leaves_it_alone_again(void **state)
{
    (void)state;
    RUN(1, 10, {0, OUTAGE, 0}, {10, ENTER_PROBE, 0}, {13, PROBE_OUTAGE, 0}, {13, ENTER_NONE, 0}, {13, WAIT, 10},
        {22, ENTER_NONE, 0}, {23, ENTER_PROBE, 0}, {24, PROBE_ANSWER, 0}, {24, ENTER_FREE, 0});
}

static void test_a_cancelled_probe_lets_the_next_one_pass(void **state)
{
    (void)state;
    RUN(1, 10, {0, OUTAGE, 0}, {10, ENTER_PROBE, 0}, {10, FREE_CANCEL, 0}, {10, ENTER_NONE, 0}, {11, PROBE_CANCEL, 0},
        {11, WAIT, 0}, {11, ENTER_PROBE, 0});
}

/* Questions that were under way when it opened come back one by one. */
static void test_late_outages_do_not_prolong(void **state)
{
    (void)state;
    RUN(2, 10, {0, OUTAGE, 0}, {0, OUTAGE, 0}, {4, OUTAGE, 0}, {4, WAIT, 6}, {10, ENTER_PROBE, 0}, {11, OUTAGE, 0},
        {11, ENTER_NONE, 0}, {12, PROBE_ANSWER, 0}, {12, ENTER_FREE, 0});
}

static void test_a_late_answer_closes(void **state)
{
    (void)state;
    RUN(2, 10, {0, OUTAGE, 0}, {0, OUTAGE, 0}, {3, ANSWER, 0}, {3, ENTER_FREE, 0}, {4, OUTAGE, 0}, {4, ENTER_FREE, 0});
}

static void test_after_a_late_answer_the_probe_counts_as_any(void **state)
{
    (void)state;
    RUN(2, 10, {0, OUTAGE, 0}, {0, OUTAGE, 0}, {10, ENTER_PROBE, 0}, {11, ANSWER, 0}, {11, ENTER_FREE, 0},
        {12, PROBE_OUTAGE, 0}, {12, ENTER_FREE, 0}, {13, OUTAGE, 0}, {13, ENTER_NONE, 0});
}

static void test_without_a_limit_it_never_opens(void **state)
{
    (void)state;
    RUN(0, 10, {0, OUTAGE, 0}, {0, OUTAGE, 0}, {0, OUTAGE, 0}, {0, ENTER_FREE, 0}, {0, WAIT, 0});
}

static void test_the_count_does_not_overflow(void **state)
{
    as_breaker breaker = {.limit = 0, .outages = INT32_MAX};

    (void)state;
    as_breaker_leave(&breaker, 0, AS_BREAKER_FREE, false);
    assert_int_equal(breaker.outages, INT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens_after_outages_in_a_row),
        cmocka_unit_test(test_an_answer_starts_the_count_again),
        cmocka_unit_test(test_one_probe_at_a_time),
        cmocka_unit_test(test_a_failed_probe_leaves_it_alone_again),
        cmocka_unit_test(test_a_cancelled_probe_lets_the_next_one_pass),
        cmocka_unit_test(test_late_outages_do_not_prolong),
        cmocka_unit_test(test_a_late_answer_closes),
        cmocka_unit_test(test_after_a_late_answer_the_probe_counts_as_any),
        cmocka_unit_test(test_without_a_limit_it_never_opens),
        cmocka_unit_test(test_the_count_does_not_overflow),
    };
    return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
