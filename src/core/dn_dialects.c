/* SPDX-License-Identifier: Apache-2.0
 *
 * Distinguished names as directories read them beyond RFC 4514: quotes around values (RFC 2253 4), options after types
 * (OpenLDAP: "uid;lang-en=ann"), and a backslash before a character that needs none (389 DS: "uid=a\nn").
 */
#include "authstatus/dn.h"

#include <string.h>

#include "dn_writer.h"
#include "text.h"

/* The text, and where in it the reader is. */
typedef struct reader {
    const char *text;
    size_t length, at;
    bool in_value;  /* behind the "=" of a part */
    bool has_begun; /* its type, or its value */
    bool quoted;
    bool was_quoted; /* the value: its quotes have ended */
    bool faulty;
} reader;

/* Skips the options of a type: up to its "=". */
static void skip_options(reader *from)
{
    while (from->at < from->length && from->text[from->at] != '=') {
        from->at++;
    }
}

/* Copies an octet of a type, or a separator. */
static void take_outside(reader *from, as_dn_writer *to)
{
    const char octet = from->text[from->at];

    if (octet == ';' && from->has_begun) {
        skip_options(from);
        return;
    }
    from->in_value = octet == '=';
    from->has_begun = octet != '=' && (from->has_begun || octet != ' ');
    as_dn_put(to, octet);
    from->at++;
}

/* Copies a backslash with what it escapes, or that alone where it needs none. */
static void take_escape(reader *from, as_dn_writer *to)
{
    const char *next = from->text + from->at + 1;
    const size_t left = from->length - from->at - 1;
    const bool is_pair = left >= 2 && as_text_get_hex_value(next[0]) >= 0 && as_text_get_hex_value(next[1]) >= 0;

    if (left == 0 || is_pair || next[0] == '\0' || strchr("\"+,;<> #=\\", next[0])) {
        as_dn_put(to, '\\');
    }
    if (left > 0) {
        as_dn_put(to, next[0]);
    }
    from->at += left > 0 ? 2 : 1;
}

static bool is_separator(char octet)
{
    return octet == '+' || octet == ',' || octet == ';';
}

/* Copies an octet of a value, or what ends it. */
static void take_inside(reader *from, as_dn_writer *to)
{
    const char octet = from->text[from->at];

    if (octet == '"' && (from->quoted || !from->has_begun)) {
        from->was_quoted = from->quoted;
        from->quoted = !from->quoted;
        from->has_begun = true;
        from->at++;
        return;
    }
    if (from->was_quoted && octet != ' ' && !is_separator(octet)) {
        /* 389 DS skips it, whatever it is: each spelling would be another name. */
        from->faulty = true;
    }
    from->has_begun = from->has_begun || octet != ' ';
    if (octet == '\\') {
        take_escape(from, to);
        return;
    }
    if (from->quoted && octet != '\0' && strchr("+,;<>=#", octet)) {
        as_dn_put(to, '\\');
    } else if (is_separator(octet)) {
        from->in_value = from->has_begun = from->was_quoted = false;
    }
    as_dn_put(to, octet);
    from->at++;
}

bool as_dn_read_dialect(const char *text, size_t length, char *plain)
{
    reader from = {.text = text, .length = length};
    as_dn_writer to = {.at = plain};

    while (from.at < from.length) {
        if (from.in_value) {
            take_inside(&from, &to);
        } else {
            take_outside(&from, &to);
        }
    }
    plain[to.used < AS_DN_MAX ? to.used : 0] = '\0';
    return !from.quoted && !from.faulty && to.used < AS_DN_MAX;
}
