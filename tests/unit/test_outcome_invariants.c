/* SPDX-License-Identifier: Apache-2.0
 *
 * What holds for every answer there can be, and for the table of outcomes.
 */
#include "outcome_answers.h"

static const char *const policies[] = {
    NULL,         "",           "30ff",       "3000",       "3003810100",           "3003810101",
    "3003810102", "3003810103", "3003810104", "3003810105", "3003810106",           "3003810107",
    "3003810108", "3003810109", "300381010a", "30038101ff", "3005a003810101",       "3005a003800101",
    "30800000",   "300000",     "3002a000",   "30040000",   "3008a003800101810102",
};

static const char *const diagnostics[] = {
    "",
    AD("52e"),
    AD("532"),
    AD("775"),
    AD("51f"),
    "NDS error: password expired (-223)",
    "NDS error: log account expired (-220)",
    "password expired!",
    "Account inactivated.",
    "TPR checking",
    "bind over TLS",
    "hello",
};

static bool is_grant(as_outcome outcome)
{
    return as_outcome_describe(outcome)->of == AS_CLASS_GRANTED;
}

/* A policy value that goes with a login. */
static bool may_be_granted(const char *policy)
{
    return policy == NULL || strcmp(policy, "3000") == 0 || strncmp(policy, "3005a0", 6) == 0;
}

static void check_invariants(const as_reply *reply, const as_finding *found, const char *policy, int netscape)
{
    bool success = reply->step == AS_STEP_USER_BIND && reply->code == 0;
    as_class of = as_outcome_describe(found->outcome)->of;
    assert_true((unsigned)found->outcome < AS_OUTCOME_COUNT);
    assert_true(memchr(found->subcode, '\0', AS_SUBCODE_SIZE) != NULL);
    assert_int_equal(found->has_code, reply->code >= 0);
    if (is_grant(found->outcome)) {
        assert_true(success && found->proven && may_be_granted(policy));
        assert_false((netscape & 4) != 0); /* the bad control */
    }
    if (found->proven) {
        assert_true(of == AS_CLASS_GRANTED || of == AS_CLASS_REFUSED);
        assert_int_equal(reply->step, AS_STEP_USER_BIND);
    }
    if (reply->step == AS_STEP_USER_BIND && reply->code == LDAP_INVALID_CREDENTIALS) {
        assert_true(found->outcome != AS_OUTCOME_UNKNOWN_RESULT);
    }
    assert_true(of != AS_CLASS_FORBIDDEN && of != AS_CLASS_THROTTLED);
}

static void check_every_policy(const as_reply *reply)
{
    for (size_t p = 0; p < sizeof policies / sizeof policies[0]; p++) {
        for (int netscape = 0; netscape < 8; netscape++) {
            unsigned char value[32];
            size_t length = 0;
            as_control controls[4];
            size_t count = 0;
            as_reply with_policy = *reply;
            for (const char *hex = policies[p]; hex != NULL && *hex != '\0'; hex += 2) {
                unsigned octet;
                assert_int_equal(sscanf(hex, "%2x", &octet), 1);
                value[length++] = (unsigned char)octet;
            }
            if (policies[p] != NULL) {
                controls[count++] = (as_control){AS_OID_PPOLICY, value, length};
            }
            if (netscape & 1) {
                controls[count++] = (as_control){AS_OID_NETSCAPE_EXPIRED, (const unsigned char *)"0", 1};
            }
            if (netscape & 2) {
                controls[count++] = (as_control){AS_OID_NETSCAPE_EXPIRING, (const unsigned char *)"60", 2};
            }
            if (netscape & 4) {
                controls[count++] = (as_control){AS_OID_NETSCAPE_EXPIRING, (const unsigned char *)"6x", 2};
            }
            with_policy.controls = controls;
            with_policy.control_count = count;
            as_finding found = as_outcome_find(&with_policy);
            check_invariants(&with_policy, &found, policies[p], netscape);
        }
    }
}

static void test_every_answer(void **state)
{
    (void)state;
    for (int step = AS_STEP_CONNECT; step <= AS_STEP_USER_BIND; step++) {
        for (int code = -20; code <= 130; code++) {
            for (size_t d = 0; d < sizeof diagnostics / sizeof diagnostics[0]; d++) {
                for (unsigned entries = 0; entries < 3; entries++) {
                    as_reply reply = blank;
                    reply.step = (as_step)step;
                    reply.code = code;
                    reply.entries = entries;
                    reply.diagnostic = diagnostics[d];
                    reply.diagnostic_length = strlen(diagnostics[d]);
                    check_every_policy(&reply);
                }
            }
        }
    }
}

/* --- the table --- */

static void test_table(void **state)
{
    (void)state;
    assert_string_equal(as_outcome_describe(AS_OUTCOME_WRONG_PASSWORD)->name, "wrong-password");
    assert_int_equal(as_outcome_describe(AS_OUTCOME_WRONG_PASSWORD)->of, AS_CLASS_UNAUTHENTICATED);
    assert_int_equal(as_class_describe(AS_CLASS_UNAVAILABLE)->status, 503);
    assert_int_equal(as_outcome_describe((as_outcome)-1)->of, AS_CLASS_MISCONFIGURED);
    assert_string_equal(as_outcome_describe(AS_OUTCOME_COUNT)->name, "unknown-result");
    assert_string_equal(as_class_describe(AS_CLASS_COUNT)->name, "misconfigured");
    for (unsigned i = 0; i < AS_OUTCOME_COUNT; i++) {
        const as_outcome_info *info = as_outcome_describe((as_outcome)i);
        as_outcome found;
        assert_true(as_outcome_find_by_name(info->name, &found));
        assert_int_equal(found, i);
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(info->tag, as_outcome_describe((as_outcome)j)->tag);
        }
        assert_int_equal(as_outcome_is_about_account((as_outcome)i),
                         info->of == AS_CLASS_UNAUTHENTICATED || info->of == AS_CLASS_REFUSED);
        assert_int_equal(as_finding_make((as_outcome)i).outcome, i);
    }
    for (unsigned i = 0; i < AS_CLASS_COUNT; i++) {
        as_class found;
        assert_true(as_class_find_by_name(as_class_describe((as_class)i)->name, &found));
        assert_int_equal(found, i);
    }
}

static void test_names(void **state)
{
    (void)state;
    as_outcome outcome = AS_OUTCOME_DENIED;
    as_class class_id = AS_CLASS_FORBIDDEN;
    assert_true(as_outcome_find_by_name("Account-LOCKED", &outcome));
    assert_int_equal(outcome, AS_OUTCOME_ACCOUNT_LOCKED);
    assert_true(as_class_find_by_name("REFUSED", &class_id));
    assert_int_equal(class_id, AS_CLASS_REFUSED);
    assert_false(as_outcome_find_by_name("account-lock", &outcome));
    assert_false(as_outcome_find_by_name("account-locked ", &outcome));
    assert_false(as_outcome_find_by_name("", &outcome));
    assert_false(as_outcome_find_by_name("refused", &outcome));
    assert_false(as_class_find_by_name("account-locked", &class_id));
    assert_int_equal(outcome, AS_OUTCOME_ACCOUNT_LOCKED);
    assert_int_equal(class_id, AS_CLASS_REFUSED);
}

static void test_finding_of(void **state)
{
    (void)state;
    as_finding found = as_finding_make(AS_OUTCOME_NOT_AUTHORIZED);
    assert_int_equal(found.outcome, AS_OUTCOME_NOT_AUTHORIZED);
    assert_false(found.proven);
    assert_false(found.has_code);
    assert_string_equal(found.subcode, "");
    assert_int_equal(found.expires_in, -1);
    assert_int_equal(found.grace_logins, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_answer),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_finding_of),
    };

    return cmocka_run_group_tests_name("every outcome", tests, NULL, NULL);
}
