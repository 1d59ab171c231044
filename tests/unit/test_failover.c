/* SPDX-License-Identifier: Apache-2.0
 *
 * What a server's breaker learns from a reply: outages open it, answers end their count, and a reply that is not the
 * server's changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "../../src/ldap/ldap_private.h"

#define LIMIT 3

static apr_pool_t *pool;
static as_directories *all;
static const as_ldap_server server = {"127.0.0.1", 9};
static const char *const attributes[] = {"uid", NULL};
static const as_directory_settings settings = {
    .servers = &server, .server_count = 1, .base = "", .attributes = attributes, .attribute_count = 1};

static const as_reply down = {.failure = AS_FAILURE_DOWN, .reason = "", .diagnostic = ""};
static const as_reply hung = {.failure = AS_FAILURE_TIMEOUT, .reason = "", .diagnostic = ""};
static const as_reply busy = {.code = LDAP_BUSY, .reason = "", .diagnostic = ""};
static const as_reply good = {.code = LDAP_SUCCESS, .reason = "", .diagnostic = ""};
static const as_reply wrong = {.code = LDAP_INVALID_CREDENTIALS, .reason = "", .diagnostic = ""};
static const as_reply no_tls = {.failure = AS_FAILURE_TLS, .reason = "", .diagnostic = ""};
static const as_reply no_memory = {.failure = AS_FAILURE_LOCAL, .reason = "", .diagnostic = ""};
static const as_reply no_descriptor = {.failure = AS_FAILURE_OVERLOAD, .reason = "", .diagnostic = ""};
static const as_reply refused_before = {
    .code = LDAP_INVALID_CREDENTIALS, .step = AS_STEP_SERVICE_BIND, .repeated = true, .reason = "", .diagnostic = ""};

static void reply_with(as_task *task)
{
    *task->reply = *(const as_reply *)task->data;
}

static void query(const as_reply *reply)
{
    const as_mono deadline = as_mono_read() + 60 * AS_MONO_SECOND;
    as_directory *entered;
    as_reply got;

    entered = as_directories_enter(all, &settings, deadline, pool, &got);
    assert_non_null(entered);
    as_failover_run(entered, reply_with, (void *)(intptr_t)reply, deadline, pool, &got);
    as_directories_leave(entered);
}

static void note(void *data, const as_ldap_server_state *state)
{
    *(as_ldap_server_state *)data = *state;
}

static as_ldap_server_state get_state(void)
{
    as_ldap_server_state state = {.outages = -1};

    as_directories_visit(all, &settings, note, &state);
    return state;
}

static int begin_with(as_mono breaker_time)
{
    const as_directory_limits limits = {
        .in_flight = 4, .breaker_failures = LIMIT, .breaker_time = breaker_time, .directories = 1};

    apr_pool_create(&pool, NULL);
    all = as_directories_create(pool, &limits);
    return all ? 0 : -1;
}

static int begin(void **state)
{
    (void)state;
    return begin_with(3600 * AS_MONO_SECOND);
}

/* The circuit is not open for long. */
static int begin_briefly(void **state)
{
    (void)state;
    return begin_with(AS_MONO_SECOND / 100);
}

static int end(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

static void test_outages_open_it(void **state)
{
    (void)state;
    query(&down);
    query(&hung);
    assert_int_equal(get_state().outages, 2);
    assert_true(get_state().open_until == 0);
    query(&busy);
    assert_true(get_state().open_until > 0);
}

static void test_answers_end_the_count(void **state)
{
    static const as_reply *const answers[] = {&good, &wrong, &no_tls};

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        query(&down);
        assert_int_equal(get_state().outages, 1);
        query(answers[i]);
        assert_int_equal(get_state().outages, 0);
    }
}

/* An attacker who uses up the descriptors, or a refused service account, must not keep the breaker of a dead server
 * closed. */
static void test_replies_that_are_not_of_the_server(void **state)
{
    static const as_reply *const others[] = {&no_memory, &no_descriptor, &refused_before};

    (void)state;
    query(&down);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        query(others[i]);
        assert_int_equal(get_state().outages, 1);
    }
}

/* Nor does a wait for the bind of the service account, which other requests make. */
static void test_a_wait_for_another_request(void **state)
{
    as_account account = {.made = false};
    as_reply reply;
    int i;

    (void)state;
    assert_true(as_account_create(&account, NULL, NULL, pool));
    for (i = 0; i < 3; i++) {
        as_reply_clear(&reply);
        assert_true(as_account_enter(&account, as_mono_read(), pool, &reply));
    }
    as_reply_clear(&reply);
    assert_false(as_account_enter(&account, as_mono_read(), pool, &reply));
    assert_int_equal(reply.failure, AS_FAILURE_TIMEOUT);
    query(&down);
    query(&reply);
    assert_int_equal(get_state().outages, 1);
    as_account_destroy(&account);
}

/* ---- the deadline of each server ---- */

static const as_ldap_server two_servers[] = {{"127.0.0.1", 9}, {"127.0.0.1", 10}};
static const as_directory_settings of_two = {
    .servers = two_servers, .server_count = 2, .base = "", .attributes = attributes, .attribute_count = 1};
static as_mono left_for[4];
static int queried;

/* Opens the circuit of both, waits until it is closed again at the first, and says how much time each query has. */
static void fail_slowly(as_task *task)
{
    if (queried < 4) {
        left_for[queried++] = task->deadline - as_mono_read();
    }
    while (task->data && task->server == 1 && as_mono_read() < *(as_mono *)task->data) {
    }
    *task->reply = down;
}

/* A server whose circuit was open is queried after all others, and has all the time that is left. */
static void test_a_server_that_was_queried_has_no_share(void **state)
{
    const as_mono deadline = as_mono_read() + 600 * AS_MONO_SECOND;
    as_directory *entered;
    as_mono closed;
    as_reply got;
    int i;

    (void)state;
    entered = as_directories_enter(all, &of_two, deadline, pool, &got);
    assert_non_null(entered);
    for (i = 0; i < LIMIT; i++) {
        as_breaker_leave(&entered->peers[0].breaker, as_mono_read(), AS_BREAKER_FREE, false);
    }
    closed = as_mono_read() + AS_MONO_SECOND / 20;
    queried = 0;
    as_failover_run(entered, fail_slowly, &closed, deadline, pool, &got);
    as_directories_leave(entered);
    assert_int_equal(queried, 2);
    assert_true(left_for[1] > 400 * AS_MONO_SECOND);
}

/* A server that cannot be trusted is no reason to give up the next one. */
static void fail_first(as_task *task)
{
    *task->reply = task->server == 0 ? *(const as_reply *)task->data : good;
    queried++;
}

static void test_a_server_that_cannot_be_trusted(void **state)
{
    static const as_reply *const firsts[] = {&no_tls, &down, &busy, &wrong, &refused_before};
    const as_mono deadline = as_mono_read() + 600 * AS_MONO_SECOND;

    (void)state;
    for (size_t i = 0; i < sizeof(firsts) / sizeof(*firsts); i++) {
        const bool must_try_next = i < 3;
        as_directory *entered;
        as_reply got;

        entered = as_directories_enter(all, &of_two, deadline, pool, &got);
        assert_non_null(entered);
        queried = 0;
        as_failover_run(entered, fail_first, (void *)(intptr_t)firsts[i], deadline, pool, &got);
        as_directories_leave(entered);
        assert_int_equal(queried, must_try_next ? 2 : 1);
        assert_int_equal(got.server_index, must_try_next);
        assert_int_equal(got.code, must_try_next ? good.code : firsts[i]->code);
    }
}

/* ---- the end of a process ---- */

static apr_status_t note_end(void *data)
{
    *(bool *)data = true;
    return APR_SUCCESS;
}

/* A directory without an entry in the table is in use as well. */
static void test_an_unlisted_directory_is_in_use(void **state)
{
    enum { MOST = 128 };
    as_directory *entered[MOST + 1];
    as_ldap_server servers[MOST + 1];
    const as_directory_limits limits = {.breaker_failures = LIMIT, .breaker_time = 1, .directories = 1};
    as_directories *own;
    apr_pool_t *of_own, *rest[MOST + 2];
    as_addresses *addresses;
    bool ended = false;
    as_reply got;
    int i;

    (void)state;
    apr_pool_create(&of_own, pool);
    own = as_directories_create(of_own, &limits);
    for (i = 0; i <= MOST; i++) {
        as_directory_settings one = settings;

        servers[i] = (as_ldap_server){"127.0.0.1", 1000 + i};
        one.servers = &servers[i];
        one.of_htaccess = true;
        entered[i] = as_directories_enter(own, apr_pmemdup(pool, &one, sizeof(one)), INT64_MAX, pool, &got);
        assert_non_null(entered[i]);
        rest[i] = entered[i]->pool;
    }
    rest[i] = own->pool;
    addresses = own->addresses;
    assert_false(entered[MOST]->shared->listed);
    for (i = 0; i < MOST; i++) {
        as_directories_leave(entered[i]);
    }
    apr_pool_cleanup_register(own->pool, &ended, note_end, apr_pool_cleanup_null);
    apr_pool_destroy(of_own);
    assert_false(ended);
    /* What a process leaves to its end. */
    as_addresses_end(addresses);
    for (i = 0; i < MOST + 2; i++) {
        apr_pool_destroy(rest[i]);
    }
}

static bool may_enter(void)
{
    as_reply got;
    as_directory *entered = as_directories_enter(all, &settings, as_mono_read() + 60 * AS_MONO_SECOND, pool, &got);

    if (entered) {
        as_directories_leave(entered);
    }
    return entered != NULL;
}

/* Nor do they count as the answer to a probe: the next query is a probe too. */
static void test_probes(void **state)
{
    static const as_reply *const others[] = {&no_memory, &no_descriptor, &refused_before};

    (void)state;
    for (int i = 0; i < LIMIT; i++) {
        query(&down);
    }
    while (!may_enter()) {
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        query(others[i]);
        assert_int_equal(get_state().outages, LIMIT);
    }
    query(&good);
    assert_int_equal(get_state().outages, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_outages_open_it, begin, end),
        cmocka_unit_test_setup_teardown(test_answers_end_the_count, begin, end),
        cmocka_unit_test_setup_teardown(test_replies_that_are_not_of_the_server, begin, end),
        cmocka_unit_test_setup_teardown(test_probes, begin_briefly, end),
        cmocka_unit_test_setup_teardown(test_a_wait_for_another_request, begin, end),
        cmocka_unit_test_setup_teardown(test_a_server_that_was_queried_has_no_share, begin_briefly, end),
        cmocka_unit_test_setup_teardown(test_a_server_that_cannot_be_trusted, begin, end),
        cmocka_unit_test_setup_teardown(test_an_unlisted_directory_is_in_use, begin, end),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
