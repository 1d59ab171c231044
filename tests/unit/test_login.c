/* SPDX-License-Identifier: Apache-2.0
 *
 * Logins: the cache, one transaction, outages.
 */
#include "login_directory.h"

/* ---- logins ---- */

static void a_login_is_cached(void **state)
{
    (void)state;
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    assert_int_equal(ldap.queries, 1);
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    begin();
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    assert_int_equal(ldap.queries, 1);
    assert_int_equal(log_in("ann", "wrong"), AS_OUTCOME_WRONG_PASSWORD);
    begin();
    assert_int_equal(log_in("ann", "wrong"), AS_OUTCOME_WRONG_PASSWORD);
    assert_true(ldap.queries > 1);
}

static void within_one_transaction_nothing_is_queried_twice(void **state)
{
    (void)state;
    login.cache = NULL;
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    assert_int_equal(ldap.queries, 1);
    begin();
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    assert_int_equal(ldap.queries, 2);
}

static void an_outage_is_not_cached(void **state)
{
    (void)state;
    ldap.fail_at = 1;
    ldap.failed = a_failure(AS_FAILURE_DOWN);
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_DIRECTORY_DOWN);
    begin();
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    ldap.is_open = true;
    begin();
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED); /* from memory */
    assert_int_equal(log_in("ann", "other"), AS_OUTCOME_DIRECTORY_DOWN);
}

/* ---- while the directory is away ---- */

/* A process that caches nothing, but for an outage. */
static void serve_stale(void)
{
    static const as_cache_times times = {0, 0, 0, 600 * SECOND};
    static const unsigned char key[] = "0123456789abcdef0123456789abcdef";

    login.cache = as_cache_create(process, &times, NULL, key, 32, 256);
}

static void fail_from_now_on(as_reply how)
{
    begin();
    ldap.fail_at = ldap.operations + 1;
    ldap.failed = how;
}

static void a_login_is_served_stale_in_an_outage_alone(void **state)
{
    static const as_failure failures[] = {AS_FAILURE_DOWN, AS_FAILURE_TIMEOUT, AS_FAILURE_TLS, AS_FAILURE_LOCAL};
    static const int codes[] = {51, 52, 80, 1, 3, 11, 2, 34, 48, 53, 99};

    (void)state;
    serve_stale();
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    for (size_t i = 0; i < sizeof failures / sizeof *failures + sizeof codes / sizeof *codes; i++) {
        const size_t code = i - sizeof failures / sizeof *failures;
        as_outcome outcome;
        as_class of;

        fail_from_now_on(i < sizeof failures / sizeof *failures ? a_failure(failures[i]) : a_code(codes[code]));
        of = as_outcome_describe(log_in("bob", "secret"))->of;
        fail_from_now_on(ldap.failed);
        outcome = log_in("ann", "secret");
        assert_int_equal(outcome == AS_OUTCOME_GRANTED_STALE, of == AS_CLASS_UNAVAILABLE);
        assert_int_equal(memo.stale != NULL, of == AS_CLASS_UNAVAILABLE);
        assert_true(outcome == AS_OUTCOME_GRANTED_STALE || as_outcome_describe(outcome)->of == AS_CLASS_MISCONFIGURED);
        fail_from_now_on(ldap.failed);
        assert_int_equal(as_outcome_describe(log_in("ann", "wrong"))->of, of);
    }
    begin();
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    ldap.is_open = true;
    begin();
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED_STALE);
    assert_int_equal(memo.stale->outage, AS_OUTCOME_DIRECTORY_DOWN);
    assert_string_equal(memo.stale->reason, "open");
}

static void a_line_is_served_stale_if_it_was_a_yes(void **state)
{
    (void)state;
    groups.count = 2;
    groups.has_user[0] = true;
    serve_stale();
    assert_int_equal(authorize_group(0)->answer, AS_YES);
    assert_int_equal(authorize_group(1)->answer, AS_NO);
    begin();
    ldap.is_open = true;
    assert_int_equal(authorize_group(0)->answer, AS_YES);
    assert_true(authorize_group(0)->stale && memo.stale);
    begin();
    assert_int_equal(authorize_group(1)->answer, AS_UNKNOWN);
    assert_null(memo.stale);
    /* What was a member is none any more, and the directory has said so. */
    ldap.is_open = false;
    groups.has_user[0] = false;
    begin();
    assert_int_equal(authorize_group(0)->answer, AS_NO);
    ldap.is_open = true;
    begin();
    assert_int_equal(authorize_group(0)->answer, AS_UNKNOWN);
}

static as_outcome guess(const as_throttle *throttle, const char *password)
{
    const as_login_attempt attempt = {.directory = &login_directory,
                                      .user = "ann",
                                      .password = password,
                                      .client = "192.0.2.1",
                                      .throttle = throttle,
                                      .deadline = 5 * SECOND};
    as_outcome outcome;

    begin();
    outcome = as_authenticate(&login, &memo, &attempt, NULL)->finding.outcome;
    as_login_settle(&login, &memo, throttle, "192.0.2.1",
                    as_outcome_describe(outcome)->of == AS_CLASS_GRANTED ? AS_LOGIN_GRANTED : AS_LOGIN_UNKNOWN);
    as_login_finish(&login, &memo);
    return outcome;
}

static void guesses_are_throttled_while_the_directory_is_away(void **state)
{
    static const as_throttle by[] = {{3, 300 * SECOND, true, false, false}, {3, 300 * SECOND, false, true, false}};

    (void)state;
    for (int i = 0; i < 2; i++) {
        void *memory = apr_pcalloc(process, as_throttles_get_size());

        assert_true(as_throttles_begin(memory));
        ldap.is_open = false;
        serve_stale();
        login.throttles = as_throttles_create(process, memory, NULL);
        assert_int_equal(guess(&by[i], "secret"), AS_OUTCOME_GRANTED);
        ldap.is_open = true;
        assert_int_equal(guess(&by[i], "1"), AS_OUTCOME_DIRECTORY_DOWN);
        assert_int_equal(guess(&by[i], "2"), AS_OUTCOME_DIRECTORY_DOWN);
        if (by[i].by_user) {
            /* A right one ends the count, as ever. */
            assert_int_equal(guess(&by[i], "secret"), AS_OUTCOME_GRANTED_STALE);
            assert_int_equal(guess(&by[i], "1"), AS_OUTCOME_DIRECTORY_DOWN);
            assert_int_equal(guess(&by[i], "2"), AS_OUTCOME_DIRECTORY_DOWN);
        }
        assert_int_equal(guess(&by[i], "3"), AS_OUTCOME_DIRECTORY_DOWN);
        assert_int_equal(guess(&by[i], "4"), AS_OUTCOME_THROTTLED);
        assert_int_equal(guess(&by[i], "secret"), AS_OUTCOME_THROTTLED);
        ldap.is_open = false;
        login.throttles = NULL;
    }
}

/* While failures of the account are counted, the directory confirms a cached password: the answer is the directory's.
 */
static void a_confirmed_answer_is_not_cached(void **state)
{
    static const as_throttle throttle = {3, 300 * SECOND, true, false, false};
    static const char *const passwords[] = {"secret", "changed"};
    const as_counted_bind failed = {.account = "fake dn uid=ann,o=x", .kind = AS_BIND_GUESS};
    const as_login_attempt attempt = {.directory = &login_directory,
                                      .user = "ann",
                                      .password = "secret",
                                      .client = "192.0.2.1",
                                      .throttle = &throttle,
                                      .deadline = 5 * SECOND};
    void *memory = apr_pcalloc(process, as_throttles_get_size());
    const as_answer *answer;
    apr_time_t stamp;

    (void)state;
    assert_true(as_throttles_begin(memory));
    login.throttles = as_throttles_create(process, memory, NULL);
    assert_int_equal(log_in("ann", "secret"), AS_OUTCOME_GRANTED);
    begin();
    answer = as_authenticate(&login, &memo, &attempt, NULL);
    assert_true(answer->cached && answer->acceptance.stamp && !answer->server);
    assert_int_equal(as_throttle_admit(login.throttles, &throttle, &failed, request, &stamp), 0);
    as_throttle_record_answer(login.throttles, failed.account, stamp);
    for (int i = 0; i < 2; i++) {
        ldap.password = passwords[i];
        begin();
        answer = as_authenticate(&login, &memo, &attempt, NULL);
        assert_int_equal(answer->finding.outcome, i ? AS_OUTCOME_WRONG_PASSWORD : AS_OUTCOME_GRANTED);
        assert_string_equal(answer->server, "fake:389");
        assert_false(answer->cached);
        assert_int_equal(answer->acceptance.stamp, 0);
    }
}

static void nobody_is_found(void **state)
{
    (void)state;
    ldap.unknown = true;
    assert_int_equal(log_in("zoe", "secret"), AS_OUTCOME_UNKNOWN_USER);
}

/* Who listens on the port of a global catalog needs no privilege. */
static void servers_are_one_for_the_throttle_and_not_for_trust(void **state)
{
    const as_ldap_server plain = {"LDAP.example.", 389}, tls = {"ldap.example", 636}, catalog = {"ldap.example", 3268};

    (void)state;
    assert_string_equal(as_login_name_server(&plain, process), as_login_name_server(&tls, process));
    assert_string_equal(as_login_name_server(&plain, process), as_login_name_server(&catalog, process));
    assert_string_equal(as_login_name_trusted(&plain, process), as_login_name_trusted(&tls, process));
    assert_string_not_equal(as_login_name_trusted(&plain, process), as_login_name_trusted(&catalog, process));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_login_is_cached),
        ROW(within_one_transaction_nothing_is_queried_twice),
        ROW(an_outage_is_not_cached),
        ROW(a_login_is_served_stale_in_an_outage_alone),
        ROW(a_line_is_served_stale_if_it_was_a_yes),
        ROW(guesses_are_throttled_while_the_directory_is_away),
        ROW(a_confirmed_answer_is_not_cached),
        ROW(nobody_is_found),
        ROW(servers_are_one_for_the_throttle_and_not_for_trust),
    };

    return cmocka_run_group_tests(tests, begin_process, end_process);
}
