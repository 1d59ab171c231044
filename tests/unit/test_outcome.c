/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers that could not be recorded, row by row.
 */
#include "outcome_answers.h"

/* --- binds as the user --- */

typedef struct bind_row {
    int code;
    const char *diagnostic;
    control_text controls[3];
    expectation expected;
} bind_row;

static const bind_row binds[] = {
    /* success, plain and not so plain */
    {0, "", {{NULL, NULL}}, {AS_OUTCOME_GRANTED, PROVEN, "", NOT_SENT, NOT_SENT}},
    {0, "welcome", {PP("3000")}, {AS_OUTCOME_GRANTED, PROVEN, "", NOT_SENT, NOT_SENT}},
    {0, "", {PP("3005a003810102"), NS5("363030")}, {AS_OUTCOME_GRACE_LOGIN, PROVEN, "", 600, 2}},
    {0, "", {PP("3005a003810102"), NS4}, {AS_OUTCOME_GRACE_LOGIN, PROVEN, "", NOT_SENT, 2}},
    {0, "", {PP("3005a003810100")}, {AS_OUTCOME_GRACE_LOGIN, PROVEN, "", NOT_SENT, 0}},
    {0, "", {PP("3005a003800100")}, {AS_OUTCOME_PASSWORD_EXPIRING, PROVEN, "", 0, NOT_SENT}},
    {0, "", {NS5("363030")}, {AS_OUTCOME_PASSWORD_EXPIRING, PROVEN, "", 600, NOT_SENT}},
    {0, "", {PP("3003810102")}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, PROVEN, "pp2", NOT_SENT, NOT_SENT}},
    {0, "", {PP("3008a003800100810102")}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, PROVEN, "pp2", 0, NOT_SENT}},
    {0, "", {PP("3008a003810103810102"), NS4}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, PROVEN, "pp2", NOT_SENT, 3}},
    {0, "", {NS4}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, PROVEN, "", NOT_SENT, NOT_SENT}},
    {0, "", {NS4, NS5("363030")}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, PROVEN, "", 600, NOT_SENT}},
    {0, "", {PP("3000"), NS4}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, PROVEN, "", NOT_SENT, NOT_SENT}},
    {0, "NDS error: password expired (-223)", {{NULL, NULL}}, {AS_OUTCOME_GRACE_LOGIN, PROVEN, "-223", -1, -1}},
    /* success that contradicts itself is none */
    {0, "", {PP("3003810100")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "pp0", NOT_SENT, NOT_SENT}},
    {0, "", {PP("3003810101")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "pp1", NOT_SENT, NOT_SENT}},
    {0, "", {PP("3008a003810102810100")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "pp0", NOT_SENT, 2}},
    {0, "", {PP("3003810103")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "pp3", NOT_SENT, NOT_SENT}},
    {0, "", {PP("3003810109")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "pp9", NOT_SENT, NOT_SENT}},
    {0, "", {PP("300381010a")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {0, "", {PP("3005a003810102"), PP("3000")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {0, "", {PP("3003810102"), PP("3003810102")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {0, "", {PP("3000"), NS5("2d31")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {0, "", {NS4, NS4}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {0, "", {PP("")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {0, AD("532"), {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "532", NOT_SENT, NOT_SENT}},
    {0, "NDS error: bad password (-222)", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "-222", -1, -1}},
    {0, "NDS error: news (-999)", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "-999", -1, -1}},
    {0, "Account inactivated.", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_SENT, NOT_SENT}},

    /* 49: policy, then text, then 3.4.4 */
    {49, "", {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {49, "Invalid credentials, cannot bind", {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "", -1, -1}},
    {49, "", {PP("3000")}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {49, "", {PP("3003810100")}, {AS_OUTCOME_PASSWORD_EXPIRED, PROVEN, "pp0", NOT_SENT, NOT_SENT}},
    {49, "", {PP("3003810101")}, {AS_OUTCOME_ACCOUNT_LOCKED, UNPROVEN, "pp1", NOT_SENT, NOT_SENT}},
    {49, "", {PP("3003810102")}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, UNPROVEN, "pp2", NOT_SENT, NOT_SENT}},
    {49, "", {PP("3003810105")}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "pp5", NOT_SENT, NOT_SENT}},
    {49, "", {NS4}, {AS_OUTCOME_PASSWORD_EXPIRED, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {49, "", {PP("3000"), NS4}, {AS_OUTCOME_PASSWORD_EXPIRED, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {49, "", {PP("3003810101"), NS4}, {AS_OUTCOME_ACCOUNT_LOCKED, UNPROVEN, "pp1", NOT_SENT, NOT_SENT}},
    {49, "password expired!", {NS4}, {AS_OUTCOME_PASSWORD_EXPIRED, PROVEN, "", NOT_SENT, NOT_SENT}},
    {49, "password expired!", {PP("3003810101")}, {AS_OUTCOME_ACCOUNT_LOCKED, UNPROVEN, "pp1", -1, -1}},
    {49, "", {PP("30ff")}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {49, "", {PP("3003810100"), PP("3003810100")}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {49, AD("532"), {PP("30ff")}, {AS_OUTCOME_PASSWORD_EXPIRED, UNPROVEN, "532", NOT_SENT, NOT_SENT}},

    /* AD */
    {49, AD("525"), {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_USER, UNPROVEN, "525", NOT_SENT, NOT_SENT}},
    {49, AD("52e"), {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "52e", NOT_SENT, NOT_SENT}},
    {49, AD("52E"), {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "52e", NOT_SENT, NOT_SENT}},
    {49, AD("0052e"), {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "52e", NOT_SENT, NOT_SENT}},
    {49, AD("52f"), {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_RESTRICTED, UNPROVEN, "52f", NOT_SENT, NOT_SENT}},
    {49, AD("530"), {{NULL, NULL}}, {AS_OUTCOME_LOGON_HOURS, PROVEN, "530", NOT_SENT, NOT_SENT}},
    {49, AD("531"), {{NULL, NULL}}, {AS_OUTCOME_LOGON_HOST, PROVEN, "531", NOT_SENT, NOT_SENT}},
    {49, AD("532"), {{NULL, NULL}}, {AS_OUTCOME_PASSWORD_EXPIRED, PROVEN, "532", NOT_SENT, NOT_SENT}},
    {49, AD("533"), {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_DISABLED, PROVEN, "533", NOT_SENT, NOT_SENT}},
    {49, AD("568"), {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_RESTRICTED, UNPROVEN, "568", NOT_SENT, NOT_SENT}},
    {49, AD("569"), {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_RESTRICTED, UNPROVEN, "569", NOT_SENT, NOT_SENT}},
    {49, AD("701"), {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_EXPIRED, PROVEN, "701", NOT_SENT, NOT_SENT}},
    {49, AD("773"), {{NULL, NULL}}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, PROVEN, "773", NOT_SENT, NOT_SENT}},
    {49, AD("775"), {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_LOCKED, UNPROVEN, "775", NOT_SENT, NOT_SENT}},
    {49, AD("78f"), {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_RESTRICTED, UNPROVEN, "78f", NOT_SENT, NOT_SENT}},
    {49, AD("51f"), {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_DOWN, UNPROVEN, "51f", NOT_SENT, NOT_SENT}},
    {49, AD("1f"), {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "1f", NOT_SENT, NOT_SENT}},
    {49, AD("7fffffff"), {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "7fffffff", NOT_SENT, NOT_SENT}},
    {49, AD("fffffffffffffffffffff"), {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "", -1, -1}},

    /* eDirectory: refusals come with 49 or 53 */
    {49, "NDS error: failed authentication (-669)", {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, false, "-669", -1, -1}},
    {32, "NDS error: no such entry (-601)", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_USER, false, "-601", -1, -1}},
    {49, "NDS error: bad password (-222)", {{NULL, NULL}}, {AS_OUTCOME_PASSWORD_EXPIRED, false, "-222", -1, -1}},
    {49, "NDS error: password expired (-223)", {{NULL, NULL}}, {AS_OUTCOME_PASSWORD_EXPIRED, false, "-223", -1, -1}},
    {53, "NDS error: log account expired (-220)", {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_EXPIRED, true, "-220", -1, -1}},
    {53, "NDS error: login lockout (-197)", {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_LOCKED, false, "-197", -1, -1}},
    {53, "NDS error: bad login time (-218)", {{NULL, NULL}}, {AS_OUTCOME_LOGON_HOURS, false, "-218", -1, -1}},
    {53, "NDS error: maximum logins (-217)", {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_RESTRICTED, false, "-217", -1, -1}},
    {53, "NDS error: bad station (-219)", {{NULL, NULL}}, {AS_OUTCOME_LOGON_HOST, false, "-219", -1, -1}},
    {49, "NDS error: something else (-1)", {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, false, "-1", -1, -1}},
    {53, "NDS error: something else (-1)", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, false, "-1", -1, -1}},

    /* 19 and 53 */
    {19, "", {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_LOCKED, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {19, "Exceed password retry limit.", {PP("3003810101")}, {AS_OUTCOME_ACCOUNT_LOCKED, UNPROVEN, "pp1", -1, -1}},
    {19, "TPR checking. Contact", {{NULL, NULL}}, {AS_OUTCOME_PASSWORD_EXPIRED, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {19, "Account inactivity limit exceeded.", {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_EXPIRED, UNPROVEN, "", -1, -1}},
    {53, "Account inactivated.", {PP("3003810101")}, {AS_OUTCOME_ACCOUNT_DISABLED, UNPROVEN, "pp1", -1, -1}},
    {53, "", {PP("3003810101")}, {AS_OUTCOME_ACCOUNT_LOCKED, UNPROVEN, "pp1", NOT_SENT, NOT_SENT}},
    {53, "", {PP("3003810100")}, {AS_OUTCOME_PASSWORD_EXPIRED, UNPROVEN, "pp0", NOT_SENT, NOT_SENT}},
    {53, "", {NS4}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {53, "", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {53, "not today", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {53,
     "unwilling to perform simple authentication",
     {{NULL, NULL}},
     {AS_OUTCOME_DIRECTORY_MISCONFIGURED, false, "", -1, -1}},
    {53, "Use TLS", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_SENT, NOT_SENT}},

    /* not about the account */
    {1, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_DOWN, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {3, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_TIMEOUT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {11, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_BUSY, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {51, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_BUSY, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {52, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_DOWN, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {80, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_DOWN, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {2, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {4, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {7, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {8, "Transport encryption required.", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", -1, -1}},
    {10, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {12, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {13, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {34, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {48, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {32, "", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_USER, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {5, "", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {14, "", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {50, "", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {118, "", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {4096, "", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {LDAP_SERVER_DOWN, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_DOWN, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {LDAP_TIMEOUT, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_TIMEOUT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
    {LDAP_DECODING_ERROR, "", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_SENT, NOT_SENT}},
};

static void test_binds(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t i = 0; i < sizeof binds / sizeof binds[0]; i++) {
        const bind_row *row = &binds[i];
        char name[64];
        size_t count = 0;
        while (count < 3 && row->controls[count].oid != NULL) {
            count++;
        }
        as_reply reply = blank;
        reply.code = row->code;
        reply.diagnostic = row->diagnostic;
        as_finding found = find(reply, row->controls, count);
        snprintf(name, sizeof name, "bind %zu: %d", i, row->code);
        failures += agrees(name, &found, &row->expected) ? 0 : 1;
        assert_int_equal(found.has_code, row->code >= 0);
        assert_int_equal(found.code, row->code);
    }
    assert_int_equal(failures, 0);
}

static void test_anonymous_success(void **state)
{
    (void)state;
    as_reply reply = blank;
    reply.dn = "";
    assert_int_equal(find(reply, NULL, 0).outcome, AS_OUTCOME_UNKNOWN_RESULT);
    reply.dn = NULL;
    assert_int_equal(find(reply, NULL, 0).outcome, AS_OUTCOME_UNKNOWN_RESULT);
    /* the name was known: nothing was searched for */
    reply.entries = 0;
    assert_int_equal(find(reply, NULL, 0).outcome, AS_OUTCOME_GRANTED);
}

/* --- the steps before --- */

typedef struct step_row {
    as_step step;
    int code;
    unsigned entries;
    bool referral;
    const char *diagnostic;
    as_outcome outcome;
} step_row;

static const step_row steps[] = {
    {AS_STEP_SEARCH, 0, 0, false, "", AS_OUTCOME_UNKNOWN_USER},
    {AS_STEP_SEARCH, 0, 0, true, "", AS_OUTCOME_UNKNOWN_USER},
    {AS_STEP_SEARCH, 0, 1, false, "", AS_OUTCOME_UNKNOWN_RESULT},
    {AS_STEP_SEARCH, 0, 2, false, "", AS_OUTCOME_AMBIGUOUS_USER},
    {AS_STEP_SEARCH, 4, 0, false, "", AS_OUTCOME_DIRECTORY_MISCONFIGURED},
    {AS_STEP_SEARCH, 4, 1, false, "", AS_OUTCOME_AMBIGUOUS_USER},
    {AS_STEP_SEARCH, 4, 2, false, "", AS_OUTCOME_AMBIGUOUS_USER},
    {AS_STEP_SEARCH, 10, 0, true, "", AS_OUTCOME_DIRECTORY_MISCONFIGURED},
    {AS_STEP_SEARCH, 32, 0, false, "", AS_OUTCOME_DIRECTORY_MISCONFIGURED},
    {AS_STEP_SEARCH, 34, 0, false, "", AS_OUTCOME_DIRECTORY_MISCONFIGURED},
    {AS_STEP_SEARCH, 50, 0, false, "", AS_OUTCOME_SERVICE_ACCOUNT_REFUSED},
    {AS_STEP_SEARCH, 53, 0, false, "", AS_OUTCOME_SERVICE_ACCOUNT_REFUSED},
    {AS_STEP_SEARCH, 53, 0, false, "TLS required", AS_OUTCOME_DIRECTORY_MISCONFIGURED},
    {AS_STEP_SEARCH, 48, 0, false, "Anonymous access is not allowed.", AS_OUTCOME_SERVICE_ACCOUNT_REFUSED},
    {AS_STEP_SEARCH, 8, 0, false, "authentication required", AS_OUTCOME_DIRECTORY_MISCONFIGURED},
    {AS_STEP_SEARCH, 13, 0, false, "", AS_OUTCOME_DIRECTORY_MISCONFIGURED},
    {AS_STEP_SEARCH, 12, 0, false, "", AS_OUTCOME_DIRECTORY_MISCONFIGURED},
    {AS_STEP_SEARCH, 1, 0, false, "", AS_OUTCOME_DIRECTORY_DOWN},
    {AS_STEP_SEARCH, 1, 0, false, "a successful bind must be completed", AS_OUTCOME_DIRECTORY_MISCONFIGURED},
    {AS_STEP_SEARCH, 3, 0, false, "", AS_OUTCOME_DIRECTORY_TIMEOUT},
    {AS_STEP_SEARCH, 3, 1, false, "", AS_OUTCOME_DIRECTORY_TIMEOUT},
    {AS_STEP_SEARCH, 11, 0, false, "", AS_OUTCOME_DIRECTORY_BUSY},
    {AS_STEP_SEARCH, 51, 0, false, "", AS_OUTCOME_DIRECTORY_BUSY},
    {AS_STEP_SEARCH, 52, 0, false, "", AS_OUTCOME_DIRECTORY_DOWN},
    {AS_STEP_SEARCH, 80, 0, false, "", AS_OUTCOME_DIRECTORY_DOWN},
    {AS_STEP_SEARCH, 49, 0, false, "", AS_OUTCOME_UNKNOWN_RESULT},
    {AS_STEP_SEARCH, 18, 0, false, "", AS_OUTCOME_UNKNOWN_RESULT},

    {AS_STEP_SERVICE_BIND, 0, 0, false, "", AS_OUTCOME_UNKNOWN_RESULT},
    {AS_STEP_SERVICE_BIND, 49, 0, false, "", AS_OUTCOME_SERVICE_ACCOUNT_REFUSED},
    {AS_STEP_SERVICE_BIND, 49, 0, false, AD("52e"), AS_OUTCOME_SERVICE_ACCOUNT_REFUSED},
    {AS_STEP_SERVICE_BIND, 49, 0, false, AD("525"), AS_OUTCOME_SERVICE_ACCOUNT_REFUSED},
    {AS_STEP_SERVICE_BIND, 49, 0, false, AD("51f"), AS_OUTCOME_DIRECTORY_DOWN},
    {AS_STEP_SERVICE_BIND, 49, 0, false, "password expired!", AS_OUTCOME_SERVICE_ACCOUNT_REFUSED},
    {AS_STEP_SERVICE_BIND, 19, 0, false, "", AS_OUTCOME_SERVICE_ACCOUNT_REFUSED},
    {AS_STEP_SERVICE_BIND, 32, 0, false, "", AS_OUTCOME_SERVICE_ACCOUNT_REFUSED},
    {AS_STEP_SERVICE_BIND, 34, 0, false, "invalid DN", AS_OUTCOME_SERVICE_ACCOUNT_REFUSED},
    {AS_STEP_SERVICE_BIND, 48, 0, false, "anonymous bind disallowed", AS_OUTCOME_SERVICE_ACCOUNT_REFUSED},
    {AS_STEP_SERVICE_BIND, 50, 0, false, "", AS_OUTCOME_SERVICE_ACCOUNT_REFUSED},
    {AS_STEP_SERVICE_BIND, 53, 0, false, "Account inactivated.", AS_OUTCOME_SERVICE_ACCOUNT_REFUSED},
    {AS_STEP_SERVICE_BIND, 53, 0, false, "", AS_OUTCOME_SERVICE_ACCOUNT_REFUSED},
    {AS_STEP_SERVICE_BIND, 53, 0, false, "unwilling to perform simple authentication",
     AS_OUTCOME_DIRECTORY_MISCONFIGURED},
    {AS_STEP_SERVICE_BIND, 8, 0, false, "Transport encryption required.", AS_OUTCOME_DIRECTORY_MISCONFIGURED},
    {AS_STEP_SERVICE_BIND, 13, 0, false, "confidentiality required", AS_OUTCOME_DIRECTORY_MISCONFIGURED},
    {AS_STEP_SERVICE_BIND, 2, 0, false, "", AS_OUTCOME_DIRECTORY_MISCONFIGURED},
    {AS_STEP_SERVICE_BIND, 7, 0, false, "", AS_OUTCOME_DIRECTORY_MISCONFIGURED},
    {AS_STEP_SERVICE_BIND, 10, 0, true, "", AS_OUTCOME_DIRECTORY_MISCONFIGURED},
    {AS_STEP_SERVICE_BIND, 12, 0, false, "", AS_OUTCOME_DIRECTORY_MISCONFIGURED},
    {AS_STEP_SERVICE_BIND, 1, 0, false, "", AS_OUTCOME_DIRECTORY_DOWN},
    {AS_STEP_SERVICE_BIND, 51, 0, false, "", AS_OUTCOME_DIRECTORY_BUSY},
    {AS_STEP_SERVICE_BIND, 52, 0, false, "", AS_OUTCOME_DIRECTORY_DOWN},
    {AS_STEP_SERVICE_BIND, 99, 0, false, "", AS_OUTCOME_UNKNOWN_RESULT},

    {AS_STEP_TLS, 0, 0, false, "", AS_OUTCOME_UNKNOWN_RESULT},
    {AS_STEP_TLS, 2, 0, false, "unsupported extended operation", AS_OUTCOME_TLS_FAILED},
    {AS_STEP_TLS, 53, 0, false, "", AS_OUTCOME_TLS_FAILED},
    {AS_STEP_TLS, 52, 0, false, "", AS_OUTCOME_DIRECTORY_DOWN},
    {AS_STEP_TLS, 52, 0, false, "Error initializing SSL/TLS", AS_OUTCOME_TLS_FAILED},
    {AS_STEP_CONNECT, 0, 0, false, "", AS_OUTCOME_UNKNOWN_RESULT},
    {AS_STEP_CONNECT, 52, 0, false, "", AS_OUTCOME_DIRECTORY_DOWN},
};

static void test_steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        const step_row *row = &steps[i];
        as_reply reply = blank;
        reply.step = row->step;
        reply.code = row->code;
        reply.entries = row->entries;
        reply.referral = row->referral;
        reply.diagnostic = row->diagnostic;
        as_finding found = find(reply, NULL, 0);
        if (found.outcome != row->outcome || found.proven || !found.has_code || found.code != row->code) {
            fail_msg("step %d, code %d, row %zu: %s", (int)row->step, row->code, i,
                     as_outcome_describe(found.outcome)->name);
        }
    }
}

static const struct {
    as_failure failure;
    as_outcome outcome;
} failure_rows[] = {
    {AS_FAILURE_DOWN, AS_OUTCOME_DIRECTORY_DOWN},
    {AS_FAILURE_TIMEOUT, AS_OUTCOME_DIRECTORY_TIMEOUT},
    {AS_FAILURE_OVERLOAD, AS_OUTCOME_DIRECTORY_OVERLOAD},
    {AS_FAILURE_CIRCUIT_OPEN, AS_OUTCOME_DIRECTORY_DOWN},
    {AS_FAILURE_TLS, AS_OUTCOME_TLS_FAILED},
    {AS_FAILURE_ANSWER, AS_OUTCOME_UNKNOWN_RESULT},
    {AS_FAILURE_LOCAL, AS_OUTCOME_UNKNOWN_RESULT},
};

/* AuthLDAPInitialBindAsUser: a name that is no DN is the user's text; any other is the administrator's. */
static void test_name_that_is_no_dn(void **state)
{
    as_reply reply = blank;

    (void)state;
    reply.step = AS_STEP_USER_BIND;
    reply.code = 34;
    assert_int_equal(find(reply, NULL, 0).outcome, AS_OUTCOME_DIRECTORY_MISCONFIGURED);
    reply.typed_name = true;
    assert_int_equal(find(reply, NULL, 0).outcome, AS_OUTCOME_WRONG_PASSWORD);
    assert_false(find(reply, NULL, 0).proven);
    reply.code = 10;
    assert_int_equal(find(reply, NULL, 0).outcome, AS_OUTCOME_WRONG_PASSWORD);
    reply.code = 33;
    assert_int_equal(find(reply, NULL, 0).outcome, AS_OUTCOME_WRONG_PASSWORD);
}

/* What a typed name provokes is no failure of the directory: a group of BUILTIN, for which Samba has no logon servers,
 * and a DN that leads elsewhere. */
static void test_of_name(void **state)
{
    static const struct {
        as_step step;
        const char *bind_name, *diagnostic;
        int code;
        bool foreign;
        as_outcome outcome;
        bool of_name;
    } rows[] = {
        {AS_STEP_USER_BIND, "cn=ann,dc=x", AD("51f"), 49, false, AS_OUTCOME_DIRECTORY_DOWN, true},
        {AS_STEP_USER_BIND, NULL, AD("51f"), 49, false, AS_OUTCOME_DIRECTORY_DOWN, true},
        {AS_STEP_USER_BIND, "CN=Users, CN=\\42uiltin,DC=x", AD("51f"), 49, false, AS_OUTCOME_WRONG_PASSWORD, false},
        {AS_STEP_USER_BIND, "s-1-5-32-545", AD("51f"), 49, false, AS_OUTCOME_WRONG_PASSWORD, false},
        {AS_STEP_USER_BIND, "x.test/Builtin/Users", AD("51f"), 49, false, AS_OUTCOME_WRONG_PASSWORD, false},
        {AS_STEP_USER_BIND, "s-1-5-32-545", AD("775"), 49, false, AS_OUTCOME_ACCOUNT_LOCKED, false},
        {AS_STEP_SERVICE_BIND, NULL, AD("51f"), 49, false, AS_OUTCOME_DIRECTORY_DOWN, false},
        {AS_STEP_USER_BIND, "cn=a,dc=y", "", 52, true, AS_OUTCOME_DIRECTORY_DOWN, true},
        {AS_STEP_USER_BIND, "cn=a,dc=y", "", 13, true, AS_OUTCOME_DIRECTORY_MISCONFIGURED, true},
        {AS_STEP_USER_BIND, "cn=a,dc=y", "", 49, true, AS_OUTCOME_WRONG_PASSWORD, false},
        {AS_STEP_USER_BIND, "cn=a,dc=y", "", 52, false, AS_OUTCOME_DIRECTORY_DOWN, false},
        {AS_STEP_SEARCH, NULL, "", 52, false, AS_OUTCOME_DIRECTORY_DOWN, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        as_reply reply = blank;
        as_finding found;

        reply.step = rows[i].step;
        reply.bind_name = rows[i].bind_name;
        reply.diagnostic = rows[i].diagnostic;
        reply.diagnostic_length = strlen(reply.diagnostic);
        reply.code = rows[i].code;
        reply.foreign_name = rows[i].foreign;
        found = as_outcome_find(&reply);
        assert_int_equal(found.outcome, rows[i].outcome);
        assert_int_equal(found.of_name, rows[i].of_name);
        assert_false(found.proven);
    }
}

/* A failure decides before everything else in the reply, at any step. */
static void test_failures(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof failure_rows / sizeof failure_rows[0]; i++) {
        for (int step = AS_STEP_CONNECT; step <= AS_STEP_USER_BIND; step++) {
            as_reply reply = blank;
            reply.step = (as_step)step;
            reply.failure = failure_rows[i].failure;
            reply.diagnostic = AD("532");
            as_finding found = find(reply, NULL, 0);
            assert_int_equal(found.outcome, failure_rows[i].outcome);
            assert_false(found.has_code);
            assert_false(found.proven);
            assert_string_equal(found.subcode, "");
            assert_int_equal(found.expires_in, -1);
            assert_int_equal(found.grace_logins, -1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_binds),   cmocka_unit_test(test_anonymous_success),
        cmocka_unit_test(test_steps),   cmocka_unit_test(test_name_that_is_no_dn),
        cmocka_unit_test(test_of_name), cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
