/* SPDX-License-Identifier: Apache-2.0 */
#include "guard_page.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "authstatus/decoy_name.h"

#define SIZE 4096

static unsigned char secret[AS_DECOY_SECRET];

static int draw_secret(void **state)
{
    unsigned random = 7;

    (void)state;
    for (size_t i = 0; i < sizeof secret; i++) {
        random = random * 1103515245U + 12345U;
        secret[i] = (unsigned char)(random >> 16);
    }
    return 0;
}

static as_decoy_name name_of(const char *segment, as_decoy_shape shape)
{
    as_decoy_name name;

    as_decoy_name_make(&name, segment, strlen(segment), shape, &(as_decoy_draw){secret, 0, AS_DECOY_PROBABLE});
    return name;
}

static const char *written(const as_decoy_name *name)
{
    static char text[AS_DECOY_TEXT_MAX];

    as_decoy_name_write(name, text);
    return text;
}

static const char *undone(const as_decoy_name *name, const char *text)
{
    static char out[4 * SIZE];
    guarded copy = guarded_copy(text, strlen(text) + 1);

    assert_true(as_decoy_name_undo(name, copy.at, out, sizeof out) < sizeof out);
    guarded_free(&copy);
    return out;
}

/* ---- the shape ---- */

/* One letter for each class of octets. */
static const char *shape_of(const char *text)
{
    static char shape[SIZE];
    size_t i;

    for (i = 0; text[i] != '\0'; i++) {
        shape[i] = (char)(isdigit((unsigned char)text[i])   ? '9'
                          : isupper((unsigned char)text[i]) ? 'A'
                          : islower((unsigned char)text[i]) ? 'a'
                                                            : text[i]);
    }
    shape[i] = '\0';
    return shape;
}

static void a_name_has_the_shape_of_its_segment(void **state)
{
    static const char *const alike[] = {"page",        "Secret",      "docs2024",    "20240131", "UPPER_lower-1",
                                        "some%20file", "%D0%A1file",  "a.b.c.d.e-f", "x~yz$w,v", "%7bword%7d",
                                        "file(1)name", "tarball.tgz", "caf%C3%a9s",  "%2eword",  "zzzz"};

    (void)state;
    for (size_t i = 0; i < sizeof alike / sizeof alike[0]; i++) {
        as_decoy_name name = name_of(alike[i], AS_DECOY_ALIKE);
        char shape[SIZE];

        strcpy(shape, shape_of(alike[i]));
        assert_string_not_equal(written(&name), alike[i]);
        if (!strchr(alike[i], '%')) {
            assert_string_equal(shape_of(written(&name)), shape);
        }
        assert_int_equal(strlen(written(&name)), strlen(alike[i]));
    }
}

static void hexadecimal_numbers_stay_so(void **state)
{
    static const char *const numbers[] = {"0123456789abcdef", "550e8400-e29b-41d4-a716-446655440000", "DEADBEEF01"};

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        as_decoy_name name = name_of(numbers[i], AS_DECOY_ALIKE);

        assert_int_equal(strspn(written(&name), "0123456789abcdefABCDEF-"), strlen(numbers[i]));
    }
}

static void a_short_segment_has_a_longer_name(void **state)
{
    static const struct {
        const char *segment, *shape;
    } rows[] = {{"", "aaaa"},     {"a", "aaaa"},      {"AB", "AAaa"},           {"7", "9999999"}, {"2024", "9999999"},
                {"v2", "a99999"}, {"%20", "%99aaaa"}, {"%C3%A9", "%A9%A9aaaa"}, {"--", "--aaaa"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        as_decoy_name name = name_of(rows[i].segment, AS_DECOY_ALIKE);

        assert_string_equal(shape_of(written(&name)), rows[i].shape);
        assert_string_equal(undone(&name, written(&name)), rows[i].segment);
    }
}

static void a_plain_name_has_letters_alone(void **state)
{
    as_decoy_name name = name_of("server-1_2.key~", AS_DECOY_PLAIN);

    (void)state;
    assert_string_equal(shape_of(written(&name)), "aaaaaaaaaaaaaaa");
    assert_string_equal(undone(&name, written(&name)), "server-1_2.key~");
    name = name_of("a%20b+c.d", AS_DECOY_PLAIN);
    assert_string_equal(shape_of(written(&name)), "a%99a+aaa");
}

static void each_segment_of_a_tail_is_known_by_itself(void **state)
{
    static const struct {
        const char *tail, *alike, *plain;
    } rows[] = {{"2024/05/x", "9999999/9999999/aaaa", "aaaa/aaaa/aaaa"},
                {".a/.b", ".aaaa/.aaaa", "aaaa/aaaa"},
                {"Report/v2/a.html", "Aaaaaa/a99999/a.aaaa", "Aaaaaa/aaaa/aaaaaa"},
                {"a//b", "aaaa//aaaa", "aaaa//aaaa"}};
    char names[SIZE], segments[SIZE], *name_rest, *rest;

    (void)state;
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof rows[0]); i++) {
        as_decoy_name name = name_of(rows[i / 2].tail, i & 1 ? AS_DECOY_PLAIN : AS_DECOY_ALIKE);
        char *copy, *segment;

        assert_string_equal(shape_of(written(&name)), i & 1 ? rows[i / 2].plain : rows[i / 2].alike);
        assert_string_equal(undone(&name, written(&name)), rows[i / 2].tail);
        strcpy(names, written(&name));
        strcpy(segments, rows[i / 2].tail);
        copy = strtok_r(names, "/", &name_rest);
        segment = strtok_r(segments, "/", &rest);
        for (; copy && segment; copy = strtok_r(NULL, "/", &name_rest), segment = strtok_r(NULL, "/", &rest)) {
            assert_string_equal(undone(&name, copy), segment);
        }
        assert_true(!copy && !segment);
    }
}

static void attempts_differ(void **state)
{
    as_decoy_name one, other;
    char text[AS_DECOY_TEXT_MAX];

    (void)state;
    as_decoy_name_make(&one, "secret", 6, AS_DECOY_ALIKE, &(as_decoy_draw){secret, 0, AS_DECOY_PROBABLE});
    as_decoy_name_make(&other, "secret", 6, AS_DECOY_ALIKE, &(as_decoy_draw){secret, 1, AS_DECOY_PROBABLE});
    strcpy(text, written(&one));
    assert_false(as_decoy_name_is_in(&other, text));
    as_decoy_name_make(&one, "secret", 6, AS_DECOY_ALIKE, &(as_decoy_draw){secret, 4, AS_DECOY_CERTAIN});
    assert_int_equal(strlen(written(&one)), 12);
    assert_string_equal(undone(&one, written(&one)), "secret");
}

/* ---- copies ---- */

static void encode(const char *text, bool all, const char *digits, char *out)
{
    for (; *text != '\0'; text++) {
        const unsigned char octet = (unsigned char)*text;
        if (isalnum(octet) || (!all && octet < 128 && octet != ' ' && octet != '%')) {
            *out++ = *text;
        } else {
            *out++ = '%';
            *out++ = digits[octet >> 4];
            *out++ = digits[octet & 15];
        }
    }
    *out = '\0';
}

static void decode(const char *text, char *out)
{
    unsigned octet;

    for (; *text != '\0'; text++) {
        if (*text == '%' && sscanf(text + 1, "%2x", &octet) == 1) {
            *out++ = (char)octet;
            text += 2;
        } else {
            *out++ = *text;
        }
    }
    *out = '\0';
}

/* What modules do with what they copy. */
static void transform(int number, const char *text, char *out)
{
    char plain[SIZE], once[SIZE];
    size_t i;

    decode(text, plain);
    switch (number) {
    case 0:
        strcpy(out, text);
        break;
    case 1:
        strcpy(out, plain);
        break;
    case 2:
        encode(plain, false, "0123456789abcdef", out);
        break;
    case 3:
        encode(plain, true, "0123456789ABCDEF", out);
        break;
    case 4:
        encode(plain, true, "0123456789ABCDEF", once);
        encode(once, true, "0123456789ABCDEF", out);
        break;
    default:
        for (i = 0; plain[i] != '\0'; i++) {
            out[i] = (char)(number == 5 ? toupper((unsigned char)plain[i]) : tolower((unsigned char)plain[i]));
        }
        out[i] = '\0';
    }
}

#define TRANSFORMS 7

static void copies_are_undone_whatever_was_done_to_them(void **state)
{
    static const char octets[] = "abcxyzABCXYZ0123456789abcxyz-._~$%+ \xc3\xa9\x80\xff";
    char segment[SIZE], decoded[SIZE], copy[SIZE], expected[SIZE], text[4 * SIZE], want[4 * SIZE];
    unsigned random = 1;

    (void)state;
    for (int n = 0; n < 4000; n++) {
        as_decoy_name name;
        size_t length = 0, i;

        random = random * 1103515245U + 12345U;
        for (i = 0; i < 1 + (random >> 16) % 20; i++) {
            unsigned more = random = random * 1103515245U + 12345U;
            decoded[length++] = octets[(more >> 16) % (sizeof octets - 1)];
        }
        decoded[length] = '\0';
        encode(decoded, false, n & 2 ? "0123456789abcdef" : "0123456789ABCDEF", segment);
        name = name_of(segment, n & 1 ? AS_DECOY_PLAIN : AS_DECOY_ALIKE);
        for (int number = 0; number < TRANSFORMS; number++) {
            if (number > 1 && n & 1 && number != 5 && number != 6) {
                continue; /* Whether a replacement of punctuation would be encoded is unknown. */
            }
            transform(number, written(&name), copy);
            transform(number, segment, expected);
            snprintf(text, sizeof text, "<%s|/%s?x=%s>", copy, copy, copy);
            snprintf(want, sizeof want, "<%s|/%s?x=%s>", expected, expected, expected);
            assert_string_equal(undone(&name, text), want);
            assert_true(as_decoy_name_is_in(&name, text));
        }
    }
}

static void parts_are_undone(void **state)
{
    static const char segment[] = "Quarterly-Report2024";
    as_decoy_name name = name_of(segment, AS_DECOY_ALIKE);
    char copy[SIZE], expected[SIZE];

    (void)state;
    for (size_t from = 0; from + 4 <= strlen(segment); from++) {
        for (size_t length = 4; from + length <= strlen(segment); length++) {
            int letters = 0, digits = 0;

            snprintf(copy, sizeof copy, "[%.*s]", (int)length, written(&name) + from);
            snprintf(expected, sizeof expected, "[%.*s]", (int)length, segment + from);
            for (size_t i = from; i < from + length; i++) {
                letters += isalpha((unsigned char)segment[i]) != 0;
                digits += isdigit((unsigned char)segment[i]) != 0;
            }
            if (5 * letters + 3 * digits >= AS_DECOY_PROBABLE) {
                assert_string_equal(undone(&name, copy), expected);
            } else {
                assert_string_equal(undone(&name, copy), copy);
            }
        }
    }
}

static void a_long_segment(void **state)
{
    char segment[SIZE];
    as_decoy_name name;

    (void)state;
    memset(segment, 'n', 3900);
    segment[3900] = '\0';
    name = name_of(segment, AS_DECOY_ALIKE);
    assert_true(strlen(written(&name)) <= AS_DECOY_OCTETS_MAX);
    assert_string_equal(undone(&name, written(&name)), segment);
    /* The same of a tail, of each number of octets in its last segment. */
    for (size_t length = 1; length < 3900; length += length < 800 ? 1 : 97) {
        for (size_t i = 0; i < length; i++) {
            segment[i] = (char)(i % 3 == 1 ? '/' : '1');
        }
        segment[length] = '\0';
        name = name_of(segment, length & 1 ? AS_DECOY_PLAIN : AS_DECOY_ALIKE);
        assert_true(name.count <= AS_DECOY_OCTETS_MAX);
        assert_string_equal(undone(&name, written(&name)), segment);
    }
}

static void what_is_no_copy(void **state)
{
    as_decoy_name name = name_of("secret", AS_DECOY_ALIKE);
    static const char *const texts[] = {"",
                                        "s",
                                        "secret",
                                        "/usr/bin:/bin",
                                        "text/html; charset=UTF-8",
                                        "gzip, deflate",
                                        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(as_decoy_name_is_in(&name, texts[i]));
        assert_string_equal(undone(&name, texts[i]), texts[i]);
    }
    assert_int_equal(as_decoy_name_undo(&name, "0123456789", NULL, 0), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_the_shape_of_its_segment),
        cmocka_unit_test(hexadecimal_numbers_stay_so),
        cmocka_unit_test(a_short_segment_has_a_longer_name),
        cmocka_unit_test(a_plain_name_has_letters_alone),
        cmocka_unit_test(each_segment_of_a_tail_is_known_by_itself),
        cmocka_unit_test(attempts_differ),
        cmocka_unit_test(copies_are_undone_whatever_was_done_to_them),
        cmocka_unit_test(parts_are_undone),
        cmocka_unit_test(a_long_segment),
        cmocka_unit_test(what_is_no_copy),
    };

    return cmocka_run_group_tests(tests, draw_secret, NULL);
}
