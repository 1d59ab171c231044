/* SPDX-License-Identifier: Apache-2.0
 *
 * The throttle over several machines, in a table that is full, and where processes die or meet.
 */
#include "throttle_machine.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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
    assert_int_equal(log_in(here, &four_in_five_minutes, "alice", NULL, RIGHT), 299);
}

static void a_success_while_the_store_is_away_counts_when_it_is_back(void **state)
{
    as_throttles *here = a_machine_of_several(), *there = a_machine_of_several();

    (void)state;
    guess(here, &four_in_five_minutes, 3);
    shelf.answer = APR_EGENERAL;
    pass(1);
    assert_int_equal(log_in(there, &four_in_five_minutes, "alice", NULL, RIGHT), 0);
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
    assert_int_equal(log_in(there, &four_in_five_minutes, "alice", NULL, RIGHT), 0);
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
        assert_int_equal(log_in(all, &four_in_five_minutes, name, NULL, WRONG), 0);
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
    assert_int_equal(log_in(all, &four_in_five_minutes, "alice", NULL, WRONG), 300);
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
    assert_int_equal(log_in(all, &four_in_five_minutes, "bob", NULL, WRONG), 290);
    assert_int_equal(log_in(all, &four_in_five_minutes, "alice", NULL, WRONG), 290);
    pass(290);
    assert_int_equal(log_in(all, &four_in_five_minutes, "bob", NULL, WRONG), 0);
}

/* Who may write .htaccess invents accounts as he likes: he shuts out himself alone. */
static void accounts_of_htaccess_take_no_memory_from_others(void **state)
{
    static const as_throttle of_htaccess = {4, 300 * SECOND, true, false, true};
    as_throttles *all = a_machine();
    char name[32];

    (void)state;
    for (int i = 0; i < AS_TALLIES; i++) {
        apr_snprintf(name, sizeof name, "invented%d", i);
        for (int j = 0; j < 4; j++) {
            log_in(all, &of_htaccess, name, NULL, WRONG);
        }
    }
    assert_int_equal(log_in(all, &of_htaccess, "one more", NULL, WRONG), 300);
    /* and what he has counted is no less a count */
    assert_int_equal(log_in(all, &four_in_five_minutes, "invented0", NULL, WRONG), 300);
    for (int i = 0; i < AS_TALLIES; i++) {
        fail_as(all, i, 4);
    }
    assert_int_equal(log_in(all, &of_htaccess, "one more", NULL, WRONG), 300);
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
    assert_int_equal(
        as_throttle_admit(all, &four_in_five_minutes, &(as_counted_bind){"alice", AS_BIND_GUESS, mono}, pool, &stamp),
        0);
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

/* Whether the kernel knows which locks a process holds. An emulator of processes (qemu-user) keeps that from it. */
static bool kernel_frees_locks(void)
{
    void *list;
    size_t size;

    return syscall(SYS_get_robust_list, 0, &list, &size) == 0;
}

/* A child that is killed while it holds the lock, in the midst of a change. */
static void a_process_that_dies_blocks_no_other(void **state)
{
    as_throttles *all = a_machine();
    as_tally *tally;
    pid_t child;
    int status;

    (void)state;
    if (!kernel_frees_locks()) { /* a skip() of cmocka 1.1.5 is a failure in its TAP */
        print_message("# the kernel does not know of locks here\n");
        return;
    }
    guess(all, &four_in_five_minutes, 3);
    as_throttle_keep_spelling(all, "d1", "alice", "alice");
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
    assert_int_equal(log_in(all, &four_in_five_minutes, "alice", NULL, WRONG), 300);
    assert_true(as_throttle_is_counted(all, "alice"));
    /* It may have been in the midst of a spelling, which must not lead to another's account. */
    assert_int_equal(as_throttle_check_spelling(all, &four_in_five_minutes, "d1", "alice", pool), 0);
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

                if (as_throttle_admit(all, &four_in_five_minutes, &(as_counted_bind){"alice", AS_BIND_GUESS, mono},
                                      pool, &stamp) == 0) {
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
        ROW(each_machine_counts_while_the_store_is_away),
        ROW(a_success_while_the_store_is_away_counts_when_it_is_back),
        ROW(a_success_elsewhere_holds_even_where_the_store_loses_it),
        ROW(a_count_that_was_overwritten_is_written_again),
        ROW(rubbish_and_replays_are_no_count),
        ROW(a_clock_set_back_changes_nothing_here),
        ROW(a_flood_of_names_frees_no_throttled_account),
        ROW(a_table_full_of_throttled_accounts_admits_no_other),
        ROW(accounts_of_htaccess_take_no_memory_from_others),
        ROW(of_clients_the_soonest_to_end_gives_way),
        ROW(a_spelling_leads_to_the_account),
        ROW(a_process_that_dies_blocks_no_other),
        ROW(under_any_concurrency_the_limit_is_exact),
        ROW(lists_are_merged_in_any_order_any_number_of_times),
        ROW(only_a_list_is_parsed),
    };

    apr_initialize();
    return cmocka_run_group_tests_name("throttle, machines", tests, NULL, NULL);
}
