/* SPDX-License-Identifier: Apache-2.0 */
#include "guard_page.h"

#include <stdlib.h>

#include "authstatus/credentials.h"

#define GOOD AS_OUTCOME_GRANTED
#define NONE AS_OUTCOME_NO_CREDENTIALS
#define MALFORMED AS_OUTCOME_MALFORMED_CREDENTIALS
#define EMPTY AS_OUTCOME_EMPTY_PASSWORD

typedef struct header_row {
    const char *header;
    as_outcome outcome;
    const char *user;
    const char *password;
} header_row;

static const header_row headers[] = {
    /* RFC 7617 2 and 2.1 */
    {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", GOOD, "Aladdin", "open sesame"},
    {"Basic dGVzdDoxMjPCow==", GOOD, "test", "123\xc2\xa3"},
    /* the scheme, in any case; blanks */
    {"basic dTpw", GOOD, "u", "p"},
    {"BASIC dTpw", GOOD, "u", "p"},
    {"Basic   dTpw", GOOD, "u", "p"},
    {"Basic\tdTpw", GOOD, "u", "p"},
    {"Basic \t dTpw \t ", GOOD, "u", "p"},
    {" Basic dTpw", GOOD, "u", "p"},
    {"Basic dTpw dTpw", MALFORMED, NULL, NULL},
    {"Basic d Tpw", MALFORMED, NULL, NULL},
    {"Basic dTpw\n", MALFORMED, NULL, NULL},
    {"Basic dTpw, Basic dTpw", MALFORMED, NULL, NULL},
    /* none */
    {NULL, NONE, NULL, NULL},
    {"", NONE, NULL, NULL},
    {" ", NONE, NULL, NULL},
    {"Basic", NONE, NULL, NULL},
    {"Basic ", NONE, NULL, NULL},
    {"Basic \t ", NONE, NULL, NULL},
    {"Bas", NONE, NULL, NULL},
    {"Basicc dTpw", NONE, NULL, NULL},
    {"BasicdTpw", NONE, NULL, NULL},
    {"Basic:dTpw", NONE, NULL, NULL},
    {"Bearer dTpw", NONE, NULL, NULL},
    {"Digest username=\"u\"", NONE, NULL, NULL},
    {"Negotiate YII=", NONE, NULL, NULL},
    {"dTpw", NONE, NULL, NULL},
    /* padding: there or not, never wrong */
    {"Basic dXM6cA==", GOOD, "us", "p"},
    {"Basic dXM6cA", GOOD, "us", "p"},
    {"Basic dXM6cHc=", GOOD, "us", "pw"},
    {"Basic dXM6cHc", GOOD, "us", "pw"},
    {"Basic dXM6cA=", MALFORMED, NULL, NULL},
    {"Basic dXM6cA===", MALFORMED, NULL, NULL},
    {"Basic dXM6cHc==", MALFORMED, NULL, NULL},
    {"Basic dTpw=", MALFORMED, NULL, NULL},
    {"Basic dTpw====", MALFORMED, NULL, NULL},
    {"Basic dX=M6cA", MALFORMED, NULL, NULL},
    {"Basic dXM6cA==dTpw", MALFORMED, NULL, NULL},
    {"Basic =", MALFORMED, NULL, NULL},
    /* not base64: other digits, one digit too many, bits that are left over */
    {"Basic u:p", MALFORMED, NULL, NULL},
    {"Basic dTp-", MALFORMED, NULL, NULL},
    {"Basic dTp_", MALFORMED, NULL, NULL},
    {"Basic dTpwd", MALFORMED, NULL, NULL},
    {"Basic dXM6cB==", MALFORMED, NULL, NULL},
    {"Basic dXM6cHd=", MALFORMED, NULL, NULL},
    {"Basic \xc3\xa4", MALFORMED, NULL, NULL},
    {"Basic d", MALFORMED, NULL, NULL},
    /* colons: none, the first divides */
    {"Basic dXNlcg==", MALFORMED, NULL, NULL},
    {"Basic dTo6cDo=", GOOD, "u", ":p:"},
    {"Basic Og==", MALFORMED, NULL, NULL},
    {"Basic OnB3", MALFORMED, NULL, NULL},
    {"Basic dXNlcjo=", EMPTY, NULL, NULL},
    /* NUL in user, in password, behind both; control characters; octets that are not UTF-8 */
    {"Basic dQB1OnA=", MALFORMED, NULL, NULL},
    {"Basic dTpwAHA=", MALFORMED, NULL, NULL},
    {"Basic dTpwAA==", MALFORMED, NULL, NULL},
    {"Basic dToA", MALFORMED, NULL, NULL},
    {"Basic AA==", MALFORMED, NULL, NULL},
    {"Basic dQ06cA==", MALFORMED, NULL, NULL},
    {"Basic dTpwCg==", MALFORMED, NULL, NULL},
    {"Basic dTp/", MALFORMED, NULL, NULL},
    {"Basic dTrkcA==", MALFORMED, NULL, NULL},
    {"Basic 5DpwcA==", MALFORMED, NULL, NULL},
};

static bool holds_nothing(const char *buffer, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (buffer[i] != '\0') {
            return false;
        }
    }
    return true;
}

static void check(const header_row *row)
{
    const char *text = row->header == NULL ? "" : row->header;
    size_t size = strlen(text) * 3 / 4 + 1;
    guarded header = guarded_copy(text, strlen(text) + 1);
    guarded buffer = guarded_copy(text, 0);
    guarded_free(&buffer);
    char *zeros = calloc(1, size);
    buffer = guarded_copy(zeros, size);
    free(zeros);

    const char *user = "before";
    const char *password = "before";
    as_outcome outcome = as_credentials_read(row->header == NULL ? NULL : header.at, buffer.at, size, &user, &password);
    if (outcome != row->outcome) {
        fail_msg("\"%s\": %s", text, as_outcome_describe(outcome)->name);
    }
    if (outcome == GOOD) {
        assert_string_equal(user, row->user);
        assert_string_equal(password, row->password);
    } else {
        assert_null(user);
        assert_null(password);
        assert_true(holds_nothing(buffer.at, size));
    }
    guarded_free(&buffer);
    guarded_free(&header);
}

static void test_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        check(&headers[i]);
    }
}

static void test_long_headers(void **state)
{
    (void)state;
    static char text[8192 + 1];
    static char password[8192];
    memset(text, 'A', sizeof text - 1);
    memcpy(text, "Basic ", 6);
    check(&(header_row){text, MALFORMED, NULL, NULL}); /* NULs, no colon */
    memcpy(text + 6, "dTpw", 4);
    for (size_t i = 10; i + 4 < sizeof text; i += 4) {
        memcpy(text + i, "cHBw", 4);
    }
    text[8190] = '\0';
    size_t length = (8190 - 6) / 4 * 3 - 2;
    memset(password, 'p', length);
    check(&(header_row){text, GOOD, "u", password});
}

/* Too small by any number of octets: malformed, and nothing is written behind the end. */
static void test_small_buffers(void **state)
{
    (void)state;
    static const char header[] = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
    static const char filling[32] = {0};
    for (size_t size = 0; size < sizeof "Aladdin:open sesame"; size++) {
        guarded buffer = guarded_copy(filling, size);
        const char *user;
        const char *password;
        assert_int_equal(as_credentials_read(header, buffer.at, size, &user, &password), MALFORMED);
        assert_true(holds_nothing(buffer.at, size));
        guarded_free(&buffer);
    }
    char exact[sizeof "Aladdin:open sesame"];
    const char *user;
    const char *password;
    assert_int_equal(as_credentials_read(header, exact, sizeof exact, &user, &password), GOOD);
    assert_string_equal(password, "open sesame");
}

typedef struct pair_row {
    const char *user;
    const char *password;
    as_outcome outcome;
} pair_row;

static const pair_row pairs[] = {
    {"u", "p", GOOD},
    {"u:v", "p", GOOD},
    {NULL, "p", MALFORMED},
    {NULL, NULL, MALFORMED},
    {"", "p", MALFORMED},
    {"", "", MALFORMED},
    {"u", NULL, EMPTY},
    {"u", "", EMPTY},
    {"\x01", "", MALFORMED},
    {" u", " ", GOOD},
    {"u*()\\,#", "*()\\", GOOD},
    {"DOMAIN\\user", "p", GOOD},
    {"user@lab.test", "p", GOOD},
    {"u\t", "p", MALFORMED},
    {"u", "\x1f", MALFORMED},
    {"u", "\x7f", MALFORMED},
    {"u", "~ ", GOOD},
    /* RFC 3629: the first and the last character of each length */
    {"\xc2\x80", "p", GOOD},
    {"\xdf\xbf", "p", GOOD},
    {"\xe0\xa0\x80", "p", GOOD},
    {"\xed\x9f\xbf", "p", GOOD},
    {"\xee\x80\x80", "p", GOOD},
    {"\xef\xbf\xbf", "p", GOOD},
    {"\xf0\x90\x80\x80", "p", GOOD},
    {"\xf4\x8f\xbf\xbf", "p", GOOD},
    /* over-long, surrogates, beyond U+10FFFF */
    {"\xc0\x80", "p", MALFORMED},
    {"\xc1\xbf", "p", MALFORMED},
    {"\xe0\x9f\xbf", "p", MALFORMED},
    {"\xf0\x8f\xbf\xbf", "p", MALFORMED},
    {"\xed\xa0\x80", "p", MALFORMED},
    {"\xed\xbf\xbf", "p", MALFORMED},
    {"\xf4\x90\x80\x80", "p", MALFORMED},
    {"\xf5\x80\x80\x80", "p", MALFORMED},
    {"\xff", "p", MALFORMED},
    {"\xfe\xff", "p", MALFORMED},
    /* cut off, a continuation too few or too many */
    {"\xc3", "p", MALFORMED},
    {"\xe2\x82", "p", MALFORMED},
    {"\xf0\x9f\x98", "p", MALFORMED},
    {"\x80", "p", MALFORMED},
    {"\xc3\xa4\xa4", "p", MALFORMED},
    {"\xc3z", "p", MALFORMED},
    {"\xe2\x82z", "p", MALFORMED},
    {"\xf0\x9f\x98z", "p", MALFORMED},
    {"u", "\xe4", MALFORMED},
    {"u", "\xc3\xa4", GOOD},
};

static void test_pairs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const pair_row *row = &pairs[i];
        const char *user_text = row->user == NULL ? "" : row->user;
        const char *password_text = row->password == NULL ? "" : row->password;
        guarded user = guarded_copy(user_text, strlen(user_text) + 1);
        guarded password = guarded_copy(password_text, strlen(password_text) + 1);
        as_outcome outcome =
            as_credentials_check(row->user == NULL ? NULL : user.at, row->password == NULL ? NULL : password.at);
        if (outcome != row->outcome) {
            fail_msg("row %zu: %s", i, as_outcome_describe(outcome)->name);
        }
        guarded_free(&user);
        guarded_free(&password);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_long_headers),
        cmocka_unit_test(test_small_buffers),
        cmocka_unit_test(test_pairs),
    };
    return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
