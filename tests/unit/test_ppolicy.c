/* SPDX-License-Identifier: Apache-2.0 */
#include "guard_page.h"

#include "authstatus/ppolicy.h"

#define NONE AS_PPOLICY_NO_ERROR
#define NOT_SENT (-1L)

typedef struct value_row {
    const char *hex;
    bool valid;
    long expires_in;
    long grace_logins;
    int error;
} value_row;

static const value_row values[] = {
    /* as real servers send them */
    {"3000", true, NOT_SENT, NOT_SENT, NONE},
    {"3003810100", true, NOT_SENT, NOT_SENT, AS_PPOLICY_PASSWORD_EXPIRED},
    {"3003810101", true, NOT_SENT, NOT_SENT, AS_PPOLICY_ACCOUNT_LOCKED},
    {"3003810102", true, NOT_SENT, NOT_SENT, AS_PPOLICY_CHANGE_AFTER_RESET},
    {"3003810109", true, NOT_SENT, NOT_SENT, AS_PPOLICY_PASSWORD_TOO_LONG},
    {"3005a003810102", true, NOT_SENT, 2, NONE},
    {"3005a003810100", true, NOT_SENT, 0, NONE},
    {"3007a005800303f480", true, 259200, NOT_SENT, NONE},
    {"3008a003800100810102", true, 0, NOT_SENT, AS_PPOLICY_CHANGE_AFTER_RESET},
    {"308400000003810101", true, NOT_SENT, NOT_SENT, AS_PPOLICY_ACCOUNT_LOCKED},
    {"308400000009a08400000003810102", true, NOT_SENT, 2, NONE},
    {"30840000000ea084000000058003093a80810102", true, 604800, NOT_SENT, AS_PPOLICY_CHANGE_AFTER_RESET},
    /* other lengths that BER allows */
    {"308103810101", true, NOT_SENT, NOT_SENT, AS_PPOLICY_ACCOUNT_LOCKED},
    {"30820004a0820000", false, 0, 0, 0},
    {"3083000003810101", true, NOT_SENT, NOT_SENT, AS_PPOLICY_ACCOUNT_LOCKED},
    {"30048181010181", false, 0, 0, 0},
    {"300481810101", true, NOT_SENT, NOT_SENT, AS_PPOLICY_ACCOUNT_LOCKED},
    /* integers at their ends: 0, 2147483647, negative, beyond, none */
    {"3008a00680047fffffff", true, 2147483647, NOT_SENT, NONE},
    {"3008a006800400000001", true, 1, NOT_SENT, NONE},
    {"3008a006800480000000", false, 0, 0, 0},
    {"3009a0078005007fffffff", false, 0, 0, 0},
    {"3009a0078005ffffffffff", false, 0, 0, 0},
    {"3005a0038001ff", false, 0, 0, 0},
    {"3005a0038101ff", false, 0, 0, 0},
    {"3004a0028000", false, 0, 0, 0},
    {"30028100", false, 0, 0, 0},
    {"300381010a", false, 0, 0, 0},
    {"30038101ff", false, 0, 0, 0},
    {"30068104000000ff", false, 0, 0, 0},
    {"30078105000000000100", false, 0, 0, 0},
    /* lengths that lie, or are indefinite, or reserved */
    {"", false, 0, 0, 0},
    {"30", false, 0, 0, 0},
    {"3001", false, 0, 0, 0},
    {"3004810101", false, 0, 0, 0},
    {"3003810201", false, 0, 0, 0},
    {"30038101", false, 0, 0, 0},
    {"3005a004810102", false, 0, 0, 0},
    {"3005a0038102ff", false, 0, 0, 0},
    {"30847fffffff810101", false, 0, 0, 0},
    {"3084ffffffff810101", false, 0, 0, 0},
    {"308500000000038101", false, 0, 0, 0},
    {"30850000000003810101", false, 0, 0, 0},
    {"3088ffffffffffffffff810101", false, 0, 0, 0},
    {"3081", false, 0, 0, 0},
    {"308400", false, 0, 0, 0},
    {"30808101010000", false, 0, 0, 0},
    {"30ff", false, 0, 0, 0},
    /* octets behind the end, on each level */
    {"300000", false, 0, 0, 0},
    {"300381010100", false, 0, 0, 0},
    {"3006a003810102ff", false, 0, 0, 0},
    {"3006a0048101020030", false, 0, 0, 0},
    {"3006a00481010200", false, 0, 0, 0},
    /* other elements, twice the same, the wrong order, an empty choice, nested sequences */
    {"3002a000", false, 0, 0, 0},
    {"3006810101810101", false, 0, 0, 0},
    {"300aa003810102a003810101", false, 0, 0, 0},
    {"3008810102a003810102", false, 0, 0, 0},
    {"3008a006800101810101", false, 0, 0, 0},
    {"3007a0058000810102", false, 0, 0, 0},
    {"3008a006800180810102", false, 0, 0, 0},
    {"3005a003820101", false, 0, 0, 0},
    {"3003820101", false, 0, 0, 0},
    {"30053003810101", false, 0, 0, 0},
    {"3007a105800303f480", false, 0, 0, 0},
    {"30073005a003810102", false, 0, 0, 0},
    {"3007a005a003810102", false, 0, 0, 0},
    {"3103810101", false, 0, 0, 0},
    {"30030a0101", false, 0, 0, 0},
    {"810101", false, 0, 0, 0},
};

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const value_row *row = &values[i];
        guarded value = guarded_hex(row->hex);
        as_ppolicy out = {.expires_in = 77, .grace_logins = 78, .error = AS_PPOLICY_PASSWORD_TOO_YOUNG};
        bool valid = as_ppolicy_parse((const unsigned char *)value.at, value.length, &out);
        if (valid != row->valid) {
            fail_msg("%s: valid is %d", row->hex, valid);
        }
        assert_int_equal(out.expires_in, valid ? row->expires_in : 77);
        assert_int_equal(out.grace_logins, valid ? row->grace_logins : 78);
        assert_int_equal(out.error, valid ? row->error : AS_PPOLICY_PASSWORD_TOO_YOUNG);
        guarded_free(&value);
    }
}

/* Every prefix of a value is none, and no change of one octet is read beyond the end. */
static void test_prefixes_and_changes(void **state)
{
    (void)state;
    guarded whole = guarded_hex("30840000000ea084000000058003093a80810102");
    for (size_t length = 0; length < whole.length; length++) {
        guarded prefix = guarded_copy(whole.at, length);
        as_ppolicy out = {.expires_in = -1};
        assert_false(as_ppolicy_parse((const unsigned char *)prefix.at, length, &out));
        guarded_free(&prefix);
    }
    for (size_t at = 0; at < whole.length; at++) {
        char kept = whole.at[at];
        for (int octet = 0; octet < 256; octet++) {
            as_ppolicy out = {.expires_in = -1};
            whole.at[at] = (char)octet;
            as_ppolicy_parse((const unsigned char *)whole.at, whole.length, &out);
        }
        whole.at[at] = kept;
    }
    guarded_free(&whole);
}

/* Deep nesting costs no stack: nothing recurses. */
static void test_nested(void **state)
{
    (void)state;
    static unsigned char deep[65536];
    for (size_t i = 0; i + 1 < sizeof deep; i += 2) {
        deep[i] = 0x30;
        deep[i + 1] = 0x7f;
    }
    as_ppolicy out = {.expires_in = -1};
    assert_false(as_ppolicy_parse(deep, sizeof deep, &out));
}

typedef struct controls_row {
    const char *name;
    struct {
        const char *oid;
        const char *hex; /* NULL: no value */
    } controls[3];
    as_ppolicy expected;
} controls_row;

static const controls_row control_rows[] = {
    {"none", {{NULL, NULL}}, {.expires_in = -1, .grace_logins = -1, .error = NONE}},
    {"unknown ones",
     {{"1.2.3", "3000"}, {"1.2.3", NULL}, {"1.3.6.1.4.1.42.2.27.8.5.10", "ff"}},
     {.expires_in = -1, .grace_logins = -1, .error = NONE}},
    {"empty policy",
     {{AS_OID_PPOLICY, "3000"}},
     {.present = true, .expires_in = -1, .grace_logins = -1, .error = NONE}},
    {"grace and Netscape's expired",
     {{AS_OID_PPOLICY, "3005a003810102"}, {AS_OID_NETSCAPE_EXPIRED, "30"}},
     {.present = true, .netscape_expired = true, .expires_in = -1, .grace_logins = 2, .error = NONE}},
    {"grace and Netscape's expiring",
     {{AS_OID_NETSCAPE_EXPIRING, "363030"}, {AS_OID_PPOLICY, "3005a003810102"}},
     {.present = true, .expires_in = 600, .grace_logins = 2, .error = NONE}},
    {"the policy's time goes before Netscape's, in this order",
     {{AS_OID_PPOLICY, "3007a005800303f480"}, {AS_OID_NETSCAPE_EXPIRING, "363030"}},
     {.present = true, .expires_in = 259200, .grace_logins = -1, .error = NONE}},
    {"and in that",
     {{AS_OID_NETSCAPE_EXPIRING, "363030"}, {AS_OID_PPOLICY, "3007a005800303f480"}},
     {.present = true, .expires_in = 259200, .grace_logins = -1, .error = NONE}},
    {"expiring now", {{AS_OID_NETSCAPE_EXPIRING, "30"}}, {.expires_in = 0, .grace_logins = -1, .error = NONE}},
    {"the largest time",
     {{AS_OID_NETSCAPE_EXPIRING, "32313437343833363437"}},
     {.expires_in = 2147483647, .grace_logins = -1, .error = NONE}},
    {"expired without a value",
     {{AS_OID_NETSCAPE_EXPIRED, NULL}},
     {.netscape_expired = true, .expires_in = -1, .grace_logins = -1, .error = NONE}},
};

static const controls_row contradictory_rows[] = {
    {"policy without a value", {{AS_OID_PPOLICY, NULL}}, {.present = true}},
    {"policy with an empty value", {{AS_OID_PPOLICY, ""}}, {.present = true}},
    {"policy that does not parse", {{AS_OID_PPOLICY, "30ff"}}, {.present = true}},
    {"two policies, equal", {{AS_OID_PPOLICY, "3000"}, {AS_OID_PPOLICY, "3000"}}, {.present = true}},
    {"two policies, the second bad", {{AS_OID_PPOLICY, "3000"}, {AS_OID_PPOLICY, "30"}}, {.present = true}},
    {"two policies, the first bad", {{AS_OID_PPOLICY, "30"}, {AS_OID_PPOLICY, "3000"}}, {.present = true}},
    {"two expired", {{AS_OID_NETSCAPE_EXPIRED, "30"}, {AS_OID_NETSCAPE_EXPIRED, "30"}}, {.netscape_expired = true}},
    {"two expiring", {{AS_OID_NETSCAPE_EXPIRING, "30"}, {AS_OID_NETSCAPE_EXPIRING, "30"}}, {.present = false}},
    {"expiring without a value", {{AS_OID_NETSCAPE_EXPIRING, NULL}}, {.present = false}},
    {"expiring, empty", {{AS_OID_NETSCAPE_EXPIRING, ""}}, {.present = false}},
    {"expiring, negative", {{AS_OID_NETSCAPE_EXPIRING, "2d31"}}, {.present = false}},
    {"expiring, too large", {{AS_OID_NETSCAPE_EXPIRING, "32313437343833363438"}}, {.present = false}},
    {"expiring, huge",
     {{AS_OID_NETSCAPE_EXPIRING, "393939393939393939393939393939393939393939393939"}},
     {.present = false}},
    {"expiring, with a NUL", {{AS_OID_NETSCAPE_EXPIRING, "3100"}}, {.present = false}},
    {"expiring, no number", {{AS_OID_NETSCAPE_EXPIRING, "736f6f6e"}}, {.present = false}},
};

static as_ppolicy read_row(const controls_row *row)
{
    guarded values_of[3];
    as_control controls[3];
    size_t count = 0;
    for (; count < 3 && row->controls[count].oid != NULL; count++) {
        const char *hex = row->controls[count].hex;
        values_of[count] = guarded_hex(hex == NULL ? "" : hex);
        controls[count].oid = row->controls[count].oid;
        controls[count].value = hex == NULL ? NULL : (const unsigned char *)values_of[count].at;
        controls[count].length = values_of[count].length;
    }
    as_ppolicy found = as_ppolicy_read(controls, count);
    while (count > 0) {
        guarded_free(&values_of[--count]);
    }
    return found;
}

static void test_controls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof control_rows / sizeof control_rows[0]; i++) {
        const controls_row *row = &control_rows[i];
        as_ppolicy found = read_row(row);
        if (found.contradictory || found.present != row->expected.present ||
            found.netscape_expired != row->expected.netscape_expired || found.expires_in != row->expected.expires_in ||
            found.grace_logins != row->expected.grace_logins || found.error != row->expected.error) {
            fail_msg("%s: contradictory %d, present %d, expired %d, expires %ld, grace %ld, error %d", row->name,
                     found.contradictory, found.present, found.netscape_expired, found.expires_in, found.grace_logins,
                     (int)found.error);
        }
    }
}

static void test_contradictory(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof contradictory_rows / sizeof contradictory_rows[0]; i++) {
        const controls_row *row = &contradictory_rows[i];
        as_ppolicy found = read_row(row);
        if (!found.contradictory || found.present != row->expected.present ||
            found.netscape_expired != row->expected.netscape_expired) {
            fail_msg("%s: contradictory %d, present %d, expired %d", row->name, found.contradictory, found.present,
                     found.netscape_expired);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),   cmocka_unit_test(test_prefixes_and_changes), cmocka_unit_test(test_nested),
        cmocka_unit_test(test_controls), cmocka_unit_test(test_contradictory),
    };
    return cmocka_run_group_tests_name("ppolicy", tests, NULL, NULL);
}
