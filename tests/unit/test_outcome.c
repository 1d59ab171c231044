/* SPDX-License-Identifier: Apache-2.0
 *
 * Recorded answers (directory-answers.tsv) with what they mean (expected-outcomes.tsv), answers that could not be
 * recorded, and what must hold for every answer there can be.
 * The data lie in $srcdir/tests/unit, or in TESTS_DATA where srcdir is not set.
 */
#include "guard_page.h"

#include <ldap.h>
#include <stdbool.h>
#include <stdlib.h>

#include "authstatus/outcome.h"
#include "authstatus/ppolicy.h"

#ifndef TESTS_DATA
#define TESTS_DATA "tests/unit"
#endif

#define LEAST_ANSWERS 456

#define UNPROVEN false
#define PROVEN true
#define NOT_TOLD (-1L)

#define AD(data) "80090308: LdapErr: DSID-0C090446, comment: AcceptSecurityContext error, data " data ", v3839"

typedef struct control_text {
    const char *oid;
    const char *hex;
} control_text;

#define PP(hex)                                                                                                        \
    {                                                                                                                  \
        AS_OID_PPOLICY, hex                                                                                            \
    }
#define NS4                                                                                                            \
    {                                                                                                                  \
        AS_OID_NETSCAPE_EXPIRED, "30"                                                                                  \
    }
#define NS5(hex)                                                                                                       \
    {                                                                                                                  \
        AS_OID_NETSCAPE_EXPIRING, hex                                                                                  \
    }

static const as_reply blank = {
    .step = AS_STEP_USER_BIND,
    .matched_dn = "",
    .diagnostic = "",
    .entries = 1,
    .dn = "uid=u,dc=lab,dc=test",
    .server = "127.0.0.1:389",
    .reason = "",
};

/* The finding for a reply whose texts and controls lie against unreadable pages. */
static as_finding find(as_reply reply, const control_text *texts, size_t count)
{
    guarded values[3];
    as_control controls[3];
    guarded diagnostic = guarded_copy(reply.diagnostic, strlen(reply.diagnostic) + 1);
    assert_true(count <= 3);
    for (size_t i = 0; i < count; i++) {
        values[i] = guarded_hex(texts[i].hex);
        controls[i] = (as_control){texts[i].oid, (const unsigned char *)values[i].at, values[i].length};
    }
    reply.diagnostic = diagnostic.at;
    reply.diagnostic_length = diagnostic.length - 1;
    reply.controls = controls;
    reply.control_count = count;
    as_finding found = as_outcome_find(&reply);
    while (count > 0) {
        guarded_free(&values[--count]);
    }
    guarded_free(&diagnostic);
    return found;
}

typedef struct expectation {
    as_outcome outcome;
    bool proven;
    const char *subcode;
    long expires_in;
    long grace_logins;
} expectation;

static bool agrees(const char *name, const as_finding *found, const expectation *expected)
{
    if (found->outcome == expected->outcome && found->proven == expected->proven &&
        strcmp(found->subcode, expected->subcode) == 0 && found->expires_in == expected->expires_in &&
        found->grace_logins == expected->grace_logins) {
        return true;
    }
    print_error("%s: %s, %s, \"%s\", expires %ld, grace %ld; expected %s\n", name,
                as_outcome_describe(found->outcome)->name, found->proven ? "proven" : "unproven", found->subcode,
                found->expires_in, found->grace_logins, as_outcome_describe(expected->outcome)->name);
    return false;
}

/* --- recorded answers --- */

#define ANSWER_COLUMNS 7
#define EXPECTED_COLUMNS 9
#define KEY_COLUMNS 4 /* server, state, password, ppolicy_requested */
#define LONGEST_LINE 1024

static FILE *open_data(const char *name)
{
    char path[1024];
    const char *srcdir = getenv("srcdir");
    if (srcdir != NULL) {
        snprintf(path, sizeof path, "%s/tests/unit/%s", srcdir, name);
    } else {
        snprintf(path, sizeof path, "%s/%s", TESTS_DATA, name);
    }
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("%s cannot be opened", path);
    }
    return file;
}

/* The next line that is no comment, divided at its tabs. */
static bool next_line(FILE *file, char *line, char **columns, size_t count)
{
    do {
        if (fgets(line, LONGEST_LINE, file) == NULL) {
            return false;
        }
    } while (line[0] == '#');
    line[strcspn(line, "\n")] = '\0';
    for (size_t i = 0; i < count; i++) {
        columns[i] = line;
        line += strcspn(line, "\t");
        assert_true((*line == '\0') == (i == count - 1));
        *line++ = '\0';
    }
    return true;
}

/* OID=hex, divided by "; " */
static size_t split_controls(char *text, control_text *controls)
{
    size_t count = 0;
    while (*text != '\0') {
        assert_true(count < 3);
        char *hex = strchr(text, '=');
        assert_non_null(hex);
        *hex++ = '\0';
        controls[count++] = (control_text){text, hex};
        text = hex + strcspn(hex, ";");
        if (*text == ';') {
            *text++ = '\0';
            text += strspn(text, " ");
        }
    }
    return count;
}

static long number_or_not_told(const char *text)
{
    return strcmp(text, "-") == 0 ? NOT_TOLD : strtol(text, NULL, 10);
}

static expectation read_expectation(char **columns)
{
    expectation expected = {
        .proven = strcmp(columns[5], "proven") == 0,
        .subcode = strcmp(columns[6], "-") == 0 ? "" : columns[6],
        .expires_in = number_or_not_told(columns[7]),
        .grace_logins = number_or_not_told(columns[8]),
    };
    assert_true(as_outcome_by_name(columns[4], &expected.outcome));
    return expected;
}

/* libldap's -1 is what the directory room reports as a failure. */
static as_reply recorded_reply(char **columns)
{
    as_reply reply = blank;
    reply.code = (int)strtol(columns[4], NULL, 10);
    reply.failure = reply.code < 0 ? AS_FAILURE_DOWN : AS_FAILURE_NONE;
    reply.diagnostic = columns[5];
    return reply;
}

/* The files go line by line together, so that neither has a row that the other has not. */
static void test_recorded_answers(void **state)
{
    (void)state;
    FILE *answers = open_data("directory-answers.tsv");
    FILE *expectations = open_data("expected-outcomes.tsv");
    char answer_line[LONGEST_LINE], expected_line[LONGEST_LINE], name[LONGEST_LINE];
    char *answer[ANSWER_COLUMNS], *expected[EXPECTED_COLUMNS];
    size_t rows = 0, failures = 0;

    assert_true(next_line(answers, answer_line, answer, ANSWER_COLUMNS));
    assert_true(next_line(expectations, expected_line, expected, EXPECTED_COLUMNS));
    for (; next_line(answers, answer_line, answer, ANSWER_COLUMNS); rows++) {
        assert_true(next_line(expectations, expected_line, expected, EXPECTED_COLUMNS));
        for (size_t i = 0; i < KEY_COLUMNS; i++) {
            assert_string_equal(answer[i], expected[i]);
        }
        control_text controls[3];
        size_t count = split_controls(answer[6], controls);
        as_finding found = find(recorded_reply(answer), controls, count);
        expectation meant = read_expectation(expected);
        snprintf(name, sizeof name, "%s, %s, %s, %s", answer[0], answer[1], answer[2], answer[3]);
        failures += agrees(name, &found, &meant) ? 0 : 1;
    }
    assert_false(next_line(expectations, expected_line, expected, EXPECTED_COLUMNS));
    fclose(answers);
    fclose(expectations);
    assert_int_equal(failures, 0);
    assert_true(rows >= LEAST_ANSWERS);
}

/* --- binds as the user --- */

typedef struct bind_row {
    int code;
    const char *diagnostic;
    control_text controls[3];
    expectation expected;
} bind_row;

static const bind_row binds[] = {
    /* success, plain and not so plain */
    {0, "", {{NULL, NULL}}, {AS_OUTCOME_GRANTED, PROVEN, "", NOT_TOLD, NOT_TOLD}},
    {0, "welcome", {PP("3000")}, {AS_OUTCOME_GRANTED, PROVEN, "", NOT_TOLD, NOT_TOLD}},
    {0, "", {PP("3005a003810102"), NS5("363030")}, {AS_OUTCOME_GRACE_LOGIN, PROVEN, "", 600, 2}},
    {0, "", {PP("3005a003810102"), NS4}, {AS_OUTCOME_GRACE_LOGIN, PROVEN, "", NOT_TOLD, 2}},
    {0, "", {PP("3005a003810100")}, {AS_OUTCOME_GRACE_LOGIN, PROVEN, "", NOT_TOLD, 0}},
    {0, "", {PP("3005a003800100")}, {AS_OUTCOME_PASSWORD_EXPIRING, PROVEN, "", 0, NOT_TOLD}},
    {0, "", {NS5("363030")}, {AS_OUTCOME_PASSWORD_EXPIRING, PROVEN, "", 600, NOT_TOLD}},
    {0, "", {PP("3003810102")}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, PROVEN, "pp2", NOT_TOLD, NOT_TOLD}},
    {0, "", {PP("3008a003800100810102")}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, PROVEN, "pp2", 0, NOT_TOLD}},
    {0, "", {PP("3008a003810103810102"), NS4}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, PROVEN, "pp2", NOT_TOLD, 3}},
    {0, "", {NS4}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, PROVEN, "", NOT_TOLD, NOT_TOLD}},
    {0, "", {NS4, NS5("363030")}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, PROVEN, "", 600, NOT_TOLD}},
    {0, "", {PP("3000"), NS4}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, PROVEN, "", NOT_TOLD, NOT_TOLD}},
    {0, "NDS error: password expired (-223)", {{NULL, NULL}}, {AS_OUTCOME_GRACE_LOGIN, PROVEN, "-223", -1, -1}},
    /* success that contradicts itself is none */
    {0, "", {PP("3003810100")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "pp0", NOT_TOLD, NOT_TOLD}},
    {0, "", {PP("3003810101")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "pp1", NOT_TOLD, NOT_TOLD}},
    {0, "", {PP("3008a003810102810100")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "pp0", NOT_TOLD, 2}},
    {0, "", {PP("3003810103")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "pp3", NOT_TOLD, NOT_TOLD}},
    {0, "", {PP("3003810109")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "pp9", NOT_TOLD, NOT_TOLD}},
    {0, "", {PP("300381010a")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {0, "", {PP("3005a003810102"), PP("3000")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {0, "", {PP("3003810102"), PP("3003810102")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {0, "", {PP("3000"), NS5("2d31")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {0, "", {NS4, NS4}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {0, "", {PP("")}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {0, AD("532"), {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "532", NOT_TOLD, NOT_TOLD}},
    {0, "NDS error: bad password (-222)", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "-222", -1, -1}},
    {0, "NDS error: news (-999)", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "-999", -1, -1}},
    {0, "Account inactivated.", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},

    /* 49: policy, then text, then 3.4.4 */
    {49, "", {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {49, "Invalid credentials, cannot bind", {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "", -1, -1}},
    {49, "", {PP("3000")}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {49, "", {PP("3003810100")}, {AS_OUTCOME_PASSWORD_EXPIRED, PROVEN, "pp0", NOT_TOLD, NOT_TOLD}},
    {49, "", {PP("3003810101")}, {AS_OUTCOME_ACCOUNT_LOCKED, UNPROVEN, "pp1", NOT_TOLD, NOT_TOLD}},
    {49, "", {PP("3003810102")}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, UNPROVEN, "pp2", NOT_TOLD, NOT_TOLD}},
    {49, "", {PP("3003810105")}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "pp5", NOT_TOLD, NOT_TOLD}},
    {49, "", {NS4}, {AS_OUTCOME_PASSWORD_EXPIRED, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {49, "", {PP("3000"), NS4}, {AS_OUTCOME_PASSWORD_EXPIRED, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {49, "", {PP("3003810101"), NS4}, {AS_OUTCOME_ACCOUNT_LOCKED, UNPROVEN, "pp1", NOT_TOLD, NOT_TOLD}},
    {49, "password expired!", {NS4}, {AS_OUTCOME_PASSWORD_EXPIRED, PROVEN, "", NOT_TOLD, NOT_TOLD}},
    {49, "password expired!", {PP("3003810101")}, {AS_OUTCOME_ACCOUNT_LOCKED, UNPROVEN, "pp1", -1, -1}},
    {49, "", {PP("30ff")}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {49, "", {PP("3003810100"), PP("3003810100")}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {49, AD("532"), {PP("30ff")}, {AS_OUTCOME_PASSWORD_EXPIRED, UNPROVEN, "532", NOT_TOLD, NOT_TOLD}},

    /* AD */
    {49, AD("525"), {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_USER, UNPROVEN, "525", NOT_TOLD, NOT_TOLD}},
    {49, AD("52e"), {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "52e", NOT_TOLD, NOT_TOLD}},
    {49, AD("52E"), {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "52e", NOT_TOLD, NOT_TOLD}},
    {49, AD("0052e"), {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "52e", NOT_TOLD, NOT_TOLD}},
    {49, AD("52f"), {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_RESTRICTED, UNPROVEN, "52f", NOT_TOLD, NOT_TOLD}},
    {49, AD("530"), {{NULL, NULL}}, {AS_OUTCOME_LOGON_HOURS, PROVEN, "530", NOT_TOLD, NOT_TOLD}},
    {49, AD("531"), {{NULL, NULL}}, {AS_OUTCOME_LOGON_HOST, PROVEN, "531", NOT_TOLD, NOT_TOLD}},
    {49, AD("532"), {{NULL, NULL}}, {AS_OUTCOME_PASSWORD_EXPIRED, PROVEN, "532", NOT_TOLD, NOT_TOLD}},
    {49, AD("533"), {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_DISABLED, PROVEN, "533", NOT_TOLD, NOT_TOLD}},
    {49, AD("568"), {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_RESTRICTED, UNPROVEN, "568", NOT_TOLD, NOT_TOLD}},
    {49, AD("569"), {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_RESTRICTED, UNPROVEN, "569", NOT_TOLD, NOT_TOLD}},
    {49, AD("701"), {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_EXPIRED, PROVEN, "701", NOT_TOLD, NOT_TOLD}},
    {49, AD("773"), {{NULL, NULL}}, {AS_OUTCOME_PASSWORD_MUST_CHANGE, PROVEN, "773", NOT_TOLD, NOT_TOLD}},
    {49, AD("775"), {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_LOCKED, UNPROVEN, "775", NOT_TOLD, NOT_TOLD}},
    {49, AD("78f"), {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_RESTRICTED, UNPROVEN, "78f", NOT_TOLD, NOT_TOLD}},
    {49, AD("51f"), {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_DOWN, UNPROVEN, "51f", NOT_TOLD, NOT_TOLD}},
    {49, AD("1f"), {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "1f", NOT_TOLD, NOT_TOLD}},
    {49, AD("7fffffff"), {{NULL, NULL}}, {AS_OUTCOME_WRONG_PASSWORD, UNPROVEN, "7fffffff", NOT_TOLD, NOT_TOLD}},
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
    {19, "", {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_LOCKED, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {19, "Exceed password retry limit.", {PP("3003810101")}, {AS_OUTCOME_ACCOUNT_LOCKED, UNPROVEN, "pp1", -1, -1}},
    {19, "TPR checking. Contact", {{NULL, NULL}}, {AS_OUTCOME_PASSWORD_EXPIRED, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {19, "Account inactivity limit exceeded.", {{NULL, NULL}}, {AS_OUTCOME_ACCOUNT_EXPIRED, UNPROVEN, "", -1, -1}},
    {53, "Account inactivated.", {PP("3003810101")}, {AS_OUTCOME_ACCOUNT_DISABLED, UNPROVEN, "pp1", -1, -1}},
    {53, "", {PP("3003810101")}, {AS_OUTCOME_ACCOUNT_LOCKED, UNPROVEN, "pp1", NOT_TOLD, NOT_TOLD}},
    {53, "", {PP("3003810100")}, {AS_OUTCOME_PASSWORD_EXPIRED, UNPROVEN, "pp0", NOT_TOLD, NOT_TOLD}},
    {53, "", {NS4}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {53, "", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {53, "not today", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {53,
     "unwilling to perform simple authentication",
     {{NULL, NULL}},
     {AS_OUTCOME_DIRECTORY_MISCONFIGURED, false, "", -1, -1}},
    {53, "Use TLS", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},

    /* not about the account */
    {1, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_DOWN, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {3, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_TIMEOUT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {11, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_BUSY, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {51, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_BUSY, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {52, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_DOWN, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {80, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_DOWN, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {2, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {4, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {7, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {8, "Transport encryption required.", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", -1, -1}},
    {10, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {12, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {13, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {34, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {48, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_MISCONFIGURED, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {32, "", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_USER, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {5, "", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {14, "", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {50, "", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {118, "", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {4096, "", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {LDAP_SERVER_DOWN, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_DOWN, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {LDAP_TIMEOUT, "", {{NULL, NULL}}, {AS_OUTCOME_DIRECTORY_TIMEOUT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
    {LDAP_DECODING_ERROR, "", {{NULL, NULL}}, {AS_OUTCOME_UNKNOWN_RESULT, UNPROVEN, "", NOT_TOLD, NOT_TOLD}},
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

/* --- what holds for every answer --- */

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
            as_reply asked = *reply;
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
            asked.controls = controls;
            asked.control_count = count;
            as_finding found = as_outcome_find(&asked);
            check_invariants(&asked, &found, policies[p], netscape);
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
        assert_true(as_outcome_by_name(info->name, &found));
        assert_int_equal(found, i);
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(info->tag, as_outcome_describe((as_outcome)j)->tag);
        }
        assert_int_equal(as_outcome_is_about_account((as_outcome)i),
                         info->of == AS_CLASS_UNAUTHENTICATED || info->of == AS_CLASS_REFUSED);
        assert_int_equal(as_finding_of((as_outcome)i).outcome, i);
    }
    for (unsigned i = 0; i < AS_CLASS_COUNT; i++) {
        as_class found;
        assert_true(as_class_by_name(as_class_describe((as_class)i)->name, &found));
        assert_int_equal(found, i);
    }
}

static void test_names(void **state)
{
    (void)state;
    as_outcome outcome = AS_OUTCOME_DENIED;
    as_class class_id = AS_CLASS_FORBIDDEN;
    assert_true(as_outcome_by_name("Account-LOCKED", &outcome));
    assert_int_equal(outcome, AS_OUTCOME_ACCOUNT_LOCKED);
    assert_true(as_class_by_name("REFUSED", &class_id));
    assert_int_equal(class_id, AS_CLASS_REFUSED);
    assert_false(as_outcome_by_name("account-lock", &outcome));
    assert_false(as_outcome_by_name("account-locked ", &outcome));
    assert_false(as_outcome_by_name("", &outcome));
    assert_false(as_outcome_by_name("refused", &outcome));
    assert_false(as_class_by_name("account-locked", &class_id));
    assert_int_equal(outcome, AS_OUTCOME_ACCOUNT_LOCKED);
    assert_int_equal(class_id, AS_CLASS_REFUSED);
}

static void test_finding_of(void **state)
{
    (void)state;
    as_finding found = as_finding_of(AS_OUTCOME_NOT_AUTHORIZED);
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
        cmocka_unit_test(test_recorded_answers),
        cmocka_unit_test(test_binds),
        cmocka_unit_test(test_anonymous_success),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_name_that_is_no_dn),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_every_answer),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_finding_of),
    };
    return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
