/* SPDX-License-Identifier: Apache-2.0
 *
 * When failed logins are answered: what a clock sees of them afterwards. The durations are drawn here; no clock is
 * read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "authstatus/uniform_timing.h"
#include "within.h"

#define SECOND AS_MONO_SECOND
#define ROUNDS 4000

static uint64_t state_of_random = 1;

static uint32_t draw(uint32_t below)
{
    state_of_random = state_of_random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state_of_random >> 33) % below;
}

/* A duration of a kind: a hump with a tail. */
static as_mono draw_duration(as_mono typical, as_mono spread)
{
    const as_mono hump = (draw((uint32_t)spread) + draw((uint32_t)spread) + draw((uint32_t)spread)) / 3;

    return typical + hump + (draw(16) == 0 ? draw((uint32_t)(4 * spread)) : 0);
}

/* Answers a login, and records it. Returns after what time. */
static as_mono answer(as_durations *durations, int load, as_timed kind, as_mono took, as_mono now)
{
    const as_timed_login login = {.durations = durations, .calm = durations, .load = load, .kind = kind, .took = took};
    const as_mono until = as_uniform_time_choose(&login, now);

    assert_within(until, took, took + SECOND);
    as_durations_note(durations, kind, took, now);
    return until;
}

/* Returns in thousandths how often the one took longer than the other; half of the ties count. */
static int compare(const as_mono *one, const as_mono *other)
{
    int64_t longer = 0;

    for (int i = 0; i < ROUNDS; i++) {
        for (int j = i % 16; j < ROUNDS; j += 16) {
            longer += one[i] > other[j] ? 2 : one[i] == other[j];
        }
    }
    return (int)(longer * 500 / ((int64_t)ROUNDS * (ROUNDS / 16)));
}

/* The typical duration of each kind, and the spread; 0: there are none of it. */
static const struct row {
    as_mono typical[AS_TIMED_PROVEN], spread;
    int load;
} rows[] = {
    {{450, 440, 445, 0, 400}, 60, 0},        /* a directory that keeps passwords in clear */
    {{450, 440, 445, 0, 400}, 60, 3},        /* the same in a crowd */
    {{6000, 500, 450, 0, 450}, 300, 0},      /* one that hashes them */
    {{6000, 500, 450, 0, 450}, 300, 4},      /* the same in a crowd */
    {{450, 0, 450, 700, 750}, 100, 1},       /* two providers */
    {{120000, 90000, 400, 0, 400}, 5000, 0}, /* a slow one */
};

static void kinds_take_alike(void **state)
{
    static as_mono raw[AS_TIMED_PROVEN][ROUNDS], answered[AS_TIMED_PROVEN][ROUNDS];

    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        as_durations durations = {0};

        for (int i = -200; i < ROUNDS; i++) {
            for (int kind = 0; kind < AS_TIMED_PROVEN; kind++) {
                const as_mono typical = rows[r].typical[kind], took = draw_duration(typical, rows[r].spread);
                const as_mono until = typical ? answer(&durations, rows[r].load, (as_timed)kind, took, 1) : 0;

                if (i >= 0) {
                    raw[kind][i] = took;
                    answered[kind][i] = until;
                }
            }
        }
        assert_false(compare(raw[AS_TIMED_WRONG], raw[AS_TIMED_UNKNOWN]) > 300 &&
                     compare(raw[AS_TIMED_WRONG], raw[AS_TIMED_UNKNOWN]) < 700);
        for (int kind = 0; kind < AS_TIMED_UNKNOWN; kind++) {
            if (rows[r].typical[kind]) {
                assert_within(compare(answered[kind], answered[AS_TIMED_UNKNOWN]), 485, 515);
            }
        }
    }
}

static void before_much_is_known_the_grid_is_coarse(void **state)
{
    as_durations durations = {0};

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(answer(&durations, 0, AS_TIMED_UNKNOWN, 400 + i, 1), 1000);
    }
    /* The first known name is answered with them. */
    assert_int_equal(answer(&durations, 0, AS_TIMED_WRONG, 700, 1), 1000);
}

static void right_passwords_say_how_long_wrong_ones_take(void **state)
{
    as_durations durations = {0};

    (void)state;
    for (int i = 0; i < AS_TIMING_ENOUGH; i++) {
        as_durations_note(&durations, AS_TIMED_PROVEN, 5000, 1);
    }
    assert_int_equal(answer(&durations, 0, AS_TIMED_UNKNOWN, 400, 1), 5000);
    for (int i = 0; i < AS_TIMING_ENOUGH; i++) {
        as_durations_note(&durations, AS_TIMED_WRONG, 3000, 1);
    }
    assert_int_equal(answer(&durations, 0, AS_TIMED_UNKNOWN, 400, 1), 3000);
}

static void a_flood_displaces_its_own_kind_alone(void **state)
{
    as_durations durations = {0};

    (void)state;
    for (int i = 0; i < AS_TIMING_SAMPLES; i++) {
        as_durations_note(&durations, AS_TIMED_WRONG, 5000, 1);
    }
    for (int i = 0; i < 10000; i++) {
        assert_within(answer(&durations, 0, AS_TIMED_UNKNOWN, 409 - i % 10, 1), 5000, 5000);
    }
}

static void what_is_old_is_forgotten(void **state)
{
    as_durations durations = {0};

    (void)state;
    for (int i = 0; i < AS_TIMING_SAMPLES; i++) {
        as_durations_note(&durations, AS_TIMED_UNKNOWN, 50000, 1);
        as_durations_note(&durations, AS_TIMED_WRONG, 400, 700 * SECOND);
    }
    assert_int_equal(answer(&durations, 0, AS_TIMED_WRONG, 390, 700 * SECOND), 400);
    as_durations_note(&durations, AS_TIMED_UNKNOWN, 300, 700 * SECOND);
    assert_int_equal(durations.rings[AS_TIMED_UNKNOWN].count, 1);
}

static void under_load_the_slowest_kind_is_not_delayed(void **state)
{
    as_durations durations = {0};

    (void)state;
    for (int i = 0; i < AS_TIMING_SAMPLES; i++) {
        as_durations_note(&durations, AS_TIMED_WRONG, 500 + i, 1);
        as_durations_note(&durations, AS_TIMED_UNKNOWN, 400 + i, 1);
    }
    assert_int_equal(answer(&durations, AS_TIMING_CROWD, AS_TIMED_WRONG, 520, 1), 520);
    assert_int_equal(answer(&durations, AS_TIMING_CROWD, AS_TIMED_UNKNOWN, 420, 1), 520);
    assert_int_equal(answer(&durations, AS_TIMING_CROWD, AS_TIMED_UNKNOWN, 900, 1), 1000);
}

static void samples_stay_sorted(void **state)
{
    as_durations durations = {0};
    const as_duration_ring *ring = &durations.rings[AS_TIMED_WRONG];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        as_durations_note(&durations, AS_TIMED_WRONG, (as_mono)draw(50) - 5, 1);
        assert_int_equal(ring->count, i < AS_TIMING_SAMPLES ? i + 1 : AS_TIMING_SAMPLES);
        for (uint32_t at = 1; at < ring->count; at++) {
            assert_true(ring->sorted[at - 1] <= ring->sorted[at]);
        }
    }
    as_durations_note(&durations, AS_TIMED_WRONG, 3600 * SECOND, 1);
    assert_int_equal(ring->sorted[ring->count - 1], SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_take_alike),
        cmocka_unit_test(before_much_is_known_the_grid_is_coarse),
        cmocka_unit_test(right_passwords_say_how_long_wrong_ones_take),
        cmocka_unit_test(a_flood_displaces_its_own_kind_alone),
        cmocka_unit_test(what_is_old_is_forgotten),
        cmocka_unit_test(under_load_the_slowest_kind_is_not_delayed),
        cmocka_unit_test(samples_stay_sorted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
