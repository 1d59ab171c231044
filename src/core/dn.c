/* SPDX-License-Identifier: Apache-2.0
 *
 * Computes the normal form of a distinguished name (RFC 4514). Forms of older specifications are read too, as
 * directories do: spaces around separators, semicolons, "OID." before a number (RFC 2253 4). Quoted values are
 * refused.
 */
#include "authstatus/dn.h"

#include <string.h>

#include "dn_types.h"
#include "dn_writer.h"
#include "text.h"

#define PARTS_MAX 16 /* in one RDN */

static void put_octets(as_dn_writer *to, const char *octets, size_t length)
{
    size_t i;

    for (i = 0; i < length; i++) {
        as_dn_put(to, octets[i]);
    }
}

typedef struct reader {
    const char *text;
    size_t length, at;
    bool exactly;    /* values keep what some directory distinguishes: case of types that may have one, and spaces */
    bool keeps_case; /* of the type at hand */
} reader;

/* Returns the next octet without consuming it; -1 at the end. */
static int peek(const reader *from)
{
    return from->at < from->length ? (unsigned char)from->text[from->at] : -1;
}

static void skip_spaces(reader *from)
{
    while (peek(from) == ' ' || peek(from) == '\n') {
        from->at++;
    }
}

/* Returns the value of two hexadecimal digits at `at`; -1 if there are none. */
static int read_hex_pair(const reader *from, size_t at)
{
    int high, low;

    if (from->length < 2 || at > from->length - 2) {
        return -1;
    }
    high = as_text_get_hex_value(from->text[at]);
    low = as_text_get_hex_value(from->text[at + 1]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* ---- types ---- */

static bool is_number(const char *text, size_t length)
{
    bool digit_before = false;
    size_t i;

    for (i = 0; i < length; i++) {
        if (!as_text_is_digit(text[i]) && (text[i] != '.' || !digit_before)) {
            return false;
        }
        digit_before = text[i] != '.';
    }
    return digit_before && memchr(text, '.', length);
}

static bool is_word(const char *text, size_t length)
{
    size_t i;

    for (i = 0; i < length; i++) {
        if (!as_text_is_alnum(text[i]) && text[i] != '-') {
            return false;
        }
    }
    return length > 0 && !as_text_is_digit(text[0]) && text[0] != '-';
}

static void put_type(as_dn_writer *to, const char *text, size_t length)
{
    const char *name = as_dn_type_find(text, length);
    size_t i;

    if (name) {
        put_octets(to, name, strlen(name));
        return;
    }
    for (i = 0; i < length; i++) {
        as_dn_put(to, as_text_convert_to_lower(text[i]));
    }
}

static bool take_type(reader *from, as_dn_writer *to)
{
    const char *text = from->text + from->at;
    size_t begin = from->at, length;

    while (peek(from) >= 0 && (as_text_is_alnum((char)peek(from)) || peek(from) == '-' || peek(from) == '.')) {
        from->at++;
    }
    length = from->at - begin;
    if (length > 4 && as_text_is_lower(text, 4, "oid.")) {
        text += 4;
        length -= 4;
    }
    if (!is_number(text, length) && !is_word(text, length)) {
        from->at = begin;
        return false;
    }
    begin = to->used;
    put_type(to, text, length);
    from->keeps_case = from->exactly && !as_dn_type_is_caseless(to->at + begin, to->used - begin);
    return true;
}

/* ---- values ---- */

/* Folds a value octet by octet: omits leading spaces, and holds other spaces back until another octet follows. */
typedef struct folding {
    as_dn_writer *to;
    bool keeps_case;
    bool keeps_spaces; /* all but those that stand around the value without being a part of it */
    bool begun;
    size_t spaces; /* held back */
} folding;

static folding begin_folding(const reader *from, as_dn_writer *to)
{
    return (folding){.to = to, .keeps_case = from->keeps_case, .keeps_spaces = from->exactly};
}

static void put_escaped(as_dn_writer *to, unsigned char octet)
{
    static const char digits[] = "0123456789abcdef";

    as_dn_put(to, '\\');
    as_dn_put(to, digits[octet >> 4]);
    as_dn_put(to, digits[octet & 15]);
}

/* Adds an octet that is a part of the value. */
static void add(folding *value, unsigned char octet)
{
    for (; value->spaces > 0; value->spaces--) {
        as_dn_put(value->to, ' ');
    }
    value->begun = true;
    if (octet == ' ' || as_text_is_control((char)octet) || strchr("\"+,;<>=#\\", octet)) {
        put_escaped(value->to, octet);
    } else {
        as_dn_put(value->to, value->keeps_case ? (char)octet : as_text_convert_to_lower((char)octet));
    }
}

/* Adds an octet as it stands in the text. */
static void fold(folding *value, unsigned char octet)
{
    if (octet != ' ') {
        add(value, octet);
    } else if (value->begun && (value->keeps_spaces || value->spaces == 0)) {
        value->spaces++;
    }
}

/* Adds an octet that was escaped. Unless spaces are kept, an escaped space is one like any other. */
static void fold_escaped(folding *value, unsigned char octet)
{
    if (value->keeps_spaces) {
        add(value, octet);
    } else {
        fold(value, octet);
    }
}

/* Returns whether the hexadecimal BER at `at` is one string of `octets` octets with nothing after it. */
static bool is_string(const reader *from, size_t at, size_t octets)
{
    int tag = read_hex_pair(from, at), length = read_hex_pair(from, at + 2);

    return octets >= 2 && (tag == 0x0c || tag == 0x13 || tag == 0x16) && length >= 0 && length < 0x80 &&
           (size_t)length == octets - 2;
}

/* Reads "#" and BER: a string is folded like a literal value, any other type is copied unchanged. */
static bool take_hex(reader *from, as_dn_writer *to)
{
    folding value = begin_folding(from, to);
    size_t begin = from->at, octets = 0, i;

    while (read_hex_pair(from, begin + 2 * octets) >= 0) {
        octets++;
    }
    from->at = begin + 2 * octets;
    if (octets == 0) {
        return false;
    }
    if (is_string(from, begin, octets)) {
        for (i = 2; i < octets; i++) {
            fold_escaped(&value, (unsigned char)read_hex_pair(from, begin + 2 * i));
        }
        return true;
    }
    as_dn_put(to, '#');
    for (i = begin; i < from->at; i++) {
        as_dn_put(to, as_text_convert_to_lower(from->text[i]));
    }
    return true;
}

/* Reads a backslash and the character or the pair of digits that it escapes. */
static bool take_escape(reader *from, folding *value)
{
    int pair = read_hex_pair(from, from->at + 1);

    if (pair >= 0) {
        fold_escaped(value, (unsigned char)pair);
        from->at += 3;
        return true;
    }
    if (from->at + 1 < from->length && from->text[from->at + 1] != '\0' &&
        strchr("\"+,;<> #=\\", from->text[from->at + 1])) {
        fold_escaped(value, (unsigned char)from->text[from->at + 1]);
        from->at += 2;
        return true;
    }
    return false;
}

static bool ends_value(int octet)
{
    return octet < 0 || octet == ',' || octet == ';' || octet == '+';
}

static bool take_text(reader *from, as_dn_writer *to)
{
    folding value = begin_folding(from, to);
    int octet;

    while (octet = peek(from), !ends_value(octet)) {
        if (octet == '\\') {
            if (!take_escape(from, &value)) {
                return false;
            }
        } else if (octet == '\0' || octet == '"' || octet == '<' || octet == '>') {
            return false;
        } else {
            fold(&value, octet == '\n' ? ' ' : (unsigned char)octet);
            from->at++;
        }
    }
    return true;
}

static bool take_value(reader *from, as_dn_writer *to)
{
    skip_spaces(from);
    if (peek(from) != '#') {
        return take_text(from, to);
    }
    from->at++;
    if (!take_hex(from, to)) {
        return false;
    }
    skip_spaces(from);
    return ends_value(peek(from));
}

/* ---- RDNs ---- */

typedef struct part {
    const char *text;
    size_t length;
} part;

static bool is_before(const part *a, const part *b)
{
    size_t shorter = a->length < b->length ? a->length : b->length;
    int difference = memcmp(a->text, b->text, shorter);

    return difference < 0 || (difference == 0 && a->length < b->length);
}

/* Writes the parts in sorted order. */
static void put_sorted(as_dn_writer *to, part *parts, int count)
{
    int i, j;

    for (i = 0; i < count; i++) {
        part least = parts[i];

        for (j = i + 1; j < count; j++) {
            if (is_before(&parts[j], &least)) {
                part other = parts[j];
                parts[j] = least;
                least = other;
            }
        }
        if (i > 0) {
            as_dn_put(to, '+');
        }
        put_octets(to, least.text, least.length);
    }
}

static bool take_part(reader *from, as_dn_writer *to)
{
    skip_spaces(from);
    if (!take_type(from, to)) {
        return false;
    }
    skip_spaces(from);
    if (peek(from) != '=') {
        return false;
    }
    from->at++;
    as_dn_put(to, '=');
    return take_value(from, to);
}

static bool take_rdn(reader *from, as_dn_writer *to)
{
    char octets[AS_DN_MAX];
    as_dn_writer own = {.at = octets};
    part parts[PARTS_MAX];
    int count = 0;

    for (;;) {
        size_t begin = own.used;

        if (count == PARTS_MAX || !take_part(from, &own)) {
            return false;
        }
        parts[count].text = octets + begin;
        parts[count++].length = own.used - begin;
        if (peek(from) != '+') {
            break;
        }
        from->at++;
    }
    put_sorted(to, parts, count);
    return own.used < AS_DN_MAX;
}

static bool take_name(reader *from, as_dn_writer *to)
{
    skip_spaces(from);
    if (peek(from) < 0) {
        return true;
    }
    while (take_rdn(from, to)) {
        if (peek(from) < 0) {
            return true;
        }
        from->at++; /* "," or ";" */
        as_dn_put(to, ',');
    }
    return false;
}

static bool normalize(reader *from, char *normal)
{
    as_dn_writer to = {.at = normal};
    bool taken = from->length <= AS_DN_MAX && take_name(from, &to) && to.used < AS_DN_MAX;

    normal[taken ? to.used : 0] = '\0';
    return taken;
}

bool as_dn_normalize(const char *text, size_t length, char *normal, size_t *at)
{
    reader from = {.text = text, .length = length};
    bool taken = normalize(&from, normal);

    if (at) {
        *at = from.at;
    }
    return taken;
}

bool as_dn_normalize_exactly(const char *text, size_t length, char *normal)
{
    reader from = {.text = text, .length = length, .exactly = true};

    return normalize(&from, normal);
}

bool as_dn_is_surely_same(const char *a, const char *b)
{
    char first[AS_DN_MAX], second[AS_DN_MAX];

    return as_dn_normalize_exactly(a, strlen(a), first) && as_dn_normalize_exactly(b, strlen(b), second) &&
           strcmp(first, second) == 0;
}

bool as_dn_is_same(const char *a, const char *b)
{
    char first[AS_DN_MAX], second[AS_DN_MAX];

    return as_dn_normalize(a, strlen(a), first, NULL) && as_dn_normalize(b, strlen(b), second, NULL) &&
           strcmp(first, second) == 0;
}

bool as_dn_is_within(const char *normal, const char *normal_base)
{
    size_t length = strlen(normal), base = strlen(normal_base);

    if (base == 0) {
        return true;
    }
    return length >= base && strcmp(normal + length - base, normal_base) == 0 &&
           (length == base || normal[length - base - 1] == ',');
}
