/* SPDX-License-Identifier: Apache-2.0
 *
 * The accounts that a bind counts for, where its server may be one of the configuration's.
 */
#include "login_directory.h"

#include "login/settle.h"

static const as_throttle throttle = {3, 300 * SECOND, true, false, false};
static const as_ldap_server configured[] = {{"b.example", 389}, {"a.example", 389}, {"fake", 3268}};
static const as_ldap_server *const at_its_address[] = {&configured[0], &configured[1], &configured[2], NULL};
static const as_guard guards[] = {AS_GUARD_COUNTS};
static const as_bind_target target = {.index = 0, .configured = at_its_address};

/* A query of the configuration's directory, or of one of a .htaccess file. */
static as_admission begin_query(as_login_directory *of, as_login_attempt *params, bool foreign)
{
    as_admission admission = {.login = &login, .memo = &memo, .params = params};

    *of = login_directory;
    of->foreign = foreign;
    of->guards = foreign ? guards : NULL;
    *params = (as_login_attempt){.directory = of,
                                 .user = "ann",
                                 .password = "secret",
                                 .client = "192.0.2.1",
                                 .throttle = &throttle,
                                 .deadline = 5 * SECOND};
    admission.deadline = as_mono_read() + 60 * SECOND;
    return admission;
}

static void begin_throttles(void)
{
    void *memory = apr_pcalloc(process, as_throttles_get_size());

    assert_true(as_throttles_begin(memory));
    login.throttles = as_throttles_create(process, memory, NULL);
    assert_non_null(login.throttles);
}

static void fail_once(const char *account)
{
    apr_time_t stamp;

    assert_int_equal(
        as_throttle_admit(login.throttles, &throttle, &(as_counted_bind){account, AS_BIND_REFUSED, 0}, process, &stamp),
        0);
    as_throttle_record_failure(login.throttles, account, stamp, process);
}

/* Threads that wait for each other's binds must meet the accounts in one order. */
static void accounts_are_in_one_order(void **state)
{
    as_login_directory of;
    as_login_attempt params;
    as_admission admission = begin_query(&of, &params, false);
    const as_target_account *account = as_target_list_accounts(&admission, ANN, &target);

    (void)state;
    assert_string_equal(account[0].name, "a.example dn uid=ann,o=x");
    assert_string_equal(account[1].name, "b.example dn uid=ann,o=x");
    assert_string_equal(account[2].name, "fake dn uid=ann,o=x");
    assert_null(account[3].name);
    assert_int_equal(account[0].guard, AS_GUARD_COUNTS);
    assert_int_equal(account[1].guard, AS_GUARD_COUNTS);
    assert_int_equal(account[2].guard, AS_GUARD_NONE);
}

/* Who listens on a port of the server's, and answers for names that he invents, must not fill the memory of others. */
static void only_trusted_accounts_take_memory_of_the_configuration(void **state)
{
    as_login_directory of;
    as_login_attempt params;
    as_admission admission = begin_query(&of, &params, true);

    (void)state;
    assert_true(as_target_get_throttle(&admission, AS_GUARD_NONE)->of_htaccess);
    assert_true(as_target_get_throttle(&admission, AS_GUARD_COUNTS)->of_htaccess);
    assert_false(as_target_get_throttle(&admission, AS_GUARD_TRUSTED)->of_htaccess);
    admission = begin_query(&of, &params, false);
    assert_false(as_target_get_throttle(&admission, AS_GUARD_NONE)->of_htaccess);
    assert_false(as_target_get_throttle(&admission, AS_GUARD_COUNTS)->of_htaccess);
}

/* A referral of a directory of the configuration led to a server that the configuration may name too. */
static void a_login_that_was_referred_ends_no_count_there(void **state)
{
    as_login_directory of;
    as_login_attempt params;
    as_admission admission = begin_query(&of, &params, false);
    as_reply reply = a_code(0);

    (void)state;
    begin_throttles();
    fail_once("a.example dn uid=ann,o=x");
    fail_once("fake dn uid=ann,o=x");
    as_admission_begin_query(&admission);
    assert_true(as_admission_admit(&admission, &target, ANN, false));
    reply.step = AS_STEP_USER_BIND;
    reply.entries = 1;
    reply.referral = true;
    as_admission_end_query(&admission, &reply);
    as_login_settle(&login, &memo, &throttle, params.client, AS_LOGIN_GRANTED);
    as_login_finish(&login, &memo);
    assert_true(as_throttle_is_counted(login.throttles, "a.example dn uid=ann,o=x"));
    assert_false(as_throttle_is_counted(login.throttles, "b.example dn uid=ann,o=x"));
    assert_false(as_throttle_is_counted(login.throttles, "fake dn uid=ann,o=x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(accounts_are_in_one_order),
        ROW(only_trusted_accounts_take_memory_of_the_configuration),
        ROW(a_login_that_was_referred_ends_no_count_there),
    };

    return cmocka_run_group_tests(tests, begin_process, end_process);
}
