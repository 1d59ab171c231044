/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of decoys, and how their copies are found.
 *
 * Letters of a name are drawn from consonants that make no word four in a row, so that a copy of four of them is no
 * accident, and none is a hexadecimal digit, that a percent sign could make an escape of; hexadecimal numbers keep to
 * their letters. An octet that is not replaced (a space, a hyphen, an octet of
 * UTF-8) is the segment's own, so its copies need no undoing, in whichever encoding they are.
 */
#include "authstatus/decoy_name.h"

#include <string.h>

#include "text.h"

#define LETTER_WEIGHT 5
#define DIGIT_WEIGHT 3 /* hexadecimal ones as well */
/* Of a number with letters in it that counts as hexadecimal. */
#define HEX_LEAST 8

static const char letters[] = "gjklmnpqrvwxz";

/* Reads an octet that may be percent-encoded. Returns how many octets of the text that is. */
static size_t read_octet(const char *text, size_t length, char *octet)
{
    if (length >= 3 && text[0] == '%' && as_text_get_hex_value(text[1]) >= 0 && as_text_get_hex_value(text[2]) >= 0) {
        *octet = (char)(as_text_get_hex_value(text[1]) * 16 + as_text_get_hex_value(text[2]));
        return 3;
    }
    *octet = text[0];
    return 1;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static char convert_to_upper(char c)
{
    return (c >= 'a' && c <= 'z') ? (char)(c - 'a' + 'A') : c;
}

static bool is_hexadecimal(const char *segment, size_t length)
{
    size_t i, step, digits = 0, count = 0;
    char octet;

    for (i = 0; i < length; i += step) {
        step = read_octet(segment + i, length - i, &octet);
        if (as_text_is_alnum(octet)) {
            if (as_text_get_hex_value(octet) < 0) {
                return false;
            }
            digits += as_text_is_digit(octet);
            count++;
        }
    }
    return digits > 0 && count >= HEX_LEAST;
}

/* Unreserved, and no letter or digit: a copy is never encoded. */
static bool is_mark(char c)
{
    return c == '-' || c == '.' || c == '_' || c == '~';
}

/* The source of random letters and digits. */
typedef struct draw {
    const unsigned char *secret;
    unsigned attempt;
    bool hexadecimal;
} draw;

static as_decoy_octet draw_octet(const draw *from, size_t at, const char *alphabet, size_t count, char own, int weight)
{
    const unsigned drawn = from->secret[(at + from->attempt * 37U) % AS_DECOY_SECRET];
    as_decoy_octet octet = {.name = alphabet[drawn % count], .segment = own, .weight = (char)weight};

    if (octet.name == as_text_convert_to_lower(own)) {
        octet.name = alphabet[(drawn + 1) % count];
    }
    if (is_upper(own)) {
        octet.name = convert_to_upper(octet.name);
    }
    return octet;
}

static as_decoy_octet draw_letter(const draw *from, size_t at, char own)
{
    return from->hexadecimal ? draw_octet(from, at, "abcdef", 6, own, DIGIT_WEIGHT)
                             : draw_octet(from, at, letters, sizeof(letters) - 1, own, LETTER_WEIGHT);
}

static as_decoy_octet draw_digit(const draw *from, size_t at, char own)
{
    return draw_octet(from, at, "123456789", 9, own, DIGIT_WEIGHT);
}

static as_decoy_octet keep(char own)
{
    const as_decoy_octet octet = {.name = own, .segment = own, .weight = 0};

    return octet;
}

/* Returns whether there is space for one octet, and for as many as the name may then still need. */
static bool has_space(const as_decoy_name *name, int needed)
{
    const int more = needed > 0 ? (needed + DIGIT_WEIGHT - 1) / DIGIT_WEIGHT : 0;

    return name->count + (size_t)more < AS_DECOY_OCTETS_MAX;
}

/* A part of a name in progress: one segment of the path. */
typedef struct part {
    int weight;
    bool begun, digits; /* it ends with a digit */
} part;

static void add_name(as_decoy_name *name, part *now, as_decoy_octet octet)
{
    name->octets[name->count++] = octet;
    now->weight += octet.weight;
    now->digits = octet.weight ? as_text_is_digit(octet.name) : now->digits;
    now->begun = true;
}

static void add_own(as_decoy_name *name, part *now, char own, as_decoy_shape shape, const draw *from)
{
    if (as_text_is_digit(own) && shape == AS_DECOY_ALIKE) {
        add_name(name, now, draw_digit(from, name->count, own));
    } else if (as_text_is_alnum(own) || (shape == AS_DECOY_PLAIN && is_mark(own))) {
        add_name(name, now, draw_letter(from, name->count, own));
    } else {
        add_name(name, now, keep(own));
    }
}

/* Makes a part longer, in the way in which it ends, until a copy of it alone is known. */
static void fill(as_decoy_name *name, part *now, const draw *from)
{
    while (now->weight < name->least) {
        add_name(name, now, now->digits ? draw_digit(from, name->count, '\0') : draw_letter(from, name->count, '\0'));
    }
}

static void link_by_first(as_decoy_name *name)
{
    size_t i;

    for (i = name->count; i-- > 0;) {
        unsigned char *first = &name->first[(unsigned char)as_text_convert_to_lower(name->octets[i].name)];
        if (name->octets[i].weight) {
            name->next[i] = *first;
            *first = (unsigned char)(i + 1);
        }
    }
}

void as_decoy_name_make(as_decoy_name *name, const char *segment, size_t length, as_decoy_shape shape,
                        const as_decoy_draw *how)
{
    const draw from = {.secret = how->secret,
                       .attempt = how->attempt,
                       .hexadecimal = shape == AS_DECOY_ALIKE && is_hexadecimal(segment, length)};
    part now = {.weight = 0};
    size_t i = 0;
    char own;

    memset(name, 0, sizeof(*name));
    name->least = how->least;
    while (i < length && has_space(name, how->least - now.weight)) {
        if (segment[i] == '/' && now.begun) {
            fill(name, &now, &from);
            if (!has_space(name, how->least)) {
                break;
            }
        }
        i += read_octet(segment + i, length - i, &own);
        add_own(name, &now, own, shape, &from);
        if (segment[i - 1] == '/') {
            now = (part){.weight = 0};
        }
    }
    name->segment = segment;
    name->length = length;
    name->used = i;
    fill(name, &now, &from);
    link_by_first(name);
}

/* Returns whether an octet was added to a short segment. */
static bool is_added(const as_decoy_octet *octet)
{
    return octet->weight && !octet->segment;
}

void as_decoy_name_write(const as_decoy_name *name, char text[AS_DECOY_TEXT_MAX])
{
    size_t i, at = 0;
    char own;

    for (i = 0; i < name->count; i++) {
        const size_t length = at < name->used ? read_octet(name->segment + at, name->used - at, &own) : 1;
        if (name->octets[i].weight) {
            *text++ = name->octets[i].name;
        } else {
            memcpy(text, name->segment + at, length);
            text += length;
        }
        at += is_added(&name->octets[i]) ? 0 : length;
    }
    *text = '\0';
}

/* ---- copies ---- */

/* Returns how many octets of `text` are this octet, percent-encoded once or more often; 0: none. */
static size_t measure_encoded(char octet, const char *text)
{
    size_t at = 1;

    while (text[at] == '2' && text[at + 1] == '5') {
        at += 2;
    }
    if (octet == '%') {
        return at;
    }
    if (at > 1 && (as_text_get_hex_value(text[at]) < 0 || as_text_get_hex_value(text[at + 1]) < 0)) {
        at -= 2;
    }
    return as_text_get_hex_value(text[at]) >= 0 && as_text_get_hex_value(text[at + 1]) >= 0 &&
                   (char)(as_text_get_hex_value(text[at]) * 16 + as_text_get_hex_value(text[at + 1])) == octet
               ? at + 2
               : 0;
}

/* Returns how many octets of `text` are this octet of a name, itself or encoded; 0: none. */
static size_t measure(const as_decoy_octet *octet, const char *text)
{
    if (octet->weight) {
        return as_text_convert_to_lower(*text) == as_text_convert_to_lower(octet->name);
    }
    if (*text == '%') {
        return measure_encoded(octet->name, text);
    }
    return *text != '\0' && (*text == octet->name || (*text == '+' && octet->name == ' '));
}

/* The place of a copy. */
typedef struct copy {
    size_t from, to; /* octets of the name */
    int weight;
} copy;

static copy copy_at(const as_decoy_name *name, size_t from, const char *text)
{
    copy found = {.from = from, .to = from};
    size_t length;

    while (found.to < name->count && (length = measure(&name->octets[found.to], text)) > 0) {
        found.weight += name->octets[found.to].weight;
        found.to++;
        text += length;
    }
    return found;
}

/* Returns whether a copy may go on behind its first octet. None weighs enough alone, so the second one decides most. */
static bool may_go_on(const as_decoy_name *name, size_t from, const char *text)
{
    const as_decoy_octet *next = &name->octets[from + 1];

    return from + 1 < name->count &&
           (!next->weight || as_text_convert_to_lower(text[1]) == as_text_convert_to_lower(next->name));
}

/* Finds the copy that begins at `text` and weighs most. */
static bool find_at(const as_decoy_name *name, const char *text, copy *best)
{
    unsigned char i;

    *best = (copy){.weight = 0};
    for (i = name->first[(unsigned char)as_text_convert_to_lower(*text)]; i; i = name->next[i - 1]) {
        if (may_go_on(name, i - 1U, text)) {
            const copy found = copy_at(name, i - 1U, text);
            *best = found.weight > best->weight ? found : *best;
        }
    }
    return best->weight > 0 && best->weight >= name->least;
}

bool as_decoy_name_is_in(const as_decoy_name *name, const char *text)
{
    copy found;

    while (*text != '\0' && !find_at(name, text, &found)) {
        text++;
    }
    return *text != '\0';
}

/* The output, as far as it fits. */
typedef struct written {
    char *at;
    size_t size, length;
} written;

static void add(written *out, char octet)
{
    if (out->length + 1 < out->size) {
        out->at[out->length] = octet;
    }
    out->length++;
}

/* In the case that the copy has. */
static char undo_octet(const as_decoy_octet *octet, char copied)
{
    if (copied == octet->name) {
        return octet->segment;
    }
    return is_upper(copied) ? convert_to_upper(octet->segment) : as_text_convert_to_lower(octet->segment);
}

static void add_rest(written *out, const as_decoy_name *name)
{
    size_t i = name->used;
    char octet;

    while (i < name->length) {
        i += read_octet(name->segment + i, name->length - i, &octet);
        add(out, octet);
    }
}

/* Writes what a copy stands for. Returns where the text goes on behind it. */
static const char *undo_copy(const as_decoy_name *name, const copy *found, const char *text, written *out)
{
    size_t i;

    for (i = found->from; i < found->to; i++) {
        const as_decoy_octet *octet = &name->octets[i];
        size_t length = measure(octet, text);

        if (is_added(octet)) {
            text++;
        } else if (octet->weight) {
            add(out, undo_octet(octet, *text++));
        } else {
            while (length-- > 0) {
                add(out, *text++);
            }
        }
    }
    if (found->to == name->count) {
        add_rest(out, name);
    }
    return text;
}

size_t as_decoy_name_undo(const as_decoy_name *name, const char *text, char *to, size_t size)
{
    written out = {.at = to, .size = size, .length = 0};
    copy found;

    while (*text != '\0') {
        if (find_at(name, text, &found)) {
            text = undo_copy(name, &found, text, &out);
        } else {
            add(&out, *text++);
        }
    }
    if (size > 0) {
        to[out.length < size ? out.length : size - 1] = '\0';
    }
    return out.length;
}
