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
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
