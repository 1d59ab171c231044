/* SPDX-License-Identifier: Apache-2.0
 *
 * A search request whose filter lost a part is distinguished from a whole one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/ldap/ldap_private.h"

/* Of the encoding of RFC 4511 4.5.1: (uid=ann), (objectClass=*), (cn=a*), (cn:=a). */
#define UID_ANN                                                                                                        \
    "\xa3\x0a\x04\x03uid\x04\x03"                                                                                      \
    "ann"
#define PRESENT "\x87\x0bobjectClass"
#define BEGINS                                                                                                         \
    "\xa4\x09\x04\x02"                                                                                                 \
    "cn\x30\x03\x80\x01"                                                                                               \
    "a"
#define EXTENSIBLE                                                                                                     \
    "\xa9\x07\x82\x02"                                                                                                 \
    "cn\x83\x01"                                                                                                       \
    "a"

static const char before[] = "\x04\x00\x0a\x01\x02\x0a\x01\x03\x02\x01\x02\x02\x01\x05\x01\x01\xff";
static const char after[] = "\x30\x05\x04\x03uid";

/* An LDAPMessage with a search for this filter. `long_form`: lengths as in 84 00 00 00 nn. */
static size_t encode(unsigned char *into, const char *filter, size_t length, bool long_form)
{
    const size_t head = long_form ? 6 : 2, request = sizeof(before) - 1 + length + sizeof(after) - 1;
    unsigned char *at = into;

    *at++ = 0x30;
    if (long_form) {
        memcpy(at, "\x84\0\0", 4);
        at += 4;
    }
    *at++ = (unsigned char)(3 + head + request);
    memcpy(at, "\x02\x01\x02\x63", 4);
    at += 4;
    if (long_form) {
        memcpy(at, "\x84\0\0", 4);
        at += 4;
    }
    *at++ = (unsigned char)request;
    memcpy(at, before, sizeof(before) - 1);
    at += sizeof(before) - 1;
    memcpy(at, filter, length);
    at += length;
    memcpy(at, after, sizeof(after) - 1);
    at += sizeof(after) - 1;
    return (size_t)(at - into);
}

typedef struct row {
    const char *text;
    const char *encoded;
    size_t length;
    bool whole;
} row;

#define ROW(text, encoded, whole)                                                                                      \
    {                                                                                                                  \
        text, encoded, sizeof(encoded) - 1, whole                                                                      \
    }

static const row rows[] = {
    ROW("(uid=ann)", UID_ANN, true),
    ROW("uid=ann", UID_ANN, true),
    ROW("(&(objectClass=*)(uid=ann))", "\xa0\x19" PRESENT UID_ANN, true),
    ROW("( & (objectClass=*) (uid=ann) )", "\xa0\x19" PRESENT UID_ANN, true),
    ROW("(&(objectClass=*)(uid=ann))", "\xa0\x0c" UID_ANN, false),
    ROW("(&(objectClass=*)(uid=ann))", "\xa0\x0d" PRESENT, false),
    ROW("(&(objectClass=*)(uid=ann))", "\xa0\x00", false),
    ROW("(uid=ann)", "\xa0\x00", false),
    ROW("(&(!(objectClass=*))(uid=ann))", "\xa0\x1b\xa2\x0d" PRESENT UID_ANN, true),
    ROW("(&(!(objectClass=*))(uid=ann))", "\xa0\x0e\xa2\x00" UID_ANN, false),
    ROW("(&(|(cn=a*)(cn:=a))(uid=ann))", "\xa0\x22\xa1\x14" BEGINS EXTENSIBLE UID_ANN, true),
    ROW("(&(|(cn=a*)(cn:=a))(uid=ann))", "\xa0\x17\xa1\x09" EXTENSIBLE UID_ANN, false),
    ROW("(&(|(cn=a*)(cn:=a))(uid=ann))", "\xa0\x0c" UID_ANN, false),
    ROW("(&)", "\xa0\x00", true),
    /* More than there should be is as wrong. */
    ROW("(uid=ann)", "\xa0\x19" PRESENT UID_ANN, false),
    /* A parenthesis in a value. */
    ROW("(uid=\\28ann)", UID_ANN, true),
    ROW("(uid=\\(ann)", UID_ANN, true),
};

static void test_rows(void **state)
{
    size_t i;
    int long_form;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (long_form = 0; long_form < 2; long_form++) {
            unsigned char message[256];
            size_t length = encode(message, rows[i].encoded, rows[i].length, long_form);

            if (as_filter_is_whole(message, length, rows[i].text) != rows[i].whole) {
                fail_msg("row %zu, %s", i, rows[i].text);
            }
        }
    }
}

/* What is cut, or no search, is not whole; and nothing is read beyond it. */
static void test_cut(void **state)
{
    static const char bind[] = "\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00";
    unsigned char message[256];
    size_t length = encode(message, "\xa0\x19" PRESENT UID_ANN, 27, false), cut;

    (void)state;
    assert_true(as_filter_is_whole(message, length, "(&(objectClass=*)(uid=ann))"));
    for (cut = 0; cut < length; cut++) {
        unsigned char *exact = test_malloc(cut ? cut : 1);

        memcpy(exact, message, cut);
        assert_false(as_filter_is_whole(exact, cut, "(&(objectClass=*)(uid=ann))"));
        test_free(exact);
    }
    assert_false(as_filter_is_whole((const unsigned char *)bind, sizeof(bind) - 1, "(uid=ann)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_cut)};

    return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
