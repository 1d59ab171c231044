/* SPDX-License-Identifier: Apache-2.0
 *
 * The limiter in front of the directories. Times are only bounded from below, or generously, so that a busy machine
 * does not fail the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sched.h>

#include "../../src/ldap/ldap_private.h"
#include "within.h"

#define MS (AS_MONO_SECOND / 1000)
#define LONG (30 * AS_MONO_SECOND)

static as_limiter limiter;
static as_share share;

/* The time in a test where answers alone make it go on, so that a machine that stands still is no silent directory; 0:
 * the kernel's. It is an hour ahead: a wait ends because it is ended. */
static _Atomic as_mono own_time;

/* This and the next replace those of src/ldap/wire.c. */
as_mono as_mono_read(void)
{
    const as_mono own = atomic_load(&own_time);
    struct timespec now;

    if (own != 0) {
        return own;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (as_mono)now.tv_sec * AS_MONO_SECOND + now.tv_nsec / 1000;
}

typedef struct visitor {
    pthread_t thread;
    as_mono deadline;
    bool entered;
    as_mono took;
    _Atomic bool done;
} visitor;

as_mono as_mono_choose_earlier(as_mono a, as_mono b)
{
    return a < b ? a : b;
}

static void *visit(void *data)
{
    visitor *self = data;
    as_mono started = as_mono_read();

    self->entered = as_limiter_enter(&limiter, &share, started + self->deadline);
    self->took = as_mono_read() - started;
    self->done = true;
    return NULL;
}

static bool is_queue_empty(void)
{
    return APR_RING_EMPTY(&limiter.queue, as_waiter, link);
}

static void start(visitor *v, as_mono deadline)
{
    v->deadline = deadline;
    v->done = false;
    assert_int_equal(pthread_create(&v->thread, NULL, visit, v), 0);
}

static void end(visitor *v)
{
    assert_int_equal(pthread_join(v->thread, NULL), 0);
}

static void test_without_a_limit_everybody_enters(void **state)
{
    (void)state;
    assert_true(as_limiter_create(&limiter, 0));
    as_share_create(&share, &limiter, 1);
    for (int i = 0; i < 100; i++) {
        assert_true(as_limiter_enter(&limiter, &share, as_mono_read()));
    }
    as_limiter_leave(&limiter, &share);
    as_limiter_destroy(&limiter);
}

/* A request that queues now is refused when patience with the answers since `filled` has ended, and not before. */
static void check_turned_away(as_mono filled)
{
    visitor late;

    start(&late, LONG);
    end(&late);
    assert_false(late.entered);
    assert_within(as_mono_read() - filled, 100 * MS, LONG / 2);
}

static void test_nobody_waits_for_a_silent_directory(void **state)
{
    as_mono filled;

    (void)state;
    assert_true(as_limiter_create(&limiter, 2));
    as_share_create(&share, &limiter, 1);
    assert_true(as_limiter_enter(&limiter, &share, as_mono_read() + LONG));
    filled = as_mono_read();
    assert_true(as_limiter_enter(&limiter, &share, as_mono_read() + LONG));
    check_turned_away(filled);
    /* Patience is over: who comes now is turned away at once. */
    assert_false(as_limiter_enter(&limiter, &share, as_mono_read() + LONG));
    /* A slot is free again; and then the next may wait as long as the first could. */
    as_limiter_leave(&limiter, &share);
    filled = as_mono_read();
    assert_true(as_limiter_enter(&limiter, &share, as_mono_read() + LONG));
    check_turned_away(filled);
    as_limiter_destroy(&limiter);
}

/* As if an answer came every moment from now on. */
static void let_answers_come(void)
{
    atomic_store(&limiter.answered, as_mono_read() + LONG);
    atomic_store(&share.answered, as_mono_read() + LONG);
}

static bool has_queue(void)
{
    bool has;

    pthread_mutex_lock(&limiter.mutex);
    has = !is_queue_empty();
    pthread_mutex_unlock(&limiter.mutex);
    return has;
}

static void wait_until(as_mono when)
{
    while (as_mono_read() < when) {
        sched_yield();
    }
}

static void wait_for_queue(void)
{
    while (!has_queue()) {
        sched_yield();
    }
}

static void test_who_waits_enters_while_answers_come(void **state)
{
    visitor waiter;
    as_mono filled;

    (void)state;
    assert_true(as_limiter_create(&limiter, 1));
    as_share_create(&share, &limiter, 1);
    assert_true(as_limiter_enter(&limiter, &share, as_mono_read() + LONG));
    filled = as_mono_read();
    let_answers_come();
    start(&waiter, LONG);
    wait_for_queue();
    wait_until(filled + 150 * MS); /* longer than patience with a silent directory */
    assert_true(has_queue());
    as_limiter_leave(&limiter, &share);
    end(&waiter);
    assert_true(waiter.entered);
    as_limiter_leave(&limiter, &share);
    assert_int_equal(limiter.inside, 0);
    as_limiter_destroy(&limiter);
}

/* A directory that hangs keeps its share, and not one slot more: another's requests enter. */
static void test_shares(void **state)
{
    as_share other, quarter;
    visitor waiter;

    (void)state;
    assert_true(as_limiter_create(&limiter, 8));
    as_share_create(&share, &limiter, 2);
    as_share_create(&other, &limiter, 2);
    as_share_create(&quarter, &limiter, 4);
    for (int i = 0; i < 4; i++) {
        assert_true(as_limiter_enter(&limiter, &share, as_mono_read() + LONG));
    }
    assert_true(as_limiter_enter(&limiter, &quarter, as_mono_read() + LONG));
    assert_true(as_limiter_enter(&limiter, &quarter, as_mono_read() + LONG));
    assert_false(as_limiter_enter(&limiter, &quarter, as_mono_read() + 200 * MS));
    assert_false(as_limiter_enter(&limiter, &share, as_mono_read() + LONG));
    assert_true(as_limiter_enter(&limiter, &other, as_mono_read() + LONG));
    assert_true(as_limiter_enter(&limiter, &other, as_mono_read() + LONG));
    let_answers_come();
    start(&waiter, LONG);
    wait_for_queue();
    as_limiter_leave(&limiter, &other); /* a slot, and none of the share's */
    assert_true(has_queue());
    as_limiter_leave(&limiter, &share);
    end(&waiter);
    assert_true(waiter.entered);
    assert_int_equal(limiter.inside, 7);
    as_limiter_destroy(&limiter);

    assert_true(as_limiter_create(&limiter, 1));
    as_share_create(&quarter, &limiter, 4);
    assert_int_equal(quarter.most, 1);
    as_limiter_destroy(&limiter);
}

static void test_the_deadline_ends_the_wait(void **state)
{
    visitor waiter;

    (void)state;
    assert_true(as_limiter_create(&limiter, 1));
    as_share_create(&share, &limiter, 1);
    assert_true(as_limiter_enter(&limiter, &share, as_mono_read() + LONG));
    let_answers_come();
    start(&waiter, 50 * MS);
    end(&waiter);
    assert_false(waiter.entered);
    assert_within(waiter.took, 50 * MS, LONG / 2);
    assert_true(is_queue_empty());
    as_limiter_leave(&limiter, &share);
    assert_int_equal(limiter.inside, 0);
    as_limiter_destroy(&limiter);
}

#define CROWD 50
#define ROUNDS 200

static void *come_and_go(void *data)
{
    int *refused = data;

    for (int i = 0; i < ROUNDS; i++) {
        if (!as_limiter_enter(&limiter, &share, as_mono_read() + LONG)) {
            (*refused)++;
            continue;
        }
        as_limiter_note_answer(&limiter, &share);
        atomic_fetch_add(&own_time, MS);
        as_limiter_leave(&limiter, &share);
    }
    return NULL;
}

static void test_a_burst_on_a_healthy_directory_is_never_refused(void **state)
{
    pthread_t threads[CROWD];
    int refused[CROWD] = {0};

    (void)state;
    assert_true(as_limiter_create(&limiter, 3));
    as_share_create(&share, &limiter, 1);
    atomic_store(&own_time, as_mono_read() + 3600 * AS_MONO_SECOND);
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &refused[i]), 0);
    }
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(refused[i], 0);
    }
    atomic_store(&own_time, 0);
    assert_int_equal(limiter.inside, 0);
    assert_true(is_queue_empty());
    as_limiter_destroy(&limiter);
}

/* A thread that read the clock, and then had to stop, notes its answer after a later one. */
static void test_an_answer_noted_late_is_no_silence(void **state)
{
    visitor waiter;
    as_mono now = as_mono_read() + 3600 * AS_MONO_SECOND;

    (void)state;
    assert_true(as_limiter_create(&limiter, 1));
    as_share_create(&share, &limiter, 1);
    atomic_store(&own_time, now);
    assert_true(as_limiter_enter(&limiter, &share, now + LONG));
    atomic_store(&own_time, now + AS_MONO_SECOND);
    as_limiter_note_answer(&limiter, &share);
    atomic_store(&own_time, now + 1);
    as_limiter_note_answer(&limiter, &share);
    atomic_store(&own_time, now + AS_MONO_SECOND + 1);
    start(&waiter, LONG);
    while (!has_queue() && !waiter.done) {
        sched_yield();
    }
    as_limiter_leave(&limiter, &share);
    end(&waiter);
    assert_true(waiter.entered);
    as_limiter_leave(&limiter, &share);
    as_limiter_destroy(&limiter);
    atomic_store(&own_time, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_limit_everybody_enters),
        cmocka_unit_test(test_nobody_waits_for_a_silent_directory),
        cmocka_unit_test(test_who_waits_enters_while_answers_come),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_the_deadline_ends_the_wait),
        cmocka_unit_test(test_a_burst_on_a_healthy_directory_is_never_refused),
        cmocka_unit_test(test_an_answer_noted_late_is_no_silence),
    };
    return cmocka_run_group_tests_name("limiter", tests, NULL, NULL);
}
