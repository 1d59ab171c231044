/* SPDX-License-Identifier: Apache-2.0
 *
 * The service account of several processes: an as_account is what one of them has, and the memory is all of theirs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <apr_general.h>

#include "../../src/ldap/ldap_private.h"

#define PROCESSES 8
#define REFUSALS 3

static const as_ldap_server servers[] = {{"one.example", 389}, {"other.example", 389}};
static const as_ldap_server turned[] = {{"other.example", 389}, {"one.example", 389}};
static const as_directory_settings settings = {
    .servers = servers, .server_count = 2, .bind_dn = "cn=httpd", .bind_password = "Pw!service"};

static apr_pool_t *pool;
static as_shared_accounts *shared;
static as_account accounts[PROCESSES];

static as_mono in(as_mono time)
{
    return as_mono_read() + time;
}

static bool enter(as_account *account, as_mono deadline)
{
    as_reply reply;

    as_reply_clear(&reply);
    return as_account_enter(account, deadline, pool, &reply);
}

static void leave(as_account *account, int code)
{
    as_reply reply;

    as_reply_clear(&reply);
    reply.failure = AS_FAILURE_NONE;
    reply.code = code;
    as_account_leave(account, &reply);
}

static bool is_open(as_account *account)
{
    as_reply reply;

    as_reply_clear(&reply);
    return as_account_is_circuit_open(account, pool, &reply) && reply.code == LDAP_INVALID_CREDENTIALS;
}

static int set_up(void **state)
{
    (void)state;
    shared = calloc(1, as_shared_accounts_get_size());
    for (size_t i = 0; i < PROCESSES; i++) {
        accounts[i] = (as_account){.made = false};
        assert_true(as_account_create(&accounts[i], shared, &settings, pool));
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROCESSES; i++) {
        as_account_destroy(&accounts[i]);
    }
    free(shared);
    return 0;
}

static void test_three_refusals_whichever_process(void **state)
{
    (void)state;
    for (int i = 0; i < REFUSALS; i++) {
        assert_true(enter(&accounts[i], in(AS_MONO_SECOND)));
        leave(&accounts[i], LDAP_INVALID_CREDENTIALS);
    }
    for (int i = 0; i < PROCESSES; i++) {
        assert_true(is_open(&accounts[i]));
        assert_false(enter(&accounts[i], in(AS_MONO_SECOND)));
    }
}

static void *refuse(void *data)
{
    as_account *account = data;
    apr_pool_t *own;
    as_reply reply;
    intptr_t count = 0;

    apr_pool_create(&own, NULL);
    for (int i = 0; i < 20; i++) {
        as_reply_clear(&reply);
        if (as_account_enter(account, in(30 * AS_MONO_SECOND), own, &reply)) {
            count++;
            leave(account, LDAP_INVALID_CREDENTIALS);
        }
    }
    apr_pool_destroy(own);
    return (void *)count;
}

static void test_three_refusals_at_the_same_time(void **state)
{
    pthread_t threads[PROCESSES];
    intptr_t all = 0;
    void *count;

    (void)state;
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, refuse, &accounts[i]), 0);
    }
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(pthread_join(threads[i], &count), 0);
        all += (intptr_t)count;
    }
    assert_int_equal(all, REFUSALS);
}

static void test_a_success_ends_the_refusals_of_all(void **state)
{
    (void)state;
    for (int i = 0; i < REFUSALS - 1; i++) {
        assert_true(enter(&accounts[i], in(AS_MONO_SECOND)));
        leave(&accounts[i], LDAP_INVALID_CREDENTIALS);
    }
    assert_true(enter(&accounts[6], in(AS_MONO_SECOND)));
    leave(&accounts[6], LDAP_SUCCESS);
    for (int i = 0; i < PROCESSES; i++) {
        assert_true(enter(&accounts[i], in(AS_MONO_SECOND))); /* without a limit, once it was accepted */
    }
}

/* It has begun as many binds as may be tried, and never ends one. */
static void test_a_process_that_dies_blocks_no_other(void **state)
{
    const as_mono deadline = in(AS_MONO_SECOND / 10);

    (void)state;
    for (int i = 0; i < REFUSALS; i++) {
        assert_true(enter(&accounts[0], deadline));
    }
    assert_false(enter(&accounts[1], as_mono_read()));
    assert_true(enter(&accounts[1], in(30 * AS_MONO_SECOND)));
    assert_true(as_mono_read() >= deadline);
}

typedef struct as_row {
    as_directory_settings settings;
    bool same;
} as_row;

static void test_which_accounts_are_one(void **state)
{
    const as_row rows[] = {
        {{.servers = turned, .server_count = 2, .bind_dn = "cn=httpd", .bind_password = "Pw!service"}, true},
        {{.servers = servers, .server_count = 2, .bind_dn = "cn=httpd", .bind_password = "Pw!service", .base = "o=x"},
         true},
        {{.servers = servers, .server_count = 1, .bind_dn = "cn=httpd", .bind_password = "Pw!service"}, false},
        {{.servers = servers, .server_count = 2, .bind_dn = "cn=httpd", .bind_password = "Pw!new"}, false},
        {{.servers = servers, .server_count = 2, .bind_dn = "cn=other", .bind_password = "Pw!service"}, false},
        {{.servers = servers, .server_count = 2, .bind_dn = "cn=httpd"}, false},
        {{.servers = servers,
          .server_count = 2,
          .bind_dn = "cn=httpd",
          .bind_password = "Pw!service",
          .of_htaccess = true},
         false},
        {{.servers = servers,
          .server_count = 2,
          .bind_dn = "cn=httpd",
          .bind_password = "Pw!service",
          .account_of_htaccess = true},
         false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        as_account account = {.made = false};

        assert_true(as_account_create(&account, shared, &rows[i].settings, pool));
        assert_int_equal(account.state == accounts[0].state, rows[i].same);
        as_account_destroy(&account);
    }
}

/* More accounts than there are places: each of the further ones has a state of its own in each process. */
static void test_more_accounts_than_places(void **state)
{
    const size_t places = as_shared_accounts_get_size() / sizeof(as_account_state);
    as_directory_settings another = settings;
    char dn[32];

    (void)state;
    another.bind_dn = dn;
    for (size_t i = 1; i <= places; i++) {
        as_account account = {.made = false};

        (void)snprintf(dn, sizeof(dn), "cn=%zu", i);
        assert_true(as_account_create(&account, shared, &another, pool));
        assert_int_equal(account.state == &account.own, i == places);
        as_account_destroy(&account);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_three_refusals_whichever_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_three_refusals_at_the_same_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_success_ends_the_refusals_of_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_process_that_dies_blocks_no_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_which_accounts_are_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_accounts_than_places, set_up, tear_down),
    };
    int failed;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
