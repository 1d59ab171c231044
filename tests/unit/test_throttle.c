/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_store.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/throttle_private.h"

static const as_throttle four_in_five_minutes = {4, 300 * SECOND, true, false};
static const as_throttle by_client = {4, 300 * SECOND, false, true};
static const as_throttle by_both = {4, 300 * SECOND, true, true};

static apr_time_t fake_wall(void)
{
    return wall;
}

static apr_status_t unmap(void *memory)
{
    munmap(memory, as_throttles_get_size());
    return APR_SUCCESS;
}

/* Another process of the same machine. */
static as_throttles *a_process_beside(const as_throttles *other)
{
    as_throttles *all = as_throttles_create(pool, other->memory, other->store ? a_process() : NULL);

    all->mono = fake_mono;
    all->wall = fake_wall;
    return all;
}

/* A machine's first process; on the store that all machines share, or without one. */
static as_throttles *a_machine_with(as_cache *store)
{
    as_throttle_memory *memory =
        mmap(NULL, as_throttles_get_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    as_throttles first = {.memory = memory, .store = store};

    assert_ptr_not_equal(memory, MAP_FAILED);
    assert_true(as_throttles_begin(memory));
    memory->offset = wall - mono;
    apr_pool_cleanup_register(pool, memory, unmap, apr_pool_cleanup_null);
    return a_process_beside(&first);
}

static as_throttles *a_machine(void)
{
    return a_machine_with(NULL);
}

static as_throttles *a_machine_of_several(void)
{
    return a_machine_with(a_process());
}

/* Returns how long a bind of the account has to wait, through a spelling that leads to it. */
static long wait_for_account(as_throttles *all, const as_throttle *throttle, const char *account)
{
    as_throttle_keep_spelling(all, "directory", account, account);
    return as_throttle_check_spelling(all, throttle, "directory", account, pool);
}

static long wait_for(as_throttles *all, const as_throttle *throttle, const char *user, const char *client)
{
    long of_user = user ? wait_for_account(all, throttle, user) : 0;
    long of_client = as_throttle_check_client(all, throttle, client, pool);

    return of_user > of_client ? of_user : of_client;
}

typedef enum verdict { WRONG, RIGHT, NO_FAILURE } verdict;

/* A login as the floor above makes it: admitted, asked, settled. Returns the wait. */
static long ask(as_throttles *all, const as_throttle *throttle, const char *user, const char *client, verdict found)
{
    apr_time_t stamp;
    long wait = as_throttle_check_client(all, throttle, client, pool);

    if (wait == 0) {
        wait = as_throttle_admit(all, throttle, user, AS_BIND_GUESS, mono, pool, &stamp);
    }
    if (wait > 0) {
        return wait;
    }
    switch (found) {
    case WRONG:
        as_throttle_record_failure(all, user, stamp, pool);
        as_throttle_count_client(all, throttle, client, pool);
        break;
    case RIGHT:
        as_throttle_record_success(all, user, stamp, pool);
        break;
    case NO_FAILURE:
        as_throttle_withdraw(all, user, stamp, pool);
        break;
    }
    return 0;
}

static void guess(as_throttles *all, const as_throttle *throttle, int times)
{
    for (int i = 0; i < times; i++) {
        pass(1e-6); /* two failures that two machines see in the same microsecond are one */
        assert_int_equal(ask(all, throttle, "alice", "192.0.2.1", WRONG), 0);
    }
}

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
    assert_int_equal(ask(here, &four_in_five_minutes, "alice", NULL, WRONG), 280);
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
    assert_int_equal(ask(here, &four_in_five_minutes, "alice", NULL, WRONG), 300);
    assert_int_equal(ask(there, &four_in_five_minutes, "alice", NULL, WRONG), 300);
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
    assert_int_equal(ask(there, &by_both, "alice", "192.0.2.1", RIGHT), 0);
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
        assert_int_equal(ask(all, &four_in_five_minutes, "alice", NULL, NO_FAILURE), 0);
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
        assert_int_equal(
            as_throttle_admit(processes[i % 2], &four_in_five_minutes, "alice", AS_BIND_GUESS, mono, pool, &stamps[i]),
            0);
        assert_true(stamps[i] > 0);
    }
    for (int i = 0; i < 20; i++) {
        assert_int_equal(
            as_throttle_admit(processes[i % 2], &four_in_five_minutes, "alice", AS_BIND_GUESS, mono, pool, &none), 300);
        assert_int_equal(none, 0);
    }
    as_throttle_record_failure(processes[1], "alice", stamps[0], pool);
    as_throttle_withdraw(processes[0], "alice", stamps[1], pool);
    assert_int_equal(wait_for(processes[0], &four_in_five_minutes, "alice", NULL), 0);
    guess(processes[0], &four_in_five_minutes, 1);
    assert_int_equal(ask(processes[1], &four_in_five_minutes, "alice", NULL, WRONG), 300);
}

static apr_time_t under_way;

/* Answers the bind that is under way, in a while: with success. */
static void *answer_meanwhile(void *data)
{
    apr_pool_t *own;

    apr_pool_create(&own, NULL);
    usleep(20000);
    as_throttle_record_success(data, "alice", under_way, own);
    apr_pool_destroy(own);
    return NULL;
}

/* Many requests of one page, when what was remembered has just ended: with the right password, in several processes. */
static void right_passwords_at_once_wait_for_each_other(void **state)
{
    static const as_throttle one = {1, 300 * SECOND, true, false};
    as_throttles *all = a_machine();
    apr_time_t second, third;
    pthread_t other;

    (void)state;
    all->mono = as_clock_read_mono;
    assert_int_equal(as_throttle_admit(all, &one, "alice", AS_BIND_GUESS, 0, pool, &under_way), 0);
    assert_int_equal(pthread_create(&other, NULL, answer_meanwhile, all), 0);
    assert_int_equal(
        as_throttle_admit(all, &one, "alice", AS_BIND_GUESS, as_clock_read_mono() + 10 * SECOND, pool, &second), 0);
    pthread_join(other, NULL);
    assert_true(second > under_way);
    /* Nobody answers this one. */
    assert_int_equal(
        as_throttle_admit(all, &one, "alice", AS_BIND_GUESS, as_clock_read_mono() + SECOND / 50, pool, &third), 300);
    as_throttle_record_failure(all, "alice", second, pool);
    assert_int_equal(as_throttle_admit(all, &one, "alice", AS_BIND_GUESS, INT64_MAX, pool, &third), 300);
}

/* A success ends what the directory had answered before it; a wrong password that is still under way may reach the
 * directory behind it. */
static void a_success_leaves_what_is_under_way(void **state)
{
    as_throttles *all = a_machine();
    apr_time_t wrong[3], right;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(as_throttle_admit(all, &four_in_five_minutes, "alice", AS_BIND_GUESS, mono, pool, &wrong[i]),
                         0);
        pass(0.001);
    }
    as_throttle_record_failure(all, "alice", wrong[0], pool);
    pass(0.001);
    assert_int_equal(as_throttle_admit(all, &four_in_five_minutes, "alice", AS_BIND_GUESS, mono, pool, &right), 0);
    pass(0.001);
    as_throttle_record_failure(all, "alice", wrong[1], pool);
    as_throttle_record_success(all, "alice", right, pool);
    pass(0.001);
    as_throttle_record_failure(all, "alice", wrong[2], pool);
    guess(all, &four_in_five_minutes, 2);
    assert_int_equal(wait_for(all, &four_in_five_minutes, "alice", NULL), 300);
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
    assert_int_equal(as_throttle_admit(all, &four_in_five_minutes, "alice", AS_BIND_REMEMBERED, mono, pool, &stamp), 0);
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
        assert_int_equal(as_throttle_admit(all, &by_client, "alice", AS_BIND_GUESS, mono, pool, &stamp), 0);
        assert_int_equal(stamp, 0);
    }
    assert_int_equal(wait_for(all, &by_client, NULL, "192.0.2.1"), 0);
}

static void off_is_off(void **state)
{
    static const as_throttle rows[] = {{0, 300 * SECOND, true, true},
                                       {-1, 300 * SECOND, true, true},
                                       {4, 0, true, true},
                                       {4, 300 * SECOND, false, false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        as_throttles *all = a_machine();

        for (int j = 0; j < 10; j++) {
            apr_time_t stamp;

            assert_int_equal(as_throttle_admit(all, &rows[i], "alice", AS_BIND_GUESS, mono, pool, &stamp), 0);
            assert_int_equal(stamp, 0);
            as_throttle_count_client(all, &rows[i], "192.0.2.1", pool);
        }
        assert_int_equal(wait_for(all, &rows[i], "alice", "192.0.2.1"), 0);
    }
}

static void more_than_the_most_counts_as_the_most(void **state)
{
    static const as_throttle generous = {1000, 300 * SECOND, true, false};
    as_throttles *memory = a_machine_of_several();

    (void)state;
    guess(memory, &generous, AS_THROTTLE_MOST);
    assert_int_equal(wait_for(memory, &generous, "alice", NULL), 300);
}

static void sections_with_other_times_share_the_count(void **state)
{
    static const as_throttle ten_in_two_hours = {6, 7200 * SECOND, true, false};
    as_throttles *here = a_machine_of_several(), *there = a_machine_of_several();

    (void)state;
    guess(here, &ten_in_two_hours, 3);
    pass(400);
    guess(here, &four_in_five_minutes, 3);
    assert_int_equal(wait_for(there, &four_in_five_minutes, "alice", NULL), 0);
    assert_int_equal(wait_for(there, &ten_in_two_hours, "alice", NULL), 6800);
    assert_true(fake_only()->expiry >= wall + 3600 * SECOND);
}

/* ---- several machines ---- */

static void each_machine_counts_while_the_store_is_away(void **state)
{
    as_throttles *here = a_machine_of_several(), *there = a_machine_of_several();

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
    assert_int_equal(ask(here, &four_in_five_minutes, "alice", NULL, RIGHT), 299);
}

static void a_success_while_the_store_is_away_counts_when_it_is_back(void **state)
{
    as_throttles *here = a_machine_of_several(), *there = a_machine_of_several();

    (void)state;
    guess(here, &four_in_five_minutes, 3);
    shelf.answer = APR_EGENERAL;
    pass(1);
    assert_int_equal(ask(there, &four_in_five_minutes, "alice", NULL, RIGHT), 0);
    shelf.answer = APR_SUCCESS;
    pass(1);
    guess(there, &four_in_five_minutes, 3);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 0);
}

static void a_success_elsewhere_holds_even_where_the_store_loses_it(void **state)
{
    as_throttles *here = a_machine_of_several(), *there = a_machine_of_several();

    (void)state;
    guess(here, &four_in_five_minutes, 3);
    assert_int_equal(ask(there, &four_in_five_minutes, "alice", NULL, RIGHT), 0);
    guess(here, &four_in_five_minutes, 1);
    memset(&shelf, 0, sizeof shelf);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 0);
    guess(here, &four_in_five_minutes, 3);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 300);
}

/* What the store has lost, by eviction or by two processes writing at once, comes back from who saw it. */
static void a_count_that_was_overwritten_is_written_again(void **state)
{
    as_throttles *here = a_machine_of_several(), *there = a_machine_of_several();
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
    as_throttles *all = a_machine_of_several();
    const as_cache_key bob = {.user = "bob"};

    (void)state;
    guess(all, &four_in_five_minutes, 4);
    assert_int_equal(wait_for(a_machine_of_several(), &four_in_five_minutes, "alice", NULL), 300);
    assert_true(as_record_make_id(all->store, AS_RECORD_USER_FAILURES, &bob, fake_only()->id));
    assert_int_equal(wait_for(a_machine_of_several(), &four_in_five_minutes, "bob", NULL), 0);
    memset(fake_only()->data, 0x55, fake_only()->length);
    assert_int_equal(wait_for(a_machine_of_several(), &four_in_five_minutes, "alice", NULL), 0);
    assert_int_equal(wait_for(all, &four_in_five_minutes, "alice", NULL), 300);
}

/* The wall clock is for the store alone: nobody is let off, and nobody waits longer. */
static void a_clock_set_back_changes_nothing_here(void **state)
{
    as_throttles *here = a_machine_of_several();

    (void)state;
    guess(here, &four_in_five_minutes, 4);
    wall -= SECOND;
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 300);
    wall -= 3600 * SECOND;
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 300);
    wall += 3601 * SECOND;
    pass(300);
    assert_int_equal(wait_for(here, &four_in_five_minutes, "alice", NULL), 0);
}

/* ---- a full table ---- */

static void fail_as(as_throttles *all, int number, int times)
{
    char name[32];

    apr_snprintf(name, sizeof name, "user%d", number);
    for (int i = 0; i < times; i++) {
        assert_int_equal(ask(all, &four_in_five_minutes, name, NULL, WRONG), 0);
    }
}

static void a_flood_of_names_frees_no_throttled_account(void **state)
{
    as_throttles *all = a_machine();

    (void)state;
    guess(all, &four_in_five_minutes, 4);
    for (int i = 0; i < 3 * AS_TALLIES; i++) {
        fail_as(all, i, 1 + i % 3);
    }
    assert_int_equal(ask(all, &four_in_five_minutes, "alice", NULL, WRONG), 300);
}

/* Where every count forbids something none gives way: who has none waits for the first that ends. */
static void a_table_full_of_throttled_accounts_admits_no_other(void **state)
{
    as_throttles *all = a_machine();

    (void)state;
    guess(all, &four_in_five_minutes, 4);
    pass(10);
    for (int i = 1; i < AS_TALLIES; i++) {
        fail_as(all, i, 4);
    }
    assert_int_equal(ask(all, &four_in_five_minutes, "bob", NULL, WRONG), 290);
    assert_int_equal(ask(all, &four_in_five_minutes, "alice", NULL, WRONG), 290);
    pass(290);
    assert_int_equal(ask(all, &four_in_five_minutes, "bob", NULL, WRONG), 0);
}

static void of_clients_the_soonest_to_end_gives_way(void **state)
{
    as_throttles *all = a_machine();
    char address[32];

    (void)state;
    for (int i = 0; i <= AS_TALLIES; i++) {
        apr_snprintf(address, sizeof address, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        for (int j = 0; j < 4; j++) {
            as_throttle_count_client(all, &by_client, address, pool);
        }
        pass(0.001);
    }
    assert_int_equal(wait_for(all, &by_client, NULL, address), 300);
    assert_int_equal(wait_for(all, &by_client, NULL, "10.0.0.0"), 0);
}

/* ---- spellings ---- */

static void a_spelling_leads_to_the_account(void **state)
{
    as_throttles *all = a_machine();
    apr_time_t stamp;

    (void)state;
    as_throttle_keep_spelling(all, "d1", "alice", "alice");
    assert_int_equal(as_throttle_check_spelling(all, &four_in_five_minutes, "d1", "alice", pool), 0);
    guess(all, &four_in_five_minutes, 3);
    assert_int_equal(as_throttle_admit(all, &four_in_five_minutes, "alice", AS_BIND_GUESS, mono, pool, &stamp), 0);
    assert_int_equal(as_throttle_check_spelling(all, &four_in_five_minutes, "d1", "alice", pool), 0);
    as_throttle_record_failure(all, "alice", stamp, pool);
    assert_int_equal(as_throttle_check_spelling(all, &four_in_five_minutes, "d1", "alice", pool), 300);
    assert_int_equal(as_throttle_check_spelling(all, &by_client, "d1", "alice", pool), 0);
    assert_int_equal(as_throttle_check_spelling(all, &four_in_five_minutes, "d2", "alice", pool), 0);
    assert_int_equal(as_throttle_check_spelling(all, &four_in_five_minutes, "d1", "bob", pool), 0);
    pass(60);
    assert_int_equal(as_throttle_check_spelling(all, &four_in_five_minutes, "d1", "alice", pool), 0);
    assert_int_equal(wait_for(all, &four_in_five_minutes, "alice", NULL), 240);
}

/* ---- processes that die ---- */

/* A child that is killed while it holds the lock, in the midst of a change. */
static void a_process_that_dies_blocks_no_other(void **state)
{
    as_throttles *all = a_machine();
    as_tally *tally;
    pid_t child;
    int status;

    (void)state;
    guess(all, &four_in_five_minutes, 3);
    child = fork();
    if (child == 0) {
        as_throttle_lock(all->memory);
        tally = &all->memory->users.tallies[0];
        tally->failures.count = AS_THROTTLE_MOST + 7;
        tally->failures.times[3] = tally->failures.times[1];
        memset(all->memory->users.heads, 0xff, sizeof all->memory->users.heads);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    guess(all, &four_in_five_minutes, 1);
    assert_int_equal(ask(all, &four_in_five_minutes, "alice", NULL, WRONG), 300);
    assert_true(as_throttle_is_counted(all, "alice"));
}

/* Eight processes, 400 guesses at once: as many as the throttle allows are admitted. */
static void under_any_concurrency_the_limit_is_exact(void **state)
{
    as_throttles *all = a_machine();
    atomic_int *admitted = mmap(NULL, sizeof *admitted, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    (void)state;
    for (int process = 0; process < 8; process++) {
        if (fork() == 0) {
            for (int i = 0; i < 50; i++) {
                apr_time_t stamp;

                if (as_throttle_admit(all, &four_in_five_minutes, "alice", AS_BIND_GUESS, mono, pool, &stamp) == 0) {
                    atomic_fetch_add(admitted, 1);
                    as_throttle_record_failure(all, "alice", stamp, pool);
                }
            }
            _exit(0);
        }
    }
    for (int process = 0; process < 8; process++) {
        assert_true(wait(NULL) > 0);
    }
    assert_int_equal(atomic_load(admitted), 4);
    munmap(admitted, sizeof *admitted);
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
        ROW(the_processes_of_a_machine_count_together),
        ROW(accounts_and_clients_are_counted_apart),
        ROW(an_ipv6_client_is_its_64),
        ROW(a_success_ends_the_user_s_count_and_not_the_client_s),
        ROW(what_is_no_failure_is_withdrawn),
        ROW(guesses_sent_at_once_are_counted_before_they_are_answered),
        ROW(right_passwords_at_once_wait_for_each_other),
        ROW(a_success_leaves_what_is_under_way),
        ROW(a_password_that_is_no_guess_is_always_admitted),
        ROW(clients_are_counted_when_they_have_failed),
        ROW(off_is_off),
        ROW(more_than_the_most_counts_as_the_most),
        ROW(sections_with_other_times_share_the_count),
        ROW(each_machine_counts_while_the_store_is_away),
        ROW(a_success_while_the_store_is_away_counts_when_it_is_back),
        ROW(a_success_elsewhere_holds_even_where_the_store_loses_it),
        ROW(a_count_that_was_overwritten_is_written_again),
        ROW(rubbish_and_replays_are_no_count),
        ROW(a_clock_set_back_changes_nothing_here),
        ROW(a_flood_of_names_frees_no_throttled_account),
        ROW(a_table_full_of_throttled_accounts_admits_no_other),
        ROW(of_clients_the_soonest_to_end_gives_way),
        ROW(a_spelling_leads_to_the_account),
        ROW(a_process_that_dies_blocks_no_other),
        ROW(under_any_concurrency_the_limit_is_exact),
        ROW(lists_are_merged_in_any_order_any_number_of_times),
        ROW(only_a_list_is_parsed),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("throttle", tests, NULL, NULL);
}
