/* SPDX-License-Identifier: Apache-2.0 */
#include "guard_page.h"

#include "authstatus/diagnostic.h"

typedef struct text_row {
    const char *text;
    as_dialect dialect;
    long number;
} text_row;

#define AD(data) "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data " data ", v1db1"

static const text_row texts[] = {
    {"", AS_DIALECT_NONE, 0},
    /* AD, whatever stands around its number */
    {AD("52e"), AS_DIALECT_AD, 0x52e},
    {AD("532"), AS_DIALECT_AD, 0x532},
    {AD("1f"), AS_DIALECT_AD, 0x1f},
    {AD("52E"), AS_DIALECT_AD, 0x52e},
    {AD("0000052e"), AS_DIALECT_AD, 0x52e},
    {"80090308: LdapErr: DSID-0C090446, comment: AcceptSecurityContext error, data 775, v3839", AS_DIALECT_AD, 0x775},
    {"80090308: LdapErr: DSID-0C090449, comment: AcceptSecurityContext error, data 533, v4f7c", AS_DIALECT_AD, 0x533},
    {"8009030C: LdapErr: DSID-0C0906B0, comment: AcceptSecurityContext error, data 773, v4563", AS_DIALECT_AD, 0x773},
    {"80090308: LDAPERR: DSID-0C090334, COMMENT: ACCEPTSECURITYCONTEXT ERROR, DATA 701, VECE", AS_DIALECT_AD, 0x701},
    {"acceptsecuritycontext error, data\t\t530", AS_DIALECT_AD, 0x530},
    {"AcceptSecurityContext error, data 531\n", AS_DIALECT_AD, 0x531},
    {"no data here, data lost, data 52e, v1", AS_DIALECT_AD, 0x52e},
    {AD("7fffffff"), AS_DIALECT_AD, 0x7fffffff},
    {AD("80000000"), AS_DIALECT_NONE, 0},
    {AD("ffffffffffffffffffffffffffffffff52e"), AS_DIALECT_NONE, 0},
    {AD("52g"), AS_DIALECT_NONE, 0},
    {AD("0x52e"), AS_DIALECT_NONE, 0},
    {AD("-52e"), AS_DIALECT_NONE, 0},
    {AD(""), AS_DIALECT_NONE, 0},
    {AD("0"), AS_DIALECT_NONE, 0},
    {"data52e", AS_DIALECT_NONE, 0},
    {"metadata 52e, v1", AS_DIALECT_NONE, 0},
    {"no data dead or alive", AS_DIALECT_NONE, 0},
    {"data", AS_DIALECT_NONE, 0},
    {"data ", AS_DIALECT_NONE, 0},
    {"0000208D: NameErr: DSID-03100245, problem 2001 (NO_OBJECT), data 0, best match of: ''", AS_DIALECT_NONE, 0},
    {"000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful bind must be "
     "completed on the connection., data 0, v3839",
     AS_DIALECT_TRANSPORT, 0},
    {"00002028: LdapErr: DSID-0C090202, comment: The server requires binds to turn on integrity checking if SSL\\TLS "
     "are not already active on the connection, data 0, v1db1",
     AS_DIALECT_TRANSPORT, 0},
    {"00000000: LdapErr: DSID-0C091128, comment: Error initializing SSL/TLS, data 0, v3839", AS_DIALECT_TRANSPORT, 0},
    /* eDirectory */
    {"NDS error: failed authentication (-669)", AS_DIALECT_NDS, -669},
    {"NDS error: bad password (-222)", AS_DIALECT_NDS, -222},
    {"NDS error: maximum logins exceeded or Q stn not server (-217)", AS_DIALECT_NDS, -217},
    {"nds ERROR: login lockout (-197)", AS_DIALECT_NDS, -197},
    {"NDS error: no additional information available (-16049)", AS_DIALECT_NDS, -16049},
    {"NDS error: (a) (-) (-x) (-1x) (-601)", AS_DIALECT_NDS, -601},
    {"NDS error: failed authentication (669)", AS_DIALECT_NONE, 0},
    {"NDS error: failed authentication (-669", AS_DIALECT_NONE, 0},
    {"NDS error: failed authentication (-", AS_DIALECT_NONE, 0},
    {"NDS error: (-0)", AS_DIALECT_NONE, 0},
    {"NDS error: (-99999999999999999999999999)", AS_DIALECT_NONE, 0},
    {"(-669) NDS error:", AS_DIALECT_NONE, 0},
    {"error: failed authentication (-669)", AS_DIALECT_NONE, 0},
    /* 389 DS */
    {"password expired!", AS_DIALECT_389_EXPIRED, 0},
    {"Account inactivated. Contact system administrator.", AS_DIALECT_389_INACTIVATED, 0},
    {"Account inactivity limit exceeded. Contact system administrator to reset.", AS_DIALECT_389_IDLE, 0},
    {"Exceed password retry limit. Please try later.", AS_DIALECT_389_RETRY_LIMIT, 0},
    {"Exceed password retry limit. Contact system administrator to reset.", AS_DIALECT_389_RETRY_LIMIT, 0},
    {"TPR checking. Contact system administrator", AS_DIALECT_389_TPR, 0},
    {"ACCOUNT INACTIVATED.", AS_DIALECT_389_INACTIVATED, 0},
    {"password expired", AS_DIALECT_NONE, 0},
    {"Account inactiv", AS_DIALECT_NONE, 0},
    {"subaccount inactivated", AS_DIALECT_NONE, 0},
    /* about the connection */
    {"unwilling to perform simple authentication", AS_DIALECT_TRANSPORT, 0},
    {"Transport encryption required.", AS_DIALECT_TRANSPORT, 0},
    {"confidentiality required", AS_DIALECT_TRANSPORT, 0},
    {"stronger confidentiality required", AS_DIALECT_TRANSPORT, 0},
    {"Operation requires a secure connection.", AS_DIALECT_TRANSPORT, 0},
    {"StartTLS needed", AS_DIALECT_TRANSPORT, 0},
    {"unauthenticated bind (DN with no password) disallowed", AS_DIALECT_TRANSPORT, 0},
    {"Unauthenticated binds are not allowed", AS_DIALECT_TRANSPORT, 0},
    {"endlessly useless", AS_DIALECT_NONE, 0},
    {"a hustlsman", AS_DIALECT_NONE, 0},
    {"rebinding", AS_DIALECT_NONE, 0},
    /* octets that match nothing */
    {"AcceptSecurityContext error, d\xc3\xa1ta 52e", AS_DIALECT_NONE, 0},
    {"pass\xffword expired!", AS_DIALECT_NONE, 0},
    {"\xd4\xb1\xc4\xb0ssl", AS_DIALECT_TRANSPORT, 0},
    {"data 5\x7f"
     "2e",
     AS_DIALECT_AD, 5},
    {"pass\rword\nexpired!", AS_DIALECT_NONE, 0},
};

static void check(const char *text, size_t length, as_dialect dialect, long number)
{
    guarded copy = guarded_copy(text, length);
    as_diagnostic found = as_diagnostic_read(copy.at, length);
    if (found.dialect != dialect || found.number != number) {
        fail_msg("\"%.200s\": dialect %d, number %ld", text, (int)found.dialect, found.number);
    }
    guarded_free(&copy);
}

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        check(texts[i].text, strlen(texts[i].text), texts[i].dialect, texts[i].number);
    }
}

/* Cut off anywhere, a text is read to its end and no further. */
static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t length = 0; length < strlen(texts[i].text); length++) {
            guarded copy = guarded_copy(texts[i].text, length);
            as_diagnostic_read(copy.at, length);
            guarded_free(&copy);
        }
    }
}

static void test_nul(void **state)
{
    (void)state;
    static const char within[] = "Acc\0ount inactivated";
    static const char before[] = "\0\0data 52e, v1";
    static const char behind[] = "data 52e\0";
    static const char number[] = "NDS error: (-6\0009)";
    check(within, sizeof within - 1, AS_DIALECT_NONE, 0);
    check(before, sizeof before - 1, AS_DIALECT_AD, 0x52e);
    check(behind, sizeof behind, AS_DIALECT_AD, 0x52e);
    check(number, sizeof number - 1, AS_DIALECT_NONE, 0);
}

/* The first 4 KiB count; what begins in them must end in them. */
static void test_long_texts(void **state)
{
    (void)state;
    static char text[65536];
    memset(text, ' ', sizeof text);
    memcpy(text + 4096 - 8, "data 52e", 8);
    check(text, sizeof text, AS_DIALECT_AD, 0x52e);
    memcpy(text + 4096, "0", 1);
    check(text, sizeof text, AS_DIALECT_NONE, 0);
    memset(text, ' ', sizeof text);
    memcpy(text + 4096, "data 52e", 8);
    check(text, sizeof text, AS_DIALECT_NONE, 0);
    memset(text, 'd', sizeof text);
    check(text, sizeof text, AS_DIALECT_NONE, 0);
    for (size_t i = 0; i + 5 <= sizeof text; i += 5) {
        memcpy(text + i, "data ", 5);
    }
    check(text, sizeof text, AS_DIALECT_NONE, 0);
    memcpy(text, "NDS error: ", 11);
    memset(text + 11, '(', sizeof text - 11);
    check(text, sizeof text, AS_DIALECT_NONE, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_long_texts),
    };
    return cmocka_run_group_tests_name("diagnostic", tests, NULL, NULL);
}
