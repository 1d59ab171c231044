/* SPDX-License-Identifier: Apache-2.0 */
#include "guard_page.h"

#include <stdlib.h>

#include "authstatus/stringprep.h"

typedef struct row {
    const char *name;
    const char *prepared; /* NULL: it is no UTF-8 */
} row;

static const row rows[] = {
    {"alice", "alice"},
    {"ALICE", "alice"},
    {"", ""},
    {"   ", ""},
    /* 2.6.1: insignificant spaces */
    {" ann lee", "ann lee"},
    {"ann   lee  ", "ann lee"},
    {"annlee", "annlee"},
    {"ann\tlee", "ann lee"},
    {"ann\r\n lee", "ann lee"},
    /* 2.2: spaces of all kinds, and what is mapped to nothing */
    {"alice\xc2\xa0", "alice"},
    {"alice\xc2\xa0\xc2\xa0\xc2\xa0", "alice"},
    {"\xe3\x80\x80"
     "alice\xe2\x80\x83",
     "alice"},
    {"ann\xe1\x9a\x80lee", "ann lee"},
    {"ann\xe2\x80\xa8lee", "ann lee"},
    {"al\xc2\xadice", "alice"},
    {"al\xe2\x80\x8bice", "alice"},
    {"al\xe2\x80\x8d\xef\xbb\xbfice", "alice"},
    {"al\x01ice\x7f", "alice"},
    {"al\xef\xb8\x8fice", "alice"},
    /* NFKC and case */
    {"\xef\xbd\x81\xef\xbd\x8c\xef\xbd\x89\xef\xbd\x83\xef\xbd\x85", "alice"},
    {"\xef\xbc\xa1\xef\xbc\xac\xef\xbc\xa9\xef\xbc\xa3\xef\xbc\xa5", "alice"},
    {"\xf0\x9d\x90\x80lice", "alice"},
    {"\xe2\x93\x90lice", "alice"},
    {"jos\xc3\xa9", "jos\xc3\xa9"},
    {"JOS\xc3\x89", "jos\xc3\xa9"},
    {"jose\xcc\x81", "jos\xc3\xa9"},
    {"\xef\xac\x81sh", "fish"},
    {"stra\xc3\x9f"
     "e",
     "strasse"},
    {"STRASSE", "strasse"},
    {"\xe2\x84\xaa", "k"},
    /* U+0130, which is "i" for some and "i" with a dot for others */
    {"al\xc4\xb0"
     "ce",
     "alice"},
    {"ALI\xcc\x87"
     "CE",
     "alice"},
    {"i\xcc\xa7\xcc\x87", "i\xcc\xa7"},
    {"\xc4\xb1", "\xc4\xb1"},
    {"c\xcc\x87", "\xc4\x8b"},
    {"\xce\xa3\xce\xaf\xcf\x83\xcf\x85\xcf\x86\xce\xbf\xcf\x82",
     "\xcf\x83\xce\xaf\xcf\x83\xcf\x85\xcf\x86\xce\xbf\xcf\x83"},
    /* other letters stay others */
    {"alic\xc3\xa9", "alic\xc3\xa9"},
    {"\xd0\xb0lice", "\xd0\xb0lice"},
    {"alice.", "alice."},
    {"a'lice", "a'lice"},
    /* no UTF-8 */
    {"al\xff", NULL},
    {"al\xc3", NULL},
    {"\xed\xa0\x80", NULL},
    {"\xc0\xaf", NULL},
};

static const char *prepare(const char *name, int32_t **work)
{
    const size_t length = strlen(name);

    *work = malloc(AS_STRINGPREP_WORK(length) * sizeof **work);
    assert_non_null(*work);
    return as_stringprep_prepare(name, length, *work);
}

static void names_are_prepared(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int32_t *work, *again;
        const char *prepared = prepare(rows[i].name, &work);

        if (!rows[i].prepared) {
            assert_null(prepared);
        } else {
            assert_non_null(prepared);
            assert_string_equal(prepared, rows[i].prepared);
            assert_string_equal(prepare(prepared, &again), rows[i].prepared);
            free(again);
        }
        free(work);
    }
}

/* Every code point fits into the memory that is requested, in any number, and prepares to what prepares to itself. */
static void every_code_point_fits(void **state)
{
    (void)state;
    for (int32_t code = 1; code < 0x110000; code++) {
        char name[3 * 4 + 1];
        int32_t work[AS_STRINGPREP_WORK(sizeof name)];
        size_t length = 0;

        for (int i = 0; i < 3; i++) {
            if (code < 0x80) {
                name[length++] = (char)code;
            } else if (code < 0x800) {
                name[length++] = (char)(0xc0 | code >> 6);
                name[length++] = (char)(0x80 | (code & 0x3f));
            } else if (code < 0x10000) {
                name[length++] = (char)(0xe0 | code >> 12);
                name[length++] = (char)(0x80 | (code >> 6 & 0x3f));
                name[length++] = (char)(0x80 | (code & 0x3f));
            } else {
                name[length++] = (char)(0xf0 | code >> 18);
                name[length++] = (char)(0x80 | (code >> 12 & 0x3f));
                name[length++] = (char)(0x80 | (code >> 6 & 0x3f));
                name[length++] = (char)(0x80 | (code & 0x3f));
            }
        }
        name[length] = '\0';
        if (code >= 0xd800 && code < 0xe000) {
            assert_null(as_stringprep_prepare(name, length, work));
        } else {
            assert_non_null(as_stringprep_prepare(name, length, work));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_prepared),
        cmocka_unit_test(every_code_point_fits),
    };

    return cmocka_run_group_tests_name("stringprep", tests, NULL, NULL);
}
