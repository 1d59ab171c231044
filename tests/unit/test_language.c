/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "authstatus/credentials.h"
#include "authstatus/language.h"
#include "within.h"

/* A text that no row translates is the English one. */
static void is_translated(const as_language *language, const char *what, const char *text, const char *english)
{
    if (language != as_language_get(0) && strcmp(text, english) == 0) {
        fail_msg("%s has no %s", language->tag, what);
    }
    /* UTF-8 without control characters, which a user name is to be as well; nothing that HTML or JSON would escape. */
    if (as_credentials_check(text, "x") != AS_OUTCOME_GRANTED || strpbrk(text, "<>&\"\\")) {
        fail_msg("%s: \"%s\" cannot stand in a page", language->tag, text);
    }
}

static void each_language_has_every_text(void **state)
{
    static const char *const phrases[] = {
#define AS_PHRASE_ID(id, text) #id,
#include "authstatus/language.def"
    };
    int count = 0;

    (void)state;
    for (const as_language *language; (language = as_language_get(count)); count++) {
        for (int i = 0; i < AS_OUTCOME_COUNT; i++) {
            is_translated(language, as_outcome_describe((as_outcome)i)->name,
                          as_language_get_sentence(language, (as_outcome)i),
                          as_language_get_sentence(as_language_get(0), (as_outcome)i));
        }
        for (int i = 0; i < AS_PHRASE_COUNT; i++) {
            is_translated(language, phrases[i], as_language_get_phrase(language, (as_phrase)i),
                          as_language_get_phrase(as_language_get(0), (as_phrase)i));
        }
        assert_true(!strcmp(language->direction, "ltr") || !strcmp(language->direction, "rtl"));
    }
    assert_int_equal(count, 10);
}

static void outcomes_not_distinguished_have_one_sentence(void **state)
{
    (void)state;
    for (int i = 1; as_language_get(i); i++) {
        /* Outcomes that must not be distinguished have one sentence in each language. */
        assert_string_equal(as_language_get_sentence(as_language_get(i), AS_OUTCOME_DENIED),
                            as_language_get_sentence(as_language_get(i), AS_OUTCOME_WRONG_PASSWORD));
    }
}

static void the_best_is_found(void **state)
{
    static const struct {
        const char *field, *tag;
    } rows[] = {
        {NULL, "en"},
        {"", "en"},
        {"*", "en"},
        {"de", "de"},
        {"DE", "de"},
        {"de-AT", "de"},
        {"de-DE-1996", "de"},
        {"deu", "en"},
        {"d", "en"},
        {"pt", "pt-br"},
        {"pt-BR", "pt-br"},
        {"pt-PT", "en"},
        {"pt-PT, pt;q=0.9, en;q=0.8", "pt-br"},
        {"zh", "zh-cn"},
        {"zh-CN", "zh-cn"},
        {"zh-Hans", "zh-cn"},
        {"zh-Hans-CN;q=1, en;q=0.9", "zh-cn"},
        {"zh-SG", "zh-cn"},
        {"zh-Hant", "en"},
        {"zh-Hant-TW, ja;q=0.5", "ja"},
        {"zh-TW, zh;q=0.9, en;q=0.8", "zh-cn"},
        {"fr;q=0.5, *", "en"},
        {"fr, *;q=0.5", "fr"},
        {"*, fr", "fr"},
        {"en;q=0, *", "de"},
        {"*;q=0.5, en;q=0, de;q=0.1", "fr"},
        {"en;q=0.2, *;q=0.1", "en"},
        {"en, de, fr, es, it, nl, pt, pl, ja;q=0.4, zh;q=0.5, *", "en"},
        {"sv, *;q=0.5, ja;q=0.3", "en"},
        {"sv, *;q=0, ja;q=0.3", "ja"},
        {"**, ja;q=0.3", "ja"},
        {"fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "fr"},
        {"sv, de;q=0.5, ja;q=0.7", "ja"},
        {"en;q=0.5, de;q=0.5", "en"},
        {"de;q=0.5, en;q=0.5", "de"},
        {"de;q=0", "en"},
        {"de;q=0, fr;q=0.001", "fr"},
        {"de ; q=0.1 , fr ; q=0.2", "fr"},
        {"de;Q=0.1, fr;q=0.2", "fr"},
        {"de;q=1.5, fr", "de"},
        {"de;q=, fr;q=0.9", "de"},
        /* Refused by name: a wider range does not bring the language back, wherever it stands. */
        {"zh-CN;q=0, zh", "en"},
        {"zh, zh-CN;q=0", "en"},
        {"zh-CN;q=0, zh, ja;q=0.3", "ja"},
        {"zh-Hans;q=0, zh", "en"},
        {"zh-Hans-CN;q=0, zh", "en"},
        {"ZH-cn;q=0.000, zh, *", "en"},
        {"zh-CN;q=0, *;q=0.1, en;q=0", "de"},
        {"pt-BR;q=0, pt", "en"},
        {"pt-PT, pt;q=0.9, pt-BR;q=0, es;q=0.5", "es"},
        {"pt-BR;q=0.1, pt, fr;q=0.5", "fr"},
        {"de;q=0, de-AT, fr;q=0.5", "fr"},
        /* Other regions are refused, or the language but for this region. */
        {"zh-TW;q=0, zh", "zh-cn"},
        {"zh-Hant;q=0, zh", "zh-cn"},
        {"pt-PT;q=0, pt", "pt-br"},
        {"zh;q=0, zh-CN", "zh-cn"},
        {"pt-BR, pt;q=0", "pt-br"},
        {"de-AT;q=0, de", "de"},
        {"de-AT;q=0, en;q=0, *", "de"},
        {"de-AT, de;q=0.5, fr;q=0.7", "de"},
        {"sv,,,;;;q=,=;de", "en"},
        {",;,;-,--,*-*", "en"},
        {"-", "en"},
        {"de\x01", "de"},
        {"\xc3\xa4, de", "de"},
        {"d\xc3\xa4, pl", "pl"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const as_language *language = as_language_find(rows[i].field);

        if (strcmp(language->tag, rows[i].tag) != 0) {
            fail_msg("\"%s\": %s, not %s", rows[i].field ? rows[i].field : "NULL", language->tag, rows[i].tag);
        }
    }
}

/* Fields as long as httpd takes them (LimitRequestFieldSize), and ten times that. */
static void long_fields_are_read_to_the_end(void **state)
{
    static const char *const members[] = {"sv,",      "zh,",          "de;q=0,", "a-", ";", ",", "*-*;q=0.0000001,",
                                          "\xff\x7f", "pt-BR;q=0,pt,"};
    static char field[81920];

    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        for (size_t octets = 8190; octets < sizeof field; octets *= 9) {
            const size_t length = strlen(members[i]);
            char *exact;

            memset(field, ',', octets);
            for (size_t at = 0; at + length < octets - 16; at += length) {
                memcpy(field + at, members[i], length);
            }
            strcpy(field + octets - 16, ",ja;q=0.9,,;q=0");
            /* A copy of exactly its size, for the sanitizers. */
            exact = test_malloc(octets);
            strcpy(exact, field);
            assert_string_equal(as_language_find(exact)->tag, strcmp(members[i], "zh,") == 0 ? "zh-cn" : "ja");
            test_free(exact);
        }
    }
}

static void junk_finds_a_language(void **state)
{
    static const char signs[] = "aehnprtzDEZ--,,,;;qQ==0019.* \t\x01\xc3";
    uint32_t random = 1;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        char field[256];
        size_t length;

        random = random * 1664525 + 1013904223;
        length = random >> 24;
        for (size_t at = 0; at < length; at++) {
            random = random * 1664525 + 1013904223;
            field[at] = signs[(random >> 16) % (sizeof signs - 1)];
        }
        field[length] = '\0';
        assert_non_null(as_language_find(field)->tag);
    }
}

static void each_class_has_a_page(void **state)
{
    (void)state;
    assert_int_equal(as_phrase_find_title(AS_CLASS_GRANTED), AS_PHRASE_COUNT);
    assert_int_equal(as_phrase_find_advice(AS_CLASS_GRANTED), AS_PHRASE_COUNT);
    assert_int_equal(as_phrase_find_title(AS_CLASS_UNAVAILABLE), AS_PHRASE_TITLE_UNAVAILABLE);
    assert_int_equal(as_phrase_find_advice(AS_CLASS_MISCONFIGURED), AS_PHRASE_DO_MISCONFIGURED);
    for (int i = AS_CLASS_GRANTED + 1; i < AS_CLASS_COUNT; i++) {
        assert_within(as_phrase_find_title((as_class)i), 0, AS_PHRASE_DO_UNAUTHENTICATED - 1);
        assert_within(as_phrase_find_advice((as_class)i), AS_PHRASE_DO_UNAUTHENTICATED, AS_PHRASE_DO_MISCONFIGURED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_language_has_every_text),
        cmocka_unit_test(outcomes_not_distinguished_have_one_sentence),
        cmocka_unit_test(the_best_is_found),
        cmocka_unit_test(long_fields_are_read_to_the_end),
        cmocka_unit_test(junk_finds_a_language),
        cmocka_unit_test(each_class_has_a_page),
    };

    return cmocka_run_group_tests_name("language", tests, NULL, NULL);
}
